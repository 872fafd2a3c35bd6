"""The study on several teachers: what each arm is taught, by hand."""

import pytest
import torch

from kdlearn import soft_label_loss

TEMPERATURE = 4.0


@pytest.fixture
def plan(script_of):
    return script_of("several_teachers/plan")


@pytest.fixture
def answers() -> list[dict[str, torch.Tensor]]:
    """Logits of six teachers, the fourth with large ones and the fifth with small ones."""
    drawn = torch.randn(6, 50, 10, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    sizes = torch.tensor([3.0, 3.0, 3.0, 9.0, 0.3, 3.0], dtype=torch.float64)
    return [{"test": size * one} for size, one in zip(sizes, drawn, strict=True)]


RIGHT = [0.96, 0.98, 0.97, 0.76, 0.80, 0.99]
COMPANIES = {"alike": [0, 1, 2], "one is sure": [0, 1, 3], "one is in doubt": [0, 1, 4]}


def test_each_arm_is_taught_the_mean_of_its_company(plan, answers):
    """Probabilities up to a factor, which softmax takes away."""
    for arm in plan.arms():
        places = COMPANIES[arm.company]
        z = torch.stack([answers[place]["test"] for place in places])
        found = arm.told(answers, RIGHT, TEMPERATURE)["test"]
        if arm.of == "best on validation":
            assert torch.equal(found, z[1])
            continue
        weights = weights_by_hand(arm.weights, z, [RIGHT[place] for place in places])
        if arm.of == "logits":
            expected = (weights * z).sum(0).softmax(-1)
        else:
            cold = TEMPERATURE if arm.of == "softened probabilities" else 1.0
            expected = ((weights * (z / cold).softmax(-1)).sum(0) ** cold).log().softmax(-1)
        torch.testing.assert_close(found.softmax(-1), expected)


def weights_by_hand(name: str, z: torch.Tensor, right: list[float]) -> torch.Tensor:
    if name == "confidence":
        p = z.softmax(-1)
        trust = 1 + (p * p.log()).sum(-1, keepdim=True) / torch.tensor(10.0).log()
        return trust / trust.sum(0)
    given = {"equal": [1.0] * len(z), "validation": right}[name]
    return torch.tensor(given, dtype=torch.float64).view(-1, 1, 1) / sum(given)


def test_softened_before_is_a_loss_for_each_teacher(plan, answers):
    student = torch.randn(50, 10, dtype=torch.float64, requires_grad=True)
    told = plan.Arm("alike", "softened probabilities").told(answers, RIGHT, TEMPERATURE)["test"]
    each = sum(soft_label_loss(student, one["test"], TEMPERATURE) for one in answers[:3]) / 3
    slopes = [torch.autograd.grad(loss, student)[0] for loss in (each, soft_label_loss(student, told, TEMPERATURE))]
    torch.testing.assert_close(*slopes)


def test_the_cut_raises_small_probabilities_alone(plan):
    z = torch.tensor([[20.0, 14.0, 2.0, -5.0]], dtype=torch.float64)
    p, found = z.softmax(dim=-1)[0].tolist(), plan.cut({"train": z})["train"].softmax(dim=-1)[0].tolist()
    assert p[2] < 1e-6 < p[1] and found == pytest.approx([p[0], p[1], 1e-6, 1e-6], rel=1e-5)


def test_the_members_are_those_that_the_plan_tells(plan):
    runs = plan.teachers(1)
    assert [run.lengths for run in runs] == [(300,), (300,), (300,), (100,), (20,), (900,)]
    assert [len(run.rows) for run in runs] == [1200, 1200, 1200, 20, 1200, 1200]
    assert len({run.seed for run in runs}) == 6 and {run.replicate for run in runs} == {1}


def test_the_arms_of_two_replicates_are_those_that_the_planned_claims_read(plan, monkeypatch):
    monkeypatch.setattr(plan, "teachers", lambda one: members(plan, one))
    record = plan.carried_out((0, 1), lengths=(2,), rates=())
    assert all(one.degrees_of_freedom == 1 for one in plan.planned(record).values())
    assert len(record.table) == 2 * 2 * (3 + len(list(plan.arms())))


def members(plan, replicate: int) -> list:
    data = plan.digits(replicate)
    return [run for seed in range(6) for run in plan.convnet(data, replicate, seed=seed, lengths=(2,))]
