"""Gathers saved groups of labelled traces from the store."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import TrainingError
from orchestra_app.core.trace import Trace
from orchestra_app.storage.outcomes import Outcome, Wanted
from orchestra_app.storage.store import Store
from orchestra_app.training.damage import readable
from orchestra_app.training.definition import Definition
from orchestra_app.training.opening import question_set
from orchestra_app.training.progress import Tally
from orchestra_app.training.samples import Group, learnable


@dataclass(frozen=True, slots=True)
class Harvest:
    """What saved traces have to teach."""

    groups: list[Group]
    catalogs: dict[str, Catalog]
    """The snapshots that the traces name, by hash."""
    tally: Tally


async def harvest(store: Store, definition: Definition, catalog: Catalog) -> Harvest:
    """Return the saved groups that a definition wants; raises TrainingError where kinds must not be mixed."""
    groups, left_out = await _groups(store, definition, catalog)
    hashes = {trace.catalog.hash for group in groups.values() for trace in group}
    catalogs = {catalog.hash: catalog}
    for name in hashes - catalogs.keys():
        if found := await store.catalog(name):
            catalogs[name] = found
    every = definition.traces.other_snapshots or bool(definition.traces.catalogs)
    found, tally = learnable(groups, definition, catalogs if every else [catalog.hash])
    kinds = {catalogs[trace.catalog.hash].simulated for group in found for trace in group.traces}
    if len(kinds) > 1 and not definition.mix_simulated:
        raise TrainingError(
            "Simulated and real traces would be learned from together: name one catalogue's traces, or set "
            "mix_simulated = true, which the checkpoint's card will say."
        )
    return Harvest(found, catalogs, tally + left_out)


async def _groups(
    store: Store, definition: Definition, catalog: Catalog
) -> tuple[dict[str, list[Trace]], Tally]:
    """Return traces by their group, and what was left out of them."""
    wanted: dict[str, Outcome] = {}
    for query in _queries(definition, catalog):
        for outcome in await store.outcomes(query):
            if not definition.traces.policies or outcome.policy in definition.traces.policies:
                wanted[outcome.id] = outcome
    # By what they ask: the same question may come from a file, a sweep or the page.
    heldout = {question.text for question in question_set(definition.evaluate_on)}
    kept = {name: each for name, each in wanted.items() if each.task.question not in heldout}
    traces = await readable(store, list(kept))
    groups: dict[str, list[Trace]] = defaultdict(list)
    # The order in which a database lists them must not decide what is learned first.
    for outcome in sorted(kept.values(), key=lambda each: (each.started_at, each.id)):
        if outcome.id in traces:
            groups[_name(outcome)].append(traces[outcome.id])
    return dict(groups), Tally(heldout=len(wanted) - len(kept), damaged=len(kept) - len(traces))


def _queries(definition: Definition, catalog: Catalog) -> Iterator[Wanted]:
    choice = definition.traces
    for name in dict.fromkeys((catalog.name, *choice.catalogs)):
        for group in choice.groups or (None,):
            verdicts = ("correct", "incorrect", "unsure")
            yield Wanted(catalog=name, group=group, owner=choice.owner, verdicts=verdicts, limit=choice.limit)


def _name(outcome: Outcome) -> str:
    """Return the group of a trace; traces asked one by one are compared where question and wishes agree."""
    if outcome.group is not None:
        return outcome.group
    task = outcome.task
    wish = f"{task.question}\n{task.preference.model_dump_json()}{task.budget.model_dump_json()}"
    return f"asked/{hashlib.sha256(f'{wish}{outcome.catalog_hash}'.encode()).hexdigest()[:16]}"


def nothing_to_learn(tally: Tally) -> str:
    """Return why nothing can be learned from what was found, and how to get what is missing."""
    reasons = (
        (tally.unsure, "traces without a sure verdict"),
        (tally.unfinished, "unfinished traces"),
        (tally.damaged, "damaged traces"),
        (tally.contradictory, "traces with contradicting verdicts"),
        (tally.heldout, "traces on questions of the evaluation"),
        (tally.other_catalog, "groups of another catalogue or an earlier version of it"),
        (tally.mixed_catalogs, "groups of mixed catalogues"),
        (tally.too_small, "groups with fewer than two judged traces"),
        (tally.no_spread, "groups whose traces all earned the same"),
        (tally.forced, "turns that the loop decided"),
        (tally.malformed, "turns without a valid call"),
        (tally.unanswered, "rollouts without an answer"),
        (tally.too_long, "turns that are too long"),
    )
    said = "; ".join(f"{what}: {number:,}" for number, what in reasons if number) or "no labelled trace"
    return (
        f"There is no labelled group with spread to learn from ({said}). Let the same questions be answered "
        "several times, some rightly and some wrongly, and label them: in the rehearsal on the Frontier tab, "
        "with the questions “Rehearsal, train” and 4 repeats, or by orchestra frontier --set "
        "rehearsal:train --limit 60 --repeats 4"
    )
