"""The folder of an export: its files, its manifest, and how it comes to be there whole or not at all."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestra_app.core.errors import StorageError

Format = Literal["jsonl", "parquet", "toolorchestra", "sft"]

FILES = {
    "jsonl": "traces.jsonl",
    "parquet": "traces.parquet",
    "toolorchestra": "rows.jsonl",
    "sft": "rows.jsonl",
}
WHOLE = ("jsonl", "parquet")
"""The formats that hold whole traces, which can be read back."""
CATALOGS = "catalogs.jsonl"
VOTES = "votes.jsonl"
"""What people preferred in blind comparisons of two of the traces; it is there where anybody did."""
MANIFEST = "manifest.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a finished export holds, as it stands in its `manifest.json`."""

    version: int
    """Of the files' layout; a reader refuses one that it does not know."""
    format: Format
    made_at: str
    traces: int
    rows: int
    simulated: int
    left_out: dict[str, int]
    files: dict[str, dict[str, str | int]]
    """The SHA-256 and the bytes of every other file."""


def described(path: Path) -> dict[str, str | int]:
    """Return the SHA-256 and the bytes of a file, as a manifest has them."""
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "bytes": path.stat().st_size}


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Give a folder to write into; it gets its name when it is whole, and is removed where it is not."""
    part = folder.absolute().with_name(f".{folder.absolute().name}.{secrets.token_hex(4)}.part")
    try:
        part.mkdir(parents=True)
        try:
            yield part
            for path in (*part.iterdir(), part):
                _sync(path)
            part.rename(folder)
            _sync(folder.absolute().parent)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written ({error.strerror}); name another folder or free some space."
        ) from error


def _sync(path: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
