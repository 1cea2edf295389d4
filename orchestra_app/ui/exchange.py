"""Traces as files from the page and back: who may take what out, and what is taken in."""

import asyncio
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast, get_args

from orchestra_app.core.errors import ConfigError
from orchestra_app.dataset.export import Plan, export
from orchestra_app.dataset.folder import Format, Manifest
from orchestra_app.dataset.hub import check_target, push
from orchestra_app.dataset.imports import Imported, import_traces
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.links import clean, wanted
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import LOCAL, Visitor

FORMATS: tuple[Format, ...] = get_args(Format)
NAME = "orchestra-traces.zip"
LARGEST = 512 << 20
"""Bytes that a zip may hold when it is unpacked."""
MOST_FILES = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be exported, as the page sent it."""

    filters: Mapping[str, Any]
    format: Any = "jsonl"
    shared: Any = False
    mine: Any = False

    def plan(self, visitor: Visitor, *, shared: bool = False) -> Plan:
        """Return the plan; visitors export their own alone. Raises ConfigError for a format made up."""
        if self.format not in FORMATS:
            raise ConfigError(f"There is no such format; choose one of: {', '.join(FORMATS)}.")
        return Plan(
            format=cast(Format, self.format),
            wanted=wanted(clean(self.filters), visitor),
            shared=shared or bool(self.shared),
            # Consent is given by the person at this machine, not by whoever administers a public page.
            mine=self.mine is True and visitor.owner == LOCAL,
            reader=None if visitor.admin else visitor.owner,
        )


async def packed(desk: Desk, visitor: Visitor, asked: Wanted, folder: Path) -> tuple[Path, Manifest]:
    """Export into a zip in `folder` and return it with what it holds; raises ConfigError, StorageError."""
    inside = folder / "traces"
    manifest = await export(desk.workspace.store, inside, asked.plan(visitor))
    made = await asyncio.to_thread(shutil.make_archive, str(folder / Path(NAME).stem), "zip", inside)
    return Path(made), manifest


async def pushed(desk: Desk, visitor: Visitor, asked: Wanted, name: Any) -> tuple[str, Manifest]:
    """Put what was consented to on the Hub as a private dataset and return its address.

    Raises ConfigError for anybody but an admin or without a token, StorageError for the Hub's refusal.
    """
    _refuse(visitor)
    target = str(name or "").strip()
    try:
        secret = check_target(target)
    except ConfigError as error:
        raise ConfigError(str(error).removeprefix("--push ")) from None
    with TemporaryDirectory(prefix="orchestra-push-") as folder:
        inside = Path(folder) / "traces"
        manifest = await export(desk.workspace.store, inside, asked.plan(visitor, shared=True))
        return await asyncio.to_thread(push, inside, target, token=secret), manifest


async def taken_in(desk: Desk, visitor: Visitor, file: Any) -> Imported:
    """Keep the traces of an uploaded export; raises ConfigError for anybody but an admin or an odd file."""
    _refuse(visitor)
    texts, path = TEXTS[visitor.language], Path(str(file or ""))
    kind = path.suffix.lower()
    if kind not in (".zip", ".jsonl", ".parquet") or not path.is_file():
        raise ConfigError(texts["exchange_odd_file"])
    if kind != ".zip":
        return await import_traces(desk.workspace.store, path)
    with TemporaryDirectory(prefix="orchestra-import-") as folder:
        await asyncio.to_thread(_unpack, path, Path(folder), texts)
        return await import_traces(desk.workspace.store, Path(folder))


def _unpack(path: Path, folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files of a zip flat into a folder, no matter what they are called; raises ConfigError."""
    left = LARGEST
    try:
        with zipfile.ZipFile(path) as archive:
            for each in archive.infolist()[:MOST_FILES]:
                name = Path(each.filename.replace("\\", "/")).name
                if each.is_dir() or not name:
                    continue
                # What the zip says of its sizes may be a lie, so what comes out is counted.
                with archive.open(each) as inside, (folder / name).open("wb") as out:
                    while piece := inside.read(1 << 20):
                        left -= len(piece)
                        if left < 0:
                            raise ConfigError(texts["exchange_large"].format(limit=LARGEST >> 20))
                        out.write(piece)
    except (zipfile.BadZipFile, zlib.error, LZMAError, OSError, ValueError, RuntimeError, EOFError):
        raise ConfigError(texts["exchange_broken"]) from None


def _refuse(visitor: Visitor) -> None:
    if not visitor.admin:
        raise ConfigError(TEXTS[visitor.language]["exchange_admins"])
