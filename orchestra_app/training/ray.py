"""Submits a job's verl folder to a Ray cluster with Ray's own command, where that is installed."""

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

from orchestra_app.core.errors import TrainingError
from orchestra_app.core.job import Job, JobStatus

VERL = "verl"
"""The folder inside a job's folder that is handed over."""
SUBMITTED = re.compile(r"\b(raysubmit_\w+)")
_ENDS: dict[str, JobStatus] = {"SUCCEEDED": "done", "FAILED": "failed", "STOPPED": "stopped"}
_STATUS = re.compile(r"\b(PENDING|RUNNING|SUCCEEDED|FAILED|STOPPED)\b")


class RayLauncher:
    """Runs a job on the cluster at RAY_ADDRESS; its figures are in the cluster's own log."""

    def __init__(self, command: str = "ray"):
        self._command = command

    async def submit(self, job: Job, *, resume: bool = False) -> Job:
        """Submit the exported folder; verl resumes by itself from the checkpoints of the same experiment."""
        script = Path(job.folder) / VERL / "submit.sh"
        if not script.is_file():
            raise TrainingError(f"{script} is missing: export the job with --export-verl first.")
        printed = await self._run(["bash", str(script)], timeout=600)
        found = SUBMITTED.search(printed)
        if found is None:
            raise TrainingError("Ray took the job but named no id: look it up with `ray job list`.")
        return job.model_copy(update={"status": "running", "error": None, "remote": found[1]})

    async def status(self, job: Job) -> JobStatus:
        printed = await self._ray("status", job)
        found = _STATUS.findall(printed)
        return _ENDS.get(found[-1], "running") if found else "running"

    async def logs(self, job: Job, *, lines: int = 100) -> str:
        return "\n".join((await self._ray("logs", job)).splitlines()[-lines:])

    async def cancel(self, job: Job, *, at_once: bool = False) -> None:
        await self._ray("stop", job)

    async def forget(self, job: Job) -> None:
        """Do nothing: what the cluster keeps of a job is the cluster's own."""

    async def _ray(self, verb: str, job: Job) -> str:
        return await self._run([self._command, "job", verb, str(job.remote)], timeout=60)

    async def _run(self, command: list[str], *, timeout: float) -> str:
        if shutil.which(self._command) is None:
            raise TrainingError(
                "The command `ray` is not installed here: pip install 'ray[default]', set RAY_ADDRESS to the "
                "cluster, and try again."
            )
        try:
            done = await asyncio.to_thread(
                subprocess.run, command, capture_output=True, text=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired:
            raise TrainingError(
                "The Ray cluster does not answer: check RAY_ADDRESS and that it is up."
            ) from None
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise TrainingError(f"Ray refused the job ({' '.join(last)[:300]}): check RAY_ADDRESS.")
        return done.stdout
