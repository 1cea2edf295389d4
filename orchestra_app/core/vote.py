"""What a person preferred when two settings answered the same question unseen."""

from typing import Literal

from orchestra_app.core.value import Moment, Value

Choice = Literal["a", "b", "tie", "both bad"]


class Vote(Value):
    """One choice between two traces whose settings were hidden."""

    a: str
    """The trace shown first."""
    b: str
    """The trace shown second."""
    choice: Choice
    by: str = "local"
    at: Moment
