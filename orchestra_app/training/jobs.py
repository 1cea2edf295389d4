"""Training jobs as people see them: launched, watched, stopped and resumed, with their checkpoints."""

import asyncio
import shutil
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestra_app.core.errors import OrchestraError, TrainingError
from orchestra_app.core.job import Checkpoint, Job, JobStatus
from orchestra_app.storage.process import Process, alive, current
from orchestra_app.storage.store import Store
from orchestra_app.training.checkpoint import FOLDER, all_of, keep, read_card
from orchestra_app.training.definition import Definition, to_toml
from orchestra_app.training.launch import DEFINITION, Launcher
from orchestra_app.training.progress import Finished, Progress, read

KIND = "train"
_ENDS: Mapping[str, JobStatus] = {"done": "done", "capped": "done", "stopped": "stopped", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class Jobs:
    """The training jobs of one store; their folders lie in `home`."""

    store: Store
    home: Path
    launchers: Mapping[str, Launcher]
    _resuming: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False, compare=False)

    async def all(self) -> tuple[Job, ...]:
        """Return every job, brought up to date with its process, the newest first."""
        return tuple([await self.refresh(job) for job in await self.store.jobs(KIND)])

    async def get(self, job_id: str) -> Job:
        """Return one job, brought up to date; raises TrainingError where there is none."""
        found = next((job for job in await self.store.jobs(KIND) if job.id == job_id), None)
        if found is None:
            raise TrainingError(f"There is no job {job_id[:40]!r}; choose one from the list.")
        return await self.refresh(found)

    async def in_folder(self, folder: Path) -> Job:
        """Return the job that lies in a folder; raises TrainingError where none is known there."""
        place = folder.resolve()
        known = (job for job in await self.store.jobs(KIND) if Path(job.folder).resolve() == place)
        found = next(known, None)
        if found is None:
            raise TrainingError(f"No job is known in {folder}: run it here, without --launcher.")
        return found

    async def launch(
        self,
        definition: Definition,
        *,
        owner: str = "local",
        launcher: str = "process",
        prepare: Callable[[Path], Awaitable[None]] | None = None,
    ) -> Job:
        """Write a job's folder, start it and return it; raises OrchestraError, with nothing left behind.

        prepare: adds to the folder what the launcher takes along.
        """
        runner = self._launcher(launcher)
        job_id = new_id()
        folder = self.home / f"{definition.name}-{job_id}"
        job = _job(job_id, definition, folder, owner=owner, launcher=launcher)
        try:
            folder.mkdir(parents=True)
            (folder / DEFINITION).write_text(job.definition, encoding="utf-8")
        except OSError as error:
            raise TrainingError(
                f"{folder} cannot be written ({error.strerror}): free some space, or allow writing there."
            ) from error
        try:
            # Known before it runs: what runs and is paid for must be found again.
            await self.store.save_job(job)
            if prepare is not None:
                await prepare(folder)
            started = await runner.submit(job)
        except OrchestraError:
            await self.store.remove_job(job.id)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        await self.store.save_job(started)
        return started

    async def taken_on(self, definition: Definition, folder: Path) -> Job:
        """Return the job in `folder` as one that this process runs now, known from here on."""
        try:
            job = await self.in_folder(folder)
        except TrainingError:
            job = _job(new_id(), definition, folder.resolve())
        update = {"status": "running", "error": None, "launcher": "process", "remote": None, **_here()}
        taken = job.model_copy(update=update)
        await self.store.save_job(taken)
        return taken

    async def settle(self, job: Job) -> None:
        """Keep how a job ended that this process ran, and its checkpoints."""
        now = job.model_copy(update=_ended((await self.events(job))[job.heard :], "interrupted"))
        await self.store.save_job(now)
        await self._keep_checkpoints(now)

    async def resume(self, job_id: str) -> Job:
        """Let a job that is over go on from its last checkpoint; raises TrainingError where it still runs."""
        # Two clicks start it once: the second sees that it runs.
        async with self._resuming:
            job = await self.get(job_id)
            if not job.over:
                raise TrainingError(f"The job {job.name} is running; stop it before you resume it.")
            told = job.model_copy(update={"heard": len(await self.events(job))})
            started = await self._launcher(job.launcher).submit(told, resume=True)
            await self.store.save_job(started)
            return started

    async def stop(self, job_id: str, *, at_once: bool = False) -> Job:
        """Ask a job to end with a checkpoint, or end it at once; return it as it is now.

        Raises TrainingError where it cannot be asked.
        """
        job = await self.get(job_id)
        if job.status == "queued":
            raise TrainingError(f"The job {job.name} is being handed over; stop it when it runs.")
        if not job.over:
            await self._launcher(job.launcher).cancel(job, at_once=at_once)
        return await self.refresh(job)

    async def delete(self, job_id: str) -> bool:
        """Delete a job that is over with its checkpoints; raises TrainingError where it runs.

        Its folder goes too, unless somebody chose it for `orchestra train`: other things may lie there.
        Return whether nothing of it is left elsewhere.
        """
        job = await self.get(job_id)
        # One whose launcher cannot be asked may be deleted: it would stay for ever.
        if not job.over and job.error is None:
            raise TrainingError(f"The job {job.name} is running; stop it before you delete it.")
        try:
            await self._launcher(job.launcher).forget(job)
            whole = True
        except TrainingError:
            whole = False
        for checkpoint in await self.store.checkpoints():
            if checkpoint.job == job.id:
                await self.store.remove_checkpoint(checkpoint.id)
        folder = Path(job.folder)
        if not folder.resolve().is_relative_to(self.home.resolve()):
            folder /= FOLDER
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        await self.store.remove_job(job.id)
        return whole

    async def checkpoint(self, checkpoint_id: str) -> Checkpoint:
        """Return one checkpoint; raises TrainingError where there is none."""
        found = next((each for each in await self.store.checkpoints() if each.id == checkpoint_id), None)
        if found is None:
            raise TrainingError(f"There is no checkpoint {checkpoint_id[:60]!r}; choose one from the list.")
        return found

    async def promote(self, checkpoint_id: str, *, on: bool = True) -> Checkpoint:
        """Make a checkpoint the default policy of its catalogue, or take that back; raises TrainingError."""
        found = await self.checkpoint(checkpoint_id)
        # Its job may be running, and would delete it with the next one.
        await asyncio.to_thread(keep, Path(found.path), on=on)
        changed = found.model_copy(update={"promoted_at": datetime.now(UTC) if on else None})
        await self.store.save_checkpoint(changed)
        return changed

    async def logs(self, job: Job, *, lines: int = 100) -> str:
        """Return the last lines that a job printed."""
        return await self._launcher(job.launcher).logs(job, lines=lines)

    async def events(self, job: Job) -> list[Progress]:
        """Return everything that a job has told so far."""
        return (await asyncio.to_thread(read, Path(job.folder)))[0]

    async def refresh(self, job: Job) -> Job:
        """Return a job with its present status, kept in the store with its checkpoints."""
        if job.over:
            return job
        try:
            status = await self._alive(job)
        except TrainingError as error:
            # What cannot be asked now costs no other job its place in the list.
            return job.model_copy(update={"error": str(error)})
        events = await self.events(job)
        now = job
        if status not in ("queued", "running"):
            now = job.model_copy(update=_ended(events[job.heard :], status))
            await self.store.save_job(now)
        await self._keep_checkpoints(now)
        return now

    async def _alive(self, job: Job) -> JobStatus:
        if job.status == "queued":
            # While it is handed over, its process is the one that does so.
            return "interrupted" if alive(Process(job.host, job.pid, job.process)) is False else "queued"
        return await self._launcher(job.launcher).status(job)

    async def _keep_checkpoints(self, job: Job) -> None:
        """Let the store know the checkpoints that lie in the job's folder; training deletes old ones."""
        known = {each.id: each for each in await self.store.checkpoints() if each.job == job.id}
        there = await asyncio.to_thread(_checkpoints, job)
        for name in there.keys() - known.keys():
            await self.store.save_checkpoint(there[name])
        for name in known.keys() - there.keys():
            await self.store.remove_checkpoint(name)

    def _launcher(self, name: str) -> Launcher:
        if name not in self.launchers:
            known = ", ".join(self.launchers)
            raise TrainingError(f"There is no launcher {name[:40]!r}; choose one of: {known}.")
        return self.launchers[name]


def new_id() -> str:
    """Return an id for a new job."""
    return uuid.uuid4().hex[:12]


def _job(
    job_id: str, definition: Definition, folder: Path, *, owner: str = "local", launcher: str = "process"
) -> Job:
    return Job(
        id=job_id,
        kind=KIND,
        name=definition.name,
        definition=to_toml(definition),
        folder=str(folder),
        launcher=launcher,
        cap=definition.cap,
        owner=owner,
        created_at=datetime.now(UTC),
        **_here(),
    )


def _here() -> dict[str, Any]:
    """Return the fields of a job that say that this process runs it."""
    here = current()
    return {"host": here.host, "pid": here.pid, "process": here.started}


def _ended(events: list[Progress], status: JobStatus) -> dict[str, object]:
    """Return how a job ended that runs no more, by the last event since it was last started."""
    last = events[-1] if events else None
    if isinstance(last, Finished):
        return {"status": _ENDS[last.status], "error": last.reason or None}
    if status != "interrupted":
        return {"status": status}
    return {
        "status": "interrupted",
        "error": "The job was ended before it could finish: resume it, or see its log.",
    }


def _checkpoints(job: Job) -> dict[str, Checkpoint]:
    found = {}
    for path in all_of(Path(job.folder)):
        try:
            card = read_card(path)
        except TrainingError:
            # One that is damaged cannot be chosen; its job still shows it in its log.
            continue
        name = f"{job.id}-{path.name}"
        found[name] = Checkpoint(
            id=name,
            job=job.id,
            name=f"{job.name}-{card.lineage.step}-{job.id[:4]}",
            path=str(path),
            catalog=card.catalog.name,
            card=card.model_dump(mode="json"),
            at=card.made_at,
        )
    return found
