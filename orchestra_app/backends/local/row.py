"""One reply on its way, token by token: what is still to be seen, and what may come next."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from orchestra_app.backends.local.trie import Node

NOT_NUMBERS = (
    "The model computes figures that are not numbers: its weights are damaged, or its dtype is too coarse; "
    "load it with dtype = 'float32' or take another checkpoint."
)


@dataclass
class Row:
    """One reply on its way."""

    pending: list[int]
    """Tokens that the model has not seen yet."""
    most: int
    temperature: float
    seed: int
    node: Node | None = None
    """Where a held reply stands in its tree; None: the reply is free."""
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    drawn: list[float] = field(default_factory=list)
    forced: int = 0
    """How many of the last pending tokens belong to the reply and still lack their log-probability."""
    seen: int = 0
    """Tokens that the model has seen."""
    stretches: bool = True
    """Whether the tokens that come without a choice are queued together, or drawn one by one."""
    done: bool = False
    cut: bool = False
    noise: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.noise = random.Random(self.seed)
        self.force()

    def force(self) -> None:
        """Queue the tokens of the tree that come without a choice."""
        if self.node is not None:
            tokens, self.node = self.node.stretch()
            self.pending += tokens
            self.forced = len(tokens)

    def luck(self) -> float:
        """Return the uniform figure of the next draw; where there is no choice, none is used up."""
        return 0.0 if self.node is not None and len(self.node.children) == 1 else self.noise.random()

    def take(self, token: int, logprob: float, drawn: float, stops: frozenset[int]) -> None:
        """Add a drawn token and queue what follows from it."""
        self.ids.append(token)
        self.logprobs.append(logprob)
        self.drawn.append(drawn)
        self.pending = [token]
        if self.node is not None:
            self.node = self.node.children[token]
            if self.stretches:
                self.force()
            self.done = not self.node.children and not self.forced
            return
        self.done = token in stops or len(self.ids) >= self.most
        self.cut = self.done and token not in stops

    def settle(self, logprobs: Sequence[float]) -> None:
        """Add the tokens that came without a choice, with their log-probabilities."""
        if not self.forced:
            return
        self.ids += self.pending[-self.forced :]
        self.logprobs += logprobs[-self.forced :]
        self.drawn += [0.0] * self.forced
        self.forced = 0
        self.done = self.node is not None and not self.node.children


Watch = Callable[[int, list[int]], bool]
"""Called with a row's number and its tokens so far after each step; False drops the row."""
