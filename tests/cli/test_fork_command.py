"""`orchestra traces fork` as a user runs it."""

import shutil
from pathlib import Path

import pytest

from tests.cli.shell import SUM, fresh


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, dict]:
    """A data folder with a trace of several turns, and that trace."""
    folder = tmp_path_factory.mktemp("fork") / "home"
    trace = fresh(folder, "--policy", "best-pipeline", "--budget-cost", "1", "--budget-seconds", "900")
    assert len(trace["turns"]) == 3
    return folder, trace


@pytest.fixture
def parent(home, made) -> dict:
    """A trace of several turns."""
    shutil.copytree(made[0], home)
    return made[1]


def test_a_fork_runs_on_from_its_turn_and_keeps_every_setting_that_is_not_named(orchestra, parent):
    ended = orchestra("traces", "fork", parent["id"], "--turn", "2", "--json")
    child = ended.json
    assert (ended.code, child["parent"], child["reused"]) == (0, parent["id"], 1)
    assert child["task"] == parent["task"] and child["turns"] == parent["turns"]
    assert child["cost"] == parent["cost"] and child["id"] != parent["id"]
    shown = orchestra("traces", "show", child["id"], "--json").json
    assert shown["parent"] == parent["id"] and shown["owner"] == "local"


def test_a_fork_under_another_wish_goes_another_way_and_counts_what_it_took_over(orchestra, parent):
    wish = ("--prefer", "gpt-5=0", "--budget-cost", "0.5", "--policy", "cheapest")
    child = orchestra("traces", "fork", parent["id"], "--turn", "2", *wish, "--json").json
    assert child["turns"][0] == parent["turns"][0] and child["turns"][1] != parent["turns"][1]
    assert child["task"]["preference"]["weights"] == {"gpt-5": 0} and child["policy"] == "cheapest"
    assert child["task"]["budget"] == {"cost": 0.5, "seconds": 900, "turns": 20}
    assert child["task"]["id"] != parent["task"]["id"] and child["task"]["question"] == SUM
    first = parent["turns"][0]
    spent = [charge["cost"] for result in first["results"] for charge in result["charges"]]
    assert child["cost"] > sum(spent) > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--turn", "0"), "choose a turn from 1 to 3"),
        (("--turn", "4"), "choose a turn from 1 to 3"),
        (("--turn", "2", "--catalog", "live"), "made with the catalogue rehearsal"),
        (("--turn", "2", "--prefer", "gpt-9=1"), "--prefer"),
        (("--turn", "2", "--budget-cost", "-1"), "--budget-cost"),
        (("--turn", "2", "--policy", "nobody"), "nobody"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(orchestra, parent, monkeypatch, arguments, said):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    assert said in orchestra("traces", "fork", parent["id"], *arguments).complaint
    assert len(orchestra("traces", "list", "--json").json) == 1


def test_a_budget_below_what_was_taken_over_exhausts_the_fork_at_once(orchestra, parent):
    ended = orchestra("traces", "fork", parent["id"], "--turn", "3", "--budget-cost", "0", "--json")
    assert ended.code == 3 and "more than the budget of $0" in ended.json["error"]
    assert ended.json["turns"] == parent["turns"][:2]


def test_a_trace_that_is_not_there_cannot_be_forked(orchestra):
    assert "There is no trace" in orchestra("traces", "fork", "nothing", "--turn", "1").complaint
