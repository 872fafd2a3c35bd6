"""Which labels a strategy reads and what its loss is, row by row, against the formula written out in float64."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from public import PUBLIC
from small import STUDENT as BUILD
from small import digits, taught
from torch import Tensor

import kdlearn
from kdlearn import (
    Batch,
    DecoupledLabels,
    EvenlySpread,
    GroundTruth,
    Hint,
    JensenShannon,
    LogitMatching,
    ReverseDivergence,
    Run,
    SmoothedGroundTruth,
    SoftLabels,
    SoftLabelsAndGroundTruth,
    StandardisedSoftLabels,
    Strategy,
    TeachersHardLabels,
    TruthWhereKnown,
)
from kdlearn.formulas import token_losses
from kdlearn.training.strategies import strategies_by_cli_name
from kdlearn.training.strategy import mean_loss, subclasses
from kdlearn.training.token_strategies import SkewedDivergence, SkewedReverseDivergence, TeachersSampledLabels, TopK

GENERATOR = torch.Generator().manual_seed(1)
STUDENT, TEACHER = torch.randn(2, 6, 4, generator=GENERATOR, dtype=torch.float64) * torch.tensor([[[1.0]], [[3.0]]])
LABELS = torch.tensor([3, 0, 1, 1, 2, 0])
BATCH = Batch(torch.zeros(6, 1), LABELS, TEACHER)


def rows(loss, *settings: object, **named: object) -> Tensor:
    """What a loss, which has tests of its own, gives for each row."""
    return loss(STUDENT, TEACHER, *settings, **named, reduction="none")


def standardised(temperature: float) -> Tensor:
    both = (kdlearn.standardised_logits(one) for one in (STUDENT, TEACHER))
    return kdlearn.soft_label_loss(*both, temperature, reduction="none")


SOFT = 4 * F.kl_div((STUDENT / 2).log_softmax(1), (TEACHER / 2).softmax(1), reduction="none").sum(1)
LIKELIEST = (TEACHER / 3).log_softmax(1).topk(2)
DECOUPLED = {"temperature": 2.0, "target_weight": 1.5, "nontarget_weight": 4.0}
HARD = F.cross_entropy(STUDENT, LABELS, reduction="none")
EXPECTED = {
    GroundTruth(): HARD,
    SmoothedGroundTruth(0.2): F.cross_entropy(STUDENT, LABELS, label_smoothing=0.2, reduction="none"),
    TeachersHardLabels(): F.cross_entropy(STUDENT, TEACHER.argmax(1), reduction="none"),
    SoftLabels(2.0): SOFT,
    SoftLabelsAndGroundTruth(2.0, 0.7): 0.7 * SOFT + 0.3 * HARD,
    DecoupledLabels(2.0, 1.5, 4.0): rows(kdlearn.decoupled_loss, LABELS, **DECOUPLED),
    LogitMatching(): rows(kdlearn.logit_matching_loss),
    StandardisedSoftLabels(3.0): standardised(3.0),
    ReverseDivergence(2.0): rows(kdlearn.reverse_kl_loss, 2.0),
    JensenShannon(2.0, 0.3): rows(kdlearn.jensen_shannon_loss, 2.0, 0.3),
    SkewedDivergence(2.0, 0.3): rows(token_losses.skewed_kl_loss, 2.0, 0.3),
    SkewedReverseDivergence(2.0, 0.3): rows(token_losses.skewed_reverse_kl_loss, 2.0, 0.3),
    TopK(3.0, 2, "bucket"): 9 * token_losses.top_k_loss(STUDENT / 3, *LIKELIEST, reduction="none"),
    TopK(3.0, 3, "nothing"): token_losses.top_k_loss(STUDENT, *TEACHER.topk(3), 3.0, tail="nothing", reduction="none"),
}


@pytest.mark.parametrize("strategy", EXPECTED, ids=lambda strategy: strategy.name)
def test_one_value_a_row_by_the_formula(strategy):
    torch.testing.assert_close(strategy(STUDENT, BATCH), EXPECTED[strategy], rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(mean_loss(strategy, STUDENT, BATCH), EXPECTED[strategy].mean(), rtol=1e-6, atol=1e-7)


def test_evenly_spread_is_the_divergence_from_labels_of_the_same_entropy():
    p, q = ((one / 2).softmax(1) for one in (TEACHER, STUDENT))
    values = EvenlySpread(2.0)(STUDENT, BATCH)
    for row in range(6):
        shares = torch.linspace(0.25, 1, 200_001, dtype=torch.float64)  # the arg max's, by a search along a line
        rest = (1 - shares) / 3
        entropy = torch.special.entr(shares) + 3 * torch.special.entr(rest)
        share = shares[(entropy - torch.special.entr(p[row]).sum()).abs().argmin()]
        labels = torch.full((4,), (1 - share.item()) / 3, dtype=torch.float64)
        labels[p[row].argmax()] = share
        expected = 4 * (torch.special.xlogy(labels, labels) - labels * q[row].log()).sum()
        torch.testing.assert_close(values[row], expected, atol=1e-3, rtol=1e-3)


# What has layers, has numbers as labels, or draws, is tested beside its own like.
ELSEWHERE = ("kdlearn.training.feature_strategies", "kdlearn.training.regression_strategies")
SEEN = {Strategy, TeachersSampledLabels, *map(type, EXPECTED)}
NEEDED = {TruthWhereKnown: (SoftLabels(2.0),)}
KINDS = [kind for kind in PUBLIC.values() if isinstance(kind, type)]
FOUND = [kind for kind in KINDS if issubclass(kind, Strategy) and kind.__module__ not in ELSEWHERE]
EVERY = [*EXPECTED, *(kind(*NEEDED.get(kind, ())) for kind in FOUND if kind not in SEEN)]
each_strategy = pytest.mark.parametrize("strategy", EVERY, ids=lambda strategy: strategy.name)


@each_strategy
def test_a_strategy_reads_what_it_says_and_nothing_else(strategy):
    batch = BATCH._replace(labelled=torch.arange(6) < 3)
    declared = Batch(None, **{name: getattr(batch, name) for name in strategy.reads})
    assert torch.equal(strategy(STUDENT, batch), strategy(STUDENT, declared))


@each_strategy
def test_a_strategy_gives_a_value_for_each_label_of_a_sequence_too(strategy):
    student, teacher, labels = (one.view(2, 3, *one.shape[1:]) for one in (STUDENT, TEACHER, LABELS))
    values = strategy(student, Batch(None, labels, teacher))
    assert torch.allclose(values.flatten(), strategy(STUDENT, BATCH))


@each_strategy
@given(mask=st.lists(st.booleans(), min_size=6, max_size=6).filter(any))
def test_what_is_masked_is_neither_counted_nor_checked(strategy, mask):
    mask = torch.tensor(mask)
    rows = mask.nonzero().flatten()
    hidden = torch.where(mask, LABELS, -100)
    batch = BATCH._replace(labels=hidden, mask=mask)
    alone = Batch(None, LABELS[rows], TEACHER[rows])
    torch.testing.assert_close(mean_loss(strategy, STUDENT, batch), mean_loss(strategy, STUDENT[rows], alone))


@each_strategy
def test_many_students_at_once_are_each_by_itself(strategy):
    students = torch.stack([STUDENT, 2 * STUDENT, TEACHER])
    gradient = torch.func.grad_and_value(lambda student: mean_loss(strategy, student, BATCH))
    together = zip(*torch.func.vmap(gradient)(students), strict=True)
    torch.testing.assert_close(list(together), [gradient(student) for student in students])


@given(known=st.lists(st.booleans(), min_size=6, max_size=6))
def test_known_labels_enter_at_temperature_1_whatever_the_others_do(known):
    known = torch.tensor(known)
    labels = torch.where(known, LABELS, -1)  # what is not known is not read
    batch = BATCH._replace(labels=labels, labelled=known)
    expected = torch.where(known, HARD, SOFT)
    torch.testing.assert_close(TruthWhereKnown(SoftLabels(2.0))(STUDENT, batch), expected, rtol=1e-6, atol=1e-7)


def test_two_that_wrap_others_tell_them_apart():
    one, other = TruthWhereKnown(SoftLabels(2.0)), TruthWhereKnown(EvenlySpread(2.0))
    assert one != other and one.name != other.name and one.settings == other.settings == {"temperature": 2.0}


def test_what_reads_layers_stands_around_the_known_labels_and_not_within():
    with pytest.raises(TypeError, match="otherwise must have no layers"):
        TruthWhereKnown(Hint("0", "0"))
    assert Hint("0", "0", beside=TruthWhereKnown(SoftLabels(2.0))).layers


class Seeing(Strategy):
    """One of one's own, which notes what it is given."""

    name, reads = "seeing", ("labels", "teacher_logits")

    def __call__(self, student_logits, batch):
        self.seen = student_logits, batch
        return student_logits.sum(dim=-1)


@pytest.mark.parametrize("strategy", [*EVERY, Seeing()], ids=lambda strategy: strategy.name)
def test_a_half_precision_student_is_computed_in_float32(strategy):
    value = mean_loss(strategy, STUDENT.bfloat16(), BATCH._replace(teacher_logits=TEACHER.bfloat16()))
    assert value.dtype == torch.float32 and (not hasattr(strategy, "seen") or strategy.seen[0].dtype == torch.float32)


def test_one_of_ones_own_sees_nothing_of_what_is_masked():
    mask, strategy = torch.arange(6) % 3 > 0, Seeing()
    student, teacher = (torch.where(mask[:, None], one, torch.nan) for one in (STUDENT, TEACHER))
    mean_loss(strategy, student, Batch(None, torch.where(mask, LABELS, -100), teacher, mask=mask))
    logits, batch = strategy.seen
    for seen, whole in ((logits, STUDENT), (batch.teacher_logits, TEACHER), (batch.labels, LABELS)):
        assert torch.equal(seen[mask], whole[mask]) and not seen[~mask].any()


@pytest.mark.parametrize("mask", [torch.ones(6), torch.ones(6, 4, dtype=torch.bool)])
def test_a_mask_that_does_not_fit_is_refused(mask):
    with pytest.raises((ValueError, TypeError), match="mask must"):
        mean_loss(Seeing(), STUDENT, BATCH._replace(mask=mask))


class Undeclared(Strategy):
    name = "undeclared"


def test_without_a_loss_and_without_a_call_it_is_said_what_is_missing():
    with pytest.raises(NotImplementedError, match="must declare its loss, or define __call__"):
        mean_loss(Undeclared(), STUDENT, BATCH)


@pytest.mark.parametrize("settings", [{"temperature": 0.0}, {"temperature": -1}, {"soft_weight": 1.5}])
def test_a_setting_out_of_range_is_refused_with_the_first_batch_at_the_latest(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        SoftLabelsAndGroundTruth(**settings)(STUDENT, BATCH)


class Returning(Strategy):
    name = "returning"

    def __init__(self, value) -> None:
        self.value = value

    def __call__(self, student_logits, batch):
        return self.value


@pytest.mark.parametrize("value", [torch.tensor(1.0), torch.ones(5), torch.ones(6, 4), 1.0, None])
def test_what_is_no_value_for_each_label_is_refused_with_a_way_out(value):
    with pytest.raises(ValueError, match=r"'returning' must give one value for each label, shape \(6,\)"):
        mean_loss(Returning(value), STUDENT, BATCH)


def test_names_on_the_command_line_are_unique_and_every_class_of_the_package_has_a_name():
    ours = [kind for kind in subclasses() if kind.__module__ == "kdlearn.training.strategies"]
    names = [kind.cli_name for kind in ours if kind.cli_name]
    assert len(names) == len(set(names)) == len(strategies_by_cli_name())
    assert all(strategies_by_cli_name()[kind.cli_name] is kind for kind in ours if kind.cli_name)


def test_both_labels_without_ground_truth_leave_its_term_out():
    student, teacher = torch.randn(6, 4), torch.randn(6, 4)
    labels, known = torch.tensor([0, 1, -1, 3, -1, 2]), torch.tensor([1, 1, 0, 1, 0, 1], dtype=torch.bool)
    both = SoftLabelsAndGroundTruth(2.0, soft_weight=0.7)
    found = both(student, Batch(torch.zeros(6, 1), labels, teacher, known))
    soft = SoftLabels(2.0)(student, Batch(torch.zeros(6, 1), teacher_logits=teacher))
    truth = torch.nn.functional.cross_entropy(student, labels.clamp(min=0), reduction="none")
    torch.testing.assert_close(found, 0.7 * soft + torch.where(known, 0.3 * truth, 0))
    torch.testing.assert_close(
        found[known], both(student[known], Batch(torch.zeros(4, 1), labels[known], teacher[known]))
    )


@pytest.mark.parametrize("kind", [kind for kind in subclasses() if "__post_init__" in vars(kind)], ids=str)
def test_what_a_strategy_checks_when_it_is_made_is_run(kind):
    """A subclass that is no dataclass of its own would inherit an __init__ that calls no __post_init__."""
    assert "__init__" in vars(kind)


def test_a_temperature_at_which_evenly_spread_labels_are_rounded_is_refused():
    with pytest.raises(ValueError, match="at most 50"):
        kdlearn.EvenlySpread(60.0)


# What draws labels


def test_the_mean_over_drawn_labels_is_the_cross_entropy_with_soft_labels():
    student, teacher = (one[:2].expand(20_000, 2, 4) for one in (STUDENT, TEACHER))
    values = TeachersSampledLabels()(student, Batch(None, teacher_logits=teacher))
    expected = F.cross_entropy(student[0], teacher[0].softmax(1), reduction="none")
    assert ((values.mean(0) - expected).abs() < 4 * values.std(0) / 20_000**0.5).all()
    assert torch.isin(values.round(decimals=9), -student[0].log_softmax(1).round(decimals=9)).all()


@pytest.mark.parametrize("strategy", [TopK(1.0, 1, "sampled"), TeachersSampledLabels()], ids=repr)
def test_what_draws_is_decided_by_its_seed(strategy):
    run = Run(digits(), BUILD, strategy, taught(), lengths=(5, 10), batch_size=30, seed=3)
    one, again = (kdlearn.study([run])["loss"].tolist() for _ in range(2))
    assert one == again
