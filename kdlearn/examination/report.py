"""What a loss is, in numbers and in a sentence: its form, its temperature and its weights, as where nothing is set."""

import math
from dataclasses import dataclass, field

from kdlearn.examination.findings import Finding
from kdlearn.examination.fitting import Fit
from kdlearn.examination.loss_profile import LossProfile

REDUCTIONS: dict[tuple[float, float], str] = {
    (0, 0): "mean over the batch",
    (1, 0): "sum over the batch",
    (0, -1): "mean over batch and classes",
    (1, -1): "sum over the batch, mean over the classes",
}


@dataclass(frozen=True)
class Report:
    """What `examine` found; `str(report)` is for people.

    `form` names the soft loss, None where it is none of the known ones; `temperature` is None where none is in it.
    `soft_weights`, one for each part of the soft loss (times `temperature` to the `power`), and `hard_weight` of
    cross-entropy are weights of means over the batch; none and NaN where the form is not known. `smoothing` is that of
    the labels.
    `weighs` says what the weights in the signature weigh, and `error` how much of the gradient is left unexplained.
    """

    findings: tuple[Finding, ...]
    form: str | None = None
    temperature: float | None = None
    power: int | None = None
    soft_weights: tuple[float, ...] = ()
    hard_weight: float = math.nan
    smoothing: float = 0.0
    reduction: str = ""
    weighs: dict[str, str] = field(default_factory=dict)
    error: float = 1.0

    @property
    def soft_weight(self) -> float:
        """The weight of the soft loss, or of its first part; 0 where there is none."""
        return math.nan if self.form is None else next(iter(self.soft_weights), 0.0)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the findings."""
        return tuple(finding.name for finding in self.findings)

    @property
    def sentence(self) -> str:
        """The loss in one line, such as `0.9 · T² · KL(teacher ‖ student), mean over the batch`."""
        if self.form is None:
            return "none of the forms that are known here"
        parts = []
        if self.soft_weight:
            power = {None: "", 0: "", 2: " · T²"}.get(self.power, f" · T^{self.power}")
            weights = " and ".join(dict.fromkeys(f"{weight:.3g}" for weight in self.soft_weights))
            parts.append(f"{weights}{power} · {self.form}")
        if self.hard_weight:
            smoothed = f", smoothed by {self.smoothing:.2g}" if abs(self.smoothing) > 1e-4 else ""
            parts.append(f"{self.hard_weight:.3g} · cross-entropy with the labels{smoothed}")
        T = "" if self.temperature is None else f"; T = {self.temperature:.3g}"
        return f"{' + '.join(parts)}; {self.reduction}{T}"

    def __str__(self) -> str:
        lines = [f"This loss is {self.sentence}.", *(f"{name} {what}." for name, what in self.weighs.items())]
        if self.form is None:
            lines.append("Its weights, T² and reductions were not checked.")
        if all(finding.may_be_meant for finding in self.findings):
            what = "wrong" if self.findings else "odd"
            lines.append(f"Nothing {what} was found." if self.form else f"Nothing {what} was found in the rest.")
        return "\n".join([*lines, *(f"\n{finding}" for finding in self.findings)])


def report_of(profile: LossProfile, findings: tuple[Finding, ...]) -> Report:
    """At the default temperature, if there is one."""
    if profile.fit is None:
        return Report(findings)
    default = profile.signature.default_temperature
    fit = (profile.at_temperature(default, {}) if default else None) or profile.fit
    power, is_measured = power_of_temperature(profile)
    T = fit.temperature if fit.soft.softened else default or profile.temperature
    is_softened, must_be_given = fit.soft.softened or fit.hard.softened, is_measured and default is None
    grows, (soft, hard) = profile.growth[fit.main], without_sizes(profile, fit)
    return Report(
        findings,
        form=fit.soft.name,
        temperature=fit.temperature if is_softened and not must_be_given else None,
        power=int(power) if power.is_integer() and (is_softened or power) else None,
        soft_weights=tuple(weight / (1.0 if math.isnan(power) else T**power) for weight in soft),
        hard_weight=hard,
        smoothing=fit.smoothing,
        reduction=REDUCTIONS.get((grows["rows"], grows.get("classes", 0.0)), "no mean or sum that is known here"),
        weighs={name: what for name in profile.signature.weights if (what := weighed(profile, name))},
        error=fit.error,
    )


def without_sizes(profile: LossProfile, fit: Fit) -> tuple[list[float], float]:
    """The soft weights and the hard one without what the reduction puts into them."""
    soft, hard = (
        math.prod(profile.sizes[axis] ** power for axis, power in part.items() if not math.isnan(power))
        for part in profile.growth.values()
    )
    return [weight / soft for weight in fit.soft_weights], fit.hard_weight / hard


def power_of_temperature(profile: LossProfile) -> tuple[float, bool]:
    """Of T in the soft weight, NaN where it cannot be told; and whether it was measured over temperatures.

    Where T cannot be given, the weights tell: they add up to 1, or the soft one is 1, at one power of T alone.
    """
    if profile.fit is None or not profile.fit.soft.terms:
        return math.nan, False
    if not math.isnan(measured := profile.growth_with_temperature({})[0]):
        return measured, True
    if abs((T := profile.fit.temperature) - 1) < 1e-4:
        return math.nan, False
    soft, hard = without_sizes(profile, profile.fit)
    for power in (2, 0, 4, 1, -2):
        alone = abs(soft[0]) / T**power
        if any(math.isclose(one, 1, rel_tol=1e-3) for one in (alone, alone + hard)):
            return float(power), False
    return 2.0, False


def weighed(profile: LossProfile, name: str) -> str:
    """What a weight weighs, from the form's weights at a quarter and at three quarters."""
    try:
        low, high = (profile.again(profile.fit, profile.with_arguments({name: weight})) for weight in (0.25, 0.75))
    except Exception:  # a loss may refuse it
        return ""
    if low is None or high is None:
        return ""
    changes = {"soft": sum(high.soft_weights) - sum(low.soft_weights), "hard": high.hard_weight - low.hard_weight}
    rising, falling = ([part for part, one in changes.items() if sign * one > 1e-3] for sign in (1, -1))
    if len(rising) != 1:
        return ""
    return f"weighs the {rising[0]} loss" + (f"; the {falling[0]} loss gets the rest" if falling else " alone")
