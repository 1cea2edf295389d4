"""Simulated experts: a backend that replies as the catalogue's chances, prices and latencies say."""

from orchestra_app.backends.base import Request
from orchestra_app.core.errors import BackendError
from orchestra_app.core.message import Reply
from orchestra_app.core.purse import Purse, Use
from orchestra_app.core.text import byte_length
from orchestra_app.core.usage import Usage
from orchestra_app.rehearsal import free, replies
from orchestra_app.rehearsal.draws import luck
from orchestra_app.rehearsal.questions import find
from orchestra_app.rehearsal.situation import attempts, context_key, situation

BYTES_PER_TOKEN = 4
"""What the simulated tokenizer makes one token."""
SPREAD = 0.2
"""Tokens and seconds of a call lie within this share of the usual figure."""
LATENCY = 10.0
"""Seconds of a call where neither request nor catalogue says."""
CUT_TEXT = "<think>Let me go through what is known and what is still missing before"
"""What is left of a reply that was cut: it has no query, code or answer."""


class SimulatedExperts:
    """A backend without a model behind it; nothing waits, only simulated seconds pass."""

    async def complete(self, request: Request, purse: Purse) -> Reply:
        """Return the reply that the request's model, question and context draw.

        Raises BudgetError where the call does not fit, and BackendError for a role that is not simulated or
        where the call would outlast the seconds left; it is then booked at its worst case, as a real one.
        """
        text = _reply_text(request)
        wanted = _wanted(request)
        reservation = await purse.reserve(_use(request, wanted.input_tokens))
        granted = min(wanted.output_tokens, reservation.granted.output_tokens)
        used, cut = wanted, granted < wanted.output_tokens
        if cut:
            seconds = wanted.seconds * granted / wanted.output_tokens
            used = wanted.model_copy(update={"output_tokens": granted, "seconds": seconds})
        if reservation.seconds is not None and used.seconds > reservation.seconds:
            late = reservation.granted.model_copy(update={"seconds": reservation.seconds})
            purse.settle(reservation, late, simulated=True)
            raise BackendError(
                f"{request.name} was stopped after the {reservation.seconds:.0f} s that were left: "
                "allow more seconds, or choose a faster model."
            )
        charge = purse.settle(reservation, used, simulated=True)
        text = CUT_TEXT if cut else text
        if request.on_text is not None:
            request.on_text(text)
        return Reply(
            text=text,
            charges=(charge,),
            finish="length" if cut else "stop",
            at=charge.at + used.seconds,
        )


def _use(request: Request, input_tokens: int) -> Use:
    least = min(request.min_output, request.max_output)
    return Use(
        who=request.name,
        kind=request.kind,
        price=request.model.price,
        most=Usage(input_tokens=input_tokens, output_tokens=request.max_output),
        least=Usage(input_tokens=input_tokens, output_tokens=least),
        simulated=True,
    )


def _wanted(request: Request) -> Usage:
    """Return what the whole call takes: tokens and seconds drawn around the usual figures."""
    found = request.state.catalog.choice(request.alias)
    usual = found[1].typical_output if found else min(request.min_output, request.max_output)
    state = request.state
    key = (
        state.seed,
        state.task.question,
        request.name,
        request.role,
        context_key(request),
        attempts(request),
    )
    return Usage(
        input_tokens=-(-sum(byte_length(message.content) for message in request.messages) // BYTES_PER_TOKEN),
        output_tokens=max(1, round(usual * _around("tokens", *key))),
        seconds=(LATENCY if request.latency is None else request.latency) * _around("seconds", *key),
    )


def _around(*key: str | int) -> float:
    return 1 - SPREAD + 2 * SPREAD * luck(*key)


def _reply_text(request: Request) -> str:
    match request.role:
        case "search":
            return f"<query>{_query(request)}</query>"
        case "reason":
            return (
                f"This code gives the figures that the answer needs.\n\n```python\n{_program(request)}\n```"
            )
        case "answer":
            return _framed(_answer(request), request)
    raise BackendError(
        f"Simulated experts search, reason and answer, but cannot be {request.role or 'a plain model'!r}: "
        "choose a baseline policy, or a catalogue with real models."
    )


def _query(request: Request) -> str:
    question = find(request.state.task.question)
    if question is None:
        return free.key_words(request.state.task.question)
    return replies.query(situation(request, question))


def _program(request: Request) -> str:
    question = find(request.state.task.question)
    if question is None:
        program = free.arithmetic_program(request.state.task.question)
        return program or "pass  # The question asks for no arithmetic."
    return replies.program(situation(request, question))


def _answer(request: Request) -> str:
    state = request.state
    question = find(state.task.question)
    if question is None:
        return free.found_answer(state.task.question, state.documents, state.executions)
    return replies.answer(situation(request, question))


def _framed(answer: str, request: Request) -> str:
    basis = "what was found" if request.state.documents or request.state.executions else "what I know"
    if any(message.role == "system" and "\\boxed" in message.content for message in request.messages):
        return f"Going through {basis}, step by step, the result is \\boxed{{{answer}}}."
    return f"<think>I answer from {basis}.</think>\n<answer>{answer}</answer>"
