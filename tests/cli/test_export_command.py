"""`orchestra export`, `import` and `judge` as a user runs them."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.fake_catalog import write_catalog
from tests.dataset.fake_hub import TOKEN, FakeHub
from tests.fake_openai import FakeOpenAI

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as server:
        yield server


@pytest.fixture
def judge(tmp_path, fake, monkeypatch) -> Callable[..., list[str]]:
    """Makes the options that ask a judge whose replies are the given texts."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")

    def options(*replies: str) -> list[str]:
        usage = {"prompt_tokens": 200, "completion_tokens": 20}
        steps = [{"message": {"content": reply}, "usage": usage} for reply in replies]
        catalog = write_catalog(tmp_path, fake.url, fake.script(f"judge of {tmp_path.name}", *steps))
        return ["--judge", "expert", "--catalog", catalog]

    return options


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_what_was_exported_wiped_and_imported_is_the_same(orchestra, asked, home, tmp_path, form):
    orchestra("label", asked, "--correct", "--note", "I counted.")
    before = orchestra("traces", "show", asked, "--json").json
    out = tmp_path / "out"
    ended = orchestra("export", str(out), "--format", form)
    assert ended.code == 0 and "Exported 1 trace to" in ended.out and "Rehearsals" in ended.out, ended
    shutil.rmtree(home)
    assert orchestra("traces", "list", "--json").json == []
    ended = orchestra("import", str(out))
    assert (ended.code, ended.out, ended.err) == (0, "Imported 1 trace.\n", "")
    assert orchestra("traces", "show", asked, "--json").json == before
    assert orchestra("import", str(out)).out == "Imported 0 traces. Here already: 1.\n"


def test_training_rows_are_in_the_references_format_with_prices_per_token(orchestra, asked, tmp_path):
    orchestra("label", asked, "--correct")
    assert orchestra("export", str(tmp_path / "out"), "--format", "toolorchestra").code == 0
    (row,) = lines(tmp_path / "out" / "rows.jsonl")
    assert {"index", "category", "problem", "answer", "tools"} <= row.keys() and row["category"] == "qa"
    assert row["problem"].startswith("What is 6 * 7?\n\nSpend at most") and row["answer"] == "42"
    assert row["model_mapping"].keys() | {"accuracy", "cost", "latency"} == row["pref_vec"].keys()
    priced = row["tool_pricing"]
    assert set(row["model_mapping"].values()) <= priced.keys() and priced["tavily"] == {
        **{"search": 0.0, "extract": 0.0}
    }
    reasoner = priced[row["model_mapping"]["reasoner-1"]]
    assert reasoner == {"input_tokens_per_million": 1.25e-6, "output_tokens_per_million": 1e-5}
    assert priced["Qwen/Qwen3-8B"] and priced["code_interpreter_per_second"] == 8.3e-6
    assert [tool["function"]["name"] for tool in row["tools"]] == ["search", "enhance_reasoning", "answer"]


def test_conversations_are_the_prompts_that_were_read_and_the_calls_made(orchestra, asked, tmp_path):
    orchestra("label", asked, "--correct")
    turns = orchestra("traces", "show", asked, "--json").json["turns"]
    assert orchestra("export", str(tmp_path / "out"), "--format", "sft").code == 0
    rows = lines(tmp_path / "out" / "rows.jsonl")
    assert len(rows) == len(turns) and rows[-1]["correct"] is True
    for row, turn in zip(rows, turns, strict=True):
        system, user, reply = row["messages"]
        assert (system["role"], user["role"], reply["role"]) == ("system", "user", "assistant")
        assert (
            user["content"].startswith("Problem: What is 6 * 7?") and turn["instruction"] in user["content"]
        )
        assert row["tools"] == [offer["tool_schema"] for offer in turn["offered"]]
        said = reply["content"].partition("<tool_call>\n")[2].removesuffix("\n</tool_call>")
        (call,) = turn["reply"]["calls"]
        assert json.loads(said) == {"name": call["name"], "arguments": call["arguments"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--policy", "nobody"), "nothing to export"),
        (("--consented-only",), "1 without consent"),
        (("--push", "traces"), "user/dataset"),
        (("--push", "ann/traces"), "HF_TOKEN"),
        (("--public",), "--push"),
        (("--mine",), "--mine goes with --consented-only"),
        (("--format", "sft"), "1 not labelled correct"),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_sentence(orchestra, asked, tmp_path, arguments, said):
    assert said in orchestra("export", str(tmp_path / "out"), *arguments).complaint
    assert not (tmp_path / "out").exists()


def test_an_export_of_ones_own_keeps_the_consent_when_it_is_read_elsewhere(orchestra, asked, home, tmp_path):
    assert orchestra("export", str(tmp_path / "out"), "--consented-only", "--mine").code == 0
    shutil.rmtree(home)
    assert orchestra("import", str(tmp_path / "out")).code == 0
    again = orchestra("export", str(tmp_path / "again"), "--consented-only")
    assert again.code == 0 and "Exported 1 trace" in again.out and "Left out" not in again.out


def test_the_help_of_an_export_says_what_its_options_mean(orchestra, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = " ".join(orchestra("export", "--help").out.split())
    assert "sft takes only those labelled correct" in shown and "With --consented-only or --push" in shown


def test_an_import_names_what_is_broken_keeps_the_rest_and_exits_2(orchestra, asked, tmp_path):
    whole = json.dumps(orchestra("traces", "show", asked, "--json").json)
    file = tmp_path / "some.jsonl"
    file.write_text("\n".join([whole.replace(asked, "another"), "{", *["[]"] * 30]))
    ended = orchestra("import", str(file))
    assert ended.code == 2 and ended.out == "Imported 1 trace.\n"
    assert "some.jsonl row 2: " in ended.err and "And 11 further problems." in ended.err
    assert "There is no" in orchestra("import", str(tmp_path / "nowhere")).complaint
    file.write_text("\n")
    assert "some.jsonl holds no trace" in orchestra("import", str(file)).complaint


def test_an_answer_is_judged_by_comparing_it_and_labelled_once(orchestra, asked):
    for _ in range(2):
        ended = orchestra("judge", asked, "--gold", "forty-two minus 0")
        assert ended.code == 0 and "open: the answer is written differently" in ended.out
        ended = orchestra("judge", asked, "--gold", "42.0")
        assert ended.out == f"{asked}: correct (orchestra: normalised exact match)\n"
    (label,) = orchestra("traces", "show", asked, "--json").json["labels"]
    assert (label["source"], label["correct"], label["gold"]) == ("benchmark", True, "42.0")


def test_a_judge_is_asked_where_comparing_does_not_decide_and_its_price_is_kept(orchestra, asked, judge):
    options = judge('{"extracted_answer": "42", "reasoning": "Same.", "correct": "yes", "confidence": 90}')
    ended = orchestra("judge", asked, "--gold", "forty-two", *options)
    assert ended.code == 0, ended
    assert "correct (expert: Extracted answer: 42 (confidence 90 %). Same.)" in ended.out
    assert "The judge cost $0.000400." in ended.out
    trace = orchestra("traces", "show", asked, "--json").json
    (label,) = trace["labels"]
    assert label["source"] == "judge" and label["charge"]["kind"] == "judge" and trace["correct"] is True
    assert label["charge"]["cost"] == pytest.approx(0.0004) and label["charge"]["simulated"] is False
    again = orchestra("judge", asked, "--gold", "forty-two", *options)
    assert "has judged it before" in again.out and "cost $0.000000" in again.out


def test_a_judge_beyond_its_budget_is_not_asked(orchestra, asked, judge):
    ended = orchestra("judge", asked, "--gold", "forty-two", *judge("never"), "--budget-cost", "0.0001")
    assert ended.code == 4 and "could cost" in ended.err and "cost $0.000000" in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--judge", "gpt-5"), "simulated"),
        (("--judge", "nobody"), "choose one of"),
        (("--judge", "gpt-5", "--catalog", "live"), "cannot judge now"),
        (("--budget-cost", "much"), "--budget-cost"),
        (("--catalog", "nope"), "--catalog goes with --judge"),
    ],
)
def test_a_judge_that_cannot_be_asked_is_refused_in_one_sentence(orchestra, asked, arguments, said):
    assert said in orchestra("judge", asked, *arguments).complaint


def test_a_trace_without_a_gold_answer_says_how_to_give_one(orchestra, asked):
    assert "give it with --gold" in orchestra("judge", asked).out
    assert "--gold goes with one trace" in orchestra("judge", asked, asked, "--gold", "42").complaint
    assert "no trace" in orchestra("judge", "nothing").complaint


def pushed(hub: str, out: Path, *arguments: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    # In a process of its own, since the Hub's library reads its address when it is loaded.
    environment = {**os.environ, "HF_ENDPOINT": hub, "HF_TOKEN": token, "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-m", "orchestra_app", "export", str(out), "--mine", "--push", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_push_uploads_the_whole_export_as_a_private_dataset(asked, tmp_path):
    with FakeHub() as hub:
        ended = pushed(hub.url, tmp_path / "out", "ann/traces")
    assert ended.returncode == 0 and f"Pushed to {hub.url}/datasets/ann/traces." in ended.stdout, ended
    assert hub.files == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert hub.created[0]["visibility"] == "private" and hub.created[0]["type"] == "dataset"
    assert TOKEN.encode() not in b"".join(hub.files.values())


def test_a_push_without_a_network_says_so_and_leaves_the_export_whole(asked, tmp_path):
    ended = pushed("http://127.0.0.1:9", tmp_path / "out", "ann/traces")
    assert ended.returncode == 2 and "cannot be reached" in ended.stderr and ended.stderr.count("\n") == 1
    assert (tmp_path / "out" / "manifest.json").is_file() and TOKEN not in ended.stderr
