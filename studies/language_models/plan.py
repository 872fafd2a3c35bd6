"""Language models of a laptop's size: what does a teacher give a student that reads little text, and by which loss?

Text: characters of Shakespeare's plays in windows of 64, see `kdcourse.load_characters`. The teacher, a Transformer of
618,817 parameters, reads the first 90 % of the text, 2,000 updates of 32 windows. The student is 20 times smaller,
31,553 parameters. It reads a piece of 30,721 characters, 3 % of what the teacher read, which is a part of it. All are
tested on the last 5 % of the text, other plays.

Arms, T = 1 where none is said: ground truth; the teacher's hard labels, a label drawn from it at each place, its soft
labels at T = 1 and T = 2; reverse KL, Jensen-Shannon with equal shares, skewed and skewed reverse KL with a share of
0.1; the four likeliest characters alone, the tail as one bucket, as nothing, and as one character drawn; text that the
teacher has written, as many characters as the piece and four times as many, as hard labels, and its soft labels there.

Control: a teacher of the same size that read the piece alone, stopped on validation. What its soft labels give needs no
further text; what the large text's teacher gives beyond it may be that text.

Measured: nats a character on the test (`loss`), which is minus the student's log-likelihood of the data. Then the
student continues 512 windows of the test after 16 characters by 48: `teachers_nats` is what the teacher finds in them,
minus its log-likelihood of the student's text, and `own_nats` what the student itself finds, its entropy.

Choice. For each arm the learning rate of Adam (0.001, 0.003, 0.01) and the number of updates (188, 375 or 750, which
are 50 times through the piece) with the least loss on validation of another piece with a teacher of its own. So every
arm is stopped on validation, ground truth too. `tuning.parquet` holds every score. The test is read once, by fresh
runs. Two things were cut after tuning and before the test was read, to fit the machine: 1,500 updates, which most arms
on soft labels would have taken, and a further rate at an end of the grid that an arm had chosen.

Repetition. Five replicates, each with a piece, a teacher and a seed of its own; intervals are Student's t over the five
paired differences. They hold for other pieces, teachers and seeds, and for this text and these two sizes.

Beside it, exploratory. The last quarter: a student of soft labels goes on for the last 180 of 750 updates by forward or
reverse KL, on the piece or on text that it writes itself while it is trained (on-policy, GKD); the rate is that of soft
labels. Whole text: ground truth and soft labels on all that the teacher read, up to 3,000 updates, at the rates of the
piece; with `seconds`, the teacher's too, for a comparison at equal time. When this had been recorded for two replicates
it was seen that ground truth had too little time for such a comparison, and that the rate, 0.01, might not suit so
long a training. So both were also trained at 0.003, and ground truth goes on there for 6,000 updates, a third of the
time that the teacher and its student take together. Seconds are those of one busy core; the teacher's answers to the
text, one pass over it, are not in them.

Planned, one Holm family of five, two-sided; each arm at its own rate and length:
1. loss: soft labels - ground truth;
2. loss: soft labels - soft labels of the teacher that read the piece alone;
3. loss: the teacher's text, as many characters - soft labels on the piece (training on its text against training on its
   soft labels);
4. teachers_nats: reverse KL - soft labels, which is forward KL (reverse KL writes what the teacher finds likelier);
5. loss: top 4, the tail as nothing - top 4, the tail as one bucket.
All else is exploratory. A pilot with another student, two seeds and nothing tuned has shown 1 (2.06 against 2.65 nats).
Of 2 to 5 there was none; a few updates of each arm have tried the code.

Recorded on 2026-11-26, the last rows with commit 70677e8: with the losses as they were before c03eb3f of 2026-12-03
wrote each as its formula. It takes hours and was not made again since.

Data: `KDLEARN_DATA` names the folder, see `kdcourse.load_characters`.
Command: `python studies/language_models/plan.py FOLDER --workers 2`. It writes comparison.parquet and tuning.parquet
beside this file after each unit of work, which is a part of the study on one replicate, and goes on from what they
hold, so that it can be stopped at any time. Reckoned from a few updates on one core of an AMD EPYC without AMX, an
update of the student takes 0.028 s, of the teacher 0.165 s: at most 3.3 hours of one core in all, of which tuning
0.9, the arms 1.6, the last quarter 0.3 and the whole text 0.5; the smaller rate there came later, 0.4. Before anything
was run it was cut to this from 5.3 hours: six replicates, two pieces for tuning and twice the length on the whole text.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import as_completed
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import typer
from torch import Tensor, nn

import kdcourse
import kdlearn
from kdcourse import character_transformer
from kdcourse.data.characters import LENGTH
from kdlearn import (
    Adam,
    Comparison,
    GroundTruth,
    JensenShannon,
    Machine,
    ReverseDivergence,
    Run,
    SoftLabels,
    Strategy,
    TeachersHardLabels,
    hard_label_loss,
    predict,
)
from kdlearn.data.batches import BatchStream
from kdlearn.data.dataset import Dataset, Split
from kdlearn.data.files import read_table, read_tensors, write_table, write_tensors
from kdlearn.engine.study import the_executor
from kdlearn.formulas.intervals import Interval, interval
from kdlearn.training.answers import StoredAnswers
from kdlearn.training.sampled_text import OnPolicy, sampled_text
from kdlearn.training.token_strategies import SkewedDivergence, SkewedReverseDivergence, TeachersSampledLabels, TopK

RECORD, TUNING = (Path(__file__).with_name(name) for name in ("comparison.parquet", "tuning.parquet"))
REPLICATES, TUNED_ON = range(6000, 6005), range(6006, 6007)
WINDOWS, APART, BATCH_SIZE = 480, 4, 32  # of a piece; every fourth piece of the text is one
STUDENT, TEACHER = character_transformer, partial(character_transformer, width=128, depth=3)
TEACHER_UPDATES, SMALL_UPDATES, TEACHER_RATE = 2000, (100, 200, 300, 400), 1e-3
RATES, LENGTHS, WHOLE_LENGTHS = (0.001, 0.003, 0.01), (188, 375, 750, 1500), (375, 750, 1500, 3000)
LONGER_LENGTHS, SLOWER = (6000,), 0.003  # of ground truth on the whole text, and the other rate there
LONGEST = 750  # of what is chosen
LAST_EPOCHS = 12  # of 15 updates: a quarter of the longest
PROMPT, SAMPLES, MORE = 16, 512, 4
ONE_CORE = Machine(threads=1)

TRUTH, SOFT, SMALL, REVERSE = GroundTruth.name, SoftLabels.name, "soft labels of the piece's teacher", "reverse KL"
TEXT, MORE_TEXT = "teacher's text", "teacher's text, four times as much"
BUCKET, NOTHING, DRAWN = (f"top 4, the tail {how}" for how in ("as one bucket", "as nothing", "drawn"))
PIECE, WHOLE, WRITTEN, MORE_WRITTEN = "piece", "whole text", "teacher's", "teacher's, more"
SMALL_TEACHER, LARGE_TEACHER = "of the piece", "of the whole text"
ARMS_PART, LAST_PART, TEACHERS_PART = "arms", "last quarter", "teachers"
WHOLE_PART, SLOWER_PART = "whole text", "whole text, slower"


class Arm(NamedTuple):
    """A strategy, which text it reads, and which teacher answers."""

    strategy: Strategy
    text: str = PIECE
    teacher: str = LARGE_TEACHER


ARMS: Mapping[str, Arm] = {
    TRUTH: Arm(GroundTruth(), teacher=""),
    SMALL: Arm(SoftLabels(1.0), teacher=SMALL_TEACHER),
    "teacher's hard labels": Arm(TeachersHardLabels()),
    "teacher's sampled labels": Arm(TeachersSampledLabels()),
    SOFT: Arm(SoftLabels(1.0)),
    "soft labels, T = 2": Arm(SoftLabels(2.0)),
    REVERSE: Arm(ReverseDivergence(1.0)),
    "Jensen-Shannon": Arm(JensenShannon(1.0, 0.5)),
    "skewed KL": Arm(SkewedDivergence(1.0, 0.1)),
    "skewed reverse KL": Arm(SkewedReverseDivergence(1.0, 0.1)),
    BUCKET: Arm(TopK(1.0, 4, "bucket")),
    NOTHING: Arm(TopK(1.0, 4, "nothing")),
    DRAWN: Arm(TopK(1.0, 4, "sampled")),
    TEXT: Arm(GroundTruth(), WRITTEN, ""),
    MORE_TEXT: Arm(GroundTruth(), MORE_WRITTEN, ""),
    "soft labels on teacher's text": Arm(SoftLabels(1.0), WRITTEN),
}
LAST: Mapping[str, tuple[Strategy, bool]] = {  # the strategy, and whether the student writes the text
    "forward KL on the piece": (SoftLabels(1.0), False),
    "reverse KL on the piece": (ReverseDivergence(1.0), False),
    "forward KL on its own text": (SoftLabels(1.0), True),
    "reverse KL on its own text": (ReverseDivergence(1.0), True),
}


def text_of(replicate: int, whole: bool = False) -> Dataset:
    """All that the large text's teacher reads, or the replicate's piece of it."""
    if whole:
        return kdcourse.load_characters(length=LENGTH)
    piece = APART * (replicate - REPLICATES[0])
    return kdcourse.load_characters(length=LENGTH, characters=WINDOWS * LENGTH + 1, piece=piece)


def teacher_of(replicate: int, data: Dataset, lengths: tuple[int, ...], **options: Any) -> Run:
    recipe: dict[str, Any] = {"optimizer": Adam(TEACHER_RATE), "batch_size": BATCH_SIZE}
    return Run(data, TEACHER, lengths=lengths, replicate=replicate, **recipe, **options)


class Material:
    """What the runs of a replicate share: its texts, and its teachers, one of which is trained at once."""

    def __init__(self, replicate: int, small_updates: int, folder: Path) -> None:
        self.replicate, self.folder = replicate, folder / str(replicate)
        piece, whole = text_of(replicate), text_of(replicate, whole=True)
        self.teachers = {
            LARGE_TEACHER: teacher_of(replicate, whole, (TEACHER_UPDATES,)),
            SMALL_TEACHER: teacher_of(replicate, piece, (small_updates,)),
        }
        self.texts = {PIECE: piece, WHOLE: whole}
        [self.teacher] = kdlearn.trained_networks([self.teachers[LARGE_TEACHER]], self.folder, machine=ONE_CORE)

    def add_written(self) -> None:
        """The texts that the teacher writes, which continue the beginnings of the piece's windows."""
        piece, file = self.texts[PIECE], self.folder.with_suffix(".safetensors")
        decided = kdlearn.weights_hash(self.teacher)
        if not file.exists():
            prompts = piece.train.inputs[:, :PROMPT].repeat(MORE, 1)
            options = {"window": LENGTH, "seed": self.replicate, "machine": ONE_CORE}
            text = sampled_text(self.teacher, prompts, PROMPT + LENGTH + 1, **options)
            write_tensors(file, {"text": text[:, PROMPT:].contiguous()}, decided)
        text = read_tensors(file, decided)["text"]
        for name, rows in ((WRITTEN, len(piece.train.inputs)), (MORE_WRITTEN, len(text))):
            train = Split(text[:rows, :-1].contiguous(), text[:rows, 1:].contiguous())
            self.texts[name] = Dataset(train, piece.test, piece.validation, piece.class_names, name="characters")

    def run(self, name: str, arm: Arm, rate: float, lengths: tuple[int, ...], part: str, **options: Any) -> Run:
        names = {"part": part, "strategy": name, "text": arm.text, "teacher": arm.teacher}
        return Run(
            self.texts[arm.text], STUDENT, arm.strategy, self.teachers.get(arm.teacher), lengths,
            replicate=self.replicate, optimizer=Adam(rate), batch_size=BATCH_SIZE, names=names, **options,
        )  # fmt: skip

    def measured(self, runs: list[Run]) -> pd.DataFrame:
        """A row a run and length; after the last length what the student writes is measured too."""
        told = kdlearn.study([replace(run, keep=True) for run in runs], self.folder, machine=ONE_CORE)
        networks = kdlearn.trained_networks(runs, self.folder, machine=ONE_CORE)
        written = [
            {"strategy": run.names["strategy"], "length": run.lengths[-1], **self.of_samples(network)}
            for run, network in zip(runs, networks, strict=True)
        ]
        return told.merge(pd.DataFrame(written), on=["strategy", "length"], how="left")

    def of_samples(self, network: nn.Module) -> dict[str, float]:
        prompts = self.texts[PIECE].test.inputs[:SAMPLES, :PROMPT]
        text = sampled_text(network, prompts, LENGTH, seed=self.replicate, machine=ONE_CORE)
        return {"teachers_nats": nats_of(self.teacher, text), "own_nats": nats_of(network, text)}


def nats_of(network: nn.Module, text: Tensor) -> float:
    """Minus the mean log-likelihood of the characters behind the prompt."""
    return hard_label_loss(predict(network, text)[:, PROMPT - 1 : -1], text[:, PROMPT:]).item()


def tuned(replicate: int, rates: tuple[float, ...], folder: Path) -> pd.DataFrame:
    """The loss on validation of every arm at these rates, and of the piece's teacher, at every length."""
    names = {"part": "tuning", "strategy": SMALL_TEACHER}
    small = teacher_of(replicate, text_of(replicate), SMALL_UPDATES, measured_on="validation", names=names)
    of_small = kdlearn.study([small], folder / str(replicate), machine=ONE_CORE)
    material = Material(replicate, int(of_small.sort_values("loss")["length"].iloc[0]), folder)
    material.add_written()
    options = {"lengths": LENGTHS, "part": "tuning", "measured_on": "validation"}
    runs = [material.run(name, arm, rate, **options) for name, arm in ARMS.items() for rate in rates]
    return pd.concat([of_small, kdlearn.study(runs, material.folder, machine=ONE_CORE)], ignore_index=True)


class Chosen(NamedTuple):
    rate: float
    length: int


Choices = Mapping[str, Chosen]


def choices(tuning: pd.DataFrame) -> Choices:
    """For each arm, and the piece's teacher, the rate and length with the least mean loss on validation."""
    allowed = tuning[tuning["length"] <= LONGEST]
    means = allowed.groupby(["strategy", "learning_rate", "length"])["loss"].mean()
    best = means.groupby("strategy").idxmin()
    return {str(name): Chosen(float(rate), int(length)) for name, (_, rate, length) in best.items()}


def arms(replicate: int, chosen: Choices, folder: Path) -> pd.DataFrame:
    """Every arm at its rate and length, and both teachers."""
    material = Material(replicate, chosen[SMALL_TEACHER].length, folder)
    material.add_written()
    runs = [material.run(name, arm, chosen[name].rate, (chosen[name].length,), ARMS_PART) for name, arm in ARMS.items()]
    return pd.concat([material.measured(runs), of_teachers(material)], ignore_index=True)


def of_teachers(material: Material) -> pd.DataFrame:
    """As arms of their own."""
    told = {LARGE_TEACHER: WHOLE, SMALL_TEACHER: PIECE}
    runs = []
    for name, text in told.items():
        names = {"part": TEACHERS_PART, "strategy": f"teacher {name}", "text": text, "teacher": ""}
        one = material.teachers[name]
        runs.append(teacher_of(material.replicate, one.data, one.lengths, names=names))
    return material.measured(runs)


def last_quarter(replicate: int, chosen: Choices, folder: Path) -> pd.DataFrame:
    """A student of soft labels goes on with each of `LAST`."""
    material, rate = Material(replicate, chosen[SMALL_TEACHER].length, folder), chosen[SOFT].rate
    data = material.texts[PIECE]
    epoch = len(BatchStream(data.train, BATCH_SIZE, seed=replicate))
    begun = (LONGEST - LAST_EPOCHS * epoch,)
    [student] = kdlearn.trained_networks(
        [material.run(SOFT, ARMS[SOFT], rate, begun, LAST_PART)], material.folder, machine=ONE_CORE
    )
    rows = []
    for name, (strategy, own) in LAST.items():
        network = copy.deepcopy(student)
        batches = own_text(network, material, epoch) if own else stored_batches(material)
        recipe: dict[str, Any] = {"optimizer": Adam(rate), "machine": ONE_CORE, "progress": False}
        with ONE_CORE.threading():
            kdlearn.train(network, batches, strategy, num_epochs=LAST_EPOCHS, **recipe)
        logits, labels = predict(network, data.test.inputs), data.test.labels
        told = {"loss": hard_label_loss(logits, labels).item(), "accuracy": kdlearn.accuracy(logits, labels)}
        names = {"part": LAST_PART, "strategy": name, "text": "own" if own else PIECE, "teacher": LARGE_TEACHER}
        repeated = {"learning_rate": rate, "replicate": replicate, "seed": 0, "length": LONGEST}
        rows.append({**names, **repeated, **told, **material.of_samples(network)})
    return pd.DataFrame(rows)


def own_text(student: nn.Module, material: Material, epoch: int) -> OnPolicy:
    prompts = material.texts[PIECE].train.inputs[:, :PROMPT]
    options: dict[str, Any] = {"length": LENGTH, "batch_size": BATCH_SIZE, "num_updates": epoch}
    options["seed"] = material.replicate
    return OnPolicy(student, material.teacher, prompts, **options)


def stored_batches(material: Material) -> BatchStream:
    train = material.texts[PIECE].train
    answers = StoredAnswers([predict(material.teacher, train.inputs)])
    return BatchStream(train, BATCH_SIZE, seed=material.replicate, answers=answers)


def whole_text(replicate: int, chosen: Choices, folder: Path) -> pd.DataFrame:
    """Ground truth and soft labels at the rates of the piece."""
    settings = {name: Chosen(chosen[name].rate, max(WHOLE_LENGTHS)) for name in (TRUTH, SOFT)}
    return of_whole_text(Material(replicate, chosen[SMALL_TEACHER].length, folder), settings, WHOLE_PART)


def whole_text_slower(replicate: int, chosen: Choices, folder: Path) -> pd.DataFrame:
    """At a smaller rate; ground truth goes on beyond the soft labels' last update."""
    settings = {TRUTH: Chosen(SLOWER, max(LONGER_LENGTHS)), SOFT: Chosen(SLOWER, max(WHOLE_LENGTHS))}
    return of_whole_text(Material(replicate, chosen[SMALL_TEACHER].length, folder), settings, SLOWER_PART)


def of_whole_text(material: Material, settings: Choices, part: str) -> pd.DataFrame:
    runs = []
    for name, (rate, longest) in settings.items():
        lengths = tuple(length for length in (*WHOLE_LENGTHS, *LONGER_LENGTHS) if length <= longest)
        arm = ARMS[name]._replace(text=WHOLE)
        runs.append(material.run(name, arm, rate, lengths, part, answers="float16"))
    return material.measured(runs)


PARTS: Mapping[str, Callable[[int, Choices, Path], pd.DataFrame]] = {
    ARMS_PART: arms,
    LAST_PART: last_quarter,
    WHOLE_PART: whole_text,
    SLOWER_PART: whole_text_slower,
}
FRONT = ["part", "strategy", "text", "teacher", "learning_rate", "replicate", "seed", "length"]
KEPT = [*FRONT, "loss", "accuracy", "agreement", "teachers_nats", "own_nats", "seconds"]
SCORED = ["strategy", "learning_rate", "replicate", "length", "loss"]


def recorded(path: Path, columns: list[str]) -> pd.DataFrame:
    if not path.exists():
        return pd.DataFrame(columns=columns)
    return Comparison.load(path).table if path == RECORD else read_table(path, "tuning")


def keep(record: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """The record with the rows of a further unit of work, written whole."""
    columns = [found.reindex(columns=KEPT)] if record.empty else [record, found.reindex(columns=KEPT)]
    table = pd.concat(columns, ignore_index=True)
    Comparison(table, "loss", share=False, baseline=TRUTH).save(RECORD)
    return table


def keep_scores(tuning: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    scores = [found[SCORED]] if tuning.empty else [tuning, found[SCORED]]
    table = pd.concat(scores, ignore_index=True)
    write_table(TUNING, table, "tuning")
    return table


def carried_out(
    unit: Callable[..., pd.DataFrame], asked: Iterable[tuple[Any, ...]], workers: int
) -> Iterator[pd.DataFrame]:
    """What each call of a unit of work gives, as soon as it is there."""
    calls = list(asked)
    with the_executor(None, workers if calls else None) as pool:
        for done in as_completed([pool.submit(unit, *call) for call in calls] if pool else []):
            yield done.result()


def tune(folder: Path, workers: int) -> pd.DataFrame:
    """Every score, of which those that are recorded are not computed again."""
    tuning = recorded(TUNING, SCORED)
    asked = [(one, RATES, folder) for one in TUNED_ON if one not in set(tuning["replicate"])]
    for found in carried_out(tuned, asked, workers):
        tuning = keep_scores(tuning, found)
    return tuning


def each(record: Comparison, strategy: str, measure: str = "loss") -> pd.Series:
    """A value a replicate of an arm at its own rate and length."""
    rows = record.table[(record.table["part"] == ARMS_PART) & (record.table["strategy"] == strategy)]
    return rows.set_index("replicate")[measure].sort_index()


def planned(record: Comparison) -> Mapping[str, Interval]:
    """The five planned differences, in nats a character."""

    def difference(one: str, other: str, measure: str = "loss") -> Interval:
        return interval(each(record, one, measure) - each(record, other, measure))

    return {
        "soft labels": difference(SOFT, TRUTH),
        "what the other text gives": difference(SOFT, SMALL),
        "its text instead of its soft labels": difference(TEXT, SOFT),
        "reverse KL writes what the teacher finds likelier": difference(REVERSE, SOFT, "teachers_nats"),
        "the tail as nothing": difference(NOTHING, BUCKET),
    }


def main(folder: Path, workers: int = 2) -> None:
    """Carry out what is not recorded yet, and tell the planned claims once all is."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen, record = choices(tune(folder, workers)), recorded(RECORD, KEPT)
    for part, unit in PARTS.items():
        there = set(record.loc[record["part"] == part, "replicate"])
        asked = [(one, chosen, folder) for one in REPLICATES if one not in there]
        for found in carried_out(unit, asked, workers):
            record = keep(record, found)
            print(f"{part}, replicate {found['replicate'].iloc[0]} is done", flush=True)
    print(record.groupby(["part", "strategy", "length"], sort=False)[["loss", "teachers_nats"]].mean().round(3))
    whole = Comparison(record, "loss", share=False)
    print(whole.planned(planned(whole)).to_string(index=False))


if __name__ == "__main__":
    typer.run(main)
