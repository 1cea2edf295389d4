"""What a simulated expert has before it: the question, what the run has found so far, and its own chances."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from orchestra_app.backends.base import Request
from orchestra_app.core.errors import BackendError
from orchestra_app.core.message import Document, Execution
from orchestra_app.core.trace import alias_of
from orchestra_app.rehearsal.corpus import texts
from orchestra_app.rehearsal.draws import luck
from orchestra_app.rehearsal.questions import Question


@dataclass(frozen=True, slots=True)
class Situation:
    """One call of a simulated expert on a rehearsal question."""

    request: Request
    question: Question
    missing: tuple[str, ...]
    """Titles of the documents that are needed and have not been found."""
    computed: bool
    """True where code that ran has printed the gold answer."""
    attempt: int
    """How often the alias was called before in this run."""

    @property
    def name(self) -> str:
        """The situation as the catalogue's `skills` name it."""
        kind = self.question.kind
        found = not self.missing
        match kind:
            case "fact":
                return "fact_document" if found else "fact"
            case "twodoc" if self.computed:
                return "twodoc_computed"
            case "twodoc":
                return "twodoc_documents" if found else "twodoc"
            case "specialist":
                return kind
        return "computed" if self.computed else kind

    def chance(self, skill: str) -> float:
        """Return the model's chance in [0, 1]; raises BackendError where the catalogue gives none."""
        figure = self.request.model.skills.get(skill)
        if figure is None:
            name = self.request.name
            raise BackendError(
                f"The simulated model {name} has no skill {skill!r}: add it to [models.{name}.skills]."
            )
        return figure.value

    def luck(self, *key: str | int) -> float:
        """Return a number in [0, 1) for one decision of this model on this question."""
        return luck(self.request.state.seed, self.question.text, self.request.name, *key)


def situation(request: Request, question: Question) -> Situation:
    """Return where the run stands for this question, read from the documents and outputs themselves."""
    state = request.state
    return Situation(
        request,
        question,
        missing=tuple(title for title in question.needs if not _has(state.documents, title)),
        computed=_printed(question.gold, state.executions),
        attempt=attempts(request),
    )


def attempts(request: Request) -> int:
    """Return how often the request's alias was called in earlier turns."""
    calls = (call for turn in request.state.turns for call in turn.reply.calls)
    return sum(alias_of(call) == request.alias for call in calls)


def context_key(request: Request) -> str:
    """Return a digest of the documents and outputs that the run has found."""
    digest = hashlib.blake2b(digest_size=8)
    for document in request.state.documents:
        digest.update(document.text.encode(errors="replace") + b"\0")
    for execution in request.state.executions:
        digest.update(execution.stdout.encode(errors="replace") + b"\1")
    return digest.hexdigest()


def _has(documents: Sequence[Document], title: str) -> bool:
    return any(texts()[title] in document.text for document in documents)


def _printed(gold: str, executions: Sequence[Execution]) -> bool:
    return any(_alone(gold).search(execution.stdout) for execution in executions)


@lru_cache(maxsize=1024)
def _alone(gold: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(gold)}(?!\.?\w)")
