import os
import re
import subprocess
import sys
from collections import Counter

import pytest
from rehearsal_world import run_programs

from orchestra_app.core.errors import ConfigError
from orchestra_app.core.task import Budget, Preference
from orchestra_app.rehearsal.corpus import corpus, texts
from orchestra_app.rehearsal.draws import SPLITS, Split
from orchestra_app.rehearsal.places import places
from orchestra_app.rehearsal.questions import as_task, find, questions

ALL = [question for split in SPLITS for question in questions(split)]
LOOKUPS = [question for question in ALL if question.needs]
COMPUTED = [question for question in ALL if question.program]


@pytest.mark.parametrize(("split", "least"), [("train", 3000), ("heldout", 2400), ("reworded", 600)])
def test_each_split_has_its_size_with_six_kinds_in_equal_parts(split: Split, least: int):
    assert len(questions(split)) >= least
    counts = Counter(question.kind for question in questions(split))
    assert len(counts) == 6
    assert len(set(counts.values())) == 1
    assert len({question.kind for question in questions(split)[:6]}) == 6


def test_no_two_questions_share_an_id_or_a_text():
    assert len({question.id for question in ALL}) == len(ALL)
    assert len({question.text for question in ALL}) == len(ALL)


def test_every_program_prints_its_gold_answer_in_real_python():
    printed = run_programs([question.program for question in COMPUTED])
    wrong = [
        (question.id, out.strip(), question.gold)
        for question, out in zip(COMPUTED, printed, strict=True)
        if out.strip() != question.gold
    ]
    assert wrong == []
    assert {question.kind for question in COMPUTED} == {"arithmetic", "maths", "code", "twodoc"}


def test_a_program_about_two_documents_holds_only_numbers_that_they_state():
    for question in (question for question in COMPUTED if question.needs):
        stated = {number for title in question.needs for number in re.findall(r"\d+", texts()[title])}
        assert set(re.findall(r"\d+", question.program)) <= stated, question.id


def test_every_fact_stands_in_the_document_that_it_needs():
    for question in (question for question in LOOKUPS if question.kind == "fact"):
        assert re.search(rf"\b{re.escape(question.gold)}\b", texts()[question.needs[0]]), question.id


def test_the_query_of_a_lookup_names_every_document_it_needs():
    for question in LOOKUPS:
        assert all(title in question.query and title in question.text for title in question.needs)


def _names(split: Split) -> set[str]:
    """Return the invented words of a split: of its places and of its specialist questions."""
    found = set()
    for place in places(split):
        found |= {place.title.split()[0], place.town, place.founder.split()[-1]}
    for question in questions(split):
        if question.kind == "specialist":
            found |= {question.gold.split()[0], question.query.split()[0].capitalize()}
    return found


def test_no_invented_name_appears_in_two_splits():
    train, heldout, reworded = (_names(split) for split in SPLITS)
    assert not train & heldout
    assert not train & reworded
    assert not heldout & reworded


def test_no_computation_appears_in_two_splits():
    programs = [
        {each.program for each in questions(split) if each.program and not each.needs} for split in SPLITS
    ]
    assert not programs[0] & programs[1]
    assert not programs[0] & programs[2]
    assert not programs[1] & programs[2]


def _wording(text: str) -> str:
    """Return a question's first line without its numbers, names and story words."""
    line = text.split("\n")[0].lower()
    line = re.sub(r"\d+", "#", line)
    titles = {title.lower() for title in texts()}
    for title in sorted(titles, key=len, reverse=True):
        line = line.replace(title, "place") if title.split()[0] in line else line
    return line


def test_reworded_questions_use_no_wording_of_the_other_splits():
    kinds = ("maths", "fact", "code", "twodoc")
    known = {_wording(each.text) for each in questions("train") if each.kind in kinds}
    known |= {_wording(each.text) for each in questions("heldout") if each.kind in kinds}
    new = {_wording(each.text) for each in questions("reworded") if each.kind in kinds}
    assert len(known) > 40
    assert len(new) > 20
    assert not known & new


def test_the_corpus_is_large_short_and_has_distractors():
    documents = corpus()
    assert len(documents) >= 400
    assert len({document.title for document in documents}) == len(documents)
    assert len({document.url for document in documents}) == len(documents)
    assert max(len(document.text) for document in documents) < 500
    shared = Counter(document.title.split()[0] for document in documents)
    assert sum(count > 1 for count in shared.values()) > 100


def test_only_the_exact_text_finds_a_question():
    question = questions("heldout")[7]
    assert find(question.text) is question
    assert find(f"  {question.text}\n") is question
    assert find(question.text.lower() + " ") is None
    assert find(question.text.replace("e", "3", 1)) is None
    assert find("") is None


def test_a_question_becomes_a_task_that_names_its_split():
    question = questions("reworded")[0]
    task = as_task(question, preference=Preference(cost=1.0), budget=Budget(cost=0.01))
    assert (task.question, task.answer, task.source) == (question.text, question.gold, "rehearsal:reworded")
    assert (task.preference.cost, task.budget.cost) == (1.0, 0.01)
    assert as_task(question).budget == Budget()


def test_an_unknown_split_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="train, heldout, reworded"):
        questions("test")  # pyright: ignore[reportArgumentType]


_DIGEST = """
import hashlib
from orchestra_app.rehearsal.corpus import corpus
from orchestra_app.rehearsal.questions import SPLITS, questions
print(hashlib.sha256(repr([*map(questions, SPLITS), corpus()]).encode()).hexdigest())
"""


def test_every_process_generates_the_same_world():
    digests = {
        subprocess.run(
            [sys.executable, "-c", _DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
