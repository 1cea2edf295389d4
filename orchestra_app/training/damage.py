"""Reads traces of which some may be damaged."""

from orchestra_app.core.errors import StorageError
from orchestra_app.core.trace import Trace
from orchestra_app.storage.store import Store


async def readable(store: Store, ids: list[str]) -> dict[str, Trace]:
    """Return the traces that can be read, by id: a damaged one costs no other."""
    try:
        return await store.traces(ids)
    except (ValueError, KeyError):
        pass
    found = {}
    for name in ids:
        try:
            trace = await store.get(name)
        except StorageError:
            continue
        if trace is not None:
            found[name] = trace
    return found
