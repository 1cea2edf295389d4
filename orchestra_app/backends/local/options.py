"""A local model as the catalogue describes it: where it lies, how it is loaded, why it cannot be."""

from functools import partial
from typing import Any, Literal

from pydantic import Field, ValidationError

from orchestra_app.backends.local.asked import FREE
from orchestra_app.backends.local.backend import LocalBackend
from orchestra_app.backends.local.model import LocalModel
from orchestra_app.backends.local.places import here, missing_packages
from orchestra_app.core.catalog import Model
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.value import Value


class LocalOptions(Value):
    """The `options` of a model whose backend is `local`."""

    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
    dtype: str = "auto"
    """`auto`, `float32`, `bfloat16` or `float16`."""
    quantize: Literal["8bit", "4bit"] | None = None
    """Weights of 8 or 4 bits, on a GPU."""
    constrained: bool = False
    """True: replies are held to the calls on offer."""
    batch: int = Field(default=64, gt=0, le=4_096)
    """Most replies that are generated at once."""
    template: dict[str, Any] = Field(default_factory=dict)
    """Fields for the chat template, such as enable_thinking."""


def options_of(name: str, model: Model) -> LocalOptions:
    """Return how a model is loaded; raises ConfigError that names the option that is wrong."""
    try:
        return LocalOptions.model_validate(model.options)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    key = ".".join(map(str, first["loc"]))
    raise ConfigError(
        f"The option {key!r} of {name} cannot be used ({first['msg'].lower()}); a local model takes "
        f"{', '.join(LocalOptions.model_fields)}."
    )


def settled(name: str, model: Model) -> Model:
    """Return a local model as it is used: its place filled in, and free of charge where no price is given."""
    return model.model_copy(update={"id": model.id or name, "price": model.price or FREE})


def local_backend(name: str, model: Model) -> LocalBackend:
    """Return the backend of a local model, which is loaded when it is first asked; raises ConfigError."""
    options = options_of(name, model)
    load = partial(load_local, model.id or name, options)
    return LocalBackend(load, constrained=options.constrained, batch=options.batch)


def load_local(place: str, options: LocalOptions) -> LocalModel:
    """Load a model; a very small one without torch, which takes longer to load than such a model to reply."""
    # Loads numpy, which nothing else at the start needs.
    from orchestra_app.backends.local.plain import load_plain

    plain = options.device in ("auto", "cpu") and options.dtype in ("auto", "float32")
    if plain and options.quantize is None and (found := load_plain(place)):
        model, tokenizer = found
        return LocalModel(model, tokenizer, place, options.template, model.decode)
    return LocalModel.load(
        place,
        device=options.device,
        dtype=options.dtype,
        quantize=options.quantize,
        template=options.template,
    )


def obstacle_to(name: str, model: Model) -> str | None:
    """Return why a local model cannot be used now, as a sentence; None where it can. Loads nothing."""
    try:
        missing_packages(options_of(name, model).quantize)
    except ConfigError as error:
        return f"{name} cannot be used here. {error}"
    reason = here(model.id or name)
    return reason and f"{name} cannot be used here. {reason}"
