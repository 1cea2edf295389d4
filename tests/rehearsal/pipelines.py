"""Prints accuracy, cost and seconds of fixed pipelines over the rehearsal's heldout questions.

The experts are asked through the real prompts and parsers; search is real BM25 and the code real Python.
Run it with `python tests/rehearsal/pipelines.py [questions] [split]`.
"""

import asyncio
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from math import sqrt
from typing import Any, cast

import bm25s
from rehearsal_world import CATALOG, OpenPurse, run_programs, state_for

from orchestra_app.backends.base import State
from orchestra_app.core.message import Document, Execution
from orchestra_app.rehearsal.corpus import corpus
from orchestra_app.rehearsal.draws import Split
from orchestra_app.rehearsal.experts import SimulatedExperts
from orchestra_app.rehearsal.questions import Question, questions
from orchestra_app.scoring.match import matches
from orchestra_app.tools.prompts import read_answer, read_code, read_query
from orchestra_app.tools.roster import Experts, Roster

PIPELINES = (
    ("answer-1",),
    ("answer-2",),
    ("answer-3",),
    ("search-1", "answer-1"),
    ("search-1", "reasoner-1", "answer-1"),
    ("search-2", "reasoner-2", "answer-2"),
    ("search-3", "reasoner-3", "answer-3"),
    ("search-3", "reasoner-3", "answer-4"),
)
BACKEND = SimulatedExperts()
SHARED = Experts(CATALOG, lambda name: BACKEND)
ROSTERS = {tool.kind: Roster(name, SHARED) for name, tool in CATALOG.tools.items()}


class Search:
    """BM25 over the corpus, titles included."""

    def __init__(self) -> None:
        self.documents = corpus()
        tokens = bm25s.tokenize([f"{d.title}\n{d.text}" for d in self.documents], show_progress=False)
        self.index = bm25s.BM25()
        self.index.index(tokens, show_progress=False)

    def __call__(self, query: str, top: int) -> list[Document]:
        tokens = bm25s.tokenize([query], show_progress=False)
        found = cast(Any, self.index.retrieve(tokens, k=top, show_progress=False)).documents[0]
        return [self.documents[int(index)] for index in found]


@dataclass
class Run:
    question: Question
    state: State
    purse: OpenPurse
    code: str | None = None
    correct: bool = False


async def step(run: Run, alias: str, kind: str, search: Search) -> None:
    reply = await ROSTERS[kind].ask(alias, run.state, run.purse)
    if kind == "search":
        query = read_query(reply.text) or run.question.text
        found = search(query, CATALOG.sources["local"].top)
        known = run.state.documents
        new = tuple(each for each in reversed(found) if each not in known)
        run.state = run.state._replace(documents=(*known, *new))
    elif kind == "reason":
        run.code = read_code(reply.text)
    else:
        run.correct = matches(read_answer(reply.text) or "", run.question.gold)


async def pipeline(aliases: tuple[str, ...], asked: list[Question], search: Search) -> list[Run]:
    runs = [Run(question, state_for(question), OpenPurse()) for question in asked]
    for alias in aliases:
        kind = next(tool.kind for tool in CATALOG.tools.values() if alias in tool.choices)
        for run in runs:
            await step(run, alias, kind, search)
        if kind == "reason":
            printed = run_programs([run.code or "" for run in runs])
            for run, out in zip(runs, printed, strict=True):
                execution = Execution(code=run.code or "", stdout=out, status=0 if out else 1)
                run.state = run.state._replace(executions=(*run.state.executions, execution))
    return runs


def report(aliases: tuple[str, ...], runs: list[Run], wall: float) -> None:
    count = len(runs)
    accuracy = sum(run.correct for run in runs) / count
    cost = sum(charge.cost for run in runs for charge in run.purse.charges) / count
    seconds = sum(charge.usage.seconds for run in runs for charge in run.purse.charges) / count
    kinds = defaultdict(list)
    for run in runs:
        kinds[run.question.kind].append(run.correct)
    by_kind = " ".join(f"{kind} {sum(each) / len(each):.2f}" for kind, each in kinds.items())
    error = sqrt(accuracy * (1 - accuracy) / count)
    print(
        f"{' + '.join(aliases):36} {accuracy:.3f} ({error:.3f})  ${cost:.4f}  {seconds:6.1f} s"
        f"  {1e3 * wall / count / len(aliases):.2f} ms/call  {by_kind}"
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2400
    split = cast(Split, sys.argv[2] if len(sys.argv) > 2 else "heldout")
    asked, search = list(questions(split)[:count]), Search()
    top = CATALOG.sources["local"].top
    for kind in ("fact", "twodoc"):
        needing = [each for each in asked if each.kind == kind]
        hits = [set(each.needs) <= {d.title for d in search(each.query, top)} for each in needing]
        print(f"{kind}: the full query finds every document in {sum(hits) / len(hits):.3f}")
    for aliases in PIPELINES:
        start = time.perf_counter()
        runs = asyncio.run(pipeline(aliases, asked, search))
        report(aliases, runs, time.perf_counter() - start)


if __name__ == "__main__":
    main()
