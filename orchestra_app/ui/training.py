"""What the Train page does with its form: a definition, from values that can be forged."""

import math
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestra_app.core.errors import ConfigError
from orchestra_app.core.job import Checkpoint
from orchestra_app.training.definition import Definition, from_toml
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.choices import Choices
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Visitor

MOST_REFUSALS = 3
"""Fields that are refused at once."""
MOST_TOML = 20_000
"""Characters of further settings that are read."""
WHOLE = ("steps", "groups", "group_size", "evaluate_every", "evaluate_count", "checkpoint_every", "seed")
LAUNCHERS = ("process", "hub", "ray")


@dataclass(frozen=True, slots=True)
class Form:
    """A job's form as it was sent; nothing in it is believed before `defined` has read it."""

    name: Any = "job"
    mode: Any = "rollout"
    base: Any = "assets:policy"
    catalog: Any = "rehearsal"
    launcher: Any = "process"
    steps: Any = 20
    groups: Any = 8
    group_size: Any = 8
    learning_rate: Any = "2e-4"
    reward: Any = "product"
    loss: Any = "grpo"
    evaluate_every: Any = 10
    evaluate_count: Any = 60
    checkpoint_every: Any = 5
    cap: Any = ""
    seed: Any = 0
    further: Any = ""


def require_admin(visitor: Visitor) -> None:
    """Raise ConfigError for anybody who may not train here."""
    if not visitor.admin:
        raise ConfigError(TEXTS[visitor.language]["train_only_admin"])


def defined(form: Form, visitor: Visitor) -> Definition:
    """Return the definition of a form; raises ConfigError with a sentence that names the field."""
    texts = TEXTS[visitor.language]
    values: dict[str, Any] = {
        each.name: getattr(form, each.name)
        for each in fields(form)
        if each.name not in ("launcher", "further")
    }
    for name in WHOLE:
        values[name] = int(_number(values[name], texts["train_" + name], "10", texts["train_bad_number"]))
    rate = _number(values["learning_rate"], texts["train_learning_rate"], "2e-4", texts["train_bad_number"])
    values["learning_rate"] = rate
    cap = str(values.pop("cap") or "").strip()
    if cap:
        values["cap"] = _number(cap, texts["train_cap"], "5", texts["train_bad_number"])
    further = form.further if isinstance(form.further, str) else ""
    try:
        given = tomllib.loads(further[:MOST_TOML])
    except (ValueError, RecursionError):
        # The reader of definitions says where the slip is.
        from_toml(further[:MOST_TOML], texts["train_toml"])
        raise ConfigError(texts["train_toml_info"]) from None
    try:
        return Definition.model_validate(_plain(values) | given)
    except ValidationError as error:
        raise ConfigError("\n".join(dict.fromkeys(_refusals(error, texts)))) from None


def _refusals(error: ValidationError, texts: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each field that cannot be used, by the name that it has on the page."""
    for each in error.errors(include_url=False)[:MOST_REFUSALS]:
        reason = each["msg"].removeprefix("Value error, ").removesuffix(".")
        key = str(each["loc"][0]) if each["loc"] else ""
        field = texts.get(f"train_{key}", key)
        if each["type"] == "extra_forbidden":
            yield texts["train_no_field"].format(field=key[:80])
        elif key == "name":
            yield texts["train_bad_name"].format(field=field)
        else:
            yield texts["train_bad_field"].format(field=field, reason=reason) if field else f"{reason}."


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)[:500]
        for name, value in values.items()
    }


def _number(value: Any, field: str, example: str, sentence: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(sentence.format(field=field, example=example))
    return number


async def bases(desk: Desk, catalog: str) -> Choices:
    """Return the policies that can be trained further: those that run in this process, and checkpoints."""
    found = desk.workspace.catalog(catalog)
    local = [
        (spec.title or name, found.models[spec.model].id)
        for name, spec in found.policies.items()
        if found.models[spec.model].backend == "local"
    ]
    trained = await desk.workspace.checkpoints(found)
    return [*local, *((each.name, each.id) for each in trained.values())]


def packed(checkpoint: Checkpoint) -> Path:
    """Return a zip of a checkpoint's folder, in a temporary folder that the page may serve from."""
    folder = Path(checkpoint.path)
    if not folder.is_dir():
        raise ConfigError(f"The files of {checkpoint.name} are gone: delete its job, or train it anew.")
    place = Path(tempfile.mkdtemp(prefix="orchestra-checkpoint-")) / checkpoint.name
    return Path(shutil.make_archive(str(place), "zip", folder))
