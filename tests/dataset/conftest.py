"""Stores for the tests of exports."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestra_app.storage.store import Store


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Callable[[str], Store]]:
    """Opens stores in folders of this test."""
    opened: list[Store] = []

    def opening(name: str) -> Store:
        opened.append(Store.open(tmp_path / name))
        return opened[-1]

    yield opening
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[[str], Store]) -> Store:
    return open_store("store")
