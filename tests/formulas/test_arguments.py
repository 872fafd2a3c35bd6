"""What the labels and losses cannot take is an error that names the argument, what was expected and what came."""

import math

import pytest
import torch
from torch.func import grad, vmap

import kdlearn

z, v, y = torch.zeros(4, 3), torch.ones(4, 3), torch.tensor([0, 1, 2, 0])

OF_TWO_LOGITS = {
    "kl_divergence": lambda s=z, t=v: kdlearn.kl_divergence(s, t),
    "soft_label_loss": lambda s=z, t=v: kdlearn.soft_label_loss(s, t),
    "distillation_loss": lambda s=z, t=v: kdlearn.distillation_loss(s, t, y),
    "decoupled_loss": lambda s=z, t=v: kdlearn.decoupled_loss(s, t, y),
    "logit_matching_loss": lambda s=z, t=v: kdlearn.logit_matching_loss(s, t),
    "agreement": lambda s=z, t=v: kdlearn.agreement(s, t),
}
OF_LABELS = {
    "hard_label_loss": lambda labels: kdlearn.hard_label_loss(z, labels),
    "distillation_loss": lambda labels: kdlearn.distillation_loss(z, v, labels),
    "decoupled_loss": lambda labels: kdlearn.decoupled_loss(z, v, labels),
    "one_hot": lambda labels: kdlearn.one_hot(labels, 3),
    "smooth_labels": lambda labels: kdlearn.smooth_labels(labels, 3),
    "accuracy": lambda labels: kdlearn.accuracy(z, labels),
    "expected_calibration_error": lambda labels: kdlearn.expected_calibration_error(z, labels),
}
OF_TEMPERATURE = {
    "soft_labels": lambda value: kdlearn.soft_labels(z, value),
    "kl_divergence": lambda value: kdlearn.kl_divergence(z, v, value),
    "soft_label_loss": lambda value: kdlearn.soft_label_loss(z, v, value),
    "distillation_loss": lambda value: kdlearn.distillation_loss(z, v, y, temperature=value),
    "decoupled_loss": lambda value: kdlearn.decoupled_loss(z, v, y, temperature=value),
}
OF_ONE_LOGITS = {
    "hard_labels": kdlearn.hard_labels,
    "soft_labels": kdlearn.soft_labels,
    "hard_label_loss": lambda logits: kdlearn.hard_label_loss(logits, y),
    "accuracy": lambda logits: kdlearn.accuracy(logits, y),
}


def with_value(value: float, row: int = 2) -> torch.Tensor:
    logits = torch.zeros(4, 3)
    logits[row, 1] = value
    return logits


def cases(functions):
    return pytest.mark.parametrize("function", functions.values(), ids=functions)


@cases(OF_TWO_LOGITS)
def test_logits_of_two_shapes(function):
    with pytest.raises(
        ValueError, match=r"student_logits \(4, 3\) and teacher_logits \(4, 5\) must have the same shape"
    ):
        function(t=torch.zeros(4, 5))


@cases(OF_TWO_LOGITS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["student_logits", "teacher_logits"])
def test_two_logits_that_are_not_finite(function, value, name):
    with pytest.raises(ValueError, match=rf"{name} must be finite; row 2 holds NaN or infinity \(1 such rows\)"):
        function(**{name[0]: with_value(value)})


@cases(OF_TWO_LOGITS)
@pytest.mark.parametrize("name", ["student_logits", "teacher_logits"])
def test_two_logits_of_the_wrong_kind(function, name):
    with pytest.raises(TypeError, match=rf"{name} must be floating point; got torch.int64"):
        function(**{name[0]: torch.zeros(4, 3, dtype=torch.int64)})
    with pytest.raises(TypeError, match=rf"{name} must be a torch tensor; got list"):
        function(**{name[0]: [[0.0]]})
    with pytest.raises(ValueError, match=rf"{name} must have shape \(N, C\).* got \(3,\)"):
        function(**{name[0]: torch.zeros(3)})
    with pytest.raises(ValueError, match=rf"{name} must hold at least one row .* \(0, 3\)"):
        function(**{name[0]: torch.zeros(0, 3)})


@cases(OF_ONE_LOGITS)
def test_logits_of_the_wrong_kind(function):
    with pytest.raises(TypeError, match=r"logits must be floating point; got torch.int64"):
        function(torch.zeros(4, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"logits must have shape \(N, C\)"):
        function(torch.zeros(4, 3, 1))
    with pytest.raises(ValueError, match="empty batch of shape"):
        function(torch.zeros(4, 0))
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="logits must be finite; row 2"):
            function(with_value(value))


@cases(OF_LABELS)
@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (torch.tensor([0, 1, 2, 3]), ValueError, r"labels must lie in 0 … 2; they reach from 0 to 3"),
        (torch.tensor([0, -1, 2, 1]), ValueError, r"labels must lie in 0 … 2; they reach from -1 to 2"),
        (torch.tensor([0, -100, 2, 1]), ValueError, r"reach from -100 to 2"),
        (torch.zeros(4), TypeError, r"labels must be int64 class indices; got torch.float32"),
        (torch.zeros(4, dtype=torch.int32), TypeError, r"got torch.int32. labels.long\(\)"),
        (torch.zeros(4, 1, dtype=torch.int64), ValueError, r"labels must have shape \(N,\)"),
        (torch.zeros(0, dtype=torch.int64), ValueError, r"at least one label; got \(0,\)"),
        ([0, 1, 2, 0], TypeError, r"labels must be a torch tensor; got list"),
    ],
)
def test_labels(function, labels, error, message):
    with pytest.raises(error, match=message):
        function(labels)


@pytest.mark.parametrize("name", ["hard_label_loss", "distillation_loss", "decoupled_loss", "accuracy"])
def test_a_label_for_each_row(name):
    with pytest.raises(ValueError, match="labels must hold one class index a row of logits, 4 in all; got 3"):
        OF_LABELS[name](torch.tensor([0, 1, 2]))


@cases(OF_TEMPERATURE)
@pytest.mark.parametrize("temperature", [0, 0.0, -1.0, math.inf, math.nan])
def test_temperature_out_of_range(function, temperature):
    with pytest.raises(ValueError, match=f"temperature must be above 0 and finite; got {temperature}"):
        function(temperature)


@cases(OF_TEMPERATURE)
@pytest.mark.parametrize("temperature", ["4", None, True, torch.tensor(4.0)])
def test_temperature_that_is_no_number(function, temperature):
    with pytest.raises(TypeError, match=f"temperature must be a number; got {type(temperature).__name__}"):
        function(temperature)


@pytest.mark.parametrize("weight", [-0.1, 1.2, math.nan, math.inf])
def test_weights_out_of_range(weight):
    with pytest.raises(ValueError, match=rf"soft_weight must lie in \[0, 1\]; got {weight}"):
        kdlearn.distillation_loss(z, v, y, soft_weight=weight)
    with pytest.raises(ValueError, match=rf"smoothing must lie in \[0, 1\]; got {weight}"):
        kdlearn.smooth_labels(y, 3, weight)


@pytest.mark.parametrize("name", ["target_weight", "nontarget_weight"])
def test_decoupled_weights_may_be_large_but_not_negative(name):
    assert kdlearn.decoupled_loss(z, v, y, **{name: 50.0}).isfinite()
    for weight in (-1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=rf"{name} must lie in \[0, inf\]"):
            kdlearn.decoupled_loss(z, v, y, **{name: weight})


@pytest.mark.parametrize("edge", [0, 1])
def test_the_edges_of_a_weight_are_allowed(edge):
    assert kdlearn.distillation_loss(z, v, y, soft_weight=edge).isfinite()
    assert kdlearn.decoupled_loss(z, v, y, target_weight=0, nontarget_weight=edge).isfinite()


def test_decoupling_needs_two_classes():
    with pytest.raises(ValueError, match="at least two classes, a target and another; got 1"):
        kdlearn.decoupled_loss(z[:, :1], v[:, :1], torch.zeros(4, dtype=torch.int64))
    assert kdlearn.decoupled_loss(z[:, :2], v[:, :2], y.clamp(max=1)).isfinite()


@pytest.mark.parametrize(
    ("rows", "message"),
    [([[0.5, 0.6]], "sum 1.1"), ([[1.5, -0.5]], "minimum -0.5"), ([[math.nan, 1.0]], "row 0"), ([[0.0, 0.0]], "sum 0")],
)
def test_entropy_wants_distributions(rows, message):
    with pytest.raises(ValueError, match=f"probabilities must be distributions.*{message}"):
        kdlearn.entropy(torch.tensor(rows))
    with pytest.raises(ValueError, match=r"probabilities must have shape \(N, C\)"):
        kdlearn.entropy(torch.tensor([0.5, 0.5]))


def test_a_finite_row_whose_sum_overflows_is_no_error():
    assert kdlearn.hard_labels(torch.full((2, 3), 3e38)).tolist() == [0, 0]


def test_values_are_not_read_where_that_would_break():
    """Under torch.func and in the compiler only shapes and dtypes are looked at."""
    assert not vmap(lambda s: kdlearn.soft_label_loss(s, v))(with_value(math.nan).expand(2, -1, -1)).isfinite().any()
    assert not grad(lambda s: kdlearn.hard_label_loss(s, y))(with_value(math.nan)).isfinite().all()
    with pytest.raises(ValueError, match="must have the same shape"):
        vmap(lambda s: kdlearn.soft_label_loss(s, v[:, :2]))(z.expand(2, -1, -1))
    compiled = torch.compile(kdlearn.soft_label_loss, backend="eager", fullgraph=True)
    assert not compiled(with_value(math.nan), v).isfinite()
