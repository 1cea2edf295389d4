"""Seconds from `python app.py` to HTTP 200 against an empty Gradio app, and memory at idle.

Run as `python -m tests.benchmarks.start`.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.e2e.page_server import free_port

ROUNDS = 5
EMPTY = "import gradio as gr\nwith gr.Blocks() as demo:\n    pass\ndemo.launch(quiet=True, ssr_mode=False)"
IDLE_SECONDS = 6.0


def started(command: list[str], home: str) -> tuple[float, float]:
    """Return the seconds until the page answers, and the megabytes resident some seconds later."""
    port = free_port()
    quiet = {"GRADIO_ANALYTICS_ENABLED": "False", "ORCHESTRA_NO_BROWSER": "1", "ORCHESTRA_HOME": home}
    environment = os.environ | quiet | {"GRADIO_SERVER_PORT": str(port)}
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            with suppress(URLError, ConnectionError), urlopen(f"http://127.0.0.1:{port}/") as page:
                if page.status == 200:
                    break
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        time.sleep(IDLE_SECONDS)
        status = Path(f"/proc/{process.pid}/status").read_text()
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return seconds, int(resident.split()[1]) / 1024
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        ways = {"empty Gradio app": [sys.executable, "-c", EMPTY], "orchestra": [sys.executable, "app.py"]}
        found = {name: [started(command, home) for _ in range(ROUNDS)] for name, command in ways.items()}
    best = {name: min(seconds for seconds, _ in rounds) for name, rounds in found.items()}
    for name, rounds in found.items():
        memory = max(megabytes for _, megabytes in rounds)
        ratio = best[name] / best["empty Gradio app"]
        print(f"{name:18} {best[name]:5.2f} s to HTTP 200, {ratio:4.2f} x empty; {memory:4.0f} MB at idle")


if __name__ == "__main__":
    main()
