"""`python -m orchestra_app` as a process: signals, pipes, encodings and what it loads."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.fake_catalog import write_catalog
from tests.fake_openai import FakeOpenAI

ROOT = Path(__file__).parents[2]
ORCHESTRA = [sys.executable, "-m", "orchestra_app"]
SUM = "What is 6 * 7?"


def orchestra(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ORCHESTRA, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def test_a_question_is_answered_and_kept_by_a_process_of_its_own():
    asked = orchestra("ask", SUM, "--json")
    assert (asked.returncode, asked.stderr) == (0, "")
    trace = json.loads(asked.stdout)
    assert trace["answer"] == "42" and trace["status"] == "answered"
    shown = orchestra("traces", "show", trace["id"], "--json")
    assert json.loads(shown.stdout) == trace


def test_bad_input_has_its_code_and_one_line():
    ended = orchestra("ask", "  ")
    assert (ended.returncode, ended.stdout) == (2, "") and ended.stderr == "Type a question first.\n"


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as server:
        yield server


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_an_interrupt_stops_the_paid_call_keeps_the_trace_and_exits_130(tmp_path, fake, number, code):
    model = f"stalls-{number}"
    fake.script(model, {"stall": True})
    catalog = write_catalog(tmp_path, fake.url, model)
    command = [*ORCHESTRA, "ask", SUM, "--catalog", catalog, "--json"]
    environment = {**os.environ, "OPENAI_API_KEY": "sk-canary-0123456789"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            until = time.monotonic() + 60
            while not fake.log(model) and time.monotonic() < until:
                time.sleep(0.05)
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == code and err == b""
    trace = json.loads(out)
    assert trace["status"] == "stopped" and trace["cost"] > 0
    assert fake.log(model)[0]["closed"] and len(fake.log(model)) == 1
    kept = json.loads(orchestra("traces", "show", trace["id"], "--json").stdout)
    assert kept == trace


def test_a_reader_that_has_gone_is_no_error():
    with subprocess.Popen(
        [*ORCHESTRA, "ask", SUM, "--json"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize("arguments", [["traces", "list"], ["doctor"], ["ask", "--help"], ["ask", "--no"]])
def test_a_reader_that_has_gone_is_none_of_what_is_drawn_either(arguments):
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run([*ORCHESTRA, *arguments], cwd=ROOT, stdout=write, stderr=write, check=False)
    finally:
        os.close(write)
    assert done.returncode == 141


def export_in_progress(folder: Path) -> subprocess.Popen[bytes]:
    """Start an export and return it as soon as its hidden folder is there."""
    process = subprocess.Popen(
        [*ORCHESTRA, "export", str(folder / "out"), "--format", "parquet"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 60
    while not list(folder.glob(".out.*.part")) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_export_that_is_stopped_leaves_no_half_of_it(tmp_path, number):
    assert orchestra("ask", SUM, "--json").returncode == 0
    (folder := tmp_path / "exports").mkdir()
    with export_in_progress(folder) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")
    assert not list(folder.iterdir())


@pytest.mark.parametrize("module", ["orchestra_app.cli", "orchestra_app.workspace", "typer"])
def test_an_interrupt_while_the_program_loads_is_quiet(module):
    code = (
        "import runpy, signal, sys\n"
        "class Interrupted:\n"
        "    @staticmethod\n"
        "    def find_spec(name, *_):\n"
        f"        if name == {module!r}: signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupted)\n"
        "runpy.run_module('orchestra_app', run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


@pytest.mark.parametrize("arguments", [["ask", SUM, "--json"], ["traces", "list"], ["ask", "--help"]])
def test_an_output_that_cannot_be_written_is_a_sentence(arguments):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*ORCHESTRA, *arguments], cwd=ROOT, stdout=full, stderr=-1, check=False)
    assert done.returncode == 2 and b"output cannot be written" in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_a_closed_stream_changes_nothing_about_the_answer(closed):
    shell = f'exec "$0" -m orchestra_app ask "{SUM}" {closed}'
    done = subprocess.run(["sh", "-c", shell, sys.executable], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(orchestra("traces", "list", "--json").stdout)[0]["status"] == "answered"


def test_a_terminal_without_unicode_gets_question_marks_and_json_in_ascii():
    shown = orchestra("ask", "What is 6 * 7? ✓", PYTHONIOENCODING="ascii")
    assert shown.returncode == 0 and "42" in shown.stdout and shown.stdout.isascii()
    ended = orchestra("traces", "list", "--json", PYTHONIOENCODING="ascii")
    assert ended.stdout.isascii() and json.loads(ended.stdout)[0]["question"] == "What is 6 * 7? ✓"


HEAVY = "{'torch', 'transformers', 'gradio', 'plotly', 'openai', 'aiohttp', 'numpy', 'sympy', 'bm25s', 'jax'}"


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [(["traces", "list"], set()), (["ask", SUM, "--json"], {"numpy", "bm25s"})],
)
def test_a_command_loads_only_what_it_uses(arguments, allowed):
    code = (
        f"import sys, atexit; sys.argv = ['orchestra', *{arguments}]\n"
        f"atexit.register(lambda: sys.stderr.write(repr(sorted({HEAVY} & set(sys.modules)))))\n"
        "import orchestra_app.__main__ as program; program.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(json.loads(done.stderr.replace("'", '"'))) <= allowed


@pytest.mark.parametrize("arguments", [("traces", "list", "--text", "\udcff"), ("ask", "a\udcff")])
def test_an_argument_that_is_no_text_is_refused_in_a_sentence(arguments):
    ended = orchestra(*arguments)
    assert ended.returncode == 2 and ended.stdout == ""
    assert ended.stderr.splitlines() == ["An argument holds bytes that are no text here; type it in UTF-8."]
