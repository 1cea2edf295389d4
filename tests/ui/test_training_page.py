"""The Train page's form and drawings: whatever is sent gets a sentence, whatever is drawn is escaped."""

from datetime import UTC, datetime
from typing import Any

import gradio as gr
import pytest

from orchestra_app import Workspace
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.job import Checkpoint, Job
from orchestra_app.training.definition import Definition
from orchestra_app.training.progress import (
    Evaluated,
    Finished,
    Learned,
    Progress,
    Rollouts,
    Seconds,
    Started,
    Stepped,
    Tally,
)
from orchestra_app.ui.asking import Desk
from orchestra_app.ui.curves import MOST_POINTS, curves
from orchestra_app.ui.jobs_view import checkpoint_list, job_list, job_pieces
from orchestra_app.ui.pages.train import train_page
from orchestra_app.ui.pages.train_events import acted, shown
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.training import Form, defined, require_admin
from orchestra_app.ui.visitor import Door, Visitor

ADMIN = Visitor("local", True, "en")
STRANGER = Visitor("visitor:1", False, "zh")
AT = datetime(2026, 11, 23, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>"


def stepped(step: int, **figures: Any) -> Stepped:
    return Stepped(
        step=step,
        rollouts=Rollouts(count=4, reward=step / 100, calls={"search-1": 1.0, HOSTILE: 0.5}, **figures),
        learned=Learned(loss=0.1),
        tally=Tally(samples=3, benchmark=4),
        seconds=Seconds(forward=1.0),
        rate=1e-4,
        group=f"train-x/{step}-ab/",
    )


def job(**changed: Any) -> Job:
    fields: dict[str, Any] = {"id": "j1", "kind": "train", "name": HOSTILE, "definition": "", "folder": "/x"}
    return Job.model_validate(fields | {"created_at": AT} | changed)


def test_a_form_becomes_the_definition_that_it_shows():
    further = "rank = 8\nsteps = 3\n[preference]\ncost = 0.9\n"
    made = defined(Form(name="mine", learning_rate="1e-5", cap="2.5", further=further), ADMIN)
    assert (made.name, made.rank, made.steps, made.cap) == ("mine", 8, 3, 2.5)
    assert made.learning_rate == 1e-5 and made.preference.cost == 0.9
    assert defined(Form(), ADMIN) == Definition(
        steps=20, learning_rate=2e-4, evaluate_every=10, evaluate_count=60, checkpoint_every=5
    )


FORGED: list[dict[str, Any]] = [
    {"name": "../../etc"},
    {"name": ""},
    {"steps": float("nan")},
    {"steps": "many"},
    {"groups": -1},
    {"group_size": 1e12},
    {"learning_rate": "fast"},
    {"learning_rate": float("inf")},
    {"cap": "-3"},
    {"mode": "magic"},
    {"reward": {"a": 1}},
    {"seed": None},
    {"further": "= ="},
    {"further": "unknown = 1"},
    {"further": "steps = 'x'"},
]


@pytest.mark.parametrize("sent", FORGED, ids=str)
def test_a_forged_or_mistyped_field_is_refused_in_a_sentence(sent: dict[str, Any]):
    with pytest.raises(ConfigError) as refused:
        defined(Form(**sent), ADMIN)
    assert str(refused.value).strip() and "Traceback" not in str(refused.value)
    assert "pattern" not in str(refused.value) and ", line" not in str(refused.value)[:20]


def test_only_admins_may_train():
    require_admin(ADMIN)
    with pytest.raises(ConfigError, match="管理员"):
        require_admin(STRANGER)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_state_of_a_job_is_drawn_and_nothing_in_it_is_taken_for_markup(language: str):
    texts = TEXTS[language]
    started = Started(job="x", steps=9, done=0, mode="rollout", simulated=True, parameters=1, trained=1)
    evaluated = Evaluated(step=0, rollouts=Rollouts(count=4, accuracy=0.5, error=0.1), best=True)
    finished = Finished(status="done", step=2)
    stages: list[list[Progress]] = [
        [],
        [started],
        [started, evaluated],
        [started, evaluated, stepped(1), stepped(2), finished],
    ]
    text = ""
    for status in ("queued", "running", "done", "stopped", "failed", "interrupted"):
        for events in stages:
            found = job(status=status, error=HOSTILE)
            pieces = job_pieces(found, events, texts, log=HOSTILE, admin=True, sure=False)
            text = "".join(map(str, [*pieces, job_list([found], "j1", texts)]))
            assert "<img" not in text and "&lt;img" in text
    assert "group=train-x%2F2-ab%2F%2A" in text and 'data-action="delete"' in text
    visitor = "".join(map(str, job_pieces(job(status="running"), [], texts, log="", admin=False, sure=False)))
    assert 'data-action="stop"' not in visitor


def test_what_was_never_measured_is_not_drawn_and_what_describes_saved_traces_says_so():
    learned = Learned(loss=0.1, tokens=9, length=3.0, entropy=0.2)
    collected = str(curves([stepped(1), stepped(2)], TEXTS["en"]))
    trained = str(curves([stepped(1).model_copy(update={"learned": learned})], TEXTS["en"]))
    started = Started(job="x", steps=9, done=0, mode="traces", simulated=True, parameters=1, trained=1)
    saved = [started, stepped(1).model_copy(update={"learned": learned})]
    for name in ("kl", "clip", "length", "entropy"):
        assert f'data-curve="{name}"' not in collected
    assert 'data-curve="reward"' in collected and 'data-curve="kl"' not in trained
    assert 'data-curve="clip"' in trained and "0 %" in trained
    shown = str(curves(saved, TEXTS["en"]))
    assert "Right answers, of the traces learned from" in shown and "Right answers, of" not in trained
    assert "Entropy, of" not in shown
    found = job(status="running")
    mix = "".join(map(str, job_pieces(found, saved, TEXTS["en"], log="", admin=True, sure=False)))
    assert "in the traces learned from" in mix and "now and at the start" not in mix


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("status", ["stopped", "capped"])
def test_a_job_that_ended_early_says_so_without_a_path_or_a_command(language: str, status: str):
    reason = "It was stopped; go on with: orchestra train --resume /srv/jobs/x"
    events: list[Progress] = [Finished.model_validate({"status": status, "step": 1, "reason": reason})]
    found = job(status="stopped" if status == "stopped" else "done", error=reason, cap=2.0)
    for admin in (True, False):
        text = "".join(map(str, job_pieces(found, events, TEXTS[language], log="", admin=admin, sure=False)))
        assert "/srv" not in text and "orchestra train" not in text
    assert TEXTS[language][f"train_was_{status}"].format(cap="$2.00") in text
    resumed = job(status="interrupted", error="It died.", heard=1, cap=2.0)
    assert "It died." in str(job_pieces(resumed, events, TEXTS[language], log="", admin=True, sure=False)[0])


def test_a_visitor_reads_no_path_in_why_a_job_failed():
    failed = job(status="failed", error="/srv/jobs/x is full.")
    shown_to = {
        admin: "".join(map(str, job_pieces(failed, [], TEXTS["en"], log="", admin=admin, sure=False)))
        for admin in (True, False)
    }
    assert "/srv" in shown_to[True] and "/srv" not in shown_to[False] and "It failed" in shown_to[False]


def test_a_job_that_has_begun_no_longer_says_that_it_has_told_nothing():
    texts, found = TEXTS["en"], job(status="running")
    started = Started(job="x", steps=9, done=0, mode="rollout", simulated=True, parameters=1, trained=1)
    for events, key in (([], "train_waiting"), ([started], "train_first")):
        text = "".join(map(str, job_pieces(found, events, texts, log="", admin=True, sure=False)))
        assert [each for each in ("train_waiting", "train_first") if texts[each] in text] == [key]


def test_long_jobs_are_drawn_with_few_points_that_end_at_the_last_step():
    drawn = str(curves([stepped(step) for step in range(1, 5_001)], TEXTS["en"]))
    line = drawn.split('points="', 1)[1].split('"', 1)[0].split(" ")
    assert MOST_POINTS / 2 < len(line) <= MOST_POINTS and "50.000" in drawn
    assert curves([], TEXTS["en"]) == ""


def test_a_checkpoint_shows_its_lineage_and_one_is_the_default():
    lineage = {"step": 4, "rollouts": 64, "learned": {"human": 3, "benchmark": 5}, "simulated": 0.5}
    fields: dict[str, Any] = {"job": "j1", "path": "/x", "catalog": "rehearsal", "at": AT}
    first = Checkpoint(id="a", name=HOSTILE, card={"lineage": lineage}, promoted_at=AT, **fields)
    second = Checkpoint(id="b", name="b", card={}, **fields)
    text = str(checkpoint_list([first, second], TEXTS["en"], admin=True))
    assert text.count("default policy") == 1 and "3 human, 5 benchmark" in text and "50 % simulated" in text
    assert "<img" not in text
    assert "data-action" not in str(checkpoint_list([first, second], TEXTS["en"], admin=False))


async def test_the_question_whether_to_delete_stays_and_another_job_does_not_get_it():
    workspace = await Workspace.open()
    try:
        desk = Desk(workspace, Door(local=True))
        with gr.Blocks():
            page = train_page(gr.BrowserState({}), [("rehearsal", "rehearsal")])
        for name in ("j1", "j2"):
            await workspace.store.save_job(job(id=name, status="done"))
        asked = await acted(desk, page, ADMIN, "j1", ("delete", "j1"))
        later = await shown(desk, page, ADMIN, asked[page.chosen], sure=asked[page.sure])
        assert "delete-sure" in str(asked[page.job]) and later[page.job] == asked[page.job]
        other = await shown(desk, page, ADMIN, "j2", sure="j1")
        assert "delete-sure" not in str(other[page.job]) and other[page.sure] == ""
    finally:
        await workspace.aclose()
