"""The rehearsal's questions with gold answers, generated from fixed seeds one split at a time."""

from collections.abc import Callable
from functools import cache
from typing import Literal

from orchestra_app.core.errors import ConfigError
from orchestra_app.core.task import Budget, Preference, Task
from orchestra_app.core.value import Value
from orchestra_app.rehearsal.draws import SPLITS, Draw, Split
from orchestra_app.rehearsal.forms import Draft
from orchestra_app.rehearsal.lookups import fact, two_documents
from orchestra_app.rehearsal.maths import maths
from orchestra_app.rehearsal.snippets import code
from orchestra_app.rehearsal.sums import arithmetic
from orchestra_app.rehearsal.terms import specialist

QuestionKind = Literal["arithmetic", "maths", "fact", "code", "specialist", "twodoc"]

_PER_KIND: dict[Split, int] = {"train": 500, "heldout": 400, "reworded": 100}
_SUBJECTS: dict[QuestionKind, Callable[[Draw], Draft]] = {
    "arithmetic": arithmetic,
    "maths": maths,
    "fact": fact,
    "code": code,
    "specialist": specialist,
    "twodoc": two_documents,
}


class Question(Value):
    """One generated question; no prompt ever carries more of it than its text."""

    id: str
    split: Split
    """`train`; `heldout`: new places, terms and numbers; `reworded`: these in wordings never seen."""
    kind: QuestionKind
    text: str
    gold: str
    program: str = ""
    """Python that prints the gold answer; empty where no computation gives it."""
    needs: tuple[str, ...] = ()
    """Titles of the documents that state what is needed."""
    query: str = ""
    """Key words that name everything that is needed; empty where nothing needs to be looked up."""


@cache
def questions(split: Split) -> tuple[Question, ...]:
    """Return all questions of one split, the six kinds in turn; raises ConfigError for an unknown split."""
    if split not in SPLITS:
        raise ConfigError(f"There is no question set {split!r}; choose one of {', '.join(SPLITS)}.")
    columns = [_of_kind(split, kind) for kind in _SUBJECTS]
    return tuple(question for row in zip(*columns, strict=True) for question in row)


def find(text: str) -> Question | None:
    """Return the question with exactly this text, or None for one that somebody typed."""
    return _by_text().get(text.strip())


def as_task(
    question: Question, *, preference: Preference | None = None, budget: Budget | None = None
) -> Task:
    """Return the question as a task with its gold answer; the source is `rehearsal:` and the split."""
    task = Task(
        id=question.id,
        question=question.text,
        answer=question.gold,
        source=f"rehearsal:{question.split}",
    )
    chosen = {"preference": preference, "budget": budget}
    return task.model_copy(update={name: value for name, value in chosen.items() if value is not None})


@cache
def _by_text() -> dict[str, Question]:
    return {question.text: question for split in SPLITS for question in questions(split)}


def _of_kind(split: Split, kind: QuestionKind) -> list[Question]:
    draw = Draw(split, kind)
    drafts: dict[str, Draft] = {}
    while len(drafts) < _PER_KIND[split]:
        draft = _SUBJECTS[kind](draw)
        drafts.setdefault(draft.text, draft)
    return [
        Question(
            id=f"{split}-{kind}-{number:03d}",
            split=split,
            kind=kind,
            text=draft.text,
            gold=draft.gold,
            program=draft.program,
            needs=draft.needs,
            query=draft.query,
        )
        for number, draft in enumerate(drafts.values())
    ]
