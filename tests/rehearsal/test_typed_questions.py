import pytest

from orchestra_app.rehearsal.corpus import corpus
from orchestra_app.rehearsal.draws import SPLITS
from orchestra_app.rehearsal.free import arithmetic_program, found_answer
from orchestra_app.rehearsal.questions import find
from orchestra_app.rehearsal.typed import typed


@pytest.mark.parametrize("split", SPLITS)
def test_typed_questions_are_none_of_the_rehearsals_own_and_only_sums_compute(split):
    asked = typed(split)
    assert {each.kind for each in asked} == {"sum", "lookup", "talk"}
    for each in asked:
        assert find(each.text) is None
        assert (arithmetic_program(each.text) is not None) == (each.kind == "sum")


def test_a_typed_look_up_is_answered_from_its_document():
    documents = {document.title: document for document in corpus()}
    asked = [each for split in SPLITS for each in typed(split) if each.gold]
    found = [each for each in asked if each.gold in found_answer(each.text, [documents[each.needs[0]]], [])]
    assert len(found) > 0.95 * len(asked)


def test_typed_look_ups_of_the_splits_are_about_different_places():
    needs = [{title for each in typed(split) for title in each.needs} for split in SPLITS]
    assert not needs[0] & needs[1] and not needs[1] & needs[2]
