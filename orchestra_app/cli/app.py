"""The `orchestra` command with its groups, and how errors become sentences and exit codes."""

import asyncio
import errno
import json
import os
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from orchestra_app.cli.view import harmless
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


class _Output(Console):
    """A console that quoted text cannot steer, and whose closed pipe is an error for `guarded`."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(harmless(text), **options)

    def on_broken_pipe(self) -> None:
        # Rich calls it while it handles the error, and would end with the exit code 1.
        raise


class _Errors(_Output):
    """Prints each text on a line of its own, so that what it quotes cannot pass for another."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(text.replace("\n", " "), **options)


console = _Output(highlight=False)
errors = _Errors(stderr=True, highlight=False)


def main() -> None:
    """Run the command that the arguments name."""
    for name in ("stdout", "stderr"):
        # Python has none where the shell closed it; what is asked is answered and kept all the same.
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        # A terminal that lacks a character shows a question mark instead of failing.
        getattr(sys, name).reconfigure(errors="replace")
    sys.excepthook = _redacted
    signal.signal(signal.SIGTERM, _interrupted)
    sys.exit(_caught(_chosen))


def _chosen() -> int:
    if any("\udc80" <= each <= "\udcff" for each in "".join(sys.argv)):
        return complain("An argument holds bytes that are no text here; type it in UTF-8.")
    # Calling `app` itself would put Typer's hook in the place of ours.
    return typer.main.get_command(app)()


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Let a polite kill do what Ctrl-C does, so that nothing half-done is left."""
    ctrl_c = signal.getsignal(signal.SIGINT)
    # A shell lets its background jobs ignore Ctrl-C; a kill ends them all the same.
    (ctrl_c if callable(ctrl_c) else signal.default_int_handler)(number, frame)


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
    return _caught(work)


def _caught(work: Callable[[], int | None]) -> int:
    try:
        return _sentenced(work)
    except SystemExit as end:
        # Typer draws its help and its errors itself, and ends with 1 where nobody reads them.
        if isinstance(end.__context__, BrokenPipeError):
            return _unwritten(end.__context__)
        raise
    except OSError as error:
        return _unwritten(error)
    except KeyboardInterrupt:
        return INTERRUPTED


def _sentenced(work: Callable[[], int | None]) -> int:
    try:
        code = work() or 0
        sys.stdout.flush()
    except ValidationError as error:
        return complain(sentence(error))
    except OrchestraError as error:
        return complain(str(error))
    return code


def _unwritten(error: OSError) -> int:
    """Return the exit code where nobody reads the output or it cannot be written; raises any other error."""
    if error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO):
        raise error
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # Python writes once more when it ends, which must not fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if isinstance(error, BrokenPipeError):
        return NOBODY_READS
    return complain(f"The output cannot be written ({error.strerror}); send it elsewhere or free some space.")


def complain(message: str) -> int:
    """Print a sentence, or one per line, to standard error and return the exit code of bad input."""
    for line in redact(message).split("\n"):
        errors.print(line, style="red", markup=False, soft_wrap=True)
    return BAD_INPUT


def print_json(value: object) -> None:
    """Print a JSON value on one line of standard output, in ASCII where nothing else can be written."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(value, ensure_ascii=not utf8, allow_nan=False)
    sys.stdout.write(f"{text}\n")
