"""What is odd about a loss: each test gives findings, with the figure that was measured."""

import contextlib
import math
from collections.abc import Iterator
from itertools import product

import torch

from kdlearn.examination.findings import Finding
from kdlearn.examination.fitting import Fit, refined
from kdlearn.examination.forms import HARD, NO_TEACHER
from kdlearn.examination.loss_profile import SAME_TEMPERATURE, LossProfile, power
from kdlearn.examination.report import power_of_temperature

JUMP = 0.05  # of the gradient in the middle


def of_reductions(profile: LossProfile) -> Iterator[Finding]:
    """What grows with the batch, the sequence or the classes."""
    fit, C = profile.fit, profile.sizes["classes"]
    for part, grows in (profile.growth if fit else {"whole": growth_by_repeats(profile)}).items():
        if fit and grows.get("classes", 0) <= -1 and not (part == "soft" and fit.soft.elementwise):
            sentence = f"the {part} loss falls as 1 / C, the number of classes; it is {C} times too small for {C}"
            yield Finding("divided-by-classes", f"{sentence}, 1,000 times for 1,000", grows["classes"])
        for axis, of in {"rows": "batch", "time": "time"}.items():
            if grows.get(axis) == 1:
                yield Finding(f"summed-over-{of}", f"the {part} loss grows in proportion to the {of}", 1.0)
            if grows.get(axis, 0) <= -1:
                yield Finding("divided-twice", f"the {part} loss falls as 1 / {axis}: a mean is divided again", -1.0)


def growth_by_repeats(profile: LossProfile) -> dict[str, float]:
    """Of a loss of unknown form: the power by which its value grows where the same rows, or times, stand twice."""
    once, grows = profile.first_value, {}
    for dim, axis in enumerate(axis for axis in profile.sizes if axis != "classes"):
        z, v, y = (torch.cat([one, one], dim) for one in profile.plain[:3])
        twice = 0.0 if profile.is_random else profile.query.value(profile.plain._replace(z=z, v=v, y=y))
        grows[axis] = power(once, twice, 2.0) if once * twice > 0 and math.isfinite(twice) else math.nan
    return grows


def of_temperature(profile: LossProfile) -> Iterator[Finding]:
    """T² belongs to the soft loss, once, and to it alone."""
    fit, name = profile.fit, profile.signature.temperature
    if fit is None:
        return
    if fit.soft.terms and not fit.soft.elementwise:
        if name and abs(fit.temperature * profile.temperature - 1) < SAME_TEMPERATURE:
            yield Finding("temperature-multiplies", "both logits are multiplied by T, where T divides", fit.temperature)
        else:
            yield from of_square(profile, fit)
        if name and profile.change(profile.with_arguments({name: 2 * profile.temperature})) <= profile.threshold:
            yield Finding("temperature-ignored", "the gradient is the same at T and at 2 T", 0.0)
    hard_power = profile.growth_with_temperature({})[1]
    if not fit.hard.softened and hard_power > 0:
        sentence = f"the weight of the hard loss grows with T to the power {hard_power:.2g}"
        yield Finding("temperature-squared-on-hard-loss", sentence, hard_power)


def of_square(profile: LossProfile, fit: Fit) -> Iterator[Finding]:
    """T to the power 2: of two distributions, the gradients of KL fall as 1 / T²."""
    power, is_measured = power_of_temperature(profile)
    is_divergence = fit.soft.least_at_teacher or not fit.soft.finding
    if not fit.soft.softened or math.isnan(power) or not (is_divergence or is_measured):
        return
    how = "its weight grows" if is_measured else f"at T = {fit.temperature:.3g} the weights add up to 1 if it grows"
    if power == -2 and not is_measured:
        sentence = f"the weights add up to 1 at T = {1 / fit.temperature:.3g}, by which the logits are multiplied"
        yield Finding("temperature-multiplies", sentence, fit.temperature)
    elif power == 1:
        yield Finding("temperature-not-squared", f"{how} with T, not with its square", power)
    elif power == 4:
        yield Finding("temperature-squared-twice", f"{how} with T to the power 4, not 2", power)
    elif power != 2:
        yield Finding("temperature-squared-missing", f"{how} with T to the power {power:.2g}, not 2", power)


def of_weights(profile: LossProfile) -> Iterator[Finding]:
    """A weight of 0 or 1, where another branch may be taken: it loses T², or jumps."""
    query, power = profile.query, power_of_temperature(profile)[0]
    has_square = profile.fit and profile.fit.soft.softened and not profile.fit.soft.elementwise
    for name, end in product(profile.signature.weights, (0.0, 1.0)):
        with contextlib.suppress(Exception):  # a loss may refuse it
            at_end = profile.growth_with_temperature({name: end})[0]
            if has_square and not math.isnan(at_end) and at_end != power:
                sentence = f"at {name} = {end} the power of T is another one than at other weights"
                yield Finding("temperature-squared-missing", sentence, end)
            beside = abs(end - 1e-3)
            at, near, middle = (query.gradient(profile.with_arguments({name: weight})) for weight in (end, beside, 0.5))
            if (at - near).norm() > JUMP * middle.norm() and at.any() and near.any():
                ratio = float(at.norm() / near.norm())
                sentence = f"the gradient at {name} = {end:g} is {ratio:.3g} times that at {beside:g}"
                yield Finding("jumps-at-an-end", sentence, ratio)


def of_rows(profile: LossProfile) -> Iterator[Finding]:
    """Rows that meet the wrong row, or several; drawn numbers inside."""
    if profile.is_random:
        sentence = f"two calls on the same logits give {profile.first_value:.4g} and {profile.other_value:.4g}"
        yield Finding("random", sentence, profile.other_value)
    if mixed := profile.mixed_rows:
        rows = len(profile.influence)
        yield Finding("rows-mixed", f"{mixed} of {rows} rows meet the teacher's or the label of another row", mixed)
    elif (others := profile.influence - profile.influence.diag().diag()).max() > profile.threshold:
        share = float(others.max() / profile.influence.max())
        sentence = f"another row of the teacher moves a row's gradient ({share:.2g} of the largest change)"
        yield Finding("rows-coupled", sentence, share)


def of_form(profile: LossProfile) -> Iterator[Finding]:
    """What a form is in itself; of an unknown one, whether it is at rest where the student equals the teacher."""
    fit = profile.fit
    if fit is None:
        if profile.reads_teacher and not profile.mixed_rows:
            yield from of_unknown_form(profile)
        return
    for form in (fit.hard, fit.soft):
        if form.finding:
            yield Finding(form.finding, f"its gradient is that of: {form.name}", fit.error)
    if fit.soft_weights and fit.soft_weights[0] < 0:
        yield Finding("pushes-away", "the weight of the soft loss is negative", fit.soft_weights[0])
    if fit.soft.least_at_teacher:
        equal = profile.plain._replace(z=profile.plain.v)
        value = profile.query.value(equal) - fit.value(equal)
        if abs(value) > max(1e-3, profile.query.tolerance) * max(1.0, abs(profile.first_value)):
            yield Finding("nonzero-at-teacher", f"a student equal to the teacher gets {value:.3g}, not 0", value)


def of_unknown_form(profile: LossProfile) -> Iterator[Finding]:
    """One that moves a student equal to its teacher; it may react to a constant in all logits, as no softmax does."""
    equal = profile.plain._replace(z=profile.plain.v)
    gradient = profile.query.gradient(equal)
    at_teacher = float(gradient.norm() / profile.gradient.norm())
    if profile.reads_labels and at_teacher > profile.threshold:  # what labels explain is not the teacher's
        at_teacher *= min(refined(NO_TEACHER, hard, equal, gradient).error for hard in HARD)
    if not at_teacher > max(1e-3, profile.threshold):
        return
    z, v = profile.plain.z + 1, profile.plain.v + 1
    change = profile.change(profile.plain._replace(z=z, v=v))
    if change > profile.threshold and not (profile.reads_labels or profile.is_random):
        sentence = f"1 added to all logits changes the gradient by {change:.0%}; a softmax ignores it"
        yield Finding("no-softmax", sentence, change)
    else:
        sentence = f"a student equal to its teacher gets a gradient, {at_teacher:.2g} times as long as others'"
        yield Finding("moved-at-teacher", sentence, at_teacher)


def of_gradients(profile: LossProfile) -> Iterator[Finding]:
    """Who gets a gradient, who is ignored, and what is written into."""
    query = profile.query
    on_teacher = float(query.gradients(profile.plain)[1].norm())
    if not profile.gradient.any():
        given = f"; the gradient goes to {profile.signature.teacher}, taken for the teacher's: are the two swapped?"
        sentence = "it gives no tensor that can be differentiated on the student's logits, or a gradient of 0"
        yield Finding("no-gradient", sentence + given * bool(on_teacher), 0.0)
    elif not profile.reads_teacher:
        yield Finding("no-teacher", "other logits of the teacher give the same gradient", 0.0)
    if profile.gradient.any() and on_teacher:
        share = on_teacher / float(profile.gradient.norm())
        size = f", {share:.2g} times as large as the student's" if math.isfinite(share) else ""
        yield Finding("teacher-gets-gradient", f"the teacher's logits get a gradient{size}", share)
    if query.changed:
        sentence = f"after the call, {', '.join(sorted(query.changed))} hold other values"
        yield Finding("changes-its-inputs", sentence, float(len(query.changed)))


TESTS = (of_reductions, of_temperature, of_rows, of_form, of_gradients, of_weights)
