"""Turns labelled traces into samples: one per turn of the policy, with its trace's advantage in its group."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from orchestra_app.backends.local import LocalModel
from orchestra_app.backends.local.legal import legal_calls
from orchestra_app.core.catalog import Catalog
from orchestra_app.core.message import Tokens
from orchestra_app.core.trace import SOURCE_ORDER, Trace, Turn
from orchestra_app.orchestrator.prompt import rebuild
from orchestra_app.orchestrator.reading import problem_with
from orchestra_app.scoring.contradiction import contradictions
from orchestra_app.scoring.match import normalised
from orchestra_app.scoring.reward import Floats, advantages, rewards
from orchestra_app.training.definition import Definition
from orchestra_app.training.progress import Tally

CLIP = 3.0
"""Advantages are clipped to ±3, as ToolOrchestra does."""
UNFINISHED = ("running", "stopped", "interrupted")


Candidates = tuple[tuple[int, ...], ...]
"""For each token of a completion those that it was chosen from."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One turn to learn from."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    advantage: float
    logprobs: tuple[float, ...] | None = None
    """Of the completion's tokens when they were said; None: not known."""
    trace: str = ""
    turn: int = 0
    among: Candidates | None = None
    """None: each was chosen from the whole vocabulary."""

    @property
    def length(self) -> int:
        return len(self.prompt) + len(self.completion)


@dataclass(frozen=True, slots=True)
class Group:
    """Judged traces of one task with what each earned."""

    name: str
    traces: tuple[Trace, ...]
    rewards: Floats
    advantages: Floats


def learnable(
    groups: Mapping[str, Sequence[Trace]], definition: Definition, known: Iterable[str] | None = None
) -> tuple[list[Group], Tally]:
    """Return the groups that teach something, and what was left out and why.

    known: hashes of the catalogues whose traces may be learned from; None: any.
    """
    allowed = None if known is None else set(known)
    counts: Counter[str] = Counter()
    found: list[Group] = []
    for name, members in groups.items():
        counts["groups"] += 1
        counts["traces"] += len(members)
        group = _group(name, members, definition, allowed, counts)
        if group is not None:
            found.append(group)
    spread = float(np.mean([group.rewards.std() for group in found])) if found else 0.0
    counts["learned_groups"] = len(found)
    return found, Tally(**counts, spread=spread)


def _group(
    name: str,
    members: Sequence[Trace],
    definition: Definition,
    allowed: set[str] | None,
    counts: Counter[str],
) -> Group | None:
    hashes = {trace.catalog.hash for trace in members}
    if len(hashes) > 1:
        counts["mixed_catalogs"] += 1
        return None
    if allowed is not None and not hashes <= allowed:
        counts["other_catalog"] += 1
        return None
    judged = _judged(members, definition, counts)
    if len(judged) < 2:
        counts["too_small"] += 1
        return None
    earned = rewards(judged, form=definition.reward)
    if earned.std() < max(definition.least_spread, 1e-9):
        counts["no_spread"] += 1
        return None
    return Group(name, tuple(judged), earned, np.clip(advantages(earned), -CLIP, CLIP))


def _judged(members: Sequence[Trace], definition: Definition, counts: Counter[str]) -> list[Trace]:
    """Return the finished traces whose verdict can be believed, with only the labels that count."""
    sources = definition.traces.sources
    finished = [trace for trace in members if trace.status not in UNFINISHED]
    counts["unfinished"] += len(members) - len(finished)
    known = [
        trace.model_copy(update={"labels": [label for label in trace.labels if label.source in sources]})
        for trace in finished
    ]
    known = [trace for trace in known if trace.correct is not None]
    counts["unsure"] += len(finished) - len(known)
    believed = _believed(known)
    counts["contradictory"] += len(known) - len(believed)
    for trace in believed:
        counts[_source(trace)] += 1
        counts["simulated"] += trace.simulated
    return believed


def _believed(known: Sequence[Trace]) -> list[Trace]:
    """Leave out verdicts against the gold answer, and opposite verdicts on one and the same answer."""
    verdicts: dict[str, set[bool]] = {}
    for trace in known:
        if trace.answer:
            verdicts.setdefault(normalised(trace.answer), set()).add(bool(trace.correct))
    return [
        trace
        for trace in known
        if not contradictions(trace) and not (trace.answer and len(verdicts[normalised(trace.answer)]) > 1)
    ]


def _source(trace: Trace) -> str:
    given = {label.source for label in trace.labels if label.call_id is None}
    return next(source for source in SOURCE_ORDER if source in given)


def samples(
    groups: Sequence[Group],
    speaker: LocalModel,
    definition: Definition,
    catalogs: Mapping[str, Catalog],
    *,
    own: bool = False,
) -> tuple[list[Sample], Tally]:
    """Return one sample for each turn of the policy that can be learned, and what was left out and why.

    catalogs: the snapshots that the traces name, by hash. own: whether the policy that is trained has just
    made these traces itself, so that their tokens need not be compared with its own spelling.
    """
    counts: Counter[str] = Counter()
    found: list[Sample] = []
    for group in groups:
        for trace, advantage in zip(group.traces, group.advantages, strict=True):
            counts["turns"] += len(trace.turns)
            if trace.status != "answered":
                counts["unanswered"] += 1
                continue
            for index in range(len(trace.turns)):
                sample = _sample(trace, index, speaker, catalogs[trace.catalog.hash], own, counts)
                if sample is None:
                    continue
                if sample.length > definition.max_tokens:
                    counts["too_long"] += 1
                    continue
                if definition.held:
                    sample = _held(sample, trace.turns[index], speaker)
                    if sample is None:
                        counts["malformed"] += 1
                        continue
                if _well_formed(trace, trace.turns[index]):
                    found.append(replace(sample, advantage=float(advantage)))
                elif definition.malformed:
                    # Without this nothing would keep a policy from replies that the loop has to make good.
                    found.append(replace(sample, advantage=-definition.malformed))
    counts["samples"] = len(found)
    return found, Tally(**counts)


def _sample(
    trace: Trace, index: int, speaker: LocalModel, catalog: Catalog, own: bool, counts: Counter[str]
) -> Sample | None:
    turn = trace.turns[index]
    if turn.forced or index < trace.reused:
        counts["forced"] += 1
        return None
    tokens = turn.reply.tokens
    if not _well_formed(trace, turn):
        counts["malformed"] += 1
        if not (own and tokens):
            return None
    if not (own and tokens):
        messages = rebuild(trace, index, catalog)
        prompt = tuple(speaker.prompt_ids(messages, tuple(offer.tool_schema for offer in turn.offered)))
        if tokens is None or tokens.prompt_ids != prompt:
            counts["foreign"] += 1
            tokens = Tokens(prompt_ids=prompt, completion_ids=_spelt(turn, speaker), logprobs=())
    return Sample(
        prompt=tokens.prompt_ids,
        completion=tokens.completion_ids,
        advantage=0.0,
        logprobs=tokens.logprobs or None,
        trace=trace.id,
        turn=index,
    )


def _held(sample: Sample, turn: Turn, speaker: LocalModel) -> Sample | None:
    """Return a sample as a choice among the calls on offer; None where its reply is none of these."""
    calls = legal_calls(turn.offered)
    among = speaker.candidates([speaker.spell(call) for call in calls], sample.completion) if calls else None
    if among is None:
        return None
    tokens = turn.reply.tokens
    known = tokens is not None and tokens.completion_ids == sample.completion
    return replace(sample, among=among, logprobs=(tokens.drawn or None) if tokens and known else None)


def _well_formed(trace: Trace, turn: Turn) -> bool:
    if trace.protocol == "chat" and not turn.reply.calls:
        return bool(turn.reply.text.strip())
    return any(problem_with(call, turn.offered) is None for call in turn.reply.calls)


def _spelt(turn: Turn, speaker: LocalModel) -> tuple[int, ...]:
    """Return a reply of another policy as this one would spell it."""
    valid = (call for call in turn.reply.calls if problem_with(call, turn.offered) is None)
    call = next(valid, None)
    text = speaker.spell(call) if call else turn.reply.text.strip()
    return (*speaker.encode(text), speaker.end)
