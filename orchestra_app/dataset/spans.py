"""A trace as the spans of distributed tracing: an agent, its replies, its tool calls and what they asked."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestra_app.core.message import Document, ToolCall, ToolResult
from orchestra_app.core.trace import Trace, Turn
from orchestra_app.core.usage import Charge, Usage

Scalar = str | bool | int | float
Attributes = dict[str, Scalar]


@dataclass(frozen=True, slots=True)
class Span:
    """A named stretch of time inside a trace."""

    name: str
    path: tuple[str, ...]
    """What it is inside of, then itself: unique within the trace."""
    start: float
    """Seconds after the start of the trace."""
    end: float
    attributes: Mapping[str, Scalar]
    error: str | None = None


def spans(trace: Trace) -> list[Span]:
    """Return a trace's spans, the whole run first, each parent before its children.

    Attributes are named as OpenInference's and OpenTelemetry's GenAI conventions name them, and by
    `orchestra.` where neither has a name.
    """
    root = ("run",)
    found = [Span("invoke_agent " + trace.policy, root, 0.0, trace.seconds, _run(trace), trace.error)]
    began = 0.0
    for number, turn in enumerate(trace.turns, start=1):
        path = (*root, f"turn {number}")
        found.append(_policy_span(trace, turn, path, began))
        for call in turn.reply.calls:
            if (result := turn.result(call.id)) is not None:
                found += _call_spans(call, result, (*path, call.id), turn.reply.at)
        began = max([turn.reply.at, *(result.at for result in turn.results)])
    return found


def _run(trace: Trace) -> Attributes:
    found: Attributes = {
        "openinference.span.kind": "AGENT",
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": trace.policy,
        "gen_ai.conversation.id": trace.id,
        "agent.name": trace.policy,
        "input.value": trace.task.question,
        "output.value": trace.answer or "",
        "orchestra.catalog": trace.catalog.name,
        "orchestra.status": trace.status,
        "orchestra.simulated": trace.simulated,
        "orchestra.adherence": trace.adherence,
        "metadata": json.dumps(
            {
                "preference": trace.task.preference.model_dump(mode="json"),
                "budget": trace.task.budget.model_dump(mode="json"),
                "seed": trace.seed,
            }
        ),
    }
    if trace.correct is not None:
        found["orchestra.correct"] = trace.correct
    return found | _used(trace.usage, trace.cost)


def _policy_span(trace: Trace, turn: Turn, path: tuple[str, ...], began: float) -> Span:
    reply = turn.reply
    usage = sum((charge.usage for charge in reply.charges), Usage())
    attributes: Attributes = {
        "openinference.span.kind": "LLM",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": trace.policy,
        "llm.model_name": trace.policy,
        "output.value": reply.text,
        "gen_ai.response.finish_reasons": reply.finish,
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": reply.text,
    }
    for index, call in enumerate(reply.calls):
        prefix = f"llm.output_messages.0.message.tool_calls.{index}.tool_call."
        attributes[prefix + "id"] = call.id
        attributes[prefix + "function.name"] = call.name
        attributes[prefix + "function.arguments"] = _text(call.arguments)
    if turn.forced:
        attributes["orchestra.forced"] = turn.forced
    attributes |= _used(usage, sum(charge.cost for charge in reply.charges))
    return Span("chat " + trace.policy, path, began, max(began, reply.at), attributes)


def _call_spans(call: ToolCall, result: ToolResult, path: tuple[str, ...], began: float) -> Iterator[Span]:
    documents = _documents(result.documents)
    attributes: Attributes = {
        "openinference.span.kind": "RETRIEVER" if documents else "TOOL",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": call.name,
        "gen_ai.tool.call.id": call.id,
        "tool.name": call.name,
        "input.value": _text(call.arguments),
        "input.mime_type": "application/json" if isinstance(call.arguments, dict) else "text/plain",
        "output.value": result.answer or result.output or "\n".join(run.stdout for run in result.executions),
    }
    end = max(began, result.at)
    yield Span("execute_tool " + call.name, path, began, end, attributes | documents, result.error)
    for index, charge in enumerate(result.charges):
        yield _charge_span(charge, (*path, f"charge {index}"))


def _charge_span(charge: Charge, path: tuple[str, ...]) -> Span:
    model = charge.kind in ("policy", "expert", "search", "judge")
    attributes: Attributes = {"openinference.span.kind": "LLM" if model else "TOOL"}
    if model:
        attributes |= {"llm.model_name": charge.who, "gen_ai.request.model": charge.who}
        attributes["gen_ai.operation.name"] = "chat"
    attributes |= _used(charge.usage, charge.cost) | {"orchestra.estimated": charge.estimated}
    return Span(
        f"{'chat' if model else charge.kind} {charge.who}",
        path,
        charge.at,
        charge.at + charge.usage.seconds,
        attributes,
    )


def _used(usage: Usage, cost: float) -> Attributes:
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "llm.token_count.prompt": usage.input_tokens,
        "llm.token_count.completion": usage.output_tokens,
        "llm.token_count.total": usage.input_tokens + usage.output_tokens,
        "llm.token_count.prompt_details.cache_read": usage.cached_tokens,
        "llm.token_count.completion_details.reasoning": usage.reasoning_tokens,
        "llm.cost.total": cost,
    }


def _documents(documents: tuple[Document, ...]) -> Attributes:
    found: Attributes = {}
    for index, document in enumerate(documents):
        prefix = f"retrieval.documents.{index}.document."
        found[prefix + "content"] = document.text
        found[prefix + "id"] = document.url or document.title
    return found


def _text(arguments: dict | str) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
