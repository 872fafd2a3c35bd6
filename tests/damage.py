"""What happens to files: every bit flipped, one at a time, and what a reader must then do."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def every_flip(content: bytes) -> Iterator[bytes]:
    """The content with each of its bits flipped in turn."""
    for place in range(len(content)):
        for bit in range(8):
            yield content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def refused_or_the_same(read: Callable[[], Any], path: Path, before: Any, same: Callable[[Any, Any], bool]) -> None:
    """A reader of a damaged file names the file in a ValueError, or gives what it gave before."""
    try:
        found = read()
    except ValueError as problem:
        assert str(path) in str(problem)
    else:
        assert same(before, found)
