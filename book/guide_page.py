"""The parts of the guide's page that are numbers, from the atlas, the fitted guide and what it was tested on."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from records import STUDIES, script
from tables import table

from kdcourse import load_atlas
from kdcourse.commands.advise import advice, sign_of
from kdcourse.commands.advise import decision as decision_of
from kdcourse.figures.atlas import KINDS
from kdcourse.guide import GAIN, LABELS, Case, Guide
from kdlearn import Comparison
from kdlearn.formulas.intervals import Interval

TRUTH, HARD, MIXED = "ground truth", "teacher's hard labels", "soft labels + ground truth"
SOFT = {"strategy": "soft labels", "temperature": 4.0}


@cache
def atlas() -> Comparison:
    """The record of the atlas, read once for all parts."""
    return load_atlas()


def decisions() -> Iterator[str]:
    """Grid A, 3,000 updates: a row for each number of labelled images, without and with further ones."""
    head = ["labelled", "without labels", "hard labels − ground truth", "softness beyond", "together", "so"]
    rows = atlas().table
    sizes = set(rows.loc[rows["grid"] == "A labels", "images"])
    pairs = [(20, 20), (60, 60), (240, 240), (1200, 1200), (20, 1200), (60, 1200), (240, 1200)]
    yield from table(head, (decision(*pair) for pair in pairs if sizes.issuperset(pair)))


def decision(labelled: int, images: int) -> list[str]:
    truth, hard, soft = ({"grid": "A labels", **arm} for arm in of_sizes(labelled, images))
    parts = [atlas().difference(*both, length=3000) for both in ((hard, truth), (soft, hard), (soft, truth))]
    return [f"{labelled:,}", f"{images - labelled:,}", *(f"{one:+.1f}" for one in parts), in_words(*parts)]


def of_sizes(labelled: int, images: int) -> tuple[dict[str, Any], ...]:
    taught = {"images": images}
    return {"images": labelled, "strategy": TRUTH}, {**taught, "strategy": HARD}, {**taught, **SOFT}


def in_words(labels: Interval, softness: Interval, gain: Interval) -> str:
    """What to do, by the signs."""
    if sign_of(gain) != "a gain" and sign_of(labels) != "a gain":
        return "ground truth" if sign_of(gain) == "a loss" else "nothing is seen: ground truth"
    return {"a gain": "soft labels", "a loss": "hard labels", "either sign": "either"}[sign_of(softness)]


def kinds() -> Iterator[str]:
    """Grid B: soft labels of each kind of teacher over ground truth."""
    head = ["teacher", "it is right on", "T = 1", "T = 4", "hard labels"]
    rows = atlas().table
    names = list(
        dict.fromkeys(rows.loc[(rows["grid"] == "B teachers") & ~rows["kind"].isin(["", "untrained"]), "kind"])
    )
    yield from table(head, (kind(name) for name in names))


def kind(name: str) -> list[str]:
    where = {"grid": "B teachers", "kind": name}
    arms = [{"strategy": "soft labels", "temperature": one} for one in (1.0, 4.0)] + [{"strategy": HARD}]
    truth = {"grid": "B teachers", "strategy": TRUTH}
    gains = [atlas().difference({**where, **arm}, truth, length=1000) for arm in arms]
    accuracy = 100 * atlas().rows_of({**where, "strategy": HARD}, 1000, {})["teacher_accuracy"].mean()
    return [KINDS[name], f"{accuracy:.1f} %", *(f"{one:+.1f}" for one in gains)]


def in_short() -> Iterator[str]:
    """From which gap on the guide tells a gain: of further images, and of soft labels alone."""
    labels, together, softness = (smallest_gap(*one) for one in ((10_000, LABELS), (10_000, GAIN), (0, GAIN)))
    yield "- **Many pictures have no label**, 20 for each one with: let the teacher label them, if the gap is at"
    yield f"  least {labels:g} points. Its hard labels are told to gain there; from {together:g} points on soft ones"
    yield "  too. Which of the two is better, the pilot tells (section 1)."
    yield "- **All pictures are labelled**, and the student sees them as its teacher did: learn from soft labels at"
    yield f"  T = 4, if the gap is at least {softness:g} points. Below that the guide cannot tell the sign: pilot, and"
    yield "  expect little."


def for_whom() -> Iterator[str]:
    """What was seen, outside of which the guide abstains."""
    seen = Guide.load().fitted["seen"]
    (_, high), (worst, best), (short, long) = (seen[name] for name in ("gap", "student", "length"))
    yield f"- Measured were students of {worst:.0f} to {best:.0f} % on ground truth, gaps up to {high:.0f} points, and"
    yield f"  {short:,} to {long:,} updates of about 60 images. Beyond that the guide abstains."


def by_student() -> Iterator[str]:
    """A teacher of 92 %, 500 labelled and 10,000 further images, by the student's accuracy."""
    head = ["student on ground truth", "gap", "hard labels give", "soft labels give", "the guide says"]
    yield from table(head, (student_row(Case(500, 10_000, 92.0, one, "same")) for one in (60.0, 70.0, 80.0, 88.0)))


def student_row(case: Case) -> list[str]:
    guide = Guide.load()
    parts = guide.parts(case)
    intervals = [f"{parts[part].low:+.1f} to {parts[part].high:+.1f}" for part in (LABELS, GAIN)]
    said = "distil" if decision_of(case, parts, list(guide.outside(case))).startswith("Distil") else "it abstains"
    return [f"{case.student:g} %", f"{case.columns['gap']:g}", *intervals, said]


def smallest_gap(unlabelled: int, part: str) -> float:
    """In half points: from here on the interval is above 0."""
    guide = Guide.load()

    def low(gap: float) -> float:
        return guide.parts(Case(500, unlabelled, 90.0 + gap / 10, 90.0 - 0.9 * gap, "same"))[part].low

    return 0.5 + max((gap for gap in (0.5 * step for step in range(1, 61)) if low(gap) <= 0), default=0.0)


def temperatures() -> Iterator[str]:
    """Grid D, soft labels alone: a row a width."""
    told = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)

    def gain(width: int, temperature: float) -> str:
        where = {"grid": "D temperature and weight", "width": width}
        soft = {**where, "strategy": MIXED, "temperature": temperature, "soft_weight": 1.0}
        return f"{atlas().difference(soft, {**where, 'strategy': TRUTH}, length=1000):+.1f}"

    rows = ([f"{width} units", *(gain(width, one) for one in told)] for width in (8, 32, 128))
    yield from table(["student", *(f"T = {one:g}" for one in told)], rows)


def wrong() -> Iterator[str]:
    """Grid E, and the article's record: a teacher that learned the wrong labels too."""
    article = Comparison.load(STUDIES / "article/comparison.parquet")
    places = script(STUDIES / "atlas/predicted.py").wrong_places(atlas(), article)
    head = ["wrong", "updates", "hard labels", *(f"soft labels, T = {one:g}" for one in WRONG_AT)]
    yield from table(head, (wrong_row(*place) for place in places))


WRONG_AT = (1.0, 2.0, 4.0)


def wrong_row(record: Comparison, share: float, length: int, where: Mapping[str, Any]) -> list[str]:
    """Empty where a temperature was not measured."""
    measured = record.named(where)["temperature"].unique()

    def gain(arm: dict[str, Any]) -> str:
        if arm.get("temperature", measured[-1]) not in measured:
            return ""
        return f"{record.difference({**where, **arm}, {**where, 'strategy': TRUTH}, length=length):+.1f}"

    arms = [{"strategy": HARD}, *({**SOFT, "temperature": one} for one in WRONG_AT)]
    return [f"{share:.0%}", f"{length:,}", *(gain(arm) for arm in arms)]


def lengths() -> Iterator[str]:
    """Grids A and long: a row a size and temperature, a column a length, and what the guide predicts of long ones."""
    rows = list(script(STUDIES / "atlas/predicted.py").by_length(Guide.load(), atlas()))
    told = sorted({one["case"].updates for one in rows})
    arms = {(one["case"].labelled, one["grid"], one["case"].temperature): {} for one in rows}
    for one in rows:
        arms[one["case"].labelled, one["grid"], one["case"].temperature][one["case"].updates] = one
    head = ["labelled", "rate", "T", *(f"{length:,} updates" for length in told), "predicted from 1,000 on"]
    shown = {arm: by for arm, by in arms.items() if arm[1] == "long" or arm[2] in (1.0, 4.0)}
    yield from table(head, (length_row(*arm, by, told) for arm, by in shown.items()))


def length_row(labelled: int, grid: str, temperature: float, by: Mapping[int, Any], told: Sequence[int]) -> list[str]:
    gains = [f"{by[length]['measured']:+.1f}" if length in by else "" for length in told]
    predicted = by[1000]["predicted"]
    about = [f"{labelled:,}", "0.003" if grid == "long" else "its own", f"{temperature:g}"]
    return [*about, *gains, f"{predicted.low:+.1f} to {predicted.high:+.1f}"]


def model() -> Iterator[str]:
    """A line for each of the two sums."""
    guide = Guide.load()
    yield f"Fitted to {guide.fitted['cells']:,} random cells of the atlas by least squares, in points:\n"
    yield from (f"- {line}" for line in str(guide).splitlines())


def steps() -> Iterator[str]:
    """By the gap, the half width of what is predicted and the spread of single gains."""
    fitted = Guide.load().fitted
    head = ["gap up to", "half width of a predicted mean gain", "standard deviation of single students' gains"]
    widths = fitted["half_widths"][GAIN].items()
    yield from table(head, ([f"{end} points", f"± {one:.1f}", f"{fitted['spread'][end]:.1f}"] for end, one in widths))


def tested() -> Iterator[str]:
    """Each case that the guide has not seen."""
    head = ["data", "labelled", "without labels", "gap", "part", "predicted", "measured", "is it inside?"]
    yield from table(head, (row for case in unseen() for row in lines_of(case)))


def unseen() -> list[dict[str, Any]]:
    return script(STUDIES / "atlas/predicted.py").unseen(Guide.load(), atlas())


def lines_of(tested: Mapping[str, Any]) -> Iterator[list[str]]:
    """A line a part; where the guide would abstain, what it would have predicted is shown all the same."""
    case: Case = tested["case"]
    about = [tested["data"], f"{case.labelled:,}", f"{case.unlabelled:,}", f"{case.teacher - case.student:.1f}"]
    for part, predicted in tested["predicted"].items():
        measured = tested["measured"][part]
        inside = "yes" if predicted.low <= measured.mean <= predicted.high else "**no**"
        inside += "; it abstains" * any(Guide.load().outside(case))
        if part == GAIN or case.unlabelled:
            yield [*about, part, f"{predicted.low:+.1f} to {predicted.high:+.1f}", f"{measured:+.1f}", inside]


def example() -> Iterator[str]:
    """What `kdlearn advise` prints for the page's own case."""
    yield "```text"
    yield from advice(Guide.load(), Case(500, 10_000, 92.0, 70.0, "same"), 30)
    yield "```"
