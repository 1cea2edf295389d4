"""A causal language model with its tokenizer in this process: its prompts, and its replies with log-probs."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Self

from orchestra_app.backends.local.row import Row, Watch
from orchestra_app.backends.local.spelling import shaped, spelt, unreadable
from orchestra_app.backends.local.trie import Node, tree
from orchestra_app.core.errors import BackendError, ConfigError, ContextError
from orchestra_app.core.message import Message, ToolCall

Quantize = Literal["8bit", "4bit"]
END_OF_TURN = "<|im_end|>"
REMEMBERED_PROMPTS = 256
"""Prompts that are kept: the rollouts of a group begin with the same one."""
REMEMBERED = 4_096
"""Texts and trees that are kept: every turn of a run offers nearly the same calls."""


@dataclass(frozen=True, slots=True)
class Generated:
    """One reply in tokens."""

    ids: tuple[int, ...]
    """The reply, with the token that ended it."""
    logprobs: tuple[float, ...]
    """Natural logarithms of each token's probability in the whole vocabulary at the sampling temperature (at
    temperature 1 for a greedy reply): what a free reply is drawn from, and what training compares with."""
    drawn: tuple[float, ...]
    """The same for what was really drawn from: the legal continuations alone where the reply was held to
    some, so 0 wherever there was no choice."""
    finish: Literal["stop", "length"]


@dataclass
class LocalModel:
    """A model and its tokenizer; one thread at a time may use it."""

    model: Any
    """A causal language model of transformers, or one that peft wraps; or a `PlainQwen3`."""
    tokenizer: Any
    name: str = "the model"
    """How sentences call it."""
    template: Mapping[str, Any] = field(default_factory=dict)
    """Further fields for the chat template, such as enable_thinking."""
    decode: Callable[..., None] | None = None
    """What completes rows, as `generation.decode` does; None: that, with torch."""
    _spelt: dict[str, str] = field(default_factory=dict, repr=False)
    _ids: dict[str, tuple[int, ...]] = field(default_factory=dict, repr=False)
    _trees: dict[tuple[str, ...], Node] = field(default_factory=dict, repr=False)
    _prompts: dict[Any, tuple[Sequence[Mapping[str, Any]], list[int]]] = field(
        default_factory=dict, repr=False
    )

    @classmethod
    def load(
        cls,
        place: str,
        *,
        device: str = "auto",
        dtype: str = "auto",
        quantize: Quantize | None = None,
        template: Mapping[str, Any] | None = None,
    ) -> Self:
        """Load the model of a folder, of `assets:` and a folder there, or of a Hugging Face id.

        device: `cpu`, `cuda`, `cuda:1`, `mps`; `auto` is the first that is here. dtype: a torch dtype's name;
        `auto` is the checkpoint's own on a GPU and float32 on a CPU.
        Raises ConfigError for what the person must change and BackendError for what cannot be loaded.
        """
        from orchestra_app.backends.local.loading import load

        model, tokenizer = load(place, device=device, dtype=dtype, quantize=quantize)
        return cls(model, tokenizer, place, template or {})

    @property
    def context(self) -> int | None:
        """Tokens of prompt and reply together that the model was made for; None: not told."""
        return getattr(self.model.config.get_text_config(), "max_position_embeddings", None)

    @cached_property
    def stops(self) -> frozenset[int]:
        """The tokens that end a reply."""
        stated = getattr(self.model.generation_config, "eos_token_id", None)
        found = [*(stated if isinstance(stated, list) else [stated]), self.tokenizer.eos_token_id]
        found.append(self.tokenizer.get_vocab().get(END_OF_TURN))
        return frozenset(token for token in found if token is not None)

    @cached_property
    def end(self) -> int:
        """The token that ends a turn in the model's chat template."""
        vocabulary = self.tokenizer.get_vocab()
        ended = self.render([Message(role="user", content="?"), Message(role="assistant", content="!")])
        said = ended.rpartition("!")[2]
        found = [(said.find(text), text) for text in vocabulary if vocabulary[text] in self.stops]
        inside = min(((at, text) for at, text in found if at >= 0), default=None)
        return vocabulary[inside[1]] if inside else self.tokenizer.eos_token_id

    def render(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] = (),
        *,
        reply: bool = False,
    ) -> str:
        """Return a conversation in the model's own chat template; `reply`: up to where its reply begins.

        Raises ConfigError where there is no template or it refuses the conversation.
        """
        from jinja2 import TemplateError

        if not getattr(self.tokenizer, "chat_template", None):
            raise ConfigError(
                f"{self.name} has no chat template, so it cannot be asked: take an instruct model, or put a "
                "chat_template.jinja into its folder."
            )
        try:
            return self.tokenizer.apply_chat_template(
                [shaped(message) for message in messages],
                tools=list(tools) or None,
                add_generation_prompt=reply,
                tokenize=False,
                **self.template,
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise ConfigError(
                f"The chat template of {self.name} cannot render this conversation ({str(error)[:200]}); "
                "choose a model that takes tools and system messages."
            ) from error

    def prompt_ids(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()) -> list[int]:
        """Return the tokens of a prompt in the model's own chat template, up to where its reply begins."""
        key = (tuple(map(_key, messages)), tuple(map(id, tools)))
        known = self._prompts.get(key)
        # The tools are kept, since an id may be used again after its object is gone.
        if known is None:
            known = (tuple(tools), self.encode(self.render(messages, tools, reply=True)))
            _remember(self._prompts, key, known, REMEMBERED_PROMPTS)
        return list(known[1])

    def encode(self, text: str) -> list[int]:
        """Return the tokens of `text` as it stands."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of a reply, without the token that ended it."""
        while ids and ids[-1] in self.stops:
            ids = ids[:-1]
        return self.tokenizer.decode(ids, skip_special_tokens=False)

    @cached_property
    def unreadable(self) -> str | None:
        """Why its free replies would not be understood as calls, as a sentence; None: they would."""
        return unreadable(self.render, name=self.name, end=self._end_text)

    @property
    def _end_text(self) -> str:
        return self.tokenizer.decode([self.end])

    def spell(self, call: ToolCall) -> str:
        """Return the reply that makes one call, as the chat template spells it, without its end."""
        key = call.model_dump_json(exclude={"id"})
        if key not in self._spelt:
            text = spelt(self.render, call, name=self.name, end=self._end_text)
            _remember(self._spelt, key, text)
        return self._spelt[key]

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        most: Sequence[int],
        temperatures: Sequence[float],
        seeds: Sequence[int],
        legal: Sequence[Sequence[str] | None],
        watch: Watch | None = None,
    ) -> list[Generated]:
        """Return a reply to each prompt, all in one batch; each argument has one entry for each prompt.

        most: tokens of the reply, its end included. temperatures: 0 takes the likeliest token. seeds: equal
        prompt and seed give the same reply whatever else is in the batch (up to ties in the last digits of
        floating-point figures). legal: the texts that the reply may be; decoding follows the tree of their
        tokens with the probabilities renormalised over it; texts longer than `most` are left out. None: free.
        watch: called after each step with a prompt's number and its tokens so far; False drops that reply.
        Raises BackendError where memory runs out, a prompt leaves no room, or no legal text fits.
        """
        asked = zip(prompts, most, temperatures, seeds, legal, strict=True)
        rows = [
            self.row(prompt, most=limit, temperature=heat, seed=seed, legal=texts)
            for prompt, limit, heat, seed, texts in asked
        ]
        return self.complete(rows, watch)

    def row(
        self,
        prompt: Sequence[int],
        *,
        most: int,
        temperature: float,
        seed: int,
        legal: Sequence[str] | None,
    ) -> Row:
        """Return one reply to be completed; see `generate`.

        Raises ContextError where the prompt leaves no room, BackendError where no legal text fits.
        """
        limit = min(most, self.room(prompt))
        node = None if legal is None else self._tree(legal, limit)
        return Row(list(prompt), limit, temperature, seed, node)

    def complete(self, rows: list[Row], watch: Watch | None = None) -> list[Generated]:
        """Return the replies of these rows, all in one batch; raises BackendError where memory runs out."""
        self._decode(rows, watch)
        return [
            Generated(tuple(row.ids), tuple(row.logprobs), tuple(row.drawn), "length" if row.cut else "stop")
            for row in rows
        ]

    def _decode(self, rows: list[Row], watch: Watch | None) -> None:
        if self.decode is not None:
            self.decode(rows, stops=self.stops, watch=watch)
            return
        from orchestra_app.backends.local.generation import decode
        from orchestra_app.backends.local.loading import enough_memory

        with evaluating(self.model), enough_memory(self.name, len(rows)):
            decode(self.model, rows, stops=self.stops, pad=self._pad, watch=watch)

    @property
    def _pad(self) -> int:
        found = self.tokenizer.pad_token_id
        return min(self.stops, default=0) if found is None else found

    def room(self, prompt: Sequence[int]) -> int:
        """Return the tokens that the context leaves for a reply; raises ContextError where it leaves none."""
        context = self.context
        if context is None:
            return 1 << 30
        if len(prompt) >= context:
            raise ContextError(
                f"The prompt has {len(prompt):,} tokens, but {self.name} reads and writes {context:,} at "
                "most: let searches give fewer documents (top), or choose a model that reads more."
            )
        return context - len(prompt)

    def _tree(self, texts: Sequence[str], most: int) -> Node:
        sequences = [self.reply_ids(text) for text in texts]
        fitting = tuple(text for text, ids in zip(texts, sequences, strict=True) if len(ids) <= most)
        if not fitting:
            shortest = min(map(len, sequences), default=0)
            raise BackendError(
                f"No legal reply fits into {most} tokens, the shortest has {shortest}: raise max_output and "
                "min_output of the policy."
            )
        if fitting not in self._trees:
            _remember(self._trees, fitting, tree(self.reply_ids(text) for text in fitting))
        return self._trees[fitting]

    def candidates(self, texts: Sequence[str], reply: Sequence[int]) -> tuple[tuple[int, ...], ...] | None:
        """Return the tokens that each token of a reply was chosen from; None: it is none of the texts."""
        node, found = self._tree(texts, 1 << 30), []
        for token in reply:
            if token not in node.children:
                return None
            found.append(tuple(node.children))
            node = node.children[token]
        return None if node.children else tuple(found)

    def reply_ids(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a whole reply, its end included."""
        if text not in self._ids:
            _remember(self._ids, text, (*self.encode(text), self.end))
        return self._ids[text]


def _key(message: Message) -> tuple[str, ...]:
    return message.role, message.content, repr(message.calls), message.call_id or ""


def _remember(kept: dict[Any, Any], key: Any, value: Any, most: int = REMEMBERED) -> None:
    if len(kept) >= most:
        kept.clear()
    kept[key] = value


@contextmanager
def evaluating(model: Any):
    """Switch a model's dropout off for a while."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
