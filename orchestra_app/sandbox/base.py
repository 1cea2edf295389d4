"""What every sandbox offers."""

from typing import Protocol

from orchestra_app.core.message import Execution


class Sandbox(Protocol):
    """Runs Python code that nobody has read, where it can do no harm."""

    @property
    def rung(self) -> str:
        """`landlock`, `deno` or `off`."""
        ...

    @property
    def reason(self) -> str:
        """One sentence for people: what is in use, or why there is none and how to get it."""
        ...

    async def run(self, code: str, *, seconds: float = 10.0) -> Execution:
        """Run the code for at most `seconds` of wall time; raises ToolError only where the sandbox is off."""
        ...

    async def aclose(self) -> None:
        """End every process of the sandbox; runs in flight are killed."""
        ...
