"""Runs assets/hub_job.py as on a machine of the Hub: the Hub is a folder, and only training runs there."""

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from orchestra_app.training.hub import SCRIPT

HUB = Path(sys.argv[1])


class HfApi:
    """Keeps what is uploaded in a folder; refuses one upload where a file `busy` lies in it."""

    def snapshot_download(self, repo_id: str, *, local_dir: str, **_: Any) -> str:
        shutil.copytree(HUB, local_dir)
        return local_dir

    def upload_folder(
        self, *, folder_path: str, path_in_repo: str, ignore_patterns: list[str], **_: Any
    ) -> None:
        if (HUB / "busy").exists():
            (HUB / "busy").unlink()
            raise OSError("status 429")
        ignored = shutil.ignore_patterns(*ignore_patterns)
        shutil.copytree(folder_path, HUB / path_in_repo, ignore=ignored, dirs_exist_ok=True)


def main() -> int:
    library = ModuleType("huggingface_hub")
    library.HfApi = HfApi  # pyright: ignore[reportAttributeAccessIssue]
    sys.modules["huggingface_hub"] = library
    spec = importlib.util.spec_from_file_location("hub_job", SCRIPT)
    assert spec is not None and spec.loader is not None
    job = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(job)
    vars(job)["EVERY"] = 0.05
    sys.executable = sys.argv[2]
    sys.argv = [str(SCRIPT), "ann/orchestra-jobs", *sys.argv[3:]]
    return job.main()


raise SystemExit(main())
