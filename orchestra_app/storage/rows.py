"""Turns traces into rows and rows into the same traces."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from orchestra_app.core.events import RolloutFinished, RolloutStarted
from orchestra_app.core.message import Offer
from orchestra_app.core.trace import Label, Trace, Turn
from orchestra_app.storage.process import Process

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BIGGEST = 2**63 - 1


def microseconds(moment: datetime) -> int:
    """Return the microseconds since 1970; a moment without a zone counts as UTC."""
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    """Return the moment that lies `value` microseconds after 1970, in UTC."""
    return _EPOCH + value * _MICROSECOND


def plain(text: str | None) -> str | None:
    """Return `text` as every database takes it: PostgreSQL refuses the character NUL."""
    return text.replace("\x00", "\ufffd") if text and "\x00" in text else text


def started_columns(event: RolloutStarted, process: Process) -> dict[str, Any]:
    """Return the columns that a trace has from its start on."""
    task = event.task
    return {
        "id": event.trace_id,
        "started_at": microseconds(event.started_at),
        "verdict": "unlabelled",
        "owner": plain(event.owner),
        "policy": plain(event.policy),
        "catalog": plain(event.catalog.name),
        "catalog_hash": plain(event.catalog.hash),
        "protocol": event.protocol,
        "consent": event.consent,
        "seed": event.seed if abs(event.seed) <= _BIGGEST else None,
        "source": plain(task.source),
        "wish": task.wish,
        "parent": plain(event.parent),
        "group": plain(event.group),
        "host": process.host,
        "pid": process.pid,
        "process": process.started,
        "question": plain(task.question),
    }


def changing_columns(trace: Trace, finish: RolloutFinished | None) -> dict[str, Any]:
    """Return the columns that follow the trace while it runs."""
    return {
        "status": finish.status if finish else "running",
        "cost": trace.cost,
        "seconds": trace.seconds,
        "turns": len(trace.turns),
        "tools": plain(_tools(trace)),
        "simulated": trace.simulated,
        "answer": plain(finish.answer) if finish else None,
        "error": plain(finish.error) if finish else None,
    }


def _tools(trace: Trace) -> str:
    names = "".join(f"|{name}" for name in sorted(trace.tool_counts)) + "|"
    # An index of PostgreSQL takes no more than 2,700 bytes.
    return names.encode()[:1_000].decode(errors="ignore")


def dump_turn(turn: Turn) -> str:
    """Return the turn as JSON, without its offers.

    Half characters in the arguments of a call, which no database takes, become question marks.
    """
    try:
        return turn.model_dump_json(exclude={"offered"})
    except ValueError:
        # Only arguments may hold what pydantic does not write: half characters, and more than 250 levels.
        calls = tuple(call.model_copy(update={"arguments": {}}) for call in turn.reply.calls)
        bare = turn.model_copy(update={"reply": turn.reply.model_copy(update={"calls": calls})})
        fields = bare.model_dump(mode="json", exclude={"offered"})
        for call, written in zip(turn.reply.calls, fields["reply"]["calls"], strict=True):
            written["arguments"] = call.arguments
        return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace").decode()


class OfferPacker:
    """Writes the offers of a turn in short: each tool schema as the hash of a text that is kept once."""

    def __init__(self, room: int = 1_024):
        self._room = room
        self._packed: dict[tuple[Any, ...], tuple[str, dict[str, str], tuple[Offer, ...]]] = {}
        self.kept: set[str] = set()
        """Hashes of the schemas that the database has."""

    def pack(self, offered: tuple[Offer, ...]) -> tuple[str, dict[str, str]]:
        """Return the offers in short, and the text of each schema by its hash."""
        # A toolbox gives the same schema object for the same aliases; kept here, its id is not used again.
        key = tuple((id(o.tool_schema), o.slider, *o.choices.items()) for o in offered)
        found = self._packed.get(key)
        if found is None:
            if len(self._packed) >= self._room:
                self._packed.clear()
            found = self._packed[key] = (*_short(offered), offered)
        return found[0], found[1]


def _short(offered: tuple[Offer, ...]) -> tuple[str, dict[str, str]]:
    schemas: dict[str, str] = {}
    short = []
    for offer in offered:
        text = json.dumps(offer.tool_schema)
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        schemas[digest] = text
        short.append([digest, offer.choices, offer.slider])
    return json.dumps(short), schemas


def offer_hashes(rows: Iterable[Mapping[Any, Any]]) -> set[str]:
    """Return the hashes of all schemas that these turn rows name."""
    return {digest for row in rows for digest, _, _ in json.loads(row["offered"])}


def read_turn(row: Mapping[Any, Any], schemas: Mapping[str, str]) -> Turn:
    """Return the turn of one row; `schemas` has the text of each tool schema by its hash."""
    offers = ",".join(
        f'{{"tool_schema":{schemas[digest]},"choices":{json.dumps(choices)},"slider":{json.dumps(slider)}}}'
        for digest, choices, slider in json.loads(row["offered"])
    )
    text = f'{row["body"][:-1]},"offered":[{offers}]}}'
    try:
        return Turn.model_validate_json(text)
    except ValidationError:
        # Pydantic reads JSON of at most 200 levels.
        return Turn.model_validate(json.loads(text))


def event_row(trace_id: str, event: RolloutStarted | RolloutFinished) -> dict[str, str]:
    """Return the row of the first or the last event of a trace."""
    return {"trace_id": trace_id, "type": event.type, "body": event.model_dump_json()}


def read_trace(
    row: Mapping[Any, Any], ends: Mapping[str, str], turns: Iterable[Turn], labels: Iterable[Label]
) -> Trace:
    """Return the trace that was saved; `ends` has its first and last event as JSON by their type."""
    trace = Trace.start(RolloutStarted.model_validate_json(ends["started"]))
    trace.turns = list(turns)
    trace.labels = list(labels)
    if row["status"] != "running":
        trace.apply(RolloutFinished.model_validate_json(ends["finished"]))
    trace.seconds = row["seconds"]
    return trace


def verdict(labels: Sequence[Label]) -> str:
    """Return what the labels say together, by the rule of `Trace.correct`."""
    if all(label.call_id is not None for label in labels):
        return "unlabelled"
    correct = Trace.model_construct(labels=list(labels)).correct
    return {True: "correct", False: "incorrect", None: "unsure"}[correct]
