"""The policy's prompt of any turn, while it runs and again from a stored trace."""

from collections.abc import Iterator

from orchestra_app.backends.base import State
from orchestra_app.core.catalog import Catalog
from orchestra_app.core.events import Protocol
from orchestra_app.core.message import Message
from orchestra_app.core.text import EstimatedTokens, TokenCounter
from orchestra_app.core.trace import Trace, Turn
from orchestra_app.orchestrator.chat import converse
from orchestra_app.orchestrator.packed import CONTEXT_TOKENS, pack

RESERVED_TOKENS = 2_000
"""Tokens of a context that tool schemas and the chat template may take."""
SMALLEST_ROOM = 1_000
RESULTS_OUT = "budget: results left out"
QUESTION_ALONE = "budget: the question alone"


def room(context: int, max_output: int) -> int:
    """Return the tokens that a conversation may take in a model's context."""
    return max(SMALLEST_ROOM, context - max_output - RESERVED_TOKENS)


def prompt(
    protocol: Protocol, state: State, *, tokens: TokenCounter, room: int, final: bool = False
) -> tuple[Message, ...]:
    """Return what the policy reads in this state; `final` asks a chat policy to answer now."""
    if protocol == "chat":
        return converse(state, tokens=tokens, room=room, final=final)
    return pack(
        state.problem,
        state.documents,
        state.executions,
        tokens=tokens,
        note=last_problem(state.turns),
        limit=min(CONTEXT_TOKENS, room),
    )


def final_prompts(
    state: State, *, tokens: TokenCounter, room: int
) -> Iterator[tuple[str, tuple[Message, ...]]]:
    """Yield how a chat policy can be asked to answer now, with how each prompt is shortened: whole first."""
    yield "", converse(state, tokens=tokens, room=room, final=True)
    yield RESULTS_OUT, converse(state, tokens=tokens, room=0, final=True)
    yield QUESTION_ALONE, converse(state._replace(turns=()), tokens=tokens, room=room, final=True)


def rebuild(
    trace: Trace, index: int, catalog: Catalog, *, tokens: TokenCounter | None = None
) -> tuple[Message, ...]:
    """Return the prompt of turn `index` of a stored trace; empty where the loop answered without the policy.

    catalog: the snapshot that the trace names. tokens: the policy's counter where its model has one.
    """
    turn, before = trace.turns[index], tuple(trace.turns[:index])
    if turn.forced and trace.protocol == "packed":
        return ()
    state = State(
        task=trace.task,
        catalog=catalog,
        documents=tuple(
            document for each in before for result in each.results for document in result.documents
        ),
        executions=tuple(run for each in before for result in each.results for run in result.executions),
        turns=before,
        offered=turn.offered,
        instruction=turn.instruction,
        seed=trace.seed,
    )
    spec = catalog.policies.get(trace.policy)
    size = room(catalog.models[spec.model].context, spec.max_output) if spec else room(32_768, 4_096)
    counter = tokens or EstimatedTokens()
    if turn.forced in (RESULTS_OUT, QUESTION_ALONE):
        return dict(final_prompts(state, tokens=counter, room=size))[turn.forced]
    return prompt(trace.protocol, state, tokens=counter, room=size, final=turn.forced is not None)


def last_problem(turns: tuple[Turn, ...]) -> str:
    """Return what went wrong in the last turn, for the policy to read; "" where nothing did."""
    if not turns:
        return ""
    if not turns[-1].reply.calls:
        return "The last reply held no tool call; call one of the tools."
    return " ".join(result.error for result in turns[-1].results if result.error)
