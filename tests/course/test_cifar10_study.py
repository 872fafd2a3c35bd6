"""What notebook 07 and the first numbers say of CIFAR-10 in numbers is what was recorded."""

import re
from typing import Any

import pandas as pd
import pytest
from cells import NOTEBOOKS, prose
from conftest import ROOT
from scipy import stats

from kdcourse.records import recorded
from kdlearn import Comparison
from kdlearn.data.files import read_json

HOME = recorded("cifar10")
PAIRS = Comparison.load(HOME / "pairs.parquet").table
FIRST = Comparison.load(HOME / "recorded.parquet")
STUDY, LENGTHS, TUTORIAL, EXPORTED, NEAR = (
    read_json(HOME / f"{name}.json") for name in ("study", "lengths", "tutorial", "exported", "near_duplicates")
)
TRUTH, SMOOTHED, HARD, SOFT = "ground truth", "smoothed ground truth", "teacher's hard labels", "soft labels"
EVENLY, PERMUTED = "same entropy, spread evenly", "soft labels, permuted"
ALL, FEW = 45_000, 5000
PROSE = " ".join(prose(NOTEBOOKS["07_cifar10_distillation"]).split())
FIRST_NUMBERS = (ROOT / "book/first_numbers.md").read_text(encoding="utf-8")
NOT_OURS = r"arXiv [\d.]+|arxiv\.org/abs/[\d.]+|`[^`]*`|\$[^$]*\$|94 % in 3\.3 seconds|found 3\.3 %"
NOT_OURS += r"|(?:smoothed by|below ±) 0\.[18]"


def of(arm: str, epochs: int = 9, images: int = ALL, measure: str = "accuracy") -> pd.Series:
    """In percent, a value a pair; on few images each arm has one length."""
    rows = PAIRS.query("role == 'student' and strategy == @arm and images == @images")
    rows = rows if images == FEW else rows[rows["epochs"] == epochs]
    return 100 * rows.set_index("replicate")[measure]


def ends(values: pd.Series) -> tuple[float, float]:
    return stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))


def interval(values: pd.Series, sign: str = "") -> str:
    low, high = ends(values)
    return f"{values.mean():{sign}.1f} ± {(high - low) / 2:.1f}"


def level(arm: str, measure: str = "accuracy", images: int = ALL) -> str:
    return interval(of(arm, images=images, measure=measure)) + " %"


def gain(arm: str, reference: str = TRUTH, epochs: int = 9, images: int = ALL) -> str:
    return interval(of(arm, epochs, images) - of(reference, epochs, images), "+") + " points"


def of_first(arm: str, length: int = 900) -> pd.Series:
    """Of the first version, in percent, by seed."""
    rows = FIRST.table.query("strategy == @arm and labelled == 50_000 and length == @length")
    return 100 * rows.set_index("seed")["accuracy"]


def of_forms(name: str) -> dict[str, Any]:
    [found] = [form for form in EXPORTED["forms"] if form["form"] == name]
    return found


def parts() -> list[str]:
    change = (of(SOFT, 18) - of(TRUTH, 18)) - (of(SOFT, 4) - of(TRUTH, 4))
    few = {"images": FEW}
    return [
        f"the teacher's hard labels give {gain(HARD)}, and softness adds {gain(SOFT, HARD)}. Together, before "
        f"rounding, this is {gain(SOFT)}. After 4 epochs softness gives {gain(SOFT, HARD, 4)} and the whole gain is "
        f"{gain(SOFT, TRUTH, 4)}, after 18 {gain(SOFT, HARD, 18)} and {gain(SOFT, TRUTH, 18)}. From 4 to 18 epochs the "
        f"whole gain changes by {interval(change, '+')} points.",
        f"Soft labels give {gain(SOFT)}. Smoothed ground truth gives {gain(SMOOTHED)}, spread evenly {gain(EVENLY)}, "
        f"permuted {gain(PERMUTED)}. So soft labels lie {gain(SOFT, SMOOTHED)} above smoothing, {gain(SOFT, EVENLY)} "
        f"above the same doubt without its classes, and {gain(SOFT, PERMUTED)} above doubt that names wrong classes.",
        f"With 5,000 images ground truth reaches {level(TRUTH, **few)}. Hard labels add {gain(HARD, TRUTH, **few)}, "
        f"and softness {gain(SOFT, HARD, **few)} more. So here softness is most of the gain, "
        f"{gain(SOFT, TRUTH, **few)}.",
        f"Above those they lie {gain(EVENLY, HARD)} and {gain(PERMUTED, HARD)}.",
        f"over {len(of(SOFT))} pairs, smoothing gives {gain(SMOOTHED)} and soft labels {gain(SOFT, SMOOTHED)} more.",
        f"soft labels lie {gain(SOFT)} above ground truth after 9 epochs, and {gain(SOFT, TRUTH, 18)} after 18.",
        f"is a part of it, by {gain(SOFT, EVENLY)}, is the least certain of the five",
        f"after 9 epochs it lies between {ends(of(HARD) - of(TRUTH))[0]:+.1f} and {ends(of(HARD) - of(TRUTH))[1]:+.1f} "
        "points.",
        f"may fall by {-ends(change)[0]:.1f} points or grow by {ends(change)[1]:.1f}.",
        f"Soft labels lie {gain(SOFT, SMOOTHED)} above smoothed labels, which need no teacher.",
        f"5,000 images, a teacher of 45,000: soft labels lie {gain(SOFT, TRUTH, **few)} above ground truth.",
        f"No. Its hard labels add {gain(HARD, TRUTH, **few)}, the smaller part.",
        f"Yes. Softness adds {gain(SOFT, HARD, **few)} more.",
        f"and softness adds {gain(SOFT, HARD, **few)} to theirs.",
    ]


def trust() -> list[str]:
    before, after = "calibration_error", "scaled_calibration_error"
    scales = [of(arm, measure="scaling_temperature").mean() / 100 for arm in (SMOOTHED, SOFT)]
    more = of(SOFT, measure="repeats_teacher") - of(TRUTH, measure="repeats_teacher")
    return [
        f"Worst before scaling are smoothed labels, {level(SMOOTHED, before)}; worst after it are permuted ones, "
        f"{level(PERMUTED, after)}.",
        f"The error of ground truth is {level(TRUTH, before)}, that of soft labels {level(SOFT, before)}. After "
        f"scaling these are {level(TRUTH, after)} and {level(SOFT, after)}, and smoothing's is "
        f"{level(SMOOTHED, after)}.",
        f"its temperature says so: {scales[0]:.2f}.",
        f"are a little too sure: {scales[1]:.2f} in the mean.",
        f"calibration error from {of(SMOOTHED, measure=before).mean():.1f} to "
        f"{of(SMOOTHED, measure=after).mean():.1f} %",
        f"as before one looked at its confidence: {level(SMOOTHED)}.",
        f"which never met the teacher, repeats {level(TRUTH, 'repeats_teacher')} of its mistakes. With soft labels it "
        f"is {level(SOFT, 'repeats_teacher')}, so {interval(more, '+')} points. Of the independent student's mistakes "
        f"it repeats {level(SOFT, 'repeats_student')}, where ground truth repeats {level(TRUTH, 'repeats_student')}",
        f"the calibration error is {level(SMOOTHED, before)}.",
        f"After it the error is {level(SMOOTHED, after)}.",
    ]


def costs() -> list[str]:
    nine = PAIRS.query("role == 'student' and images == @ALL and epochs == 9")["seconds"].median()
    teachers = PAIRS.query("role == 'teacher'")["seconds"].median()
    torchs, onnx, small = map(of_forms, ("PyTorch", "ONNX Runtime", "ONNX Runtime, int8"))
    total = {name: sum(took.values()) for name, took in TUTORIAL["seconds"].items()}
    return [
        f"A student takes {nine:.0f} seconds of one core, the median of all kinds. Its teacher takes {teachers:,.0f},",
        f"{100 * small['accuracy']:.2f} % against {100 * torchs['accuracy']:.2f} %. Both give the same answer to "
        f"{100 * small['agreement']:.1f} % of the images. In ONNX Runtime one image takes "
        f"{small['milliseconds']['1']:.2f} ms instead of {onnx['milliseconds']['1']:.2f}, and the file is "
        f"{onnx['bytes'] / small['bytes']:.1f} times smaller.",
        f"would take {total['the tutorial']:,.0f} seconds on two cores.",
        f"`cpu` would take {total['preset cpu']:,.0f}, `cpu-quick` {total['preset cpu-quick']:,.0f} (all",
    ]


def first_version() -> list[str]:
    changes = of_first(SOFT) - of_first(TRUTH)
    longer = of_first(SOFT, 2400) - of_first(TRUTH, 2400)
    reach = ends(longer)[1]
    [near] = [one["share"] for one in NEAR["thresholds"] if one["correlation"] == 0.94]
    return [
        f"Soft labels gave {interval(changes, '+')} points.",
        f"the interval reaches to {reach:+.1f}.",
        f"about {100 * near:.0f} % of the test images have a near-duplicate",
    ]


SENTENCES = [*parts(), *trust(), *costs(), *first_version()]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_notebook_quotes_what_was_recorded(sentence):
    assert sentence in PROSE


def test_the_notebook_quotes_no_other_measurement():
    left = PROSE
    for sentence in SENTENCES:
        left = left.replace(sentence, "")
    assert not re.findall(r".{30}(?:\d\.\d|±).{10}", re.sub(NOT_OURS, "", left))


@pytest.mark.parametrize(
    "found",
    [
        f"soft labels give {gain(SOFT)} over ground truth after 9 epochs and {gain(SOFT, TRUTH, 18)} after 18",
        f"{gain(SOFT, HARD)} of it, after 9, by their softness",
        f"On 5,000 images, labelled by a teacher that learned from 45,000, they give {gain(SOFT, TRUTH, images=FEW)}",
    ],
)
def test_the_first_numbers_quote_what_was_recorded(found):
    assert found in " ".join(FIRST_NUMBERS.split())


def test_soft_labels_had_more_tuning_runs_than_others_in_the_first_version():
    counts = pd.Series([run["strategy"]["name"] for run in STUDY["tuning"]]).value_counts()
    assert counts[SOFT] == 9 and set(counts.drop(SOFT)) == {6}


def test_the_first_recording_says_where_it_comes_from():
    page = (HOME / "README.md").read_text(encoding="utf-8")
    for record in (STUDY, LENGTHS["long"], LENGTHS["quick"], TUTORIAL):
        commit: Any = record["provenance"]["commit"]
        assert re.fullmatch("[0-9a-f]{12}", commit) and commit in page, "record from a clean commit, and say which"
    assert (FIRST.table["parameters"] <= 267_738).all(), "no more than the official tutorial's student"


def test_the_page_tells_the_students_of_other_sizes_as_recorded():
    sizes, page = pd.read_parquet(HOME / "sizes.parquet"), (HOME / "README.md").read_text(encoding="utf-8")
    for (network, parameters), rows in sizes.groupby(["network", "parameters"]):
        truth, soft = (100 * rows.set_index("strategy")["accuracy"][arm] for arm in (TRUTH, SOFT))
        assert f"| {network} | {parameters:,} | {truth:.1f} % | {soft:.1f} % |" in page
    assert len(sizes) == 8
