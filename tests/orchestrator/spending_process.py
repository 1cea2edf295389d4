"""A process that spends from day accounts in a database: `python spending_process.py SPEC`, SPEC as JSON.

It prints a JSON line with the pico-dollars it spent after each call, and `ready` before it stalls.
"""

import asyncio
import json
import random
import signal
import sys
from datetime import date

from orchestra_app.core.errors import BudgetError
from orchestra_app.core.purse import Use
from orchestra_app.core.task import Budget
from orchestra_app.core.usage import Price, Usage
from orchestra_app.orchestrator.accounts import PICO
from orchestra_app.orchestrator.ledger import CallPurse, Ledger
from orchestra_app.storage.store import Store

PRICE = Price(unit=1.0)


async def main(spec: dict) -> None:
    store = Store.open(spec["store"])
    ledger = Ledger(
        store,
        daily_cap=spec["daily"],
        visitor_cap=spec.get("visitor"),
        today=lambda: date(2026, 1, 2),
    )
    chance = random.Random(spec["seed"])
    spent = 0.0

    async def run(owner: str) -> None:
        nonlocal spent
        purse = CallPurse(ledger.open(Budget(cost=None, seconds=None), owner=owner, simulated=False))
        for _ in range(spec["calls"]):
            units = chance.uniform(0.001, 0.02)
            use = Use("m", "expert", PRICE, most=Usage(units=units), least=Usage(units=units / 2))
            try:
                reservation = await purse.reserve(use)
            except BudgetError:
                return
            await asyncio.sleep(0)
            used = reservation.granted.units * chance.random()
            usage = chance.choice([None, Usage(units=used), Usage(units=used)])
            spent += purse.settle(reservation, usage).cost

    async with asyncio.TaskGroup() as group:
        for owner in spec["owners"]:
            group.create_task(run(owner))
    print(json.dumps({"spent": round(spent * PICO)}), flush=True)
    if spec.get("stall"):
        signal.pause()
    ledger.close()
    store.close()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
