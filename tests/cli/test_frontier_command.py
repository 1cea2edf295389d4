"""`orchestra frontier` as a user runs it: sweeps, resumes, own files, bad input, and Ctrl-C."""

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra_app.frontier.definition import ALWAYS
from tests.cli.fake_catalog import write_catalog

ROOT = Path(__file__).parents[2]
HELDOUT = ("frontier", "--set", "rehearsal:heldout")
SMALL = (*HELDOUT, "--limit", "12")
ID = re.compile(r"Sweep ([0-9a-f]{12})")


def test_a_small_sweep_prints_every_setting_with_what_its_figures_rest_on(orchestra, tmp_path):
    out = tmp_path / "table.csv"
    ended = orchestra(*SMALL, "--csv", str(out))
    assert ended.code == 0
    for text in ("do-nothing", "best-pipeline", "oracle", "n = 12 questions", "2025-11-26", "no real money"):
        assert text in " ".join(ended.out.split())
    with out.open(newline="") as file:
        rows = {row["setting"]: row for row in csv.DictReader(file)}
    assert set(rows) == {*ALWAYS, "small", "oracle"}
    assert rows["cheapest"]["n"] == "12" and "paired bootstrap" in rows["oracle"]["provenance"]
    assert "84 runs left of 84" in ended.err and "no real money" in ended.err


def test_json_is_the_whole_report_and_nothing_else(orchestra):
    found = orchestra(
        *SMALL, "--policy", "random", "--preset", "frugal", "--budget-cost", "0.01", "--json"
    ).json
    names = [each["setting"] for each in found["settings"]]
    assert "random, frugal" in names and names[-1] == "oracle" and found["judged"]
    assert found["health"]["random"]["models"]["alarm"] == "" and found["band"]["cost"]
    for each in found["settings"]:
        assert each["accuracy_low"] <= each["accuracy"] <= each["accuracy_high"]


def test_a_finished_sweep_is_shown_again_without_running_anything(orchestra):
    ended = orchestra(*SMALL)
    sweep = ID.search(ended.err)
    assert sweep
    again = orchestra("frontier", "--resume", sweep[1])
    assert again.code == 0 and "0 runs left of 84" in again.err and again.out == ended.out


def test_a_capped_sweep_says_how_to_go_on_and_goes_on(orchestra):
    ended = orchestra(*SMALL, "--cap", "0.3")
    assert ended.code == 3 and "--cap USD" in ended.err
    sweep = ID.search(ended.err)
    assert sweep
    rest = orchestra("frontier", "--resume", sweep[1], "--cap", "none")
    assert rest.code == 0 and "n = 12 questions" in " ".join(rest.out.split())


def test_a_file_of_ones_own_is_asked_and_its_broken_rows_are_named(orchestra, tmp_path):
    lines = "\n".join(f"What is {n} * 7?,{n * 7}" for n in range(10, 22))
    file = tmp_path / "mine.csv"
    file.write_text(f"question,answer\n{lines}\n,9\n")
    ended = orchestra("frontier", "--set", str(file), "--json")
    assert "mine.csv, row 14: column `question`" in ended.err
    figures = {each["setting"]: each for each in ended.json["settings"]}
    assert figures["rules"]["accuracy"] > 0.9 and figures["do-nothing"]["accuracy"] == 0


def test_a_file_whose_name_begins_like_the_rehearsal_is_asked(orchestra, tmp_path, monkeypatch):
    (tmp_path / "rehearsal-mine.csv").write_text("question,answer\nWhat is 12 * 7?,84\n")
    monkeypatch.chdir(tmp_path)
    ended = orchestra("frontier", "--set", "rehearsal-mine.csv", "--json")
    assert ended.json["title"] == "rehearsal-mine.csv" and "7 runs left of 7" in ended.err


def test_saved_traces_are_a_question_set_and_labelled_ones_a_frontier(orchestra):
    ids = [orchestra("ask", f"What is {n} * 7?", "--json").json["id"] for n in range(3)]
    ended = orchestra("frontier", "--set", "traces", "--json")
    assert "21 runs left of 21" in ended.err and not ended.json["judged"]
    for each in ids:
        orchestra("label", each, "--correct")
    found = orchestra("frontier", "--json").json
    assert found["title"] == "labelled traces so far"
    (line,) = found["settings"]
    assert line["setting"] == "small" and line["n"] == 3 and "Too few" in line["reason"]


TYPED = [
    (("--set", "nothing"), "rehearsal:heldout"),
    (("--set", "rehearsal:test"), "rehearsal:heldout"),
    (("--set", "rehearsalfoo"), "no question set"),
    (("--set", "/nowhere/mine.csv"), "mine.csv"),
    (("--set", "traces"), "orchestra ask"),
    ((), "No trace of the catalogue rehearsal is labelled"),
    (("--resume", "nothing"), "no sweep"),
    (("--resume", "a", "--set", "traces"), "not both"),
    ((*SMALL[1:], "--policy", "nobody"), "nobody"),
    ((*SMALL[1:], "--preset", "best-ever"), "frugal"),
    ((*SMALL[1:], "--prefer", "gpt5=1"), "gpt-5-mini"),
    ((*SMALL[1:], "--budget-cost", "-1"), "--budget-cost"),
    ((*SMALL[1:], "--cap", "0"), "--cap"),
    ((*SMALL[1:], "--csv", "/dev/null"), "is there already"),
    ((*SMALL[1:], "--csv", "/nowhere/x.csv"), "/nowhere is no folder"),
    (("--policy", "rules"), "--policy is for a new sweep"),
    (("--cap", "5"), "--cap is for a new sweep"),
    (("--resume", "a", "--budget-cost", "1"), "--budget-cost is for a new sweep"),
    ((*SMALL[1:], "--catalog", "live"), "OPENAI_API_KEY"),
    ((*HELDOUT[1:], "--repeats", "2"), "--yes"),
    ((*HELDOUT[1:], "--repeats", "100", "--yes"), "take fewer questions"),
]


@pytest.mark.parametrize(("arguments", "hint"), TYPED)
def test_what_cannot_be_used_is_said_before_anything_runs(orchestra, arguments, hint):
    ended = orchestra("frontier", *arguments)
    said = [line for line in ended.err.splitlines() if not line.startswith("Sweep ")]
    assert ended.code == 2 and ended.out == "" and len(said) == 1 and hint in said[0]
    assert orchestra("traces", "list", "--json").json == []


def test_real_money_above_the_limit_is_not_spent_unasked(orchestra, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789")
    catalog = write_catalog(tmp_path, "http://127.0.0.1:9/v1", "dear")
    ended = orchestra(*HELDOUT, "--catalog", catalog)
    assert ended.code == 2 and "real money" in ended.err and "add --yes" in ended.err
    assert orchestra("traces", "list", "--json").json == []


def test_an_interrupt_stops_the_sweep_shows_what_there_is_and_says_how_to_go_on(home):
    command = [sys.executable, "-m", "orchestra_app", *HELDOUT, "--limit", "300", "--json"]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            first = process.stderr.readline()
            while "runs, $" not in process.stderr.readline():
                pass
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    sweep = ID.search(first)
    assert sweep and process.returncode == 130 and f"--resume {sweep[1]}" in err
    done = sum(each["runs"] for each in json.loads(out)["settings"])
    assert 0 < done < 1_800


def test_a_sweep_over_a_catalogue_file_says_how_to_go_on_with_it(orchestra, tmp_path):
    mine = tmp_path / "my own.toml"
    mine.write_text('name = "mine"\nextends = "rehearsal"\n')
    ended = orchestra(*SMALL, "--catalog", str(mine), "--cap", "0.02", "--policy", "best-pipeline")
    assert ended.code == 3
    told = next(line for line in ended.err.splitlines() if "go on with" in line)
    arguments = shlex.split(told.partition("orchestra ")[2].replace("USD", "none"))
    assert str(mine) in arguments and orchestra(*arguments).code == 0


def test_a_setting_without_a_verdict_has_no_figures(orchestra, tmp_path):
    questions = tmp_path / "open.csv"
    questions.write_text("question\n" + "".join(f"What is {n} * 7?\n" for n in range(12)))
    begun = orchestra("frontier", "--set", str(questions), "--policy", "rules", "--yes")
    for trace in orchestra("traces", "list", "--policy", "rules", "--json").json:
        orchestra("label", trace["id"], "--correct")
    name = ID.search(begun.err)
    assert name is not None
    again = ("frontier", "--resume", name[1])
    found = orchestra(*again, "--json").json["settings"]
    known = {each["setting"]: (each["accuracy"], each["cost"] is None) for each in found if each["n"]}
    assert known["rules"] == (1.0, False) and set(known) == {"rules", "oracle"}
    assert {(each["accuracy"], each["cost"]) for each in found if not each["n"]} == {(None, None)}
    assert "nan" not in orchestra(*again).out
