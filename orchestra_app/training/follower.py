"""A process that learns beside a job's own: it takes its share of each step until the job ends."""

import json
import os
import signal
import sys
from pathlib import Path

from torch import distributed

from orchestra_app.core.errors import OrchestraError, TrainingError
from orchestra_app.training.definition import Definition
from orchestra_app.training.learner import Learner
from orchestra_app.training.team import agree, device_of, meet, with_others


def follow(definition: Definition, place: str, *, port: int, rank: int) -> None:
    """Do what the job tells until it is gone; raises TrainingError then."""
    job = os.getppid()

    def gone() -> bool:
        return os.getppid() != job

    meet(port, rank, definition.processes)
    try:
        learner = Learner.load(definition, place, device_of(definition, rank))
    except OrchestraError as error:
        agree(TrainingError(str(error)), gone)
        return
    learner.gone = gone
    agree(None, gone)
    while True:
        told: list = [None, None]
        with_others(lambda told=told: distributed.broadcast_object_list(told, src=0), gone)
        match told:
            case ["restore", (folder,)]:
                learner.restore(Path(folder))
            case ["learn", (shares, step, tokens)]:
                try:
                    learner.take(shares[rank], step, tokens)
                except TrainingError as error:
                    # The job has failed in the same way, and says so itself.
                    print(error, file=sys.stderr)


def main() -> None:
    # Ctrl+C reaches the whole group; the job alone decides how it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    told = json.load(sys.stdin)
    definition = Definition.model_validate(told["definition"])
    try:
        follow(definition, told["place"], port=told["port"], rank=told["rank"])
    except TrainingError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
