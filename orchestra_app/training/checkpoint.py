"""Checkpoints: a folder with weights, tokenizer and a card that says how it was made, for which catalogue."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import TrainingError
from orchestra_app.core.events import CatalogRef
from orchestra_app.core.value import Value
from orchestra_app.training.progress import Rollouts, Tally

CARD = "card.json"
STATE = "resume.pt"
"""What training needs to go on: the optimiser's state and the position."""
FOLDER = "checkpoints"
KEPT = "kept"
"""An empty file in a checkpoint that its job must not delete."""


class Lineage(Value):
    """What a checkpoint was made from."""

    job: str = ""
    step: int = 0
    rollouts: int = 0
    """Rollouts that were made for it."""
    learned: Tally = Tally()
    """Groups, traces, labels by whom, and turns that were learned, over all steps."""
    simulated: float = Field(default=1.0, ge=0, le=1)
    """Share of the learned traces whose experts were simulated."""
    spent: float = 0.0
    """USD."""


class Card(Value):
    """How a checkpoint was made, for which catalogue, and what it reaches."""

    name: str
    base: str = ""
    """The policy that it was trained from."""
    root: str = ""
    """The first of the policies that were trained one from another; empty where that is `base`."""
    catalog: CatalogRef
    schemas: str
    """The digest of the tools as the policy reads them."""
    parameters: int = 0
    adapter: bool = False
    """True where the folder holds a LoRA adapter that needs its base."""
    lineage: Lineage = Lineage()
    figures: Rollouts | None = None
    """Its latest evaluation."""
    notes: dict[str, str] = Field(default_factory=dict)
    """Further remarks by title: how it was made, its limits."""
    definition: dict[str, Any] = Field(default_factory=dict)
    """The job's definition."""
    files: dict[str, str] = Field(default_factory=dict)
    """The SHA-256 of every other file."""
    made_at: datetime
    """In UTC."""


def digest(catalog: Catalog) -> str:
    """Return a digest of every tool's schema with all its aliases: what a policy has learned to read."""
    from orchestra_app.training.tokenizer import schemas

    return hashlib.sha256(json.dumps(schemas(catalog)).encode()).hexdigest()[:16]


def fits(card: Card, catalog: Catalog) -> str | None:
    """Return why a checkpoint is out of place under a catalogue, in a sentence; None where it fits."""
    if card.schemas == digest(catalog):
        return None
    return (
        f"The policy {card.name} was trained on the tools of {card.catalog.name} ({card.catalog.hash}), "
        f"which read otherwise than those of {catalog.name} now: train it anew for this catalogue."
    )


def write(folder: Path, card: Card, fill: Callable[[Path], None]) -> Card:
    """Write a checkpoint whole or not at all, and return its card with the digests of its files.

    fill: writes everything but the card into the folder that it is given. Raises TrainingError where the disk
    is full; what was there before stays.
    """
    draft = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        draft.mkdir(parents=True)
        fill(draft)
        card = card.model_copy(update={"files": _digests(draft)})
        (draft / CARD).write_text(card.model_dump_json(indent=1), encoding="utf-8")
        for path in draft.rglob("*"):
            _sync(path)
        before = folder.with_name(f"{draft.name}.before")
        if folder.exists():
            if (folder / KEPT).exists():
                keep(draft)
            folder.rename(before)
        draft.rename(folder)
        _sync(folder.parent)
        shutil.rmtree(before, ignore_errors=True)
    except (OSError, RuntimeError, ValueError) as error:
        # torch and safetensors tell of a full disk by errors of their own, transformers of odd settings.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)[:120]
        raise TrainingError(
            f"The checkpoint {folder.name} cannot be written ({reason}): free some space and resume the job; "
            "the checkpoints before it are whole."
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return card


def read_card(folder: Path) -> Card:
    """Return the card of a checkpoint; raises TrainingError where there is none that can be read."""
    try:
        return Card.model_validate_json((folder / CARD).read_bytes())
    except OSError:
        raise TrainingError(
            f"{folder} holds no {CARD}, so it is no checkpoint; give a checkpoint's folder."
        ) from None
    except ValidationError as error:
        raise TrainingError(f"The {CARD} of {folder} is damaged: {_OTHERS}.") from error


def verify(folder: Path, *, to_go_on: bool = True) -> Card:
    """Return the card of a checkpoint whose files are all as they were written; raises TrainingError.

    to_go_on: whether its job is to be resumed; one from the Hub holds only the policy.
    """
    card = read_card(folder)
    try:
        found = _digests(folder)
    except OSError as error:
        raise TrainingError(f"{folder} cannot be read ({error.strerror}): check its permissions.") from error
    for name, written in card.files.items():
        if name not in found:
            if name == STATE and not to_go_on:
                continue
            raise TrainingError(f"The checkpoint {folder} lacks its file {name}: {_OTHERS}.")
        if found[name] != written:
            raise TrainingError(f"The checkpoint {folder} is damaged, {name} has changed: {_OTHERS}.")
    return card


_OTHERS = "copy it anew, or take an earlier checkpoint"


def all_of(folder: Path) -> list[Path]:
    """Return the checkpoints of a job's folder, the latest first."""
    return sorted((folder / FOLDER).glob("step-*"), reverse=True)


def latest(folder: Path) -> tuple[Path, Card] | None:
    """Return the latest whole checkpoint of a job and its card; None without any.

    Raises TrainingError where there are some and none is whole.
    """
    broken: TrainingError | None = None
    for path in all_of(folder):
        try:
            return path, verify(path)
        except TrainingError as error:
            broken = broken or error
    if broken is not None:
        raise broken
    return None


def place(folder: Path, step: int) -> Path:
    """Return where the checkpoint of a step lies in a job's folder."""
    return folder / FOLDER / f"step-{step:06d}"


def _digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != CARD:
            with path.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def keep(folder: Path, *, on: bool = True) -> None:
    """Let a checkpoint outlast those of its job that are removed, or take that back; raises TrainingError."""
    try:
        if on:
            (folder / KEPT).touch()
        else:
            (folder / KEPT).unlink(missing_ok=True)
    except OSError as error:
        raise TrainingError(
            f"{folder} cannot be written ({error.strerror}): allow writing there, or free some space."
        ) from error


def remove(folders: Iterable[Path]) -> None:
    """Delete checkpoints that are not kept; a half deleted one is seen as no checkpoint."""
    for folder in folders:
        if (folder / KEPT).exists():
            continue
        hidden = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
        folder.rename(hidden)
        shutil.rmtree(hidden, ignore_errors=True)
