"""Executable equations: both sides on 1,000 draws, and the proof that an error would have been seen."""

import re
from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor

NUM_DRAWS, NUM_CLASSES = 1_000, 10
Draw = Callable[[Generator], tuple[Tensor, ...]]
Side = Callable[..., Tensor]
ADVICE = "Compare values that are not zero, not the same for all classes, and that move with what is drawn"


def check(name: str, left: Side, right: Side, draw: Draw, tolerance: float = 1e-12) -> None:
    """Print that the equation `name` holds, once it does and once each of three wrong right sides does not.

    Args:
        name: the equation's number, such as `"3.7"`.
        left, right: take what `draw` returns; give one value a draw, `(1000,)`, or more, `(1000, …)`.
        draw: takes a seeded generator; returns a tuple of tensors with 1,000 rows. `given("z v T")` makes one.
        tolerance: below 0.01; of the largest value in the draw, or in the median draw where that is larger.

    Raises:
        AssertionError, ValueError: the sides differ; the check proves nothing, as a changed right side agrees too.

    >>> check("1.1", left=lambda z: torch.logsumexp(z, 1), right=lambda z: z.exp().sum(1).log(), draw=given("z"))
    (1.1) holds to 1e-12 on 1,000 draws; an error of 1 % would have shown.
    """
    refuse_idle(name, left, right, tolerance)
    drawn = draw(Generator().manual_seed(0))
    found, expected = values_of("left", left, drawn), values_of("right", right, drawn)
    if found.shape != expected.shape:
        raise ValueError(f"left {tuple(found.shape)} and right {tuple(expected.shape)} must have the same shape")
    if (differs := differing(found, expected, tolerance)).any():
        row = int(differs.nonzero()[0])
        raise AssertionError(f"({name}) does not hold; draw {row}: left {found[row]}, right {expected[row]}")
    for change, wrong in changes(expected):
        if (shows := differing(found, wrong, tolerance).double().mean()) < 0.5:
            raise ValueError(f"({name}) must fail after {change}; it did on {shows:.0%} of the draws. {ADVICE}")
    print(f"({name}) holds to {tolerance:g} on {NUM_DRAWS:,} draws; an error of 1 % would have shown.")


def refuse_idle(name: str, left: Side, right: Side, tolerance: float) -> None:
    if not re.fullmatch(r"\d+[a-z]?\.\d+", name):
        raise ValueError(f"name must be an equation's number such as '3.7' or '3b.2'; got {name!r}")
    if not 0 < tolerance < 0.01:
        raise ValueError(f"tolerance must lie above 0 and below 0.01, or no error of 1 % would show; got {tolerance}")
    if left is right or (written(left) and written(left) == written(right)):
        raise ValueError(f"({name}) left and right must be two routes to one value; got the same function twice")


def written(side: Side) -> object:
    code, closure = getattr(side, "__code__", None), getattr(side, "__closure__", None) or ()
    return code and (code.co_code, code.co_consts, code.co_names, [id(cell.cell_contents) for cell in closure])


def values_of(name: str, side: Side, drawn: tuple[Tensor, ...]) -> Tensor:
    values = torch.as_tensor(side(*drawn)).detach().double()
    if values.ndim == 0 or len(values) != NUM_DRAWS:
        raise ValueError(f"{name} must give {NUM_DRAWS} rows, one a draw; got shape {tuple(values.shape)}")
    if (values == values[:1]).all():
        raise ValueError(f"{name} must move with what is drawn; got the same value on every draw. {ADVICE}")
    return values


def differing(found: Tensor, expected: Tensor, tolerance: float) -> Tensor:
    error, size = (values.abs().reshape(NUM_DRAWS, -1).amax(1) for values in (found - expected, expected))
    return ~(error.isfinite() & (error <= tolerance * size.clamp_min(size.median())))


def changes(values: Tensor) -> Iterator[tuple[str, Tensor]]:
    more = values.reshape(NUM_DRAWS, -1).clone()
    more[:, 0] += 0.01 * more.abs().amax(1)
    yield "1 % of the largest value is added to the first", more.reshape(values.shape)
    yield "a change of sign", -values
    if values.ndim > 1 and values.shape[-1] > 1:
        yield "a shift by one class", values.roll(1, dims=-1)


def given(symbols: str) -> Draw:
    """A draw for `check` of the symbols named, in float64, over ten classes.

    `z`, `v`: logits `(1000, 10)`, standard deviation 1 and 3. `p`, `q`: distributions `(1000, 10)`. `y`: class indices
    `(1000,)`. `T`: temperatures `(1000, 1)` from 0.5 to 20. `w`: weights `(1000, 1)` from 0 to 1.
    """
    return lambda generator: tuple(DOMAINS[symbol](generator) for symbol in symbols.split())


DOMAINS: dict[str, Callable[[Generator], Tensor]] = {
    "z": lambda generator: torch.randn(NUM_DRAWS, NUM_CLASSES, dtype=torch.float64, generator=generator),
    "v": lambda generator: 3 * DOMAINS["z"](generator),
    "p": lambda generator: (2 * DOMAINS["z"](generator)).softmax(1),
    "q": lambda generator: DOMAINS["z"](generator).softmax(1),
    "y": lambda generator: torch.randint(NUM_CLASSES, (NUM_DRAWS,), generator=generator),
    "w": lambda generator: torch.rand(NUM_DRAWS, 1, dtype=torch.float64, generator=generator),
    "T": lambda generator: 0.5 * 40 ** DOMAINS["w"](generator),
}
