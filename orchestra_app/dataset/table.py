"""Traces as a Parquet table: columns to filter and sum, and each trace whole as JSON beside them."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestra_app.core.errors import StorageError
from orchestra_app.dataset.rows import Row

COLUMNS = {
    "id": ("string", "the trace's id"),
    "started_at": ("timestamp", "when the run began, in UTC"),
    "question": ("string", "what was asked"),
    "answer": ("string", "what was answered; null: nothing"),
    "gold": ("string", "the right answer of the task, where it was known when it was asked"),
    "status": ("string", "answered, exhausted, failed, stopped or interrupted"),
    "verdict": ("string", "correct, incorrect, unsure or unlabelled: what the labels say together"),
    "policy": ("string", "the policy that orchestrated"),
    "protocol": ("string", "packed or chat"),
    "catalog": ("string", "the catalogue's name"),
    "catalog_hash": ("string", "the hash of its snapshot in catalogs.jsonl"),
    "cost": ("double", "USD of all charges"),
    "seconds": ("double", "seconds from the start to the end"),
    "adherence": ("double", "how far the calls followed the sliders, 0 to 1"),
    "turns": ("int32", "replies of the policy"),
    "simulated": ("bool", "true where any part is made up: no evidence about real models"),
    "consent": ("bool", "true where the person agreed to its export"),
    "owner": ("string", "whose trace it is"),
    "group": ("string", "the group of traces that are compared with each other"),
    "parent": ("string", "the trace that this one was forked from"),
    "trace": ("string", "the whole trace as JSON, as a line of the JSONL format has it"),
}
"""The written schema: each column's type and what it holds."""
TEXTS = ("string", "large_string", "string_view", "binary", "large_binary")
"""Arrow's types of a column that can hold JSON texts."""
BATCH = 200
"""Traces of one row group; their JSON is held in memory together."""


class TableFile:
    """A Parquet file that is being written."""

    def __init__(self, path: Path):
        pyarrow, parquet = _pyarrow()
        self._schema = _schema(pyarrow)
        self._table = pyarrow.Table
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[Row] = []

    def write(self, row: Row) -> None:
        """Add the row of one trace."""
        self._rows.append(_columns(row))
        if len(self._rows) >= BATCH:
            self._flush()

    def close(self) -> None:
        """Write what is left, and the end that makes the file readable."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._table.from_pylist(self._rows, schema=self._schema))
            self._rows = []


def read_table(path: Path) -> Iterator[str | bytes]:
    """Yield the JSON text of each trace in a Parquet file; raises StorageError where it is none of ours."""
    pyarrow, parquet = _pyarrow()
    try:
        with parquet.ParquetFile(path) as file:
            if not _holds_traces(file.schema_arrow):
                raise StorageError(
                    f"{path} has no column `trace` of texts; export the traces again as parquet."
                )
            for batch in file.iter_batches(batch_size=BATCH, columns=["trace"]):
                yield from (text or "" for text in batch.column(0).to_pylist())
    except (pyarrow.ArrowException, OSError) as error:
        raise StorageError(f"{path} is no whole Parquet file; export it again.") from error


def _holds_traces(schema: Any) -> bool:
    if "trace" not in schema.names:
        return False
    kind = schema.types[schema.names.index("trace")]
    # What is marked as JSON is stored as a text.
    return str(getattr(kind, "storage_type", kind)) in TEXTS


def _columns(row: Row) -> Row:
    judged = any(label["call_id"] is None for label in row["labels"])
    said = {True: "correct", False: "incorrect", None: "unsure"}[row["correct"]]
    taken = {name: row[name] for name in COLUMNS if name in row and name not in ("turns", "catalog")}
    return taken | {
        "started_at": datetime.fromisoformat(row["started_at"]),
        "question": row["task"]["question"],
        "gold": row["task"]["answer"],
        "verdict": said if judged else "unlabelled",
        "catalog": row["catalog"]["name"],
        "catalog_hash": row["catalog"]["hash"],
        "turns": len(row["turns"]),
        "trace": json.dumps(row, ensure_ascii=False),
    }


def _schema(pyarrow: Any) -> Any:
    types = {
        "string": pyarrow.string(),
        "timestamp": pyarrow.timestamp("us", tz="UTC"),
        "double": pyarrow.float64(),
        "int32": pyarrow.int32(),
        "bool": pyarrow.bool_(),
    }
    fields = [
        pyarrow.field(name, types[kind], metadata={"description": told})
        for name, (kind, told) in COLUMNS.items()
    ]
    return pyarrow.schema(fields)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise StorageError("Parquet needs one more package: run pip install pyarrow.") from None
    return pyarrow, pyarrow.parquet
