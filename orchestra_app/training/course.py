"""A training job on its way: one step after another, with evaluations, checkpoints and a cap."""

import asyncio
import re
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Literal

from orchestra_app.core.errors import BackendError, ConfigError, StorageError, TrainingError
from orchestra_app.core.trace import Trace
from orchestra_app.orchestrator.accounts import Shared
from orchestra_app.orchestrator.stop import Stop, Stopped
from orchestra_app.storage.outcomes import Wanted
from orchestra_app.training import checkpoint, figures
from orchestra_app.training.checkpoint import Card, Lineage
from orchestra_app.training.damage import readable
from orchestra_app.training.definition import Definition
from orchestra_app.training.drawing import drawn, fixed
from orchestra_app.training.grpo import Clock
from orchestra_app.training.opening import Means, means, players
from orchestra_app.training.progress import (
    Evaluated,
    Finished,
    Learned,
    Rollouts,
    Saved,
    Seconds,
    Started,
    Stepped,
    Tally,
    read,
)
from orchestra_app.training.rollouts import Plan, World, paid
from orchestra_app.training.samples import Sample, learnable, samples
from orchestra_app.training.stored import Stored, stored

Told = Started | Stepped | Evaluated | Saved | Finished
OWN = "own"
"""A file in a job's folder that parts its rollouts from those of another job whose folder has its name."""
MARGIN = 1.2
"""A step starts only if this many times the dearest one so far are left of the cap."""


class Course:
    """A job on its way: the policy, what it learns from, its position and what was spent."""

    def __init__(self, world: World, means: Means, folder: Path, stop: Stop):
        self.world, self.folder, self.stop = world, folder, stop
        self.definition, self.catalog, self.learner = means.definition, means.catalog, means.learner
        self.questions, self.heldout, self.root = means.questions, means.heldout, means.root
        self.job = re.sub(r"[^A-Za-z0-9.-]", "-", folder.resolve().name)
        self.step = 0
        self.group = f"train-{self.job}/{_own(folder)}"
        """How the job's groups of rollouts begin in the store."""
        self.lineage = Lineage(job=self.job)
        self.best: float | None = None
        self.best_step: int | None = None
        self.latest: Rollouts | None = None
        self.saved_step = self.evaluated_step = -1
        self.run = Random().getrandbits(32)
        """Tells the groups of this process from those of one that was killed in the same step."""
        self.dearest = 0.0
        self.starved = False
        self.stored: Stored | None = None
        self.account: Shared | None = None

    @classmethod
    async def open(cls, world: World, definition: Definition, folder: Path, stop: Stop) -> "Course":
        """Load what the job needs and go to where it was; raises before anything is spent."""
        course = cls(world, await means(world, definition), folder, stop)
        with ExitStack() as undo:
            undo.callback(course.learner.close)
            await course._begin()
            undo.pop_all()
        return course

    async def _begin(self) -> None:
        definition, folder = self.definition, self.folder
        if definition.mode == "traces":
            self.stored = await stored(self.world.store, definition, self.catalog, self.learner)
        found = await asyncio.to_thread(checkpoint.latest, folder)
        if found is not None:
            self._go_to(await asyncio.to_thread(self.learner.restore, found[0]))
        elif not definition.learns:
            self.step = self.saved_step = max(
                (event.step for event in read(folder)[0] if isinstance(event, Stepped)), default=0
            )
        self.lineage = self.lineage.model_copy(update={"spent": await self._spent()})
        if definition.cap is not None:
            self.account = Shared(self.job, max(0.0, definition.cap - self.lineage.spent))
        self.backend, self.players = await players(
            self.world, definition, self.catalog, self.learner.local, account=self.account
        )

    def _go_to(self, position: dict[str, Any]) -> None:
        self.step = self.saved_step = position["step"]
        self.lineage = Lineage.model_validate(position["lineage"])
        self.best, self.best_step = position["best"], position["best_step"]
        self.evaluated_step = position.get("evaluated_step", self.step)
        self.latest = Rollouts.model_validate(position["latest"]) if position["latest"] else None

    async def _spent(self) -> float:
        """Return what the job has spent; a killed process may have paid for more than it could book."""
        definition = self.definition
        if self.catalog.simulated and not definition.judge:
            return self.lineage.spent
        most = definition.budget_cost or 0.0
        found = await self.world.store.outcomes(Wanted(group=self.group))
        costs = {each.id: each.cost for each in found}
        if definition.judge or definition.tools == "replay":
            traces = await readable(self.world.store, list(costs))
            costs |= {name: paid(trace, self.catalog) for name, trace in traces.items()}
        booked = sum(
            max(costs[each.id], most) if each.status == "interrupted" else costs[each.id] for each in found
        )
        # Traces may have been deleted since.
        return max(booked, self.lineage.spent)

    async def go_on(self) -> AsyncGenerator[Told]:
        """Yield the events until the last step, the cap, a stop or something that went wrong."""
        yield self._started()
        failed = ""
        try:
            while True:
                if self._to_evaluate():
                    evaluated = await self.stop.run(self._evaluate())
                    if evaluated is not None:
                        yield evaluated
                if self._to_save():
                    yield await self._save()
                if self.step >= self.definition.steps or self._used_up() or self.stop.is_set:
                    break
                stepped = await self._one_step()
                if stepped is not None:
                    yield stepped
        except Stopped:
            pass
        except (TrainingError, BackendError, StorageError, ConfigError) as error:
            failed = str(error)
        # The steps before a failure are whole, and paid for.
        if self.saved_step < self.step and self.definition.learns:
            try:
                yield await self._save()
            except TrainingError as error:
                failed = failed or str(error)
        yield self._finished("failed", failed) if failed else self._ending()

    def _due(self, every: int) -> bool:
        last = self.step == self.definition.steps
        return self.definition.learns and bool(every) and (self.step % every == 0 or last)

    def _to_evaluate(self) -> bool:
        due = self.evaluated_step < self.step and self._due(self.definition.evaluate_every)
        return due and not self._used_up() and not self._scarce()

    def _to_save(self) -> bool:
        wanted = self._due(self.definition.checkpoint_every) or self.best_step == self.step
        return wanted and self.saved_step < self.step > 0

    def _used_up(self) -> bool:
        """Return whether the cap leaves too little for another step."""
        if self.definition.mode == "traces" or self.account is None:
            return False
        # A job that goes on does not know yet what a step costs: more than one rollout.
        short = self._scarce() if not self.dearest else self.account.left < MARGIN * self.dearest
        return self.starved or short or self.account.left <= 0

    def _scarce(self) -> bool:
        """Return whether the cap leaves a rollout less than its own budget, which changes what it does."""
        return self.account is not None and self.account.left < (self.definition.budget_cost or self.dearest)

    def _ending(self) -> Finished:
        if self.step >= self.definition.steps:
            return self._finished("done")
        again = f"go on with: orchestra train --resume {self.folder}"
        if self.stop.is_set:
            return self._finished("stopped", f"It was stopped; {again}")
        short = f"The cap of ${self.definition.cap:g} leaves too little for a step"
        return self._finished("capped", f"{short}; raise cap in its job.toml and {again}")

    def _finished(self, status: Literal["done", "stopped", "capped", "failed"], reason: str = "") -> Finished:
        found = checkpoint.place(self.folder, self.best_step) if self.best_step else None
        if found is None or not found.is_dir():
            found = next(iter(checkpoint.all_of(self.folder)), None)
        path = None if found is None else str(found)
        return Finished(
            status=status, step=self.step, checkpoint=path, reason=reason, spent=self.lineage.spent
        )

    def _started(self) -> Started:
        parameters, trained = self.learner.parameters
        return Started(
            job=self.job,
            steps=self.definition.steps,
            done=self.step,
            mode=self.definition.mode,
            simulated=self.catalog.simulated,
            parameters=parameters,
            trained=trained,
            questions=len(self.questions),
            tally=self.stored.tally if self.stored else Tally(),
            spent=self.lineage.spent,
        )

    async def _one_step(self) -> Stepped | None:
        """Learn once; None where the cap cut the rollouts short, from which nothing is learned."""
        began, clock, generated = time.perf_counter(), Clock(), self.backend.generating
        group, waited = "", 0.0
        if self.stored is not None:
            found, rollouts, tally = self.stored.of_step(self.step, self.definition)
        else:
            group = f"{self.group}{self.step + 1}-{self.run:08x}/"
            found, rollouts, tally = await self.stop.run(self._fresh_groups(group))
            waited = time.perf_counter() - began
        learned = Learned()
        if found and not self.starved and self.definition.learns:
            learned = await asyncio.to_thread(self.learner.learn, found, self.step + 1, clock)
        await self.players.kept()
        if self.starved:
            return None
        self.step += 1
        self._count(rollouts, tally)
        generation = self.backend.generating - generated
        total = time.perf_counter() - began
        seconds = Seconds(
            generation=generation,
            tools=max(0.0, waited - generation),
            forward=clock.forward,
            backward=clock.backward,
            other=max(0.0, total - max(waited, generation) - clock.forward - clock.backward),
        )
        return Stepped(
            step=self.step,
            rollouts=rollouts,
            learned=learned,
            tally=tally,
            seconds=seconds,
            rate=self.learner.rate(self.step),
            group=group,
            spent=self.lineage.spent,
        )

    async def _fresh_groups(self, group: str) -> tuple[list[Sample], Rollouts, Tally]:
        definition = self.definition
        asked = drawn(definition, self.questions, self.catalog, self.step)
        replayed = self.players.saved.replayed if self.players.saved else 0
        plan = Plan(asked, definition.group_size, group, f"{definition.seed} {self.step}")
        played = await self.players.play(plan)
        self._book([trace for members in played for trace in members])
        catalogs = {each.catalog.hash: each.catalog for each in asked}
        groups, tally = learnable({str(number): each for number, each in enumerate(played)}, definition)
        found, left_out = samples(groups, self.learner.local, definition, catalogs, own=True)
        taken = self.players.saved.replayed - replayed if self.players.saved else 0
        return found, figures.of_groups(played, definition, taken), tally + left_out

    def _book(self, traces: Sequence[Trace]) -> None:
        cost = sum(paid(trace, self.catalog) for trace in traces)
        self.dearest = max(self.dearest, cost)
        update = {"spent": self.lineage.spent + cost, "rollouts": self.lineage.rollouts + len(traces)}
        self.lineage = self.lineage.model_copy(update=update)
        # What ran dry because of the cap must not count as the policy's failure.
        dry = any(trace.status == "exhausted" for trace in traces)
        self.starved |= dry and self._scarce()

    def _count(self, rollouts: Rollouts, tally: Tally) -> None:
        learned = self.lineage.learned + tally
        if self.stored is not None:
            learned = self.stored.tally
        judged = learned.human + learned.benchmark + learned.judge
        share = learned.simulated / judged if judged else float(self.catalog.simulated)
        update = {"learned": learned, "simulated": share, "step": self.step}
        self.lineage = self.lineage.model_copy(update=update)

    async def _evaluate(self) -> Evaluated | None:
        """Try the policy on held-out questions; None where the cap cut that short: it is no result."""
        definition = self.definition
        group = f"{self.group}evaluation-{self.step}-{self.run:08x}/"
        asked = fixed(definition, self.heldout, self.catalog)
        plan = Plan(asked, 1, group, f"{definition.seed} evaluation")
        traces = [each[0] for each in await self.players.play(plan, greedy=True)]
        await self.players.kept()
        self._book(traces)
        if self._scarce():
            return None
        found = figures.of_evaluation(traces, definition)
        # The start is no checkpoint of this job, so the best is one of what was trained.
        best = self.step > 0 and (self.best is None or found.reward > self.best)
        if best:
            self.best, self.best_step = found.reward, self.step
        self.latest = found
        self.evaluated_step = self.step
        # A checkpoint that was saved when an evaluation was stopped knows nothing of this one.
        self.saved_step = min(self.saved_step, self.step - 1)
        return Evaluated(step=self.step, rollouts=found, best=best, group=group, spent=self.lineage.spent)

    async def _save(self) -> Saved:
        place = checkpoint.place(self.folder, self.step)
        position = {
            "step": self.step,
            "lineage": self.lineage.model_dump(),
            "best": self.best,
            "best_step": self.best_step,
            "evaluated_step": self.evaluated_step,
            "latest": self.latest.model_dump() if self.latest else None,
        }
        card = Card(
            name=self.definition.name,
            base=self.definition.base,
            root=self.root,
            catalog=self.catalog.ref,
            schemas=checkpoint.digest(self.catalog),
            parameters=self.learner.parameters[0],
            adapter=self.definition.rank > 0,
            lineage=self.lineage.model_copy(update={"step": self.step}),
            figures=self.latest if self.definition.evaluate_every else None,
            definition=self.definition.model_dump(mode="json"),
            made_at=datetime.now(UTC),
        )
        await asyncio.to_thread(
            checkpoint.write, place, card, lambda draft: self.learner.save(draft, position)
        )
        self.saved_step = self.step
        kept = {place, checkpoint.place(self.folder, self.best_step or self.step)}
        if not self.definition.keep_best:
            kept = {place}
        await asyncio.to_thread(
            checkpoint.remove, [each for each in checkpoint.all_of(self.folder) if each not in kept]
        )
        return Saved(step=self.step, path=str(place), best=self.best_step == self.step)

    async def close(self) -> None:
        """Keep what was played, and let the model go."""
        await self.players.kept()
        await self.backend.close()
        await asyncio.to_thread(self.learner.close)


def _own(folder: Path) -> str:
    """Return what the file `OWN` of a job's folder says; one is made where the job begins.

    Raises TrainingError where it cannot be.
    """
    path = folder / OWN
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            # A job that began before there were such files goes on under its name alone.
            old = any(isinstance(event, Stepped | Evaluated) for event in read(folder)[0])
            path.write_text("" if old else f"{uuid.uuid4().hex[:8]}/", encoding="utf-8")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise TrainingError(
            f"{path} cannot be written ({error.strerror}): allow writing there, or free some space."
        ) from error
