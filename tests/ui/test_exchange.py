"""Export, import and deletion from the page: visitors take out and delete their own; nothing breaks in."""

import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestra_app.core.errors import ConfigError
from orchestra_app.core.trace import Label
from orchestra_app.dataset.folder import Manifest
from orchestra_app.orchestrator.loop import Options
from orchestra_app.storage.queries import Filter
from orchestra_app.ui import exchange
from orchestra_app.ui.asking import Desk, begin
from orchestra_app.ui.consent import consented
from orchestra_app.ui.exchange import Wanted
from orchestra_app.ui.pages.exchange_events import imported
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Door, Visitor
from orchestra_app.ui.wish import Wish
from orchestra_app.workspace import Workspace

ANN, EVE = (Visitor(name, False, "en") for name in ("visitor:ann", "visitor:eve"))
ADMIN, BOSS = Visitor("local", True, "en"), Visitor("hf:boss", True, "en")


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    workspace = await Workspace.open()
    yield Desk(workspace, Door(local=False))
    await workspace.aclose()


async def asked(desk: Desk, number: int, *, owner: str = ANN.owner, consent: bool = False) -> None:
    orchestrator = await desk.workspace.orchestrator("rehearsal", "rules")
    for each in range(number):
        task = desk.workspace.task(f"What is {each} + 41?", "rehearsal")
        options = Options(owner=owner, consent=consent)
        _ = [pair async for pair in desk.workspace.rollout(orchestrator, task, options)]


async def packed(desk: Desk, visitor: Visitor, folder: Path, **wanted: Any) -> tuple[Path, Manifest]:
    folder.mkdir()
    return await exchange.packed(desk, visitor, Wanted({}, **wanted), folder)


async def test_what_is_exported_and_deleted_is_the_visitors_own_and_comes_back_by_an_import(
    desk: Desk, tmp_path: Path
):
    await asked(desk, 3)
    await asked(desk, 2, owner=EVE.owner)
    own, manifest = await packed(desk, ANN, tmp_path / "ann")
    assert manifest.traces == 3
    everything, manifest = await packed(desk, ADMIN, tmp_path / "all", format="parquet")
    assert manifest.traces == 5
    store = desk.workspace.store
    before = await store.traces(await store.ids(Filter(owner=ANN.owner)))
    assert await store.delete_all(ANN.owner) == 3 and await store.count() == 2
    assert await store.delete_all(ANN.owner) == 0
    assert (await exchange.taken_in(desk, ADMIN, str(own))).counts["added"] == 3
    assert await store.traces(await store.ids(Filter(owner=ANN.owner))) == before
    assert (await exchange.taken_in(desk, BOSS, str(everything))).counts["same"] == 5


async def test_a_forged_filter_brings_nobody_elses_traces(desk: Desk, tmp_path: Path):
    await asked(desk, 1)
    await asked(desk, 2, owner=EVE.owner)
    tmp_path.joinpath("x").mkdir()
    wanted = Wanted({"who": EVE.owner, "owner": EVE.owner})
    _, manifest = await exchange.packed(desk, ANN, wanted, tmp_path / "x")
    assert manifest.traces == 1


async def test_visitors_take_out_no_names_of_those_who_labelled_their_traces(desk: Desk, tmp_path: Path):
    await asked(desk, 1)
    (name,) = await desk.workspace.store.ids(Filter(owner=ANN.owner))
    for by in ("hf:alice", ANN.owner):
        await desk.workspace.store.add_label(
            name, Label(source="human", by=by, correct=False, at=datetime.now(UTC))
        )
    texts = []
    for visitor in (ANN, BOSS):
        made, _ = await packed(desk, visitor, tmp_path / visitor.owner)
        with zipfile.ZipFile(made) as files:
            texts.append(files.read("traces.jsonl").decode())
    mine, everything = texts
    assert "alice" not in mine and "person-" in mine and ANN.owner in mine
    assert "hf:alice" in everything


async def test_sharing_leaves_out_what_was_not_consented_to_and_mine_is_the_local_persons_word(
    desk: Desk, tmp_path: Path
):
    await asked(desk, 1, consent=True)
    await asked(desk, 2)
    await asked(desk, 1, owner="local")
    shared = {"shared": True, "mine": True}
    _, manifest = await packed(desk, BOSS, tmp_path / "boss", **shared)
    assert (manifest.traces, manifest.left_out) == (1, {"without consent": 3})
    _, manifest = await packed(desk, ADMIN, tmp_path / "local", **shared)
    assert (manifest.traces, manifest.left_out) == (2, {"without consent": 2})


@pytest.mark.parametrize("sent", [None, "yes", 1, {"consent": "true"}, {"consent": 1}, {"token": "x"}, []])
def test_only_a_plain_yes_of_the_browser_is_consent(sent: Any):
    assert not consented(sent) and consented({"consent": True})


async def test_consent_reaches_the_trace(desk: Desk):
    for consent in (True, False):
        run = await begin(desk, ANN, Wish("What is 1 + 41?"), policy="rules", played=False, consent=consent)
        while not run.done:
            await run.wait(run.version)
        trace = await desk.workspace.store.get(run.id)
        assert trace and trace.consent is consent


async def test_visitors_import_and_push_nothing_and_odd_files_are_refused(desk: Desk, tmp_path: Path):
    await asked(desk, 1, consent=True)
    good, _ = await packed(desk, ADMIN, tmp_path / "good")
    with pytest.raises(ConfigError, match="administrator"):
        await exchange.taken_in(desk, ANN, str(good))
    with pytest.raises(ConfigError, match="administrator"):
        await exchange.pushed(desk, ANN, Wanted({}), "ann/traces")
    with pytest.raises(ConfigError, match="is no dataset's name"):
        await exchange.pushed(desk, ADMIN, Wanted({}), "../etc")
    with pytest.raises(ConfigError, match="needs a token: set HF_TOKEN"):
        await exchange.pushed(desk, ADMIN, Wanted({}), "ann/traces")
    broken, text = tmp_path / "broken.zip", tmp_path / "notes.txt"
    broken.write_bytes(good.read_bytes()[:-40])
    damaged, body = tmp_path / "damaged.zip", bytearray(good.read_bytes())
    body[60:200] = bytes(140)
    damaged.write_bytes(body)
    text.write_text("{}")
    for odd in (broken, damaged, text, tmp_path / "none.zip", tmp_path, None, {"path": "x"}):
        with pytest.raises(ConfigError):
            await exchange.taken_in(desk, ADMIN, str(odd) if isinstance(odd, Path) else odd)
    with pytest.raises(ConfigError, match="no such format"):
        Wanted({}, "exe").plan(ADMIN)


async def test_a_zip_writes_nothing_outside_and_its_broken_rows_are_named(desk: Desk, tmp_path: Path):
    await asked(desk, 2)
    path, _ = await packed(desk, ADMIN, tmp_path / "made")
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(evil, "w") as new:
        for name in old.namelist():
            body = old.read(name)
            new.writestr(name, body + b"{broken\n" if name == "traces.jsonl" else body)
        new.writestr("../../outside.txt", "x")
    await desk.workspace.store.delete_all(ANN.owner)
    # Other tests have such files, too.
    before = {*tmp_path.parent.rglob("outside.txt")}
    done = await exchange.taken_in(desk, ADMIN, str(evil))
    said = imported(done, dict(TEXTS["en"]))
    assert said[0].startswith("2 traces imported") and any("traces.jsonl row 3" in each for each in said)
    assert {*tmp_path.parent.rglob("outside.txt")} == before
