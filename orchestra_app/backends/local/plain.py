"""Very small Qwen3 models in numpy: loaded in a moment, where torch and transformers take seconds.

Computes what the Qwen3 of transformers computes; a test compares them.
"""

import ctypes
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import numpy as np

from orchestra_app.backends.local.places import located
from orchestra_app.backends.local.plain_tokenizer import PlainTokenizer
from orchestra_app.backends.local.row import NOT_NUMBERS, Row, Watch
from orchestra_app.core.errors import BackendError

MOST_BYTES = 32 * 2**20
"""Weights up to which a model counts as very small."""
BLOCK = 512
"""Tokens of a prompt that are read at once."""
ALIKE = {"model_type": "qwen3", "hidden_act": "silu", "tie_word_embeddings": True, "dtype": "float32"}
"""What the settings of a model must say for it to be computed here."""
FILES = ("model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def load_plain(place: str) -> tuple["PlainQwen3", PlainTokenizer] | None:
    """Return the model of a folder and its tokenizer; None where it is none that numpy computes here.

    What is wrong with it is for the usual way of loading to say.
    """
    from safetensors import SafetensorError

    folder = located(place)
    if not isinstance(folder, Path) or not all((folder / name).is_file() for name in FILES):
        return None
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if not _alike(config) or (folder / FILES[0]).stat().st_size > MOST_BYTES:
            return None
        found = PlainQwen3.load(folder, config), PlainTokenizer.load(folder)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None
    _one_thread()
    return found


def _one_thread() -> None:
    """Let numpy's OpenBLAS compute in one thread, if it is there.

    Matrices as small as these gain nothing from more, and on a busy machine threads that wait for each other
    take many times as long. (What the package threadpoolctl does.)
    """
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for file in folder.glob("*openblas*"):
            library = ctypes.CDLL(str(file))
            for name in ("scipy_openblas_set_num_threads64_", "openblas_set_num_threads64_"):
                if hasattr(library, name):
                    getattr(library, name)(1)


def _alike(config: dict[str, Any]) -> bool:
    rope = config.get("rope_parameters") or {}
    plain = not (config.get("attention_bias") or config.get("use_sliding_window"))
    return plain and rope.get("rope_type") == "default" and ALIKE.items() <= config.items()


@dataclass(frozen=True, slots=True)
class _Layer:
    before: np.ndarray
    projected: np.ndarray
    """Of queries, keys and values together, [hidden, heads × head size]."""
    queries: np.ndarray
    keys: np.ndarray
    out: np.ndarray
    after: np.ndarray
    gates: np.ndarray
    """Of gate and up together."""
    down: np.ndarray

    @classmethod
    def of(cls, weights: dict[str, np.ndarray], number: int) -> Self:
        """Return one layer of a checkpoint, its matrices turned so that rows multiply them."""

        def get(*names: str) -> np.ndarray:
            found = [weights[f"model.layers.{number}.{name}.weight"] for name in names]
            return np.ascontiguousarray(np.concatenate(found).T)

        return cls(
            before=get("input_layernorm"),
            projected=get("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            queries=get("self_attn.q_norm"),
            keys=get("self_attn.k_norm"),
            out=get("self_attn.o_proj"),
            after=get("post_attention_layernorm"),
            gates=get("mlp.gate_proj", "mlp.up_proj"),
            down=get("mlp.down_proj"),
        )


@dataclass(slots=True)
class _Seen:
    """Keys and values of the tokens that were seen, for every layer."""

    layers: list[tuple[np.ndarray, np.ndarray] | None]
    length: int = 0


@dataclass
class PlainQwen3:
    """A Qwen3 model's weights; it has of a transformers model what `LocalModel` asks for."""

    layers: list[_Layer]
    embeddings: np.ndarray
    norm: np.ndarray
    heads: tuple[int, int, int]
    """Query heads, key heads, head size."""
    eps: float
    theta: float
    context: int
    stops: Any
    config: Any = field(init=False)
    generation_config: Any = field(init=False)

    def __post_init__(self) -> None:
        text = SimpleNamespace(max_position_embeddings=self.context)
        self.config = SimpleNamespace(get_text_config=lambda: text)
        self.generation_config = SimpleNamespace(eos_token_id=self.stops)

    @classmethod
    def load(cls, folder: Path, config: dict[str, Any]) -> Self:
        """Load the weights of a folder; raises what reading them raises."""
        from safetensors.numpy import load_file

        weights = load_file(folder / FILES[0])
        return cls(
            layers=[_Layer.of(weights, number) for number in range(config["num_hidden_layers"])],
            embeddings=weights["model.embed_tokens.weight"],
            norm=weights["model.norm.weight"],
            heads=(config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]),
            eps=config["rms_norm_eps"],
            theta=config["rope_parameters"]["rope_theta"],
            context=config["max_position_embeddings"],
            stops=config["eos_token_id"],
        )

    def decode(self, rows: Sequence[Row], *, stops: frozenset[int], watch: Watch | None = None) -> None:
        """Complete every row in place, one after the other; raises BackendError as `generation.decode`."""
        for number, row in enumerate(rows):
            seen = _Seen([None] * len(self.layers))
            while not row.done:
                logits = self._logits(row.pending, seen, 1 + row.forced) / (row.temperature or 1.0)
                totals = _log_sum(logits)
                if row.forced:
                    tokens = row.pending[-row.forced :]
                    row.settle((logits[np.arange(row.forced), tokens] - totals[:-1]).tolist())
                if row.done:
                    break
                row.take(*_drawn(row, logits[-1], totals[-1]), stops)
                if watch is not None and not row.done and not watch(number, row.ids):
                    row.done = row.cut = True

    def _logits(self, tokens: Sequence[int], seen: _Seen, kept: int) -> np.ndarray:
        """Return what follows the last `kept` of these tokens, [kept, vocabulary]; they are then seen."""
        # A long prompt is read piece by piece: what all of it at once would take grows with its square.
        while len(tokens) - BLOCK >= kept:
            self._read(tokens[:BLOCK], seen, 1)
            tokens = tokens[BLOCK:]
        return self._read(tokens, seen, kept) @ self.embeddings.T

    def _read(self, tokens: Sequence[int], seen: _Seen, kept: int) -> np.ndarray:
        """Return the states of the last `kept` of these tokens, [kept, hidden]."""
        states = self.embeddings[list(tokens)]
        turns = self._turns(seen.length, len(tokens))
        for number, layer in enumerate(self.layers):
            # Of the last layer only what follows the last tokens is wanted.
            wanted = kept if number == len(self.layers) - 1 else len(tokens)
            found = self._attended(layer, number, states, seen, turns, wanted)
            states = states[-wanted:] + found
            gate, up = np.split(self._normed(states, layer.after) @ layer.gates, 2, axis=-1)
            states = states + (gate / (1 + np.exp(-gate)) * up) @ layer.down
        seen.length += len(tokens)
        return self._normed(states, self.norm)

    def _attended(
        self,
        layer: _Layer,
        number: int,
        states: np.ndarray,
        seen: _Seen,
        turns: tuple[np.ndarray, ...],
        length: int,
    ) -> np.ndarray:
        """Return what the last `length` of these tokens gather from all that was seen."""
        count, few, size = self.heads
        mixed = (self._normed(states, layer.before) @ layer.projected).reshape(len(states), -1, size)
        queries, keys, values = np.split(mixed.transpose(1, 0, 2), (count, count + few))
        last = tuple(each[-length:] for each in turns)
        queries = _turned(self._normed(queries[:, -length:], layer.queries), last)
        keys = _turned(self._normed(keys, layer.keys), turns)
        if (before := seen.layers[number]) is not None:
            keys, values = np.concatenate((before[0], keys), 1), np.concatenate((before[1], values), 1)
        seen.layers[number] = keys, values
        # Each key head serves several query heads.
        grouped = queries.reshape(few, -1, size)
        scores = (grouped @ keys.transpose(0, 2, 1)).reshape(count, length, -1) / math.sqrt(size)
        late = np.arange(keys.shape[1]) > keys.shape[1] - length + np.arange(length)[:, None]
        scores[:, late] = -np.inf
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        found = (shares.reshape(few, -1, keys.shape[1]) @ values).reshape(count, length, size)
        return found.transpose(1, 0, 2).reshape(length, -1) @ layer.out

    def _normed(self, states: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return states / np.sqrt(np.square(states).mean(-1, keepdims=True) + self.eps) * weight

    def _turns(self, start: int, length: int) -> tuple[np.ndarray, ...]:
        """Return cosines and sines of the rotary positions, [length, head size] each."""
        size = self.heads[2]
        frequencies = self.theta ** (-np.arange(0, size, 2, dtype=np.float32) / size)
        angles = np.arange(start, start + length, dtype=np.float32)[:, None] * frequencies
        angles = np.concatenate((angles, angles), -1)
        return np.cos(angles), np.sin(angles)


def _turned(states: np.ndarray, turns: tuple[np.ndarray, ...]) -> np.ndarray:
    first, second = np.split(states, 2, axis=-1)
    return states * turns[0] + np.concatenate((-second, first), -1) * turns[1]


def _log_sum(logits: np.ndarray) -> np.ndarray:
    most = logits.max(-1)
    return most + np.log(np.exp(logits - most[..., None]).sum(-1))


def _drawn(row: Row, logits: np.ndarray, total: float) -> tuple[int, float, float]:
    """Return a row's next token, and its log-probabilities in all and among what was allowed."""
    allowed = np.arange(len(logits)) if row.node is None else np.array(sorted(row.node.children))
    held = logits[allowed]
    within = float(_log_sum(held))
    shares = np.exp((held - within).astype(np.float64)).cumsum()
    luck = row.luck()
    place = int(held.argmax())
    if row.temperature:
        place = min(int(np.searchsorted(shares, luck * shares[-1], side="right")), len(held) - 1)
    logprob = float(held[place] - total)
    if not math.isfinite(logprob):
        raise BackendError(NOT_NUMBERS)
    return int(allowed[place]), logprob, float(held[place] - within)
