"""What notebook 07 and the README say of the CIFAR-10 study in numbers is what was recorded."""

import re
from collections.abc import Mapping
from statistics import median
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from scipy import stats

from kdlearn.data.files import read_json
from kdlearn.studies import format_table, recorded, summarise

STUDY, LENGTHS, TUTORIAL = (
    read_json(recorded("cifar10") / f"{name}.json") for name in ("study", "lengths", "tutorial")
)
LONG, QUICK = LENGTHS["long"], LENGTHS["quick"]
TRUTH, SMOOTHED, HARD, SOFT = "ground truth", "smoothed ground truth", "teacher's hard labels", "soft labels"
BOTH = next(run["arm"] for run in STUDY["runs"] if run["arm"].startswith("soft labels + ground truth"))
CELLS = read_json(ROOT / "notebooks" / "07_cifar10_distillation.ipynb")["cells"]
PROSE = " ".join(" ".join("".join(cell["source"]).split()) for cell in CELLS if cell["cell_type"] == "markdown")
NOT_OURS = (
    r"arXiv [\d.]+|arxiv\.org/abs/[\d.]+|`[^`]*`|\$[^$]*\$|94 % in 2\.6 seconds|(?:rate|smoothed by|below ±) 0\.[18]"
)


def of(arm: str, labelled: int = 50_000, measure: str = "accuracy") -> np.ndarray:
    runs = [run for run in STUDY["runs"] if run["arm"] == arm and run["part"] == f"{labelled:,} labelled images"]
    return np.array([100 * run[measure] for run in sorted(runs, key=lambda run: run["seed"])])


def interval(values: np.ndarray, sign: str = "") -> str:
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    return f"{values.mean():{sign}.1f} ± {(high - low) / 2:.1f}"


def level(arm: str, measure: str = "accuracy", labelled: int = 50_000) -> str:
    return interval(of(arm, labelled, measure)) + " %"


def gain(arm: str, reference: str = TRUTH, labelled: int = 50_000) -> str:
    return interval(of(arm, labelled) - of(reference, labelled), "+") + " points"


def error(arm: str) -> str:
    return f"{of(arm, measure='calibration_error').mean():.1f} %"


def held_out(smoothing: float, temperature: float) -> str:
    soft = [run for run in STUDY["tuning"] if run["strategy"] == {"name": SOFT, "temperature": temperature}]
    (tried,) = (run for run in soft if (run["teacher_smoothing"], run["learning_rate"]) == (smoothing, 0.8))
    return f"{100 * tried['accuracy']:.1f} %"


def at_length(report: Mapping[str, Any], arm: str) -> np.ndarray:
    """By seed, as the rows stand."""
    return np.array([100 * run["accuracy"] for run in report["runs"] if run["arm"] == arm])


def long_gain(arm: str, reference: str = TRUTH) -> str:
    return interval(at_length(LONG, arm) - at_length(LONG, reference), "+") + " points"


def seconds_in_all(report: Mapping[str, Any]) -> float:
    """A teacher, its labels, and one student of each kind."""
    teacher = report["teacher"]
    return teacher["seconds"] + teacher["labelling_seconds"] + sum(run["seconds"] for run in report["runs"])


def few(labelled: int) -> tuple[str, str, str]:
    alone, hard = level(TRUTH, labelled=labelled), gain(HARD, TRUTH, labelled)
    return alone, hard, gain(SOFT, HARD, labelled)


def long_sentences() -> list[str]:
    teacher, alone = LONG["teacher"], [100 * run["accuracy"] for run in LONG["alone"]]
    return [
        f"The teacher reaches {100 * teacher['accuracy']:.1f} % in {teacher['seconds']:.0f} seconds, "
        f"ground truth {interval(at_length(LONG, TRUTH))} %.",
        f"Smoothing adds {long_gain(SMOOTHED)}, soft labels {long_gain(SOFT)}, {long_gain(SOFT, SMOOTHED)} beyond",
        f"in 18 epochs ground truth alone reaches {interval(np.array(alone))} %.",
    ]


def sentences() -> list[str]:
    teacher, total = STUDY["teacher"], {name: sum(parts.values()) for name, parts in TUTORIAL["seconds"].items()}
    plain, smoothed = (f"{100 * tried['accuracy']:.1f} %" for tried in STUDY["teachers_tried"])
    spread = [f"{tried['logit_deviation']:.1f}" for tried in STUDY["teachers_tried"]]
    quick = seconds_in_all(QUICK)
    own = median(run["seconds"] for run in STUDY["runs"] if run["labelled"] == 1)
    share = teacher["seconds"] + teacher["labelling_seconds"]
    its_error = f"{100 * teacher['calibration_error']:.1f} %"
    repeats = [level(arm, "repeats_mistakes") for arm in (TRUTH, HARD, SOFT)]
    agrees = [f"{of(arm, measure='agreement').mean():.1f} %" for arm in (TRUTH, SOFT)]
    return [
        f"$T = 4$ is worst, {held_out(0, 4)} against {held_out(0, 2)} at $T = 2$",
        f"from the smoothed one it is best, {held_out(0.1, 4)}.",
        f"deviation within an image is {spread[0]}, the smoothed one's {spread[1]}:",
        f"worse classifier ({smoothed} against {plain})",
        f"Soft labels add {gain(SOFT)}, with ground truth beside them {gain(BOTH)};",
        f"smoothing adds {gain(SMOOTHED)}, the teacher's hard labels {gain(HARD)}.",
        f"{gain(SOFT, HARD)} between soft and hard labels of one teacher",
        f"soft labels are {gain(SOFT, SMOOTHED)} beyond.",
        *long_sentences(),
        "With 500 labels the student alone reaches {}. The teacher's *hard* labels on the other images add {}, "
        "softness {} more.".format(*few(500)),
        "With 5,000: {}, then {}, then {}.".format(*few(5000)),
        f"A student takes {own:.0f} seconds, whatever its labels",
        f"The teacher's share is {share:.0f} seconds, once",
        f"would take {total['the tutorial']:,.0f} seconds on two cores, preset `cpu` {total['preset cpu']:,.0f} there",
        f"`cpu-quick` took {quick:,.0f}, a share of {quick / total['the tutorial']:.2f}",
        f"its student of soft labels reaches {at_length(QUICK, SOFT).item():.1f} %",
        f"errs by {error(TRUTH)} (expected calibration error), on the teacher's hard labels by {error(HARD)}.",
        f"Smoothed labels make it {error(SMOOTHED)}, and soft labels {error(SOFT)}",
        f"its teacher's modesty, {its_error},",
        f"already makes {repeats[0]} of its mistakes",
        f"On hard labels it is {repeats[1]}, on soft ones {repeats[2]}.",
        f"agreement with the teacher rises from {agrees[0]} to {agrees[1]}",
        f"soft labels added {gain(SOFT)} in nine epochs, the teacher's hard labels {gain(HARD)}; "
        f"in twelve, with smaller steps, {long_gain(SOFT)}.",
    ]


@pytest.mark.parametrize("sentence", sentences())
def test_the_notebook_quotes_what_was_recorded(sentence):
    assert sentence in PROSE


def test_the_notebook_quotes_no_other_measurement():
    left = PROSE
    for sentence in sentences():
        left = left.replace(sentence, "")
    assert not re.findall(r".{30}(?:\d\.\d|±).{10}", re.sub(NOT_OURS, "", left))


def test_the_readme_shows_the_recorded_table():
    everything = summarise([run for run in STUDY["runs"] if run["labelled"] == 1])
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert format_table(everything, STUDY["teacher"]) in readme


@pytest.mark.parametrize(
    "sentence",
    [
        *long_sentences(),
        f"a plain one, at half the learning rate, reaches {100 * LONG['plain_teacher']['accuracy']:.1f} %",
    ],
)
def test_the_readme_quotes_what_was_recorded(sentence):
    assert sentence in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


def test_the_recording_says_where_it_comes_from():
    for record in (STUDY, LONG, QUICK, TUTORIAL):
        assert re.fullmatch("[0-9a-f]{12}", record["provenance"]["commit"]), "record from a clean commit"
    assert STUDY["settings"]["evaluated_on"] == "test" and STUDY["settings"]["images"] == 50_000
    assert STUDY["student"]["parameters"] <= 267_738, "no more than the official tutorial's student"
    seeds = {(arm, size): len(of(arm, size)) for arm in (TRUTH, HARD, SOFT) for size in (500, 5000, 50_000)}
    assert all(run["parameters"] <= 267_738 for run in LONG["runs"] + LONG["alone"] + QUICK["runs"])
    assert [len(at_length(LONG, arm)) for arm in (TRUTH, SMOOTHED, SOFT)] == [5, 5, 5]
    assert set(seeds.values()) == {3, 5} and all(len(of(arm)) == 5 for arm in (SMOOTHED, BOTH))
