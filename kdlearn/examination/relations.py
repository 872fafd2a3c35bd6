"""What holds of a right loss whatever its form: each test changes one thing whose consequence is known."""

from collections.abc import Iterator
from typing import Any

import torch

from kdlearn.examination.findings import Finding
from kdlearn.examination.loss_profile import GAP, LOST, LossProfile

OTHERS: dict[type, tuple[Any, ...]] = {bool: (False, True), int: (0, 1, 2, 3), float: (0.3, 0.7), str: ("mean", "sum")}
NUM_DRAWS, NOISE = 256, 2.0  # of a loss that draws; how far a mean of 0 may be from 0, over its standard error, squared
UNEVEN = 1.05  # how many times the weight of a label in a short sequence may be that in a long one


def of_left_out_rows(profile: LossProfile) -> Iterator[Finding]:
    """Every row of the student gets a gradient for some logits."""
    draws = [profile.draw(seed=seed) for seed in range(4)]
    near = [probe._replace(z=probe.v + 0.1 * probe.z) for probe in draws]  # where a bound on the loss is not reached
    is_read = torch.stack([profile.query.gradient(probe).abs().sum(-1) > 0 for probe in (*draws, *near)]).any(0)
    if is_read.any() and not is_read.all():
        number = int((~is_read).sum())
        sentence = f"{number} of {is_read.numel()} rows get no gradient, whatever their logits"
        yield Finding("rows-left-out", sentence, number)


def of_arguments(profile: LossProfile) -> Iterator[Finding]:
    """Each argument, changed in turn, makes a difference."""
    takes, y = profile.signature, profile.plain.y
    others = {name: OTHERS.get(type(one), ()) for name, one in takes.settings.items()}
    others |= dict.fromkeys(takes.weights, OTHERS[float])
    probes = {name: [profile.with_arguments({name: one}) for one in values] for name, values in others.items()}
    if takes.labels:
        unlike = (profile.other_labels, torch.where(y == y.flatten()[0], -100, y))
        probes[takes.labels] = [profile.plain._replace(y=other) for other in unlike]
    unused = [name for name, asked in probes.items() if asked and not any(map(profile.responds, asked))]
    for finding, are_weights in (("weight-ignored", True), ("argument-ignored", False)):
        if found := [name for name in unused if (name in takes.weights) == are_weights]:
            yield Finding(finding, f"other values of {', '.join(found)} give the same value and gradient", len(found))


def of_sure_students(profile: LossProfile) -> Iterator[Finding]:
    """A student that is sure and wrong gets the form's gradient; of an unknown form, some gradient."""
    if profile.fit:
        if (lost := profile.lost_where_sure(profile.fit)) > LOST:
            sentence = f"where the student is sure and wrong, {lost:.0%} of the gradient of its form are lost"
            yield Finding("clamped", sentence, lost)
        return
    gradient = profile.query.gradient(profile.sure(GAP / 3))
    vanished = (gradient == 0).all(-1) & (profile.gradient != 0).any(-1)
    if vanished.any():
        share = float(vanished.double().mean())
        yield Finding("clamped", f"a student that is sure and wrong gets no gradient in {share:.0%} of the rows", share)


def of_minimum(profile: LossProfile) -> Iterator[Finding]:
    """No value is below that of a student equal to its teacher, where such a student is left as it is."""
    query = profile.query
    if profile.fit or profile.reads_labels or profile.is_random or not profile.reads_teacher:
        return
    for probe in (profile.plain, profile.sure(GAP / 3), *(profile.draw(seed=seed) for seed in range(1, 6))):
        equal = probe._replace(z=probe.v)
        least, value = query.value(equal), query.value(probe)
        is_at_rest = query.gradient(equal).norm() < 1e-3 * profile.gradient.norm()
        if is_at_rest and value < least - 1e-3 * abs(profile.first_value):
            sentence = f"a student unlike its teacher gets {value:.3g}, one equal to it {least:.3g}"
            yield Finding("below-its-minimum", sentence, value - least)
            return


def of_draws(profile: LossProfile) -> Iterator[Finding]:
    """The mean gradient over draws is not 0."""
    if not profile.is_random:
        return
    draws = torch.stack([profile.query.gradient(profile.plain, seed=seed) for seed in range(NUM_DRAWS)]).flatten(1)
    ratio = float(draws.mean(0).square().sum() / (draws.var(0).sum() / NUM_DRAWS).clamp_min(1e-300))
    if ratio < NOISE:
        sentence = f"over {NUM_DRAWS} draws the mean of the gradient is that of noise around 0"
        yield Finding("no-gradient-on-average", sentence, ratio)


def of_unequal_lengths(profile: LossProfile) -> Iterator[Finding]:
    """A label counts as much in a short sequence as in a long one."""
    plain, names = profile.plain, profile.signature
    if "time" not in profile.sizes or not (names.mask or names.labels) or profile.is_random:
        return
    lengths = torch.arange(len(plain.y)) % plain.y.shape[-1] + 1
    kept = torch.arange(plain.y.shape[-1]) < lengths.unsqueeze(-1)
    probe = plain._replace(kept=kept, y=torch.where(kept, plain.y, -100))
    try:
        size = profile.query.gradient(probe).norm(dim=-1)
    except Exception:  # the user's own function may refuse -100
        return
    ratios = (size / profile.gradient.norm(dim=-1))[kept & (size > 0)]
    if len(ratios) and not size[~kept].any() and (ratio := float(ratios.max() / ratios.min())) > UNEVEN:
        sentence = f"a label in the shortest sequence weighs up to {ratio:.3g} times one in the longest"
        yield Finding("mean-of-means", sentence, ratio)


def of_more_classes(profile: LossProfile) -> Iterator[Finding]:
    """A teacher with more classes than the student is refused."""
    if not profile.reads_teacher:
        return
    probe = profile.plain._replace(v=torch.cat([profile.plain.v, profile.plain.v.topk(2)[0] + 1], -1))
    try:
        value = profile.query.value(probe)
    except Exception:  # the user's own function refuses it, as it should
        return
    sentence = f"two classes that the teacher alone has are taken: {value:.3g} for {profile.first_value:.3g}"
    yield Finding("teacher-with-more-classes", sentence, value)


TESTS = (of_left_out_rows, of_arguments, of_sure_students, of_minimum, of_draws, of_unequal_lengths, of_more_classes)
