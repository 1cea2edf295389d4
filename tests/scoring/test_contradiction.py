import pytest

from orchestra_app.scoring.contradiction import contradictions
from tests.scoring.scored_traces import label, made


@pytest.mark.parametrize(
    ("labels", "gold", "kinds"),
    [
        ([label(False, gold="42.0")], None, ["equal"]),
        ([label(True, gold="41"), label(False, source="benchmark", gold="41")], None, ["different"]),
        ([label(True, gold="42")], "41", ["golds"]),
        ([label(True, gold="42")], "42.0", []),
        ([label(False, gold="42", call_id="0")], None, []),
        ([label(True)], None, []),
        ([], "42", []),
    ],
)
def test_what_cannot_both_be_true_is_pointed_out(labels, gold, kinds):
    assert [each.kind for each in contradictions(made(labels=labels, gold=gold))] == kinds
