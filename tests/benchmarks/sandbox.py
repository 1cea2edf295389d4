"""What a run in the sandbox costs beside a bare interpreter: `python -m tests.benchmarks.sandbox`."""

import asyncio
import statistics
import subprocess
import sys
import time

from orchestra_app.sandbox.landlocked import Landlocked
from orchestra_app.sandbox.probe import probe

_PROGRAMS = {
    "print(1)": "print(1)",
    "numpy": "import numpy as np; print(np.linalg.inv(np.eye(3) * 2).sum())",
    "sympy": "import sympy as s; print(s.solve('x**2 - 2'))",
}


def _bare(code: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - begun) * 1e3


async def _confined(sandbox: Landlocked, code: str) -> float:
    begun = time.perf_counter()
    assert (await sandbox.run(code)).status == 0
    return (time.perf_counter() - begun) * 1e3


async def main() -> None:
    """Print milliseconds (median and slowest of a hundred) and how much faster than a bare interpreter."""
    sandbox = Landlocked()
    print(f"first run, libraries loaded meanwhile: {await _confined(sandbox, 'print(1)'):.0f} ms")
    begun = time.perf_counter()
    assert await probe(sandbox, None) is None
    print(f"probe: {(time.perf_counter() - begun) * 1e3:.0f} ms")
    for name, code in _PROGRAMS.items():
        times = sorted([await _confined(sandbox, code) for _ in range(100)])
        median, bare = statistics.median(times), statistics.median(_bare(code) for _ in range(5))
        print(f"{name}: {median:.1f} ms, slowest {times[-1]:.1f} ms, {bare / median:.0f} x faster than bare")
    begun = time.perf_counter()
    await asyncio.gather(*(sandbox.run("print(1)") for _ in range(200)))
    print(f"200 at once: {(time.perf_counter() - begun) * 1e3 / 200:.1f} ms each")
    await sandbox.aclose()


if __name__ == "__main__":
    asyncio.run(main())
