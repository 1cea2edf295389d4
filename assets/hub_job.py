"""Runs inside a Hugging Face Job: fetches a training job, runs it, and sends what it makes as it comes.

Usage: hub_job.py REPOSITORY JOB [--resume]; HF_TOKEN may read and write the dataset REPOSITORY.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from huggingface_hub import HfApi

EVERY = 60.0
"""Seconds between two looks at what is new; the Hub takes 128 commits an hour."""
TRIES = 5
DRAFTS = [".*", "**/.*"]
"""Checkpoints that are being written or deleted."""


def main() -> int:
    repository, job = sys.argv[1:3]
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
    # A job that ended before anything of it was kept begins anew.
    resume = "--resume" in sys.argv and (out / "job.toml").is_file()
    arguments = ["--resume", str(out)] if resume else [str(folder / "job.toml"), "--folder", str(out)]
    ended = threading.Event()

    def send() -> None:
        api.upload_folder(
            repo_id=repository,
            repo_type="dataset",
            folder_path=str(out),
            path_in_repo=f"{job}/out",
            ignore_patterns=DRAFTS,
        )

    with subprocess.Popen([*orchestra, "train", *arguments], env=environment) as training:
        # Whoever ends this program gets the checkpoint that an interrupted job writes.
        signal.signal(signal.SIGTERM, lambda *_: training.send_signal(signal.SIGINT))
        sender = threading.Thread(target=keep_sending, args=(send, out / "events.jsonl", ended))
        sender.start()
        try:
            return training.wait()
        finally:
            ended.set()
            sender.join()
            last(send)


def keep_sending(send, events: Path, ended: threading.Event) -> None:
    """Upload what there is whenever there are more events, until the job has ended."""
    sent = 0
    while not ended.wait(EVERY):
        size = events.stat().st_size if events.is_file() else 0
        if size > sent and sends(send):
            sent = size


def last(send) -> None:
    """Upload the result, and try again where the Hub asks to wait: nothing else has it."""
    for tried in range(TRIES):
        if sends(send):
            return
        time.sleep(EVERY * (tried + 1))
    send()


def sends(send) -> bool:
    try:
        send()
    except Exception as error:  # noqa: BLE001 - whatever it is, the training goes on and the upload is tried again
        print(f"Not uploaded yet: {type(error).__name__}", file=sys.stderr, flush=True)
        return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
