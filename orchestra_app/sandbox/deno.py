"""The sandbox where there is no Landlock."""

from pathlib import Path


class Deno:
    rung = "deno"
    reason = ""

    def __init__(self, cache): ...
    async def run(self, code, *, seconds=10.0):
        raise NotImplementedError

    async def aclose(self): ...


def obstacle(cache: Path | None) -> str | None:
    return "Install deno."
