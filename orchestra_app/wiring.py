"""Makes a catalogue's backends, tools and policies, leaving out what has no key or server."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestra_app import config
from orchestra_app.backends.base import Backend
from orchestra_app.backends.baseline import BASELINES, baseline
from orchestra_app.backends.local.options import local_backend, settled
from orchestra_app.backends.local.places import SHIPPED, context_of
from orchestra_app.backends.prices import price_of
from orchestra_app.backends.reach import obstacle
from orchestra_app.backends.tokens import counter
from orchestra_app.config import Settings
from orchestra_app.core.catalog import Catalog, Model, PolicySpec
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.events import Protocol
from orchestra_app.core.job import Checkpoint
from orchestra_app.core.text import TokenCounter
from orchestra_app.core.usage import Price
from orchestra_app.orchestrator.policy import Policy
from orchestra_app.rehearsal.corpus import corpus
from orchestra_app.rehearsal.experts import SimulatedExperts
from orchestra_app.sandbox import Sandbox
from orchestra_app.scoring.judge import Judge, can_judge
from orchestra_app.tools import box
from orchestra_app.tools.base import Toolbox
from orchestra_app.tools.box import Means, chat_toolbox, open_finders, packed_toolbox
from orchestra_app.tools.roster import Experts
from orchestra_app.tools.search import Finder
from orchestra_app.training.checkpoint import Card
from orchestra_app.training.definition import Definition


def resolve(catalog: Catalog, settings: Settings) -> Catalog:
    """Return the catalogue as it is used: `env:` texts filled in and prices looked up."""
    models = {}
    for name, model in catalog.models.items():
        if model.backend == "openai":
            url, model_id = settings.expand(model.url), settings.expand(model.id or name)
            model = model.model_copy(update={"url": url or model.url, "id": model_id or name})
            model = model.model_copy(update={"price": price_of(name, model)})
        elif model.backend == "local":
            model = settled(name, model)
        models[name] = model
    return catalog.model_copy(update={"models": models})


@dataclass
class Parts:
    """What the tools and policies of one catalogue are made of."""

    catalog: Catalog
    sandbox: Sandbox
    cache: Path
    """Folder where indexes are kept."""
    _backends: dict[str, Backend] = field(default_factory=dict)
    _finders: dict[str, Finder] | None = None
    _toolboxes: dict[tuple[str, frozenset[str], str], Toolbox] = field(default_factory=dict)

    async def obstacles(self) -> dict[str, str]:
        """Return why models and sources cannot be used now, a sentence for each that cannot."""
        names = list(self.catalog.models)
        reasons = await asyncio.gather(
            *(obstacle(name, self.catalog.models[name], config.key) for name in names)
        )
        found = {name: reason for name, reason in zip(names, reasons, strict=True) if reason}
        for name, source in self.catalog.sources.items():
            if reason := box.obstacle(source, config.key):
                found[name] = reason
        return found

    async def left_out(self, *, kept: bool = False) -> dict[str, tuple[str, ...]]:
        """Return why files of the folders that are searched were left out; see `box.left_out`."""
        return await box.left_out(self._opened() if kept else self._finders or {}, kept=kept)

    def backend(self, name: str) -> Backend:
        """Return the backend of one of the catalogue's models."""
        model = self.catalog.models[name]
        # One client serves every server; a model in this process has its own weights.
        kind = f"local:{name}" if model.backend == "local" else model.backend
        if kind not in self._backends:
            match model.backend:
                case "simulated":
                    self._backends[kind] = SimulatedExperts()
                case "openai":
                    # Loaded only where it is used, since its client takes half a second to load.
                    from orchestra_app.backends.openai import OpenAIBackend

                    self._backends[kind] = OpenAIBackend(config.key)
                case "local":
                    self._backends[kind] = local_backend(name, model)
        return self._backends[kind]

    async def judge(self, name: str) -> Judge:
        """Return one of the catalogue's models as a judge; raises ConfigError where it cannot be asked."""
        known = self.catalog.models
        if name not in known:
            raise ConfigError(
                f"There is no model {name[:80]!r} in the catalogue {self.catalog.name}; "
                f"choose one of: {', '.join(known)}."
            )
        if not can_judge(known[name]):
            raise ConfigError(
                f"{name} is simulated or held to calls in the catalogue {self.catalog.name} and cannot "
                "judge; name a catalogue with real models, such as live."
            )
        if reason := (await self.obstacles()).get(name):
            raise ConfigError(f"{name} cannot judge now. {reason}")
        return Judge(name, known[name], self.backend(name), self.catalog)

    def local(self, name: str, model: Model) -> Backend:
        """Return the backend of a model in this process that the catalogue does not list."""
        return self._backends.setdefault(f"local:{model.id}", local_backend(name, model))

    async def aclose(self) -> None:
        """Close the connections of every backend and search source that was used."""
        for backend in self._backends.values():
            if close := getattr(backend, "close", None):
                await close()
        for finder in (self._finders or {}).values():
            if close := getattr(finder, "aclose", None):
                await close()

    def toolbox(self, protocol: Protocol, obstacles: dict[str, str]) -> Toolbox:
        """Return the tools of a protocol without the aliases and sources that cannot be reached."""
        key = (protocol, frozenset(obstacles), self.sandbox.rung)
        if key not in self._toolboxes:
            self._toolboxes[key] = self._make_toolbox(protocol, obstacles)
        return self._toolboxes[key]

    def _make_toolbox(self, protocol: Protocol, obstacles: dict[str, str]) -> Toolbox:
        experts = Experts(_without(self.catalog, obstacles), self.backend)
        finders = {name: each for name, each in self._opened().items() if name not in obstacles}
        means = Means(finders, self.sandbox)
        return chat_toolbox(experts, means) if protocol == "chat" else packed_toolbox(experts, means)

    def _opened(self) -> dict[str, Finder]:
        if self._finders is None:
            bundled = corpus()
            self._finders = open_finders(self.catalog, bundled=bundled, key=config.key, cache=self.cache)
        return self._finders

    def over(self, catalog: Catalog, sandbox: Sandbox) -> "Parts":
        """Return the parts of a variation of this catalogue: other prices, aliases, tools or chances.

        Backends and search sources stay those of this one.
        """
        shared = {"_backends": self._backends, "_finders": self._opened(), "_toolboxes": {}}
        return replace(self, catalog=catalog, sandbox=sandbox, **shared)

    def tokens(self, model: Model) -> TokenCounter:
        """Return what counts a model's tokens."""
        return counter(model)


def make_policy(name: str, parts: Parts) -> Policy:
    """Return a policy of the catalogue or a baseline by its name; raises ConfigError for an unknown one."""
    catalog = parts.catalog
    if spec := catalog.policies.get(name):
        model = catalog.models[spec.model]
        return Policy(
            name=name,
            title=spec.title or name,
            backend=parts.backend(spec.model),
            model=model,
            protocol=spec.protocol,
            max_output=spec.max_output,
            min_output=spec.min_output,
            temperature=model.temperature if spec.temperature is None else spec.temperature,
            latency=spec.latency,
        )
    if found := BASELINES.get(name):
        free = Model(backend="simulated", price=Price(source="no model is asked"))
        gives_up = name == "do-nothing"
        return Policy(name=name, title=found.title, backend=baseline(name), model=free, gives_up=gives_up)
    known = ", ".join([*catalog.policies, *BASELINES])
    raise ConfigError(
        f"There is no policy {name[:80]!r} in the catalogue {catalog.name}; choose one of: {known}."
    )


def trained_policy(checkpoint: Checkpoint, parts: Parts) -> Policy:
    """Return the policy that a checkpoint holds, asked like the one that it was trained from.

    Where the catalogue does not know that, it is asked as in its training.
    """
    catalog, card = parts.catalog, Card.model_validate(checkpoint.card)
    local = [spec for spec in catalog.policies.values() if catalog.models[spec.model].backend == "local"]
    # One that was made from nothing is another of those that come with the program.
    root = card.root or card.base or SHIPPED
    spec = next((each for each in local if catalog.models[each.model].id == root), None)
    if spec is None:
        trained, context = Definition.model_validate(card.definition), context_of(checkpoint.path)
        model = Model(backend="local", options={"constrained": trained.held})
        if context:
            model = model.model_copy(update={"context": context})
        most = trained.max_output
        spec = PolicySpec(model=checkpoint.name, max_output=most, min_output=1, temperature=0, latency=1)
    else:
        model = catalog.models[spec.model]
    model = settled(checkpoint.name, model.model_copy(update={"id": checkpoint.path}))
    return Policy(
        name=checkpoint.name,
        title=checkpoint.name,
        backend=parts.local(checkpoint.name, model),
        model=model,
        protocol=spec.protocol,
        max_output=spec.max_output,
        min_output=spec.min_output,
        temperature=model.temperature if spec.temperature is None else spec.temperature,
        latency=spec.latency,
    )


def _without(catalog: Catalog, obstacles: dict[str, str]) -> Catalog:
    """Return the catalogue with only the choices whose model can be reached."""
    tools = {
        name: spec.model_copy(
            update={
                "choices": {a: each for a, each in spec.choices.items() if each.model not in obstacles},
                "sources": tuple(source for source in spec.sources if source not in obstacles),
            }
        )
        for name, spec in catalog.tools.items()
    }
    return catalog.model_copy(update={"tools": {name: spec for name, spec in tools.items() if spec.choices}})
