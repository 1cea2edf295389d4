"""Says in sentences what is wrong with a catalogue: pydantic's errors in plain words, and further rules."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from orchestra_app.core.address import server_address
from orchestra_app.core.catalog import BASELINES, Catalog

Location = tuple[str, ...]
Problem = tuple[Location, str]
"""The keys from the top down to the culprit, and what is wrong with it."""

_KEY_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ADDRESS = re.compile(r"https?://[^\s/@]+(/\S*)?|env:[A-Z][A-Z0-9_]*_(URL|MODEL)")


def where(error: ErrorDetails, document: Mapping[str, Any]) -> Location:
    """Return where in the document an error of pydantic points."""
    if error["loc"]:
        return tuple(map(str, error["loc"]))
    return _named(error["msg"].removeprefix("Value error, "), document)


def _named(message: str, document: Mapping[str, Any]) -> Location:
    """Return the key that a message of `Catalog` begins with, or the second place of the alias in it."""
    if found := re.search(r"the alias '(.+)' twice", message):
        alias = found[1]
        tools = [name for name, tool in document["tools"].items() if alias in tool["choices"]]
        return ("tools", tools[-1], "choices", alias)
    path: list[str] = []
    rest, level = message, document
    while isinstance(level, Mapping):
        fitting = [key for key in level if rest == key or rest.startswith((f"{key}.", f"{key} "))]
        if not fitting:
            break
        key = max(fitting, key=len)
        path.append(key)
        rest, level = rest[len(key) + 1 :], level[key]
    return tuple(path)


def reason(error: ErrorDetails) -> str:
    """Return what is wrong; it begins with a small letter where the key is to be put in front."""
    location = tuple(map(str, error["loc"]))
    match error["type"]:
        case "extra_forbidden":
            return _unknown(location)
        case "missing":
            return "is missing; every entry of this kind needs it."
        case "value_error":
            return f"The names do not fit together: {error['msg'].removeprefix('Value error, ')}."
    should = re.sub(r"^\w+ should", "should", error["msg"])
    should = re.sub(r"a valid dictionary( or instance of \w+)?", "a table of keys", should)
    # a person may have put the key itself where its name belongs
    shown = "" if location[-1] == "key" else f"is {error['input']!r:.40} and "
    return f"{shown}{should}."


def _unknown(location: Location) -> str:
    known = _keys_at(location[:-1])
    near = difflib.get_close_matches(location[-1], known, 1)
    meant = f"did you mean `{near[0]}`?" if near else f"the keys here are {', '.join(known)}."
    return f"is no key of a catalogue; {meant}"


def _keys_at(location: Location) -> list[str]:
    kind: Any = Catalog
    for part in location:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = kind.model_fields[part].annotation
        else:
            kind = get_args(kind)[-1]
        members = [member for member in get_args(kind) if member is not type(None)]
        if len(members) == 1:
            kind = members[0]
    return list(kind.model_fields)


def broken_rules(catalog: Catalog) -> list[Problem]:
    """Return what is wrong beyond types: addresses, names of keys, and limits and names that clash."""
    return [*_models(catalog), *_simulated(catalog), *_limits(catalog), *_names(catalog)]


def _models(catalog: Catalog) -> Iterator[Problem]:
    for name, model in catalog.models.items():
        if not (_ADDRESS.fullmatch(model.url) and (model.url.startswith("env:") or _can_be_read(model.url))):
            yield ("models", name, "url"), "should be an http or https address, or env:NAME_URL."
        if model.id.startswith("env:") and not _ADDRESS.fullmatch(model.id):
            yield ("models", name, "id"), "should be a name, or env:NAME_MODEL."
        if model.key is not None and not _KEY_NAME.fullmatch(model.key):
            yield ("models", name, "key"), _NOT_THE_KEY
        if model.tokenizer is not None and (problem := _tokenizer_problem(Path(model.tokenizer))):
            yield (
                ("models", name, "tokenizer"),
                f"should be the path of a tokenizer.json, and this {problem}.",
            )
        try:
            json.dumps(model.options, allow_nan=False)
        except (TypeError, ValueError):
            yield ("models", name, "options"), "should hold only text, finite numbers, true, false and lists."
    for name, source in catalog.sources.items():
        if source.key is not None and not _KEY_NAME.fullmatch(source.key):
            yield ("sources", name, "key"), _NOT_THE_KEY


def _tokenizer_problem(path: Path) -> str | None:
    """Return why a file is no tokenizer's, as far as that shows without the library that reads it."""
    try:
        if not path.is_file():
            return "is no file"
        found = json.loads(path.read_bytes())
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except (ValueError, RecursionError):
        return "is no JSON"
    return None if isinstance(found, dict) and "model" in found else "says nothing of a tokenizer"


def _can_be_read(url: str) -> bool:
    try:
        return bool(server_address(url))
    except ValueError:
        return False


_NOT_THE_KEY = "should be the name of an environment variable such as OPENAI_API_KEY, never the key itself."


def _simulated(catalog: Catalog) -> Iterator[Problem]:
    """Yield what mixes real and simulated money, which no cap, bill or export could tell apart."""
    for name, model in catalog.models.items():
        if catalog.simulated and model.backend == "openai":
            yield ("models", name, "backend"), "should be 'simulated' where the catalogue is simulated."
        if not catalog.simulated and model.backend == "simulated":
            yield ("models", name, "backend"), "can be 'simulated' only in a catalogue with simulated = true."
    for name, source in catalog.sources.items():
        if catalog.simulated and source.kind == "tavily":
            yield ("sources", name, "kind"), "should be 'local' where the catalogue is simulated."


def _limits(catalog: Catalog) -> Iterator[Problem]:
    limited: list[tuple[Location, Any]] = [
        (("tools", tool_name, "choices", alias), choice)
        for tool_name, tool in catalog.tools.items()
        for alias, choice in tool.choices.items()
    ]
    limited += [(("policies", name), policy) for name, policy in catalog.policies.items()]
    for location, limits in limited:
        if limits.min_output > limits.max_output:
            yield (*location, "min_output"), f"should be at most max_output ({limits.max_output})."
        model = catalog.models[limits.model]
        if limits.max_output >= model.context and model.backend != "simulated":
            yield (
                (*location, "max_output"),
                f"should be below the context of {limits.model} ({model.context}).",
            )


def _names(catalog: Catalog) -> Iterator[Problem]:
    for name in BASELINES:
        if name in catalog.policies:
            yield ("policies", name), "should be named unlike the policies that every catalogue has."
    for name, tool in catalog.tools.items():
        if not _TOOL_NAME.fullmatch(name):
            yield (
                ("tools", name),
                "should have 1 to 64 letters, digits, _ or -: no server takes another name.",
            )
        if not all(alias.strip() for alias in tool.choices):
            yield ("tools", name, "choices"), "should each have a name."
    policies = (*catalog.policies, *BASELINES)
    if catalog.default_policy is not None and catalog.default_policy not in policies:
        yield ("default_policy",), f"should be one of {', '.join(policies)}."
    for name in catalog.sources:
        if name in catalog.tools:
            yield ("sources", name), "should be named unlike every tool: a slider goes by the name."
    for name in catalog.models:
        if name in catalog.tools or name in catalog.sources:
            yield ("models", name), "should be named unlike every tool and source: a slider goes by the name."
