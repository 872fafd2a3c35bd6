"""What needs more than the base installation names the extra that brings it."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around an import: where a library is missing, an ImportError names the extra that has it.

    >>> with extra("images"):
    ...     import a_library_that_is_not_here
    Traceback (most recent call last):
    ImportError: a_library_that_is_not_here is missing: python -m pip install "kdlearn-course[images]"
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        raise ImportError(f'{missing.name} is missing: python -m pip install "kdlearn-course[{name}]"') from None
