"""Question sets: broken rows are named by row and column and cost no other row."""

import csv
import io
import json
from contextlib import aclosing
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_app import Options, Settings, Workspace
from orchestra_app.core.errors import ConfigError
from orchestra_app.core.trace import Label
from orchestra_app.orchestrator.questions import from_file, from_rehearsal, from_traces, is_rehearsal
from orchestra_app.rehearsal.questions import as_task
from orchestra_app.rehearsal.questions import questions as rehearsal_questions
from orchestra_app.storage.outcomes import Wanted


def written(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        *(("rehearsal", True), ("rehearsal:heldout", True), ("rehearsal-mine.csv", False)),
        *(("rehearsalfoo", False), ("mine/rehearsal:train.csv", False), ("traces", False)),
    ],
)
def test_only_the_rehearsal_itself_or_one_of_its_splits_means_the_rehearsal(name, meant):
    assert is_rehearsal(name) is meant


CSV = [
    ("question,answer\nA?,1\n,2\nC?,3\n", ["A?", "C?"], "row 3: column `question`"),
    ("question,answer\nA?,1\nB?,2,3\nC?,3\n", ["A?", "C?"], "row 3, column 3: it has more columns"),
    ('question,answer\nA?,1\n"B"x,2\nC?,3\n', ["A?", "C?"], "row 3: it cannot be read"),
    ('question,answer\nA?,1\n"B?,2\nC?,3\nD?,4\n', ["A?", "C?", "D?"], "row 3: it cannot be read"),
    ("question,answer\nA?,1\nA?,2\n", ["A?"], "the same question stands in row 2"),
    ("id,question\n1,A?\n1,B?\n", ["A?"], "column `id`"),
    (f"question\nA?\n{'x' * 20_001}\nC?\n", ["A?", "C?"], "20,001 characters"),
]


@pytest.mark.parametrize(("text", "kept", "said"), CSV)
def test_a_broken_row_of_a_csv_file_is_named_and_the_others_are_asked(tmp_path, text, kept, said):
    found = from_file(written(tmp_path, "mine.csv", text))
    assert [question.text for question in found.questions] == kept
    assert (
        len(found.refused) == 1 and found.refused[0].startswith("mine.csv, row") and said in found.refused[0]
    )


JSONL = [
    ('{"question": "A?"}\n{"question": \n{"question": "C?"}', "row 2, column 14: it is no JSON"),
    ('{"question": "A?"}\n[1]\n{"question": "C?"}', "row 2: it is no JSON object"),
    ('{"question": "A?"}\n{"question": 5}\n{"question": "C?"}', "row 2: column `question`"),
    ('{"question": "A?"}\n{"question": "B?", "answer": [1]}\n{"question": "C?"}', "row 2: column `answer`"),
    ('{"question": "A?"}\n{"question": "B?", "id": {}}\n{"question": "C?"}', "row 2: column `id`"),
    ('{"question": "A?"}\n{"question": "\\ud800"}\n{"question": "C?"}', "row 2: it holds half characters"),
    ('{"question": "A?"}\n{"answer": "1"}\n{"question": "C?"}', "row 2: column `question`"),
    ('{"question": "A?"}\n' + "[" * 100_000 + '\n{"question": "C?"}', "row 2"),
]


@pytest.mark.parametrize(("text", "said"), JSONL)
def test_a_broken_row_of_a_jsonl_file_is_named_and_the_others_are_asked(tmp_path, text, said):
    found = from_file(written(tmp_path, "mine.jsonl", text))
    assert [question.text for question in found.questions] == ["A?", "C?"]
    assert len(found.refused) == 1 and said in found.refused[0]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "", "names no column `question`"),
        ("a.csv", "frage,antwort\nA?,1\n", "'frage', 'antwort'"),
        ("a.csv", "question\n", "It has no rows"),
        ("a.csv", b"question\n\xff\xfe\n", "no UTF-8"),
        ("a.jsonl", "nonsense", "row 1"),
        ("a.jsonl", "", "It has no rows"),
    ],
)
def test_a_file_without_a_question_is_refused_in_one_sentence(tmp_path, name, text, said):
    with pytest.raises(ConfigError, match="a.(csv|jsonl)") as caught:
        from_file(written(tmp_path, name, text))
    assert said in str(caught.value)


def test_answers_may_be_missing_or_numbers_and_columns_have_other_names(tmp_path):
    text = '{"problem": " A? ", "gold": 4.5, "id": 7}\n{"prompt": "B?", "answer": ""}\n'
    one, other = from_file(written(tmp_path, "mine.jsonl", text)).questions
    assert (one.text, one.answer, one.id) == ("A?", "4.5", "7") and other.answer is None


TEXTS = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\x00\r"), min_size=1, max_size=40
).filter(lambda text: text == text.strip())


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8, unique_by=lambda pair: pair[0]))
def test_what_a_writer_of_csv_and_json_writes_is_read_back(tmp_path_factory, pairs):
    folder = tmp_path_factory.mktemp("sets")
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("question", "answer"), *pairs])
    rows = "\n".join(json.dumps({"question": q, "answer": a}) for q, a in pairs)
    for name, text in (("a.csv", out.getvalue()), ("a.jsonl", rows)):
        found = from_file(written(folder, name, text))
        assert [(each.text, each.answer) for each in found.questions] == pairs and not found.refused


@given(st.binary(max_size=300))
def test_any_bytes_give_questions_or_one_error(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("sets")
    for name in ("a.csv", "a.jsonl"):
        try:
            found = from_file(written(folder, name, b"question\n" * (name == "a.csv") + content))
        except ConfigError:
            continue
        assert found.questions


def test_an_unknown_split_names_the_known_ones():
    with pytest.raises(ConfigError, match="rehearsal:heldout"):
        from_rehearsal("test")
    assert from_rehearsal("heldout").first(7).answered == 7


async def test_the_questions_of_saved_traces_come_once_with_their_answers(home):
    world = await Workspace.open(Settings(home=home))
    try:
        for policy in ("do-nothing", "cheapest"):
            orchestrator = await world.orchestrator(policy=policy)
            for question in rehearsal_questions("heldout")[:3]:
                async with aclosing(
                    world.rollout(orchestrator, as_task(question), Options(seed=1))
                ) as rollout:
                    [_ async for _ in rollout]
        found = await from_traces(world.store, Wanted())
        assert len(found.questions) == 3 and found.answered == 3
        last = (await world.store.outcomes(Wanted(limit=1)))[0]
        for hour, gold in enumerate(("Leonardo", "Michelangelo")):
            at = datetime(2026, 1, 1, hour, tzinfo=UTC)
            said = Label(source="human", correct=False, gold=gold, by="local", at=at)
            await world.store.add_label(last.id, said)
        corrected = await from_traces(world.store, Wanted(owner="local"))
        assert {each.text: each.answer for each in corrected.questions}[last.task.question] == "Michelangelo"
        with pytest.raises(ConfigError, match="No trace is saved"):
            await from_traces(world.store, Wanted(owner="somebody"))
    finally:
        await world.aclose()
