"""What may be called and at which price: the models, tools, search sources and policies of one catalogue."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, model_validator

from orchestra_app.core.events import CatalogRef, Protocol
from orchestra_app.core.usage import Price
from orchestra_app.core.value import Number, Value, Whole

ToolKind = Literal["search", "reason", "answer"]

BASELINES = ("rules", "best-expert", "best-pipeline", "mid-pipeline", "cheapest", "random", "do-nothing")
"""Policies that come with the program and ask no model; every catalogue has them."""


class Figure(Value):
    """A number with where it comes from."""

    value: Number
    source: str
    """A citation, or `assumed`."""


class Model(Value):
    """A language model and how to reach it."""

    vendor: str = ""
    backend: Literal["openai", "simulated", "local"] = "openai"
    id: str = ""
    """The model's name at its server, or where a local one lies; empty: the name it has in the catalogue."""
    url: str = "https://api.openai.com/v1"
    """Base address of its OpenAI-compatible server."""
    key: str | None = None
    """Name of the environment variable that holds its API key; None: no key is needed."""
    price: Price | None = None
    """None: looked up in genai-prices, else unknown."""
    context: Whole = Field(default=32_768, gt=0)
    """Tokens of prompt and reply together."""
    temperature: Number | None = Field(default=None, ge=0, le=2)
    """None: the server's default."""
    reasoning: bool = False
    """True where the server wants `max_completion_tokens` instead of `max_tokens`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Further fields of the request body; for a local model how it is loaded: `device`, `dtype`, `quantize`,
    `constrained`, `batch` and `template`."""
    tokenizer: str | None = None
    """Path of a `tokenizer.json`, to count prompts exactly."""
    licence: str | None = None
    """Shown where the model is chosen, if its licence restricts use."""
    skills: dict[str, Figure] = Field(default_factory=dict)
    """Chances by situation, for simulated models only."""


class Choice(Value):
    """A model as one alias of a tool, with its limits."""

    model: str
    ability: str = ""
    """One sentence on what it is good at, shown to the policy."""
    latency: Number = Field(gt=0)
    """Seconds that a call usually takes."""
    latency_source: str = ""
    max_output: Whole = Field(default=4_096, gt=0)
    """Most tokens of one reply."""
    min_output: Whole = Field(default=256, gt=0)
    """Fewest tokens of reply that are worth a call."""
    typical_output: Whole = Field(default=512, gt=0)
    """Tokens of an ordinary reply, for forecasts."""
    max_code: Whole = Field(default=12_000, ge=0)
    """Tokens of code and outputs in the prompt."""
    max_context: Whole = Field(default=24_000, gt=0)
    """Tokens of context in the prompt, the problem included."""
    document_chars: Whole | None = None
    """Characters kept of each document; None: all."""
    boxed: bool = False
    r"""True where the model is asked for its answer in \boxed{} instead of tags."""


class ToolSpec(Value):
    """A tool whose aliases are models."""

    kind: ToolKind
    title: str
    description: str
    """One or two sentences, shown to the policy."""
    choices: dict[str, Choice]
    sources: tuple[str, ...] = ()
    """Search sources, for a search tool."""


class Source(Value):
    """Where a search looks."""

    kind: Literal["local", "tavily"]
    title: str
    folder: str | None = None
    """Folder with .txt, .md, .html and .pdf files, for a local source; `rehearsal` is the bundled corpus."""
    key: str | None = None
    price: Price = Price()
    """`unit` is USD per search, extracts included."""
    top: Whole = Field(default=3, gt=0, le=50)
    """Documents of one search."""
    latency: Number = Field(default=0.1, ge=0)
    """Seconds that a search usually takes."""


class PythonSpec(Value):
    """The sandbox's price and limits."""

    price: Price = Price()
    """`unit` is USD per second."""
    seconds: Number = Field(default=10.0, gt=0, le=120)
    """Longest run of one piece of code."""


class PolicySpec(Value):
    """A model that may orchestrate."""

    model: str
    title: str = ""
    protocol: Protocol = "chat"
    max_output: Whole = Field(default=4_096, gt=0)
    min_output: Whole = Field(default=64, gt=0)
    temperature: Number | None = Field(default=None, ge=0, le=2)
    latency: Number = Field(default=5.0, ge=0)
    """Seconds that a reply usually takes: what a local policy takes of simulated time."""


class Catalog(Value):
    """One catalogue: data that a person edits in TOML."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str
    simulated: bool = False
    """True where every expert is simulated and no real money is spent."""
    models: dict[str, Model]
    tools: dict[str, ToolSpec]
    sources: dict[str, Source] = Field(default_factory=dict)
    python: PythonSpec = PythonSpec()
    policies: dict[str, PolicySpec] = Field(default_factory=dict)
    default_policy: str | None = None

    @model_validator(mode="after")
    def _names_exist(self) -> "Catalog":
        for tool_name, tool in self.tools.items():
            for alias, choice in tool.choices.items():
                if choice.model not in self.models:
                    key = f"tools.{tool_name}.choices.{alias}.model"
                    raise ValueError(f"{key} names {choice.model!r}, which is not in [models]")
            for source in tool.sources:
                if source not in self.sources:
                    raise ValueError(f"tools.{tool_name}.sources names {source!r}, which is not in [sources]")
            if tool.kind == "search" and not tool.sources:
                raise ValueError(f"tools.{tool_name}.sources is empty: a search needs at least one source")
        for policy_name, policy in self.policies.items():
            if policy.model not in self.models:
                raise ValueError(
                    f"policies.{policy_name}.model names {policy.model!r}, which is not in [models]"
                )
        if not any(tool.kind == "answer" for tool in self.tools.values()):
            raise ValueError("tools has none of kind 'answer': no run could end")
        aliases = [alias for tool in self.tools.values() for alias in tool.choices]
        twice = sorted({alias for alias in aliases if aliases.count(alias) > 1})
        if twice:
            raise ValueError(f"tools uses the alias {twice[0]!r} twice; each alias names one choice")
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> "Catalog":
        """Return a copy that works out anew what follows from its fields, such as its hash."""
        copied = super().model_copy(update=update, deep=deep)
        known = vars(copied)
        for name in known.keys() - type(self).model_fields.keys():
            del known[name]
        return copied

    @cached_property
    def hash(self) -> str:
        """The hash of the snapshot: the first 16 hexadecimal digits of its SHA-256."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @cached_property
    def ref(self) -> CatalogRef:
        """How a trace names this catalogue."""
        return CatalogRef(name=self.name, hash=self.hash)

    def choice(self, alias: str) -> tuple[str, Choice] | None:
        """Return the tool's name and the choice that `alias` stands for, or None."""
        return self._by_alias.get(alias)

    @cached_property
    def _by_alias(self) -> dict[str, tuple[str, Choice]]:
        return {
            alias: (name, choice)
            for name, tool in self.tools.items()
            for alias, choice in tool.choices.items()
        }

    @cached_property
    def sliders(self) -> tuple[str, ...]:
        """Names that take a slider: tools, then sources, then the models that tools use."""
        used = dict.fromkeys(choice.model for tool in self.tools.values() for choice in tool.choices.values())
        return (*self.tools, *self.sources, *used)
