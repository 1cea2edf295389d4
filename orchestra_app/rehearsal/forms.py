"""The shape of a generated question: numbers in, wordings, program and value out."""

from collections.abc import Callable
from dataclasses import dataclass
from string import Template

from orchestra_app.rehearsal.draws import Draw


@dataclass(frozen=True, slots=True)
class Draft:
    """A question before it has a place in a split."""

    text: str
    gold: str
    program: str = ""
    needs: tuple[str, ...] = ()
    query: str = ""


@dataclass(frozen=True, slots=True)
class Wordings:
    """The ways in which one question is put; `reworded` ones appear in that split only."""

    seen: tuple[str, ...]
    reworded: tuple[str, ...]

    def pick(self, draw: Draw) -> Template:
        """Return one wording for the split of `draw`."""
        return Template(draw.pick(self.reworded if draw.split == "reworded" else self.seen))


@dataclass(frozen=True, slots=True)
class Form:
    """A family of computations: $a, $b, $c … stand for its numbers in wordings and program."""

    ranges: tuple[tuple[int, int], ...]
    """Lowest and highest value of each number."""
    value: Callable[..., int]
    """What the program prints, computed another way."""
    program: str
    wordings: Wordings

    def draft(self, draw: Draw, **words: str) -> Draft:
        """Return one question of this family; `words` fill further names of the wording."""
        numbers = draw.numbers(self.ranges)
        names = dict(zip("abcdefgh", map(str, numbers), strict=False))
        program = Template(self.program).substitute(names)
        text = self.wordings.pick(draw).substitute(names, program=program, **words)
        return Draft(text, str(self.value(*numbers)), program)


def sentence(text: str) -> str:
    """Return the text with a capital at its start."""
    return text[0].upper() + text[1:]
