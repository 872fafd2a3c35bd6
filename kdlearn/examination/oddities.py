"""What is odd about a loss: each test gives findings, with the figure that was measured."""

import math
from collections.abc import Iterator

from kdlearn.examination.examination import Examination
from kdlearn.examination.findings import Finding
from kdlearn.examination.forms import Probe
from kdlearn.examination.probing import number

SQUARED, TWICE = 2, 4
JUMP = 0.05  # of the gradient in the middle


def of_rows(seen: Examination) -> Iterator[Finding]:
    """Rows that meet the wrong row, or several; drawn numbers inside."""
    again = [number(seen.asked.call(seen.plain, seen.asked.dtype, seed=seed, **seen.options)) for seed in (0, 1)]
    if abs(again[0] - again[1]) > seen.threshold * abs(again[0]):
        yield Finding("random", f"two calls on the same logits give {again[0]:.4g} and {again[1]:.4g}", again[1])
    if seen.mixed:
        wrong = sum(i != j for i, j in enumerate(seen.partners or []))
        yield Finding("rows-mixed", f"{wrong} of {len(seen.influence)} rows meet another row of the teacher", wrong)
    elif seen.reads_teacher and seen.partners is None:
        others = float((seen.influence - seen.influence.diag().diag()).max())
        if others > seen.threshold:
            yield Finding(
                "rows-coupled",
                f"another row of the teacher moves a row's gradient ({others:.2g} of the largest change)",
                others,
            )


def of_gradients(seen: Examination) -> Iterator[Finding]:
    """Who gets a gradient, and who is heard."""
    on_teacher = 0.0
    if seen.asked.by_autograd:
        on_teacher = float(seen.asked.slopes(seen.plain, seen.asked.dtype, **seen.options)[1].norm())
    if not seen.asked.gives_gradient or not seen.gradient.any():
        yield Finding("no-gradient", why_no_gradient(seen, on_teacher), 0.0)
    else:
        if not seen.reads_teacher:
            yield Finding("no-teacher", "other logits of the teacher give the same gradient", 0.0)
        if on_teacher != 0:
            share = on_teacher / float(seen.gradient.norm().clamp_min(1e-300))
            size = f", {share:.2g} times as large as the student's" if math.isfinite(share) else ""
            yield Finding("teacher-gets-gradient", f"the teacher's logits get a gradient{size}", share)


def why_no_gradient(seen: Examination, on_teacher: float) -> str:
    if not seen.asked.by_autograd:
        return "it gives a number and no tensor, so nothing can be differentiated (of NumPy arrays: arrays=True)"
    swapped = f"; the gradient goes to {seen.asked.roles.teacher or 'the second argument'}, taken for the teacher's"
    return "its gradient on the student's logits is 0" + (swapped + ": are the two swapped?" if on_teacher else "")


def of_inputs(seen: Examination) -> Iterator[Finding]:
    """What it writes into, and in which precision it computes."""
    if seen.asked.changes:
        changed = ", ".join(sorted(seen.asked.changes))
        yield Finding("changes-its-inputs", f"after the call, {changed} are others", float(len(seen.asked.changes)))
    if seen.asked.coarse:
        said = f"the teacher's logits times 1.000001 leave {seen.deaf_rows:.0%} of the rows' gradients as they are"
        yield Finding("inexact-in-half-precision", f"it computes in half precision: {said}", seen.deaf_rows)


def of_softmax(seen: Examination) -> Iterator[Finding]:
    """Softmax is deaf to a constant that is added to a row; a form says itself what it is."""
    if seen.fit is None:
        yield from of_raw_logits(seen)
        return
    for form in (seen.fit.hard, seen.fit.soft):
        if form.finding:
            yield Finding(form.finding, f"its gradient is that of: {form.name}", seen.fit.error)
    if seen.fit.soft_weights and seen.fit.soft_weights[0] < 0:
        yield Finding("pushes-away", "the weight of the soft loss is negative", seen.bare(seen.fit.soft_weights[0], 0))


def of_raw_logits(seen: Examination) -> Iterator[Finding]:
    """An unknown form that moves a student equal to its teacher; it may hear a constant that both have."""
    if not (seen.reads_teacher and seen.moved_at_teacher > max(1e-3, seen.threshold)):
        return
    z, v = seen.plain.z, seen.plain.v
    shifted = {"both": Probe(z + 1, v + 1, seen.plain.y), "student": seen.plain._replace(z=z + 1)}
    shifted["teacher"] = seen.plain._replace(v=v + 1)
    size = float(seen.gradient.norm().clamp_min(1e-300))
    moved = {
        name: float((seen.asked.gradient(probe, **seen.options) - seen.gradient).norm()) / size
        for name, probe in shifted.items()
    }
    worst = max(moved, key=lambda name: moved[name])
    if moved["both"] > seen.threshold:
        said = f"1 added to all logits ({worst}) changes the gradient by {moved[worst]:.0%}; a softmax is deaf to it"
        yield Finding("no-softmax", said, moved[worst])
    else:
        said = f"a student equal to its teacher gets a gradient, {seen.moved_at_teacher:.2g} times as long as others'"
        yield Finding("moved-at-teacher", said, seen.moved_at_teacher)


def of_reductions(seen: Examination) -> Iterator[Finding]:
    """What grows with the batch, the sequence or the classes."""
    if seen.fit is None:
        return
    with_rows, with_classes, with_time = (seen.scalings.get(name, (0.0, 0.0)) for name in ("rows", "classes", "time"))
    part = 0 if seen.fit.soft.terms else 1
    if with_classes[part] == -1 and not (seen.fit.soft.elementwise and part == 0):
        kind = ("soft", "hard")[part]
        yield Finding(
            "divided-by-classes",
            f"the {kind} loss falls as 1 / C, the number of classes; it is {seen.width} "
            f"times too small for {seen.width}, 1,000 times for 1,000",
            with_classes[part],
        )
    if with_rows[part] == 1:
        yield Finding("summed-over-batch", "the gradient grows in proportion to the batch", with_rows[part])
    if with_time[part] == 1:
        yield Finding("summed-over-time", "the gradient grows in proportion to the length", with_time[part])


def of_temperature(seen: Examination, power: float, told: bool) -> Iterator[Finding]:
    """Whether T² is there, once, at every weight; `told` is whether the power was measured over temperatures."""
    fit = seen.fit
    if fit is None or not fit.soft.terms or fit.soft.elementwise:
        return
    if seen.asked.roles.temperature and not hears_temperature(seen):
        yield Finding("temperature-ignored", "the gradient is the same at T = 2 and T = 8", 0.0)
    wrong_already = fit.soft.finding and not fit.soft.least_at_teacher
    if not fit.soft.softened or math.isnan(power) or (wrong_already and not told):
        return
    how = "its weight grows" if told else f"at T = {fit.temperature:.3g} the weights add up to 1 if it grows"
    if power == TWICE:
        yield Finding("temperature-squared-twice", f"{how} with T to the power 4, not 2", power)
    elif power != SQUARED:
        yield Finding("temperature-squared-missing", f"{how} with T to the power {power:.2g}, not 2", power)
    for name, end in lost_at(seen, power):
        yield Finding(
            "temperature-squared-missing", f"at {name} = {end} the power of T is another one than at other weights", end
        )


def of_hard_loss(seen: Examination) -> Iterator[Finding]:
    """T² belongs to the soft loss alone."""
    if seen.fit and not seen.fit.hard.softened and seen.hard_power > 0:
        said = f"the weight of the hard loss grows with T to the power {seen.hard_power:.2g}"
        yield Finding("temperature-squared-on-hard-loss", said, seen.hard_power)


def hears_temperature(seen: Examination) -> bool:
    name = seen.asked.roles.temperature
    low, high = (seen.asked.gradient(seen.plain, **{**seen.options, str(name): T}) for T in (2.0, 8.0))
    return bool((low - high).norm() > seen.threshold * low.norm())


def lost_at(seen: Examination, power: float) -> Iterator[tuple[str, float]]:
    for name in seen.asked.roles.weights if seen.asked.roles.temperature else ():
        for end in (0.0, 1.0):
            try:
                found = seen.power_of_temperature(**{name: end})
            except Exception:  # a loss may refuse it
                continue
            if not math.isnan(found) and found != power:
                yield name, end


def of_weights(seen: Examination) -> Iterator[Finding]:
    """A weight that jumps at 0 or 1."""
    for name in seen.asked.roles.weights:
        for end, beside in ((0.0, 1e-3), (1.0, 1 - 1e-3)):
            try:
                at, near, middle = (
                    seen.asked.gradient(seen.plain, **{**seen.options, name: weight}) for weight in (end, beside, 0.5)
                )
            except Exception:  # a loss may refuse it
                continue
            if (at - near).norm() > JUMP * middle.norm() and at.norm() > 0 < near.norm():
                ratio = float(at.norm() / near.norm())
                yield Finding(
                    "jumps-at-an-end",
                    f"the gradient at {name} = {end:g} is {ratio:.3g} times that at {beside:g}",
                    ratio,
                )


def of_the_minimum(seen: Examination) -> Iterator[Finding]:
    """A divergence is 0 where the student equals the teacher."""
    if seen.fit is None or not seen.fit.soft.least_at_teacher:
        return
    equal = seen.plain._replace(z=seen.paired(seen.plain).v)
    soft_terms = len(seen.fit.soft.terms)
    hard = seen.fit.of_terms(seen.aligned(equal)) - seen.fit.of_terms(seen.aligned(equal), soft_terms)
    value = seen.asked.value(equal, **seen.options) - hard
    if abs(value) > max(1e-3, seen.asked.tolerance) * max(1.0, abs(seen.asked.value(seen.plain, **seen.options))):
        yield Finding("nonzero-at-teacher", f"a student equal to the teacher gets {value:.3g}, not 0", value)
