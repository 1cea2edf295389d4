"""Bad input on the command line: exit code 2, one sentence that says what to do, nothing spent or kept."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from orchestra_app.catalogs.files import FOLDER

SUM = "What is 6 * 7?"
PASSWORD = "canary-word-of-the-database"

TYPED = [
    (("ask", ""), "Type a question"),
    (("ask", " \n\t "), "Type a question"),
    (("ask", "x" * 100_000), "20,000"),
    (("ask", "\udcff"), "UTF-8"),
    (("ask", SUM, "--prefer", "search"), "NAME=VALUE"),
    (("ask", SUM, "--prefer", "gpt5=0.5"), "gpt-5-mini"),
    (("ask", SUM, "--prefer", "search=nan"), "from 0 to 1"),
    (("ask", SUM, "--prefer", "search=-0.1"), "from 0 to 1"),
    (("ask", SUM, "--prefer", "search=1.01"), "from 0 to 1"),
    (("ask", SUM, "--prefer", "search=much"), "from 0 to 1"),
    (("ask", SUM, "--cheapness", "nan"), "--cheapness"),
    (("ask", SUM, "--speed", "inf"), "--speed"),
    (("ask", SUM, "--budget-cost", "-1"), "--budget-cost"),
    (("ask", SUM, "--budget-cost", "nan"), "--budget-cost"),
    (("ask", SUM, "--budget-cost", "inf"), "none"),
    (("ask", SUM, "--budget-cost", "ten"), "USD"),
    (("ask", SUM, "--budget-seconds", "0"), "seconds"),
    (("ask", SUM, "--budget-seconds", "-5"), "seconds"),
    (("ask", SUM, "--exclude", "gpt5"), "vendor:"),
    (("ask", SUM, "--exclude", "vendor:nobody"), "vendor:"),
    (("ask", SUM, "--policy", "nobody"), "choose one of: small, rules"),
    (("ask", SUM, "--catalog", "nowhere"), "rehearsal"),
    (("ask", SUM, "--catalog", "/"), "not a file"),
    (("ask", SUM, "--catalog", "live"), "OPENAI_API_KEY"),
    (("ask", SUM, "--catalog", "local"), "start it"),
    (("ask", SUM, "--policy", "orchestrator-8b", "--catalog", "live"), "ORCHESTRA_POLICY_URL"),
    (("traces", "show", "nothing"), "traces list"),
    (("label", "nothing", "--correct"), "traces list"),
    (("label", "nothing"), "exactly one"),
    (("label", "nothing", "--correct", "--unsure"), "exactly one"),
    (("catalog", "import", "/nowhere/tools.json"), "/nowhere/tools.json"),
]


@pytest.mark.parametrize(("arguments", "hint"), TYPED)
def test_what_cannot_be_used_is_said_in_one_sentence_and_keeps_nothing(orchestra, arguments, hint):
    said = orchestra(*arguments).complaint
    assert hint in said and len(said) < 500
    assert orchestra("traces", "list", "--json").json == []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("ask",),
        ("ask", SUM, "--budget-turns", "0"),
        ("ask", SUM, "--budget-turns", "many"),
        ("ask", SUM, "--seed", "x"),
        ("ask", SUM, "--unknown"),
        ("traces", "list", "--size", "0"),
        ("traces", "list", "--page", "99999999999999999999"),
        ("traces", "list", "--verdict", "good"),
        ("serve", "--port", "70000"),
    ],
)
def test_a_wrong_use_exits_with_2_without_a_traceback(orchestra, arguments):
    ended = orchestra(*arguments)
    assert ended.code == 2 and "Traceback" not in ended.err + ended.out


@pytest.mark.parametrize("stdin", [b"", b"\xff\xfe?", b"x" * 1_000_000])
def test_standard_input_is_checked_like_a_typed_question(orchestra, stdin):
    assert orchestra("ask", "-", stdin=stdin).complaint


def test_a_label_that_is_too_long_is_refused_and_the_trace_keeps_its_verdict(orchestra, asked):
    assert "gold" in orchestra("label", asked, "--correct", "--gold", "x" * 20_001).complaint
    assert orchestra("traces", "show", asked, "--json").json["labels"] == []


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(os.urandom(8_192)), foreign])
def test_a_corrupt_or_foreign_database_is_named_and_left_as_it_was(orchestra, home, spoil):
    home.mkdir()
    file = home / "orchestra.db"
    spoil(file)
    before = file.read_bytes()
    for arguments in (("ask", SUM), ("traces", "list"), ("label", "x", "--correct")):
        assert str(file) in orchestra(*arguments).complaint
    assert file.read_bytes() == before
    ended = orchestra("doctor")
    assert ended.code == 2 and "broken" in ended.out and "Traceback" not in ended.err


def test_a_database_that_was_cut_off_is_named(orchestra, asked, home):
    file = home / "orchestra.db"
    for beside in home.glob("orchestra.db-*"):
        beside.unlink()
    file.write_bytes(file.read_bytes()[:5_000])
    assert "orchestra.db" in orchestra("traces", "show", asked).complaint


@pytest.mark.parametrize("place", ["/proc/orchestra", "/proc/self/status", "/dev/null/orchestra"])
def test_a_folder_that_cannot_be_written_is_named(orchestra, monkeypatch, place):
    monkeypatch.setenv("ORCHESTRA_HOME", place)
    assert "ORCHESTRA_HOME" in orchestra("ask", SUM).complaint or place in orchestra("ask", SUM).complaint


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{PASSWORD}@127.0.0.1:1/orchestra",
        f"postgresql://me:{PASSWORD}@no-such-host.invalid/orchestra",
        f"postgresql://me:{PASSWORD}@127.0.0.1:port/orchestra",
        f"mysql://me:{PASSWORD}@127.0.0.1/orchestra",
    ],
)
def test_a_database_that_cannot_be_reached_is_said_without_its_password(orchestra, monkeypatch, url):
    monkeypatch.setenv("ORCHESTRA_DATABASE_URL", url)
    assert PASSWORD not in orchestra("ask", SUM).complaint
    ended = orchestra("doctor")
    assert ended.code == 2 and PASSWORD not in ended.out + ended.err


def test_an_error_in_a_catalogue_is_named_by_line_and_key(orchestra, tmp_path, monkeypatch):
    file = tmp_path / "mine.toml"
    lines = (FOLDER / "rehearsal.toml").read_text().splitlines()
    number = next(i for i, line in enumerate(lines, 1) if line.strip().startswith("latency ="))
    lines[number - 1] = "latency = -3"
    file.write_text("\n".join(lines))
    place = f"{file}, line {number}:"
    assert place in orchestra("ask", SUM, "--catalog", str(file)).complaint
    said = orchestra("catalog", "check", str(file)).complaint
    assert place in said and "latency" in said
    monkeypatch.setenv("ORCHESTRA_CATALOG", str(file))
    assert place in orchestra("traces", "list").complaint
    assert orchestra("doctor").code == 2


def test_what_a_foreign_file_says_neither_steers_the_terminal_nor_passes_for_a_line(
    orchestra, asked, tmp_path
):
    rows, table = tmp_path / "some.jsonl", tmp_path / "mine.toml"
    trace = orchestra("traces", "show", asked, "--json").json
    rows.write_text(json.dumps(trace | {"\x1b]0;pwned\x07\x1b[2J\nImported 9 traces.": 1}) + "\n")
    table.write_text(
        '"\\u001b[31mred\\nmine.toml is a catalogue." = 1\n' + (FOLDER / "live.toml").read_text()
    )
    for arguments in (("import", str(rows)), ("catalog", "check", str(table))):
        ended = orchestra(*arguments)
        assert ended.code == 2 and ended.err.count("\n") == 1
        assert "\x1b" not in ended.err and "\x07" not in ended.err and "\ufffd" in ended.err
    said = orchestra("ask", SUM, "--catalog", str(table)).err
    assert "\x1b" not in said and "\ufffd" in said


def test_a_setting_that_cannot_be_used_is_named(orchestra, monkeypatch):
    monkeypatch.setenv("ORCHESTRA_DAILY_CAP", "lots")
    assert "ORCHESTRA_DAILY_CAP" in orchestra("ask", SUM).complaint
