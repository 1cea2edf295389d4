"""What runs inside a Hugging Face Job: everything of the training reaches the Hub, however it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestra_app.training.checkpoint import all_of
from orchestra_app.training.progress import Finished, Saved, read

HERE = Path(__file__).parent


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """The Hub with a job that was handed over."""
    folder = tmp_path / "hub"
    (folder / "job-1").mkdir(parents=True)
    (folder / "job-1" / "job.toml").write_text('name = "mine"\n')
    return folder


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A Python that installs nothing and trains as fake_training.py does."""
    shim = tmp_path / "python"
    shim.write_text(
        f'#!/bin/sh\n[ "$2" = orchestra_app ] || exit 0\nshift 3\n'
        f'PYTHONPATH={HERE.parents[1]} exec {sys.executable} {HERE / "fake_training.py"} "$@"\n'
    )
    shim.chmod(0o755)
    return shim


@contextmanager
def running(hub: Path, python: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The job on a machine of its own, which is ended with the test."""
    command = [sys.executable, "-m", "tests.training.hub_machine", str(hub), str(python), "job-1", *arguments]
    machine = hub.parent / "machine"
    machine.mkdir()
    with subprocess.Popen(
        command,
        cwd=machine,
        env=os.environ | {"PYTHONPATH": str(HERE.parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def until(there: Callable[[], object]) -> None:
    for _ in range(1_000):
        if there():
            return
        time.sleep(0.02)
    raise AssertionError("it never came")


def test_what_a_job_makes_is_uploaded_while_it_runs_and_again_where_the_hub_was_busy(hub, python):
    (hub / "busy").touch()
    kept = hub / "job-1" / "out"
    with running(hub, python) as process:
        until(lambda: read(kept)[0])
        assert [type(event) for event in read(kept)[0]] == [Saved] and all_of(kept)
        (hub.parent / "machine" / "parcel" / "job-1" / "out" / "end").touch()
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "begun" in said and "Not uploaded yet: OSError" in said
    last = read(kept)[0][-1]
    assert isinstance(last, Finished) and last.status == "done"


def test_a_job_that_the_hub_ends_writes_its_checkpoint_and_keeps_it(hub, python):
    kept = hub / "job-1" / "out"
    with running(hub, python) as process:
        until(lambda: read(kept)[0])
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    last = read(kept)[0][-1]
    assert isinstance(last, Finished) and last.status == "stopped" and all_of(kept)


@pytest.mark.parametrize(("definition", "said"), [(True, "resumed"), (False, "begun")])
def test_a_job_goes_on_where_something_of_it_was_kept_and_else_begins_anew(hub, python, definition, said):
    out = hub / "job-1" / "out"
    out.mkdir()
    if definition:
        (out / "job.toml").write_text('name = "mine"\n')
    (out / "end").touch()
    with running(hub, python, "--resume") as process:
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and said in printed
