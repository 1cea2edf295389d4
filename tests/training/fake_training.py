"""Stands for `orchestra train`: writes events and a checkpoint as that does, and obeys signals."""

import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from orchestra_app.core.events import CatalogRef
from orchestra_app.training import checkpoint, progress


def fill(draft: Path) -> None:
    (draft / "weights").write_bytes(b"w" * 10)


def main() -> None:
    resumed = sys.argv[1] == "--resume"
    folder = Path(sys.argv[-1])
    ended = []
    signal.signal(signal.SIGINT, lambda *_: ended.append(1))
    card = checkpoint.Card(
        name="fake", catalog=CatalogRef(name="rehearsal", hash="0"), schemas="0", made_at=datetime.now(UTC)
    )
    step = 10 if resumed else 1
    print("resumed" if resumed else "begun", flush=True)
    place = checkpoint.place(folder, step)
    checkpoint.write(place, card, fill)
    progress.append(folder, progress.Saved(step=step, path=str(place)))
    for _ in range(3_000):
        if ended or (folder / "end").exists():
            break
        time.sleep(0.01)
    status = "stopped" if ended else "done"
    progress.append(folder, progress.Finished(status=status, step=step, checkpoint=str(place)))


main()
