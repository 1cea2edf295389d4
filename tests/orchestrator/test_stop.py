import asyncio
from contextlib import suppress

import pytest

from orchestra_app.orchestrator.stop import Stop, Stopped


async def nothing_is_pending() -> None:
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None and task.cancelling() == 0


async def test_work_that_nobody_stops_gives_its_result_and_its_error():
    async def fail() -> None:
        raise ZeroDivisionError

    stop = Stop()
    assert await stop.run(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ZeroDivisionError):
        await stop.run(fail())
    assert not stop.is_set


async def test_a_stop_cancels_what_is_under_way_and_waits_for_its_end():
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    stop = Stop()
    running = asyncio.create_task(stop.run(work()))
    await asyncio.sleep(0.01)
    stop.set()
    stop.set()
    with pytest.raises(Stopped):
        await running
    assert ended == [True]


async def test_nothing_starts_after_a_stop():
    begun = []

    async def work() -> None:
        begun.append(True)

    stop = Stop()
    stop.set()
    with pytest.raises(Stopped):
        await stop.run(work())
    assert begun == []


async def test_a_cancellation_from_outside_stays_one_whether_or_not_it_was_stopped_too():
    for stopped in (False, True):
        stop = Stop()
        running = asyncio.create_task(stop.run(asyncio.sleep(3600)))
        await asyncio.sleep(0.01)
        running.cancel()
        if stopped:
            stop.set()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_stop_from_inside_the_work_cancels_nothing_after_it():
    """Such as by a listener to streamed text, where the work then ends without waiting again."""

    async def work() -> str:
        stop.set()
        return "done"

    stop = Stop()
    with pytest.raises(Stopped):
        await stop.run(work())
    await nothing_is_pending()


async def test_a_stop_from_inside_work_that_fails_or_swallows_it_is_a_stop():
    async def fail() -> None:
        stop.set()
        raise ZeroDivisionError

    async def swallow() -> str:
        stop.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        return "done"

    for work in (fail, swallow):
        stop = Stop()
        with pytest.raises(Stopped):
            await stop.run(work())
        await nothing_is_pending()
