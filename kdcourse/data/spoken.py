"""Spoken digits: 3,000 recordings by six speakers, as pictures of sound, with one speaker left out."""

import os
import re
import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kdcourse.data.sound import RATE, log_mel
from kdlearn.data.dataset import Dataset, Split

NAME = re.compile(r"(\d)_(\w+)_(\d+)\.wav")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
SAMPLES = 8320  # 1.04 seconds, 64 frames
HELD_INDICES = 5  # of each speaker and digit: the recordings that the published split tests on
ADDRESS = "https://github.com/Jakobovski/free-spoken-digit-dataset"


class Recording(NamedTuple):
    """Who says which digit, and which of the recordings of it this is."""

    digit: int
    speaker: str
    index: int
    path: Path


def load_spoken_digits(root: str | Path | None = None, *, held_out: str | None = "theo") -> Dataset:
    """The Free Spoken Digit Dataset as log-mel spectrograms, split by speaker.

    Get it with `git clone --depth 1 https://github.com/Jakobovski/free-spoken-digit-dataset`; `root` is the folder
    made so, or the one that holds it (by default that in the variable KDLEARN_DATA, or `data`).
    Source: Jackson et al., CC BY-SA 4.0. The speakers are george, jackson, lucas, nicolas, theo and yweweler, 50
    recordings a digit and speaker, at 8,000 samples a second.

    A recording is scaled to a full swing, and filled up with silence or cut to 1.04 seconds, which 14 of the 3,000
    exceed. Spectrograms are shifted and scaled by mean and deviation of the training split.

    Args:
        held_out: all recordings of this speaker are the test, so that it is measured how a student understands
            somebody new; None tests on recordings 0 to 4 of every speaker and digit, as published.

    Returns:
        Inputs `(N, 1, 32, 64)` float32, bands and frames, and digits for labels. Validation holds recordings 0 to 4 of
        the speakers in training, or 5 to 9 for `held_out=None`.

    Raises:
        FileNotFoundError: no recordings there.
        ValueError: another speaker, or a file that is no such recording.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for speaker in ("ann", "bob"):  # two speakers who say one tone each
    ...         for digit in range(10):
    ...             for index in (0, 5):
    ...                 write_wave(Path(folder, f"{digit}_{speaker}_{index}.wav"), torch.sin(torch.arange(900.0)))
    ...     load_spoken_digits(folder, held_out="bob").train.inputs.shape
    torch.Size([10, 1, 32, 64])
    """
    recordings = found_in(folder_of(Path(root or os.environ.get("KDLEARN_DATA", "data"))))
    speakers = sorted({one.speaker for one in recordings})
    if held_out is not None and (held_out not in speakers or len(speakers) < 2):
        raise ValueError(f"held_out must be one of several speakers, {', '.join(speakers)}, or None; got {held_out!r}")
    split = split_by_speaker(recordings, held_out) if held_out else split_by_index(recordings)
    waves = {name: torch.stack([read_wave(one.path) for one in some]) for name, some in split.items()}
    pictures = {name: log_mel(one).unsqueeze(1) for name, one in waves.items()}
    mean, deviation = pictures["train"].mean(), pictures["train"].std()
    parts = {
        name: Split((pictures[name] - mean) / deviation, torch.tensor([one.digit for one in some]))
        for name, some in split.items()
    }
    splits = (parts[name] for name in ("train", "test", "validation"))
    return Dataset(*splits, class_names=tuple("0123456789"), name="spoken digits")


def folder_of(root: Path) -> Path:
    """Where the recordings lie: in the folder itself, or as cloned."""
    for folder in (root, root / "recordings", root / "free-spoken-digit-dataset" / "recordings"):
        if folder.is_dir() and any(NAME.fullmatch(path.name) for path in folder.iterdir()):
            return folder
    raise FileNotFoundError(
        f"no recordings such as 7_theo_0.wav in {root} or its folder recordings. git clone --depth 1 {ADDRESS} gets "
        "them; root, or the variable KDLEARN_DATA, names the folder"
    )


def found_in(folder: Path) -> list[Recording]:
    matches = [(path, NAME.fullmatch(path.name)) for path in sorted(folder.iterdir())]
    found = [Recording(int(one[1]), one[2], int(one[3]), path) for path, one in matches if one is not None]
    return sorted(found)


def split_by_speaker(recordings: list[Recording], held_out: str) -> dict[str, list[Recording]]:
    others = [one for one in recordings if one.speaker != held_out]
    return {
        "train": [one for one in others if one.index >= HELD_INDICES],
        "validation": [one for one in others if one.index < HELD_INDICES],
        "test": [one for one in recordings if one.speaker == held_out],
    }


def split_by_index(recordings: list[Recording]) -> dict[str, list[Recording]]:
    return {
        "train": [one for one in recordings if one.index >= 2 * HELD_INDICES],
        "validation": [one for one in recordings if HELD_INDICES <= one.index < 2 * HELD_INDICES],
        "test": [one for one in recordings if one.index < HELD_INDICES],
    }


def read_wave(path: Path) -> Tensor:
    """Samples `(8320,)` float32 of a recording, its largest at -1 or 1, the end filled with silence or cut off."""
    try:
        with wave.open(str(path)) as file:
            form = file.getframerate(), file.getnchannels(), file.getsampwidth()
            content = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as problem:
        raise ValueError(f"{path} is no WAV file that can be read: {problem}") from problem
    if form != (RATE, 1, 2):
        raise ValueError(f"{path} must have {RATE} samples a second, 1 channel and 2 bytes a sample; got {form}")
    samples = torch.from_numpy(np.frombuffer(content, dtype="<i2").astype(np.float32))
    if not len(samples) or not samples.any():
        raise ValueError(f"{path} holds nothing but silence")
    samples = samples[:SAMPLES] / samples.abs().max()
    return torch.nn.functional.pad(samples, (0, SAMPLES - len(samples)))


def write_wave(path: Path, samples: Tensor) -> None:
    """Write samples `(n,)` from -1 to 1 as a recording that `load_spoken_digits` reads: a reader's own voice, say.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_wave(Path(folder, "7_me_0.wav"), torch.sin(torch.arange(4000.0)))
    ...     [path.stat().st_size for path in Path(folder).iterdir()]  # 44 bytes of header, 2 a sample
    [8044]
    """
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((32767 * samples.clamp(-1, 1)).round().numpy().astype("<i2").tobytes())
