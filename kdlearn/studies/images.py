"""A distillation on images: a teacher, its labels of all views, then students × strategies × seeds, all kept on disk.

What is done is not done again, and what was stopped goes on: each step leaves a file that is whole or not there.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors.torch import save
from torch import Tensor, nn
from tqdm.auto import tqdm

from kdlearn.data import Examples, ImageSplits, LabelStore, ViewBatches, Views, stratified_sample
from kdlearn.data.files import read_json, replacing, write_json
from kdlearn.formulas.metrics import accuracy, measure
from kdlearn.networks import (
    cost_of,
    initialise_from,
    load_weights,
    save_weights,
    seeded,
    set_weights,
    weights_hash,
    whiten,
)
from kdlearn.studies.plan import Network, Preset, Run, Schooling
from kdlearn.studies.records import provenance
from kdlearn.training.answers import label_views
from kdlearn.training.checkpoints import differences
from kdlearn.training.loop import predict, train
from kdlearn.training.machine import Machine
from kdlearn.training.processes import rank, share, wait_for_all
from kdlearn.training.strategies import SmoothedGroundTruth, Strategy, TruthWhereKnown

TOLD_OF_TEACHER = ("network", "accuracy", "parameters", "seconds", "weights_sha256")


@dataclass(frozen=True)
class Study:
    """What all runs of one folder share. With validation images held out, the test set is not read."""

    source: str
    images: ImageSplits
    preset: Preset
    folder: Path
    machine: Machine = Machine()
    teacher_file: Path | None = None  # its weights; without it the teacher is trained
    view_seed: int = 0
    flip: bool = True  # whether a mirrored image is still one of its class
    labels_dtype: str = "float32"
    progress: bool = True

    def settings(self) -> dict[str, Any]:
        """What two results must share to stand in one table; who the student is, and its labels, may differ."""
        shared = {
            "data_set": Path(self.source).resolve().name,  # it may lie elsewhere on each machine; the key tells it
            "data_key": self.images.key,
            "images": len(self.images.train.images),
            "evaluated_on": "validation" if self.tunes else "test",
            **self.views.recipe(),
            "labels_dtype": self.labels_dtype,
            "teacher_file": self.teacher_file and hashlib.sha256(self.teacher_file.read_bytes()).hexdigest(),
            **{name: value for name, value in asdict(self.preset).items() if name != "student"},
        }
        return json.loads(json.dumps(shared))  # as it comes back from a file, where tuples are lists

    @property
    def tunes(self) -> bool:
        return len(self.images.validation.images) > 0

    @property
    def shows_progress(self) -> bool:
        return self.progress and rank() == 0

    @cached_property
    def views(self) -> Views:
        images, mean, deviation = self.images.train.images, self.images.mean, self.images.deviation
        return Views(images, mean, deviation, seed=self.view_seed, flip=self.flip)

    @cached_property
    def evaluation(self) -> Examples:
        """The images that results are measured on, as they are; their labels stay on the CPU, as all metrics do."""
        images, labels = self.images.validation if self.tunes else self.images.test
        plain = Views(images, self.images.mean, self.images.deviation, pixels=0, flip=False)
        return Examples(plain(0, torch.arange(len(images), device=images.device)), labels.cpu())

    def network(self, network: Network, seed: int) -> nn.Module:
        """On the device, with a first layer that whitens these images where the architecture has one."""
        channels = self.images.train.images.shape[1]
        model = seeded(lambda: network.build(len(self.images.class_names), channels), seed)
        if network.name == "airbench":
            whiten(model, self.views(0, torch.arange(min(5000, len(self.views)), device=self.views.mean.device)))
        return self.machine.place(model)

    def fit(
        self,
        model: nn.Module,
        strategy: Strategy,
        schooling: Schooling,
        seed: int,
        folder: Path,
        store: LabelStore | None = None,
        known: Tensor | None = None,
    ) -> list[dict[str, Any]]:
        """The learning curve, with each epoch's seconds; the checkpoint stays until the result is kept.

        Where the ground truth of the images `known` is all there is, a student without a teacher sees these images
        alone, and one with a teacher all of them, with the teacher's labels on the rest.
        """
        folder.mkdir(parents=True, exist_ok=True)
        recipe = {"strategy": strategy.name, **asdict(strategy), **asdict(schooling)}
        labels, clock, rows = self.images.train.labels, Clock(), known if store is None else None
        if known is not None and store is not None:
            labels, store, strategy = None, store.knowing(known, labels[known]), TruthWhereKnown(strategy)
        return train(
            model,
            ViewBatches(self.views, labels, schooling.batch_size, seed=seed, rows=rows, store=store, share=share()),
            strategy,
            num_epochs=schooling.num_epochs,
            optimizer=schooling.optimizer,
            machine=self.machine,
            evaluate=lambda model: {"seconds": clock.lap()} | (self.validate(model) if self.tunes else {}),
            checkpoint=folder / "checkpoint.pt",
            settings={**self.settings(), **recipe, "seed": seed, "known": None if known is None else known.tolist()},
            progress=self.shows_progress,
        )

    def predictions(self, model: nn.Module) -> Tensor:
        return predict(model, self.evaluation.images, machine=self.machine).cpu()

    def validate(self, model: nn.Module) -> dict[str, float]:
        return {"validation_accuracy": accuracy(self.predictions(model), self.evaluation.labels)}


class Clock:
    """Seconds since it was last asked."""

    def __init__(self) -> None:
        self.last = perf_counter()

    def lap(self) -> float:
        before, self.last = self.last, perf_counter()
        return self.last - before


def distill(study: Study, runs: Sequence[Run]) -> list[Path]:
    """Train what is not there yet: the teacher, its labels of the views, each student. Returns the results' files.

    The folder holds `settings.json`, `teacher/`, `labels/` and `runs/`. Teacher and runs have a folder each with
    `result.json`, which is written last, `curve.json`, `predictions.safetensors` (the logits of the images that it was
    evaluated on) and `weights.safetensors`.
    """
    with alone(study.folder):
        keep_settings(study)
        teacher = the_teacher(study)
        store = labels_of(study, teacher) if any(run.reads_teacher for run in runs) else None
        bar = tqdm(runs, desc="students", unit="student", disable=not study.shows_progress)
        return [run_student(study, run, teacher, store) for run in bar]


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process, or one group of processes, writes a folder at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        with lock if rank() == 0 else nullcontext():
            if rank() == 0:
                for left_by_a_killed_process in folder.rglob(".[0-9]*.*"):
                    left_by_a_killed_process.unlink()
            yield
    except Timeout:
        raise BlockingIOError(f"{folder} is being written by another process; wait, or name another folder") from None


def keep_settings(study: Study) -> None:
    """A folder holds one study; another one is refused."""
    path, now = study.folder / "settings.json", study.settings()
    before = read_json(path) if path.exists() else None
    if before not in (None, now):
        raise ValueError(f"{study.folder} holds another study: {differences(before, now)}; name another folder")
    if study.teacher_file is not None:  # refused before anything is written
        set_weights(study.network(study.preset.teacher, seed=0), load_weights(study.teacher_file))
    wait_for_all()
    if rank() == 0 and before is None:
        write_json(path, now)


def the_teacher(study: Study) -> nn.Module:
    """The teacher of the file, or one that is trained here on ground truth, once."""
    folder, model = study.folder / "teacher", study.network(study.preset.teacher, seed=0)
    if not is_kept(folder):
        strategy, curve = SmoothedGroundTruth(study.preset.teacher_smoothing), []
        if study.teacher_file is None:
            curve = study.fit(model, strategy, study.preset.teacher_schooling, 0, folder)
        else:
            set_weights(model, load_weights(study.teacher_file))
        keep(study, folder, model, curve, {"network": str(study.preset.teacher), "seed": 0})
    set_weights(model, load_weights(folder / "weights.safetensors"))
    return model


def labels_of(study: Study, teacher: nn.Module) -> LabelStore:
    """The first process asks the teacher; the others wait, and read what it wrote."""
    if rank() > 0:
        wait_for_all()
    store = label_views(
        teacher,
        study.views,
        study.preset.label_epochs,
        dtype=study.labels_dtype,
        folder=study.folder / "labels",
        origin={"teacher": weights_hash(teacher), "data": study.images.key, "images": len(study.views)},
        machine=study.machine,
        progress=study.shows_progress,
    )
    if rank() == 0:
        wait_for_all()
    return store


def run_student(study: Study, run: Run, teacher: nn.Module, store: LabelStore | None) -> Path:
    """One student, trained unless its result is there."""
    folder = study.folder / "runs" / run.name
    if not is_kept(folder):
        model, schooling = study.network(run.student, run.seed), run.schooling(study.preset)
        copied = initialise_from(model, weights_of(run.start, teacher)) if run.start != "random" else []
        labels = store if run.reads_teacher else None
        curve = study.fit(model, run.strategy, schooling, run.seed, folder, labels, known_to(study, run))
        taught = read_json(study.folder / "teacher" / "result.json")
        record = {
            "student": str(run.student),
            "strategy": {"name": run.strategy.name, **asdict(run.strategy)},
            "seed": run.seed,
            "labelled": run.labelled,
            "learning_rate": schooling.optimizer.learning_rate,
            "start": run.origin,
            "copied_from_start": copied,
            "teacher": {name: taught[name] for name in TOLD_OF_TEACHER},
        }
        keep(study, folder, model, curve, record)
    return folder / "result.json"


def known_to(study: Study, run: Run) -> Tensor | None:
    """The images whose ground truth the run may read, each class with its share; None for all."""
    labels = study.images.train.labels
    return stratified_sample(labels, round(run.labelled * len(labels)), run.seed) if run.labelled < 1 else None


def weights_of(start: str, teacher: nn.Module) -> Mapping[str, Tensor]:
    return teacher.state_dict() if start == "teacher" else load_weights(Path(start))


def is_kept(folder: Path) -> bool:
    """Whether there is a result; all processes ask before one of them goes on to write it."""
    kept = (folder / "result.json").exists()
    wait_for_all()
    return kept


def keep(study: Study, folder: Path, model: nn.Module, curve: list[dict[str, Any]], record: dict[str, Any]) -> None:
    """Everything about a trained network; `result.json` comes last and says that it is complete."""
    logits = study.predictions(model)
    if rank() == 0:
        folder.mkdir(parents=True, exist_ok=True)
        save_weights(folder / "weights.safetensors", model)
        with replacing(folder / "predictions.safetensors") as temporary:
            temporary.write_bytes(save({"logits": logits}))
        write_json(folder / "curve.json", curve)
        write_json(folder / "result.json", record | measured(study, model, logits, folder, curve))
        (folder / "checkpoint.pt").unlink(missing_ok=True)
    wait_for_all()


def measured(
    study: Study, model: nn.Module, logits: Tensor, folder: Path, curve: list[dict[str, Any]]
) -> dict[str, Any]:
    """What was measured, and where it comes from."""
    told = load_weights(study.folder / "teacher" / "predictions.safetensors")["logits"]
    return {
        **measure(logits, study.evaluation.labels, told),
        **cost_of(model, study.evaluation.images[0]),
        "bytes": (folder / "weights.safetensors").stat().st_size,
        "weights_sha256": weights_hash(model),
        "seconds": sum(point["seconds"] for point in curve),
        "epochs": len(curve),
        "machine": asdict(study.machine),
        "settings": study.settings(),
        "provenance": provenance(),
    }
