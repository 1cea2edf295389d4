"""One run on its way: turn by turn, with its purse and the trace so far."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from orchestra_app.backends.base import State
from orchestra_app.backends.reading import clean
from orchestra_app.core.errors import BackendError, BudgetError, ContextError, ToolError
from orchestra_app.core.events import (
    Event,
    ReplyReceived,
    RolloutFinished,
    RolloutStarted,
    Status,
    ToolFinished,
)
from orchestra_app.core.message import Message, Reply, ToolCall, ToolResult
from orchestra_app.core.task import Task
from orchestra_app.core.trace import Trace
from orchestra_app.orchestrator.instruction import instruction
from orchestra_app.orchestrator.ledger import CallPurse, Hold
from orchestra_app.orchestrator.plan import Plan, best_liked, plan_chat, plan_packed
from orchestra_app.orchestrator.prompt import final_prompts, prompt, room
from orchestra_app.orchestrator.reading import problem_with
from orchestra_app.orchestrator.stop import Stopped

if TYPE_CHECKING:
    from orchestra_app.orchestrator.loop import Options, Orchestrator

USELESS_TURNS = 2
"""Turns in a row without a valid call after which a final answer is forced."""
FORCED_TRIES = 3
"""Forced answers that may fail before the run does."""


class Rollout:
    """The state of one run."""

    def __init__(self, orchestrator: "Orchestrator", task: Task, options: "Options"):
        self.orchestrator = orchestrator
        self.policy = orchestrator.policy
        self.options = options
        self.task = task
        fork = options.fork
        self.purse = orchestrator.ledger.open(
            task.budget,
            owner=options.owner,
            simulated=orchestrator.catalog.simulated,
            job=options.job,
            spent=fork.cost if fork else 0.0,
            seconds=fork.seconds if fork else 0.0,
        )
        self.purse.on_reserved = options.on_reserved
        self.started = RolloutStarted(
            trace_id=options.trace_id,
            task=task,
            policy=self.policy.name,
            catalog=orchestrator.catalog.ref,
            protocol=self.policy.protocol,
            render="hle" if self.policy.protocol == "packed" else "chat",
            seed=options.seed,
            started_at=datetime.now(UTC),
            owner=options.owner,
            consent=options.consent,
            parent=fork.trace.id if fork else None,
            reused=len(fork.turns) if fork else 0,
            group=options.group or (fork.group(task) if fork else None),
        )
        self.trace = Trace.start(self.started)
        self._useless = 0
        self._forced = 0
        self._under_way: list[tuple[ToolCall | None, CallPurse]] = []

    def taken_over(self) -> Iterator[Event]:
        """Yield the events of turns of another trace, and the end where they leave nothing of the budget."""
        if fork := self.options.fork:
            yield from fork.events()
            if excess := fork.excess(self.task.budget):
                yield self._finished("exhausted", error=excess)

    async def turn(self) -> AsyncGenerator[Event]:
        """Yield the events of the next turn, the last of the run included; raises Stopped."""
        if self.options.stop.is_set:
            raise Stopped
        state = self._state()
        planned = await self._plan(state)
        if planned.refusal:
            yield self._finished("failed" if planned.excluded else "exhausted", error=planned.refusal)
            return
        state = state._replace(offered=planned.offered)
        forced = self._reason_to_force(planned)
        if forced and (self._forced >= FORCED_TRIES or self.policy.gives_up):
            yield self._finished("failed", error=self._no_answer())
            return
        purse = self._purse(None if forced else planned.hold)
        self._under_way = [(None, purse)]
        try:
            reply, state, forced = await self._reply(state, planned, purse, forced)
        except (BudgetError, BackendError) as error:
            self._under_way = []
            purse.close()
            if purse.charges:
                yield self._received(Reply(), purse, state, "failed")
            status = "exhausted" if isinstance(error, BudgetError) else "failed"
            yield self._finished(status, error=str(error))
            return
        self._under_way = []
        received = self._received(reply, purse, state, forced)
        yield received
        self._forced += received.forced is not None
        if answer := self._answered(received):
            yield self._finished("answered", answer=answer)
            return
        valid, refused = self._checked(received.reply, state)
        for event in refused:
            yield event
        self._useless = 0 if valid else self._useless + 1
        if valid:
            for event in await self._run_calls(valid, state, planned):
                yield event
                if event.result.answer is not None and self.policy.protocol == "packed":
                    yield self._finished("answered", answer=event.result.answer)

    async def _plan(self, state: State) -> Plan:
        orchestrator = self.orchestrator
        if self.policy.protocol == "chat":
            finals = final_prompts(state, tokens=orchestrator.tokens, room=self._room())
            return await plan_chat(orchestrator.toolbox, state, self.purse, self.policy, finals)
        last = len(self.trace.turns) >= self.task.budget.turns - 1
        return await plan_packed(orchestrator.toolbox, state, self.purse, last=last)

    def _reason_to_force(self, planned: Plan) -> str | None:
        """Return why the final answer is taken now, or None where the policy is asked."""
        if planned.short:
            return planned.short
        if self._forced or len(self.trace.turns) >= self.task.budget.turns:
            return "turns"
        if self._useless >= USELESS_TURNS:
            return "useless"
        if self.policy.protocol == "chat":
            return None
        choices = sum(len(offer.choices) or 1 for offer in planned.offered)
        if choices > 1:
            return None
        return "only choice" if choices else "budget"

    async def _reply(
        self, state: State, planned: Plan, purse: CallPurse, forced: str | None
    ) -> tuple[Reply, State, str | None]:
        """Return the next reply, the state with what was offered for it, and why it was forced, if it was.

        Raises BudgetError, BackendError and Stopped.
        """
        if not forced:
            try:
                return await self._complete(self._messages(state), state, purse), state, None
            except BudgetError:
                forced = "budget"
            except ContextError:
                if not planned.endings:
                    raise
                forced = "context"
        if planned.endings:
            wanted = best_liked(planned.endings, state).wanted
            call = ToolCall(id="", name=wanted.tool.name, arguments={"model": wanted.alias})
            only = self.orchestrator.toolbox.offer(self.task.preference, [wanted])
            return Reply(calls=(call,)), (planned.shown or state)._replace(offered=only), forced
        purse.hold = Hold()
        state = state._replace(offered=())
        reply = await self._complete(planned.final, state, purse)
        return reply.model_copy(update={"calls": ()}), state, forced

    def _messages(self, state: State) -> tuple[Message, ...]:
        return prompt(self.policy.protocol, state, tokens=self.orchestrator.tokens, room=self._room())

    def _room(self) -> int:
        return room(self.policy.model.context, self.policy.max_output)

    async def _complete(self, messages: tuple[Message, ...], state: State, purse: CallPurse) -> Reply:
        request = self.policy.request(messages, state, self.options.on_text)
        return await self.options.stop.run(self.policy.backend.complete(request, purse))

    def _answered(self, received: ReplyReceived) -> str:
        """Return the answer that a reply of the chat protocol is; "" where it is none."""
        reply = received.reply
        # A cut text is mostly a thought on its way; where it was forced, nothing better will come.
        whole = not reply.calls and (reply.finish == "stop" or received.forced)
        return reply.text.strip() if whole and self.policy.protocol == "chat" else ""

    def _checked(self, reply: Reply, state: State) -> tuple[list[ToolCall], list[ToolFinished]]:
        """Return the valid calls of a reply, and what is said of the others."""
        valid: list[ToolCall] = []
        refused: list[ToolFinished] = []
        for call in reply.calls:
            problem = problem_with(call, state.offered)
            if problem is None and valid and self.policy.protocol == "packed":
                problem = "Only one call is made in a turn; the first valid one was."
            if problem is None:
                valid.append(call)
            else:
                result = ToolResult(call_id=call.id, error=problem)
                refused.append(self._tool_finished(result, self._purse(None)))
        return valid, refused

    async def _run_calls(self, calls: list[ToolCall], state: State, planned: Plan) -> list[ToolFinished]:
        """Run calls side by side and return each result in the order of the calls."""
        pairs = [(call, self._purse(self._hold(call, planned))) for call in calls]
        self._under_way = list(pairs)
        results = await self.options.stop.run(self._together(pairs, state))
        self._under_way = []
        return [self._tool_finished(result, purse) for (_, purse), result in zip(pairs, results, strict=True)]

    def _hold(self, call: ToolCall, planned: Plan) -> Hold:
        last = self.policy.protocol == "packed" and self.orchestrator.toolbox.tools[call.name].ends
        return Hold() if last else planned.hold_of(call)

    async def _together(self, pairs: list[tuple[ToolCall, CallPurse]], state: State) -> list[ToolResult]:
        if len(pairs) == 1:
            return [await self._call(pairs[0][0], state, pairs[0][1])]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._call(call, state, purse)) for call, purse in pairs]
        return [task.result() for task in tasks]

    async def _call(self, call: ToolCall, state: State, purse: CallPurse) -> ToolResult:
        tool = self.orchestrator.toolbox.tools[call.name]
        try:
            return await tool.call(call, state, purse)
        except (ToolError, BudgetError, BackendError) as error:
            return ToolResult(call_id=call.id, error=clean(str(error)))

    def cut_short(self) -> list[Event]:
        """Return the events that book what was in flight when the run was stopped, and the last event."""
        events: list[Event] = []
        for call, purse in self._under_way:
            if call is not None:
                events.append(self._tool_finished(ToolResult(call_id=call.id, error="Stopped."), purse))
                continue
            purse.close()
            if purse.charges:
                events.append(self._received(Reply(), purse, self._state(), "stopped"))
        self._under_way = []
        return [*events, self._finished("stopped", error="The run was stopped.")]

    def close(self) -> None:
        """Book what was in flight when the run was left in the middle."""
        for _, purse in self._under_way:
            purse.close()
        self._under_way = []

    def _finished(
        self, status: Status, *, answer: str | None = None, error: str | None = None
    ) -> RolloutFinished:
        return RolloutFinished(status=status, answer=answer, error=error, at=self.purse.clock.now())

    def _received(self, reply: Reply, purse: CallPurse, state: State, forced: str | None) -> ReplyReceived:
        purse.close()
        at = self.purse.clock.now()
        turn = len(self.trace.turns) + 1
        # Own ids: a provider's may repeat across turns, and two runs of one seed must agree.
        calls = tuple(
            ToolCall(id=f"{turn}.{index}", name=call.name, arguments=call.arguments)
            for index, call in enumerate(reply.calls, 1)
        )
        update = {"charges": tuple(purse.charges), "at": at, "calls": calls}
        return ReplyReceived(
            offered=state.offered,
            instruction=state.instruction,
            reply=reply.model_copy(update=update),
            forced=forced,
            at=at,
        )

    def _tool_finished(self, result: ToolResult, purse: CallPurse) -> ToolFinished:
        purse.close()
        at = purse.clock.now()
        result = result.model_copy(update={"charges": tuple(purse.charges), "at": at})
        return ToolFinished(result=result, at=at)

    def _state(self) -> State:
        trace = self.trace
        cost_left, seconds_left = self.purse.cost_left, self.purse.seconds_left
        sentence = instruction(
            self.task.preference,
            self.orchestrator.catalog,
            cost_left=cost_left,
            seconds_left=seconds_left,
        )
        return State(
            task=self.task,
            catalog=self.orchestrator.catalog,
            documents=tuple(trace.documents),
            executions=tuple(trace.executions),
            turns=tuple(trace.turns),
            offered=(),
            instruction=sentence,
            cost_left=cost_left,
            seconds_left=seconds_left,
            seed=self.options.seed,
        )

    def _purse(self, hold: Hold | None) -> CallPurse:
        return CallPurse(self.purse, hold, simulated=self.orchestrator.catalog.simulated)

    def _no_answer(self) -> str:
        errors = [result.error for turn in self.trace.turns[-1:] for result in turn.results if result.error]
        return f"No usable answer came: {errors[-1]}" if errors else "The policy gave no usable answer."
