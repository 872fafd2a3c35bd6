"""The recorded study's question at two other lengths, presets `cpu-quick` and `cpu-long`.

    python results/cifar10/lengths.py FOLDER_OF_CIFAR10 --work FOLDER --out FILE.json

The smoothing of the teacher's labels and the temperature are those that the study chose on held-out images. The long
students' learning rate is chosen there for ground truth; the others take it as it is, which favours ground truth. What
is done stays in the work folder: run it again, and it goes on where it was stopped.
"""

import argparse
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from study import HELD_OUT, SEEDS, Choice, validation_accuracies

from kdlearn.data import load_images
from kdlearn.data.files import read_json, write_json
from kdlearn.formulas.intervals import MEASURES
from kdlearn.studies import PRESETS, Preset, Run, Study, distill, recorded
from kdlearn.studies.records import as_row, read_result
from kdlearn.training.answers import labelling_seconds
from kdlearn.training.machine import best_machine
from kdlearn.training.optimizers import NesterovSGD
from kdlearn.training.strategies import GroundTruth, SmoothedGroundTruth, SoftLabels

QUICK, LONG = PRESETS["cpu-quick"], PRESETS["cpu-long"]
RATES = (0.2, 0.4, 0.6)
ALONE_EPOCHS, ALONE_SEEDS = 18, range(3)  # half as long again, to see whether patience replaces a teacher
KEPT = ("student", "strategy", "learning_rate", "seed", "parameters", "epochs", "seconds", *MEASURES, "arm")
CONTEXT = ("settings", "machine", "provenance")


def chosen_by_the_study() -> tuple[float, SoftLabels]:
    """How much the teacher's labels are smoothed, and the soft labels' temperature."""
    study = read_json(recorded("cifar10") / "study.json")
    temperature = next(
        run["strategy"]["temperature"] for run in study["runs"] if run["strategy"]["name"] == SoftLabels.name
    )
    return study["settings"]["teacher_smoothing"], SoftLabels(temperature)


def study_of(data: Path, folder: Path, preset: Preset, held_out: int = 0, teacher_file: Path | None = None) -> Study:
    machine = best_machine()
    images = load_images(data, num_validation=held_out, device=machine.device)
    return Study(str(data), images, preset, folder, machine, teacher_file)


def quick(data: Path, work: Path, preset: Preset, soft: SoftLabels) -> Study:
    """One student alone and one taught, at the preset's learning rate."""
    study = study_of(data, work / "quick", preset)
    distill(study, [Run(preset.student, strategy, seed=0) for strategy in (GroundTruth(), soft)])
    return study


def long(data: Path, work: Path, preset: Preset, soft: SoftLabels) -> tuple[Study, Study]:
    """The study to report, and the one that chose its learning rate."""
    final = study_of(data, work / "long", preset)
    distill(final, [])
    # ground truth asks no teacher, but the folder of a study has one
    tuning = study_of(data, work / "long-tuning", preset, HELD_OUT, final.folder / "teacher" / "weights.safetensors")
    accuracies = validation_accuracies(tuning, [Choice(GroundTruth(), rate) for rate in RATES])
    rate, kinds = RATES[accuracies.index(max(accuracies))], (GroundTruth(), SmoothedGroundTruth(), soft)
    distill(final, [Run(preset.student, kind, seed, learning_rate=rate) for seed, kind in product(SEEDS, kinds)])
    return final, tuning


def plain_teacher(data: Path, work: Path, rate: float) -> Study:
    """No smoothing, and the learning rate that suited the student: is the better classifier the plain one?"""
    schooling = replace(LONG.teacher_schooling, optimizer=NesterovSGD(rate))
    study = study_of(data, work / "plain", replace(LONG, teacher_schooling=schooling))
    distill(study, [])
    return study


def alone(final: Study, rate: float) -> Study:
    """Ground truth for more epochs than the taught students have, at their learning rate."""
    patient = replace(final.preset.student_schooling, num_epochs=ALONE_EPOCHS)
    study = replace(
        final,
        preset=replace(final.preset, student_schooling=patient),
        folder=final.folder.with_name("alone"),
        teacher_file=final.folder / "teacher" / "weights.safetensors",
    )
    distill(study, [Run(study.preset.student, GroundTruth(), seed, learning_rate=rate) for seed in ALONE_SEEDS])
    return study


def rows_of(study: Study) -> list[dict[str, Any]]:
    """What a table shows of the students, by how long they trained."""
    runs = [as_row(read_result(path)) for path in study.folder.glob("runs/*/result.json")]
    rows = [{name: run[name] for name in KEPT} for run in sorted(runs, key=lambda run: run["order"])]
    return [row | {"part": f"{row['epochs']} epochs"} for row in rows]


def teacher_of(study: Study) -> dict[str, Any]:
    teacher = read_json(study.folder / "teacher" / "result.json")
    return {name: teacher[name] for name in ("network", "parameters", "epochs", "seconds", *MEASURES, *CONTEXT)}


def report_of(study: Study) -> dict[str, Any]:
    teacher = teacher_of(study)
    context = {name: teacher.pop(name) for name in CONTEXT}
    teacher["labelling_seconds"] = labelling_seconds(study.folder / "labels")
    return {**context, "teacher": teacher, "runs": rows_of(study)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="holds train/<class>/* and test/<class>/*")
    parser.add_argument("--work", type=Path, required=True, help="for all that is made; run again, it goes on")
    parser.add_argument("--out", type=Path, required=True, help="a JSON file")
    options = parser.parse_args()
    smoothing, soft = chosen_by_the_study()
    quicker, longer = (replace(preset, teacher_smoothing=smoothing) for preset in (QUICK, LONG))
    short = quick(options.data, options.work, quicker, soft)
    final, tuning = long(options.data, options.work, longer, soft)
    tried = [{name: run[name] for name in ("learning_rate", "accuracy")} for run in rows_of(tuning)]
    rate = rows_of(final)[0]["learning_rate"]
    more = {
        "tuning": tried,
        "alone": rows_of(alone(final, rate)),
        "plain_teacher": teacher_of(plain_teacher(options.data, options.work, rate)),
    }
    write_json(options.out, {"quick": report_of(short), "long": report_of(final) | more})


if __name__ == "__main__":
    main()
