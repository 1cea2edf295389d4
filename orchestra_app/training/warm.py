"""The warm start: rollouts whose every visited state is labelled by the planner, and learned from."""

from bisect import bisect_right
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from random import Random

import torch
from torch.nn import functional
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from orchestra_app.backends.base import Request, State
from orchestra_app.backends.scripted import calling
from orchestra_app.core.message import Message, Offer, Reply
from orchestra_app.core.purse import Purse
from orchestra_app.core.task import NEUTRAL, Preference
from orchestra_app.orchestrator.loop import Options
from orchestra_app.rehearsal.questions import Question, as_task, find, questions
from orchestra_app.training.planner import planned, view
from orchestra_app.training.stage import Stage
from orchestra_app.training.tokenizer import call_text, render
from orchestra_app.training.wishes import draw_budget, draw_preference

WANDERING = 0.3
"""Share of calls that are drawn at random, so that states are visited from which a plan has gone wrong."""
KEPT = 0.35
"""Share of the turns kept where sliders and budget change nothing; the others would be drowned."""
KINDS = ("arithmetic", "maths", "fact", "code", "specialist", "twodoc")
ASIDE = (len(KINDS), 3, 3)
"""Sizes of what is learned beside the reply: the kind of question, documents missing, outputs there."""


@dataclass(frozen=True, slots=True)
class Row:
    """One turn to learn from."""

    prompt: list[int]
    reply: list[int]
    aside: tuple[int, int, int]
    titles: tuple[tuple[int, bool], ...] = ()
    """Places in the prompt where a document names what it is about or a place that is asked for, each with
    whether that document is needed."""


class Prompts:
    """Turns conversations into token ids, the part before the user's message remembered by its tools."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast):
        self._tokenizer = tokenizer
        self._openings: dict[tuple[str, ...], tuple[str, list[int]]] = {}

    def ids(self, text: str) -> list[int]:
        """Return the token ids of a text."""
        return self._tokenizer(text, add_special_tokens=False)["input_ids"]  # pyright: ignore

    def prompt(self, messages: tuple[Message, ...], offered: tuple[Offer, ...]) -> tuple[list[int], str]:
        """Return the ids of a turn's prompt as the chat template renders it, and the text of its last part.

        The last part begins with the user's message; what stands before it is the same for equal offers.
        """
        key = tuple(alias for offer in offered for alias in (offer.name, *offer.choices))
        if key not in self._openings:
            asked = (*messages[:-1], Message(role="user", content=""))
            opening = render(self._tokenizer, asked, [offer.tool_schema for offer in offered])
            self._openings[key] = opening, self.ids(opening[: opening.rindex("user\n")])
        opening, ids = self._openings[key]
        closing = opening[opening.rindex("user\n") + len("user\n") :]
        text = f"user\n{messages[-1].content}{closing}"
        return ids + self.ids(text), text

    def places(self, text: str, ends: list[int]) -> list[int]:
        """Return how many tokens before the end of `text` those stand that hold its characters at `ends`."""
        spans = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        starts = [span[0] for span in spans]
        return [len(starts) - bisect_right(starts, end) + 1 for end in ends]


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

    def __init__(self, prompts: Prompts, random: Random):
        self.rows: list[Row] = []
        self._prompts, self._random = prompts, random

    async def complete(self, request: Request, purse: Purse) -> Reply:
        """Return the next call; nothing is spent."""
        state = request.state
        best = planned(state)
        question = find(state.task.question)
        if best is None or question is None:
            return Reply()
        if best != _plainly(state) or state.task.preference == Preference() or self._random.random() < KEPT:
            row = self._row(request, best, question)
            # That a search has missed is rare, and hard to see.
            missed = bool(state.documents) and row.aside[1] > 0
            self.rows += [row] * (2 if missed else 1)
        chosen = best
        if self._random.random() < WANDERING:
            chosen = self._random.choice([alias for offer in state.offered for alias in offer.choices])
        return calling(_tool(state, chosen), {"model": chosen})

    def _row(self, request: Request, best: str, question: Question) -> Row:
        state = request.state
        seen = view(state, question)
        outputs = 0 if not seen.belief else 1 if seen.belief < 0.98 else 2
        prompt, text = self._prompts.prompt(request.messages, state.offered)
        titles = _titles(text, state, question.needs)
        places = self._prompts.places(text, [end for end, _ in titles]) if titles else []
        return Row(
            prompt,
            self._prompts.ids(call_text(_tool(state, best), best) + "<|im_end|>"),
            (KINDS.index(seen.kind), seen.missing, outputs),
            tuple((len(prompt) - place, needed) for place, (_, needed) in zip(places, titles, strict=True)),
        )


def _tool(state: State, alias: str) -> str:
    return next(offer.name for offer in state.offered if alias in offer.choices)


def _plainly(state: State) -> str | None:
    """Return what the planner would call without sliders and budget."""
    offered = tuple(
        offer.model_copy(update={"choices": dict.fromkeys(offer.choices, NEUTRAL), "slider": NEUTRAL})
        for offer in state.offered
    )
    task = state.task.model_copy(update={"preference": Preference()})
    return planned(replace(state, task=task, offered=offered, cost_left=None, seconds_left=None))


class Rehearsals:
    """An endless stream of rows: train questions, wishes and luck drawn anew for every rollout."""

    def __init__(
        self,
        stage: Stage,
        prompts: Prompts,
        *,
        seed: int,
        presets: dict[str, Preference],
        asked: tuple[Question, ...] = (),
    ):
        self._random = Random(seed)
        self._stage, self._presets = stage, presets
        self._asked = asked or questions("train")
        self._teacher = Teacher(prompts, self._random)
        self._orchestrator = stage.orchestrator(stage.policy("planner", self._teacher))

    async def rows(self, count: int, *, first: bool) -> list[Row]:
        """Return the next rows; `first`: only from the first turns of rollouts."""
        rows = self._teacher.rows
        while len(rows) < count:
            await self._roll(first)
        taken, rows[:] = rows[:count], rows[count:]
        return taken

    async def _roll(self, first: bool) -> None:
        random = self._random
        task = as_task(
            random.choice(self._asked),
            preference=draw_preference(random, self._stage.catalog, self._presets),
            budget=draw_budget(random),
        )
        # Fresh luck every time: what is to be learned are chances.
        options = Options(trace_id="rehearsal", seed=random.randrange(2**31))
        async with aclosing(self._orchestrator.run(task, options)) as events:
            async for event in events:
                if first and event.type == "reply":
                    break


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast the warm start learns."""

    steps: int = 1_500
    batch: int = 64
    rate: float = 3e-3
    first_turns: float = 0.2
    """Share of the steps that see first turns only, which are short."""
    aside: float = 0.3
    """Weight of what is learned beside the reply."""


POOL = 16
"""Batches that are drawn at once, so that rows of like length stand together."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What one step of the warm start came to."""

    step: int
    loss: float
    accuracy: float
    """Share of the rows whose whole reply is the likeliest."""


async def warm_up(
    model: Qwen3ForCausalLM, rehearsals: Rehearsals, schedule: Schedule, *, seed: int
) -> AsyncGenerator[Learned]:
    """Train the model in place and yield every step."""
    random = Random(seed)
    torch.manual_seed(seed)
    heads = torch.nn.Linear(model.config.hidden_size, sum(ASIDE) + 1)
    learner = torch.optim.AdamW(
        [*model.parameters(), *heads.parameters()], lr=schedule.rate, weight_decay=0.01, betas=(0.9, 0.98)
    )
    model.train()
    for start in range(0, schedule.steps, POOL):
        first = start < schedule.first_turns * schedule.steps
        rows = await rehearsals.rows(POOL * schedule.batch, first=first)
        rows.sort(key=lambda row: len(row.prompt))
        order = list(range(POOL))
        random.shuffle(order)
        for number, place in enumerate(order):
            step = start + number
            for group in learner.param_groups:
                group["lr"] = schedule.rate * _pace(step / schedule.steps)
            batch = rows[place * schedule.batch : (place + 1) * schedule.batch]
            loss, accuracy = _learn(model, heads, batch, schedule.aside)
            learner.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            learner.step()
            yield Learned(step, loss.item(), accuracy)
    model.eval()


def _pace(share: float) -> float:
    """Return the learning rate's factor: a short way up, then down to a twentieth."""
    return min(1.0, share / 0.03) * max(0.05, 1.0 - 0.95 * share)


def _learn(
    model: Qwen3ForCausalLM, heads: torch.nn.Linear, rows: list[Row], weight: float
) -> tuple[torch.Tensor, float]:
    """Return the loss of a batch and the share of replies that are the likeliest."""
    longest = max(len(row.prompt) + len(row.reply) for row in rows)
    # Padding stands at the end, where causal attention never looks back from.
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    for line, row in zip(ids, rows, strict=True):
        line[: len(row.prompt) + len(row.reply)] = torch.tensor(row.prompt + row.reply)
    targets = torch.tensor([row.reply for row in rows])
    starts = torch.tensor([len(row.prompt) - 1 for row in rows])
    places = starts[:, None] + torch.arange(targets.shape[1])
    found = model.model(input_ids=ids, output_hidden_states=True)
    states = found.last_hidden_state.gather(1, places[..., None].expand(-1, -1, model.config.hidden_size))
    logits = model.lm_head(states)
    loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    right = (logits.argmax(-1) == targets).all(1).float().mean().item()
    guesses = heads(states[:, 0])[:, :-1].split(ASIDE, dim=1)
    for guess, truth in zip(guesses, torch.tensor([row.aside for row in rows]).T, strict=True):
        loss = loss + weight * functional.cross_entropy(guess, truth)
    titles = [(line, place, needed) for line, row in enumerate(rows) for place, needed in row.titles]
    if titles:
        lines, where, needed = (torch.tensor(each) for each in zip(*titles, strict=True))
        # The layer before the last marks the documents, for the last one to count.
        marked = heads(found.hidden_states[-2][lines, where])[:, -1]
        loss = loss + weight * functional.binary_cross_entropy_with_logits(marked, needed.float())
    return loss, right
