"""The base of every frozen value."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Strict, ValidationError

Number = Annotated[float, Strict()]
"""A number that a person writes into a file: neither true nor a text."""
Whole = Annotated[int, Strict()]


class Value(BaseModel):
    """An immutable pydantic value that refuses unknown fields and non-finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def sentence(error: ValidationError) -> str:
    """Return the first problem of a value that was typed or read, as a sentence."""
    first = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    return f"{name}: {first['msg'].removeprefix('Value error, ')}."
