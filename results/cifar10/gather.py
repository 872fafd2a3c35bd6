"""What the course shows of the study, in two small files: `study.json` and `pictures.npz`.

python results/cifar10/gather.py FOLDER_OF_CIFAR10 --work FOLDER --out FOLDER
"""

import argparse
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from kdlearn import entropy, hard_labels, soft_labels
from kdlearn.data import Examples, load_images
from kdlearn.data.files import read_json, replacing, write_json
from kdlearn.formulas.intervals import MEASURES
from kdlearn.formulas.metrics import binned_confidence, confusion_matrix
from kdlearn.networks import latency, load_weights, set_weights
from kdlearn.studies import PRESETS, Network, Study
from kdlearn.studies.records import as_row, read_result
from kdlearn.training.answers import labelling_seconds
from kdlearn.training.loop import eval_mode
from kdlearn.training.machine import best_machine

BATCH_SIZES, NUM_DIFFERING = (1, 256), 4
KEPT = ("strategy", "learning_rate", "labelled", "seed", "seconds", *MEASURES, "parameters", "part", "arm")


def logits_of(folder: Path) -> Tensor:
    return load_weights(folder / "predictions.safetensors")["logits"]


def share_repeated(said: Tensor, told: Tensor, labels: Tensor) -> float:
    """Of the images on which the teacher is wrong, how many the student gives the same wrong class."""
    wrong = hard_labels(told) != labels
    return (hard_labels(said) == hard_labels(told))[wrong].double().mean().item()


def reliability(logits: Tensor, labels: Tensor) -> list[dict[str, float]]:
    """For each bin of confidence that holds images: how many, how confident on average, and which share is right."""
    confidence, prediction, bins = binned_confidence(logits)
    right = (prediction == labels).double()
    return [
        {
            "images": int((bins == place).sum()),
            "confidence": confidence[bins == place].mean().item(),
            "accuracy": right[bins == place].mean().item(),
        }
        for place in bins.unique()
    ]


def described(logits: Tensor, labels: Tensor, num_networks: int = 1) -> dict[str, Any]:
    """Counts of label by prediction, a network, and how far confidence can be trusted, over all of them."""
    return {
        "confusion": (confusion_matrix(logits, labels) / num_networks).tolist(),
        "reliability": reliability(logits, labels),
    }


def students_of(final: Path, told: Tensor, labels: Tensor) -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
    """A row a student, most labels first; and, by kind of label, the logits of those that know all labels."""
    rows, said = [], defaultdict(list)
    results = {path.parent: as_row(read_result(path)) for path in final.glob("runs/*/result.json")}
    for folder, run in sorted(results.items(), key=lambda item: (-item[1]["labelled"], *item[1]["order"][1:])):
        logits, count = logits_of(folder), round(run["labelled"] * run["settings"]["images"])
        row = {name: run[name] for name in KEPT} | {"part": f"{count:,} labelled images"}
        losses = [point["loss"] for point in read_json(folder / "curve.json")]
        rows.append(
            row
            | {"repeats_mistakes": share_repeated(logits, told, labels), "losses": losses[:: max(1, len(losses) // 9)]}
        )
        if run["labelled"] == 1:
            said[run["strategy"]["name"]].append(logits)
    return rows, {name: torch.stack(logits) for name, logits in said.items()}


def tuning_of(work: Path) -> list[dict[str, Any]]:
    """What each candidate reached on the held-out images, epoch by epoch."""
    return [
        {
            "teacher_smoothing": run["settings"]["teacher_smoothing"],
            **{name: run[name] for name in ("strategy", "learning_rate", "accuracy")},
            "curve": [point["validation_accuracy"] for point in read_json(path.parent / "curve.json")],
        }
        for path in sorted(work.glob("tuning-*/runs/*/result.json"))
        for run in [read_json(path)]
    ]


def teachers_of(work: Path) -> list[dict[str, Any]]:
    """The teachers among which the held-out images chose, and how far an image's logits lie apart."""
    kept = ("accuracy", "calibration_error", "epochs", "seconds")
    teachers = {path.parent: read_json(path) for path in sorted(work.glob("tuning-*/teacher/result.json"))}
    return [
        {
            "smoothing": result["settings"]["teacher_smoothing"],
            **{name: result[name] for name in kept},
            "logit_deviation": logits_of(folder).std(dim=1).mean().item(),
        }
        for folder, result in teachers.items()
    ]


def cost_at_use(study: Study, folder: Path, network: Network) -> dict[str, Any]:
    """Bytes on disk, and seconds to answer one image and a batch."""
    model = study.network(network, seed=0)
    set_weights(model, load_weights(folder / "weights.safetensors"))
    image = study.evaluation.images[0]
    with eval_mode(model), study.machine.precision():
        seconds = {size: latency(model, image, size) for size in BATCH_SIZES}
    result = read_json(folder / "result.json")
    return {name: result[name] for name in ("parameters", "macs", "bytes")} | {"latency": seconds}


def pictures_of(test: Examples, told: Tensor, said: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Images that tell: where the teacher, though right, hesitates most; where soft labels changed most students."""
    right, doubt = hard_labels(told) == test.labels, entropy(soft_labels(told))
    telling = [(doubt * right * (test.labels == label)).argmax() for label in range(told.shape[1])]
    votes = {
        name: one_hot(said[name].argmax(dim=-1), told.shape[1]).sum(dim=0) for name in ("ground truth", "soft labels")
    }
    alone, taught = (counts.gather(1, test.labels[:, None]).squeeze(1) for counts in votes.values())
    order = (taught - alone).sort(stable=True).indices
    chosen = {
        "telling": torch.stack(telling),
        "differing": torch.cat([order[-NUM_DIFFERING:].flip(0), order[:NUM_DIFFERING]]),
    }
    pictures = {}
    for name, rows in chosen.items():
        pictures |= {
            f"{name}_images": test.images[rows],
            f"{name}_labels": test.labels[rows],
            f"{name}_logits": told[rows],
        }
        pictures |= {f"{name}_votes_{who.replace(' ', '_')}": counts[rows] for who, counts in votes.items()}
    return {name: values.cpu().numpy() for name, values in pictures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="holds train/<class>/* and test/<class>/*")
    parser.add_argument("--work", type=Path, required=True, help="what study.py has written")
    parser.add_argument("--out", type=Path, required=True, help="for study.json and pictures.npz")
    parser.add_argument("--preset", choices=PRESETS, default="cpu")
    options = parser.parse_args()
    (final,) = options.work.glob("final-*")
    study = Study(str(options.data), load_images(options.data), PRESETS[options.preset], final, best_machine())
    test, taught = Examples(study.images.test.images, study.evaluation.labels), read_json(final / "teacher/result.json")
    told = logits_of(final / "teacher")
    rows, said = students_of(final, told, test.labels)
    student = next(final.glob("runs/*/result.json")).parent
    write_json(
        options.out / "study.json",
        {
            "classes": study.images.class_names,
            "settings": taught["settings"],
            "machine": taught["machine"],
            "provenance": taught["provenance"],
            "teachers_tried": teachers_of(options.work),
            "tuning": tuning_of(options.work),
            "teacher": {name: taught[name] for name in ("network", "seconds", *MEASURES)}
            | {"labelling_seconds": labelling_seconds(final / "labels")}
            | cost_at_use(study, final / "teacher", study.preset.teacher)
            | described(told, test.labels),
            "student": {"network": str(study.preset.student)} | cost_at_use(study, student, study.preset.student),
            "runs": rows,
            "arms": {
                name: described(logits.flatten(0, 1), test.labels.repeat(len(logits)), len(logits))
                for name, logits in said.items()
            },
        },
    )
    with replacing(options.out / "pictures.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **pictures_of(test, told, said))


if __name__ == "__main__":
    main()
