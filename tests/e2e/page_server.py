"""Serves the real page as `python app.py` does, in a process and a data folder of its own."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(home: Path, *, port: int | None = None, **environment: str) -> Iterator[str]:
    """Yield the address of a page over the data folder `home`; on leaving, the process ends as by Ctrl+C."""
    port = port or free_port()
    own = {"ORCHESTRA_HOME": str(home), "GRADIO_SERVER_PORT": str(port), "ORCHESTRA_NO_BROWSER": "1"}
    file = home.parent / f"{home.name}.log"
    with file.open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=ROOT,
            env={**os.environ, **own, **environment},
            stdout=log,
            stderr=log,
        )
        try:
            yield _answering(process, port)
        finally:
            process.terminate()
            process.wait(30)
            # A test that fails shows it.
            print(file.read_text())


def _answering(process: subprocess.Popen[bytes], port: int) -> str:
    address = f"http://127.0.0.1:{port}/"
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"app.py ended with {process.returncode}.")
        try:
            with urllib.request.urlopen(address, timeout=5):
                return address
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("app.py does not answer.")
