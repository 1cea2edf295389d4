"""The `orchestra` command with its groups, and how errors become sentences and exit codes."""

import asyncio
import errno
import json
import os
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any

import typer
from pydantic import ValidationError
from rich.console import Console

from orchestra_app.config import load_settings, redact, start_logging
from orchestra_app.core.errors import OrchestraError
from orchestra_app.core.value import sentence
from orchestra_app.workspace import Workspace

BAD_INPUT = 2
EXHAUSTED = 3
FAILED = 4
INTERRUPTED = 130
NOBODY_READS = 141
"""What a shell gives for a process that wrote into a closed pipe."""

app = typer.Typer(
    name="orchestra",
    help="Ask hard questions and watch a small model conduct tools and experts within a budget.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def main() -> None:
    """Run the command that the arguments name."""
    for name in ("stdout", "stderr"):
        # Python has none where the shell closed it; what is asked is answered and kept all the same.
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        # A terminal that lacks a character shows a question mark instead of failing.
        getattr(sys, name).reconfigure(errors="replace")
    sys.excepthook = _redacted
    if any("\udc80" <= each <= "\udcff" for each in "".join(sys.argv)):
        sys.exit(complain("An argument holds bytes that are no text here; type it in UTF-8."))
    # Calling `app` itself would put Typer's hook in the place of ours.
    typer.main.get_command(app)()


def _redacted(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, where))))


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
        sys.exit(guarded(lambda: asyncio.run(work(*args, **options))))

    return run


def guarded(work: Callable[[], int | None]) -> int:
    """Return the exit code of `work`; what is expected to go wrong becomes one sentence and its code."""
    start_logging()
    try:
        code = work() or 0
        sys.stdout.flush()
    except ValidationError as error:
        return complain(sentence(error))
    except OrchestraError as error:
        return complain(str(error))
    except OSError as error:
        return _unwritten(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _unwritten(error: OSError) -> int:
    """Return the exit code where nobody reads the output or it cannot be written; raises any other error."""
    if error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO):
        raise error
    # Python writes once more when it ends, which must not fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return NOBODY_READS
    return complain(f"The output cannot be written ({error.strerror}); send it elsewhere or free some space.")


def complain(message: str) -> int:
    """Print one sentence to standard error and return the exit code of bad input."""
    errors.print(redact(message), style="red", markup=False, soft_wrap=True)
    return BAD_INPUT


def print_json(value: object) -> None:
    """Print a JSON value on one line of standard output, in ASCII where nothing else can be written."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(value, ensure_ascii=not utf8, allow_nan=False)
    sys.stdout.write(f"{text}\n")
