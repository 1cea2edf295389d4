"""The base of every frozen value."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Strict, ValidationError

Number = Annotated[float, Strict()]
"""A number that a person writes into a file: neither true nor a text."""
Whole = Annotated[int, Strict()]
YEARS = range(1970, 9000)


def in_utc(moment: datetime) -> datetime:
    """Return a moment in UTC; one without a zone counts as such. Raises ValueError for one beyond `YEARS`."""
    if moment.year not in YEARS:
        raise ValueError(f"it must be a year from {YEARS[0]} to {YEARS[-1]}")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(in_utc)]
"""A moment in UTC."""


class Value(BaseModel):
    """An immutable pydantic value that refuses unknown fields and non-finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def sentence(error: ValidationError) -> str:
    """Return the first problem of a value that was typed or read, as a sentence."""
    first = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    return f"{name}: {first['msg'].removeprefix('Value error, ')}."
