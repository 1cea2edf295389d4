"""Runs the code of one run as a `__main__` module of its own, and ends the process with its exit status."""

import atexit
import contextlib
import io
import linecache
import os
import sys
import traceback
import types
from typing import NoReturn

_NAME = "<code>"


def prepare(scratch: str) -> None:
    """Give this process fresh standard streams, an environment of its own and fresh random numbers."""
    sys.stdin = io.TextIOWrapper(io.FileIO(0, "r", closefd=False), encoding="utf-8")
    sys.stdout, sys.stderr = (
        # By line, so that a run killed at its deadline has shown what it had printed.
        io.TextIOWrapper(
            io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False)),
            encoding="utf-8",
            errors="backslashreplace",
            line_buffering=True,
        )
        for descriptor in (1, 2)
    )
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    os.environ.clear()
    os.environ.update(HOME=scratch, TMPDIR=scratch)
    sys.argv = [_NAME]
    sys.path.insert(0, scratch)
    # Python's own generator reseeds itself in a forked child, numpy's global one does not. Without a seed
    # given, that takes three times as long.
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(int.from_bytes(os.urandom(4)))
    _flush_on_exit()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # The program may have closed or replaced its streams, or run out of memory or disk.
        with contextlib.suppress(OSError, ValueError, AttributeError, MemoryError):
            stream.flush()


def _flush_on_exit() -> None:
    leave = os._exit

    def flush_and_leave(status: int) -> NoReturn:
        _flush()
        leave(status)

    os._exit = flush_and_leave


def _show(error: BaseException) -> None:
    """Print a traceback that starts in the program."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != _NAME:
        trace = trace.tb_next
    with contextlib.suppress(OSError, ValueError, AttributeError, MemoryError, RecursionError):
        sys.stdout.flush()
        traceback.print_exception(type(error), error, trace, file=sys.stderr)


def _exit_status(leaving: SystemExit) -> int:
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code & 0xFF
    print(leaving.code, file=sys.stderr)
    return 1


def _status(source: bytes) -> int:
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    text = source.decode("utf-8", "replace")
    linecache.cache[_NAME] = (len(text), None, text.splitlines(keepends=True), _NAME)
    try:
        exec(compile(source, _NAME, "exec"), module.__dict__)
        atexit._run_exitfuncs()
    except SystemExit as leaving:
        return _exit_status(leaving)
    except BaseException as error:  # noqa: BLE001  whatever the program raises is its own result
        _show(error)
        return 1
    return 0


def run(source: bytes) -> NoReturn:
    """Run the program in `source` (UTF-8) and end this process."""
    status = 1
    try:
        status = _status(source)
    finally:
        os._exit(status)
