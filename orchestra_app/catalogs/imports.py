"""Makes a catalogue from a `tools.json` of ToolOrchestra, and from `live` where that file is silent."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestra_app.catalogs.files import load_catalog, parse_catalog
from orchestra_app.catalogs.toolsjson import KINDS, Function, Row, read_functions, read_mapping
from orchestra_app.catalogs.writer import toml_text
from orchestra_app.core.catalog import Catalog, Choice, Model, PolicySpec, ToolKind, ToolSpec
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.usage import Price

ASSUMED_LATENCY = 30.0
"""Seconds of a call where the table has no line for it."""
ROUTER = "https://router.huggingface.co/v1"


@dataclass(slots=True)
class _Import:
    """What one import has gathered so far."""

    path: Path
    live: Catalog
    ids: dict[str, str]
    """Ids of models by alias."""
    models: dict[str, Model] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def import_tools(path: str | Path, mapping: str | Path | None = None) -> tuple[str, list[str]]:
    """Return a catalogue in TOML made from a tools.json, and a sentence for everything that was assumed.

    mapping: a JSON file {"alias": "model id"}; for aliases that it lacks, the ids are those of `live`,
    which are those of the public evaluation.
    Raises ConfigError.
    """
    live = load_catalog("live")
    ids = {
        alias: live.models[choice.model].id or choice.model
        for tool in live.tools.values()
        for alias, choice in tool.choices.items()
    }
    own = read_mapping(Path(mapping)) if mapping else {}
    work = _Import(Path(path), live, ids | own)
    tools = {}
    functions = read_functions(work.path)
    for function in functions:
        if function.name in tools:
            raise ConfigError(f"{path} has two functions {function.name}; keep one of them.")
        if function.name in KINDS:
            tools[function.name] = _tool(work, function)
        else:
            work.notes.append(f"{function.name} was left out: only {', '.join(KINDS)} are known.")
    aliases = {alias for function in functions for alias in function.rows}
    for alias in sorted(own.keys() - aliases):
        work.notes.append(f"{mapping}: {alias!r} is no alias in {path}, so its model id is not used.")
    text = toml_text(_document(work, tools))
    parse_catalog(text, f"The catalogue made from {path}")
    return text, work.notes


def _tool(work: _Import, function: Function) -> ToolSpec:
    kind = KINDS[function.name]
    choices = {alias: _choice(work, kind, alias, row) for alias, row in function.rows.items()}
    known = next(tool for tool in work.live.tools.values() if tool.kind == kind)
    description = function.description or known.description
    return ToolSpec(
        kind=kind, title=known.title, description=description, choices=choices, sources=known.sources
    )


def _choice(work: _Import, kind: ToolKind, alias: str, row: Row) -> Choice:
    if alias not in work.ids:
        raise ConfigError(
            f"{work.path}: no model is known for the alias {alias!r}; "
            f'give a mapping file with {{"{alias}": "the id of its model"}}.'
        )
    name = _model(work, work.ids[alias], alias, row)
    limits = _limits(work, kind, name)
    if limits is None:
        work.notes.append(f"{alias}: the limits of the prompt and the reply are assumed.")
        limits = Choice(model=name, latency=ASSUMED_LATENCY)
    if not row.latency:
        work.notes.append(f"{alias}: the table has no latency; {ASSUMED_LATENCY:g} s is assumed.")
    changes = {
        "ability": row.ability,
        "latency": row.latency or ASSUMED_LATENCY,
        "latency_source": work.path.name if row.latency else "assumed",
    }
    return limits.model_copy(update=changes)


def _limits(work: _Import, kind: ToolKind, model: str) -> Choice | None:
    for tool in work.live.tools.values():
        for choice in tool.choices.values():
            if tool.kind == kind and choice.model == model:
                return choice
    return None


def _model(work: _Import, model_id: str, alias: str, row: Row) -> str:
    """Return the name of the model with this id, added to the import with the price in `row`."""
    known = next((name for name, model in work.live.models.items() if (model.id or name) == model_id), None)
    name = known or _short(model_id.rpartition("/")[2])
    other = work.models.get(name) or work.live.models.get(name)
    if known is None and other is not None and (other.id or name) != model_id:
        # Another model has this short name.
        name = _short(model_id)
    model = work.models.get(name)
    if model is None:
        model = work.live.models[known] if known else _new_model(work, name, model_id)
        model = model.model_copy(update={"price": None})
    work.models[name] = _priced(work, model, alias, row)
    return name


def _short(model_id: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", model_id.lower())


def _new_model(work: _Import, name: str, model_id: str) -> Model:
    routed = "/" in model_id
    where = "Hugging Face's router" if routed else "OpenAI"
    work.notes.append(f"{name}: assumed to be served by {where}, with a context of 32,768 tokens.")
    if routed:
        return Model(vendor=model_id.partition("/")[0].lower(), id=model_id, url=ROUTER, key="HF_TOKEN")
    return Model(vendor="openai", id=model_id, key="OPENAI_API_KEY")


def _priced(work: _Import, model: Model, alias: str, row: Row) -> Model:
    if row.input is None or row.output is None:
        work.notes.append(f"{alias}: the table has no price; without one it is looked up in genai-prices.")
        return model
    price = Price(input=row.input, output=row.output, source=work.path.name)
    if model.price is None or model.price == price:
        return model.model_copy(update={"price": price})
    work.notes.append(f"{alias}: its model has another price under another alias; the higher rates are kept.")
    higher = {"input": max(price.input, model.price.input), "output": max(price.output, model.price.output)}
    return model.model_copy(update={"price": price.model_copy(update=higher)})


def _document(work: _Import, tools: dict[str, ToolSpec]) -> dict[str, Any]:
    live = work.live
    policies = {name: policy for name, policy in live.policies.items() if _conducts(work, policy)}
    models = {policy.model: live.models[policy.model] for policy in policies.values()} | work.models
    searches = any(tool.kind == "search" for tool in tools.values())
    catalog = Catalog.model_construct(
        name="imported",
        title=f"Imported from {work.path.name}",
        models=models,
        tools=tools,
        sources=live.sources if searches else {},
        python=live.python,
        policies=policies,
        default_policy=next(iter(policies), None),
    )
    work.notes.append(
        "Search sources, the sandbox's price and the policies are those of the catalogue `live`."
    )
    return catalog.model_dump(exclude_none=True, exclude_defaults=True)


def _conducts(work: _Import, policy: PolicySpec) -> bool:
    return policy.protocol == "packed" or policy.model in work.models
