"""What do published distillation losses compute, and to which call of kdlearn is each equal?

Each loss is handed to `kdlearn.examine`, which asks it for values and gradients and reads no source. The call of
kdlearn that follows is then compared with it: the record keeps the largest difference of their gradients on other
logits, as a share of the largest gradient.

Nothing is claimed about training. The versions are pinned: five packages by the extra `peers`, the others, of which
one file is loaded, in `alone.txt`. What is not on PyPI is a formula with its source.

Command, in an environment of its own, with Keras on torch:
`pip install ".[peers,plots]" && pip install --no-deps -r studies/conventions/alone.txt`, then
`KERAS_BACKEND=torch python studies/conventions/plan.py`, which writes record.json beside this file and the table in
`book/other_libraries.md`. A minute on one core. Made again on 2026-12-04, with the losses
rewritten, it was the same to the byte.
"""

import json
import math
import warnings
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import kdlearn
from kdlearn.examination.loss_profile import drawn
from kdlearn.examination.query import Query
from kdlearn.examination.report import Report

HERE = Path(__file__).parent
RECORD, PAGE = HERE / "record.json", HERE.parents[1] / "book" / "other_libraries.md"
BEGIN, END = "<!-- the record's table begins -->", "<!-- the record's table ends -->"
Call = Callable[..., Any]


def recorded() -> list[dict[str, Any]]:
    """A row for each published loss."""
    from peers import PEERS

    return [row_of(peer) for peer in PEERS]


def row_of(peer: Any) -> dict[str, Any]:
    loss = peer.make()
    report = kdlearn.examine(loss, sequences=peer.sequences)
    version = metadata.version(peer.distribution) if peer.distribution else ""
    text, call = equal_call(report)
    return {
        "library": peer.library,
        "version": version,
        "call": peer.call,
        "source": peer.source,
        "sentence": report.sentence,
        "temperature": report.temperature,
        "soft_weights": list(report.soft_weights),
        "hard_weight": report.hard_weight,
        "weighs": report.weighs,
        "findings": [[one.name, one.sentence, told(one.measured), one.may_be_meant] for one in report.findings],
        "equal_to": text,
        "difference": None if call is None else difference(loss, call, peer.sequences),
    }


def told(figure: float) -> float | str:
    """Six digits: the others are the processor's. JSON has no NaN and no infinity."""
    return float(f"{figure:.6g}") if math.isfinite(figure) else str(figure)


def equal_call(report: Report) -> tuple[str, Call | None]:
    """The call of kdlearn with the same gradient on rows `(N, C)`, as text and as a function; none for other forms."""
    if report.form is None:
        return "", None
    soft = soft_call(report) if report.soft_weights else ("", lambda z, v, y: 0.0)
    if soft is None or report.smoothing > 1e-4 or any("twice" in one.name for one in report.findings):
        return "", None
    text, function = soft
    hard = round(report.hard_weight, 6)
    if not hard:
        return text, function
    both = f"{text} + {times(hard, 'hard_label_loss(…)')}".removeprefix(" + ")
    return both, lambda z, v, y: function(z, v, y) + hard * kdlearn.hard_label_loss(z, y)


def soft_call(report: Report) -> tuple[str, Call] | None:
    T = report.temperature or 1.0
    weight = report.soft_weights[0] * T ** ((report.power if report.power is not None else 2) - 2)
    scale = round(weight, 6)
    known: Mapping[str, tuple[str, Call]] = {
        "KL(teacher ‖ student)": (
            f"soft_label_loss(…, temperature={T:g})",
            lambda z, v, y: kdlearn.soft_label_loss(z, v, T),
        ),
        "KL(student ‖ teacher)": (
            f"reverse_kl_loss(…, temperature={T:g})",
            lambda z, v, y: kdlearn.reverse_kl_loss(z, v, T),
        ),
        "Jensen–Shannon with 0.5 of the teacher": (
            f"jensen_shannon_loss(…, temperature={T:g}, teacher_share=0.5)",
            lambda z, v, y: kdlearn.jensen_shannon_loss(z, v, T, 0.5),
        ),
    }
    if report.form == "decoupled KL, target and the other classes":
        return decoupled_call(report, T)
    if report.form == "KL(teacher ‖ student) and KL(student ‖ teacher)":
        return symmetric_call(report, T)
    if report.form not in known:
        return None
    text, function = known[report.form]
    by_classes, by_time = "classes" in report.reduction, "summed-over-time" in report.names
    sizes = " / C" * by_classes + " · time" * by_time

    def call(z: Any, v: Any, y: Any) -> Any:
        time = z.shape[1] if by_time and z.ndim == 3 else 1
        return scale * time * function(z, v, y) / (z.shape[-1] if by_classes else 1)

    return f"{times(scale, text)}{sizes}", call


def decoupled_call(report: Report, T: float) -> tuple[str, Call]:
    target, others = (round(weight, 6) for weight in report.soft_weights)
    weights = {"target_weight": target, "nontarget_weight": others, "temperature": T}
    told = ", ".join(f"{name}={value:g}" for name, value in weights.items())
    return f"decoupled_loss(…, {told})", lambda z, v, y: kdlearn.decoupled_loss(z, v, y, **weights)


def symmetric_call(report: Report, T: float) -> tuple[str, Call]:
    forward, reverse = (round(weight, 6) for weight in report.soft_weights)
    parts = (times(forward, f"soft_label_loss(…, temperature={T:g})"), times(reverse, f"reverse_kl_loss(…, {T:g})"))
    return " + ".join(
        parts
    ), lambda z, v, y: forward * kdlearn.soft_label_loss(z, v, T) + reverse * kdlearn.reverse_kl_loss(z, v, T)


def times(factor: float, text: str) -> str:
    return text if factor == 1 else f"{factor:.4g} · {text}"


def difference(loss: Call, call: Call, sequences: bool) -> float:
    """Of the gradients on other logits, as a share of the largest: below 1e-5 they are the same in float32."""
    probe = drawn(rows=7, time=3 if sequences else None, seed=1)

    def ours(student_logits: Any, teacher_logits: Any, labels: Any) -> Any:
        return call(student_logits, teacher_logits, labels)

    theirs, own = (Query(one).prepare(probe).gradient(probe) for one in (loss, ours))
    return told_as_power(float((theirs - own).abs().max() / own.abs().max()))


def told_as_power(value: float) -> float:
    """The next power of ten above, since the digits of rounding are the processor's."""
    return 10.0 ** math.ceil(math.log10(max(value, 1e-16)))


def table(rows: list[dict[str, Any]]) -> str:
    """The record as a table in Markdown."""
    lines = ["| loss | computes | equal to `kdlearn`'s | what bites |", "|---|---|---|---|"]
    return "\n".join(lines + [line(row) for row in rows])


def line(row: dict[str, Any]) -> str:
    call = f" `{row['call']}`" if row["call"] else ""
    where = row["version"] or f"formula, {row['source']}"
    odd = [name for name, _, _, _ in row["findings"] if name != "teacher-gets-gradient"]
    weighs = "; ".join(f"`{name}` {what}" for name, what in row["weighs"].items())
    equal = f"`{row['equal_to']}`" if row["equal_to"] else "none"
    what = ". ".join(part for part in (row["sentence"], weighs) if part)
    return f"| **{row['library']}** {where}{call} | {what} | {equal} | {', '.join(odd) or '–'} |"


def page_with(text: str, page: str) -> str:
    """The page with the table between its two marks."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}"


def main() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = recorded()
    RECORD.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page_with(table(rows), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
