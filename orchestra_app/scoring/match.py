"""Compares an answer with the gold answer where no judgement is needed: equal once written the same way."""

import re
import unicodedata
from fractions import Fraction

LONGEST_NUMBER = 60
"""Characters of the longest text that is read as a number; longer ones are compared as text."""

_DASHES = re.compile(r"[\u2010-\u2015\u2212]")
_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "«": '"', "»": '"'})
_WRAPPED = re.compile(r"\\(?:boxed|text|mathrm|textbf|mathbf)\{([^{}]*)\}", re.IGNORECASE)
_POWER = re.compile(r"(?<=[\w)\]])[⁺⁻]?[⁰¹²³⁴-⁹]+(?![⁰¹²³⁴-⁹⁺⁻])")
"""A power behind its base, unless it is the charge of an ion."""
_PLAIN_POWER = re.compile(r"(?<=\d)(\s*(?:[kcdmnμ]?m|in|ft|yd|mi))([23])$", re.IGNORECASE)
"""A unit of area or volume whose power is written on the line."""
_FRACTION = re.compile(r"(?<=\d)(?=[½⅓⅔¼¾⅐-⅞])")
_CALLED = re.compile(r"(?<=[^\W\d_]{2})[!.;,。]+$")
"""Marks after a word; after a number or a letter an exclamation mark is a factorial."""
_ARTICLE = re.compile(r"^(?:the|an?)\s+(?=\S)", re.IGNORECASE)
_PAIRS = (('"', '"'), ("'", "'"), ("`", "`"), ("$", "$"), ("\\(", "\\)"), ("**", "**"))
_GROUPS = r"\d{1,3}(?:(?:,\d{3})+|(?:[ '_]\d{3})+)|\d+"
_QUANTITY = re.compile(
    rf"([$€£¥]?)\s*([+-]?)\s*({_GROUPS})?(\.\d*)?(?:e([+-]?\d{{1,2}}))?(?:\s*/\s*(\d+))?\s*"
    r"([^\d\s.,/^](?:[^\d]|(?<=\^)\d)*)?",
    re.IGNORECASE,
)
_PREFIXED = re.compile(
    r"m(?=(?:g|m|l|s|a|k|v|w|n|j|t|f|h|c|b|hz|pa|ev|wh|ah|va|cd|lm|lx|bq|gy|sv|rad|bar|ω)$)", re.IGNORECASE
)
"""The prefix milli or mega before the symbol of a unit, with its case put aside."""


def matches(answer: str, gold: str) -> bool:
    """Return whether an answer equals the gold answer in all but its writing.

    Case, spaces, a leading article, quotes, a final stop and Unicode variants do not count; numbers are
    compared by their value, with the same unit or none on both sides, mW being another than MW. Anything
    less alike is for a judge.
    """
    given, wanted = normalised(answer), normalised(gold)
    if not given or not wanted:
        return False
    if given == wanted:
        return True
    number = _quantity(wanted)
    return number is not None and number == _quantity(given)


def normalised(text: str) -> str:
    """Return the text in the one writing in which answers are compared."""
    # Kept apart from what stands before them, which NFKC would not do: 10² is not 102, nor 1½ 11/2.
    text = _FRACTION.sub(" ", _POWER.sub(lambda found: f"^{found[0]}", text))
    text = unicodedata.normalize("NFKC", text).replace("\u2044", "/").translate(_QUOTES)
    text = " ".join(_DASHES.sub("-", text).replace("\\%", "%").replace("\\$", "$").split())
    before = None
    while text != before:
        before = text
        text = _CALLED.sub("", _WRAPPED.sub(r"\1", text).rstrip(".;,。")).strip()
        for opening, closing in _PAIRS:
            if len(text) > len(opening + closing) and text.startswith(opening) and text.endswith(closing):
                text = text[len(opening) : -len(closing)].strip()
    return _folded(_PLAIN_POWER.sub(r"\1^\2", _ARTICLE.sub("", text)))


def _folded(text: str) -> str:
    """Return the text without capitals, but for those that make another unit of a quantity's."""
    found = _QUANTITY.fullmatch(text) if len(text) <= LONGEST_NUMBER else None
    if found is None or not found[7] or not re.search(r"\d", text[: found.start(7)]):
        return text.casefold()
    number, unit = text[: found.start(7)].casefold(), found[7]
    if len(unit) == 1 and unit != "L":
        return number + unit
    return number + re.sub(r"[^\W\d_]+", lambda symbol: _symbol(symbol[0]), unit)


def _symbol(unit: str) -> str:
    return unit[0] + unit[1:].casefold() if _PREFIXED.match(unit) else unit.casefold()


def _quantity(text: str) -> tuple[Fraction, str] | None:
    """Return the exact value and the unit of a text that is one quantity and nothing else."""
    found = _QUANTITY.fullmatch(text) if len(text) <= LONGEST_NUMBER else None
    if found is None:
        return None
    currency, sign, whole, decimals, exponent, divisor, unit = found.groups(default="")
    digits = re.sub(r"[,' _]", "", whole) + ("" if decimals == "." else decimals)
    if not re.search(r"\d", digits) or (divisor and int(divisor) == 0) or (currency and unit):
        return None
    value = Fraction(f"{sign}{digits}{f'e{exponent}' if exponent else ''}") / int(divisor or 1)
    return value, (currency or unit).strip()
