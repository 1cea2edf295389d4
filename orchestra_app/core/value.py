"""The base of every frozen value."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable pydantic value that refuses unknown fields and non-finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
