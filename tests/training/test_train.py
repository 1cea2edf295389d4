"""A training job: it improves, it goes on where it was killed, and it spends nothing that it may not."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from orchestra_app import Settings, Workspace
from orchestra_app.catalogs.files import FOLDER
from orchestra_app.core.errors import ConfigError, TrainingError
from orchestra_app.core.task import Preference
from orchestra_app.orchestrator.stop import Stop
from orchestra_app.storage.outcomes import Wanted
from orchestra_app.training import checkpoint
from orchestra_app.training.definition import (
    Definition,
    TraceChoice,
    explained,
    from_toml,
    load_definition,
    to_toml,
)
from orchestra_app.training.opening import learned_from
from orchestra_app.training.progress import Evaluated, Finished, Saved, Started, Stepped, read
from orchestra_app.training.survey import survey
from orchestra_app.training.train import train
from tests.cli.shell import invoked
from tests.training.tiny_policy import follow

HERE = Path(__file__).parent


def quick(base: Path, **fields) -> Definition:
    known = {"base": str(base), "groups": 4, "group_size": 4, "steps": 3, "learning_rate": 5e-3, "warmup": 0}
    return Definition(**{**known, **fields})


@pytest.fixture(scope="module")
def groups(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which the tiny policy has made some labelled groups; to be copied."""
    folder = tmp_path_factory.mktemp("groups")

    async def make() -> None:
        world = await Workspace.open(Settings(home=folder / "home"))
        await follow(world, quick(base, steps=2, groups=8, learning_rate=1e-9), folder / "maker")
        await world.aclose()

    asyncio.run(make())
    return folder / "home"


@pytest.fixture
async def labelled(groups: Path, home: Path) -> AsyncIterator[Workspace]:
    shutil.copytree(groups, home)
    opened = await Workspace.open(Settings(home=home))
    yield opened
    await opened.aclose()


def kill_after(step: int, home: Path, folder: Path) -> None:
    """Train in a process of its own, which is killed after a step."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.training.tiny_policy", str(home), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE.parents[1],
    )
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            if line.split() == ["stepped", str(step)]:
                os.kill(child.pid, signal.SIGKILL)
                break
    child.wait()


async def test_fresh_groups_make_the_policy_better(world, base, tmp_path):
    wish = Preference(weights={"gpt-5-mini": 1.0})
    definition = quick(base, preference=wish, question_limit=6, groups=6, group_size=6, steps=10)
    events = await follow(world, definition, tmp_path / "job")
    assert isinstance(events[0], Started) and isinstance(events[-1], Finished)
    assert events[-1].status == "done", events[-1].reason
    steps = [event.rollouts for event in events if isinstance(event, Stepped)]
    for figure in ("reward", "adherence"):
        values = [getattr(step, figure) for step in steps]
        assert sum(values[-3:]) / 3 > sum(values[:3]) / 3 + 0.05, values
    stored = await world.store.outcomes(Wanted(group="train-job/"))
    assert len(stored) == 10 * 36 and {each.verdict for each in stored} <= {"correct", "incorrect"}
    assert events == read(tmp_path / "job")[0]


async def test_learning_from_traces_calls_nothing_and_spends_nothing(labelled, base, tmp_path):
    before = len(await labelled.store.outcomes(Wanted()))
    events = await follow(labelled, quick(base, mode="traces", loss="cispo"), tmp_path / "job")
    assert events[-1].status == "done", events[-1].reason
    assert events[0].tally.samples > 0 and events[-1].spent == 0
    assert len(await labelled.store.outcomes(Wanted())) == before
    card = checkpoint.verify(Path(events[-1].checkpoint))
    assert card.lineage.learned == events[0].tally and card.lineage.simulated == 1.0
    assert card.catalog == labelled.catalog().ref and checkpoint.fits(card, labelled.catalog()) is None


async def test_what_was_collected_is_learned_from_later(world, base, tmp_path):
    known = {"held": True, "temperature": 3.0}
    collect = quick(base, kind="collect", steps=2, groups=8, **known)
    events = await follow(world, collect, tmp_path / "collect")
    assert events[-1].status == "done" and not (tmp_path / "collect" / "checkpoints").exists()
    assert all(event.learned.tokens == 0 for event in events if isinstance(event, Stepped))
    again = await follow(world, collect, tmp_path / "collect")
    assert again[0].done == 2 and not [event for event in again if isinstance(event, Stepped)]
    stored = await world.store.traces([each.id for each in await world.store.outcomes(Wanted())])
    assert len(stored) == 2 * 8 * 4
    for trace in stored.values():
        for turn in trace.turns:
            tokens = turn.reply.tokens
            assert turn.forced or (tokens and len(tokens.drawn) == len(tokens.completion_ids))
    learned = await follow(world, quick(base, mode="traces", loss="cispo", **known), tmp_path / "job")
    first = next(event for event in learned if isinstance(event, Stepped))
    # The policy is still the one that said all this, so the loss of a first step weighs every ratio as 1.
    assert first.learned.clipped == 0 and abs(first.learned.loss) < 0.1 and first.tally.samples > 0
    assert learned[-1].status == "done"


async def test_a_job_that_is_killed_ends_with_the_weights_of_one_that_was_not(labelled, base, tmp_path, home):
    definition = quick(base, mode="traces", steps=20, checkpoint_every=2, learning_rate=1e-3)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    killed.mkdir()
    (killed / "job.toml").write_text(to_toml(definition))
    await asyncio.to_thread(kill_after, 4, home, killed)
    # It may have run on between its line and its end.
    done = [event.step for event in read(killed)[0] if isinstance(event, Saved)][-1]
    assert 2 <= done < 20
    resumed = await follow(labelled, load_definition(killed / "job.toml"), killed)
    assert resumed[0].done == done and resumed[-1].status == "done"
    straight = await follow(labelled, definition, whole)
    mine, other = (load_file(Path(e[-1].checkpoint) / "model.safetensors") for e in (resumed, straight))
    assert all(torch.equal(mine[name], other[name]) for name in mine)


async def test_a_stop_ends_with_a_checkpoint_and_the_job_goes_on_from_it(labelled, base, tmp_path):
    stop = Stop()
    events = []
    async for event in train(labelled, quick(base, mode="traces", steps=6), tmp_path / "job", stop=stop):
        events.append(event)
        if isinstance(event, Stepped) and event.step == 2:
            stop.set()
    assert events[-1].status == "stopped" and "--resume" in events[-1].reason
    events = await follow(labelled, quick(base, mode="traces", steps=6), tmp_path / "job")
    assert events[0].done == 2 and events[-1].status == "done"


async def test_an_evaluation_that_was_stopped_is_made_up_for(world, base, tmp_path):
    definition = quick(base, steps=2, evaluate_every=1, evaluate_count=6, checkpoint_every=1)
    stop, told = Stop(), []
    async with aclosing(train(world, definition, tmp_path / "job", stop=stop)) as events:
        async for event in events:
            told.append(event)
            if isinstance(event, Stepped):
                # The next thing is the evaluation after this step.
                stop.set()
    assert [each.step for each in told if isinstance(each, Evaluated)] == [0]
    again = await follow(world, definition, tmp_path / "job")
    assert [each.step for each in again if isinstance(each, Evaluated)] == [1, 2]
    assert again[0].done == 1 and again[-1].status == "done"
    once_more = await follow(world, definition, tmp_path / "job")
    assert [each for each in once_more if isinstance(each, Evaluated)] == []


async def test_the_best_and_the_latest_checkpoint_are_kept(world, base, tmp_path):
    definition = quick(base, steps=4, evaluate_every=1, evaluate_count=6, checkpoint_every=1)
    events = await follow(world, definition, tmp_path / "job")
    best = [event.step for event in events if isinstance(event, Evaluated) and event.best][-1]
    there = {path.name for path in checkpoint.all_of(tmp_path / "job")}
    assert there == {f"step-{best:06d}", "step-000004"}
    assert events[-1].checkpoint.endswith(f"step-{best:06d}")


async def test_a_full_disk_in_mid_checkpoint_keeps_the_last_good_one(labelled, base, tmp_path):
    job = tmp_path / "job"
    await follow(labelled, quick(base, mode="traces", steps=1), job)

    def full(draft: Path) -> None:
        (draft / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    (good, card) = checkpoint.latest(job) or pytest.fail("there is a checkpoint")
    with pytest.raises(TrainingError, match="No space left on device.*the checkpoints before it are whole"):
        checkpoint.write(checkpoint.place(job, 2), card, full)
    assert (checkpoint.latest(job) or (None,))[0] == good
    assert [path.name for path in (job / "checkpoints").iterdir()] == ["step-000001"]
    checkpoint.keep(good)
    checkpoint.write(good, card, lambda draft: None)
    # Written anew it is still the default policy, which its job must not delete.
    checkpoint.remove([good])
    assert [path.name for path in (job / "checkpoints").iterdir()] == ["step-000001"]


async def test_a_damaged_checkpoint_is_named_and_an_earlier_one_taken(labelled, base, tmp_path):
    job = tmp_path / "job"
    await follow(labelled, quick(base, mode="traces", steps=1), job)
    newer = checkpoint.place(job, 2)
    shutil.copytree(checkpoint.place(job, 1), newer)
    (newer / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(TrainingError, match="damaged, model.safetensors has changed: copy it anew"):
        checkpoint.verify(newer)
    assert (checkpoint.latest(job) or (None,))[0] == checkpoint.place(job, 1)
    with pytest.raises(TrainingError, match="model.safetensors has changed"):
        await follow(labelled, quick(newer, mode="traces"), tmp_path / "other")


async def test_a_checkpoint_is_out_of_place_under_tools_that_read_otherwise(labelled, base, tmp_path):
    events = await follow(labelled, quick(base, mode="traces", steps=1), tmp_path / "job")
    card = checkpoint.read_card(Path(events[-1].checkpoint))
    catalog = labelled.catalog()
    dearer = catalog.models["gpt-5"].model_copy(update={"price": catalog.models["gpt-5-mini"].price})
    other = catalog.model_copy(update={"models": {**catalog.models, "gpt-5": dearer}})
    assert "train it anew for this catalogue" in (checkpoint.fits(card, other) or "")


async def test_nothing_to_learn_is_said_with_how_to_get_it(world, base, tmp_path):
    with pytest.raises(TrainingError, match="no labelled group with spread.*no labelled trace.*--repeats"):
        await follow(world, quick(base, mode="traces"), tmp_path / "job")
    last = read(tmp_path / "job")[0][-1]
    assert isinstance(last, Finished) and last.status == "failed"
    found = await survey(world, quick(base, mode="traces"))
    assert found.obstacle is not None and found.rollouts == 0 and found.cost == 0


async def test_what_there_is_to_learn_is_told_before_anything_runs(labelled, base):
    found = await survey(labelled, quick(base, mode="traces", traces=TraceChoice(groups=("train-maker/",))))
    assert found.obstacle is None and found.tally.groups == 16
    assert found.tally.benchmark == 64 and found.tally.learned_groups >= 1
    fresh = await survey(labelled, quick(base, evaluate_every=2, evaluate_count=10))
    assert fresh.rollouts == 3 * 16 + 3 * 10 and fresh.cost is not None and fresh.cost > 0


async def test_the_likely_time_is_that_of_jobs_that_train_alike(world, base, tmp_path):
    definition, job = quick(base, steps=1, groups=2, group_size=2), tmp_path / "job"
    job.mkdir()
    (job / "job.toml").write_text(to_toml(definition))
    await follow(world, definition, job)
    alike = await survey(world, quick(base, steps=40), [job])
    other = await survey(world, quick(Path("other/model"), steps=40), [job])
    assert alike.seconds is not None and alike.seconds > 0 and other.seconds is None


async def test_what_an_evaluation_asks_is_not_trained_on(world, base, tmp_path):
    mine, held = tmp_path / "mine.jsonl", tmp_path / "held.jsonl"
    lines = [json.dumps({"question": f"What is {n} + 1?", "answer": str(n + 1)}) + "\n" for n in range(4)]
    mine.write_text("".join(lines))
    held.write_text("".join(lines[1:]))
    known = {"questions": str(mine), "evaluate_every": 1, "evaluate_count": 3, "groups": 2, "group_size": 2}
    events = await follow(world, quick(base, steps=1, evaluate_on=str(held), **known), tmp_path / "job")
    assert events[0].questions == 1 and events[-1].status == "done"
    (group,) = [event.group for event in events if isinstance(event, Stepped)]
    stored = await world.store.outcomes(Wanted(group=group))
    # One question fills both groups of the step, and they stay apart.
    assert {each.task.question for each in stored} == {"What is 0 + 1?"}
    assert len({each.group for each in stored}) == 2
    held.write_text("".join(lines))
    with pytest.raises(ConfigError, match="name others to train on"):
        await follow(world, quick(base, evaluate_on=str(held), **known), tmp_path / "none")


def test_saved_results_are_not_replayed_under_other_models_or_prices():
    for varied in ("vary_aliases", "vary_prices"):
        with pytest.raises(ValueError, match="keeps its model and price"):
            Definition.model_validate({"tools": "replay", varied: True})


async def test_real_experts_need_a_cap_and_to_be_asked_for(world, base, tmp_path):
    with pytest.raises(TrainingError, match="set tools = 'live'"):
        await follow(world, quick(base, catalog="live"), tmp_path / "a")
    with pytest.raises(TrainingError, match="set cap"):
        await follow(world, quick(base, catalog="live", tools="live"), tmp_path / "b")
    invented = quick(base, catalog="live", tools="live", cap=1.0, vary_prices=True)
    with pytest.raises(TrainingError, match="invented prices would not count"):
        await follow(world, invented, tmp_path / "c")


async def test_a_cap_is_kept_and_ends_the_job(world, base, tmp_path):
    events = await follow(world, quick(base, cap=0.15, steps=50), tmp_path / "job")
    assert events[-1].status == "capped" and "raise cap" in events[-1].reason
    assert events[-1].spent <= 0.15 and events[-1].checkpoint


async def test_a_cap_that_is_used_up_leaves_no_evaluation_of_what_it_cut_short(world, base, tmp_path):
    known = {"steps": 50, "evaluate_every": 1, "evaluate_count": 6}
    events = await follow(world, quick(base, cap=0.3, **known), tmp_path / "job")
    assert events[-1].status == "capped"
    evaluated = [event.step for event in events if isinstance(event, Evaluated)]
    assert evaluated and evaluated == list(range(len(evaluated)))
    assert all(event.rollouts.count == 6 for event in events if isinstance(event, Evaluated))
    few = await follow(world, quick(base, cap=events[-1].spent + 0.003, **known), tmp_path / "job")
    assert few[-1].status == "capped" and few[-1].spent == events[-1].spent
    cap = events[-1].spent + 0.101
    again = await follow(world, quick(base, cap=cap, **known), tmp_path / "job")
    assert again[-1].status == "capped" and not [each for each in again if isinstance(each, Evaluated)]
    assert events[-1].spent < again[-1].spent <= cap


@pytest.mark.parametrize("cap", [0.01, 0.021])
async def test_a_step_that_the_cap_cuts_short_is_not_counted(cap, world, base, tmp_path):
    job = tmp_path / "job"
    events = await follow(world, quick(base, cap=cap, budget_cost=0.02, steps=1), job)
    assert (events[-1].status, events[-1].step) == ("capped", 0) and events[-1].spent <= cap
    assert not [event for event in events if isinstance(event, Stepped)]
    again = await follow(world, quick(base, cap=5, steps=1), job)
    (step,) = [event for event in again if isinstance(event, Stepped)]
    assert again[-1].status == "done" and step.learned.tokens > 0


async def test_jobs_whose_folders_have_one_name_keep_their_rollouts_apart(world, base, tmp_path):
    made = []
    for name, steps in (("a", 1), ("b", 1), ("a", 2)):
        events = await follow(world, quick(base, steps=steps, groups=2), tmp_path / name / "job")
        made += [event.group for event in events if isinstance(event, Stepped)]
    first, other, second = (group.rpartition("/")[0].rpartition("/")[0] for group in made)
    assert first == second != other and first.startswith("train-job/")


async def test_saved_results_are_taken_instead_of_calling_again(labelled, base, tmp_path):
    events = await follow(labelled, quick(base, tools="replay", steps=1, groups=8), tmp_path / "job")
    (step,) = [event for event in events if isinstance(event, Stepped)]
    assert step.rollouts.replayed > 0


def test_a_job_over_a_file_of_ones_own_goes_on_wherever_it_is_resumed(base, tmp_path, monkeypatch):
    text = (FOLDER / "rehearsal.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace('name = "rehearsal"', 'name = "mine"', 1))
    (tmp_path / "job.toml").write_text(to_toml(quick(base, groups=2, group_size=2)))
    monkeypatch.chdir(tmp_path)
    first = invoked("train", "job.toml", "--catalog", "mine.toml", "--folder", "out", "--steps", "1")
    assert first.code == 0, first
    monkeypatch.chdir("/")
    again = invoked("train", "--resume", str(tmp_path / "out"), "--steps", "2")
    assert again.code == 0 and "done after step 2" in again.out, again


def test_a_question_file_whose_name_begins_like_the_rehearsal_is_read(tmp_path, monkeypatch):
    (tmp_path / "rehearsal-mine.csv").write_text("question,answer\nWhat is 12 * 7?,84\n")
    monkeypatch.chdir(tmp_path)
    definition = Definition(questions="rehearsal-mine.csv", evaluate_on="rehearsal:heldout")
    assert definition.files.keys() == {"questions"}
    assert [question.text for question in learned_from(definition)] == ["What is 12 * 7?"]


def test_a_folder_goes_on_with_its_own_job_alone(base, tmp_path, home):
    definition, out = quick(base, groups=2, group_size=2, steps=1), str(tmp_path / "out")
    (tmp_path / "job.toml").write_text(to_toml(definition))
    (tmp_path / "other.toml").write_text(to_toml(definition.model_copy(update={"learning_rate": 1e-4})))
    (tmp_path / "file").write_text("")
    assert invoked("train", str(tmp_path / "job.toml"), "--folder", out).code == 0
    wrong = {
        (str(tmp_path / "other.toml"), "--folder", out): "differs in learning_rate",
        ("--resume", out, "--base", str(base / "elsewhere"), "--steps", "2"): "differs in base",
        (str(tmp_path / "job.toml"), "--folder", str(tmp_path / "file")): "cannot be made",
        (str(tmp_path / "job.toml"), "--folder", "/proc/none/out"): "cannot be made",
    }
    for arguments, said in wrong.items():
        ended = invoked("train", *arguments)
        assert ended.code in (2, 4) and said in ended.err, ended
    assert (
        "done after step 2"
        in invoked("train", str(tmp_path / "job.toml"), "--folder", out, "--steps", "2").out
    )


def test_a_job_that_is_handed_over_takes_no_folder_and_goes_on_where_it_ran(base, tmp_path, home):
    (tmp_path / "job.toml").write_text(to_toml(quick(base, groups=2, group_size=2, steps=1)))
    assert invoked("train", str(tmp_path / "job.toml"), "--folder", str(tmp_path / "out")).code == 0
    wrong = {
        ("train", "--launcher", "process", "--folder", str(tmp_path / "new")): "leave --folder out",
        ("train", "--launcher", "process", "--resume", str(tmp_path / "none")): "No job",
        ("train", "--launcher", "process", "--resume", str(tmp_path / "out"), "--steps", "2"): "its job.toml",
    }
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "job.toml").write_text(to_toml(quick(base)))
    for arguments, said in wrong.items():
        ended = invoked(*arguments)
        assert ended.code in (2, 4) and said in ended.err, ended
    again = invoked("train", "--launcher", "process", "--resume", str(tmp_path / "out"))
    assert again.code == 0 and again.out.startswith("Resumed"), again


def test_a_job_that_is_launched_or_written_for_verl_is_told_as_json(base, tmp_path, home):
    (tmp_path / "job.toml").write_text(to_toml(quick(base, name="mine", groups=2, group_size=2, steps=1)))
    job, out = str(tmp_path / "job.toml"), tmp_path / "verl"
    told = invoked("train", job, "--export-verl", str(out), "--json").json
    assert told["folder"] == str(out) and told["train"] > 0 and told["validation"] > 0
    launched = invoked("train", job, "--launcher", "process", "--json").json
    assert launched["name"] == "mine" and Path(launched["folder"]).parent == home / "jobs"
    assert invoked("train", job, "--folder", str(tmp_path / "out")).code == 0
    resumed = invoked("train", "--launcher", "process", "--resume", str(tmp_path / "out"), "--json").json
    assert resumed["name"] == "mine" and resumed["folder"] == str(tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("job.toml", "--recipe", "rehearsal"), "The recipe is a whole job"),
        (("--recipe", "rehearsal", "--steps", "3"), "The recipe is a whole job"),
        (("--recipe", "rehearsal", "--mode", "traces"), "The recipe is a whole job"),
        (("--recipe", "rehearsal", "--base", "other"), "The recipe is a whole job"),
        (("--recipe", "rehearsal", "--catalog", "live"), "The recipe is a whole job"),
        (("--recipe", "rehearsal", "--resume", "out"), "The recipe is a whole job"),
        (("--export-verl", "verl", "--launcher", "ray"), "leave --folder, --launcher"),
        (("--export-verl", "verl", "--folder", "out"), "leave --folder, --launcher"),
        (("--export-verl", "verl", "--recipe", "rehearsal"), "leave --folder, --launcher"),
        (("--resume", "out", "--folder", "other"), "leave --folder out"),
        (("job.toml", "--resume", "out"), "not both"),
    ],
)
def test_an_option_that_would_be_ignored_beside_another_is_refused(
    base, tmp_path, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    definition = to_toml(quick(base))
    (tmp_path / "out").mkdir()
    for file in ("job.toml", "out/job.toml"):
        (tmp_path / file).write_text(definition)
    assert said in invoked("train", *arguments, "--dry-run").complaint
    assert not (tmp_path / "verl").exists() and not (tmp_path / "other").exists()


def test_the_recipe_is_shown_as_what_it_is(home):
    ended = invoked("train", "--recipe", "rehearsal", "--dry-run")
    assert ended.code == 0 and "nothing" in ended.out and "rollouts" not in ended.out
    usual = invoked("train", "--dry-run")
    assert "rollouts" in usual.out


async def test_a_job_of_the_command_line_is_seen_and_gives_its_policy_everywhere(base, tmp_path, home):
    (tmp_path / "job.toml").write_text(to_toml(quick(base, name="mine", groups=2, group_size=2)))
    folder = tmp_path / "chosen"
    folder.mkdir()
    (folder / "notes.txt").write_text("keep me")
    for steps in ("1", "2"):
        command = [str(tmp_path / "job.toml"), "--folder", str(folder)]
        ended = await asyncio.to_thread(invoked, "train", *command, "--steps", steps)
        assert ended.code == 0, ended
    world = await Workspace.open(Settings(home=home))
    (job,) = await world.jobs.all()
    (checkpoint,) = await world.store.checkpoints()
    assert (job.status, job.name, job.folder) == ("done", "mine", str(folder))
    assert checkpoint.name in {each.name for each in await world.policies()}
    await world.jobs.delete(job.id)
    assert [path.name for path in folder.iterdir() if "check" in path.name or "notes" in path.name] == [
        "notes.txt"
    ]
    await world.aclose()


async def test_two_processes_never_run_one_job(labelled, base, tmp_path):
    job, definition = tmp_path / "job", quick(base, mode="traces", steps=2)
    async with aclosing(train(labelled, definition, job)) as told:
        await anext(told)
        before = read(job)[0]
        with pytest.raises(TrainingError, match="Another process runs the job"):
            await follow(labelled, definition, job)
        assert read(job)[0] == before
    assert (await follow(labelled, definition, job))[-1].status == "done"


async def test_what_is_asked_in_an_evaluation_is_never_learned_from(labelled, base, tmp_path):
    (trace,) = (await labelled.store.traces((await labelled.store.ids())[:1])).values()
    heldout = tmp_path / "held.jsonl"
    heldout.write_text(json.dumps({"question": trace.task.question, "answer": "1"}))
    every = await survey(labelled, quick(base, mode="traces"))
    some = await survey(labelled, quick(base, mode="traces", evaluate_on=str(heldout)))
    assert every.tally.heldout == 0 < some.tally.heldout
    assert some.tally.traces + some.tally.heldout == every.tally.traces


def test_a_definition_is_a_file_and_comes_back_the_same(tmp_path):
    made = Definition(
        name="night-1",
        budget_cost=None,
        cap=3.5,
        mode="traces",
        traces=TraceChoice(groups=("sweep-1/",)),
        rank=8,
    )
    (tmp_path / "job.toml").write_text(to_toml(made))
    assert load_definition(tmp_path / "job.toml") == made
    assert from_toml(to_toml(Definition())) == Definition()
    assert all(explained().values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 'a'\nsteps = 0", "line 2: `steps`"),
        ("learning = 1", "line 1: `learning`: there is no such setting"),
        ("[preference.weights]\ngpt-5 = 2", "line 2: `preference.weights.gpt-5`"),
        ("cap = -1", "line 1: `cap`"),
        ("cap = ", "is not TOML"),
        ("questions = 'rehearsal:heldout'\nevaluate_every = 1", "name others"),
    ],
)
def test_a_bad_definition_is_refused_with_line_and_key(text, said):
    with pytest.raises(ConfigError, match=said):
        from_toml(text, "job.toml")


async def test_one_seed_gives_the_same_job(home, base, tmp_path):
    found = []
    for name in ("a", "b"):
        world = await Workspace.open(Settings(home=home / name))
        events = await follow(world, quick(base, steps=2), tmp_path / name)
        found.append([event.rollouts for event in events if isinstance(event, Stepped)])
        await world.aclose()
    assert found[0] == found[1]
