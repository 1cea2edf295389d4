"""The small policy's own tokenizer: byte-level BPE in which the prompt's constant pieces are single tokens.

A prompt of the packed protocol is mostly text that never changes (the preamble, the tools' schemas, the
sentences of the sliders), so that one of four thousand characters is about a hundred tokens.
"""

import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import combinations
from typing import TYPE_CHECKING, Any

from orchestra_app.core.catalog import Catalog
from orchestra_app.core.message import Message
from orchestra_app.core.task import Preference
from orchestra_app.orchestrator.instruction import COST_STEPS, SECONDS_STEPS, instruction
from orchestra_app.orchestrator.packed import SYSTEM
from orchestra_app.rehearsal.corpus import corpus
from orchestra_app.rehearsal.places import places
from orchestra_app.rehearsal.questions import questions
from orchestra_app.tools.roster import Experts, Roster

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

VOCABULARY = 1_536
SEEN_OFTEN = 40
"""How often a pair must occur to become a token: more than any name does, so that new names split alike."""
CONTEXT = 32_768
"""Tokens of prompt and reply."""
FEW = 3
"""Aliases of a tool up to which its schema is one token for every choice of them."""
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
TAGS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")
CONTEXT_PIECES = (
    "user\nProblem: ",
    "\n\nChoose an appropriate tool.",
    "Documents:\nDoc 1: ",
    *(f"Doc {number}: " for number in range(1, 21)),
    " ...\n\n",
    "\npython code and execution outputs:\n",
    "```python\n",
    "\n```\n\n```output\n",
    "\n```\n\n",
    "assistant\n",
)
# Digits one by one and words with a capital by themselves; what is between may be one token.
_SPLIT = r"\p{N}| ?\p{Lu}\p{Ll}*|\n+ *|(?:(?! \p{Lu})[^\p{N}\p{Lu}\n])+"


def chat_template() -> str:
    """Return the chat template of Qwen3 (Apache-2.0)."""
    return files("orchestra_app.training").joinpath("qwen3.jinja").read_text(encoding="utf-8")


def call_text(tool: str, alias: str) -> str:
    """Return a reply that calls one alias."""
    return (
        "<think>\n\n</think>\n\n<tool_call>\n"
        f'{{"name": "{tool}", "arguments": {{"model": "{alias}"}}}}\n</tool_call>'
    )


def make_tokenizer(catalog: Catalog) -> "PreTrainedTokenizerFast":
    """Return a tokenizer made for the prompts of one catalogue, trained on the rehearsal's train texts."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=SEEN_OFTEN,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(_texts(), trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token=END, pad_token=PAD, padding_side="left", model_max_length=CONTEXT
    )
    wrapped.chat_template = chat_template()
    pieces = dict.fromkeys([*TAGS, *CONTEXT_PIECES, *_sentences(catalog), *_schema_pieces(catalog, wrapped)])
    pieces |= dict.fromkeys(_reply_pieces(catalog))
    added: Any = [AddedToken(piece, normalized=False, special=False) for piece in pieces]
    wrapped.add_tokens(added)
    return wrapped


def render(
    tokenizer: "PreTrainedTokenizerFast", messages: Sequence[Message], tools: Sequence[dict[str, Any]]
) -> str:
    """Return the prompt's text, ready for the reply."""
    said = [{"role": message.role, "content": message.content} for message in messages]
    text = tokenizer.apply_chat_template(
        said, tools=list(tools) or None, tokenize=False, add_generation_prompt=True
    )
    assert isinstance(text, str), "an untokenised conversation is a text"
    return text


def schemas(catalog: Catalog) -> list[dict[str, Any]]:
    """Return the schemas of the packed protocol with every alias on offer."""
    return [roster.schema(roster.aliases) for roster in _rosters(catalog)]


def _rosters(catalog: Catalog) -> list[Roster]:
    def none(name: str) -> Any:
        raise NotImplementedError(f"{name} is described, not asked.")

    experts = Experts(catalog, none)
    return [Roster(name, experts) for name in catalog.tools]


def _texts() -> Iterator[str]:
    """Yield what the merges are learned from: questions, programs and documents of the train split."""
    titles = {place.title for place in places("train")}
    yield from (document.text for document in corpus() if document.title in titles)
    for question in questions("train"):
        yield question.text
        yield question.program


def _sentences(catalog: Catalog) -> Iterator[str]:
    """Yield every sentence that sliders and budgets can add to a question, one wish at a time."""

    def said(preference: Preference, cost: float | None = None, seconds: float | None = None) -> str:
        return instruction(preference, catalog, cost_left=cost, seconds_left=seconds)

    for name in catalog.sliders:
        yield from (said(Preference(weights={name: slider})) for slider in (0.8, 0.2, 0.0))
    vendors = {model.vendor for model in catalog.models.values() if model.vendor}
    aliases = [alias for tool in catalog.tools.values() for alias in tool.choices]
    yield from (said(Preference(excluded=(name,))) for name in [*sorted(vendors), *aliases])
    for slider in (0.0, 1.0):
        yield said(Preference(cost=slider))
        yield said(Preference(latency=slider))
    yield from (said(Preference(), cost=step) for step in (0.0, *COST_STEPS))
    yield from (said(Preference(), seconds=step) for step in (0.0, *SECONDS_STEPS))


def _schema_pieces(catalog: Catalog, tokenizer: "PreTrainedTokenizerFast") -> Iterator[str]:
    """Yield the constant text around the tools, the schemas that are often seen, and their pieces."""
    asked = (SYSTEM, Message(role="user", content=""))

    def shown(schema: dict[str, Any]) -> tuple[str, str, str]:
        whole = render(tokenizer, asked, [schema])
        start, end = whole.index('\n{"type": "function", "function"'), whole.index("\n</tools>")
        return whole[len(START) : start], whole[start:end], whole[end : whole.index(END)]

    for roster in _rosters(catalog):
        opening, whole, closing = shown(roster.schema(roster.aliases))
        yield from (opening, whole, closing, *_lines(whole))
        for size in range(1, len(roster.aliases)):
            if len(roster.aliases) <= FEW or size == len(roster.aliases) - 1:
                yield from (shown(roster.schema(some))[1] for some in combinations(roster.aliases, size))


def _lines(schema: str) -> Iterator[str]:
    """Yield the pieces of one schema: what opens and closes it, and the lines of each alias."""
    opening, choices, rest = re.split(r"(?<=Choices: \[)|(?=\]\.\\n)", schema, maxsplit=2)
    yield opening
    for alias in choices.split(", "):
        yield alias
        yield f", {alias}"
    lines, closing = rest[: rest.rindex('", "type"')], rest[rest.rindex('", "type"') :]
    # A line begins with its line break, so that the last one looks like the others.
    yield from re.split(r"(?=\\n)", lines)
    yield closing


def _reply_pieces(catalog: Catalog) -> Iterator[str]:
    for name, tool in catalog.tools.items():
        for alias in tool.choices:
            opening, middle, closing = re.split(r'(?<="name": ")|(?<="model": ")', call_text(name, alias))
            yield from (opening, middle, closing)
