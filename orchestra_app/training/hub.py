"""Runs a job on Hugging Face Jobs: its folder travels through a private dataset, and its events come back."""

import asyncio
import math
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from orchestra_app.backends.local.places import ASSETS
from orchestra_app.core.errors import TrainingError
from orchestra_app.core.job import Job, JobStatus
from orchestra_app.training.definition import load_definition
from orchestra_app.training.launch import DEFINITION
from orchestra_app.training.progress import EVENTS

SCRIPT = ASSETS / "hub_job.py"
ROOT = ASSETS.parent
SOURCE = ("orchestra_app", "assets", "app.py", "requirements.txt", "pyproject.toml", "README.md", "LICENSE")
REPOSITORY = "orchestra-jobs"
FLAVOR, TIMEOUT = "a10g-large", "12h"
EVERY = 20.0
"""Seconds between two questions to the Hub about one job, however many pages show it."""
TOO_MANY = 429
_ENDS: dict[str, JobStatus] = {
    "COMPLETED": "done",
    "CANCELED": "stopped",
    "ERROR": "failed",
    "DELETED": "failed",
}


class HubApi(Protocol):
    """What is used of huggingface_hub's HfApi."""

    def whoami(self) -> dict[str, Any]: ...
    def create_repo(self, repo_id: str, *, repo_type: str, private: bool, exist_ok: bool) -> Any: ...
    def upload_folder(
        self,
        *,
        repo_id: str,
        repo_type: str,
        folder_path: str,
        path_in_repo: str,
        allow_patterns: list[str] | None = None,
    ) -> Any: ...
    def snapshot_download(
        self, repo_id: str, *, repo_type: str, local_dir: str, allow_patterns: list[str]
    ) -> str: ...
    def delete_folder(self, path_in_repo: str, repo_id: str, *, repo_type: str) -> Any: ...
    def run_uv_job(self, script: str, **options: Any) -> Any: ...
    def inspect_job(self, *, job_id: str) -> Any: ...
    def fetch_job_logs(self, *, job_id: str, tail: int) -> Iterable[str]: ...
    def cancel_job(self, *, job_id: str) -> None: ...


class HubLauncher:
    """Runs jobs in the account that `token` belongs to, which pays for them."""

    def __init__(
        self,
        connect: Callable[[str], HubApi],
        token: Callable[[], str | None],
        *,
        flavor: str = FLAVOR,
        timeout: str = TIMEOUT,
        every: float = EVERY,
    ):
        """`connect` makes an HfApi for a token; `flavor` names the hardware, `timeout` the longest run.

        every: seconds for which the answer about a job's status is taken as it was.
        """
        self._connect, self._token = connect, token
        self._flavor, self._timeout, self._every = flavor, timeout, every
        self._heard: dict[str, tuple[float, JobStatus | TrainingError]] = {}
        self._account: tuple[str, str] | None = None

    async def submit(self, job: Job, *, resume: bool = False) -> Job:
        self._heard.pop(job.id, None)
        return await self._asked(self._submit, job, resume)

    async def status(self, job: Job) -> JobStatus:
        heard, found = self._heard.get(job.id, (-math.inf, "running"))
        if time.monotonic() - heard >= self._every:
            try:
                found = await self._asked(self._status, job)
            except TrainingError as error:
                # It is not asked again at once, and is not taken for running meanwhile.
                found = error
            self._heard[job.id] = time.monotonic(), found
        if isinstance(found, TrainingError):
            raise TrainingError(str(found))
        return found

    async def logs(self, job: Job, *, lines: int = 100) -> str:
        def last(api: HubApi, remote: str) -> str:
            return "\n".join(line.rstrip("\n") for line in api.fetch_job_logs(job_id=remote, tail=lines))

        return await self._asked(last, str(job.remote))

    async def cancel(self, job: Job, *, at_once: bool = False) -> None:
        self._heard.pop(job.id, None)
        await self._asked(lambda api, remote: api.cancel_job(job_id=remote), str(job.remote))

    async def forget(self, job: Job) -> None:
        def delete(api: HubApi) -> None:
            api.delete_folder(job.id, self._repository(api), repo_type="dataset")

        await self._asked(delete)

    async def _asked(self, call: Callable[..., Any], *arguments: Any) -> Any:
        # What huggingface_hub itself speaks HTTP with.
        from httpx2 import HTTPError

        token = self._token()
        if not token:
            raise TrainingError("Hugging Face Jobs need a token with the scope `jobs`: set HF_TOKEN.")
        try:
            return await asyncio.to_thread(call, self._connect(token), *arguments)
        except (HTTPError, OSError) as error:
            if _status(error) == TOO_MANY:
                raise TrainingError(
                    "The Hugging Face Hub asks to wait; it is asked again in a while."
                ) from None
            raise TrainingError(
                f"Hugging Face Jobs did not do it ({brief(error)}): "
                "check the token's scope and the account's credit."
            ) from None

    def _submit(self, api: HubApi, job: Job, resume: bool) -> Job:
        folder = Path(job.folder)
        parcel = folder / "parcel"
        if not resume:
            _pack(folder, parcel)
        repository = self._repository(api)
        api.create_repo(repository, repo_type="dataset", private=True, exist_ok=True)
        if not resume:
            api.upload_folder(
                repo_id=repository, repo_type="dataset", folder_path=str(parcel), path_in_repo=job.id
            )
            shutil.rmtree(parcel)
        else:
            # What was changed in the definition since, such as its cap.
            api.upload_folder(
                repo_id=repository,
                repo_type="dataset",
                folder_path=str(folder),
                path_in_repo=f"{job.id}/out",
                allow_patterns=[DEFINITION],
            )
        started = api.run_uv_job(
            str(SCRIPT),
            script_args=[repository, job.id, *(["--resume"] if resume else [])],
            dependencies=["huggingface_hub>=2.4,<3"],
            python="3.12",
            flavor=self._flavor,
            timeout=self._timeout,
            secrets={"HF_TOKEN": self._token()},
            name=f"orchestra-{job.name}",
        )
        return job.model_copy(update={"status": "running", "error": None, "remote": started.id})

    def _repository(self, api: HubApi) -> str:
        # The Hub is strict about how often it is asked whose a token is.
        token = str(self._token())
        if self._account is None or self._account[0] != token:
            self._account = token, api.whoami()["name"]
        return f"{self._account[1]}/{REPOSITORY}"

    def _status(self, api: HubApi, job: Job) -> JobStatus:
        stage = api.inspect_job(job_id=str(job.remote)).status.stage
        found = _ENDS.get(str(getattr(stage, "value", stage)), "running")
        wanted = [f"{job.id}/out/{EVENTS}"] + ([f"{job.id}/out/**"] if found != "running" else [])
        place = Path(job.folder) / "fetched"
        repository = self._repository(api)
        api.snapshot_download(repository, repo_type="dataset", local_dir=str(place), allow_patterns=wanted)
        out = place / job.id / "out"
        if out.is_dir():
            shutil.copytree(out, job.folder, dirs_exist_ok=True)
        return found


def brief(error: Exception) -> str:
    """Return what the Hub's failure is, without its answer, which may repeat the token that was sent."""
    status = _status(error)
    return f"status {status}" if status else type(error).__name__


def _status(error: Exception) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _pack(folder: Path, parcel: Path) -> None:
    """Lay out what the job needs there: its definition, saved traces if any, and this program."""
    if files := load_definition(folder / DEFINITION).files:
        raise TrainingError(
            f"The Hub's machine cannot read {', '.join(files.values())}: name a catalogue and question sets "
            "that come with Orchestra and a base on the Hub, or launch the job on this machine."
        )
    parcel.mkdir()
    shutil.copyfile(folder / DEFINITION, parcel / DEFINITION)
    if (folder / "traces").is_dir():
        shutil.copytree(folder / "traces", parcel / "traces")
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in SOURCE:
        place = ROOT / name
        if place.is_dir():
            shutil.copytree(place, parcel / "source" / name, ignore=ignored)
        elif place.is_file():
            shutil.copyfile(place, parcel / "source" / name)
