"""`--scheduler ADDRESS`: the workers of a Dask cluster, found out before anything is trained."""

import socket
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Client

SECONDS = 5  # in which a scheduler must answer


@contextmanager
def executor_at(address: str | None) -> Iterator[Executor | None]:
    """The executor of the Dask scheduler at `address`, such as `tcp://10.0.0.1:8786`; None without an address.

    A missing package is a ModuleNotFoundError, an address without a scheduler a ConnectionError, and workers that
    compute on several threads, which would share their random numbers, a ValueError.
    """
    if address is None:
        yield None
        return
    with connected(address) as client:
        threads: Any = client.nthreads()
        if any(number > 1 for number in threads.values()):
            raise ValueError(
                f"the workers of --scheduler {address} must have one thread each; "
                f"they have up to {max(threads.values())}: start them by dask worker --nthreads 1"
            )
        yield client.get_executor(pure=False)


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
