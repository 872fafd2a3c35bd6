"""Files that are whole or not there, and that know by a hash what they hold and what decided it.

They are written under a temporary name and then renamed. In files of tensors and tables stands the SHA-256 of all their
other bytes; it is compared before anything else is read.
"""

import json
import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the commands read JSON without torch and pandas
    from pandas import DataFrame
    from torch import Tensor

HOST, NUMBERS = re.sub(r"[^\w.-]", "", platform.node()), count()
PARTIAL = re.compile(rf"\..+\.kdlearn-partial-{re.escape(HOST)}-(\d+)-\d+")
LABEL, SEAL, BLANK = b"kdlearn-file", b"kdlearn-sha256:", b"0" * 64
ANEW = "delete it to make it anew"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path that takes the name of `path` if the block ends well; if not, `path` stays as it was.

    Of the processes of one training (`torchrun`) the first alone renames; the others wait until it has.
    """
    temporary = path.with_name(f".{path.name}.kdlearn-partial-{HOST}-{os.getpid()}-{next(NUMBERS)}")
    wait_for_all()  # whether a file is there has been asked by all of them
    try:
        yield temporary
        if is_first():
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        wait_for_all()


def is_first() -> bool:
    """Whether this process writes and prints: outside of `torchrun` always."""
    return os.environ.get("RANK", "0") == "0"


def wait_for_all() -> None:
    """Until all processes of one training, if there are several, have come here."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        distributed.barrier()


def remove_partials(folder: Path, subfolders: Iterable[str] = ()) -> None:
    """Delete what processes of this computer that were killed left half written, and nothing else.

    In `folder`, which the caller has recognised as its own, and in those of its `subfolders` that are there.
    """
    places = (folder, *(place for name in subfolders if not (place := folder / name).is_symlink()))
    for path in (path for place in places for path in place.glob(".*")):
        name = PARTIAL.fullmatch(path.name)
        if name and path.is_file() and not path.is_symlink() and not is_alive(int(name[1])):
            path.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether a process of this computer runs; where the system does not tell, and on Windows, it may."""
    try:
        return os.name == "nt" or os.kill(process, 0) is None  # on Windows signal 0 is Ctrl-C
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True


def write_json(path: Path, content: Any) -> None:
    """Readable UTF-8; NaN and infinity, which JSON does not know, are a ValueError."""
    with replacing(path) as temporary:
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """What `write_json` wrote; tuples come back as lists. A file that is damaged is a ValueError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise ValueError(f"{path} is no whole JSON file: {problem}") from problem


def write_tensors(path: Path, tensors: "Mapping[str, Tensor]", decided_by: Mapping[str, str] | str) -> None:
    """Write named tensors as safetensors, with what decides them; the same input gives the same bytes.

    A full disk is an OSError, a type that safetensors does not have a TypeError; `path` is then as it was.
    """
    import safetensors.torch

    # copies share nothing, so that tied weights and slices are kept whole
    own = {name: one.detach().cpu().resolve_conj().resolve_neg().clone().contiguous() for name, one in tensors.items()}
    with sealed(path) as temporary:
        try:
            safetensors.torch.save_file(own, temporary, metadata={LABEL.decode(): label(decided_by)})
        except safetensors.SafetensorError as problem:
            raise OSError(f"{path} cannot be written: {problem}") from problem
        except KeyError as problem:
            raise TypeError(f"safetensors, and so {path}, cannot hold tensors of {problem}") from problem


def read_tensors(path: Path, decided_by: Mapping[str, str] | str | None = None) -> "dict[str, Tensor]":
    """What `write_tensors` wrote, on the CPU, mapped from the file: memory is used for what is looked at.

    A file that is cut or altered anywhere, or was decided by something else, is a ValueError (None: by anything).
    """
    from safetensors import SafetensorError, safe_open

    check_seal(path)
    try:
        with safe_open(path, framework="pt") as file:
            check_decided(path, file.metadata()[LABEL.decode()], decided_by)
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as problem:
        raise ValueError(f"{path} holds no tensors ({problem}); {ANEW}") from problem


def write_table(path: Path, frame: "DataFrame", decided_by: Mapping[str, str] | str) -> None:
    """Write columns as Parquet, with what decides them; the index is not kept. `path` is whole or as it was.

    A column that mixes types is a ValueError or TypeError.
    """
    import pyarrow.parquet

    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    about = {**table.schema.metadata, LABEL: label(decided_by)}
    with sealed(path) as temporary:
        pyarrow.parquet.write_table(table.replace_schema_metadata(about), temporary)


def read_table(path: Path, decided_by: Mapping[str, str] | str | None = None) -> "DataFrame":
    """What `write_table` wrote; refused as by `read_tensors`."""
    import pyarrow.parquet

    check_seal(path)  # first: the reader of Parquet is not made for damaged files
    try:
        with pyarrow.parquet.ParquetFile(path) as file:  # read_table would make columns of folders named a=b
            table = file.read()
    except pyarrow.ArrowException as problem:
        raise ValueError(f"{path} holds no table ({problem}); {ANEW}") from problem
    check_decided(path, table.schema.metadata[LABEL], decided_by)
    return table.to_pandas()


def label(decided_by: Mapping[str, str] | str) -> str:
    """What stands in a file about itself; its own hash is filled in last."""
    return json.dumps({"decided_by": decided_by, "hash": (SEAL + BLANK).decode()}, sort_keys=True, default=dict)


@contextmanager
def sealed(path: Path) -> Iterator[Path]:
    """`replacing` that puts the file's hash in its label."""
    with replacing(path) as temporary:
        yield temporary
        place, _, digest = seal_of(temporary)
        with temporary.open("r+b") as file:
            file.seek(place)
            file.write(digest)


def seal_of(path: Path) -> tuple[int, bytes, bytes]:
    """Where the hash of a file stands, what stands there, and what should: SHA-256 of the file with zeros there."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content, memoryview(content) as view:
        place = content.find(SEAL) + len(SEAL)
        digest = sha256(view[:place])
        digest.update(BLANK)
        digest.update(view[place + len(BLANK) :])
        return place, bytes(view[place : place + len(BLANK)]), digest.hexdigest().encode()


def is_sealed(path: Path) -> bool:
    """Whether a file of tensors is by `write_tensors`; its label, which comes first, says so twice."""
    with path.open("rb") as file:
        start = file.read(2**16)
    return LABEL in start or SEAL in start


def check_seal(path: Path) -> None:
    _, found, digest = seal_of(path) if path.stat().st_size else (0, b"", b"of nothing")
    if found != digest:
        raise ValueError(f"{path} does not carry the hash of its content: it is cut, altered or not by kdlearn; {ANEW}")


def check_decided(path: Path, about: str | bytes, decided_by: Mapping[str, str] | str | None) -> None:
    found, now = json.loads(about)["decided_by"], json.loads(json.dumps(decided_by, default=dict))
    if now not in (None, found):
        raise ValueError(f"{path} was decided by something else: {differences(found, now)}; {ANEW}")


def differences(before: Any, now: Any) -> str:
    """`learning_rate was 0.1, is now 0.2` for two dictionaries of settings."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return f"it was {before}, is now {now}"
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(f"{name} was {before.get(name)}, is now {now.get(name)}" for name in names)
