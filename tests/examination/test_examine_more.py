"""`examine` on losses as others write them: what it quotes, what it leaves alone, and what it says it cannot tell."""

import pytest
import torch
from torch.nn import functional as F

import kdlearn


def kd(s, t, T=4.0):
    return F.kl_div((s / T).log_softmax(-1), (t.detach() / T).softmax(-1), reduction="batchmean") * T * T


# The temperature and the weights are those at the default.


def squared_on_both(student_logits, teacher_logits, labels, T=4.0):
    return T * T * (0.5 * kd(student_logits, teacher_logits, T) / T**2 + 0.5 * F.cross_entropy(student_logits, labels))


@pytest.mark.parametrize("T", [1.0, 4.0, 10.0])
def test_a_square_on_the_hard_loss_is_a_finding_and_weights_are_quoted_at_the_default(T):
    report = kdlearn.examine(lambda student_logits, teacher_logits, labels, T=T: squared_on_both(
        student_logits, teacher_logits, labels, T))  # fmt: skip
    assert report.names == ("temperature-squared-on-hard-loss",)
    assert report.findings[0].measured == 2 and report.temperature == T
    assert (report.soft_weight, report.hard_weight) == pytest.approx((0.5, 0.5 * T**2), rel=1e-3)


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize("T", [1.0, 4.0])
def test_the_temperature_is_the_one_in_effect(factor, T):
    report = kdlearn.examine(lambda student_logits, teacher_logits, T=T: kd(student_logits, teacher_logits, factor * T))
    assert report.names == () and report.power == 2
    assert (report.temperature, report.soft_weight) == pytest.approx((factor * T, 1), rel=1e-3)


@pytest.mark.parametrize("correction", [0, 1])
def test_standardised_logits_are_known_with_either_deviation(correction):
    def loss(student_logits, teacher_logits, temperature=2.0):
        z, v = (
            (x - x.mean(-1, keepdim=True)) / (1e-7 + x.std(-1, keepdim=True, correction=correction))
            for x in (student_logits, teacher_logits)
        )
        return 9 * kd(z, v, temperature)

    report = kdlearn.examine(loss)
    assert "standardised" in str(report.form) and report.findings == () and report.reduction == "mean over the batch"
    assert (report.temperature, report.soft_weight) == pytest.approx((2, 9), rel=1e-3)


# Right ones.


def of_sigmoids(student_logits, teacher_logits):
    return F.binary_cross_entropy_with_logits(student_logits, teacher_logits.detach().sigmoid())


def of_powers_of_sigmoids(student_logits, teacher_logits):
    p, q = teacher_logits.detach().sigmoid(), student_logits.sigmoid()
    return ((p - q).abs() ** 3 * (1 + p)).mean()


def with_padding_mask(student_logits, teacher_logits, padding_mask):
    keep = ~padding_mask
    each = F.kl_div(student_logits.log_softmax(-1), teacher_logits.detach().softmax(-1), reduction="none").sum(-1)
    return (each * keep).sum() / keep.sum()


def shifted_by_one(student_logits, teacher_logits, labels, T=2.0):
    m = labels[..., 1:] != -100
    return kd(student_logits[..., :-1, :][m], teacher_logits[..., :-1, :][m], T)


def shifted_with_hard_loss(student_logits, teacher_logits, labels, T=2.0, alpha=0.5):
    hard = F.cross_entropy(student_logits[..., :-1, :].flatten(0, -2), labels[..., 1:].flatten())
    return alpha * shifted_by_one(student_logits, teacher_logits, labels, T) + (1 - alpha) * hard


def with_integer_mask(student_logits, teacher_logits, attention_mask):
    left_out = 1 - attention_mask
    each = F.kl_div(student_logits.log_softmax(-1), teacher_logits.detach().softmax(-1), reduction="none").sum(-1)
    return (each * attention_mask).sum() / (left_out.numel() - left_out.sum())


def by_keywords(*, outputs, teacher_outputs, targets, alpha=0.5, T=4.0):
    return alpha * kd(outputs, teacher_outputs, T) + (1 - alpha) * F.cross_entropy(outputs, targets)


def in_place_on_the_students_copy(student_logits, teacher_logits, T=3.0):
    z, v = student_logits.clone(), teacher_logits.detach()
    z /= T
    return T * T * F.kl_div(z.log_softmax(-1), (v / T).softmax(-1), reduction="batchmean")


def of_probabilities(student_logits, teacher_probs):
    return F.kl_div(student_logits.log_softmax(-1), teacher_probs.detach(), reduction="batchmean")


def talkative(student_logits, teacher_logits):
    print("called")
    return kd(student_logits, teacher_logits)


RIGHT = (of_sigmoids, with_padding_mask, shifted_by_one, shifted_with_hard_loss, with_integer_mask, by_keywords)


@pytest.mark.parametrize(
    "loss", [*RIGHT, of_probabilities, talkative, in_place_on_the_students_copy], ids=lambda loss: loss.__name__
)
def test_what_is_right_is_known_and_left_alone(loss, capsys):
    report = kdlearn.examine(loss)
    assert report.form is not None and report.findings == () and capsys.readouterr().out == ""


@pytest.mark.parametrize("loss", [with_padding_mask, shifted_by_one, shifted_with_hard_loss, with_integer_mask])
def test_so_it_is_in_sequences(loss):
    report = kdlearn.examine(loss, sequences=True)
    assert report.form is not None and not {"mask-inverted", "padding-counted"} & set(report.names)


def test_a_shift_keeps_weights_temperature_and_reduction():
    for sequences in (False, True):
        report = kdlearn.examine(shifted_with_hard_loss, sequences=sequences)
        weights = (report.temperature, report.soft_weight, report.hard_weight)
        assert weights == pytest.approx((2, 0.5, 0.5), rel=1e-3) and report.reduction == "mean over the batch"


def counting_padding(student_logits, teacher_logits, labels):
    return kd(student_logits[..., :-1, :].flatten(0, -2), teacher_logits[..., :-1, :].flatten(0, -2), 2.0) + (
        F.cross_entropy(student_logits[..., :-1, :].flatten(0, -2), labels[..., 1:].flatten())
    )


def test_padding_that_counts_is_named_under_a_shift_too():
    assert kdlearn.examine(counting_padding, sequences=True).names == ("padding-counted",)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_off(context):
    with context():
        report = kdlearn.examine(by_keywords)
    assert report.findings == () and report.temperature == 4


def test_a_fixed_number_of_classes_can_be_told():
    def loss(student_logits, teacher_logits, labels):
        hard = -(F.one_hot(labels, 10) * student_logits.log_softmax(-1)).sum(-1).mean()
        return 0.7 * kd(student_logits, teacher_logits) + 0.3 * hard

    with pytest.raises(ValueError, match="classes="):
        kdlearn.examine(loss)
    report = kdlearn.examine(loss, classes=10)
    assert report.findings == () and (report.soft_weight, report.hard_weight) == pytest.approx((0.7, 0.3), rel=1e-3)


# Wrong ones.


def log_target_of_probabilities(s, t):
    T = 4.0
    return F.kl_div((s / T).log_softmax(1), (t.detach() / T).softmax(1), reduction="batchmean", log_target=True) * T * T


def of_an_unknown_kind(s, t):
    return ((s.log_softmax(-1) - 1.3 * t.detach().log_softmax(-1)).abs() ** 1.5).mean()


def of_an_unknown_kind_with_labels(s, t, y):
    return of_an_unknown_kind(s, t) + F.cross_entropy(s, y)


def swapped_arguments(s, t):
    return F.kl_div(t.detach().softmax(1), s.log_softmax(1), reduction="batchmean")


def in_place_on_the_teacher(student_logits, teacher_logits):
    with torch.no_grad():
        teacher_logits /= 4.0
    return 16 * F.kl_div((student_logits / 4).log_softmax(1), teacher_logits.detach().softmax(1), reduction="batchmean")


def in_place_on_the_labels(student_logits, teacher_logits, labels):
    hard = F.cross_entropy(student_logits, labels.clone())
    labels.zero_()
    return 0.5 * kd(student_logits, teacher_logits) + 0.5 * hard


def in_place_on_the_student(student_logits, teacher_logits, T=4.0):
    student_logits /= T
    log_q, p = student_logits.log_softmax(1), (teacher_logits.detach() / T).softmax(1)
    return T * T * F.kl_div(log_q, p, reduction="batchmean")


class Annealed:
    def __init__(self, by):
        self.by, self.calls = by, 0

    def __call__(self, student_logits, teacher_logits, labels):
        self.calls += 1
        share = 1 / (1 + self.by * self.calls)
        return share * kd(student_logits, teacher_logits) + (1 - share) * F.cross_entropy(student_logits, labels)


def item(s, t):
    return kd(s, t).item()


def in_half(s, t):
    return kd(s.half(), t.half())


def in_bfloat16(s, t):
    return kd(s.bfloat16(), t.bfloat16()).float()


def first_is_the_teacher(b, a):
    return kd(a, b)


WRONG = {
    log_target_of_probabilities: {"log-target-of-probabilities"},
    of_an_unknown_kind: {"moved-at-teacher"},
    of_an_unknown_kind_with_labels: {"moved-at-teacher"},
    swapped_arguments: {"not-finite"},
    in_place_on_the_teacher: {"changes-its-inputs"},
    in_place_on_the_labels: {"changes-its-inputs"},
    in_place_on_the_student: {"changes-its-inputs"},
    Annealed(0.5): {"keeps-state"},
    Annealed(1e-3): {"keeps-state"},
    item: {"no-gradient"},
    in_half: {"inexact-in-half-precision"},
    in_bfloat16: {"inexact-in-half-precision"},
    first_is_the_teacher: {"no-gradient"},
}


@pytest.mark.parametrize("loss", WRONG, ids=lambda loss: getattr(loss, "__name__", type(loss).__name__))
def test_what_is_wrong_is_named_and_nothing_else(loss):
    assert set(kdlearn.examine(loss).names) == WRONG[loss]


def test_half_precision_keeps_the_form():
    for loss in (in_half, in_bfloat16):
        report = kdlearn.examine(loss)
        assert report.form == "KL(teacher ‖ student)" and report.temperature == pytest.approx(4, rel=0.05)


def test_of_an_unknown_form_it_says_what_was_not_checked():
    report = kdlearn.examine(of_powers_of_sigmoids)
    assert report.form is None and report.findings == () and "were not checked" in str(report)


def test_a_padding_mask_that_keeps_is_the_opposite_of_its_name():
    def loss(student_logits, teacher_logits, padding_mask):
        return with_padding_mask(student_logits, teacher_logits, ~padding_mask)

    assert kdlearn.examine(loss).names == ("mask-inverted",)


def test_labels_that_refuse_padding_leave_the_mask_as_it_was():
    def loss(student_logits, teacher_logits, labels, mask, T=4.0):
        hard = -(F.one_hot(labels, student_logits.shape[-1]) * student_logits.log_softmax(-1)).sum(-1)[mask].mean()
        return 0.5 * kd(student_logits[mask], teacher_logits[mask], T) + 0.5 * hard * (~mask).add(1).double().mean()

    with_all = kdlearn.examine(loss, sequences=True)
    assert with_all.temperature == 4 and with_all.power == 2


def test_swapped_roles_are_asked_about():
    (finding,) = kdlearn.examine(first_is_the_teacher).findings
    assert "swapped" in finding.sentence


@pytest.mark.parametrize(
    "loss, error, words",
    [
        (lambda s, t: {"soft": kd(s, t), "hard": 0}, ValueError, "a dict of 'soft', 'hard'.*lambda"),
        (lambda s, t: None, ValueError, "got None.*return"),
        (Annealed, TypeError, "is a class"),
        (lambda s, t: (s.square() + s.mul_(2)).mean(), ValueError, "gradient on the student's logits; it fails"),
    ],
)
def test_refusals_say_a_way_out(loss, error, words):
    with pytest.raises(error, match=words):
        kdlearn.examine(loss)
