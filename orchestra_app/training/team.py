"""Several processes that make each optimiser step together, every one on a device of its own.

The job leads: it deals the samples of a step out, each process takes the gradient of its share, and what all
find is added up, so that the step is the one that a single process would have made.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Thread
from typing import Any

import torch
from torch import distributed
from torch.distributed.rendezvous import rendezvous

from orchestra_app.core.errors import TrainingError
from orchestra_app.training.definition import Definition
from orchestra_app.training.samples import Sample

MEETING = timedelta(minutes=5)
"""How long the processes wait for each other at the start."""
SILENCE = timedelta(days=2)
"""How long the others wait for the next step, while the job plays its rollouts."""
LOOK = 0.5
"""Seconds between two looks at whether the others are still there."""
GRACE = 5.0
"""Seconds in which an exchange may end whose other side has just ended."""
ADDRESS = "127.0.0.1"
GONE = (
    "A process that learns beside this one has ended; its reason stands in the job's log. Resume from the "
    "last checkpoint, with fewer processes if the memory ran out."
)


class Team:
    """The leader's side: it starts the others and tells them what to do."""

    def __init__(self, definition: Definition, place: str):
        """Start the other processes; raises TrainingError where there are fewer GPUs than processes."""
        self.size = definition.processes
        gpus = torch.cuda.device_count() if device_of(definition, 0) != "cpu" else self.size
        if gpus < self.size:
            raise TrainingError(
                f"processes = {self.size}, but there are {gpus} GPUs here: lower it, or use --launcher."
            )
        port = _free_port()
        told = {"definition": definition.model_dump(mode="json"), "place": place, "port": port}
        self.others = [_started(told | {"rank": rank}) for rank in range(1, self.size)]
        try:
            meet(port, 0, self.size)
            agree(None, self.gone)
        except TrainingError:
            self.close()
            raise

    def tell(self, what: str, *details: Any) -> None:
        """Tell the others what to do next; raises TrainingError where one is gone."""
        with_others(lambda: distributed.broadcast_object_list([what, details], src=0), self.gone)

    def gone(self) -> bool:
        """Return whether one of the others has ended."""
        return any(other.poll() is not None for other in self.others)

    def close(self) -> None:
        """End the others."""
        for other in self.others:
            other.kill()
            other.wait()
        if distributed.is_initialized():
            distributed.destroy_process_group()


def device_of(definition: Definition, rank: int) -> str:
    """Return where a process computes: a GPU of its own, or the CPU where there is none."""
    if definition.device == "cpu" or not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{rank}"


def meet(port: int, rank: int, size: int) -> None:
    """Join the processes of a job; raises TrainingError where they do not find each other."""
    try:
        place = f"tcp://{ADDRESS}:{port}?rank={rank}&world_size={size}"
        store, _, _ = next(rendezvous(place, timeout=MEETING))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=SILENCE)
    except RuntimeError as error:
        raise TrainingError(f"The processes that should learn together did not meet: {error}") from error


def deal(samples: Sequence[Sample], size: int) -> list[list[Sample]]:
    """Return a share of the samples for each process; equal ones go together, since they share a row."""
    ordered = sorted(samples, key=lambda each: (each.length, each.prompt, each.completion))
    places: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
    shares: list[list[Sample]] = [[] for _ in range(size)]
    for sample in ordered:
        place = places.setdefault((sample.prompt, sample.completion), len(places))
        shares[place % size].append(sample)
    return shares


def agree(error: TrainingError | None, gone: Callable[[], bool]) -> None:
    """Raise in every process where something went wrong in one of them."""
    wrong = torch.tensor(float(error is not None))
    with_others(lambda: distributed.all_reduce(wrong), gone)
    if error is not None:
        raise error
    if wrong:
        raise TrainingError(GONE)


def add_up(weights: Sequence[Any], figures: dict[str, float], gone: Callable[[], bool]) -> None:
    """Replace gradients and figures of a share by their sums over all processes; raises TrainingError."""
    names = sorted(figures)
    found = torch.tensor([figures[name] for name in names], dtype=torch.float64)

    def summed() -> None:
        distributed.all_reduce(found)
        for weight in weights:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
            distributed.all_reduce(weight.grad)

    with_others(summed, gone)
    figures |= dict(zip(names, found.tolist(), strict=True))


def with_others(exchange: Callable[[], object], gone: Callable[[], bool]) -> None:
    """Run an exchange between processes; raises TrainingError where one of them is gone.

    It runs in a thread, and is left there where `gone` says so: it is not always told.
    """
    failed: list[Exception] = []

    def run() -> None:
        try:
            exchange()
        except Exception as error:  # noqa: BLE001 (raised again below)
            failed.append(error)

    running = Thread(target=run, daemon=True)
    running.start()
    while running.is_alive():
        running.join(LOOK)
        if running.is_alive() and gone():
            running.join(GRACE)
            break
    match failed:
        case [RuntimeError() as error]:
            raise TrainingError(GONE) from error
        case [error]:
            raise error
    if running.is_alive():
        raise TrainingError(GONE)


def _started(told: dict[str, Any]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "orchestra_app.training.follower"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, env=os.environ | {"USE_LIBUV": "0"})
    assert child.stdin is not None, "a pipe was asked for"
    with child.stdin as pipe:
        pipe.write(json.dumps(told).encode())
    return child


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return probe.getsockname()[1]
