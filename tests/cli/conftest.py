"""`orchestra` in this process, and a trace that it has kept."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.shell import Ended, fresh, invoked


@pytest.fixture
def orchestra() -> Callable[..., Ended]:
    return invoked


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data folder in which one question was asked, to be copied, and the id of its trace."""
    folder = tmp_path_factory.mktemp("once") / "home"
    return folder, fresh(folder)["id"]


@pytest.fixture
def asked(home: Path, once: tuple[Path, str]) -> str:
    """The id of a trace that was asked for and is kept."""
    shutil.copytree(once[0], home)
    return once[1]
