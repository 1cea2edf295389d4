"""Turns a trace into the score: the compact snapshot that the live view draws, pure and at any moment."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from orchestra_app.core.message import ToolCall, ToolResult
from orchestra_app.core.trace import Trace, Turn, alias_of, called
from orchestra_app.core.usage import Charge, Kind, Price, Usage

NAME_BYTES = 80
TEXT_BYTES = 240
DIRECTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
"""Control characters and those that turn the reading direction."""
_AS_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Note:
    """One call, attempt or priced use on its lane."""

    id: str
    """`turn` for the policy's reply, `turn.call` for a call, `+n` behind it for a further charge; from 1."""
    lane: Kind
    who: str
    at: float
    """Seconds after the start of the run."""
    seconds: float | None = None
    """Seconds it took; None: under way."""
    charge: Charge | None = None
    asked: str = ""
    """The tool and alias that were called; for the policy, all calls that it asked for."""
    error: str = ""
    forced: str = ""
    """Why the loop chose this call instead of the policy."""
    cut: bool = False
    """True where the run ended before its result came."""

    @property
    def end(self) -> float:
        return math.inf if self.seconds is None else self.at + self.seconds


def score(
    trace: Trace, *, now: float | None = None, reserved: float = 0.0, speed: float = 1.0
) -> dict[str, Any]:
    """Return the snapshot of `trace` as it stood at `now`.

    now: seconds after the start; None: everything that is known.
    reserved: USD set aside for calls under way.
    speed: simulated seconds per real second at which time goes on after this snapshot; 0: it stands still.
    `notes` and `prices` hold JSON texts: the browser takes texts apart only where they changed, while nested
    values would be walked several times with every snapshot. Notes keep their ids and only grow in number
    while a run goes on, so that the difference that is sent stays small.
    """
    moment = trace.seconds if now is None else now
    past = now is not None and now < trace.seconds
    running = past or trace.status == "running"
    every = notes(trace)
    heard = [_at(note, moment) if past else note for note in every if not past or note.at <= moment]
    booked = math.fsum(note.charge.cost for note in heard if note.charge)
    prices: dict[Price, int] = {}
    budget = trace.task.budget
    return {
        "run": trace.id,
        "question": clean(trace.task.question, TEXT_BYTES),
        "status": "running" if running else trace.status,
        "live": running and speed > 0,
        "simulated": trace.simulated,
        "speed": speed,
        "now": round(moment if running else trace.seconds, 3),
        "end": None if trace.status == "running" else round(trace.seconds, 3),
        "cost": round(booked if past else trace.cost, 9),
        "reserved": round(reserved, 9) if running else 0.0,
        "turns": sum(1 for turn in trace.turns if not past or turn.reply.at <= moment),
        "budget": {"cost": budget.cost, "seconds": budget.seconds, "turns": budget.turns},
        "error": "" if running else clean(trace.error or "", TEXT_BYTES),
        "notes": [_packed(note, prices) for note in heard],
        "prices": [_AS_JSON(_rates(price)) for price in prices],
    }


def notes(trace: Trace) -> list[Note]:
    """Return every note of `trace`: turn by turn the policy, its calls, then their further charges."""
    found: list[Note] = []
    last = 0.0
    for number, turn in enumerate(trace.turns, 1):
        found.extend(_policy(trace, number, turn, last))
        found.extend(_calls(trace, number, turn))
        last = max([last, turn.reply.at, *(result.at for result in turn.results)])
    if trace.status == "running" and _thinking(trace):
        found.append(Note(str(len(trace.turns) + 1), "policy", trace.policy, last))
    return found


def clean(text: str, limit: int) -> str:
    """Return `text` on one line without control and direction characters, cut at `limit` UTF-8 bytes."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text.strip()
    # Every character has at least one byte: what lies beyond twice the limit cannot be kept.
    raw = DIRECTED.sub(" ", text[: 2 * limit]).strip().encode(errors="replace")
    if len(raw) <= limit and len(text) <= 2 * limit:
        return raw.decode()
    return raw[: limit - 3].decode(errors="ignore") + "…"


def _policy(trace: Trace, number: int, turn: Turn, last: float) -> Iterator[Note]:
    asked = ", ".join(called(call) for call in turn.reply.calls)
    forced = turn.forced or ""
    if not turn.reply.charges:
        began = turn.reply.at if turn.forced else last
        took = max(0.0, turn.reply.at - began)
        yield Note(str(number), "policy", trace.policy, began, took, asked=asked, forced=forced)
        return
    yield from _charged(str(number), turn.reply.charges, turn.reply.at, asked, forced=forced)


def _calls(trace: Trace, number: int, turn: Turn) -> Iterator[Note]:
    further: dict[str, list[Note]] = {}
    for place, call in enumerate(turn.reply.calls, 1):
        result = turn.result(call.id)
        first, *rest = _call(trace, f"{number}.{place}", call, result, turn.reply.at)
        further.setdefault(call.id, rest)
        yield first
    # In the order of their arrival, so that a call that finishes late adds its charges at the end.
    for result in turn.results:
        yield from further.pop(result.call_id, ())


def _call(trace: Trace, id: str, call: ToolCall, result: ToolResult | None, at: float) -> list[Note]:
    asked, who = called(call), alias_of(call) or call.name
    if result is None:
        over = trace.status != "running"
        took = max(0.0, trace.seconds - at) if over else None
        return [Note(id, _lane(call, None), who, at, took, asked=asked, cut=over)]
    error = result.error or ""
    if not result.charges:
        return [Note(id, _lane(call, result), who, at, max(0.0, result.at - at), asked=asked, error=error)]
    return list(_charged(id, result.charges, result.at, asked, error=error))


def _charged(
    id: str, charges: tuple[Charge, ...], done: float, asked: str, *, error: str = "", forced: str = ""
) -> Iterator[Note]:
    """Yield the notes of charges that were `done` at a moment; the last one tells of an error."""
    for place, charge in enumerate(charges):
        took, last = charge.usage.seconds, place == len(charges) - 1
        # An estimated charge tells what was reserved, not how long it took.
        if charge.estimated and last:
            took = max(0.0, done - charge.at)
        name = id if place == 0 else f"{id}+{place}"
        failed = error if last else ""
        yield Note(name, charge.kind, charge.who, charge.at, took, charge, asked, failed, forced)


def _lane(call: ToolCall, result: ToolResult | None) -> Kind:
    """Return the lane of a call that no charge places."""
    if result and result.executions:
        return "python"
    if result and result.documents:
        return "retrieve"
    if "search" in call.name.lower():
        return "search"
    return "expert" if alias_of(call) or call.name in ("answer", "enhance_reasoning") else "python"


def _thinking(trace: Trace) -> bool:
    if not trace.turns:
        return True
    turn = trace.turns[-1]
    waits = any(turn.result(call.id) is None for call in turn.reply.calls)
    return not waits and all(result.answer is None for result in turn.results)


def _at(note: Note, moment: float) -> Note:
    """Return the note as it stood at `moment`: one that had not ended is open and has no charge yet."""
    if note.end <= moment:
        return note
    return replace(note, seconds=None, charge=None, error="", cut=False)


def _packed(note: Note, prices: dict[Price, int]) -> str:
    """Return the note as JSON with short keys, without the usual values; a new price joins `prices`."""
    found: dict[str, Any] = {"i": note.id, "l": note.lane, "s": round(note.at, 3)}
    found["w"] = clean(note.who, NAME_BYTES)
    if note.seconds is not None:
        found["d"] = round(note.seconds, 3)
    for key, text in (("a", note.asked), ("e", note.error), ("f", note.forced)):
        if text:
            found[key] = clean(text, TEXT_BYTES)
    marks = "x" * note.cut
    if charge := note.charge:
        price = prices.setdefault(charge.price, len(prices))
        found |= {"c": round(charge.cost, 9), "p": price, "u": _used(charge.usage)}
        marks += "e" * charge.estimated + "r" * (charge.reported is not None) + "s" * charge.simulated
    if marks:
        found["m"] = marks
    return _AS_JSON(found)


def _used(usage: Usage) -> list[float]:
    tokens = [usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.reasoning_tokens]
    return [*tokens, round(usage.units, 3)]


def _rates(price: Price) -> list[float | str]:
    cached = price.input if price.cached is None else price.cached
    source = clean(f"{price.source} {price.date}", NAME_BYTES)
    return [price.input, cached, price.output, price.unit, source]
