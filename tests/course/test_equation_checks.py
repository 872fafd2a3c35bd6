"""A check is worth what it refuses: true identities pass, each kind of slip is caught, an idle check is an error."""

import pytest
import torch
from torch import Generator

from kdcourse.equations import check, given


def kl_gradient_by_autograd(z, v, T):
    z = z.clone().requires_grad_()
    log_p, log_q = (v / T).log_softmax(1), (z / T).log_softmax(1)
    return torch.autograd.grad((log_p.exp() * (log_p - log_q)).sum(), z)[0]


def kl_gradient(z, v, T):
    return ((z / T).softmax(1) - (v / T).softmax(1)) / T


def test_a_true_identity_prints_one_line(capsys):
    check("3.7", kl_gradient_by_autograd, kl_gradient, given("z v T"))
    assert capsys.readouterr().out == "(3.7) holds to 1e-12 on 1,000 draws; an error of 1 % would have shown.\n"


def test_the_tolerance_is_printed_as_it_was_given(capsys):
    check("3b.8", lambda z: z.exp(), lambda z: z.exp() * (1 + 1e-4), given("z"), tolerance=2.5e-3)
    assert capsys.readouterr().out.startswith("(3b.8) holds to 0.0025 on")


SLIPS = {
    "wrong sign": lambda z, v, T: -kl_gradient(z, v, T),
    "one term's sign": lambda z, v, T: ((z / T).softmax(1) + (v / T).softmax(1)) / T,
    "factor 1/T missing": lambda z, v, T: kl_gradient(z, v, T) * T,
    "factor 1/T twice": lambda z, v, T: kl_gradient(z, v, T) / T,
    "mean instead of sum": lambda z, v, T: kl_gradient(z, v, T) / z.shape[1],
    "temperature forgotten in the teacher": lambda z, v, T: ((z / T).softmax(1) - v.softmax(1)) / T,
    "student and teacher swapped": lambda z, v, T: kl_gradient(v, z, T),
    "teacher's classes shifted": lambda z, v, T: kl_gradient(z, v.roll(1, dims=1), T),
    "teacher's rows shuffled": lambda z, v, T: kl_gradient(z, v.roll(1, dims=0), T),
    "classes reversed": lambda z, v, T: kl_gradient(z, v, T).flip(1),
    "half a per cent": lambda z, v, T: kl_gradient(z, v, T) * 1.005,
    "one part in 10^10": lambda z, v, T: kl_gradient(z, v, T) * (1 + 1e-10),
    "one draw of the thousand": lambda z, v, T: kl_gradient(z, v, T).index_fill(0, torch.tensor([123]), 0.5),
    "one class of the ten": lambda z, v, T: kl_gradient(z, v, T) * torch.tensor([1.0] * 9 + [0.99]),
    "NaN": lambda z, v, T: kl_gradient(z, v, T).index_fill(0, torch.tensor([999]), float("nan")),
    "all NaN": lambda z, v, T: kl_gradient(z, v, T) * float("nan"),
    "infinity": lambda z, v, T: kl_gradient(z, v, T).index_fill(0, torch.tensor([0]), float("inf")),
}


@pytest.mark.parametrize("slip", SLIPS.values(), ids=SLIPS)
@pytest.mark.parametrize("swapped", [False, True])
def test_a_slip_is_caught_on_either_side(slip, swapped):
    left, right = (slip, kl_gradient_by_autograd) if swapped else (kl_gradient_by_autograd, slip)
    with pytest.raises(AssertionError, match=r"\(3\.7\) does not hold; draw \d+"):
        check("3.7", left, right, given("z v T"))


@pytest.mark.parametrize("factor", [1.005, 1.02, -1.0, 0.5])
def test_an_approximate_equation_still_sees_half_a_per_cent(factor):
    def limit(z, v):
        return factor * (z - z.mean(1, keepdim=True) - v + v.mean(1, keepdim=True)) / 10

    def at_a_high_temperature(z, v):
        return 1e8 * kl_gradient(z, v, 1e4)

    with pytest.raises(AssertionError):
        check("3.8", at_a_high_temperature, limit, given("z v"), tolerance=2e-3)


def test_small_draws_are_judged_by_their_own_size_or_the_median(capsys):
    """An error confined to the quieter half of the draws must not hide behind the largest value of all."""

    def with_error(z, T):
        return (z / T) ** 3 + 1e-3 * (T < 1) * (z / T).abs().amax(1, keepdim=True)

    with pytest.raises(AssertionError):
        check("2.1", lambda z, T: (z / T) ** 3, with_error, given("z T"))


def test_scalars_and_arrays_a_draw_are_both_sides(capsys):
    check("1.2", lambda p: -(p * p.log()).sum(1), lambda p: torch.special.entr(p).sum(1), given("p"))
    check("3.2", lambda q: q.diag_embed() - q[:, :, None] * q[:, None], lambda q: jacobian(q.log()), given("q"))
    check("1.3", lambda z, y: z.gather(1, y[:, None])[:, 0], lambda z, y: z[torch.arange(1000), y], given("z y"))
    check("1.4", lambda z: z.argmax(1), lambda z: (z == z.amax(1, keepdim=True)).int().argmax(1), given("z"))
    assert len(capsys.readouterr().out.splitlines()) == 4


def jacobian(z):
    return torch.func.vmap(torch.func.jacrev(lambda row: row.softmax(0)))(z)


IDLE = {
    "the same function": (lambda: (torch.exp, torch.exp), "same function twice"),
    "two copies of one function": (lambda: (lambda z: z.exp(), lambda z: z.exp()), "same function twice"),
    "two zeros": (lambda: (lambda z: 0 * z, lambda z: z - z), "the same value on every draw"),
    "two constants": (lambda: (lambda z: z.softmax(1).sum(1).round(), lambda z: z[:, 0] * 0 + 1), "the same value"),
    "integers that do not move": (
        lambda: (lambda z: z.sum(1).long() * 0 + 10, lambda z: z[:, 0].long() * 0 + 10),
        "move",
    ),
    "zeros on most draws": (
        lambda: (lambda z: torch.relu(z[:, 0] - 2), lambda z: (z[:, 0] - 2).clamp_min(0)),
        "must fail after 1 % of the largest value",
    ),
    "all classes alike": (
        lambda: (lambda z: z.mean(1, keepdim=True) + 0 * z, lambda z: z.mean(1, keepdim=True).expand(-1, 10)),
        "must fail after a shift by one class",
    ),
}


@pytest.mark.parametrize("sides, message", IDLE.values(), ids=IDLE)
def test_a_check_that_proves_nothing_is_an_error(sides, message, capsys):
    with pytest.raises(ValueError, match=message):
        check("1.1", *sides(), given("z"))
    assert capsys.readouterr().out == ""


def test_functions_that_differ_in_what_they_enclose_are_two():
    def power(exponent):
        return lambda z: z**exponent

    with pytest.raises(AssertionError):
        check("1.1", power(2), power(3), given("z"))


@pytest.mark.parametrize("tolerance", [0.0, 0.01, 0.5, -1.0, float("nan")])
def test_a_tolerance_that_hides_one_per_cent_is_refused(tolerance):
    with pytest.raises(ValueError, match=r"below 0\.01"):
        check("1.1", torch.exp, lambda z: z.exp(), given("z"), tolerance)


@pytest.mark.parametrize("name", ["", "3", "KL", "(3.7)", "3.7 "])
def test_a_name_that_is_no_equations_number_is_refused(name):
    with pytest.raises(ValueError, match="name must be an equation's number"):
        check(name, torch.exp, lambda z: z.exp(), given("z"))


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"left \(1000, 1\) and right \(1000,\) must have the same shape"):
        check("1.1", lambda z: z.sum(1, keepdim=True), lambda z: z.sum(1), given("z"))


@pytest.mark.parametrize("side", [lambda z: z.sum(), lambda z: z[:10], lambda z: 1.0])
def test_a_side_gives_one_value_a_draw(side):
    with pytest.raises(ValueError, match="left must give 1000 rows"):
        check("1.1", side, torch.exp, given("z"))


def test_draws_are_the_same_each_time_and_cover_their_domain():
    z, v, p, q, y, T, w = given("z v p q y T w")(Generator().manual_seed(0))
    assert torch.equal(z, given("z")(Generator().manual_seed(0))[0])
    assert z.dtype == v.dtype == p.dtype == q.dtype == T.dtype == w.dtype == torch.float64
    assert not torch.equal(v / 3, z)
    assert torch.allclose(p.sum(1), torch.ones(1000, dtype=torch.float64)) and (p > 0).all()
    assert torch.allclose(q.sum(1), torch.ones(1000, dtype=torch.float64)) and (q > 0).all()
    assert set(y.tolist()) == set(range(10))
    assert T.min() < 0.6 and T.max() > 18 and T.shape == (1000, 1)
    assert w.min() >= 0 and w.max() <= 1


def test_the_global_random_state_is_left_alone():
    before = torch.random.get_rng_state()
    check("1.1", lambda z: z.exp(), lambda z: 1 / (-z).exp(), given("z"))
    assert torch.equal(before, torch.random.get_rng_state())
