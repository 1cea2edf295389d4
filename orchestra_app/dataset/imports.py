"""Reads exported traces back; what cannot be read is named by file, row and key, and the rest is kept."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from orchestra_app.core.errors import ConfigError
from orchestra_app.core.trace import Trace, is_id
from orchestra_app.core.value import sentence
from orchestra_app.core.vote import Vote
from orchestra_app.dataset.folder import CATALOGS, FILES, MANIFEST, VERSION, VOTES, WHOLE, described
from orchestra_app.dataset.rows import read_row
from orchestra_app.dataset.table import read_table
from orchestra_app.storage.inserting import Inserted
from orchestra_app.storage.store import Store

BATCH = 100
"""Traces that are kept in one transaction."""
LONGEST = 256 << 20
"""Bytes of one line that are read."""


@dataclass
class Imported:
    """What became of an import."""

    counts: Counter[Inserted] = field(default_factory=Counter)
    catalogs: int = 0
    """Catalogue snapshots that are new here."""
    votes: int = 0
    """Blind votes that are new here."""
    foreign: set[str] = field(default_factory=set)
    """The ids of traces of which another is here."""
    problems: list[str] = field(default_factory=list)
    """What could not be read, each with its file, row and key."""


async def import_traces(store: Store, path: Path) -> Imported:
    """Keep the traces of an export's folder with their votes, or those of one .jsonl or .parquet file.

    Traces whose ids are there already stay as they are. Raises ConfigError where nothing can be read.
    """
    done = Imported()
    file = _traces_file(path, done)
    catalogs, votes = file.with_name(CATALOGS), file.with_name(VOTES)
    try:
        if catalogs.is_file() and catalogs != file:
            await _keep_catalogs(store, catalogs, done)
        await _keep_traces(store, file, done)
        if not done.counts and not done.problems:
            raise ConfigError(f"{file} holds no trace; name the folder or the file of an export.")
        if votes.is_file() and votes != file:
            await _keep_votes(store, votes, done)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}); check its name and its rights."
        ) from None
    return done


def _traces_file(path: Path, done: Imported) -> Path:
    """Return the file with the traces; notes where it is not as it was exported."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise ConfigError(f"There is no {path}; name the folder or the file of an export.")
    manifest = _manifest(path)
    files = manifest["files"]
    for name, told in files.items():
        if name in (*FILES.values(), CATALOGS, VOTES):
            if not (path / name).is_file():
                done.problems.append(f"{name} is missing.")
            elif described(path / name) != told:
                done.problems.append(f"{name} is not as it was exported; what can be read of it is kept.")
    if manifest["format"] not in WHOLE:
        raise ConfigError(
            f"{path} is an export in the format {manifest['format']}, which holds no whole traces; "
            "export them as jsonl or parquet."
        )
    return path / FILES[manifest["format"]]


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8-sig"))
        known = manifest["version"] == VERSION and manifest["format"] in FILES
        known = known and isinstance(manifest["files"], dict)
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{folder} has no readable {MANIFEST}, so it is no finished export; "
            "name its .jsonl or .parquet file to keep what can be read of it."
        ) from None
    if not known:
        raise ConfigError(f"{folder} was exported by another version of Orchestra; import it with that one.")
    return manifest


async def _keep_catalogs(store: Store, path: Path, done: Imported) -> None:
    for row, text in _lines(path, done):
        with _named(f"{path.name} row {row}", done):
            told = parsed(text)
            body, digest = str(told["catalog"]), told["hash"]
            done.catalogs += await store.insert_snapshot(body, digest)


@contextmanager
def _named(where: str, done: Imported) -> Iterator[None]:
    """Note what is wrong with a row, and go on."""
    try:
        yield
    except ValidationError as error:
        done.problems.append(f"{where}: {sentence(error)}")
    except KeyError as error:
        done.problems.append(f"{where}: {error.args[0]}: it is missing.")
    except (ValueError, RecursionError) as error:
        done.problems.append(f"{where}: {error}")


async def _keep_traces(store: Store, path: Path, done: Imported) -> None:
    table = path.suffix.lower() == ".parquet"
    rows = enumerate(read_table(path), 1) if table else _lines(path, done)
    batch: list[tuple[str, Trace]] = []
    for row, text in rows:
        where = f"{path.name} row {row}"
        with _named(where, done):
            batch.append((where, _read(text)))
        if len(batch) >= BATCH:
            await _keep(store, batch, done)
            batch = []
    await _keep(store, batch, done)


async def _keep(store: Store, batch: list[tuple[str, Trace]], done: Imported) -> None:
    kept = await store.insert([trace for _, trace in batch])
    done.counts.update(kept)
    for (where, trace), each in zip(batch, kept, strict=True):
        if each == "refused":
            done.problems.append(f"{where}: it holds values that no database takes.")
        elif each == "kept":
            done.foreign.add(trace.id)


async def _keep_votes(store: Store, path: Path, done: Imported) -> None:
    found: list[tuple[str, Vote]] = []
    for row, text in _lines(path, done):
        where = f"{path.name} row {row}"
        with _named(where, done):
            vote = Vote.model_validate(parsed(text))
            if not is_id(vote.by):
                raise ValueError("by: it must be a line of 1 to 200 characters.")
            if not {vote.a, vote.b} & done.foreign:
                found.append((where, vote))
    kept = await store.insert_votes([vote for _, vote in found])
    done.votes = kept.count("added")
    for (where, _), each in zip(found, kept, strict=True):
        if each == "refused":
            done.problems.append(f"{where}: a trace of this pair is not here.")


def _read(text: str | bytes) -> Trace:
    """Return the trace of one line; raises ValidationError or ValueError."""
    trace = read_row(parsed(text))
    if trace.status == "running":
        raise ValueError("status: a running trace cannot be kept; export it again when it has ended.")
    if not is_id(trace.id):
        raise ValueError("id: it must be a line of 1 to 200 characters.")
    return trace


def parsed(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object of a line; raises ValueError that says what is wrong."""
    try:
        value = json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no whole JSON object ({error.msg} at character {error.pos}).") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no UTF-8 text at byte {error.start}.") from None
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object.")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which is no number in JSON.")


def _lines(path: Path, done: Imported) -> Iterator[tuple[int, str]]:
    """Yield the lines that hold anything, with their numbers from 1; names those that are no text."""
    with path.open("rb") as file:
        for row, line in enumerate(_bounded(file), 1):
            try:
                if len(line) > LONGEST:
                    raise ValueError(f"it is longer than {LONGEST >> 20} MB.")
                if text := line.decode("utf-8-sig" if row == 1 else "utf-8").strip():
                    yield row, text
            except UnicodeDecodeError as error:
                done.problems.append(f"{path.name} row {row}: it is no UTF-8 text at byte {error.start}.")
            except ValueError as error:
                done.problems.append(f"{path.name} row {row}: {error}")


def _bounded(file: Any) -> Iterable[bytes]:
    while line := file.readline(LONGEST + 1):
        while not line.endswith(b"\n") and len(line) > LONGEST and (rest := file.readline(LONGEST)):
            if rest.endswith(b"\n"):
                break
        yield line
