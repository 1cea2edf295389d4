"""`orchestra ask`: the JSON contract, the exit codes, and what a person sees."""

import math
import shlex
from pathlib import Path

import pytest

from orchestra_app.catalogs.files import FOLDER
from orchestra_app.core.trace import Trace
from orchestra_app.rehearsal.questions import questions

SUM = "What is 6 * 7?"
DERIVED = {"cost", "usage", "adherence", "correct"}


def read(value: dict) -> Trace:
    """The trace without what `--json` adds to it."""
    return Trace.model_validate({name: each for name, each in value.items() if name not in DERIVED})


def test_json_is_the_trace_with_four_figures_and_nothing_else(orchestra):
    ended = orchestra("ask", SUM, "--json")
    assert ended.code == 0 and ended.err == "" and ended.out.count("\n") == 1
    assert set(ended.json) == {*Trace.model_fields, *DERIVED}
    trace = read(ended.json)
    assert (trace.status, trace.answer, trace.task.question) == ("answered", "42", SUM)
    assert ended.json["cost"] == trace.cost > 0 and ended.json["adherence"] == trace.adherence == 1.0
    assert ended.json["usage"] == trace.usage.model_dump() and ended.json["correct"] is None
    assert trace.export() == ended.json


def test_what_was_asked_is_what_is_kept(orchestra):
    said = orchestra("ask", SUM, "--json")
    assert orchestra("traces", "show", said.json["id"], "--json").json == said.json


def test_the_same_seed_gives_the_same_trace_but_for_ids_and_clock(orchestra):
    def ask(seed: int) -> dict:
        trace = orchestra("ask", "How many letters has the alphabet?", "--seed", str(seed), "--json").json
        own = {"id", "started_at"}
        trace["task"] = {name: value for name, value in trace["task"].items() if name != "id"}
        return {name: value for name, value in trace.items() if name not in own}

    assert ask(7) == ask(7)
    assert ask(8)["seed"] == 8


def test_what_the_readme_asks_is_answered(orchestra):
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    asked = [line for line in readme.splitlines() if line.startswith("orchestra ask")]
    assert len(asked) > 1
    for line in asked:
        ended = orchestra(*shlex.split(line)[1:])
        assert (ended.code, ended.err) == (0, ""), line


def test_every_wish_reaches_the_task(orchestra):
    arguments = [
        *("--prefer", "gpt-5-mini=0.9", "--prefer", "answer=0.6", "--exclude", "vendor:openai"),
        *("--exclude", "search", "--soft", "--cheapness", "1", "--speed", "0", "--budget-cost", "0.02"),
        *("--budget-seconds", "none", "--budget-turns", "8", "--policy", "cheapest"),
    ]
    trace = read(orchestra("ask", SUM, *arguments, "--json").json)
    preference, budget = trace.task.preference, trace.task.budget
    assert preference.weights == {"gpt-5-mini": 0.9, "answer": 0.6} and preference.soft
    assert (preference.excluded, preference.cost, preference.latency) == (("vendor:openai", "search"), 1, 0)
    assert (budget.cost, budget.seconds, budget.turns, trace.policy) == (0.02, None, 8, "cheapest")
    assert "search" not in {offer.name for turn in trace.turns for offer in turn.offered}


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        ((), 0, "answered"),
        (("--budget-cost", "0"), 3, "exhausted"),
        (("--budget-cost", "1e-9"), 3, "exhausted"),
        (("--budget-seconds", "0.001"), 3, "exhausted"),
        (("--policy", "do-nothing"), 4, "failed"),
    ],
)
def test_the_exit_code_says_how_it_ended_and_json_comes_all_the_same(orchestra, arguments, code, status):
    ended = orchestra("ask", SUM, "--json", *arguments)
    trace = read(ended.json)
    assert (ended.code, trace.status) == (code, status)
    assert trace.cost <= (math.inf if trace.task.budget.cost is None else trace.task.budget.cost)
    assert bool(trace.error) is (status != "answered")


def test_a_person_sees_question_calls_answer_bill_and_that_it_is_a_rehearsal(orchestra):
    ended = orchestra("ask", SUM)
    trace = orchestra("traces", "list", "--json").json[0]
    assert ended.code == 0 and ended.err == "" and ended.out.endswith("\n")
    for text in (SUM, "42", "answer", "$0.1", "rehearsal", trace["id"]):
        assert text in ended.out


@pytest.mark.parametrize("columns", ["30", "40", "80", "200"])
def test_nothing_of_the_answer_is_lost_on_any_width_of_terminal(orchestra, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    ended = orchestra("ask", "What is 111111111 * 111111111?")
    assert ended.code == 0 and "12345678987654321" in ended.out
    assert max(map(len, ended.out.splitlines())) <= int(columns)


def test_what_others_wrote_cannot_steer_the_terminal(orchestra):
    question = "What is 6 * 7? \x1b]0;owned\x07\x1b[31m [red]not markup[/red] \u202edrawkcab"
    shown = orchestra("ask", question).out + orchestra("traces", "list").out
    assert not {"\x1b", "\x07", "\u202e"} & set(shown) and "[red]not markup[/red]" in shown


def test_a_dash_reads_the_question_from_standard_input(orchestra):
    ended = orchestra("ask", "-", "--json", stdin=f"\n{SUM}\n")
    assert ended.code == 0 and ended.json["task"]["question"] == SUM


def test_a_catalogue_file_serves_like_a_bundled_one(orchestra, tmp_path):
    file = tmp_path / "mine.toml"
    text = (FOLDER / "rehearsal.toml").read_text()
    file.write_text(text.replace('name = "rehearsal"', 'name = "mine"', 1))
    ended = orchestra("ask", SUM, "--catalog", str(file), "--json")
    assert ended.code == 0 and ended.json["catalog"]["name"] == "mine"
    assert orchestra("traces", "list", "--catalog", "mine", "--json").json[0]["id"] == ended.json["id"]


def test_a_huge_or_negative_seed_is_kept_as_it_was_typed(orchestra):
    for seed in (2**80, -1):
        ended = orchestra("ask", SUM, "--seed", str(seed), "--json")
        assert ended.code == 0 and ended.json["seed"] == seed
        assert orchestra("traces", "show", ended.json["id"], "--json").json["seed"] == seed


def test_a_question_of_the_rehearsal_is_judged_by_its_known_answer_at_once(orchestra):
    question = next(each for each in questions("train") if each.kind == "arithmetic")
    value = orchestra("ask", question.text, "--json").json
    (label,) = value["labels"]
    assert (label["source"], label["gold"], value["task"]["answer"]) == (
        "benchmark",
        question.gold,
        question.gold,
    )
    assert value["correct"] is label["correct"] and value["task"]["source"] == "rehearsal:train"
    assert orchestra("traces", "show", value["id"], "--json").json == value
