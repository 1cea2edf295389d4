"""Writes traces into a folder that appears whole, with its card and its manifest, or not at all."""

import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from orchestra_app.config import redact
from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.trace import Trace
from orchestra_app.dataset.card import card
from orchestra_app.dataset.folder import (
    CATALOGS,
    FILES,
    MANIFEST,
    VERSION,
    VOTES,
    WHOLE,
    Format,
    Manifest,
    appearing,
    described,
)
from orchestra_app.dataset.rows import Row, chat_rows, read_row, row_schema, trace_row, training_row
from orchestra_app.dataset.sharing import NOBODY, Pseudonyms, without_secrets
from orchestra_app.dataset.table import TableFile
from orchestra_app.dataset.tally import Tally
from orchestra_app.storage.queries import Filter
from orchestra_app.storage.store import Store

BATCH = 100
"""Traces that are read from the database at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be exported."""

    format: Format = "jsonl"
    wanted: Filter = field(default_factory=Filter)
    shared: bool = False
    """True where others will read it: only traces with consent, and people under pseudonyms."""
    mine: bool = False
    """True where whoever exports consents for the owner `local`: what was asked on this machine, or on the
    one where it comes from."""
    reader: str | None = None
    """Who takes out what is their own, and learns no names of others; None: whoever may know them."""


class Rows(Protocol):
    """A file that rows are written to."""

    def write(self, row: Row) -> None: ...

    def close(self) -> None: ...


class LinesFile:
    """A file with one JSON value per line."""

    def __init__(self, path: Path):
        self._file = path.open("w", encoding="utf-8", newline="\n")

    def write(self, row: Row) -> None:
        """Add one line."""
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Write what is left."""
        self._file.close()


async def export(store: Store, folder: Path, plan: Plan) -> Manifest:
    """Write what is planned into a folder that is not there yet, and return what it holds.

    Running traces are left out. Raises ConfigError where there is nothing to export or the folder is taken,
    StorageError where it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is there already; name another folder, or delete this one.")
    with appearing(folder) as part:
        tally = await _Writing(store, plan, part).finish()
        return _close(part, plan, tally)


class _Writing:
    """One export while it is written."""

    def __init__(self, store: Store, plan: Plan, part: Path):
        self._store, self._plan, self._part = store, plan, part
        self._catalogs: dict[str, tuple[Catalog | None, str]] = {}
        self._hidden = plan.shared or plan.reader is not None
        self._people = Pseudonyms(None if plan.shared else plan.reader)
        self._seen: set[str] = set()
        self._written: set[str] = set()
        self._tally = Tally()

    async def finish(self) -> Tally:
        """Write all rows and return their figures."""
        path = self._part / FILES[self._plan.format]
        file: Rows = TableFile(path) if self._plan.format == "parquet" else LinesFile(path)
        try:
            async with aclosing(self._traces()) as traces:
                async for trace in traces:
                    await self._add(trace, file)
        finally:
            file.close()
        if not self._tally.traces:
            left = ", ".join(f"{number} {reason}" for reason, number in self._tally.left_out.items())
            raise ConfigError(f"There is nothing to export. Left out: {left or 'nothing; no trace fits'}.")
        if self._plan.format in WHOLE:
            self._write_catalogs()
            await self._write_votes()
        return self._tally

    async def _traces(self) -> AsyncGenerator[Trace]:
        ids = await self._ids()
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            found = await self._store.traces(batch)
            for trace in (self._agreed(found[each]) for each in batch if each in found):
                if trace.status == "running":
                    self._tally.left_out["still running"] += 1
                elif self._plan.shared and not trace.consent:
                    self._tally.left_out["without consent"] += 1
                else:
                    yield self._people.applied(trace) if self._hidden else trace

    async def _ids(self) -> tuple[str, ...]:
        """Return which traces are read, and count those that their verdict alone leaves out."""
        wanted = self._plan.wanted
        if self._plan.format != "sft" or wanted.verdict is not None:
            return await self._store.ids(wanted)
        # What was wrong must not be imitated, so it takes a word of its own to be exported for that.
        right = await self._store.ids(replace(wanted, verdict="correct"))
        if other := len({*await self._store.ids(wanted)} - {*right}):
            self._tally.left_out["not labelled correct"] = other
        return right

    def _agreed(self, trace: Trace) -> Trace:
        """Return a trace with the consent that is given by exporting it."""
        given = self._plan.shared and self._plan.mine and trace.owner == NOBODY
        return trace.model_copy(update={"consent": True}) if given else trace

    async def _add(self, trace: Trace, file: Rows) -> None:
        catalog = await self._catalog(trace.catalog.hash)
        # Before any row is made of it: in a row a key may stand written in another way.
        clean = without_secrets(trace_row(trace, catalog))
        rows = [clean] if self._plan.format in WHOLE else self._rows(read_row(clean), catalog)
        if isinstance(rows, str):
            self._tally.left_out[rows] += 1
            return
        self._written.add(trace.id)
        for row in rows:
            file.write(row)
        self._tally.rows += len(rows)
        self._tally.add(trace, simulated=clean["simulated"])

    def _rows(self, trace: Trace, catalog: Catalog | None) -> list[Row] | str:
        """Return the rows of one trace in a format that does not hold it whole, or why it has none."""
        if catalog is None:
            return "without the snapshot of their catalogue"
        if self._plan.format == "sft":
            return chat_rows(trace, catalog) or "without a turn that the policy decided"
        key = f"{trace.task.id} {trace.catalog.hash}"
        if key in self._seen:
            return "of a question that has its row"
        row = training_row(trace, catalog)
        if isinstance(row, str):
            return f"with {row}"
        self._seen.add(key)
        return [row]

    async def _catalog(self, digest: str) -> Catalog | None:
        if digest not in self._catalogs:
            text = await self._store.snapshot(digest)
            catalog = Catalog.model_validate_json(text) if text else None
            self._catalogs[digest] = (catalog, text or "")
        return self._catalogs[digest][0]

    def _write_catalogs(self) -> None:
        known = ((digest, catalog, text) for digest, (catalog, text) in self._catalogs.items() if catalog)
        self._write(
            CATALOGS,
            ({"hash": digest, "name": catalog.name, "catalog": text} for digest, catalog, text in known),
        )

    async def _write_votes(self) -> None:
        found = [each for each in (await self._store.votes()).values() if {each.a, each.b} <= self._written]
        named = self._people.of if self._hidden else str
        rows = (vote.model_dump(mode="json") | {"by": named(vote.by)} for vote in found)
        if found:
            self._write(VOTES, rows)
        self._tally.votes = len(found)

    def _write(self, name: str, rows: Iterable[Row]) -> None:
        with closing(LinesFile(self._part / name)) as file:
            for row in rows:
                file.write(without_secrets(row))


def _close(part: Path, plan: Plan, tally: Tally) -> Manifest:
    made = datetime.now(UTC)
    text = card(tally, form=plan.format, made=f"{made:%Y-%m-%d}", shared=plan.shared)
    (part / "README.md").write_text(redact(text), "utf-8")
    if plan.format in WHOLE:
        schema = json.dumps(row_schema(), indent=1)
        (part / "schema.json").write_text(schema + "\n", "utf-8")
    manifest = Manifest(
        version=VERSION,
        format=plan.format,
        made_at=made.isoformat(timespec="seconds"),
        traces=tally.traces,
        rows=tally.rows,
        simulated=tally.simulated,
        left_out=dict(tally.left_out),
        files={path.name: described(path) for path in sorted(part.iterdir())},
    )
    (part / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n", "utf-8")
    return manifest
