"""The characters of a text, in windows: what a language model of a laptop's size learns from."""

import os
from pathlib import Path

import torch
from torch import Tensor

from kdlearn.data.dataset import Dataset, Split

FILE, LENGTH = "tinyshakespeare.txt", 64
TRAINED, TUNED = 0.9, 0.95  # where training ends in the text, and validation
ADDRESS = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"


def load_characters(
    root: str | Path | None = None, *, length: int = LENGTH, characters: int | None = None, piece: int = 0
) -> Dataset:
    """A text as windows of characters, whose labels are the next characters.

    The course's text is 1.1 million characters of Shakespeare's plays, gathered by Karpathy for char-rnn. Get it with
    `curl -o tinyshakespeare.txt https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt`;
    `root` is the folder that holds it (by default that in the variable KDLEARN_DATA, or `data`), or the file of a text
    of your own.

    The first 90 % of the text are for training, the next 5 % for validation, the last 5 % for the test, which thus
    comes from other plays. Windows follow each other and do not overlap.

    Args:
        length: characters in a window.
        characters: train on so many characters alone; None for all.
        piece: on which of the pieces of so many characters, counted from the beginning.

    Returns:
        Inputs are places `(N, length)` int64 in `class_names`, the sorted characters of the whole text; labels
        `(N, length)` are the inputs one character further on.

    Raises:
        FileNotFoundError: no text there.
        ValueError: a text or piece with fewer characters than a window and its last label, or no such piece.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "mine.txt")
    ...     _ = path.write_text("to be or not to be, " * 20)
    ...     data = load_characters(path, length=6)
    >>> "".join(data.class_names[place] for place in data.train.inputs[0])
    'to be '
    >>> "".join(data.class_names[place] for place in data.train.labels[0])
    'o be o'
    """
    text = path_of(Path(root or os.environ.get("KDLEARN_DATA", "data"))).read_text(encoding="utf-8")
    names = tuple(sorted(set(text)))
    numbers = {name: number for number, name in enumerate(names)}
    codes = torch.tensor([numbers[one] for one in text])
    trained, tuned = (int(share * len(codes)) for share in (TRAINED, TUNED))
    train = windows(piece_of(codes[:trained], characters, piece), length, "train")
    validation, test = windows(codes[trained:tuned], length, "validation"), windows(codes[tuned:], length, "test")
    return Dataset(train, test, validation, class_names=names, name="characters")


def path_of(root: Path) -> Path:
    for path in (root, root / FILE):
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"no {FILE} in {root}. curl -o {FILE} {ADDRESS} gets it; root, or the variable KDLEARN_DATA, names the folder, "
        "or root the file of a text of your own"
    )


def piece_of(codes: Tensor, characters: int | None, piece: int) -> Tensor:
    size = len(codes) if characters is None else characters
    pieces = len(codes) // size if size > 0 else 0
    if not 0 <= piece < pieces:
        expected = f"piece must lie in 0 … {pieces - 1}" if pieces else f"characters must lie in 1 … {len(codes)}"
        raise ValueError(f"{expected}: {len(codes)} characters are for training; got {piece} of {size} characters each")
    return codes[piece * size :][:size]


def windows(codes: Tensor, length: int, name: str = "train") -> Split:
    """Windows one after the other, and the same one character further on; what does not fill a window is left out.

    >>> windows(torch.arange(8), length=3).labels
    tensor([[1, 2, 3],
            [4, 5, 6]])
    """
    count = (len(codes) - 1) // length
    if count < 1:
        raise ValueError(f"the text of {name} must have {length + 1} characters for a window; it has {len(codes)}")
    inputs, labels = (codes[start : start + count * length].view(count, length) for start in (0, 1))
    return Split(inputs, labels)
