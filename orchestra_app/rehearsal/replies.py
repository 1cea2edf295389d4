"""What simulated experts write about a rehearsal question: queries, programs and answers, right or wrong."""

import re
from random import Random

from orchestra_app.rehearsal.draws import invented
from orchestra_app.rehearsal.free import key_words
from orchestra_app.rehearsal.situation import Situation

CRASH_SHARE = 0.5
"""Share of wrong programs that fail instead of printing a wrong value."""
UNKNOWN_FIGURES = "figures = known_figures()\n"
"""What makes a program fail: nothing of that name is there."""
KEPT_SHARE = 0.45
"""Chance of each word to stay in a query that does not name everything."""


def query(now: Situation) -> str:
    """Return a search query for what is missing; a poor one has lost some of its words."""
    question = now.question
    wanted = question.query or key_words(question.text)
    if now.missing:
        for title in set(question.needs) - set(now.missing):
            wanted = wanted.replace(title, "")
    words = wanted.split()
    if now.luck("query", now.attempt) < now.chance("query"):
        return " ".join(words)
    kept = [word for index, word in enumerate(words) if now.luck("kept", now.attempt, index) < KEPT_SHARE]
    return " ".join(kept or words[-1:])


def program(now: Situation) -> str:
    """Return Python for the question: right, wrong, failing, or saying that figures are missing."""
    question = now.question
    if not question.program:
        return "pass  # There is nothing to compute."
    if now.missing:
        return 'print("The documents at hand do not state every figure.")'
    if now.luck("program", now.attempt) < now.chance("program"):
        return question.program
    if now.luck("crash", now.attempt) < CRASH_SHARE:
        return UNKNOWN_FIGURES + question.program
    return _changed(question.program, now)


def answer(now: Situation) -> str:
    """Return the gold answer with the situation's chance, else a plausible other one.

    The coin is the same in every context, so what a run finds never turns a right answer into a wrong one.
    """
    gold = now.question.gold
    if now.luck("answer") < now.chance(now.name):
        return gold
    printed = [run.stdout.strip() for run in now.request.state.executions]
    if printed and printed[-1] != gold and re.fullmatch(r"-?\d{1,12}", printed[-1]):
        return printed[-1]
    return _other(gold, now)


def _other(gold: str, now: Situation) -> str:
    random = Random(f"{now.request.state.seed}:{now.request.name}:{now.question.text}")
    if gold.lstrip("-").isdigit():
        value = int(gold)
        away = random.randint(1, max(9, min(99, abs(value) // 10)))
        return str(value - away if random.random() < 0.5 and value > away else value + away)
    return re.sub(r"[A-Z][a-z]+", lambda word: invented(random, max(1, len(word[0]) // 2 - 1)), gold)


def _changed(source: str, now: Situation) -> str:
    """Return the program with its largest number misread."""
    largest = max(re.findall(r"\d+", source), key=int)
    misread = str(int(largest) + 11 + int(now.luck("misread", now.attempt) * 19))
    return re.sub(rf"\b{largest}\b", misread, source, count=1)
