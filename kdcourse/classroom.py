"""The experiment of a class: each laptop is a replicate, with a split and a teacher of its own, and writes one file.

A plan is a short code that decides everything but the seat. Its last four characters are a check, so that a mistyped
code, or another version of the recipe, is refused and not pooled. Nothing in a file tells who wrote it.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kdlearn
from kdcourse.demo import BATCH_SIZE, STUDENT, teacher
from kdlearn.data.digits import load_digits
from kdlearn.data.files import read_json, write_json
from kdlearn.engine.run import Run
from kdlearn.engine.study import study
from kdlearn.formulas.intervals import Interval, interval
from kdlearn.training.machine import Machine
from kdlearn.training.strategies import GroundTruth, SoftLabels, Strategy, TeachersHardLabels

if TYPE_CHECKING:
    from pandas import DataFrame

FIRST_REPLICATE, SEEDS, SEATS = 1000, range(4), range(1, 1000)  # no recorded study uses these replicates
CODE = re.compile(r"(\d+)i-(\d+(?:\.\d+)?)T-(\d+)u-([0-9a-f]{4})")
TRUTH, HARD, SOFT = "ground truth", "hard labels", "soft labels"


@dataclass(frozen=True)
class Plan:
    """How many labelled images, at which temperature, for how many updates."""

    images: int = 60
    temperature: float = 2.0
    updates: int = 300

    def __post_init__(self) -> None:
        if not 20 <= self.images <= 1200 or not 0.1 <= self.temperature <= 50 or not 1 <= self.updates <= 10_000:
            raise ValueError(
                "a plan has 20 to 1,200 images, a temperature of 0.1 to 50 and 1 to 10,000 updates; got "
                f"{self.images}, {self.temperature:g} and {self.updates}"
            )

    @property
    def code(self) -> str:
        """What every laptop is told, such as `60i-2T-300u-` and four characters that check it."""
        told = f"{self.images}i-{self.temperature:g}T-{self.updates}u"
        return f"{told}-{digest(f'kdlearn class {kdlearn.ENGINE} {told}')[:4]}"


def plan_of(code: str) -> Plan:
    """The plan of a code; a ValueError where a character is wrong, or another version made it.

    >>> plan_of(Plan(60, 2.0, 300).code)
    Plan(images=60, temperature=2.0, updates=300)
    """
    found = CODE.fullmatch(code)
    if not found:
        raise ValueError(f"a code looks like {Plan().code}; got {code!r}")
    plan = Plan(int(found[1]), float(found[2]), int(found[3]))
    if plan.code != code:
        raise ValueError(
            f"a character of {code} is wrong, or it was made by another version than kdlearn {kdlearn.__version__}"
        )
    return plan


def joined(plan: Plan, seat: int) -> dict[str, Any]:
    """Carry out one seat's replicate: what its file holds."""
    check_seat(seat)
    table = study(list(runs_of(plan, seat)), machine=Machine(threads=1))
    names = {GroundTruth.name: TRUTH, TeachersHardLabels.name: HARD, SoftLabels.name: SOFT}
    means = table.groupby("strategy")["accuracy"].mean()
    accuracies = {names[str(name)]: round(float(mean), 6) for name, mean in means.items()}
    content = {"plan": plan.code, "seat": seat, "kdlearn": kdlearn.__version__, "accuracy": accuracies}
    return {**content, "seal": seal_of(content)}


def check_seat(seat: int) -> None:
    if seat not in SEATS:
        raise ValueError(
            f"a seat is a whole number from {SEATS[0]} to {SEATS[-1]}, another for each laptop; got {seat}"
        )


def runs_of(plan: Plan, seat: int) -> Iterator[Run]:
    """Four students of each kind, which share first weights, images and order."""
    replicate = FIRST_REPLICATE + seat
    data = load_digits(replicate)
    taught = teacher(data, replicate)
    arms: tuple[Strategy, ...] = (GroundTruth(), TeachersHardLabels(), SoftLabels(plan.temperature))
    options: dict[str, Any] = {"replicate": replicate, "batch_size": BATCH_SIZE, "sample": plan.images}
    for strategy in arms:
        for seed in SEEDS:
            of_teacher = taught if strategy.asks_teacher else None
            yield Run(data, STUDENT, strategy, of_teacher, (plan.updates,), seed, **options)


def file_name(plan: Plan, seat: int) -> str:
    return f"class-{plan.code}-seat-{seat:03}.json"


def write_seat(folder: Path, content: dict[str, Any]) -> Path:
    """The one small file that is handed in."""
    path = folder / file_name(plan_of(content["plan"]), content["seat"])
    write_json(path, content)
    return path


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def seal_of(content: dict[str, Any]) -> str:
    return digest(json.dumps(content, sort_keys=True, ensure_ascii=False))[:16]


@dataclass(frozen=True)
class Pool:
    """The files of a class: `table`, a row a seat, accuracies in percent; `left_out` says of other files why."""

    plan: Plan
    table: "DataFrame"
    left_out: dict[str, str]

    def difference(self, a: str = SOFT, b: str = TRUTH) -> Interval:
        """In points, over the seats."""
        return interval(self.table[a] - self.table[b])

    def shrinking(self, a: str = SOFT, b: str = TRUTH) -> list[Interval]:
        """The interval of the first two seats, of the first three, and so on, in the order of the seats."""
        gains = (self.table[a] - self.table[b]).tolist()
        return [interval(gains[:count]) for count in range(2, len(gains) + 1)]

    def __str__(self) -> str:
        pairs = ((SOFT, TRUTH), (HARD, TRUTH), (SOFT, HARD))
        lines = [f"plan {self.plan.code}: {len(self.table)} laptops, each with a split and a teacher of its own", ""]
        lines += [f"{a:12} {self.table[a].mean():5.1f} %" for a in (TRUTH, HARD, SOFT)]
        lines += ["", *(f"{a} - {b:12} {self.difference(a, b):+.1f} points" for a, b in pairs)]
        lines += [f"left out: {name}: {reason}" for name, reason in self.left_out.items()]
        return "\n".join(lines)


def pooled(folder: Path, code: str | None = None) -> Pool:
    """All files of a folder that belong to one plan: that of the `code`, else that of most files.

    Raises:
        ValueError: fewer than two files belong to it.
    """
    files = {path.name: content_of(path) for path in sorted(folder.glob("*.json"))}
    codes = Counter(content["plan"] for content in files.values() if isinstance(content, dict))
    chosen = code or next((one for one, _ in codes.most_common(1)), Plan().code)
    left_out = {name: content for name, content in files.items() if isinstance(content, str)}
    seats: dict[int, dict[str, Any]] = {}
    for name, content in files.items():
        if isinstance(content, str):
            continue
        if content["plan"] != chosen:
            left_out[name] = f"it belongs to plan {content['plan']}"
        elif content["seat"] in seats:
            same = "the same" if seats[content["seat"]] == content else "other"
            left_out[name] = f"seat {content['seat']} is there already, with {same} numbers"
        else:
            seats[content["seat"]] = content
    if len(seats) < 2:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise ValueError(f"{folder} must hold files of two seats of {chosen} at least; it has {len(seats)}. {reasons}")
    return Pool(plan_of(chosen), table_of(seats), left_out)


def table_of(seats: dict[int, dict[str, Any]]) -> "DataFrame":
    import pandas as pd

    rows = [
        {"seat": seat, **{name: 100 * share for name, share in seats[seat]["accuracy"].items()}}
        for seat in sorted(seats)
    ]
    return pd.DataFrame(rows)


def content_of(path: Path) -> dict[str, Any] | str:
    """What a seat wrote, or why it is none of ours."""
    try:
        content = read_json(path)
    except (ValueError, OSError, RecursionError) as problem:
        return f"it cannot be read ({type(problem).__name__})"
    if not isinstance(content, dict) or set(content) != {"plan", "seat", "kdlearn", "accuracy", "seal"}:
        return "it is no file of a class"
    try:
        if content.pop("seal") != seal_of(content):
            return "it was altered after it was written"
        plan_of(content["plan"])
        check_seat(content["seat"])
        check_accuracy(content["accuracy"])
    except Exception as problem:  # whoever hands a file in may have put anything into it
        return str(problem)
    return content


def check_accuracy(found: Any) -> None:
    names = {TRUTH, HARD, SOFT}
    if not isinstance(found, dict) or set(found) != names or not all(0 <= share <= 1 for share in found.values()):
        raise ValueError(f"accuracy must hold a share from 0 to 1 of each of {', '.join(sorted(names))}")
