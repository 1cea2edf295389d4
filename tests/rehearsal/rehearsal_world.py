"""What the rehearsal's tests share: a purse, requests to one alias, and real Python for many programs."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import orchestra_app
from orchestra_app.backends.base import Request, State
from orchestra_app.core.catalog import Catalog
from orchestra_app.core.errors import BudgetError
from orchestra_app.core.message import Document, Execution, Message, Reply
from orchestra_app.core.purse import Reservation, Use
from orchestra_app.core.task import Task
from orchestra_app.core.usage import Charge, Price, Usage
from orchestra_app.rehearsal.experts import SimulatedExperts
from orchestra_app.rehearsal.questions import Question, as_task

ROOT = Path(orchestra_app.__file__).parent
CATALOG = Catalog.model_validate(tomllib.loads((ROOT / "catalogs" / "rehearsal.toml").read_text()))
TAGS = "Think between <think> and </think>, answer between <answer> and </answer>."
BOXED = r"Reason step by step, and put the final answer within \boxed{}."

_RUNNER = """
import contextlib, io, json, sys
found = []
for source in json.load(sys.stdin):
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(source, "program", "exec"), {"__name__": "__main__"})
    except NameError as error:
        out = io.StringIO()
    found.append(out.getvalue())
json.dump(found, sys.stdout)
"""


def run_programs(sources: Sequence[str]) -> list[str]:
    """Return what each program prints in a Python process of its own; a NameError prints nothing."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _RUNNER],
        input=json.dumps(list(sources)),
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return json.loads(done.stdout)


class OpenPurse:
    """Grants what is wanted up to a number of tokens, and books what it is told; as real, if told nothing."""

    def __init__(self, *, tokens: int | None = None, seconds: float | None = None):
        self.tokens, self.seconds = tokens, seconds
        self.uses: list[Use] = []
        self.charges: list[Charge] = []

    async def reserve(self, use: Use) -> Reservation:
        self.uses.append(use)
        most = use.most.output_tokens
        granted = most if self.tokens is None else min(most, self.tokens)
        if granted < use.least.output_tokens:
            raise BudgetError("It does not fit.")
        usage = use.most.model_copy(update={"output_tokens": granted})
        amount = (use.price or Price()).cost(usage)
        return Reservation(use, usage, self.seconds, amount, at=sum(c.usage.seconds for c in self.charges))

    def settle(
        self,
        reservation: Reservation,
        usage: Usage | None,
        *,
        reported: float | None = None,
        simulated: bool | None = None,
    ) -> Charge:
        use, used = reservation.use, usage or reservation.granted
        price = use.price or Price()
        charge = Charge(
            who=use.who,
            kind=use.kind,
            usage=used,
            price=price,
            cost=price.cost(used),
            estimated=usage is None,
            at=reservation.at,
            simulated=bool(simulated),
        )
        self.charges.append(charge)
        return charge


def state_for(
    question: Question | str,
    *,
    documents: Sequence[Document] = (),
    outputs: Sequence[str] = (),
    seed: int = 0,
) -> State:
    """Return a state with these documents found and these outputs printed."""
    task = Task(id="typed", question=question) if isinstance(question, str) else as_task(question)
    runs = tuple(Execution(code="…", stdout=each, status=0) for each in outputs)
    return State(task=task, catalog=CATALOG, documents=tuple(documents), executions=runs, seed=seed)


def request_for(alias: str, state: State) -> Request:
    """Return the request that calls `alias` in this state."""
    found = CATALOG.choice(alias)
    assert found is not None, alias
    tool, choice = CATALOG.tools[found[0]], found[1]
    asked = "\n\n".join([*(document.text for document in state.documents), state.task.question])
    messages = [Message(role="user", content=asked if choice.boxed else f"{asked}\n\n{TAGS}")]
    if choice.boxed:
        messages.insert(0, Message(role="system", content=BOXED))
    return Request(
        name=choice.model,
        model=CATALOG.models[choice.model],
        messages=tuple(messages),
        state=state,
        max_output=choice.max_output,
        min_output=choice.min_output,
        latency=choice.latency,
        role=tool.kind,
        alias=alias,
    )


async def ask(alias: str, state: State, purse: OpenPurse | None = None) -> Reply:
    """Return the simulated reply of one alias."""
    return await SimulatedExperts().complete(request_for(alias, state), purse or OpenPurse())
