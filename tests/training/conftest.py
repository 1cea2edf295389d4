"""A tiny policy, made once, and an open workspace."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestra_app import Settings, Workspace


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny policy whose calls are valid and chosen at random."""
    # Loaded only here, since the tests of jobs and exports need no model.
    from tests.training.tiny_policy import write_tiny

    return write_tiny(tmp_path_factory.mktemp("policies") / "tiny")


@pytest.fixture
async def world(home: Path) -> AsyncIterator[Workspace]:
    opened = await Workspace.open(Settings(home=home))
    yield opened
    await opened.aclose()
