"""`--scheduler ADDRESS`: the workers of a Dask cluster, found out before anything is trained."""

import socket
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Client

SECONDS = 5  # in which a scheduler must answer


@contextmanager
def executor_at(address: str | None) -> Iterator[Executor | None]:
    """The executor of the Dask scheduler at `address`, such as `tcp://10.0.0.1:8786`; None without an address.

    A missing package is a ModuleNotFoundError; an address without a scheduler, or one that is lost later, and workers
    that die again and again are a ConnectionError; workers that compute on several threads, which would share their
    random numbers, are a ValueError.
    """
    if address is None:
        yield None
        return
    with connected(address) as client, losses_told(address):
        threads: Any = client.nthreads()
        if any(number > 1 for number in threads.values()):
            raise ValueError(
                f"the workers of --scheduler {address} must have one thread each; "
                f"they have up to {max(threads.values())}: start them by dask worker --nthreads 1"
            )
        yield client.get_executor(pure=False)


@contextmanager
def losses_told(address: str) -> Iterator[None]:
    from distributed import KilledWorker

    try:
        yield
    except (CancelledError, KilledWorker) as problem:
        lost = f"its workers died again and again ({problem})" if isinstance(problem, KilledWorker) else "it was lost"
        raise ConnectionError(
            f"--scheduler {address}: {lost}; what is complete was kept, and the same command goes on from there"
        ) from problem


def connected(address: str) -> "Client":
    from distributed import Client
    from distributed.comm.addressing import get_address_host_port

    try:  # a plain connection first: a client that fails leaves threads and tracebacks behind
        socket.create_connection(get_address_host_port(address), SECONDS).close()
        return Client(address, timeout=SECONDS, set_as_default=False)
    except (OSError, ValueError, OverflowError) as problem:
        raise ConnectionError(
            f"--scheduler {address}: no Dask scheduler answers there within {SECONDS} s ({problem}); "
            "start one by dask scheduler, which prints its address"
        ) from problem
