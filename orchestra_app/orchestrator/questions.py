"""Question sets: the rehearsal's, a person's own file of questions and answers, and those of saved traces."""

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from orchestra_app.catalogs.files import read_text
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.task import MAX_QUESTION
from orchestra_app.core.value import Value
from orchestra_app.rehearsal import questions as rehearsal
from orchestra_app.storage.outcomes import Outcome, Wanted
from orchestra_app.storage.store import Store

MOST_BYTES = 64 * 2**20
QUESTION_NAMES = ("question", "problem", "prompt", "input")
ANSWER_NAMES = ("answer", "gold", "gold_answer", "expected", "output")
SHOWN = 5
"""Refused rows that one message lists."""


class Question(Value):
    """One question of a set."""

    id: str
    text: str
    answer: str | None = None
    source: str = ""
    """`rehearsal:` and the split, the name of a file, or `traces`."""


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """The questions that can be asked, and why the others of the file cannot."""

    title: str
    questions: tuple[Question, ...]
    refused: tuple[str, ...] = ()
    """A sentence for each row that is no question, with its row and column."""

    @property
    def answered(self) -> int:
        """How many of the questions have an answer to compare with."""
        return sum(question.answer is not None for question in self.questions)

    def first(self, limit: int | None) -> "QuestionSet":
        """Return the same set with at most `limit` questions."""
        return QuestionSet(self.title, self.questions[:limit], self.refused)


def is_rehearsal(name: str) -> bool:
    """Return whether a question set's name means the rehearsal, not a file."""
    return name == "rehearsal" or name.startswith("rehearsal:")


def from_rehearsal(split: str) -> QuestionSet:
    """Return a split of the rehearsal, the kinds of question in turn; raises ConfigError."""
    if split not in rehearsal.SPLITS:
        known = ", ".join(f"rehearsal:{each}" for each in rehearsal.SPLITS)
        raise ConfigError(f"The rehearsal has no split {split[:80]!r}; choose one of: {known}.")
    source = f"rehearsal:{split}"
    found = (
        Question(id=each.id, text=each.text, answer=each.gold, source=source)
        for each in rehearsal.questions(split)
    )
    return QuestionSet(source, tuple(found))


def from_file(path: Path) -> QuestionSet:
    """Return the questions of a .csv, .jsonl or .ndjson file; raises ConfigError where it has none.

    A row needs a column `question`, and may have `answer` and `id`. Rows that are no question are refused one
    by one and the others are kept.
    """
    text = read_text(path, MOST_BYTES, "a question set")
    rows = _csv_rows(text, path.name) if path.suffix.lower() == ".csv" else _json_rows(text)
    return from_rows(rows, path.name)


Found = tuple[str, Mapping[str, Any] | str]
"""Where a row stands, and the row or what is wrong with it."""


def from_rows(rows: Iterable[Found], title: str) -> QuestionSet:
    """Return the questions of rows that were read; raises ConfigError where there is none."""
    found: dict[str, Question] = {}
    refused: list[str] = []
    texts: dict[str, str] = {}
    for place, row in rows:
        question = row if isinstance(row, str) else _question(row, title)
        if isinstance(question, str):
            refused.append(f"{title}, {place}: {question}")
        elif (other := texts.get(question.text)) is not None:
            refused.append(f"{title}, {place}: the same question stands in {other}.")
        elif question.id in found:
            refused.append(f"{title}, {place}, column `id`: {question.id[:80]!r} stands there twice.")
        else:
            found[question.id] = question
            texts[question.text] = place
    if not found:
        why = " ".join(refused[:SHOWN]) or "It has no rows."
        raise ConfigError(f"{title} holds no question that can be asked. {why}")
    return QuestionSet(title, tuple(found.values()), tuple(refused))


async def from_traces(store: Store, wanted: Wanted) -> QuestionSet:
    """Return the questions of saved traces, each once, with the answer that is known; raises ConfigError.

    What a person said last is believed before what came with the question.
    """
    return _of_outcomes(await store.outcomes(wanted), await store.golds(wanted))


def _of_outcomes(outcomes: Iterable[Outcome], golds: Mapping[str, str]) -> QuestionSet:
    answers: dict[str, str | None] = {}
    for outcome in outcomes:
        text = outcome.task.question
        answers[text] = golds.get(text) or answers.get(text) or outcome.task.answer
    if not answers:
        raise ConfigError('No trace is saved yet; ask something first: orchestra ask "What is 6 * 7?"')
    questions = (
        Question(id=digest(text), text=text, answer=answer, source="traces")
        for text, answer in answers.items()
    )
    return QuestionSet("traces", tuple(questions))


def digest(text: str) -> str:
    """Return a short id that depends on a question's text alone."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _csv_rows(text: str, name: str) -> Iterator[Found]:
    records = _csv_records(text)
    _, first = next(records, (0, []))
    header = [] if isinstance(first, str) else [cell.strip().lower() for cell in first]
    if set(QUESTION_NAMES).isdisjoint(header):
        shown = ", ".join(repr(cell[:40]) for cell in header[:8]) or "nothing that can be read"
        raise ConfigError(
            f"{name}, row 1 names no column `question` but {shown}; name the columns question and answer."
        )
    for number, record in records:
        if isinstance(record, str):
            yield f"row {number}", record
        elif len(record) > len(header):
            extra = "it has more columns than row 1; put texts with commas in quotes."
            yield f"row {number}, column {len(header) + 1}", extra
        elif any(cell.strip() for cell in record):
            yield f"row {number}", dict(zip(header, record, strict=False))


def _csv_records(text: str) -> Iterator[tuple[int, list[str] | str]]:
    """Yield each record with its number from 1, or what is wrong with it; a broken one costs no other."""
    lines = list(StringIO(text.replace("\x00", "\ufffd"), newline=""))
    at, number = 0, 0

    def rest() -> Iterator[str]:
        nonlocal at
        while at < len(lines):
            at += 1
            yield lines[at - 1]

    reader = csv.reader(rest(), strict=True)
    while at < len(lines):
        number, start = number + 1, at
        try:
            yield number, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, f"it cannot be read ({error}); check its quotes."
            # A quote that is never closed takes in all that follows, so reading goes on in the next line.
            at, reader = start + 1, csv.reader(rest(), strict=True)


def _json_rows(text: str) -> Iterator[Found]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"row {number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            yield f"{place}, column {error.colno}", f"it is no JSON: {error.msg}."
        except (ValueError, RecursionError):
            yield place, "it is no JSON that can be read."
        else:
            known = (
                {str(name).lower(): value for name, value in row.items()} if isinstance(row, dict) else None
            )
            yield place, "it is no JSON object." if known is None else known


def _question(row: Mapping[str, Any], title: str) -> Question | str:
    """Return the question of a row, or what is wrong with it."""
    name, value = _first(row, QUESTION_NAMES)
    if not isinstance(value, str) or not value.strip():
        return f"column `{name}` holds no question."
    text = value.strip()
    if len(text) > MAX_QUESTION:
        return f"column `{name}` has {len(text):,} characters; {MAX_QUESTION:,} are the most."
    answer_name, answer = _first(row, ANSWER_NAMES)
    if isinstance(answer, bool) or not isinstance(answer, str | int | float | None):
        return f"column `{answer_name}` is neither a text nor a number."
    answer = None if answer is None else str(answer).strip() or None
    found = row.get("id")
    if found is not None and not isinstance(found, str | int):
        return "column `id` is neither a text nor a number."
    if not _writable(text, answer or "", str(found)):
        return "it holds half characters, which no UTF-8 text has."
    own = str(found).strip() if found not in (None, "") else digest(text)
    return Question(id=own, text=text, answer=answer, source=title)


def _writable(*texts: str) -> bool:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, Any]:
    return next(((name, row[name]) for name in names if row.get(name) is not None), (names[0], None))
