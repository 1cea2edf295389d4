"""A tokenizer without transformers: the `tokenizers` package and the folder's chat template."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self


@dataclass
class PlainTokenizer:
    """What `LocalModel` asks of a tokenizer of transformers."""

    fast: Any
    chat_template: str
    eos_token_id: int
    pad_token_id: int | None

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load the tokenizer of a folder; raises what reading it raises, KeyError where no end is named."""
        from tokenizers import Tokenizer

        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        fast = Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))
        vocabulary = fast.get_vocab()
        return cls(
            fast,
            (folder / "chat_template.jinja").read_text(encoding="utf-8"),
            vocabulary[settings["eos_token"]],
            vocabulary.get(settings.get("pad_token")),
        )

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        return {"input_ids": self.fast.encode(text, add_special_tokens=add_special_tokens).ids}

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """Return the text of tokens."""
        return self.fast.decode(list(ids), skip_special_tokens=skip_special_tokens)

    def get_vocab(self) -> dict[str, int]:
        """Return every token's number."""
        return self._vocabulary

    def apply_chat_template(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None,
        add_generation_prompt: bool,
        tokenize: bool,
        **fields: Any,
    ) -> str:
        """Return a conversation as the chat template renders it."""
        assert not tokenize, "a text is wanted"
        return self._template.render(
            messages=messages, tools=tools, add_generation_prompt=add_generation_prompt, **fields
        )

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        return self.fast.get_vocab()

    @cached_property
    def _template(self) -> Any:
        """The template, compiled as transformers compiles it."""
        from jinja2 import TemplateError
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        def refuse(message: str) -> None:
            raise TemplateError(message)

        def as_json(value: Any, indent: int | None = None) -> str:
            return json.dumps(value, ensure_ascii=False, indent=indent)

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
        )
        environment.filters["tojson"] = as_json
        environment.globals["raise_exception"] = refuse
        return environment.from_string(self.chat_template)
