"""Several processes write to one database at once."""

import asyncio
import multiprocessing

from storage_rollouts import fold, rollout, save

from orchestra_app.storage.store import Store


def _write(address: str, name: str) -> None:
    async def work() -> None:
        store = Store.open(address)
        await asyncio.gather(*(save(store, rollout(f"{name}.{n}"), 0.002) for n in range(25)))
        store.close()

    asyncio.run(work())


async def test_what_several_processes_record_at_once_is_all_kept(address: str):
    spawn = multiprocessing.get_context("spawn")
    children = [spawn.Process(target=_write, args=(address, f"p{n}")) for n in range(4)]
    for child in children:
        child.start()
    for child in children:
        await asyncio.to_thread(child.join)
    assert [child.exitcode for child in children] == [0] * 4
    store = Store.open(address)
    assert await store.count() == 100
    assert {row.status for row in await store.list(size=100)} == {"answered"}
    assert await store.get("p3.24") == fold(rollout("p3.24"))
    store.close()
