import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_app.tools.prompts import (
    LONGEST_QUERY,
    expert_messages,
    read_answer,
    read_boxed,
    read_code,
    read_query,
    without_thinking,
)

GOLDEN = {
    "search": """\
Context.

Question: Why?

Some information is still missing to answer the question. Think about what it is, then write one \
search query for it, a few key words or a short sentence, between <query> and </query>.""",
    "reason": """\
Context.

Question: Why?

Do not answer the question yet. Write Python code that computes results which help to answer it, \
beyond what has been run before, and prints every intermediate result. Put it into one ```python \
block that is complete in itself: it imports what it uses and reads no file or network.""",
    "answer": """\
Context.

Question: Why?

Think about the question between <think> and </think>, then give the final answer, and nothing else, \
between <answer> and </answer>.""",
}


@pytest.mark.parametrize("kind", ["search", "reason", "answer"])
def test_prompts_read_as_agreed(kind):
    (message,) = expert_messages(kind, "Why?", "Context.\n\n")
    assert message.role == "user"
    assert message.content == GOLDEN[kind]


def test_a_boxed_answer_is_asked_for_in_the_system_message():
    system, user = expert_messages("answer", "Why?", "", boxed=True)
    assert system.content == r"Reason step by step, and put the final answer within \boxed{}."
    assert user.content == "Question: Why?"


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("<query>tower of Velm</query>", "tower of Velm"),
        ("<think>I guess <query>no</query></think>\n<QUERY>\n tower\n of  Velm </QUERY>", "tower of Velm"),
        ("<query>first one</query> or <query>second one</query>", "second one"),
        ("<query>unclosed query", "unclosed query"),
        ("It goes into <query> tags: <query>tower of Velm</query>", "tower of Velm"),
        ("<query>光合</query>", "光合"),
        ("<query>xyz</query>", None),
        ("<query></query>", None),
        ("tower of Velm", None),
        ("<query>" + "a" * 1000 + "</query>", "a" * LONGEST_QUERY),
    ],
)
def test_queries_are_read(text, query):
    assert read_query(text) == query


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\nprint(1)\n```", "print(1)"),
        ("Here: ```Python\nprint(1)\n```\nand\n```py\nprint(2)\n```\nDone.", "print(2)"),
        ("```python\nprint(1)", "print(1)"),
        ("```python\r\nprint(1)\r\n```", "print(1)"),
        ("  ```python\n  if x:\n    y()\n  ```", "if x:\n  y()"),
        ("```python\nprint('''```''')\n```", "print('''```''')"),
        ("```python\nprint(1)```", "print(1)"),
        ("<think>```python\nbad()\n```</think>\n```python\ngood()\n```", "good()"),
        ("```python\nprint(1)\n```\n```python\n\n```", "print(1)"),
        ("```\nprint(1)\n```", None),
        ("```javascript\nx\n```", None),
        ("", None),
    ],
)
def test_code_is_the_last_python_block(text, code):
    assert read_code(text) == code


@pytest.mark.parametrize(
    ("text", "finished", "answer"),
    [
        ("<think>hm</think><answer>48 m</answer>", True, "48 m"),
        ("<answer>1</answer> no, <answer> 2 </answer>", True, "2"),
        ("<think><answer>1</answer></think>So it is\n\n2", True, "2"),
        ("<think>never closed <answer>48</answer>", True, "48"),
        ("<think>never closed <answer>48</answer>", False, None),
        ("<answer>cut sho", False, None),
        ("<answer>left open", True, "left open"),
        ("I'll put it in <answer> tags. <answer>Paris</answer>", True, "Paris"),
        ("<answer>\\boxed{48}</answer>", True, "48"),
        ("<answer>about \\boxed{48}</answer>", True, "about \\boxed{48}"),
        ("thus \\boxed{\\frac{1}{2}} and done", True, "\\frac{1}{2}"),
        ("\\boxed{1} or \\boxed{2}", True, "2"),
        ("\\boxed{1} or \\boxed{2", False, "1"),
        ("\\boxed{\\left\\{1, 2\\right.}", True, "\\left\\{1, 2\\right."),
        ("\\boxed{\\boxed{5}}", True, "5"),
        ("\\boxed{1} then \\boxed{}", True, "1"),
        ("reasoning </think> It is 48.", True, "It is 48."),
        ("First.\n\nIt is 48.\n\n", True, "It is 48."),
        ("First.\n\nIt is 48.", False, None),
        ("<answer></answer>", True, None),
        ("\\boxed{}", True, None),
        ("<think>only thoughts</think>", True, None),
        ("<think>only thoughts", True, None),
        ("   ", True, None),
        ("", True, None),
    ],
)
def test_answers_are_read(text, finished, answer):
    assert read_answer(text, finished=finished) == answer


PIECES = [
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "<query>",
    "\\boxed{",
    "}",
    "{",
    "\\",
    "```python\n",
]
wild = st.lists(st.sampled_from([*PIECES, "```\n", "\n\n", " "]) | st.text(max_size=8), max_size=30).map(
    "".join
)


@given(wild, st.booleans())
def test_no_reply_breaks_a_reader_and_nothing_empty_is_read(text, finished):
    for found in (read_query(text), read_code(text), read_answer(text, finished=finished)):
        assert found is None or found.strip()


@given(st.text(alphabet="ab{} \\", max_size=30))
def test_what_is_balanced_is_read_whole(inside):
    depth = 0
    escaped = False
    for character in inside:
        if escaped or character == "\\":
            escaped = not escaped
            continue
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return
    if depth == 0 and not escaped and inside.strip():
        assert read_boxed(f"so \\boxed{{{inside}}} it is") == inside.strip()


@given(st.text(max_size=50), st.text(max_size=50))
def test_thinking_is_removed_and_nothing_else(thought, said):
    if "<" not in thought + said:
        assert without_thinking(f"<think>{thought}</think>{said}") == said.strip()
        assert without_thinking(f"{thought}</think>{said}") == said.strip()


@pytest.mark.parametrize(
    "piece", ["<think>", "\\boxed{", "<answer>", "<query>", "```python\n", "{", "\n ", "<"]
)
def test_endless_repetition_is_read_in_linear_time(piece):
    # Quadratic reading of a megabyte would run into the test's timeout.
    text = piece * (1_000_000 // len(piece))
    for reader in (read_query, read_code, read_answer):
        reader(text)
        reader(text + "</answer>")
