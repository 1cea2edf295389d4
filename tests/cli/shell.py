"""Runs `orchestra` in this process, as a shell would see it."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestra_app.cli.app import app

SUM = "What is 6 * 7?"


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The sentence on standard error of a command that refused its input."""
        assert self.code == 2 and self.out == "", self
        assert "Traceback" not in self.err and self.err.count("\n") == 1 and self.err.strip(), self.err
        return self.err.strip()


def invoked(*arguments: str, stdin: str | bytes | None = None) -> Ended:
    """Run a command; what it changes in the logging of this process is undone."""
    import orchestra_app.__main__  # noqa: F401 - it is what brings the commands together

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        result = CliRunner().invoke(app, list(arguments), input=stdin)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ended(result.exit_code, result.stdout, result.stderr)


def fresh(home: Path, *arguments: str) -> Any:
    """Return what a question gave that is asked in a new data folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORCHESTRA_HOME", str(home))
        return invoked("ask", SUM, *arguments, "--json").json
