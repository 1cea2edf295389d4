from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from orchestra_app.backends.tokens import ExactTokens
from orchestra_app.core.message import Document, Execution
from orchestra_app.core.text import EstimatedTokens, TokenCounter
from orchestra_app.orchestrator.packed import cut, pack

PROBLEM = "How tall is the tower of Velm?"


class Letters:
    """One character is one token, so that every limit can be seen."""

    def count(self, text: str) -> int:
        return len(text)

    def tail(self, text: str, limit: int) -> str:
        return text[-limit:] if limit > 0 else ""


@cache
def exact() -> TokenCounter:
    """A byte-level BPE tokenizer whose tokens split multi-byte characters."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["the tower of Velm is tall, das Tor ist größer, 塔的高度"] * 20, trainer)
    return ExactTokens(tokenizer)


def user(
    *documents: str, runs: tuple[tuple[str, str], ...] = (), tokens: TokenCounter | None = None, **more
) -> str:
    system, message = pack(
        more.pop("problem", PROBLEM),
        tuple(Document(text=text, title="not shown") for text in documents),
        tuple(Execution(code=code, stdout=output, status=0) for code, output in runs),
        tokens=tokens or Letters(),
        **more,
    )
    assert (system.role, system.content) == ("system", "You are good at using tools.")
    assert message.role == "user"
    return message.content


def context(*documents: str, **more) -> str:
    text = user(*documents, **more)
    start, end = f"Problem: {more.get('problem', PROBLEM)}\n\n", "\n\nChoose an appropriate tool."
    assert text.startswith(start) and text.endswith(end)
    return text[len(start) : len(text) - len(end)]


GOLDEN = """\
Problem: How tall is the tower of Velm?

Documents:
Doc 1: Velm lies in the north. ...

Doc 2: The tower is 42 m tall. ...


python code and execution outputs:
```python
print(6 * 7)
```

```output
42

```

```python
print(1)
```

```output
1
```



Choose an appropriate tool."""


def test_the_whole_prompt_reads_as_the_public_evaluation_writes_it():
    runs = (("print(6 * 7)", "42\n"), ("print(1)", "1"))
    assert user("Velm lies in the north.", "The tower is 42 m tall.", runs=runs) == GOLDEN


@pytest.mark.parametrize(
    ("documents", "runs", "expected"),
    [
        ((), (), ""),
        (("A",), (), "Documents:\nDoc 1: A ...\n\n"),
        (("",), (), "Documents:\nDoc 1:  ...\n\n"),
        (
            (),
            (("x", "y"),),
            "\npython code and execution outputs:\n```python\nx\n```\n\n```output\ny\n```\n\n",
        ),
        ((), (("x", ""),), ""),
        (("A",), (("x", ""),), "Documents:\nDoc 1: A ...\n\n"),
    ],
    ids=[
        "nothing",
        "a document",
        "an empty document",
        "code alone",
        "silent code",
        "document and silent code",
    ],
)
def test_what_is_missing_leaves_no_heading(documents, runs, expected):
    assert context(*documents, runs=runs) == expected


@pytest.mark.parametrize("length", [1199, 1200, 1201, 5000])
def test_a_document_is_shown_up_to_1200_characters(length: int):
    text = "塔" + "a" * (length - 2) + "z"
    assert context(text) == f"Documents:\nDoc 1: {text[:1200]} ...\n\n"


def test_attempts_follow_the_code_and_count_from_one():
    text = context(attempts=(("answer-1", "41"), ("answer-2", "42")), runs=(("x", "y"),))
    assert text.endswith("```\n\nAttempt1 answer by answer-1: 41\nAttempt2 answer by answer-2: 42\n")
    alone = context(attempts=(("answer-1", "41"),))
    assert alone == "\npython code and execution outputs:\n```\nAttempt1 answer by answer-1: 41\n"


def test_attempts_keep_their_last_8000_tokens_and_say_so():
    text = context(attempts=(("m", "a" * 9000),))
    heading = "\npython code and execution outputs:\n```\nAttempt answer: "
    assert text == heading + "a" * 7999 + "\n"


def test_code_keeps_its_last_12000_tokens_in_an_open_fence():
    runs = (("first", "1" * 9000), ("second", "2" * 9000))
    text = context(runs=runs).removeprefix("\npython code and execution outputs:\n")
    whole = "".join(f"```python\n{code}\n```\n\n```output\n{output}\n```\n\n" for code, output in runs)
    assert text == "```\n" + whole[-12_000:]


def test_the_context_keeps_the_last_27000_tokens_minus_the_problem():
    documents = [f"{index:02d} ".ljust(1200, "x") for index in range(30)]
    room = 27_000 - len(PROBLEM)
    whole = "".join(f"Doc {index}: {text} ...\n\n" for index, text in enumerate(documents, 1))
    assert context(*documents) == "Documents:\n" + whole[-room:]
    block = "```python\nx\n```\n\n```output\ny\n```\n\n"
    with_code = f"{whole}\npython code and execution outputs:\n{block}"
    assert context(*documents, runs=(("x", "y"),)) == "Documents:\n" + with_code[-room:]


@pytest.mark.parametrize(
    ("size", "problem", "documents_shown"),
    [(26_000, 100, True), (26_900, 100, False), (30_000, 100, False), (13_000, 15_000, False)],
)
def test_documents_are_dropped_where_the_uncut_code_alone_fills_the_context(size, problem, documents_shown):
    block = len("```python\nx\n```\n\n```output\n\n```\n\n")
    text = context("A", runs=(("x", "1" * (size - block)),), problem="p" * problem)
    assert text.startswith("Documents:\nDoc 1: A ...") == documents_shown
    assert text.endswith("1" * 11_000 + "\n```\n\n")


def test_a_problem_that_fills_the_context_leaves_nothing_beside_it():
    assert context("A", problem="p" * 27_001) == ""


def test_what_went_wrong_stands_before_the_request():
    assert user(note="No such tool.").endswith("\n\nNote: No such tool.\n\nChoose an appropriate tool.")


TEXT = st.text(st.sampled_from("aé塔🗼 \n"), max_size=60)
COUNTERS = st.sampled_from(["estimated", "exact"])


@settings(max_examples=200, deadline=None)
@given(TEXT, st.integers(-1, 80), COUNTERS)
def test_a_cut_keeps_whole_characters_of_the_end_within_the_limit(text: str, limit: int, name: str):
    tokens = EstimatedTokens() if name == "estimated" else exact()
    kept = cut(text, limit, tokens) if limit >= 0 else tokens.tail(text, limit)
    assert text.endswith(kept)
    assert tokens.count(kept) <= max(0, limit)
    if tokens.count(text) <= limit:
        assert kept == text
    elif limit >= 8:
        # One more character would be at most four bytes, and so four tokens.
        assert tokens.count(kept) > limit - 8


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=2), st.lists(TEXT, max_size=3), st.integers(1, 600), COUNTERS)
def test_a_packed_prompt_never_holds_a_broken_character(runs, documents, repeat: int, name: str):
    tokens = EstimatedTokens() if name == "estimated" else exact()
    many = tuple((code, output * repeat) for code, output in runs)
    text = user(*(each * repeat for each in documents), runs=many, tokens=tokens)
    assert "\ufffd" not in text
    text.encode()
    assert tokens.count(text) <= 27_000 + 100


def test_what_does_not_fit_a_smaller_context_is_left_out_from_the_front():
    runs = (("print(1)", "1" * 300),)
    text = user("a" * 900, "b" * 900, runs=runs, limit=1_000)
    assert len(text) < 1_000 + 100 and "a" * 10 not in text and "b" * 10 in text
    assert "1" * 100 in text
    assert user("a" * 900, runs=runs, limit=10**6) == user("a" * 900, runs=runs)
