"""The transcript as HTML: what the policy read and was offered in a turn, what it said and what came back."""

import json
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.message import Document, Execution, Message, Offer, ToolCall, ToolResult
from orchestra_app.core.task import NEUTRAL
from orchestra_app.core.trace import Trace, Turn, called
from orchestra_app.orchestrator.prompt import rebuild
from orchestra_app.ui.markup import Child, dollars, join, seconds, tag

Texts = Mapping[str, str]


def transcript(
    trace: Trace, catalog: Catalog | None, texts: Texts, *, settled: Sequence[Markup] = ()
) -> list[Markup]:
    """Return one piece per turn.

    catalog: the snapshot that the trace names, to rebuild the prompts; None where it is not kept.
    settled: pieces of earlier turns that are known already and cannot change.
    """
    later = range(len(settled), len(trace.turns))
    return [*settled, *(_turn(trace, index, catalog, texts) for index in later)]


def lasted(trace: Trace, place: int) -> float:
    """Return the seconds of one turn: from the end of the one before to its own."""
    before = _end(trace.turns[place - 1]) if place else 0.0
    return max(0.0, _end(trace.turns[place]) - before)


def _end(turn: Turn) -> float:
    return max(turn.reply.at, *(result.at for result in turn.results), 0.0)


def _turn(trace: Trace, index: int, catalog: Catalog | None, texts: Texts) -> Markup:
    turn = trace.turns[index]
    messages = rebuild(trace, index, catalog) if catalog else ()
    return tag(
        "details",
        _summary(trace, index, texts),
        _forced(turn, texts),
        _block(texts["instruction"], turn.instruction),
        _offered(turn.offered, texts),
        _prompt(messages, texts),
        _block(texts["reasoning"], turn.reply.reasoning, folded=True),
        _block(texts["reply"], turn.reply.text),
        *(_call(call, turn.result(call.id), texts) for call in turn.reply.calls),
        class_="turn",
    )


def _summary(trace: Trace, index: int, texts: Texts) -> Markup:
    turn = trace.turns[index]
    asked = [called(call) for call in turn.reply.calls] or [texts["no_call"]]
    charges = [*turn.reply.charges, *(charge for result in turn.results for charge in result.charges)]
    failed = any(result.error for result in turn.results)
    figures = f"{dollars(sum(charge.cost for charge in charges))} · {seconds(lasted(trace, index))}"
    return tag(
        "summary",
        tag("span", texts["turn"].format(number=index + 1), class_="number"),
        tag("bdi", ", ".join(asked), class_="asked"),
        tag("span", texts["error"], class_="chip bad") if failed else None,
        tag("span", figures, class_="figures"),
    )


def _forced(turn: Turn, texts: Texts) -> Markup | None:
    return tag("p", texts["forced"].format(reason=turn.forced), class_="notice") if turn.forced else None


def _offered(offers: tuple[Offer, ...], texts: Texts) -> Markup | None:
    if not offers:
        return None
    rows = [
        tag(
            "li",
            tag("code", offer.name),
            _slider(offer.slider),
            *(tag("span", alias, _slider(value), class_="alias") for alias, value in offer.choices.items()),
        )
        for offer in offers
    ]
    return _folded(texts["offered"], tag("ul", *rows, class_="offers"))


def _slider(value: float) -> Markup | None:
    return None if value == NEUTRAL else tag("b", f"{value:g}", class_="slider")


def _prompt(messages: Sequence[Message], texts: Texts) -> Markup | None:
    if not messages:
        return None
    said: list[Child] = []
    for message in messages:
        calls = "\n".join(_call_text(call) for call in message.calls)
        said.append(tag("h6", message.role))
        said.append(_text("\n".join(part for part in (message.content, calls) if part)))
    return _folded(texts["prompt"], join(said))


def _call(call: ToolCall, result: ToolResult | None, texts: Texts) -> Markup:
    inside: list[Child] = [_block(texts["arguments"], _call_text(call), folded=True)]
    if result is None:
        inside.append(tag("p", texts["no_result"], class_="quiet"))
    else:
        inside += [_document(document, texts) for document in result.documents]
        inside += [_execution(run, texts) for run in result.executions]
        inside.append(_block(texts["output"], result.output))
        inside.append(_block(texts["answer"], result.answer or ""))
        if result.error:
            inside.append(tag("p", tag("b", texts["error"]), " ", tag("bdi", result.error), class_="trouble"))
    return tag("section", tag("h5", called(call)), *inside, class_="call")


def _document(document: Document, texts: Texts) -> Markup:
    where = " · ".join(part for part in (document.source, document.url) if part)
    title = tag("span", tag("bdi", document.title or texts["untitled"]), " ", tag("small", where))
    return _folded(title, _text(document.text))


def _execution(run: Execution, texts: Texts) -> Markup:
    status = texts["timed_out"] if run.timed_out else texts["exit_status"].format(status=run.status)
    said = f"{status} · {seconds(run.seconds)}" + (f" · {texts['truncated']}" if run.truncated else "")
    return tag(
        "div",
        tag("h6", texts["code"]),
        _text(run.code),
        tag("h6", texts["printed"], " ", tag("small", said)),
        _text(run.stdout) if run.stdout or not run.stderr else None,
        _text(run.stderr, kind="stderr") if run.stderr else None,
        class_="execution",
    )


def _block(title: str, text: str, *, folded: bool = False) -> Markup | None:
    if not text.strip():
        return None
    return _folded(title, _text(text)) if folded else tag("div", tag("h6", title), _text(text))


def _folded(title: Child, *inside: Child) -> Markup:
    return tag("details", tag("summary", title), *inside, class_="fold")


def _text(text: str, kind: str = "text") -> Markup:
    return tag("pre", text or "–", class_=kind, dir="auto", tabindex=0)


def _call_text(call: ToolCall) -> str:
    arguments = call.arguments
    said = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False, indent=2)
    return f"{call.name} {said}"
