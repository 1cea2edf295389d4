"""The replies that are legal, as a tree of tokens that decoding follows."""

from collections.abc import Iterable, Sequence


class Node:
    """A place in the tree: what has been said so far, and the tokens that may come next."""

    __slots__ = ("children",)

    def __init__(self) -> None:
        self.children: dict[int, Node] = {}

    def stretch(self) -> tuple[list[int], "Node"]:
        """Return the tokens that must come next, up to a choice or the end, and the place they lead to."""
        tokens: list[int] = []
        node = self
        while len(node.children) == 1:
            ((token, node),) = node.children.items()
            tokens.append(token)
        return tokens, node


def tree(sequences: Iterable[Sequence[int]]) -> Node:
    """Return the root of the tree of `sequences`; each ends with a token that stands nowhere else in it."""
    root = Node()
    for sequence in sequences:
        node = root
        for token in sequence:
            node = node.children.setdefault(token, Node())
    return root
