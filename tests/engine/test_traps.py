"""What once gave a wrong number without a word: each is trained alone, or another run, or refused."""

import threading

import numpy as np
import pytest
import torch
from small import STUDENT, TEACHER, digits
from torch import nn
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset

import kdlearn
from kdlearn import Adam, Choice, Run, SoftLabels, Strategy, TruthWhereKnown, compare, seeded, study
from kdlearn.data.dataset import UNKNOWN
from kdlearn.engine.plan import Plan

DATA = digits()
SHORT = {"lengths": (20,), "batch_size": 30}


def losses(*networks, **options) -> list[float]:
    """The losses of runs of one study, told apart by a name."""
    runs = [Run(DATA, one, names={"which": str(place)}, **SHORT, **options) for place, one in enumerate(networks)]
    return study(runs)["loss"].tolist()


class Bent(nn.Module):
    """Two networks of it show the same text and weights, and compute something else."""

    def __init__(self, bend, factor: float = 1.0) -> None:
        super().__init__()
        self.inner, self.outer, self.bend, self._factor = nn.Linear(64, 8), nn.Linear(8, 10), bend, factor

    def forward(self, inputs):
        return self.outer(self._factor * self.bend(self.inner(inputs.flatten(1))))


class Drawn(nn.Module):
    """Has a plain tensor that its seed draws and nobody trains."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn, self.out = torch.randn(64, 8), nn.Linear(8, 10)

    def forward(self, inputs):
        return self.out(inputs.flatten(1) @ self.drawn)


@pytest.mark.parametrize(
    "builds",
    [
        (lambda: Bent(torch.relu), lambda: Bent(torch.sin)),
        (lambda: Bent(torch.relu, 1.0), lambda: Bent(torch.relu, 9.0)),
    ],
    ids=["a function", "a private number"],
)
def test_networks_that_differ_in_an_attribute_are_not_taken_for_one(builds):
    together = losses(*builds)
    assert together == pytest.approx([losses(one)[0] for one in builds], rel=1e-4) and together[0] != together[1]


def test_what_a_seed_draws_beside_the_weights_stays_its_own():
    def of(seeds) -> list[float]:
        return study([Run(DATA, Drawn, seed=seed, **SHORT) for seed in seeds])["loss"].tolist()

    assert of(range(3)) == pytest.approx([of([seed])[0] for seed in range(3)], rel=1e-4)


class Hooked(nn.Linear):
    """The gradient of its weight is halved."""

    def __init__(self) -> None:
        super().__init__(64, 10)
        self.weight.register_hook(lambda gradient: gradient / 2)

    def forward(self, inputs):
        return super().forward(inputs.flatten(1))


class Locked(nn.Linear):
    """Nobody can copy it."""

    def __init__(self) -> None:
        super().__init__(64, 10)
        self.lock = threading.Lock()

    def forward(self, inputs):
        with self.lock:
            return super().forward(inputs.flatten(1))


@pytest.mark.parametrize("build", [Hooked, Locked])
def test_what_a_stack_would_lose_is_trained_alone(build):
    def of(seeds) -> list[float]:
        options = {"optimizer": kdlearn.NesterovSGD(0.1), **SHORT}
        return study([Run(DATA, build, seed=seed, **options) for seed in seeds])["loss"].tolist()

    assert of(range(2)) == [loss for seed in range(2) for loss in of([seed])]


def without_decay_on_vectors(weights):
    weights = list(weights)
    groups = [{"params": [one for one in weights if one.ndim > 1], "weight_decay": 0.5}]
    return torch.optim.AdamW(
        [*groups, {"params": [one for one in weights if one.ndim == 1], "weight_decay": 0}], lr=0.01
    )


def clipped(weights):
    stepper = torch.optim.SGD(weights, lr=0.3)
    stepper.register_step_pre_hook(
        lambda made, *_: (
            torch.nn.utils.clip_grad_norm_([w for g in made.param_groups for w in g["params"]], 0.1) and None
        )
    )
    return stepper


@pytest.mark.parametrize("optimizer", [without_decay_on_vectors, clipped])
def test_an_optimiser_that_looks_at_shapes_or_norms_steps_each_student_alone(optimizer):
    def of(seeds) -> list[float]:
        return study([Run(DATA, STUDENT, seed=seed, optimizer=optimizer, **SHORT) for seed in seeds])["loss"].tolist()

    assert of(range(3)) == pytest.approx([of([seed])[0] for seed in range(3)], rel=1e-4)


FACTOR = {"value": 1.0}


def helper(values):
    return FACTOR["value"] * values


class ByHelper(Strategy):
    name, reads = "by a helper", ("labels",)

    def __call__(self, student_logits, batch):
        return helper(nn.functional.cross_entropy(student_logits, batch.labels, reduction="none"))


def test_a_changed_global_of_a_helper_is_another_run(tmp_path, monkeypatch):
    run = Run(DATA, STUDENT, ByHelper(), **SHORT)
    before = study([run], tmp_path / "study")["loss"][0]
    monkeypatch.setitem(FACTOR, "value", -1.0)
    assert study([Run(DATA, STUDENT, ByHelper(), **SHORT)], tmp_path / "study")["loss"][0] != before


class Applied(Strategy):
    name, reads = "applied", ("teacher_logits",)

    def __init__(self, function) -> None:
        self.function = function

    def __call__(self, student_logits, batch):
        return self.function(student_logits - batch.teacher_logits).sum(dim=-1)


def test_two_functions_of_one_line_are_two_strategies():
    given = {"one": Applied(lambda d: d.abs()), "other": Applied(lambda d: (d - 3).square())}
    found = compare(STUDENT, given, DATA, teacher=seeded(TEACHER, 1), seeds=[0], **SHORT).table
    one, other = (found.loc[found["strategy"] == name, "loss"].iloc[0] for name in given)
    assert one != other


def test_strategies_of_functions_stand_in_a_stack_as_they_first_came():
    """In an order that every process finds again, so that a study that was stopped finds its files."""
    strategies = [Applied(function) for function in (torch.square, torch.abs, lambda d: d.pow(4), torch.cosh)]
    teacher = seeded(TEACHER, 1)
    runs = [
        Run(DATA, STUDENT, one, teacher, seed=seed, names={"which": str(place)}, **SHORT)
        for seed in range(2)
        for place, one in enumerate(strategies)
    ]
    (task,) = Plan(runs, kdlearn.Machine()).levels[0]
    assert [(run.names["which"], run.seed) for run in task.runs] == [
        (str(n), seed) for n in range(4) for seed in (0, 1)
    ]


def test_a_table_by_pairs_is_a_setting_like_another():
    found = [
        study(
            [
                Run(
                    DATA,
                    STUDENT,
                    Applied(lambda d, by={(0, 1): factor}: by[0, 1] * d.abs()),
                    seeded(TEACHER, 1),
                    **SHORT,
                )
            ]
        )
        for factor in (1.0, -1.0)
    ]
    assert found[0]["loss"][0] != found[1]["loss"][0]


def test_data_changed_in_place_are_other_data(tmp_path):
    data = digits()
    before = study([Run(data, STUDENT, **SHORT)], tmp_path / "study")["loss"][0]
    data.train.labels[:] = data.train.labels.flip(0)
    assert study([Run(data, STUDENT, **SHORT)], tmp_path / "study")["loss"][0] != before


class Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(64, 10)

    def forward(self, inputs):
        return self.out(nn.functional.dropout(inputs.flatten(1), 0.5, self.training))


def test_the_method_of_a_teacher_answers_in_eval_mode():
    teacher = seeded(Noisy, 0).train()
    found = [
        compare(STUDENT, [SoftLabels(2.0)], DATA, teacher=one, seeds=[0], **SHORT) for one in (teacher.forward, teacher)
    ]
    assert found[0].table["loss"].tolist() == found[1].table["loss"].tolist() and teacher.training


def test_a_teacher_that_answers_differently_each_time_is_refused():
    with pytest.raises(ValueError, match="same answer twice"):
        compare(
            STUDENT, [SoftLabels(2.0)], DATA, teacher=lambda inputs: torch.randn(len(inputs), 10), seeds=[0], **SHORT
        )


def test_runs_that_the_table_would_show_alike_are_refused():
    runs = [Run(DATA, STUDENT, optimizer=Adam(0.003, weight_decay=decay), **SHORT) for decay in (0.0, 1.0)]
    with pytest.raises(ValueError, match="the table would show them alike"):
        study(runs)


def test_a_setting_by_the_name_of_a_column_is_refused():
    class Seeded(Applied):
        name = "seeded"

        def __init__(self, seed: int) -> None:
            super().__init__(torch.square)
            self.seed = seed

    with pytest.raises(ValueError, match="may be called 'seed'"):
        compare(STUDENT, [Seeded(1)], DATA, teacher=seeded(TEACHER, 1), seeds=[0], **SHORT)


def test_a_row_is_known_with_all_of_its_time():
    """Four rows of four times: a mask of rows must not be read along time."""
    logits, labels = torch.randn(4, 4, 3), torch.randint(3, (4, 4))
    known = torch.tensor([True, False, False, False])
    batch = kdlearn.Batch(logits, torch.where(known[:, None], labels, UNKNOWN), torch.randn(4, 4, 3), known)
    values = TruthWhereKnown(SoftLabels(2.0))(logits, batch)
    torch.testing.assert_close(values[0], nn.functional.cross_entropy(logits[0], labels[0], reduction="none"))
    torch.testing.assert_close(values[1:], SoftLabels(2.0)(logits, batch)[1:])


def test_a_loader_that_selects_rows_is_refused():
    everything = TensorDataset(torch.randn(60, 4), torch.arange(60) % 3)
    data = {"train": DataLoader(everything, 20, sampler=SubsetRandomSampler(range(30))), "test": everything}
    with pytest.raises(ValueError, match="SubsetRandomSampler"):
        compare(lambda: nn.Linear(4, 3), [], data, seeds=[0], **SHORT)


def test_first_weights_of_other_random_numbers_are_refused():
    def build() -> nn.Module:
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        with torch.no_grad():
            network[1].weight.copy_(torch.from_numpy(np.random.default_rng().normal(size=(10, 64))))
        return network

    with pytest.raises(ValueError, match="global random numbers"):
        study([Run(DATA, build, **SHORT)])


class Undeclared(Strategy):
    name, reads = "undeclared", ("teacher_logits",)

    def __call__(self, student_logits, batch):
        return nn.functional.cross_entropy(student_logits, batch.labels, reduction="none")


def test_a_field_that_is_not_named_cannot_be_read():
    with pytest.raises(ValueError, match="It reads teacher_logits"):
        compare(STUDENT, [Undeclared()], DATA, teacher=seeded(TEACHER, 1), seeds=[0], **SHORT)


def test_a_choice_takes_the_smallest_calibration_error():
    choice = Choice({}, learning_rates=(1e-4, 3e-3), seeds=(100, 101))
    found = compare(
        STUDENT,
        [],
        DATA,
        seeds=[0],
        choose=choice,
        metric=kdlearn.expected_calibration_error,
        lengths=(100,),
        batch_size=30,
    )
    means = found.scores.groupby("learning_rate")["score"].mean()
    chosen = found.table["learning_rate"].iloc[0]
    assert means[chosen] <= means.min() + found.scores.groupby("learning_rate")["score"].sem().max()
