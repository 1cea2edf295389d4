"""What a question seems to need, read off its words: a lookup, a computation or a specialist."""

import re
from dataclasses import dataclass
from functools import lru_cache

READ = 4_000
"""Characters of a question that are read."""
MOST_NAMES = 4


def _any(words: str, others: str) -> re.Pattern[str]:
    """Return a pattern for any of some whole words, separated by spaces, or of some other pieces of text."""
    listed = "|".join(words.split()).replace("_", r"\s")
    return re.compile(rf"\b(?:{listed})\b|{others}", re.IGNORECASE)


CODE = re.compile(
    r"```|^\s*(?:def |class |for |while |import |print\()|\bprint\(|\{\s*return\b", re.MULTILINE
)
NUMBER = re.compile(r"\d[\d.,]*")
EXPRESSION = re.compile(r"\d\s*(?:[-+*/^%×÷x]|times|plus|minus|divided by)\s*\d")
ARITHMETIC = _any(
    r"""sum total adds? subtract\w* multipl\w+ divi\w+ product remainder modul\w+ mod power primes? factor\w*
    square root average mean median percent\w* how_(?:many|much|old|long) count calculate compute evaluate
    work_out times twice half difference differ apart gap older younger integers? probability equation
    solve""",
    "多少|几|计算|求|总和|相差|余数|质数|倍",
)
COMPARED = _any(
    """difference differ apart gap older younger longer more fewer later earlier between sum total together
    combined""",
    "相差|之差|更|合计|一共",
)
LOOKED_UP = _any(
    """who whom whose when where which_(?:year|town|city|country|person|place) what_year founde[dr] founding
    established opened opening located born died invented discovered named? capital staff employees""",
    "谁|哪|何时|何地|什么时候|年份|创办|创立|位于",
)
SPECIALIST = _any(
    r"""theorem lemma mechanism principle hypothesis graduate specialist doctrine accepted_account conjecture
    \w{4,}(?:ology|ological|omics|ometry|istry|metric|morphism|otopy|ynamics|esis|itis|ase|oid|onic)""",
    "定理|机制|原理|学说",
)
NAME = re.compile(r"\b[A-ZÀ-ÖØ-Þ][\w'’-]*+(?:\s+[A-ZÀ-ÖØ-Þ][\w'’-]*+)*+")
QUOTED = re.compile(r"[“\"「『《]([^”\"」』》]{2,60})[”\"」』》]")
SENTENCE = re.compile(r"(?:^|[.!?。！？:]\s+)\W*")
OPENING = """
    a about according after all an and are as at before by can could did do does during each every for from
    give given had has have his her how i if in into is it its let my name of on one or our please read since
    suppose take tell than that the their there these they this to under use using was were what when where
    whether which while who whom whose why will with would your
"""
OPENERS = frozenset(OPENING.split())
"""Words that stand before a name at the start of a sentence."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a question seems to need."""

    names: tuple[str, ...]
    """What has to be looked up."""
    lookup: bool
    compute: bool
    maths: bool
    """True where it is about numbers alone."""
    specialist: bool


@lru_cache(maxsize=1_024)
def needs_of(question: str) -> Needs:
    """Return what a question seems to need."""
    text = question[:READ]
    code = CODE.search(text) is not None
    numbers = len(NUMBER.findall(text))
    counted = ARITHMETIC.search(text) is not None
    names = () if code else _names(text)
    if counted and numbers > 1:
        # A sum told as a story: a first name in it is nobody to look up.
        names = tuple(name for name in names if " " in name)
    maths = EXPRESSION.search(text) is not None or (numbers > 0 and counted and not names)
    lookup = not code and (bool(names) or (LOOKED_UP.search(text) is not None and not maths))
    # One fact about one thing is read off a document; two things, or a fact and a number, must be computed.
    several = len(names) > 1 and COMPARED.search(text) is not None
    mixed = bool(names) and counted and numbers > 0
    specialist = not (code or maths or names) and SPECIALIST.search(text) is not None
    return Needs(names, lookup and not specialist, code or maths or several or mixed, maths, specialist)


def _names(text: str) -> tuple[str, ...]:
    """Return the proper names and quoted titles in a question, lone words that open a sentence left out."""
    starts = {match.end() for match in SENTENCE.finditer(text)}
    found = [match.group(1) for match in QUOTED.finditer(text)]
    for match in NAME.finditer(text):
        words = match.group().split()
        opens = match.start() in starts
        if opens and (len(words) == 1 or words[0].lower() in OPENERS):
            words = words[1:]
        if any(word[-1].islower() for word in words):
            found.append(" ".join(words))
    return tuple(dict.fromkeys(found))[:MOST_NAMES]
