"""The `orchestra` command with its groups, and how errors become sentences and exit codes."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import typer
from pydantic import ValidationError
from rich.console import Console

from orchestra_app.config import load_settings, redact, start_logging
from orchestra_app.core.errors import OrchestraError
from orchestra_app.workspace import Workspace

BAD_INPUT = 2
EXHAUSTED = 3
FAILED = 4

app = typer.Typer(
    name="orchestra",
    help="Ask hard questions and watch a small model conduct tools and experts within a budget.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


@asynccontextmanager
async def opened() -> AsyncIterator[Workspace]:
    """Give an open workspace and close it at the end."""
    workspace = await Workspace.open(load_settings())
    try:
        yield workspace
    finally:
        await workspace.aclose()


def command(work: Callable[..., Coroutine[Any, Any, int | None]]) -> Callable[..., None]:
    """Turn an async function that returns an exit code into a command whose errors are one sentence."""

    @wraps(work)
    def run(*args: Any, **options: Any) -> None:
        start_logging()
        try:
            code = asyncio.run(work(*args, **options))
        except ValidationError as error:
            code = complain(sentence(error))
        except OrchestraError as error:
            code = complain(str(error))
        except KeyboardInterrupt:
            code = 130
        sys.exit(code or 0)

    return run


def complain(message: str) -> int:
    """Print one sentence to standard error and return the exit code of bad input."""
    errors.print(redact(message), style="red", markup=False, soft_wrap=True)
    return BAD_INPUT


def sentence(error: ValidationError) -> str:
    """Return the first problem of a value that was typed, as a sentence."""
    first = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    return f"{name}: {first['msg'].removeprefix('Value error, ')}."
