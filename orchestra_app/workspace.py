"""Opens what the settings name: store, ledger, catalogues, orchestrators and the registry of runs."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import ValidationError

from orchestra_app.backends.baseline import BASELINES
from orchestra_app.catalogs import bundled, load_catalog
from orchestra_app.config import Settings, key, load_settings
from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import ConfigError, TrainingError
from orchestra_app.core.events import Event, RolloutFinished
from orchestra_app.core.job import Checkpoint, Job
from orchestra_app.core.task import MAX_QUESTION, Preference, Task
from orchestra_app.core.trace import Trace
from orchestra_app.dataset.telemetry import Telemetry, configured
from orchestra_app.orchestrator.ledger import Ledger
from orchestra_app.orchestrator.loop import Options, Orchestrator
from orchestra_app.orchestrator.policy import Policy
from orchestra_app.orchestrator.route import Route, routes
from orchestra_app.orchestrator.runs import Run, Runs
from orchestra_app.rehearsal.questions import find
from orchestra_app.sandbox import Sandbox, open_sandbox
from orchestra_app.scoring.judge import Judge
from orchestra_app.scoring.verdict import exact
from orchestra_app.storage.queries import Filter
from orchestra_app.storage.recorder import record
from orchestra_app.storage.store import Store
from orchestra_app.tools.base import Tool, Toolbox
from orchestra_app.training.checkpoint import Card, fits
from orchestra_app.training.definition import Definition
from orchestra_app.training.drawing import wisher
from orchestra_app.training.jobs import Jobs
from orchestra_app.training.launchers import launchers
from orchestra_app.training.opening import learned_from, question_set, starting_place
from orchestra_app.training.ray import VERL
from orchestra_app.wiring import Parts, make_policy, resolve, trained_policy

if TYPE_CHECKING:
    from orchestra_app.training.verl import Exported


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """A policy that can be chosen, with why it cannot be used now, if so."""

    name: str
    title: str
    reason: str | None = None
    licence: str | None = None


class Workspace:
    """Everything that a face needs, opened once per process."""

    def __init__(self, settings: Settings, own: Catalog, store: Store, sandbox: Sandbox):
        self.settings = settings
        self.store = store
        self.sandbox = sandbox
        self.runs = Runs()
        environment = {"ORCHESTRA_HOME": str(settings.home)}
        if settings.database_url:
            environment["ORCHESTRA_DATABASE_URL"] = settings.database
        self.jobs = Jobs(store, settings.home / "jobs", launchers(environment, lambda: key("HF_TOKEN")))
        """The training jobs."""
        self.telemetry = Telemetry() if configured() else None
        self.ledger = Ledger(store, daily_cap=settings.daily_cap, visitor_cap=settings.visitor_cap)
        self._raw: dict[str, Catalog | None] = {**dict.fromkeys(bundled()), own.name: own}
        self.default_catalog = own.name
        self.at_close: list[Callable[[], Awaitable[None]]] = []
        """What stops the jobs that use this workspace, before it is closed."""
        self._parts: dict[str, Parts] = {}

    @classmethod
    async def open(cls, settings: Settings | None = None) -> Self:
        """Open the database and the sandbox that the settings name; raises ConfigError and StorageError."""
        settings = settings or load_settings()
        own = load_catalog(settings.catalog)
        store = await asyncio.to_thread(Store.open, settings.database)
        return cls(settings, own, store, open_sandbox(settings.home / "sandbox"))

    async def aclose(self) -> None:
        """Stop every run, keep it, and close what was opened."""
        for stop in self.at_close:
            await stop()
        await self.runs.aclose()
        for parts in self._parts.values():
            await parts.aclose()
        self.ledger.close()
        if self.telemetry:
            await self.telemetry.aclose()
        await self.sandbox.aclose()
        await asyncio.to_thread(self.store.close)

    @property
    def catalogs(self) -> list[str]:
        """Names of the catalogues that can be chosen, the default first."""
        return sorted(self._raw, key=lambda name: name != self.default_catalog)

    def add_catalog(self, name_or_file: str) -> str:
        """Return the name of a catalogue that can be chosen, or of the one in a TOML file, which joins them.

        For what the owner of this process types, never for what comes from the page. Raises ConfigError.
        """
        if name_or_file not in self._raw:
            catalog = load_catalog(name_or_file)
            self._raw[catalog.name] = catalog
            self._parts.pop(catalog.name, None)
            return catalog.name
        return name_or_file

    def parts(self, name: str | None = None) -> Parts:
        """Return what a catalogue is made of; raises ConfigError for an unknown name."""
        name = name or self.default_catalog
        if name not in self._raw:
            known = ", ".join(self.catalogs)
            raise ConfigError(f"There is no catalogue {name[:80]!r} here; choose one of: {known}.")
        if name not in self._parts:
            catalog = resolve(self._raw[name] or load_catalog(name), self.settings)
            self._parts[name] = Parts(catalog, self.sandbox, self.settings.home / "index")
        return self._parts[name]

    def catalog(self, name: str | None = None) -> Catalog:
        """Return a catalogue as it is used: addresses filled in and prices looked up."""
        return self.parts(name).catalog

    async def policies(self, name: str | None = None) -> list[PolicyEntry]:
        """Return the policies of a catalogue, the default first; baselines last."""
        return await self._entries(name, await self.checkpoints(self.catalog(name)))

    async def _entries(self, name: str | None, trained: Mapping[str, Checkpoint]) -> list[PolicyEntry]:
        catalog, obstacles = self.catalog(name), await self.parts(name).obstacles()
        entries = [
            PolicyEntry(
                policy, spec.title or policy, obstacles.get(spec.model), catalog.models[spec.model].licence
            )
            for policy, spec in catalog.policies.items()
        ]
        entries += [
            PolicyEntry(each.name, each.name, _out_of_place(each, catalog)) for each in trained.values()
        ]
        entries += [PolicyEntry(policy, found.title) for policy, found in BASELINES.items()]
        default = _default(entries, catalog, trained)
        return sorted(entries, key=lambda entry: entry.name != default)

    async def checkpoints(self, catalog: Catalog) -> dict[str, Checkpoint]:
        """Return the trained policies that were made for a catalogue, by their name, the newest first."""
        found = await self.store.checkpoints()
        return {
            each.name: each for each in found if each.catalog == catalog.name and Path(each.path).is_dir()
        }

    async def orchestrator(
        self, catalog: str | None = None, policy: str | None = None, *, functions: Sequence[Tool] = ()
    ) -> Orchestrator:
        """Return what runs a policy over a catalogue; raises ConfigError where it cannot be used.

        functions: the person's own tools, made by `tool`, for a policy of the chat protocol.
        """
        parts = self.parts(catalog)
        obstacles = await parts.obstacles()
        trained = await self.checkpoints(parts.catalog)
        entries = await self._entries(catalog, trained)
        name = policy or entries[0].name
        reason = next((entry.reason for entry in entries if entry.name == name), None)
        if reason:
            raise ConfigError(f"The policy {name} cannot be used now. {reason}")
        made = trained_policy(trained[name], parts) if name in trained else make_policy(name, parts)
        if functions and made.protocol != "chat":
            raise ConfigError(f"The policy {name} takes no functions; choose one of the chat protocol.")
        toolbox = parts.toolbox(made.protocol, obstacles)
        if functions:
            toolbox = Toolbox([*toolbox.tools.values(), *functions])
        if not toolbox.tools:
            first = next(iter(obstacles.values()), "No tool is left.")
            raise ConfigError(f"Nothing in the catalogue {parts.catalog.name} can be reached. {first}")
        return Orchestrator(parts.catalog, toolbox, made, self.ledger, parts.tokens(made.model))

    async def conduct(self, policy: Policy, catalog: Catalog, sandbox: Sandbox | None = None) -> Orchestrator:
        """Return what runs a policy of the caller's own over one of the catalogues, or a variation of one.

        catalog: has the name of a catalogue that can be chosen. sandbox: runs code instead of this one's.
        """
        parts = self.parts(catalog.name)
        varied = parts.over(catalog, sandbox or self.sandbox)
        toolbox = varied.toolbox(policy.protocol, await parts.obstacles())
        return Orchestrator(catalog, toolbox, policy, self.ledger)

    async def judge(self, name: str, catalog: str | None = None) -> Judge:
        """Return a model of a catalogue as a judge; raises ConfigError where it cannot be asked."""
        return await self.parts(catalog).judge(name)

    async def routes(
        self, question: str, preference: Preference, catalog: str | None = None
    ) -> tuple[Route, Route] | None:
        """Return the cheapest and the dearest ordinary route to an answer; None where there is none."""
        parts = self.parts(catalog)
        toolbox = parts.toolbox("packed", await parts.obstacles())
        return routes(toolbox, parts.catalog, question, preference)

    def task(self, question: str, catalog: str | None = None, **fields: object) -> Task:
        """Return a task for a typed question; in the rehearsal a known question brings its gold answer.

        Raises ConfigError for an empty or overlong question.
        """
        question = question.strip()
        if not question:
            raise ConfigError("Type a question first.")
        if len(question) > MAX_QUESTION:
            raise ConfigError(
                f"The question has {len(question):,} characters; shorten it to {MAX_QUESTION:,} at most."
            )
        known = find(question) if self.catalog(catalog).simulated else None
        if known is not None:
            # Nobody else's gold answer may pass as the benchmark's.
            fields |= {"answer": known.gold, "source": f"rehearsal:{known.split}"}
        return Task.model_validate({"id": uuid.uuid4().hex[:12], "question": question, **fields})

    async def rollout(
        self, orchestrator: Orchestrator, task: Task, options: Options, *, run: Run | None = None
    ) -> AsyncGenerator[tuple[Event, Trace]]:
        """Yield the recorded events of a rollout, paced where `run` plays it at a speed.

        A rehearsal question's known answer labels the trace as a benchmark would.
        """
        await self.store.save_catalog(orchestrator.catalog)
        events = orchestrator.run(task, options)
        async with aclosing(record(run.pace(events) if run else events, self.store)) as recorded:
            async for event, trace in recorded:
                if isinstance(event, RolloutFinished) and (label := exact(trace)):
                    await self.store.add_label(trace.id, label)
                    trace.labels.append(label)
                if isinstance(event, RolloutFinished) and self.telemetry:
                    self.telemetry.begin(trace)
                yield event, trace

    async def train(
        self,
        definition: Definition,
        *,
        owner: str = "local",
        launcher: str = "process",
        written: Definition | None = None,
    ) -> Job:
        """Launch a training job with all that its launcher takes along; raises OrchestraError.

        written: the definition as the launched process reads it, where it names a catalogue's file.
        """

        async def prepare(folder: Path) -> None:
            if launcher == "hub" and await starting_place(self, definition.base) != definition.base:
                raise TrainingError(
                    f"The Hub's machine cannot read the checkpoint {definition.base}: push it to the Hub and "
                    "name it as user/name, or launch the job on this machine."
                )
            if launcher == "ray":
                await asyncio.to_thread(self.hand_over, definition, folder / VERL)
            elif launcher == "hub" and definition.mode == "traces":
                # Loads pyarrow, which nothing else at the start needs.
                from orchestra_app.dataset.export import Plan, export

                # They leave this machine: as in any export, only what was consented to.
                plan = Plan(wanted=Filter(catalog=definition.catalog), shared=True, mine=owner == "local")
                await export(self.store, folder / "traces", plan)

        return await self.jobs.launch(written or definition, owner=owner, launcher=launcher, prepare=prepare)

    def hand_over(self, definition: Definition, folder: Path) -> "Exported":
        """Write a job for verl into a new folder; raises OrchestraError."""
        # Loads pyarrow, which nothing else at the start needs.
        from orchestra_app.training.verl import export_verl

        catalog = self.catalog(definition.catalog)
        asked = learned_from(definition)
        heldout = question_set(definition.evaluate_on)[: definition.evaluate_count]
        wish = wisher(definition, catalog)
        return export_verl(definition, catalog, asked, heldout, folder, wish=wish)

    async def begin(
        self,
        task: Task,
        *,
        catalog: str | None = None,
        policy: str | None = None,
        options: Options | None = None,
        speed: float | None = None,
    ) -> Run:
        """Start a run in the registry and return it at once; raises ConfigError before anything is spent."""
        orchestrator = await self.orchestrator(catalog, policy)
        options = options or Options()
        if options.fork:
            options.fork.check(orchestrator.catalog, orchestrator.policy)
        since = options.fork.seconds if options.fork else 0.0
        run = Run(options.trace_id, options.owner, speed, since, stop=options.stop)
        options = replace(options, on_text=run.on_text, on_reserved=run.on_reserved)
        self.runs.start(run, lambda started: self.rollout(orchestrator, task, options, run=started))
        return run


def _default(entries: list[PolicyEntry], catalog: Catalog, trained: Mapping[str, Checkpoint]) -> str:
    """Return the checkpoint promoted last, or the catalogue's default policy, if it can be used.

    Else the first that can.
    """
    usable = [entry.name for entry in entries if entry.reason is None]
    promoted = [each for each in trained.values() if each.promoted_at and each.name in usable]
    if promoted:
        return max(promoted, key=lambda each: (each.promoted_at, each.name)).name
    return catalog.default_policy if catalog.default_policy in usable else usable[0]


def _out_of_place(checkpoint: Checkpoint, catalog: Catalog) -> str | None:
    try:
        return fits(Card.model_validate(checkpoint.card), catalog)
    except ValidationError:
        return f"The card of the checkpoint {checkpoint.name} is damaged: delete it, or train it anew."
