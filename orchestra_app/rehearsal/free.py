"""What a simulated expert makes of a question that somebody typed: key words, arithmetic, extraction."""

import ast
import re
from collections import Counter
from collections.abc import Sequence

from orchestra_app.core.message import Document, Execution

MOST_WORDS = 12
"""Key words of a query."""
LONGEST_ANSWER = 400
"""Characters of an answer that is taken from a document or an output."""

_COMMON_WORDS = """
    a about all an and any are as at be been by can could did do does for from had has have how i if
    in into is it its me more most much many my name of on one or please so some tell than that the
    their them then there these they this to us was we were what when where which who whom whose why
    will with would you your
    """
_COMMON = frozenset(_COMMON_WORDS.split())
_CHINESE = "\u3400-\u9fff\u3040-\u30ff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CHINESE}]+|[^\W{_CHINESE}]+(?:['’-][^\W{_CHINESE}]+)*")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")


def key_words(text: str) -> str:
    """Return the words of a question that are worth searching for."""
    words = _WORD.findall(text)
    telling = [word for word in words if word.lower() not in _COMMON]
    if len(telling) > MOST_WORDS:
        # Of a long story the names come first.
        telling.sort(key=lambda word: not word[0].isupper())
    return " ".join((telling or words)[:MOST_WORDS]) or " ".join(text.split())[:100]


def arithmetic_program(text: str) -> str | None:
    """Return Python that computes the arithmetic in `text`, or None where there is none.

    Only numbers, operators, parentheses and a few words such as `plus` are taken over.
    """
    found = [each for each in _EXPRESSION.findall(_in_symbols(text)) if _computes(each)]
    if not found:
        return None
    expression = max(found, key=len).strip()
    if "/" in expression or "." in expression:
        return f"value = {expression}\nprint(int(value) if value == int(value) else round(value, 10))"
    return f"print({expression})"


def found_answer(question: str, documents: Sequence[Document], executions: Sequence[Execution]) -> str:
    """Return the last output, else the best sentence of the documents, else that the expert does not know."""
    printed = executions[-1].stdout.strip() if executions else ""
    if printed:
        return printed if len(printed) <= LONGEST_ANSWER else printed.splitlines()[-1][-LONGEST_ANSWER:]
    return _extracted(question, documents) or (
        "I do not know: this is a simulated expert, which knows only the rehearsal's own questions "
        "and what was found for this one."
    )


_MEANT = tuple(
    (re.compile(asked, re.IGNORECASE), said)
    for asked, said in (
        (r"\bwhere\b|\blocat|哪里|位于|城市", "town"),
        (r"\bfounders?\b|创办|创始|创立", "found"),
        (r"\bwhen\b|\bopening\b|哪一?年|什么时候", "open"),
        (r"\bpeople work\b|\bemploy|员工", "staff"),
        (r"\bvisit|游客", "visitor"),
    )
)
"""What a question asks for in other words than those of a document."""
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


def _extracted(question: str, documents: Sequence[Document]) -> str | None:
    """Return the sentence that says most of what is asked, out of the document that fits best."""
    wanted = set(_terms(question))
    # A title counts twice: what a document is about, and not what it mentions.
    told = [
        [term for part in (each.title, each.text) for term in wanted & set(_terms(part))]
        for each in documents
    ]
    spread = Counter(term for terms in told for term in set(terms))
    scores = [sum(1 / spread[term] for term in terms) for terms in told]
    if not any(scores):
        return None
    # The last of equals, since searches put their best document last.
    best = documents[max(range(len(documents)), key=lambda index: (scores[index], index))]
    named = set(_terms(best.title))
    wanted |= {said for asked, said in _MEANT if asked.search(question)}

    def score(sentence: str) -> float:
        return sum(0.1 if term in named else 1.0 for term in wanted & set(_terms(sentence)))

    sentence = max(_SENTENCE.split(best.text), key=score)
    return sentence.strip()[:LONGEST_ANSWER] if score(sentence) else None


def _terms(text: str) -> list[str]:
    """Return words without endings, and pairs of characters where a script writes no spaces."""
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        if re.match(rf"[{_CHINESE}]", word):
            found += [word[at : at + 2] for at in range(max(1, len(word) - 1))]
        elif word not in _COMMON:
            found.append(re.sub(r"(?<=\w{3})(?:ed|ing|es|s)$", "", word))
    return found
