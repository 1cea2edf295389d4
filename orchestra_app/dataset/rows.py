"""A trace as the rows of a file, in each of the formats, and back again."""

import json
from collections.abc import Iterable
from typing import Any

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.message import Message, ToolCall
from orchestra_app.core.trace import Trace, Turn
from orchestra_app.core.usage import Price
from orchestra_app.orchestrator.prompt import rebuild
from orchestra_app.scoring.verdict import gold_of
from orchestra_app.storage.rows import dump_turn

Row = dict[str, Any]

DERIVED: Row = {
    "cost": {"description": "USD of all charges", "type": "number"},
    "usage": {"$ref": "#/$defs/Usage"},
    "adherence": {"description": "How far the calls followed the sliders, 0 to 1", "type": "number"},
    "correct": {
        "description": "The verdict of the labels; null: none or unsure",
        "type": ["boolean", "null"],
    },
    "simulated": {"description": "Whether any part is made up", "type": "boolean"},
}
"""What a row says besides the trace's own fields, each with its JSON Schema; it is not read back."""
POLICY_ID = "Qwen/Qwen3-8B"
"""The name under which the reference prices the policy's own tokens."""
POLICY_PRICE = Price(input=0.2, output=0.2)
"""Its price in the reference, for policies that have none."""


def simulated(trace: Trace, catalog: Catalog | None) -> bool:
    """Return whether any part of a trace is made up, even where no charge of it says so."""
    rehearsed = catalog.simulated if catalog else trace.catalog.name == "rehearsal"
    return rehearsed or any(charge.simulated for charge in trace.charges)


def trace_row(trace: Trace, catalog: Catalog | None) -> Row:
    """Return a trace as JSON values, with what can be read off it beside its fields."""
    turns = [_turn_row(turn) for turn in trace.turns]
    derived = {
        "cost": trace.cost,
        "usage": trace.usage.model_dump(),
        "adherence": trace.adherence,
        "correct": trace.correct,
        "simulated": simulated(trace, catalog),
    }
    return trace.model_dump(mode="json", exclude={"turns"}) | {"turns": turns} | derived


def row_schema() -> Row:
    """Return the JSON Schema of the rows that `trace_row` makes."""
    schema = Trace.model_json_schema()
    return schema | {"properties": schema["properties"] | DERIVED}


def _turn_row(turn: Turn) -> Row:
    # Written by the same rule as in the database, since arguments may hold what pydantic does not write.
    return {
        "offered": [offer.model_dump(mode="json") for offer in turn.offered],
        **json.loads(dump_turn(turn)),
    }


def read_row(row: Row) -> Trace:
    """Return the trace of a row; raises ValidationError that names the field."""
    return Trace.model_validate({name: value for name, value in row.items() if name not in DERIVED})


def training_row(trace: Trace, catalog: Catalog) -> Row | str:
    """Return a trace's task as a row of ToolOrchestra's data.jsonl, or why it cannot be one.

    Its prices are USD per token although their names say per million: so the reference reads them.
    """
    gold = gold_of(trace) or (trace.answer if trace.correct else None)
    if trace.protocol != "packed":
        return "the chat protocol, which the reference does not run"
    if not gold:
        return "no gold answer"
    own = trace.turns[trace.reused :]
    if not own:
        return "no turn"
    first = own[0]
    aliases = {alias: slider for offer in first.offered for alias, slider in offer.choices.items()}
    models = {alias: found[1].model for alias in aliases if (found := catalog.choice(alias))}
    if len(models) < len(aliases) or any(catalog.models[name].price is None for name in models.values()):
        return "a model without a known price"
    wish, question = trace.task.preference, trace.task.question
    return {
        "index": f"orchestra____{trace.task.id}",
        "category": "qa",
        "problem": f"{question}\n\n{first.instruction}" if first.instruction else question,
        "answer": gold,
        "tools": [offer.tool_schema for offer in first.offered],
        "model_mapping": {alias: _model_id(catalog, name) for alias, name in models.items()},
        "tool_pricing": _pricing(trace, catalog, models.values()),
        "pref_vec": {**aliases, "accuracy": wish.accuracy, "cost": wish.cost, "latency": wish.latency},
        "simulated": simulated(trace, catalog),
    }


def _model_id(catalog: Catalog, name: str) -> str:
    return catalog.models[name].id or name


def _pricing(trace: Trace, catalog: Catalog, names: Iterable[str]) -> Row:
    spec = catalog.policies.get(trace.policy)
    own = catalog.models[spec.model].price if spec else None
    prices = {POLICY_ID: own or POLICY_PRICE}
    prices |= {_model_id(catalog, name): catalog.models[name].price or Price() for name in names}
    web = [source.price.unit for source in catalog.sources.values() if source.kind == "tavily"]
    return {
        **{
            name: {
                "input_tokens_per_million": price.input / 1e6,
                "output_tokens_per_million": price.output / 1e6,
            }
            for name, price in prices.items()
        },
        "code_interpreter_per_second": catalog.python.price.unit,
        "tavily": {"search": max(web, default=0.0), "extract": 0.0},
    }


def chat_rows(trace: Trace, catalog: Catalog) -> list[Row]:
    """Return one row for each turn that the policy itself decided and that was well formed.

    `messages` is the prompt as the policy read it and its reply, calls as <tool_call> blocks.
    """
    ran = {call.id for _, call, _ in trace.calls}
    rows = []
    for index, turn in enumerate(trace.turns):
        calls = turn.reply.calls
        formed = all(call.id in ran and isinstance(call.arguments, dict) for call in calls)
        speaks = calls or (trace.protocol == "chat" and turn.reply.text and index == len(trace.turns) - 1)
        if index < trace.reused or turn.forced or not formed or not speaks:
            continue
        reply = {
            "role": "assistant",
            "content": spoken(turn.reply.text, calls, reasoning=turn.reply.reasoning),
        }
        rows.append(
            {
                "messages": [*(_message(each) for each in rebuild(trace, index, catalog)), reply],
                "tools": [offer.tool_schema for offer in turn.offered],
                "trace": trace.id,
                "turn": index,
                "policy": trace.policy,
                "correct": trace.correct,
                "simulated": simulated(trace, catalog),
            }
        )
    return rows


def _message(message: Message) -> Row:
    return {"role": message.role, "content": spoken(message.content, message.calls)}


def spoken(text: str, calls: Iterable[ToolCall], *, reasoning: str = "") -> str:
    """Return a reply as the model itself writes it: its thinking, its text, and a block for each call."""
    parts = [f"<think>\n{reasoning}\n</think>\n"] if reasoning else []
    parts += [text] if text else []
    for call in calls:
        said = json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
        parts.append(f"<tool_call>\n{said}\n</tool_call>")
    return "\n".join(parts)
