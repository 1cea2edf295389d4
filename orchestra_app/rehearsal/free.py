"""What a simulated expert makes of a question that somebody typed: key words, arithmetic, extraction."""

import ast
import re
import unicodedata
from collections.abc import Sequence

from orchestra_app.core.message import Document, Execution
from orchestra_app.rehearsal.extraction import CHINESE, COMMON, LONGEST_ANSWER, WORD, extracted

MOST_WORDS = 12
"""Key words of a query."""


def key_words(text: str) -> str:
    """Return the words of a question that are worth searching for."""
    words = WORD.findall(text)
    telling = [word for word in words if word.lower() not in COMMON]
    if len(telling) > MOST_WORDS:
        # Of a long story the names come first.
        telling.sort(key=lambda word: not word[0].isupper())
    return " ".join((telling or words)[:MOST_WORDS]) or " ".join(text.split())[:100]


def arithmetic_program(text: str) -> str | None:
    """Return Python that computes the arithmetic in `text`, or None where there is none.

    Only numbers, operators, parentheses and a few words such as `plus` are taken over; None too where they
    are part of something else, such as an equation, a root, a fraction of something, or a date.
    """
    symbols = _in_symbols(text)
    found = [each for each in _EXPRESSION.finditer(symbols) if _computes(each[0])]
    if not found or _MORE.search(symbols) or not all(_stands_alone(each) for each in found):
        return None
    expression = max((each[0] for each in found), key=len).strip()
    if "/" in expression or "." in expression:
        return f"value = {expression}\nprint(int(value) if value == int(value) else round(value, 10))"
    return f"print({expression})"


def found_answer(question: str, documents: Sequence[Document], executions: Sequence[Execution]) -> str:
    """Return the last output, else the best sentence of the documents, else that the expert does not know."""
    printed = executions[-1].stdout.strip() if executions else ""
    if printed:
        return printed if len(printed) <= LONGEST_ANSWER else printed.splitlines()[-1][-LONGEST_ANSWER:]
    return extracted(question, documents) or (
        "I do not know: this is a simulated expert, which knows only the rehearsal's own questions "
        "and what was found for this one."
    )


_EXPRESSION = re.compile(r"(?:(?<![\w.])-)?[\d.(][\d.()+*/% -]*[\d.)]")
_NAMES = (
    (r"\.(?=\s|$)", " ; "),
    (r"(?<=\d),(?=\d{3}\b)", ""),
    (r"\b\d{4}[-–]\d{2,4}\b", " ; "),
    (r"\b(?:multiplied by|times)\b|(?<=\d)\s*[x×·]\s*(?=[\d(])", " * "),
    (r"\bdivided by\b|÷", " / "),
    (r"\bplus\b", " + "),
    (r"\bminus\b|−", " - "),
    (r"\bto the power(?: of)?\b|\^", " ** "),
    (r"(?<=\d)\s*的\s*(?=\d+\s*次方)", " ** "),
    (r"(?<=\d)\s*乘以?\s*(?=[\d(])", " * "),
    (r"(?<=\d)\s*除以\s*(?=[\d(])", " / "),
    (r"(?<=\d)\s*加上?\s*(?=[\d(])", " + "),
    (r"(?<=\d)\s*减去?\s*(?=[\d(])", " - "),
    (r"(?<=\d)\s+squared(?![a-z])", " ** 2"),
    (r"(?<=\d)\s+cubed(?![a-z])", " ** 3"),
    (r"(?:%|\bpercent\b)\s+of\b", " / 100 * "),
    (r"\bmod(?:ulo)?\b", " % "),
)
_LETTER = rf"[^\W\d_{CHINESE}]"
_MORE = re.compile(
    r"=\s*(?:[-+(]|\.?\d)"
    r"|\b(?:squared?|cubed?|roots?|sqrt|log|logarithm|ln|sine?|cos|cosine|tan|tangent|exp|factorial|than"
    r"|difference|average|mean|median|remainder|half|twice|double|triple)\b"
    r"|平方|立方|根|对数|阶乘|平均|余数|一半"
    rf"|{_LETTER}\s*(?:[+*%/]|\*\*)\s*[\d(]|[\d)]\s*(?:[+*%/]|\*\*)\s*{_LETTER}"
    rf"|(?<!{_LETTER}){_LETTER}\s*-\s*[\d(]|[\d)]\s*-\s*{_LETTER}(?!{_LETTER})",
    re.IGNORECASE,
)
"""Signs that more is asked than a computation: equations, functions, unknowns, words for further steps."""
_LED = re.compile(
    rf"(?:{_LETTER}|_|\d[.,]|\d\s*的|(?<!value)(?<!result)(?<!answer)(?<!sum)(?<!total)\s+of\s+)$",
    re.IGNORECASE,
)
_FOLLOWED = re.compile(
    rf"{_LETTER}|_|[.,]\d|\s*!\s*[-+*/%=)]|\s+of\b|\s*的\s*[\d(]|\s*(?:,|,?\s*\band)\s+[\d(]", re.IGNORECASE
)
"""What an expression is a part of, when it comes right before or after it."""
_BARE = re.compile(r"\d+(?:[-/]\d+)+")
"""Numbers without spaces, as they stand in dates, scores, ranges and telephone numbers."""
_ASKING_WORDS = """
    answer calculate calculation compute decimal divide equal equals evaluate hello hey hi please quickly
    result solve sum value what's whats work
    """
_ASKING = COMMON - {"was", "were"} | frozenset(_ASKING_WORDS.split())
_ASKING_CHINESE = re.compile("[请问你帮我计算一下等于是多少几什么结果的得呢吗]+")
"""Words around a sum that ask for its value."""


def _in_symbols(text: str) -> str:
    for name, symbol in _NAMES:
        text = re.sub(name, symbol, text, flags=re.IGNORECASE)
    return text


def _computes(expression: str) -> bool:
    """Return whether the text is a whole expression of numbers with at least one operation between two."""
    try:
        nodes = list(ast.walk(ast.parse(expression.strip(), mode="eval")))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    allowed = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Constant, ast.operator, ast.unaryop)
    return all(isinstance(node, allowed) for node in nodes) and any(
        isinstance(node, ast.BinOp) for node in nodes
    )


def _stands_alone(found: re.Match[str]) -> bool:
    """Return whether an expression is no part of something longer, such as `sin(3) + 4`, `3 + 4²` or 9/11."""
    before, after = found.string[: found.start()], found.string[found.end() :]
    if _LED.search(before) or _FOLLOWED.match(after):
        return False
    if _mathematical(before.rstrip()[-1:]) or _mathematical(after.lstrip()[:1]):
        return False
    words = (word for word in WORD.findall(f"{before} {after}".lower()) if word not in _ASKING)
    return not _BARE.fullmatch(found[0].strip()) or all(map(_ASKING_CHINESE.fullmatch, words))


def _mathematical(mark: str) -> bool:
    return (
        bool(mark) and mark != "=" and (mark in "-*/%‰°[]{}\\" or unicodedata.category(mark) in ("Sm", "No"))
    )
