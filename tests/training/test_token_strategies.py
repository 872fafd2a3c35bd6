"""Strategies of language models: their losses, of sequences too; what draws is trained alone, the same again."""

import pytest
import torch
from small import STUDENT, digits, taught
from torch.testing import assert_close

from kdlearn import Adam, Batch, Run, hard_label_loss, seeded, soft_labels, study
from kdlearn.formulas.token_losses import skewed_kl_loss, skewed_reverse_kl_loss, top_k_loss
from kdlearn.training.strategy import mean_loss
from kdlearn.training.together import can_be_stacked
from kdlearn.training.token_strategies import SkewedDivergence, SkewedReverseDivergence, TeachersSampledLabels, TopK

STUDENT_LOGITS, TEACHER_LOGITS = torch.randn(2, 6, 4, 5, generator=torch.Generator().manual_seed(1))
MASK = torch.arange(24).view(6, 4) % 5 > 0
STEADY = {
    SkewedDivergence(2.0, 0.3): lambda s, t: skewed_kl_loss(s, t, 2.0, 0.3, reduction="none"),
    SkewedReverseDivergence(2.0, 0.3): lambda s, t: skewed_reverse_kl_loss(s, t, 2.0, 0.3, reduction="none"),
    TopK(3.0, 2, "bucket"): lambda s, t: top_k_loss(s, t, 2, 3.0, reduction="none"),
    TopK(1.0, 3, "nothing"): lambda s, t: top_k_loss(s, t, 3, tail="nothing", reduction="none"),
}
DRAWING = [TopK(1.0, 1, "sampled"), TeachersSampledLabels()]


@pytest.mark.parametrize("strategy", STEADY, ids=repr)
def test_a_strategy_is_its_loss_and_leaves_padding_out(strategy):
    expected = STEADY[strategy](STUDENT_LOGITS, TEACHER_LOGITS)
    assert_close(strategy(STUDENT_LOGITS, Batch(MASK, teacher_logits=TEACHER_LOGITS)), expected)
    dirty = torch.where(MASK[..., None], TEACHER_LOGITS, torch.nan)
    assert_close(
        mean_loss(strategy, STUDENT_LOGITS, Batch(MASK, teacher_logits=dirty, mask=MASK)), expected[MASK].mean()
    )


def test_the_mean_over_drawn_labels_is_the_cross_entropy_with_soft_labels():
    student, teacher = (one[0, :2].expand(20_000, 2, 5) for one in (STUDENT_LOGITS, TEACHER_LOGITS))
    with torch.random.fork_rng():
        torch.manual_seed(2)
        values = TeachersSampledLabels()(student, Batch(MASK, teacher_logits=teacher))
    expected = -(soft_labels(teacher[0]) * student[0].log_softmax(-1)).sum(-1)
    assert ((values.mean(0) - expected).abs() < 4 * values.std(0) / 20_000**0.5).all()
    each = torch.stack([hard_label_loss(student[0], torch.full((2,), c), reduction="none") for c in range(5)], dim=1)
    assert all(bool((value - each[place]).abs().min() < 1e-5) for row in values[:50] for place, value in enumerate(row))


@pytest.mark.parametrize("strategy", [*STEADY, *DRAWING], ids=repr)
def test_only_what_draws_nothing_is_stacked(strategy):
    pair = [seeded(STUDENT, seed) for seed in range(2)]
    batch = Batch(torch.randn(6, 64), teacher_logits=torch.randn(6, 10, generator=torch.Generator().manual_seed(4)))
    assert can_be_stacked(pair, strategy, Adam(), batch) == (strategy in STEADY)


@pytest.mark.parametrize("strategy", DRAWING, ids=repr)
def test_what_draws_is_decided_by_its_seed(strategy):
    run = Run(digits(), STUDENT, strategy, taught(), lengths=(5, 10), batch_size=30, seed=3)
    one, again = (study([run])["loss"].tolist() for _ in range(2))
    assert one == again
