"""What a training job does, as one value that is a TOML file: a page writes it, the command line runs it."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from orchestra_app.backends.local.places import BUNDLED
from orchestra_app.catalogs.files import read_text
from orchestra_app.catalogs.lines import line_of
from orchestra_app.catalogs.writer import toml_text
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.task import Budget, Preference
from orchestra_app.core.value import Value
from orchestra_app.orchestrator.questions import is_rehearsal

NONE = "none"
"""How TOML, which has no null, says that there is no limit."""
MOST_BYTES = 262_144
MOST_PROBLEMS = 5
CISPO_CLIP = 5.0
SPREAD = {"product": 0.02, "paper": 0.1}
"""The least spread by reward; ToolOrchestra takes 0.1 of its own."""

Limit = Annotated[float | None, BeforeValidator(lambda value: None if value == NONE else value)]
Source = Literal["human", "benchmark", "judge"]


class TraceChoice(Value):
    """Which saved traces are learned from."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    groups: tuple[str, ...] = ()
    """Only groups whose names begin like one of these; empty: all labelled traces of the catalogue."""
    policies: tuple[str, ...] = ()
    """Only what these policies did; empty: any policy's."""
    owner: str | None = None
    """Only this visitor's traces."""
    sources: tuple[Source, ...] = ("human", "benchmark", "judge")
    """Whose verdicts count."""
    catalogs: tuple[str, ...] = ()
    """Further catalogues whose traces are taken, by name."""
    other_snapshots: bool = False
    """Whether traces made under earlier versions of the catalogue are taken, which may have misled."""
    limit: int = Field(default=20_000, ge=2)
    """The most traces; the newest are taken."""


class Definition(Value):
    """A training job."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str = Field(default="job", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """What the job and its checkpoints are called."""
    kind: Literal["grpo", "collect", "recipe"] = "grpo"
    """`grpo` improves a policy; `collect` only plays and labels groups, to be learned from later; `recipe`
    makes the small policy of the rehearsal from nothing."""
    base: str = "assets:policy"
    """The policy it starts from: a folder, `assets:policy`, a checkpoint's folder or a Hugging Face id."""
    catalog: str = "rehearsal"
    """The catalogue, by name or file, whose tools the policy is trained on."""
    mode: Literal["rollout", "traces"] = "rollout"
    """`rollout` runs fresh groups on questions; `traces` learns from saved groups and calls nothing."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Makes the job repeatable."""

    questions: str = "rehearsal:train"
    """The questions of mode `rollout`: rehearsal:train, or a .csv or .jsonl file with gold answers."""
    question_limit: int | None = Field(default=None, ge=1)
    """Only the first of them."""
    traces: TraceChoice = TraceChoice()
    """The traces of mode `traces`."""
    mix_simulated: bool = False
    """Whether simulated and real traces may be learned from together; the checkpoint's card says so."""

    reward: Literal["product", "paper"] = "product"
    """What a right answer earns: `product` lies in [0, 1] and falls with cost; `paper` is ToolOrchestra's."""
    spread: float | None = Field(default=None, ge=0)
    """Groups whose rewards deviate less than this teach nothing and are left out; left out: by reward."""
    sliders: Literal["fixed", "drawn"] = "fixed"
    """Whether every question has the preference below, or sliders drawn at random for each."""
    preference: Preference = Preference()
    """The sliders of every question, where they are fixed."""
    budget_cost: Limit = Field(default=0.10, gt=0)
    """USD that one rollout may spend, or none."""
    budget_seconds: Limit = Field(default=240.0, gt=0)
    """Seconds that one rollout may take, or none."""
    budget_turns: int = Field(default=8, ge=1, le=200)
    """Replies of the policy in one rollout."""
    vary_prices: bool = False
    """Whether each question has other prices and latencies, so that the policy learns to read them."""
    vary_aliases: bool = False
    """Whether the models behind each tool's aliases are shuffled for each question."""
    vary_tools: bool = False
    """Whether some aliases are missing in each question."""

    tools: Literal["rehearsal", "live", "replay"] = "rehearsal"
    """`rehearsal` refuses real experts, `live` calls them, `replay` takes saved results first, at $0."""
    judge: str = ""
    """The model of the catalogue that compares an answer with the gold answer where neither writing nor
    mathematics decides; it spends within the cap. Empty: such a rollout is left out."""
    cap: Limit = Field(default=None, gt=0)
    """USD that the whole job may spend, or none; real experts need one."""
    group_size: int = Field(default=8, ge=2, le=256)
    """Rollouts of one question that are compared."""
    groups: int = Field(default=8, ge=1, le=4_096)
    """Groups of one step."""
    rollouts_at_once: int = Field(default=64, ge=1, le=4_096)
    """Rollouts that generate together; fewer need less memory."""
    temperature: float = Field(default=1.0, gt=0, le=5)
    """How freely replies are drawn in training; an evaluation takes the likeliest."""
    held: bool = False
    """Whether replies are held to the calls on offer, and learned as choices among these: a policy whose
    model is `constrained` is asked like that, and tries more at a high temperature without ever stumbling."""
    max_output: int = Field(default=64, ge=8, le=16_384)
    """Tokens of one reply of the policy; a policy that thinks needs thousands."""

    steps: int = Field(default=60, ge=1, le=100_000)
    """Optimiser updates."""
    learning_rate: float = Field(default=2e-4, gt=0, le=1)
    """How far one update goes; about 1e-6 for a model of 8 billion parameters."""
    warmup: int = Field(default=5, ge=0)
    """Steps over which the learning rate rises."""
    loss: Literal["grpo", "cispo"] = "grpo"
    """`grpo` clips what an update can gain; `cispo` clips only its weight, for traces that are old."""
    clip_low: float = Field(default=0.2, ge=0, lt=1)
    """How far below 1 a token's ratio counts, for `grpo`."""
    clip_high: float | None = Field(default=None, gt=0)
    """How far above 1 it counts (0.28), or for `cispo` the greatest ratio (5); left out: by loss."""
    kl: float = Field(default=0.0, ge=0)
    """Weight of the divergence from the starting policy; 0: none."""
    rank: int = Field(default=0, ge=0, le=1_024)
    """Rank of a LoRA adapter, which trains a large model in little memory; 0: every weight is trained."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """How weights are kept: float32 on a CPU, bfloat16 for large models on a GPU."""
    device: str = "auto"
    """Where it trains: auto, cpu, cuda or cuda:1."""
    processes: int = Field(default=1, ge=1, le=64)
    """Processes that make each step together, every one on a GPU of its own, numbered from 0."""
    tokens_at_once: int = Field(default=16_384, ge=256)
    """Tokens of one forward and backward pass; a step gathers as many passes as it needs."""
    max_tokens: int = Field(default=32_768, ge=64)
    """Longer samples, prompt and reply together, are left out."""
    malformed: float = Field(default=1.0, ge=0, le=3)
    """How strongly a fresh reply without a valid call is unlearned; 0: left out, as in ToolOrchestra."""
    clip_gradient: float = Field(default=1.0, gt=0)
    """The greatest norm of a step's gradient."""

    evaluate_every: int = Field(default=0, ge=0)
    """Steps between two evaluations, which run rollouts; 0: none."""
    evaluate_on: str = "rehearsal:heldout"
    """The questions of an evaluation, never those of the training."""
    evaluate_count: int = Field(default=120, ge=2)
    """How many of them."""
    checkpoint_every: int = Field(default=10, ge=1)
    """Steps between two checkpoints: no more are lost where the job is killed."""
    keep_best: bool = True
    """Whether the checkpoint of the best evaluation is kept beside the latest."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.mode == "rollout" and self.evaluate_every and self.questions == self.evaluate_on:
            raise ValueError("evaluate_on names the questions of the training; name others")
        if self.sliders == "drawn" and self.preference != Preference():
            raise ValueError("preference is given, but sliders are drawn; leave one of them out")
        if self.kind == "collect" and self.mode == "traces":
            raise ValueError("mode is traces, but collect makes new ones; set mode = 'rollout'")
        if self.tools == "replay" and (self.vary_aliases or self.vary_prices):
            raise ValueError(
                "tools is replay, but what was saved keeps its model and price; "
                "leave vary_aliases and vary_prices out"
            )
        return self

    @property
    def learns(self) -> bool:
        """Whether the weights change."""
        return self.kind != "collect"

    @property
    def files(self) -> dict[str, str]:
        """The files that it names: of a catalogue, question sets and the starting policy, by setting."""
        named = {"questions": self.questions, "evaluate_on": self.evaluate_on}
        found = {name: file for name, file in named.items() if not is_rehearsal(file)}
        if self.catalog.endswith(".toml"):
            found["catalog"] = self.catalog
        if not self.base.startswith(BUNDLED) and Path(self.base).expanduser().is_dir():
            found["base"] = self.base
        return found

    @property
    def budget(self) -> Budget:
        """The budget of one rollout."""
        return Budget(cost=self.budget_cost, seconds=self.budget_seconds, turns=self.budget_turns)

    @property
    def least_spread(self) -> float:
        """The least standard deviation of a group's rewards that teaches something."""
        return SPREAD[self.reward] if self.spread is None else self.spread

    @property
    def highest(self) -> float:
        """The greatest importance ratio of a token."""
        if self.loss == "cispo":
            return CISPO_CLIP if self.clip_high is None else self.clip_high
        return 1 + (0.28 if self.clip_high is None else self.clip_high)


def explained() -> dict[str, str]:
    """Return what each setting of a definition means, in one line, by its key."""
    return {name: field.description or "" for name, field in Definition.model_fields.items()}


def to_toml(definition: Definition) -> str:
    """Return the file of a definition: what differs from the defaults, and the name."""
    changed = definition.model_dump(mode="json", exclude_defaults=True)
    nothing = [name for name, value in changed.items() if value is None]
    return toml_text({"name": definition.name} | changed | dict.fromkeys(nothing, NONE))


def from_toml(text: str, file: str = "the definition") -> Definition:
    """Return the definition that a TOML text holds; raises ConfigError that names line and key of `file`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not TOML: {error}.") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{file} has a number that is too long or brackets nested too deeply.") from None
    try:
        return Definition.model_validate(document)
    except ValidationError as error:
        raise ConfigError(_sentences(error, document, text, file)) from None


def load_definition(path: Path) -> Definition:
    """Return the definition in a file; raises ConfigError."""
    return from_toml(read_text(path, MOST_BYTES, "a training job"), str(path))


def _sentences(error: ValidationError, document: dict[str, Any], text: str, file: str) -> str:
    said = []
    for each in error.errors(include_url=False):
        message = each["msg"].removeprefix("Value error, ")
        location = [str(part) for part in each["loc"]] or message.split()[:1]
        known = location[0] in document
        place = f"{file}, line {line_of(text, location)}" if known else file
        if each["type"] == "extra_forbidden":
            message = f"there is no such setting; they are {', '.join(sorted(Definition.model_fields))}"
        said.append(f"{place}: `{'.'.join(location)}`: {message[:1].lower()}{message[1:]}.")
    more = len(said) - MOST_PROBLEMS
    return "\n".join([*said[:MOST_PROBLEMS], *([f"... and {more} more."] if more > 0 else [])])
