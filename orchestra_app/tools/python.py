"""Runs an expert's or the policy's Python code in the sandbox, paid by the second."""

import asyncio
import time
from typing import TypeGuard

from orchestra_app.backends.base import State
from orchestra_app.core.catalog import PythonSpec
from orchestra_app.core.errors import ToolError
from orchestra_app.core.message import Execution
from orchestra_app.core.purse import Purse, Use
from orchestra_app.core.usage import Usage
from orchestra_app.sandbox.base import Sandbox

SHORTEST_RUN = 1.0
"""Seconds of the sandbox that are worth a run."""
ENDING = 0.2
"""Seconds that the end of a run may take after its time."""
SIMULATED_SECONDS = 0.2
"""Seconds that a run takes where time is simulated, so that equal seeds give equal traces."""


def works(sandbox: Sandbox | None) -> TypeGuard[Sandbox]:
    """Return whether code can run here, as far as is known: a first run may find that it cannot."""
    return sandbox is not None and sandbox.rung != "off"


def shortest_run(spec: PythonSpec) -> float:
    """Return the fewest seconds of the sandbox for which a run is started."""
    return min(SHORTEST_RUN, spec.seconds)


async def run_python(code: str, state: State, purse: Purse, sandbox: Sandbox) -> Execution:
    """Run `code` within the seconds that the catalogue, the money and the time left allow.

    Raises BudgetError where not even a short run fits, ToolError where the sandbox cannot work.
    """
    spec, simulated = state.catalog.python, state.catalog.simulated
    use = Use(
        who="python",
        kind="python",
        price=spec.price,
        most=Usage(units=spec.seconds),
        least=Usage(units=shortest_run(spec)),
        simulated=simulated,
    )
    reservation = await purse.reserve(use)
    usage = None
    try:
        limit = reservation.granted.units
        # Simulated seconds say nothing about how long the code really takes.
        if reservation.seconds is not None and not simulated:
            limit = min(limit, reservation.seconds)
        started = time.monotonic()
        # A run may wait for others before its own time begins.
        wait = None if simulated or reservation.seconds is None else reservation.seconds + ENDING
        async with asyncio.timeout(wait):
            execution = await sandbox.run(code, seconds=limit)
        seconds = time.monotonic() - started
        if simulated:
            seconds = limit if execution.timed_out else min(limit, SIMULATED_SECONDS)
            execution = execution.model_copy(update={"seconds": seconds})
        usage = Usage(units=min(execution.seconds, limit), seconds=seconds)
        return execution
    except TimeoutError:
        raise ToolError("The sandbox was busy, and no time is left: allow more seconds.") from None
    finally:
        purse.settle(reservation, usage, simulated=simulated)
