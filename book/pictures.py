"""What was found, as pictures for the front page, from the record of `studies/digits`."""

from pathlib import Path
from typing import Any

from guide_page import unseen

from kdcourse.plots import lines_with_bands
from kdlearn import Comparison
from kdlearn.comparing.plot import BLUE, new_axes

RECORD = Path(__file__).parents[1] / "studies/digits/comparison.parquet"
SOFT = {"strategy": "soft labels", "temperature": 2.0}


def gains_by_length(record: Comparison, name: str, values: list[Any], **where: Any) -> Any:
    """The gain of soft labels over ground truth at every length, a line for each of `values` of a column."""
    curves = {
        f"{value:,} images" if name == "images" else f"teacher saw images {value}": [
            record.difference({**SOFT, **where, name: value}, length=length, images=where.get("images", value))
            for length in record.lengths
        ]
        for value in values
    }
    label = "points over ground truth, 95 % interval"
    ax = lines_with_bands(curves, record.lengths, new_axes(9.2, 4.0), "updates", label)
    ax.axhline(0, color="grey", linewidth=1)
    ax.set_xscale("log")
    ax.set_xticks(record.lengths, [f"{length:,}" for length in record.lengths])
    return ax


def predictions(cases: list[dict[str, Any]]) -> Any:
    """For each case that the guide has not seen the predicted interval of the gain, in grey, and the measured one."""
    ax = new_axes(9.2, 0.9 + 0.45 * len(cases))
    for place, one in enumerate(reversed(cases)):
        predicted, measured = one["predicted"]["gain"], one["measured"]["gain"]
        ax.barh(place, 2 * predicted.half_width, left=predicted.low, color="lightgrey", height=0.6)
        ax.errorbar(measured.mean, place, xerr=measured.half_width, color=BLUE, marker="o", capsize=3)
    ax.set_yticks(range(len(cases)), [words_of(one) for one in reversed(cases)])
    ax.axvline(0, color="grey", linewidth=1)
    ax.set_xlabel("points over ground truth; grey: predicted from digits; dot: measured, 95 % interval")
    return ax


def words_of(tested: dict[str, Any]) -> str:
    case = tested["case"]
    further = f" of {case.labelled + case.unlabelled:,}" if case.unlabelled else ""
    return f"{tested['data']}, {case.labelled:,}{further} labelled"


def write_found(folder: Path) -> None:
    """One picture by number of labelled images, one by what the teacher saw, one of what the guide predicted."""
    record = Comparison.load(RECORD)
    saw = {"teacher saw": "as they are"}
    pictures = {
        "by_labels": gains_by_length(record, "images", [60, 240, 1200], **saw),
        "by_teacher": gains_by_length(record, "teacher saw", ["as they are", "shifted"], images=60),
        "guide": predictions(unseen()),
    }
    folder.mkdir(exist_ok=True)
    for name, ax in pictures.items():
        ax.figure.savefig(folder / f"{name}.png", dpi=110, metadata={"Software": None})
