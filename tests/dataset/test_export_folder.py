"""An export is there whole or not at all, holds nothing that must not leave, and says what is made up."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestra_app.catalogs import load_catalog
from orchestra_app.core.errors import ConfigError, StorageError
from orchestra_app.core.trace import Trace
from orchestra_app.core.vote import Vote
from orchestra_app.dataset.export import Plan, export
from orchestra_app.dataset.folder import WHOLE, Format, described
from orchestra_app.dataset.imports import import_traces
from orchestra_app.storage.queries import Filter
from orchestra_app.storage.store import Store
from tests.scoring.scored_traces import label
from tests.storage.storage_rollouts import START, fold, rollout

CATALOG = load_catalog("rehearsal")
KEY = 'sk-"secret\\0123'
FORMATS: list[Format] = ["jsonl", "parquet", "toolorchestra", "sft"]


def one(name: str, *, labels=(), **started) -> Trace:
    given = {"catalog": CATALOG.ref, **started}
    return fold(rollout(name, started=given)).model_copy(update={"labels": list(labels)})


async def filled(store: Store, *traces: Trace) -> Store:
    await store.save_catalog(CATALOG)
    assert set(await store.insert(traces)) == {"added"}
    return store


def lines(folder: Path, name: str = "traces.jsonl") -> list[dict]:
    return [json.loads(line) for line in (folder / name).read_text("utf-8").splitlines()]


async def test_an_export_holds_its_traces_their_catalogues_a_card_and_hashes_of_all(store, tmp_path):
    out = tmp_path / "out"
    manifest = await export(await filled(store, one("a"), one("b")), out, Plan())
    assert {path.name for path in out.iterdir()} == {
        *("README.md", "catalogs.jsonl", "manifest.json", "schema.json", "traces.jsonl")
    }
    assert [row["id"] for row in lines(out)] == ["a", "b"] and manifest.traces == 2
    (catalog,) = lines(out, "catalogs.jsonl")
    assert catalog["hash"] == CATALOG.hash and catalog["catalog"] == CATALOG.model_dump_json()
    said = json.loads((out / "manifest.json").read_text())
    assert (
        said["files"] == {name: described(out / name) for name in said["files"]} and len(said["files"]) == 4
    )
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


def unnamed(value: Any, schema: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """Return the names in a value that its JSON Schema does not allow, or requires and does not find."""
    if "$ref" in schema:
        return unnamed(value, known[schema["$ref"].rpartition("/")[2]], known)
    if "anyOf" in schema:
        return min((unnamed(value, each, known) for each in schema["anyOf"]), key=len)
    if isinstance(value, list):
        return [name for each in value for name in unnamed(each, schema.get("items", {}), known)]
    if not isinstance(value, dict):
        return []
    named, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    found = [name for name in schema.get("required", ()) if name not in value]
    for name, each in value.items():
        if name not in named and others is False:
            found.append(name)
        found += unnamed(each, named.get(name, others if isinstance(others, dict) else {}), known)
    return found


async def test_the_schema_knows_every_name_in_the_rows(store, tmp_path):
    out = tmp_path / "out"
    await export(await filled(store, one("a", labels=[label(True)]), one("b")), out, Plan())
    schema = json.loads((out / "schema.json").read_text("utf-8"))
    for row in lines(out):
        assert unnamed(row, schema, schema["$defs"]) == []
        assert unnamed(row | {"surprise": 1}, schema, schema["$defs"]) == ["surprise"]


@pytest.mark.parametrize("form", FORMATS)
async def test_what_is_simulated_is_marked_in_every_format_and_counted_in_the_card(store, tmp_path, form):
    right = one("a", labels=[label(True, gold="42")])
    out = tmp_path / "out"
    manifest = await export(await filled(store, right), out, Plan(format=form))
    assert manifest.simulated == 1
    card = (out / "README.md").read_text("utf-8")
    assert "100% of these traces (1 of 1) are rehearsals" in card
    if form == "parquet":
        from pyarrow.parquet import read_table

        (row,) = read_table(out / "traces.parquet").to_pylist()
        assert json.loads(row["trace"])["simulated"] is True
        assert (row["id"], row["verdict"], row["catalog"], row["turns"]) == ("a", "correct", "rehearsal", 2)
    else:
        row = lines(out, next(path.name for path in out.glob("*s.jsonl") if path.name != "catalogs.jsonl"))[0]
    assert row["simulated"] is True


async def test_a_rehearsal_without_any_charge_is_marked_too(store, tmp_path):
    trace = one("a").model_copy(update={"turns": []})
    assert not trace.simulated
    assert (await export(await filled(store, trace), tmp_path / "out", Plan())).simulated == 1


async def test_what_is_shared_has_consent_and_names_nobody(store, tmp_path):
    said = [label(True, by="hf:bob"), label(False, by="visitor:0123", minute=1)]
    said.append(label(True, by="gpt-5", source="judge", minute=2))
    traces = [
        one("yes", labels=said, owner="visitor:0123", consent=True),
        one("no", owner="visitor:0123"),
        one("mine", owner="local"),
    ]
    await filled(store, *traces)
    manifest = await export(store, tmp_path / "shared", Plan(shared=True))
    assert manifest.left_out == {"without consent": 2}
    (row,) = lines(tmp_path / "shared")
    assert row["owner"] == "person-2" and [each["by"] for each in row["labels"]] == [
        *("person-1", "person-2", "gpt-5")
    ]
    for path in (tmp_path / "shared").iterdir():
        assert "visitor:0123" not in path.read_text() and "hf:bob" not in path.read_text()
    await export(store, tmp_path / "mine", Plan(shared=True, mine=True))
    assert [(row["id"], row["consent"]) for row in lines(tmp_path / "mine")] == [
        *(("mine", True), ("yes", True))
    ]
    assert (await store.get("mine")).consent is False
    await export(store, tmp_path / "all", Plan())
    rows = lines(tmp_path / "all")
    assert [row["owner"] for row in rows] == ["local", "visitor:0123", "visitor:0123"]
    assert [row["consent"] for row in rows] == [False, False, True]


async def test_a_blind_vote_is_shared_where_both_traces_are_and_names_nobody(store, tmp_path):
    traces = [one(name, owner="visitor:0123", consent=name != "no") for name in ("x", "y", "no")]
    await filled(store, *traces)
    for a, b in (("x", "y"), ("y", "no")):
        await store.add_vote(Vote(a=a, b=b, choice="a", by="hf:bob", at=START))
    out = tmp_path / "shared"
    await export(store, out, Plan(shared=True))
    assert [(row["a"], row["b"], row["by"]) for row in lines(out, "votes.jsonl")] == [("x", "y", "person-2")]
    assert "| blind votes | 1 |" in (out / "README.md").read_text()
    await export(store, tmp_path / "all", Plan())
    assert [row["by"] for row in lines(tmp_path / "all", "votes.jsonl")] == ["hf:bob"] * 2


@pytest.mark.parametrize("form", FORMATS)
async def test_no_key_leaves_whatever_it_stands_in(store, tmp_path, monkeypatch, form):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    trace = one("a", policy=f"p {KEY}", labels=[label(True, note=KEY, gold=f"is {KEY}")])
    task = trace.task.model_copy(update={"question": f"What is {KEY}?"})
    turn = trace.turns[0]
    call = turn.reply.calls[0].model_copy(update={"arguments": {"model": "search-1", KEY: [KEY]}})
    reply = turn.reply.model_copy(update={"calls": (call,), "text": KEY})
    turns = [turn.model_copy(update={"reply": reply}), *trace.turns[1:]]
    await filled(store, trace.model_copy(update={"task": task, "turns": turns}))
    out = tmp_path / "out"
    await export(store, out, Plan(format=form))
    for path in out.iterdir():
        content = path.read_bytes().decode(errors="replace")
        assert "0123" not in content.replace(CATALOG.model_dump_json(), ""), path.name


@pytest.mark.parametrize("secret", ["answer", "arguments"])
@pytest.mark.parametrize("form", WHOLE)
async def test_a_password_that_is_a_word_of_the_files_spoils_none_of_them(
    store, open_store, tmp_path, monkeypatch, form, secret
):
    trace = one("a", labels=[label(True)])
    turn = trace.turns[0]
    call = turn.reply.calls[0].model_copy(update={"arguments": {"query": "x", secret: secret}})
    reply = turn.reply.model_copy(update={"calls": (call,)})
    turns = [turn.model_copy(update={"reply": reply}), *trace.turns[1:]]
    await filled(store, trace.model_copy(update={"turns": turns}))
    monkeypatch.setenv("DB_PASSWORD", secret)
    out = tmp_path / "out"
    await export(store, out, Plan(format=form))
    there = open_store("there")
    assert (await import_traces(there, out)).counts["added"] == 1
    kept = (await there.traces(["a"]))["a"]
    assert kept.status == trace.status and kept.correct is True
    assert kept.turns[0].reply.calls[0].arguments == {"query": "x", "[DB_PASSWORD]": "[DB_PASSWORD]"}


async def test_only_what_is_wanted_and_finished_is_exported(store, tmp_path):
    await filled(store, one("a", labels=[label(True)]), one("b"))
    await export(store, tmp_path / "right", Plan(wanted=Filter(verdict="correct")))
    assert [row["id"] for row in lines(tmp_path / "right")] == ["a"]
    with pytest.raises(ConfigError, match="nothing to export"):
        await export(store, tmp_path / "none", Plan(wanted=Filter(policy="nobody")))
    assert await store.delete("a", "local")
    await export(store, tmp_path / "rest", Plan())
    assert [row["id"] for row in lines(tmp_path / "rest")] == ["b"]


async def test_fine_tuning_takes_right_answers_unless_told_otherwise(store, tmp_path):
    await filled(store, one("right", labels=[label(True)]), one("wrong", labels=[label(False)]), one("open"))
    for wanted, ids in ((Filter(), {"right"}), (Filter(verdict="incorrect"), {"wrong"})):
        out = tmp_path / str(ids)
        manifest = await export(store, out, Plan(format="sft", wanted=wanted))
        assert {row["trace"] for row in lines(out, "rows.jsonl")} == ids
        assert manifest.left_out == ({} if wanted.verdict else {"not labelled correct": 2})


async def test_a_question_asked_twice_is_one_training_row(store, tmp_path):
    first = one("a", labels=[label(True, gold="42")])
    again = one("b", labels=[label(True)]).model_copy(update={"task": first.task})
    manifest = await export(await filled(store, first, again), tmp_path / "out", Plan(format="toolorchestra"))
    assert manifest.left_out == {"of a question that has its row": 1} and manifest.rows == 1


async def test_a_folder_with_anything_in_it_is_left_alone(store, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="there already"):
        await export(await filled(store, one("a")), out, Plan())
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


async def test_an_export_that_breaks_off_leaves_nothing(store, tmp_path):
    class Breaks(Store):
        async def traces(self, ids):
            raise StorageError("The disk is gone.")

    await filled(store, one("a"))
    with pytest.raises(StorageError, match="disk is gone"):
        await export(Breaks(store._database), tmp_path / "out", Plan())
    with pytest.raises(StorageError, match="cannot be written"):
        await export(store, Path("/proc/none/out"), Plan())
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["store"]


async def test_the_card_tells_verdicts_agreement_prices_and_what_was_left_out(store, tmp_path):
    both = [label(True, by="ann"), label(True, by="bob")]
    differ = [label(False, by="ann"), label(True, by="bob", minute=1)]
    agree = [label(False, by="ann"), label(False, by="bob")]
    rows = {"a": both, "b": differ, "c": agree, "d": agree}
    await filled(store, *(one(name, labels=labels, consent=name != "d") for name, labels in rows.items()))
    await export(store, tmp_path / "out", Plan(shared=True))
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    for text in (
        *("| correct | 2 |", "| incorrect | 1 |", "3 pairs, 67% the same, Cohen's κ 0.40"),
        *("a page: read 2026-11-01", "1 without consent", "license: other", "data_files: traces.jsonl"),
    ):
        assert text in card
