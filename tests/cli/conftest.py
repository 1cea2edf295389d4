"""Runs `orchestra` in this process, as a shell would see it."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


Orchestra = Callable[..., Ended]


@pytest.fixture
def orchestra() -> Iterator[Orchestra]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def run(*arguments: str, stdin: str | bytes | None = None) -> Ended:
        import orchestra_app.__main__  # noqa: F401 - it is what brings the commands together

        result = CliRunner().invoke(app, list(arguments), input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    yield run
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def asked(orchestra) -> str:
    """The id of a trace that was asked for and is kept."""
    return orchestra("ask", SUM, "--json").json["id"]
