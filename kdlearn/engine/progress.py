"""How far a study is: a bar where somebody watches, and a line a minute in a log."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from tqdm.asyncio import tqdm_asyncio
from tqdm.auto import tqdm

A_LINE_EVERY = 60.0  # seconds


@contextmanager
def progress_of(stacks: int, shown: bool) -> Iterator[Any]:
    """A bar to update after each stack of networks."""
    watched = sys.stderr.isatty() or tqdm is not tqdm_asyncio  # what it is outside of notebooks
    about: dict[str, Any] = {"total": stacks, "desc": "stacks of networks", "disable": not shown}
    if watched or not shown:
        with tqdm(**about) as bar:
            yield bar
        return
    over = Event()
    with tqdm(**about, file=io.StringIO(), ascii=True, ncols=80) as bar:
        Thread(target=tell, args=(bar, over), daemon=True).start()
        try:
            yield bar
        finally:
            over.set()


def tell(bar: Any, over: Event) -> None:
    while not over.wait(A_LINE_EVERY):
        print(bar, file=sys.stderr, flush=True)
