"""Prompts are counted and cut without ever counting too few or splitting a character."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from orchestra_app.backends.base import TEMPLATE_TOKENS, Request, input_bound
from orchestra_app.backends.tokens import ExactTokens, counter, prompt_tokens
from orchestra_app.core.catalog import Model
from orchestra_app.core.errors import BackendError, ConfigError
from orchestra_app.core.message import Message, ToolCall
from orchestra_app.core.text import EstimatedTokens
from tests.backends.conftest import request as a_request

TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("ab 四😀\n"), max_size=60)


def trained() -> Tokenizer:
    """Return a small byte-level tokenizer, as Qwen's and OpenAI's are."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["the sum of all primes below the number"] * 20, trainer)
    return tokenizer


EXACT = ExactTokens(trained())


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    found = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer = trained()
    tokenizer.enable_truncation(max_length=4)
    tokenizer.enable_padding(length=64)
    tokenizer.save(str(found))
    return str(found)


@given(TEXTS, st.integers(-1, 80))
def test_a_tail_is_an_end_of_the_text_within_the_limit_and_nearly_as_long(text: str, limit: int):
    tail = EXACT.tail(text, limit)
    assert text.endswith(tail) and EXACT.count(tail) <= max(limit, 0)
    if tail != text and limit > 8:
        # Only a character of several tokens, or one that merges otherwise when cut, may be lost.
        assert EXACT.count(tail) >= limit - 8


def test_a_tokenizer_file_counts_everything_whatever_it_says_of_truncation_and_padding(path: str):
    exact = counter(Model(tokenizer=path))
    text = "the sum of all primes below the number four"
    assert exact.count(text) == EXACT.count(text) > 4
    assert exact.count("a") == 1


def test_without_a_tokenizer_text_is_estimated():
    assert isinstance(counter(Model()), EstimatedTokens)


UNUSABLE = [
    None,
    "no json",
    "[]",
    "{}",
    "7",
    b"\xff\xfe",
    '{"model": {"type": "Nope"}}',
    '{"model": {"type": "BPE"}}',
]


@pytest.mark.parametrize("content", UNUSABLE)
def test_an_unusable_tokenizer_file_is_named_and_ends_a_run_as_any_failing_model(
    content: str | bytes | None, tmp_path: Path
):
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    model = Model(tokenizer=str(path))
    with pytest.raises(ConfigError, match="tokenizer.json.*catalogue"):
        counter(model)
    with pytest.raises(BackendError, match="tokenizer.json.*catalogue"):
        asyncio.run(prompt_tokens(conversation("text", model)))


TOOL = {"type": "function", "function": {"name": "search", "description": "Searches."}}


def conversation(text: str, model: Model) -> Request:
    call = ToolCall(id="a", name="search", arguments={"model": "é"})
    messages = (Message(role="user", content=text), Message(role="assistant", content="", calls=(call,)))
    return a_request(model, messages=messages, tools=(TOOL,))


@given(TEXTS)
def test_the_bound_is_never_below_the_bytes_that_are_sent(text: str):
    asked = conversation(text, Model())
    assert asyncio.run(prompt_tokens(asked)) == input_bound(asked)
    assert input_bound(asked) >= len(text.encode()) + len(str(TOOL)) + 3 * TEMPLATE_TOKENS


def test_with_a_tokenizer_the_bound_is_closer_and_still_holds_every_text(path: str):
    text = "the sum of all primes " * 50
    exact = asyncio.run(prompt_tokens(conversation(text, Model(tokenizer=path))))
    assert EXACT.count(text) < exact < asyncio.run(prompt_tokens(conversation(text, Model())))


def test_control_tokens_in_a_text_count_as_the_text_that_some_servers_read(tmp_path: Path):
    tokenizer = trained()
    tokenizer.add_special_tokens(["<|im_end|>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    exact = counter(Model(tokenizer=str(tmp_path / "tokenizer.json")))
    assert exact.count("<|im_end|>" * 9) == EXACT.count("<|im_end|>" * 9) > 9
