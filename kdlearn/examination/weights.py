"""The temperature, the power of T and the weights of a loss, as they are where its caller sets nothing."""

import math
from typing import Any

from kdlearn.examination.fitting import Fit
from kdlearn.examination.loss_profile import LossProfile

REDUCTIONS: dict[tuple[float, float], str] = {
    (0, 0): "mean over the batch",
    (1, 0): "sum over the batch",
    (0, -1): "mean over batch and classes",
    (1, -1): "sum over the batch, mean over the classes",
}
WEIGHED: dict[tuple[float, float], str] = {
    (1, 0): "weighs the soft loss alone",
    (0, 1): "weighs the hard loss alone",
    (1, -1): "weighs the soft loss; the hard loss gets the rest",
    (-1, 1): "weighs the hard loss; the soft loss gets the rest",
}


def described(profile: LossProfile) -> dict[str, Any]:
    """What a report says of the form; nothing where none is known."""
    if profile.fit is None:
        return {}
    default = profile.signature.default_temperature
    fit = (profile.at_temperature(default, {}) if default else None) or profile.fit
    (power, is_measured), part = power_of_temperature(profile), 0 if fit.soft.terms else 1
    T = (
        fit.temperature
        if fit.soft.softened
        else default or profile.query.options.get(profile.signature.temperature, 1.0)
    )
    soft, hard = without_sizes(profile, fit)
    is_softened, must_be_given = fit.soft.softened or fit.hard.softened, is_measured and default is None
    rows, classes = (profile.growth.get(axis, (0.0, 0.0))[part] for axis in ("rows", "classes"))
    return {
        "form": fit.soft.name,
        "temperature": fit.temperature if is_softened and not must_be_given else None,
        "power": int(power) if power.is_integer() and (is_softened or power) else None,
        "soft_weights": tuple(weight / (1.0 if math.isnan(power) else T**power) for weight in soft),
        "hard_weight": hard,
        "smoothing": fit.smoothing,
        "reduction": REDUCTIONS.get((rows, classes), "no mean or sum that is known here"),
        "weighs": {name: what for name in profile.signature.weights if (what := weighed(profile, name))},
        "error": fit.error,
    }


def without_sizes(profile: LossProfile, fit: Fit) -> tuple[list[float], float]:
    """The soft weights and the hard one without what the reduction puts into them."""
    soft, hard = (
        math.prod(
            profile.sizes[axis] ** both[part] for axis, both in profile.growth.items() if not math.isnan(both[part])
        )
        for part in (0, 1)
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
    for power in (2, 0, 4):
        alone = abs(soft[0]) / T**power
        if any(math.isclose(one, 1, rel_tol=1e-3) for one in (alone, alone + hard)):
            return float(power), False
    return 2.0, False


def weighed(profile: LossProfile, name: str) -> str:
    """What a weight weighs, from the form's weights at a quarter and at three quarters."""
    try:
        low, high = (profile.again(profile.fit, profile.asking({name: weight})) for weight in (0.25, 0.75))
    except Exception:  # a loss may refuse it
        return ""
    if low is None or high is None:
        return ""
    changes = sum(high.soft_weights) - sum(low.soft_weights), high.hard_weight - low.hard_weight
    return WEIGHED.get(tuple(0 if abs(one) < 1e-3 else math.copysign(1, one) for one in changes), "")
