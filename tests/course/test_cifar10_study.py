"""What notebook 07 and the README say of the CIFAR-10 study in numbers is what was recorded."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy import stats

from kdlearn import Comparison
from kdlearn.data.files import read_json
from kdlearn.studies.records import recorded

RECORD = Comparison.load(recorded("cifar10") / "recorded.parquet")
STUDY, LENGTHS, TUTORIAL = (
    read_json(recorded("cifar10") / f"{name}.json") for name in ("study", "lengths", "tutorial")
)
TRUTH, SMOOTHED, HARD, SOFT = "ground truth", "smoothed ground truth", "teacher's hard labels", "soft labels"
NINE, QUICK, LONG, ALONE = 900, 1600, 2400, 3600  # updates
CELLS = read_json(ROOT / "notebooks" / "07_cifar10_distillation.ipynb")["cells"]
PROSE = " ".join(" ".join("".join(cell["source"]).split()) for cell in CELLS if cell["cell_type"] == "markdown")
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOT_OURS = (
    r"arXiv [\d.]+|arxiv\.org/abs/[\d.]+|`[^`]*`|\$[^$]*\$|94 % in 2\.6 seconds|(?:rate|smoothed by|below ±) 0\.[18]"
)


def of(arm: str, labelled: int = 50_000, measure: str = "accuracy", length: int = NINE) -> pd.Series:
    """In percent, by seed."""
    rows = RECORD.table.query("strategy == @arm and labelled == @labelled and length == @length")
    return 100 * rows.set_index("seed")[measure]


def interval(values: pd.Series, sign: str = "") -> str:
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    return f"{values.mean():{sign}.1f} ± {(high - low) / 2:.1f}"


def level(arm: str, measure: str = "accuracy", labelled: int = 50_000) -> str:
    return interval(of(arm, labelled, measure)) + " %"


def gain(arm: str, reference: str = TRUTH, labelled: int = 50_000, length: int = NINE) -> str:
    return interval(of(arm, labelled, length=length) - of(reference, labelled, length=length), "+") + " points"


def error(arm: str) -> str:
    return f"{of(arm, measure='calibration_error').mean():.1f} %"


def held_out(smoothing: float, temperature: float) -> str:
    soft = [run for run in STUDY["tuning"] if run["strategy"] == {"name": SOFT, "temperature": temperature}]
    (tried,) = (run for run in soft if (run["teacher_smoothing"], run["learning_rate"]) == (smoothing, 0.8))
    return f"{100 * tried['accuracy']:.1f} %"


def few(labelled: int) -> tuple[str, str, str]:
    return level(TRUTH, labelled=labelled), gain(HARD, TRUTH, labelled), gain(SOFT, HARD, labelled)


def quick_seconds() -> float:
    """A teacher, its labels, and one student of each kind."""
    teacher = LENGTHS["quick"]["teacher"]
    students = RECORD.table.query("length == @QUICK")["seconds"]
    return teacher["seconds"] + teacher["labelling_seconds"] + students.sum()


def long_sentences() -> list[str]:
    teacher, changes = LENGTHS["long"]["teacher"], of(SOFT, length=LONG) - of(TRUTH, length=LONG)
    low, high = stats.t.interval(0.95, len(changes) - 1, changes.mean(), stats.sem(changes))
    return [
        f"The teacher reaches {100 * teacher['accuracy']:.1f} % in {teacher['seconds']:.0f} seconds, "
        f"ground truth {interval(of(TRUTH, length=LONG))} %.",
        f"Soft labels add {gain(SOFT, length=LONG)}.",
        f"allows {low:+.1f} to {high:+.1f} points",
        f"It adds {gain(SMOOTHED, length=LONG)} here. Soft labels are {gain(SOFT, SMOOTHED, length=LONG)} above it.",
        f"18 epochs ground truth alone reaches {interval(of(TRUTH, length=ALONE))} %",
    ]


def sentences() -> list[str]:
    teacher, total = STUDY["teacher"], {name: sum(parts.values()) for name, parts in TUTORIAL["seconds"].items()}
    plain, smoothed = (f"{100 * tried['accuracy']:.1f} %" for tried in STUDY["teachers_tried"])
    spread = [f"{tried['logit_deviation']:.1f}" for tried in STUDY["teachers_tried"]]
    own = RECORD.table.query("length == @NINE and labelled == 50_000")["seconds"].median()
    share = teacher["seconds"] + teacher["labelling_seconds"]
    its_error = f"{100 * teacher['calibration_error']:.1f} %"
    repeats = [level(arm, "repeats_mistakes") for arm in (TRUTH, HARD, SOFT)]
    agrees = [f"{of(arm, measure='agreement').mean():.1f} %" for arm in (TRUTH, SOFT)]
    return [
        f"$T = 4$ is worst, {held_out(0, 4)} against {held_out(0, 2)} at $T = 2$",
        f"It is best from the smoothed one, {held_out(0.1, 4)}.",
        f"deviation within an image is {spread[0]}, the smoothed one's {spread[1]}.",
        f"worse classifier ({smoothed} against {plain})",
        f"Soft labels add {gain(SOFT)}. The same teacher's hard labels add {gain(HARD)}.",
        f"the students differ by {gain(SOFT, HARD)}.",
        f"It adds {gain(SMOOTHED)}, about half of the gain. Soft labels are {gain(SOFT, SMOOTHED)} above it.",
        *long_sentences(),
        "With 500 labels the student alone reaches {}. The teacher's *hard* labels on the other images add {}, "
        "and softness adds {} more.".format(*few(500)),
        "With 5,000 labels it reaches {}. Hard labels add {}, and softness {} more.".format(*few(5000)),
        f"A student takes {own:.0f} seconds, whatever its labels",
        f"The teacher's share is {share:.0f} seconds, once",
        f"would take {total['the tutorial']:,.0f} seconds on two cores. "
        f"Preset `cpu` would take {total['preset cpu']:,.0f} there",
        f"`cpu-quick` took {quick_seconds():,.0f}, a share of {quick_seconds() / total['the tutorial']:.2f}",
        f"Its student of soft labels reaches {of(SOFT, length=QUICK).item():.1f} %",
        f"It is {error(TRUTH)} for the student on ground truth, and {error(HARD)} on the teacher's hard labels.",
        f"Smoothed labels make it {error(SMOOTHED)}, and soft labels {error(SOFT)}",
        f"as modest as its teacher, whose error is {its_error}.",
        f"already makes {repeats[0]} of its mistakes",
        f"With hard labels it is {repeats[1]}, and with soft labels {repeats[2]}.",
        f"Agreement with the teacher rises from {agrees[0]} to {agrees[1]}",
        f"soft labels added {gain(SOFT)}, and the teacher's hard labels {gain(HARD)}. "
        f"In twelve epochs with smaller steps soft labels added {gain(SOFT, length=LONG)}.",
        f"In nine epochs soft labels add {gain(SOFT)}, in twelve with smaller steps {gain(SOFT, length=LONG)}.",
        f"Softness adds {few(500)[2]} more.",
        f"The teacher's hard labels add {few(500)[1]}.",
        f"Its calibration error is {error(SOFT)}, and that of the student on ground truth {error(TRUTH)}.",
        f"was trained on smoothed labels, and its error is {its_error}.",
    ]


@pytest.mark.parametrize("sentence", sentences())
def test_the_notebook_quotes_what_was_recorded(sentence):
    assert sentence in PROSE


def test_the_notebook_quotes_no_other_measurement():
    left = PROSE
    for sentence in sentences():
        left = left.replace(sentence, "")
    assert not re.findall(r".{30}(?:\d\.\d|±).{10}", re.sub(NOT_OURS, "", left))


def test_soft_labels_had_more_tuning_runs_than_others():
    counts = pd.Series([run["strategy"]["name"] for run in STUDY["tuning"]]).value_counts()
    assert counts[SOFT] == 9 and set(counts.drop(SOFT)) == {6}


@pytest.mark.parametrize(
    "found",
    [
        f"soft labels add {gain(SOFT)}, the same teacher's hard labels {gain(HARD)}",
        f"smoothed ground truth, which needs no teacher, {gain(SMOOTHED)}",
        f"{gain(SOFT, length=LONG)}: its interval {long_sentences()[2]}",
        "{} alone; hard labels on the other images add {}, softness {} more".format(*few(500)),
    ],
)
def test_the_readme_quotes_what_was_recorded(found):
    assert found in " ".join(README.split())


def test_differences_are_those_of_the_comparison():
    """Two routes: scipy over pairs here, and `Comparison.difference`."""
    for arm, options in ((SOFT, {"length": NINE, "labelled": 50_000}), (HARD, {"length": NINE, "labelled": 500})):
        found = RECORD.difference(arm, TRUTH, **options)
        assert f"{found:+.1f} points" == gain(arm, labelled=options["labelled"])


def test_the_recording_says_where_it_comes_from():
    page = (recorded("cifar10") / "README.md").read_text(encoding="utf-8")
    for record in (STUDY, LENGTHS["long"], LENGTHS["quick"], TUTORIAL):
        commit: Any = record["provenance"]["commit"]
        assert re.fullmatch("[0-9a-f]{12}", commit) and commit in page, "record from a clean commit, and say which"
    assert STUDY["settings"]["evaluated_on"] == "test" and STUDY["settings"]["images"] == 50_000
    assert (RECORD.table["parameters"] <= 267_738).all(), "no more than the official tutorial's student"
    seeds = {arm: [len(of(arm, size)) for size in (500, 5000, 50_000)] for arm in (TRUTH, HARD, SOFT)}
    assert all(counts == [3, 3, 5] for counts in seeds.values())
    assert [len(of(arm, length=LONG)) for arm in (TRUTH, SMOOTHED, SOFT)] == [5, 5, 5]


def test_the_table_is_plain_columns():
    kinds = {str(kind) for kind in RECORD.table.dtypes}
    assert kinds <= {"int64", "float64", "str", "object"}
    assert np.isnan(RECORD.table.query("strategy == @TRUTH")["temperature"]).all()
