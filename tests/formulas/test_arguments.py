"""What the labels and losses cannot take is an error that names the argument, what was expected and what came."""

import inspect
import math
import warnings
from collections.abc import Callable
from functools import partial

import pytest
import torch
from public import PUBLIC
from torch.func import grad, vmap

import kdlearn
from kdlearn.formulas.arguments import LooksLikeProbabilities

z, v, y = torch.zeros(4, 3), torch.ones(4, 3), torch.tensor([0, 1, 2, 0])

GIVEN = {"student_logits": z, "teacher_logits": v, "logits": z, "labels": y, "num_classes": 3}
GIVEN |= {"tail": "nothing", "values": torch.full((4, 1), -0.5), "indices": torch.zeros(4, 1, dtype=torch.int64)}
GIVEN["probabilities"] = torch.tensor([[0.5, 0.5]])
MODULES = ("labels", "losses", "token_losses", "metrics")


def taking(*names: str) -> dict[str, Callable]:
    """The public functions on logits and labels that take arguments of these names; all they need is given."""
    found = {}
    for name, function in PUBLIC.items():
        if function.__module__ in [f"kdlearn.formulas.{module}" for module in MODULES]:
            takes = inspect.signature(function).parameters
            if takes.keys() >= set(names):
                found[name] = partial(function, **{one: GIVEN[one] for one in takes if one in GIVEN})
    return found


OF_TWO_LOGITS = taking("student_logits", "teacher_logits")
OF_ONE_LOGITS = taking("logits") | {"hard_label_loss": lambda logits: kdlearn.hard_label_loss(logits, y)}


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
        function(teacher_logits=torch.zeros(4, 5))


NAMED = [(one, name) for one in OF_TWO_LOGITS.values() for name in ("student_logits", "teacher_logits")]
NAMED += [(one, "logits") for one in OF_ONE_LOGITS.values()]


@pytest.mark.parametrize(("function", "name"), NAMED)
@pytest.mark.parametrize(
    ("logits", "error", "words"),
    [
        *(
            (with_value(odd), ValueError, "finite; row 2 holds NaN or infinity .1 such")
            for odd in (math.nan, -math.inf)
        ),
        (torch.zeros(4, 3, dtype=torch.int64), TypeError, "floating point; got torch.int64"),
        ([[0.0]], TypeError, "a torch tensor; got list"),
        (torch.zeros(3), ValueError, r"shape \(N, C\).* got \(3,\)"),
        (torch.zeros(0, 3), ValueError, r"at least one row .* empty batch of shape \(0, 3\)"),
        (torch.zeros(4, 1), ValueError, "at least two classes, since one has no softmax; got shape"),
    ],
)
def test_what_are_no_logits(function, name, logits, error, words):
    with pytest.raises(error, match=rf"{name} must (be|have|hold) {words}"):
        function(**{name: logits})


@cases(taking("labels"))
@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (torch.tensor([0, 1, 2, 3]), ValueError, r"labels must lie in 0 … 2; they reach from 0 to 3"),
        (torch.tensor([0, -1, 2, 1]), ValueError, r"labels must lie in 0 … 2; they reach from -1 to 2"),
        (torch.tensor([0, -101, 2, 1]), ValueError, r"reach from -101 to 2"),
        (torch.zeros(4), TypeError, r"labels must be int64 class indices; got torch.float32"),
        (torch.zeros(4, dtype=torch.int32), TypeError, r"got torch.int32. labels.long\(\)"),
        ([0, 1, 2, 0], TypeError, r"labels must be a torch tensor; got list"),
        (None, TypeError, r"labels must be a torch tensor; got NoneType"),
    ],
)
def test_labels(function, labels, error, message):
    with pytest.raises(error, match=message):
        function(labels=labels)


OF_NO_LOGITS = ("one_hot", "smooth_labels")


@pytest.mark.parametrize("name", sorted(taking("labels").keys() - OF_NO_LOGITS))
@pytest.mark.parametrize("shape", [(3,), (4, 1), (0,)])
def test_a_label_for_each_row(name, shape):
    with pytest.raises(ValueError, match=r"labels must hold class indices of shape \(4,\); got"):
        taking("labels")[name](labels=torch.zeros(shape, dtype=torch.int64))


@pytest.mark.parametrize("name", OF_NO_LOGITS)
@pytest.mark.parametrize("shape", [(0,), (2, 0), ()])
def test_at_least_one_label(name, shape):
    with pytest.raises(ValueError, match="with at least one label; got"):
        taking("labels")[name](labels=torch.zeros(shape, dtype=torch.int64))


@cases(taking("mask"))
@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (torch.zeros(4, dtype=torch.bool), ValueError, "mask must be True for at least one label"),
        (torch.ones(4), TypeError, r"mask must be boolean.* got torch.float32. mask.bool\(\)"),
        (torch.ones(3, dtype=torch.bool), ValueError, r"mask must have the labels' shape \(4,\); got \(3,\)"),
        ([True] * 4, TypeError, "mask must be a torch tensor; got list"),
    ],
)
def test_masks(function, mask, error, message):
    with pytest.raises(error, match=message):
        function(mask=mask)


@cases(taking("temperature"))
@pytest.mark.parametrize("temperature", [0, 0.0, -1.0, math.inf, math.nan])
def test_temperature_out_of_range(function, temperature):
    with pytest.raises(ValueError, match=f"temperature must be above 0 and finite; got {temperature}"):
        function(temperature=temperature)


@cases(taking("temperature"))
@pytest.mark.parametrize("temperature", ["4", None, True, torch.ones(1), torch.tensor(True)])
def test_temperature_that_is_no_number(function, temperature):
    with pytest.raises(TypeError, match="temperature must be a number"):
        function(temperature=temperature)


@cases(taking("temperature"))
def test_temperature_as_a_tensor(function):
    torch.testing.assert_close(function(temperature=torch.tensor(3.0)), function(temperature=3.0))
    with pytest.raises(ValueError, match="temperature must be above 0 and finite; got 0"):
        function(temperature=torch.tensor(0.0))
    with pytest.raises(ValueError, match=r"temperature must not require a gradient.* temperature.detach\(\)"):
        function(temperature=torch.tensor(3.0, requires_grad=True))


OUT_OF_RANGE = {
    "soft_weight must lie in": (kdlearn.distillation_loss, (-0.1, 1.2, math.nan, math.inf)),
    "smoothing must lie in": (kdlearn.smooth_labels, (-0.1, 1.2, math.nan, math.inf)),
    "target_weight must lie in": (kdlearn.decoupled_loss, (-1.0, math.inf, math.nan)),
    "nontarget_weight must lie in": (kdlearn.decoupled_loss, (-1.0, math.inf, math.nan)),
    "teacher_share must": (kdlearn.jensen_shannon_loss, (0, 1, 1.5, -1)),
    "reduction must be 'mean' or 'none', one value a label": (kdlearn.soft_label_loss, ("sum",)),
    "eps must lie above 0 and below 1 / 2": (kdlearn.logits_from, (0, 0.5, 1, -1e-6, math.nan)),
}


@pytest.mark.parametrize("words", OUT_OF_RANGE)
def test_settings_out_of_range(words):
    function, odd = OUT_OF_RANGE[words]
    given = {one: GIVEN[one] for one in inspect.signature(function).parameters if one in GIVEN}
    for value in odd:
        with pytest.raises(ValueError, match=rf"{words}.* got {value!r}"):
            function(**given, **{words.partition(" ")[0]: value})


@pytest.mark.parametrize("edge", [0, 1])
def test_the_edges_of_a_weight_are_allowed(edge):
    assert kdlearn.distillation_loss(z, v, y, soft_weight=edge).isfinite()
    assert kdlearn.decoupled_loss(z, v, y, target_weight=0, nontarget_weight=50 * edge).isfinite()


def test_decoupling_of_two_classes():
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


PROBABILITIES = torch.tensor([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.4, 0.4, 0.2], [0.1, 0.2, 0.7]])


@cases({name: function for name, function in OF_TWO_LOGITS.items() if name != "agreement"})
def test_probabilities_are_noticed_once_and_blamed_on_the_caller(function):
    with pytest.warns(LooksLikeProbabilities, match="kdlearn.logits_from") as seen:
        function(teacher_logits=PROBABILITIES)
    assert len(seen) == 1 and seen[0].filename == __file__


def test_percentages_are_noticed_and_a_logit_of_100_is_not():
    with pytest.warns(LooksLikeProbabilities, match="sum to 100"):
        kdlearn.soft_label_loss(torch.zeros(4, 3), 100 * PROBABILITIES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kdlearn.soft_label_loss(torch.zeros(2, 2), torch.tensor([[100.0, 0.0], [0.0, 99.5]]))


def test_what_is_no_distribution_is_not_warned_of(recwarn):
    for changed in (PROBABILITIES.log(), PROBABILITIES + 1, torch.cat([PROBABILITIES, 3 * PROBABILITIES])):
        changed = changed.clamp_min(-99)
        kdlearn.soft_label_loss(torch.zeros_like(changed), changed)
    kdlearn.soft_label_loss(z, kdlearn.logits_from(PROBABILITIES))
    vmap(lambda t: kdlearn.soft_label_loss(torch.zeros(4, 3), t))(PROBABILITIES.expand(2, -1, -1))
    assert not [warning for warning in recwarn if warning.category is LooksLikeProbabilities]


def test_masked_rows_are_not_looked_at_for_probabilities():
    mixed, mask = torch.cat([PROBABILITIES, -v]), torch.arange(8) < 4
    with pytest.warns(LooksLikeProbabilities):
        kdlearn.soft_label_loss(torch.zeros(8, 3), mixed, mask=mask)


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
