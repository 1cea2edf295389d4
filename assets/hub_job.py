"""Runs inside a Hugging Face Job: fetches a training job, runs it, and sends its events as they come.

Usage: hub_job.py REPOSITORY JOB [--resume]; HF_TOKEN may read and write the dataset REPOSITORY.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path

from huggingface_hub import HfApi

EVERY = 20.0
"""Seconds between two looks at what is new."""


def main() -> int:
    repository, job = sys.argv[1:3]
    resume = "--resume" in sys.argv
    api = HfApi()
    wanted = [f"{job}/**"]
    here = Path(
        api.snapshot_download(repository, repo_type="dataset", allow_patterns=wanted, local_dir="parcel")
    )
    folder = here / job
    out = folder / "out"
    out.mkdir(exist_ok=True)
    python = [sys.executable, "-m"]
    subprocess.run([*python, "ensurepip"], check=False)
    subprocess.run([*python, "pip", "install", "--quiet", str(folder / "source")], check=True)
    environment = os.environ | {"ORCHESTRA_HOME": str(here / "home"), "PYTHONPATH": str(folder / "source")}
    orchestra = [*python, "orchestra_app"]
    if (folder / "traces").is_dir():
        subprocess.run([*orchestra, "import", str(folder / "traces")], env=environment, check=True)
    arguments = ["--resume", str(out)] if resume else [str(folder / "job.toml"), "--folder", str(out)]
    ended = threading.Event()
    sender = threading.Thread(target=send, args=(api, repository, job, out, ended))
    sender.start()
    try:
        return subprocess.run([*orchestra, "train", *arguments], env=environment, check=False).returncode
    finally:
        ended.set()
        sender.join()
        api.upload_folder(
            repo_id=repository, repo_type="dataset", folder_path=str(out), path_in_repo=f"{job}/out"
        )


def send(api: HfApi, repository: str, job: str, out: Path, ended: threading.Event) -> None:
    """Upload the events whenever there are more of them, until the job has ended."""
    sent = 0
    events = out / "events.jsonl"
    while not ended.wait(EVERY):
        size = events.stat().st_size if events.is_file() else 0
        if size > sent:
            api.upload_file(
                path_or_fileobj=events.read_bytes(),
                path_in_repo=f"{job}/out/events.jsonl",
                repo_id=repository,
                repo_type="dataset",
            )
            sent = size


if __name__ == "__main__":
    raise SystemExit(main())
