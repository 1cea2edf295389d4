"""Jobs outlive the program that launched them, and every way to end one is told apart."""

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestra_app import Options, Workspace
from orchestra_app.core.errors import TrainingError
from orchestra_app.core.job import Job, JobStatus
from orchestra_app.storage.store import Store
from orchestra_app.training.checkpoint import all_of, remove
from orchestra_app.training.definition import Definition, from_toml, to_toml
from orchestra_app.training.hub import HubLauncher
from orchestra_app.training.jobs import Jobs
from orchestra_app.training.launch import ProcessLauncher
from orchestra_app.training.progress import EVENTS
from orchestra_app.training.ray import VERL, RayLauncher

FAKE = Path(__file__).parent / "fake_training.py"
COMMAND = (sys.executable, str(FAKE))
DEFINITION = Definition(name="mine", steps=7)


def opened(store: Store, home: Path) -> Jobs:
    """The jobs as a program that has just started sees them."""
    environment = {"PYTHONPATH": str(FAKE.parents[2])}
    return Jobs(store, home / "jobs", {"process": ProcessLauncher(environment, COMMAND)})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    found = Store.open(tmp_path / "store")
    yield found
    for job in await found.jobs():
        if job.pid and job.status == "running":
            os.killpg(job.pid, signal.SIGKILL)
    found.close()


async def until(jobs: Jobs, job_id: str, wanted: Callable[[Job], bool]) -> Job:
    job = await jobs.get(job_id)
    for _ in range(1_000):
        if wanted(job):
            return job
        await asyncio.sleep(0.02)
        job = await jobs.get(job_id)
    raise AssertionError(f"{job} and its log: {await jobs.logs(job)}")


async def saved(jobs: Jobs, store: Store, job_id: str) -> None:
    for _ in range(1_000):
        await jobs.get(job_id)
        if any(each.job == job_id for each in await store.checkpoints()):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("no checkpoint came")


async def test_a_job_is_found_again_after_a_restart_and_runs_to_its_end(store: Store, tmp_path: Path):
    first = opened(store, tmp_path)
    job = await first.launch(DEFINITION, owner="ann")
    assert from_toml((Path(job.folder) / "job.toml").read_text()) == DEFINITION
    await saved(first, store, job.id)
    later = opened(store, tmp_path)
    found = await later.get(job.id)
    assert (found.status, found.pid, found.owner) == ("running", job.pid, "ann")
    assert "begun" in await later.logs(found)
    (Path(job.folder) / "end").touch()
    done = await until(later, job.id, lambda each: each.over)
    assert (done.status, done.error) == ("done", None)
    assert [each.path for each in await store.checkpoints()] == [str(all_of(Path(job.folder))[0])]


async def test_stop_ends_a_job_with_its_checkpoint_and_resume_goes_on(store: Store, tmp_path: Path):
    jobs = opened(store, tmp_path)
    job = await jobs.launch(DEFINITION)
    with pytest.raises(TrainingError, match="is running"):
        await jobs.resume(job.id)
    with pytest.raises(TrainingError, match="is running"):
        await jobs.delete(job.id)
    await saved(jobs, store, job.id)
    await jobs.stop(job.id)
    assert (await until(jobs, job.id, lambda each: each.over)).status == "stopped"
    again = await jobs.resume(job.id)
    assert again.status == "running" and again.pid != job.pid
    (Path(job.folder) / "end").touch()
    assert (await until(jobs, job.id, lambda each: each.over)).status == "done"
    assert "resumed" in await jobs.logs(again) and len(await store.checkpoints()) == 2


async def test_a_job_that_is_resumed_twice_at_once_is_started_once(store: Store, tmp_path: Path):
    started = []

    class Slow(ProcessLauncher):
        async def submit(self, job: Job, *, resume: bool = False) -> Job:
            started.append(resume)
            await asyncio.sleep(0.05)
            return await super().submit(job, resume=resume)

        async def status(self, job: Job) -> JobStatus:
            return "running"

    jobs = Jobs(store, tmp_path / "jobs", {"process": Slow({}, (sys.executable, "-c", "pass"))})
    job = await jobs.launch(DEFINITION)
    await store.save_job(job.model_copy(update={"status": "stopped"}))
    ended = await asyncio.gather(jobs.resume(job.id), jobs.resume(job.id), return_exceptions=True)
    assert [type(each) for each in ended] == [Job, TrainingError] and started == [False, True]


async def test_a_killed_job_is_interrupted_and_keeps_what_it_saved(store: Store, tmp_path: Path):
    jobs = opened(store, tmp_path)
    job = await jobs.launch(DEFINITION)
    await saved(jobs, store, job.id)
    await jobs.stop(job.id, at_once=True)
    ended = await until(jobs, job.id, lambda each: each.over)
    assert ended.status == "interrupted" and "resume" in str(ended.error)
    (checkpoint,) = await store.checkpoints()
    promoted = await jobs.promote(checkpoint.id)
    # While it is the default, its job deletes it no more.
    remove([Path(checkpoint.path)])
    assert (
        promoted.promoted_at
        and Path(checkpoint.path).is_dir()
        and (await jobs.promote(checkpoint.id, on=False)).promoted_at is None
    )
    await jobs.delete(job.id)
    assert not Path(job.folder).exists() and await store.jobs() == await store.checkpoints() == ()


async def test_what_cannot_be_started_leaves_nothing_behind(store: Store, tmp_path: Path):
    jobs = Jobs(store, tmp_path / "jobs", {"process": ProcessLauncher({}, (str(tmp_path / "absent"),))})
    with pytest.raises(TrainingError, match="could not be started"):
        await jobs.launch(DEFINITION)
    assert list((tmp_path / "jobs").iterdir()) == [] and await store.jobs() == ()
    for wrong in (
        lambda: jobs.launch(DEFINITION, launcher="moon"),
        lambda: jobs.get("x"),
        lambda: jobs.promote("x"),
    ):
        with pytest.raises(TrainingError, match="There is no"):
            await wrong()


async def test_a_resume_that_dies_at_once_does_not_end_as_the_job_did_before(store: Store, tmp_path: Path):
    jobs = opened(store, tmp_path)
    job = await jobs.launch(DEFINITION)
    await saved(jobs, store, job.id)
    await jobs.stop(job.id)
    assert (await until(jobs, job.id, lambda each: each.over)).status == "stopped"
    dies = Jobs(store, jobs.home, {"process": ProcessLauncher({}, (sys.executable, "-c", "1/0"))})
    again = await dies.resume(job.id)
    ended = await until(dies, job.id, lambda each: each.over)
    assert again.status == "running" and ended.status == "interrupted" and "see its log" in str(ended.error)


async def test_a_job_that_is_being_handed_over_is_known_and_left_alone(store: Store, tmp_path: Path):
    handed, go_on = asyncio.Event(), asyncio.Event()

    class Slow(ProcessLauncher):
        async def submit(self, job: Job, *, resume: bool = False) -> Job:
            handed.set()
            await go_on.wait()
            return await super().submit(job, resume=resume)

    jobs = Jobs(store, tmp_path / "jobs", {"process": Slow({}, (sys.executable, "-c", "pass"))})
    launching = asyncio.create_task(jobs.launch(DEFINITION))
    await handed.wait()
    (job,) = await jobs.all()
    assert job.status == "queued"
    for act in (jobs.stop, jobs.delete):
        with pytest.raises(TrainingError):
            await act(job.id)
    go_on.set()
    assert (await launching).id == job.id
    # What was handing it over died before it ran.
    await store.save_job(job.model_copy(update={"process": "long ago"}))
    assert (await jobs.get(job.id)).status == "interrupted"


class Hub:
    """Stands for the Hub: keeps what is uploaded in a folder, and runs nothing."""

    def __init__(self, place: Path):
        self.place, self.stage, self.options = place, "RUNNING", {}

    def whoami(self) -> dict[str, Any]:
        return {"name": "ann"}

    def create_repo(self, repo_id: str, **options: Any) -> None:
        assert repo_id == "ann/orchestra-jobs" and options["private"]

    def upload_folder(
        self, *, folder_path: str, path_in_repo: str, allow_patterns: list[str] | None = None, **_: Any
    ) -> None:
        for pattern in allow_patterns or ["**/*"]:
            for path in Path(folder_path).glob(pattern):
                target = self.place / path_in_repo / path.relative_to(folder_path)
                target.parent.mkdir(parents=True, exist_ok=True)
                if path.is_file():
                    target.write_bytes(path.read_bytes())

    def snapshot_download(self, repo_id: str, *, local_dir: str, allow_patterns: list[str], **_: Any) -> str:
        for pattern in allow_patterns:
            for path in self.place.glob(pattern):
                target = Path(local_dir) / path.relative_to(self.place)
                target.parent.mkdir(parents=True, exist_ok=True)
                if path.is_file():
                    target.write_bytes(path.read_bytes())
        return local_dir

    def delete_folder(self, path_in_repo: str, repo_id: str, *, repo_type: str) -> None:
        import shutil

        assert repo_id == "ann/orchestra-jobs" and repo_type == "dataset"
        shutil.rmtree(self.place / path_in_repo)

    def run_uv_job(self, script: str, **options: Any) -> Any:
        assert Path(script).is_file()
        self.options = options
        return SimpleNamespace(id="remote-1")

    def inspect_job(self, *, job_id: str) -> Any:
        return SimpleNamespace(status=SimpleNamespace(stage=self.stage))

    def fetch_job_logs(self, *, job_id: str, tail: int) -> list[str]:
        return [f"{job_id} line {number}\n" for number in range(tail)]

    def cancel_job(self, *, job_id: str) -> None:
        self.stage = "CANCELED"


async def test_a_hub_job_takes_its_folder_along_and_brings_its_events_back(store: Store, tmp_path: Path):
    hub = Hub(tmp_path / "hub")
    launcher = HubLauncher(lambda token: hub, lambda: "hf_planted", every=0)
    jobs = Jobs(store, tmp_path / "jobs", {"hub": launcher})
    job = await jobs.launch(DEFINITION, launcher="hub")
    parcel = tmp_path / "hub" / job.id
    assert from_toml((parcel / "job.toml").read_text()) == DEFINITION
    assert (parcel / "source" / "orchestra_app" / "__main__.py").is_file()
    assert hub.options["secrets"] == {"HF_TOKEN": "hf_planted"}
    assert "hf_planted" not in (await jobs.get(job.id)).model_dump_json()
    out = parcel / "out"
    out.mkdir()
    (out / EVENTS).write_text('{"type": "saved", "step": 3, "path": "/there/step-3"}\n')
    assert (await jobs.get(job.id)).status == "running"
    assert [event.type for event in await jobs.events(job)] == ["saved"]
    assert await jobs.logs(job, lines=2) == "remote-1 line 0\nremote-1 line 1"
    await jobs.stop(job.id)
    assert (await jobs.get(job.id)).status == "stopped"
    (Path(job.folder) / "job.toml").write_text(to_toml(DEFINITION.model_copy(update={"steps": 9})))
    await jobs.resume(job.id)
    assert "--resume" in hub.options["script_args"]
    assert from_toml((out / "job.toml").read_text()).steps == 9
    hub.stage = "COMPLETED"
    assert (await jobs.get(job.id)).status == "done"
    assert await jobs.delete(job.id) and not parcel.exists() and await store.jobs() == ()


async def test_the_hub_is_asked_about_a_job_now_and_then_however_often_it_is_looked_at(
    store: Store, tmp_path: Path
):
    class Counted(Hub):
        asked = 0

        def whoami(self) -> dict[str, Any]:
            self.asked += 100
            return super().whoami()

        def inspect_job(self, *, job_id: str) -> Any:
            self.asked += 1
            return super().inspect_job(job_id=job_id)

    hub = Counted(tmp_path / "hub")
    jobs = Jobs(store, tmp_path / "jobs", {"hub": HubLauncher(lambda token: hub, lambda: "hf_planted")})
    job = await jobs.launch(DEFINITION, launcher="hub")
    assert [(await jobs.get(job.id)).status for _ in range(9)] == ["running"] * 9 and hub.asked == 101
    await jobs.stop(job.id)
    assert (await jobs.get(job.id)).status == "stopped" and hub.asked == 102


async def test_a_hub_that_does_not_answer_is_not_taken_for_a_job_that_runs(store: Store, tmp_path: Path):
    class Silent(Hub):
        def inspect_job(self, *, job_id: str) -> Any:
            raise OSError("no route")

        def delete_folder(self, path_in_repo: str, repo_id: str, *, repo_type: str) -> None:
            raise OSError("no route")

    hub = Silent(tmp_path / "hub")
    jobs = Jobs(store, tmp_path / "jobs", {"hub": HubLauncher(lambda token: hub, lambda: "hf_planted")})
    job = await jobs.launch(DEFINITION, launcher="hub")
    for _ in range(3):
        assert "did not do it" in str((await jobs.get(job.id)).error)
    # The page then says that something of it is left there.
    assert not await jobs.delete(job.id) and await store.jobs() == ()


async def test_a_remote_that_cannot_be_asked_hides_no_other_job_and_can_be_deleted(
    store: Store, tmp_path: Path
):
    class Away(HubLauncher):
        async def status(self, job: Job) -> JobStatus:
            raise TrainingError("The Hub cannot be reached.")

    hub = Hub(tmp_path / "hub")
    jobs = Jobs(
        store,
        tmp_path / "jobs",
        {
            "hub": Away(lambda token: hub, lambda: "hf_planted"),
            "process": ProcessLauncher({"PYTHONPATH": str(FAKE.parents[2])}, COMMAND),
        },
    )
    away, here = await jobs.launch(DEFINITION, launcher="hub"), await jobs.launch(DEFINITION)
    found = {job.id: job for job in await jobs.all()}
    assert found[away.id].error == "The Hub cannot be reached." and found[away.id].status == "running"
    assert found[here.id].error is None
    await jobs.delete(away.id)
    assert [job.id for job in await jobs.all()] == [here.id]


async def test_of_visitors_traces_only_those_with_consent_leave_this_machine(
    world: Workspace, tmp_path: Path
):
    orchestrator = await world.orchestrator(policy="rules")
    for seed, (owner, consent) in enumerate((("visitor:1", True), ("visitor:1", False), ("local", False))):
        options = Options(seed=seed, owner=owner, consent=consent, trace_id=f"{owner}-{consent}")
        async with aclosing(world.rollout(orchestrator, world.task("What is 6 * 7?"), options)) as told:
            assert [event async for event, _ in told]
    hub = Hub(tmp_path / "hub")
    launcher = HubLauncher(lambda token: hub, lambda: "hf_planted")
    world.jobs = Jobs(world.store, tmp_path / "jobs", {"hub": launcher})
    kept = {"local": {"visitor:1-True", "local-False"}, "hf:boss": {"visitor:1-True"}}
    for owner, ids in kept.items():
        job = await world.train(Definition(name="mine", mode="traces"), owner=owner, launcher="hub")
        text = (hub.place / job.id / "traces" / "traces.jsonl").read_text()
        assert {json.loads(line)["id"] for line in text.splitlines()} == ids
        assert "visitor:1" not in text.replace("visitor:1-True", "")


async def test_the_hub_is_given_no_job_whose_files_lie_here(store: Store, tmp_path: Path):
    hub = Hub(tmp_path / "hub")
    jobs = Jobs(store, tmp_path / "jobs", {"hub": HubLauncher(lambda token: hub, lambda: "hf_planted")})
    with pytest.raises(TrainingError, match="cannot read .*mine.toml"):
        await jobs.launch(Definition(name="mine", catalog=str(tmp_path / "mine.toml")), launcher="hub")
    assert await store.jobs() == ()


async def test_without_a_token_the_hub_is_refused_in_a_sentence(store: Store, tmp_path: Path):
    jobs = Jobs(store, tmp_path / "jobs", {"hub": HubLauncher(lambda token: Hub(tmp_path), lambda: None)})
    with pytest.raises(TrainingError, match="HF_TOKEN"):
        await jobs.launch(DEFINITION, launcher="hub")


async def test_a_ray_job_is_submitted_by_its_script_and_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ray = tmp_path / "bin" / "ray"
    ray.parent.mkdir()
    ray.write_text(
        '#!/bin/sh\ncase "$2" in\n submit) echo "Job raysubmit_42 submitted";;\n'
        ' status) echo "Job $3: RUNNING";;\n logs) printf "a\\nb\\n";;\n'
        ' stop) echo "no such job" >&2; exit 1;;\nesac\n'
    )
    ray.chmod(ray.stat().st_mode | stat.S_IXUSR)
    job = Job(id="j", kind="train", definition="", folder=str(tmp_path), created_at="2026-11-23T00:00:00Z")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TrainingError, match="--export-verl"):
        await RayLauncher().submit(job)
    (tmp_path / VERL).mkdir()
    (tmp_path / VERL / "submit.sh").write_text("ray job submit\n")
    with pytest.raises(TrainingError, match="not installed"):
        await RayLauncher(str(tmp_path / "none")).submit(job)
    monkeypatch.setenv("PATH", f"{ray.parent}:{os.environ['PATH']}")
    launcher = RayLauncher()
    submitted = await launcher.submit(job)
    assert submitted.remote == "raysubmit_42" and await launcher.status(submitted) == "running"
    assert await launcher.logs(submitted, lines=1) == "b"
    with pytest.raises(TrainingError, match="no such job"):
        await launcher.cancel(submitted)
