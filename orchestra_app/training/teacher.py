"""What the warm start learns from: rollouts whose every visited state is labelled by the planner."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from orchestra_app.backends.base import Request, State
from orchestra_app.backends.scripted import calling
from orchestra_app.core.message import Message, Offer, Reply
from orchestra_app.core.purse import Purse
from orchestra_app.core.task import Preference, Task
from orchestra_app.orchestrator.loop import Options
from orchestra_app.training.planner import KINDS, Asked, Planner, best_of, view
from orchestra_app.training.stage import Stage
from orchestra_app.training.tokenizer import END, call_text, render
from orchestra_app.training.wishes import Often, draw_budget, draw_preference

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

WANDERING = 0.3
"""Share of calls that are drawn at random, so that states are visited from which a plan has gone wrong."""
KEPT = 0.35
"""Share of the turns kept where sliders and budget change nothing; the others would be drowned."""
SAME_WISH = 4
"""Rollouts in a row under the same sliders, which the planner then need not think through anew."""
SOFTNESS = 0.001
"""Right answers by which a call may be worse and still be taught, e times less often: near ties are luck."""
FAINT = 0.01
"""Shares below this are not taught."""


@dataclass(frozen=True, slots=True)
class Row:
    """One turn to learn from."""

    prompt: list[int]
    reply: list[int]
    """The best reply."""
    shares: tuple[tuple[tuple[int, float], ...], ...]
    """For each token of the reply, what may stand there and how often."""
    aside: tuple[int, int, int]
    """What is learned beside the reply: the kind of question, documents missing, outputs there."""
    titles: tuple[tuple[int, bool], ...] = ()
    """Places in the prompt where a document names what it is about or a place that is asked for, each with
    whether that document is needed."""


class Prompts:
    """Turns conversations into token ids, the part before the user's message remembered by its tools."""

    def __init__(self, tokenizer: "PreTrainedTokenizerFast"):
        self._tokenizer, self._fast = tokenizer, tokenizer.backend_tokenizer
        self._openings: dict[tuple[str, ...], tuple[str, list[int]]] = {}
        self._replies: dict[tuple[str, str], list[int]] = {}

    def reply(self, tool: str, alias: str) -> list[int]:
        """Return the ids of the reply that calls an alias."""
        if (tool, alias) not in self._replies:
            self._replies[tool, alias] = self._ids(call_text(tool, alias) + END)
        return self._replies[tool, alias]

    def prompt(
        self, messages: tuple[Message, ...], offered: tuple[Offer, ...]
    ) -> tuple[list[int], str, list[int]]:
        """Return the ids of a turn's prompt as the chat template renders it, the text of its last part, and
        where in that text each of its last ids starts.

        The last part begins with the user's message; what stands before it is the same for equal offers.
        """
        key = tuple(alias for offer in offered for alias in (offer.name, *offer.choices))
        if key not in self._openings:
            asked = (*messages[:-1], Message(role="user", content=""))
            opening = render(self._tokenizer, asked, [offer.tool_schema for offer in offered])
            self._openings[key] = opening, self._ids(opening[: opening.rindex("user\n")])
        opening, ids = self._openings[key]
        closing = opening[opening.rindex("user\n") + len("user\n") :]
        text = f"user\n{messages[-1].content}{closing}"
        found = self._fast.encode(text, add_special_tokens=False)
        return ids + found.ids, text, [span[0] for span in found.offsets]

    def _ids(self, text: str) -> list[int]:
        return self._fast.encode(text, add_special_tokens=False).ids


def _titles(text: str, state: State, needs: tuple[str, ...]) -> list[tuple[int, bool]]:
    """Return the last character of every title in the documents that counts, with whether it is needed."""
    found = []
    for document in state.documents:
        start = text.find(document.text)
        for title in dict.fromkeys((document.title, *needs)):
            at = document.text.find(title)
            if start >= 0 and at >= 0:
                found.append((start + at + len(title) - 1, title == document.title and title in needs))
    return found


class Teacher:
    """A policy that calls what the planner says, or wanders, and notes what the planner would have said."""

    def __init__(self, prompts: Prompts, planner: Planner, random: Random):
        self.rows: list[Row] = []
        self.question: Asked | None = None
        """What is being asked."""
        self._prompts, self._planner, self._random = prompts, planner, random

    async def complete(self, request: Request, purse: Purse) -> Reply:
        """Return the next call; nothing is spent."""
        state, question = request.state, self.question
        if question is None or not state.offered:
            return Reply()
        worths = self._planner.worths(state, question)
        best = best_of(worths)
        if self._telling(state, question, best):
            row = self._row(request, worths, question)
            # That a search has missed is rare, and hard to see.
            missed = bool(state.documents) and row.aside[1] > 0
            self.rows += [row] * (2 if missed else 1)
        chosen = best
        if self._random.random() < WANDERING:
            chosen = self._random.choice(list(worths))
        return calling(_tools(state)[chosen], {"model": chosen})

    def _telling(self, state: State, question: Asked, best: str) -> bool:
        if state.task.preference == Preference() or self._random.random() < KEPT:
            return True
        return best != best_of(self._planner.worths(state, question, plainly=True))

    def _row(self, request: Request, worths: dict[str, float], question: Asked) -> Row:
        state, tools = request.state, _tools(request.state)
        seen = view(state, question)
        outputs = 0 if not seen.belief else 1 if seen.belief < 0.98 else 2
        prompt, text, starts = self._prompts.prompt(request.messages, state.offered)
        before = len(prompt) - len(starts)
        replies = {alias: self._prompts.reply(tools[alias], alias) for alias in worths}
        reply = replies[best_of(worths)]
        return Row(
            prompt,
            reply,
            _shares(reply, [(replies[alias], worth) for alias, worth in worths.items()]),
            (KINDS.index(seen.kind), seen.missing, outputs),
            tuple(
                (before + bisect_right(starts, end) - 1, needed)
                for end, needed in _titles(text, state, question.needs)
            ),
        )


def _tools(state: State) -> dict[str, str]:
    return {alias: offer.name for offer in state.offered for alias in offer.choices}


def _shares(
    reply: list[int], replies: list[tuple[list[int], float]]
) -> tuple[tuple[tuple[int, float], ...], ...]:
    """Return how often each token may follow along the best reply, by what the replies are worth."""
    best = max(worth for _, worth in replies)
    weights = [(ids, math.exp((worth - best) / SOFTNESS)) for ids, worth in replies]
    found = []
    for place in range(len(reply)):
        counted: dict[int, float] = {}
        for ids, weight in weights:
            if ids[:place] == reply[:place]:
                # The likeliest way down the tree of replies is then the best one.
                counted[ids[place]] = max(weight, counted.get(ids[place], 0.0))
        total = sum(counted.values())
        kept = {token: weight for token, weight in counted.items() if weight >= FAINT * total}
        total = sum(kept.values())
        found.append(tuple((token, weight / total) for token, weight in kept.items()))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Curriculum:
    """What is asked, and under which wishes."""

    asked: Sequence[Asked]
    typed: Sequence[Asked]
    """Questions as people type them."""
    presets: Sequence[Often]
    typed_share: float = 0.1


class Rehearsals:
    """An endless stream of rows: questions, wishes and luck drawn anew for every rollout."""

    def __init__(self, stage: Stage, prompts: Prompts, curriculum: Curriculum, *, seed: int):
        self._random = Random(seed)
        self._stage, self._curriculum = stage, curriculum
        self._teacher = Teacher(prompts, Planner(stage.catalog), self._random)
        self._orchestrator = stage.orchestrator(stage.policy("planner", self._teacher))
        self._wish, self._wished = Preference(), 0

    async def rows(self, count: int, *, first: bool) -> list[Row]:
        """Return the next rows; `first`: only from the first turns of rollouts."""
        rows = self._teacher.rows
        while len(rows) < count:
            await self._roll(first)
        taken, rows[:] = rows[:count], rows[count:]
        return taken

    async def _roll(self, first: bool) -> None:
        random, curriculum = self._random, self._curriculum
        if self._wished % SAME_WISH == 0:
            self._wish = draw_preference(random, self._stage.catalog, curriculum.presets)
        self._wished += 1
        asked = curriculum.typed if random.random() < curriculum.typed_share else curriculum.asked
        self._teacher.question = question = random.choice(asked)
        task = Task(id="row", question=question.text, preference=self._wish, budget=draw_budget(random))
        # Fresh luck every time: what is to be learned are chances.
        options = Options(trace_id="rehearsal", seed=random.randrange(2**31))
        async with aclosing(self._orchestrator.run(task, options)) as events:
            async for event in events:
                if first and event.type == "reply":
                    break
