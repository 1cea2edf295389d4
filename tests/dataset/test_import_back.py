"""Exported traces come back the same; what is broken is named and costs nothing else."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestra_app.core.errors import ConfigError, StorageError
from orchestra_app.core.trace import Label, Trace
from orchestra_app.core.vote import Vote
from orchestra_app.dataset.export import Plan, export
from orchestra_app.dataset.folder import Format
from orchestra_app.dataset.imports import import_traces
from orchestra_app.dataset.rows import trace_row
from orchestra_app.storage.store import Store
from tests.dataset.test_export_folder import CATALOG, filled, one
from tests.storage.storage_rollouts import START, fold, rollouts
from tests.storage.test_inserting import LABELS

WHOLE: list[Format] = ["jsonl", "parquet"]


def line(trace: Trace, **changed: object) -> str:
    return json.dumps(trace_row(trace, CATALOG) | changed)


@pytest.fixture
def written(tmp_path: Path):
    """Writes a .jsonl file."""

    def write(*rows: str | bytes) -> Path:
        file = tmp_path / "some.jsonl"
        file.write_bytes(b"\n".join(row if isinstance(row, bytes) else row.encode() for row in rows))
        return file

    return write


@pytest.mark.parametrize("form", WHOLE)
@given(st.lists(rollouts(), min_size=1, max_size=3), st.lists(LABELS, max_size=2))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_traces_come_back_the_same_with_their_labels(tmp_path_factory, form, rollouts, labels):
    folder = tmp_path_factory.mktemp("round")
    here, there = Store.open(folder / "here"), Store.open(folder / "there")
    traces = [fold(events).model_copy(update={"labels": labels}) for events in rollouts]

    async def round_trip() -> dict[str, Trace]:
        await here.insert(traces)
        await export(here, folder / "out", Plan(format=form))
        done = await import_traces(there, folder / "out")
        assert done.problems == [] and done.counts == {"added": len(traces)}
        assert (await import_traces(there, folder / "out")).counts == {"same": len(traces)}
        return await there.traces([trace.id for trace in traces])

    try:
        assert asyncio.run(round_trip()) == {trace.id: trace for trace in traces}
    finally:
        here.close()
        there.close()


async def test_moments_without_a_zone_are_utc_and_odd_ones_are_named(open_store, written):
    whole = one("x", labels=[Label(source="human", correct=True, at=START)])
    naive = json.loads(line(whole))
    naive["started_at"] = "2026-01-01T05:00:00"
    naive["labels"][0]["at"] = "2026-01-02T00:00:00"
    naive["labels"].append(naive["labels"][0] | {"at": "2026-01-02T00:00:00+02:00"})
    offered = json.loads(line(one("z")))
    offered["turns"][0]["offered"] = [{"tool_schema": {}}]
    rows = [json.dumps(naive), line(one("y"), started_at="9999-12-31T23:59:59-05:00"), json.dumps(offered)]
    store = open_store("a")
    done = await import_traces(store, written(*rows))
    assert done.counts == {"added": 1} and len(done.problems) == 2
    assert "started_at: it must be a year" in done.problems[0] and "name" in done.problems[1]
    kept = await store.get(whole.id)
    assert kept.started_at == datetime(2026, 1, 1, 5, tzinfo=UTC)
    await store.add_label(kept.id, Label(source="human", correct=False, at=START))
    assert [label.at.tzinfo for label in (await store.get(kept.id)).labels] == [UTC] * 3


@pytest.mark.parametrize("form", WHOLE)
async def test_the_catalogues_come_too_and_a_second_export_is_the_same(open_store, tmp_path, form):
    store, other = await filled(open_store("a"), one("x"), one("y")), open_store("b")
    await export(store, tmp_path / "out", Plan(format=form))
    done = await import_traces(other, tmp_path / "out")
    assert done.catalogs == 1 and await other.catalog(CATALOG.hash) == CATALOG
    await export(other, tmp_path / "again", Plan(format=form))
    for name in ("catalogs.jsonl", "traces.jsonl"):
        first, second = tmp_path / "out" / name, tmp_path / "again" / name
        assert first.exists() == second.exists()
        assert not first.exists() or first.read_bytes() == second.read_bytes()


async def test_a_trace_that_is_here_stays_as_it_is(store, written):
    await filled(store, one("a"))
    done = await import_traces(
        store, written(line(one("a"), answer="another"), line(one("a")), line(one("b")))
    )
    assert done.counts == {"kept": 1, "same": 1, "added": 1} and done.problems == []
    assert await store.get("a") == one("a")


def vote(a: str, b: str, by: str = "hf:ann", **changed) -> Vote:
    return Vote(**{"a": a, "b": b, "choice": "b", "by": by, "at": START} | changed)


async def kept(store: Store) -> list[Vote]:
    return list((await store.votes()).values())


@pytest.mark.parametrize("form", WHOLE)
async def test_blind_votes_come_with_the_traces_that_they_are_on(open_store, tmp_path, form):
    store, other = await filled(open_store("a"), one("x"), one("y"), one("z")), open_store("b")
    votes = [vote("x", "y"), vote("x", "y", by="local", choice="tie"), vote("y", "z")]
    for each in votes:
        await store.add_vote(each)
    await export(store, tmp_path / "out", Plan(format=form))
    done = await import_traces(other, tmp_path / "out")
    assert await kept(other) == votes and done.votes == 3 and done.problems == []
    await other.add_vote(vote("x", "y", choice="both bad"))
    assert (await import_traces(other, tmp_path / "out")).votes == 0
    assert vote("x", "y", choice="both bad") in await kept(other) and len(await kept(other)) == 3


async def test_a_vote_that_cannot_be_kept_is_named_and_one_on_another_trace_is_not_kept(store, tmp_path):
    await filled(store, one("a"))
    rows = [
        *(vote("a", "b"), vote("b", "c"), vote("b", "nowhere"), vote("b", "b"), vote("b", "c", by="\x00")),
        vote("b", "c", by="local"),
    ]
    said = [each.model_dump_json() for each in rows] + ["{", '{"a": "b"}']
    (tmp_path / "votes.jsonl").write_text("\n".join(said))
    traces = tmp_path / "traces.jsonl"
    traces.write_text("\n".join((line(one("a"), answer="another"), line(one("b")), line(one("c")))))
    done = await import_traces(store, traces)
    assert await kept(store) == [rows[1], rows[5]] and done.votes == 2
    assert sorted(done.problems) == [
        "votes.jsonl row 3: a trace of this pair is not here.",
        "votes.jsonl row 4: a trace of this pair is not here.",
        "votes.jsonl row 5: by: it must be a line of 1 to 200 characters.",
        "votes.jsonl row 7: it is no whole JSON object (Expecting property name enclosed in double quotes at "
        "character 1).",
        "votes.jsonl row 8: b: Field required.",
    ]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("{", "row 2: it is no whole JSON object"),
        ('{"id": "b", "task": ', "row 2: it is no whole JSON object"),
        ("[]", "row 2: it is no JSON object"),
        ("42", "row 2: it is no JSON object"),
        ("{}", "row 2: id: Field required"),
        (line(one("b"), seconds="soon"), "row 2: seconds:"),
        (line(one("b"), task={"id": "t", "question": ""}), "row 2: task.question:"),
        (line(one("b"), surprise=1), "row 2: surprise:"),
        (line(one("b"), status="running"), "row 2: status:"),
        (line(one("b"), id=" "), "row 2: id:"),
        (line(one("b"), id="x\ny"), "row 2: id:"),
        (line(one("b")).replace('"seconds": 2.0', '"seconds": NaN'), "row 2: it holds NaN"),
        (b"\xff\xfe{}", "row 2: it is no UTF-8 text at byte 0"),
        ('{"a":' * 100_000, "row 2: "),
        (line(one("b"), seed=0).replace('"seed": 0', '"seed": ' + "9" * 5_000), "row 2: "),
    ],
)
async def test_a_broken_line_is_named_by_row_and_key_and_the_others_are_kept(store, written, broken, said):
    done = await import_traces(store, written(line(one("a")), broken, "", line(one("c"))))
    (problem,) = done.problems
    assert problem.startswith(f"some.jsonl {said}"), problem
    assert await store.ids() == ("a", "c")


async def test_what_the_command_line_prints_can_be_imported(store, written):
    trace = one("a")
    assert (await import_traces(store, written(json.dumps(trace.export())))).counts == {"added": 1}
    assert await store.get("a") == trace


async def test_a_half_written_export_is_never_taken_for_a_whole_one(store, open_store, tmp_path):
    out, other = tmp_path / "out", open_store("other")
    await export(await filled(store, one("a"), one("b")), out, Plan())
    file = out / "traces.jsonl"
    file.write_bytes(file.read_bytes()[:-200])
    done = await import_traces(other, out)
    assert done.counts == {"added": 1} and len(done.problems) == 2
    assert "not as it was exported" in done.problems[0] and "row 2" in done.problems[1]
    (out / "manifest.json").unlink()
    with pytest.raises(ConfigError, match="no finished export"):
        await import_traces(other, out)
    assert (await import_traces(other, file)).counts == {"same": 1}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": "jsonl"}', '{"version": 9, "format": "x", "files": {}}']
)
async def test_a_folder_with_a_broken_manifest_is_refused(store, tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ConfigError, match="manifest.json|another version"):
        await import_traces(store, tmp_path)


async def test_formats_without_whole_traces_and_missing_files_are_refused(store, tmp_path):
    from tests.scoring.scored_traces import label

    await export(await filled(store, one("a", labels=[label(True)])), tmp_path / "out", Plan(format="sft"))
    with pytest.raises(ConfigError, match="holds no whole traces"):
        await import_traces(store, tmp_path / "out")
    with pytest.raises(ConfigError, match="There is no"):
        await import_traces(store, tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\x00" * 100 + b"PAR1"])
async def test_a_broken_parquet_file_is_refused_with_a_sentence(store, tmp_path, content):
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(StorageError, match="no whole Parquet file"):
        await import_traces(store, tmp_path / "x.parquet")


@pytest.mark.parametrize("columns", [{"a": [1]}, {"trace": [1]}, {"trace": [["{}"]]}, {"trace": [{"id": 1}]}])
async def test_a_parquet_file_of_another_kind_is_refused(store, tmp_path, columns):
    import pyarrow
    from pyarrow.parquet import write_table

    write_table(pyarrow.table(columns), tmp_path / "x.parquet")
    with pytest.raises(StorageError, match="no column `trace` of texts"):
        await import_traces(store, tmp_path / "x.parquet")


async def test_a_parquet_file_is_known_by_any_ending_and_its_texts_may_be_bytes(store, tmp_path):
    import pyarrow
    from pyarrow.parquet import write_table

    for kind, name in ((pyarrow.large_string(), "a"), (pyarrow.binary(), "b"), (pyarrow.json_(), "c")):
        texts = pyarrow.array([line(one(name))], getattr(kind, "storage_type", kind)).cast(kind)
        write_table(pyarrow.table({"trace": texts}), tmp_path / "X.Parquet")
        assert (await import_traces(store, tmp_path / "X.Parquet")).counts == {"added": 1}
    write_table(pyarrow.table({"trace": [b"\xff"]}), tmp_path / "X.Parquet")
    (problem,) = (await import_traces(store, tmp_path / "X.Parquet")).problems
    assert problem == "X.Parquet row 1: it is no UTF-8 text at byte 0."


async def test_files_that_an_editor_marked_as_utf_8_are_read_whole(store, open_store, tmp_path):
    out = tmp_path / "out"
    await export(await filled(open_store("a"), one("x"), one("y")), out, Plan())
    for name in ("manifest.json", "traces.jsonl", "catalogs.jsonl"):
        (out / name).write_bytes(b"\xef\xbb\xbf" + (out / name).read_bytes())
    done = await import_traces(store, out)
    assert done.counts == {"added": 2} and done.catalogs == 1
    assert len(done.problems) == 2 and all("not as it was exported" in each for each in done.problems)


@pytest.mark.parametrize("name", ["x.jsonl", "x.parquet"])
async def test_a_file_without_a_row_is_refused(store, tmp_path, name):
    import pyarrow
    from pyarrow.parquet import write_table

    (tmp_path / "x.jsonl").write_text("")
    write_table(pyarrow.table({"trace": pyarrow.array([], pyarrow.string())}), tmp_path / "x.parquet")
    with pytest.raises(ConfigError, match="holds no trace"):
        await import_traces(store, tmp_path / name)


async def test_a_forged_catalogue_is_named_and_not_kept(store, tmp_path, open_store):
    await export(await filled(open_store("a"), one("x")), tmp_path / "out", Plan())
    file = tmp_path / "out" / "catalogs.jsonl"
    row = json.loads(file.read_text())
    forged = [
        row | {"catalog": row["catalog"].replace("1.25", "0.01")},
        {"hash": "0"},
        row | {"catalog": "{}"},
    ]
    file.write_text("\n".join(map(json.dumps, forged)))
    done = await import_traces(store, tmp_path / "out")
    assert await store.catalog(CATALOG.hash) is None and done.counts == {"added": 1}
    assert [problem.partition(":")[0] for problem in done.problems[1:]] == [
        f"catalogs.jsonl row {number}" for number in (1, 2, 3)
    ]
