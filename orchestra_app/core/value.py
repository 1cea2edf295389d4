"""The base of every frozen value."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Strict

Number = Annotated[float, Strict()]
"""A number that a person writes into a file: neither true nor a text."""
Whole = Annotated[int, Strict()]


class Value(BaseModel):
    """An immutable pydantic value that refuses unknown fields and non-finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
