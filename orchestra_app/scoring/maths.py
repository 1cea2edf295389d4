"""Compares two mathematical answers by what they mean, with math-verify inside the sandbox."""

import json
import re

from orchestra_app.core.errors import ToolError
from orchestra_app.sandbox.base import Sandbox

LONGEST = 400
"""Characters of the longest answer that is read as mathematics."""
SECONDS = 10.0
"""Seconds that one comparison may take."""

_NAMED = re.compile(
    r"(?<![\\A-Za-z])(arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|log|ln|exp|pi)(?![A-Za-z])"
)
_ROOT = re.compile(r"(?<![\\A-Za-z])sqrt\s*\(([^()]*)\)|√\s*(\w+)")
_POWER = re.compile(r"\^\s*(?:\(([^()]*)\)|(-?\d+(?:\.\d+)?))")
_CHAINED = re.compile(r"\^\s*(?:\([^()]*\)|\{[^{}]*\}|-?\d+(?:\.\d+)?|[A-Za-z])\s*\^")
"""Powers of powers, which may be read from the left or from the right."""
_THOUSANDS = re.compile(r"(?<!\d)\d{1,3}(?:,\d{3})+(?!\d)")
_THIN = re.compile(r"(?<=\d)(?:\\[,;:! ]|\{,\})(?=\d{3}(?!\d))")
"""LaTeX between thousands, which would otherwise be read as a product."""
_WRAPPERS = (re.compile(r"\\(?:boxed|mathrm|text|mathbf)\s*\{([^{}]*)\}"), re.compile(r"\$+([^$]*)\$+"))
_SIGNS = str.maketrans(
    {
        **{"−": "-", "–": "-", "×": "\\cdot ", "·": "\\cdot ", "÷": "/", "π": "\\pi ", "∞": "\\infty "},
        **{"²": "^{2}", "³": "^{3}", "≤": "\\le ", "≥": "\\ge ", "°": "^{\\circ}"},
    }
)
_TIMES = re.compile(r"\\(?:times|cdot)(?![A-Za-z])")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_MIXED = re.compile(r"\d\s+\d")
_SCIENTIFIC = re.compile(r"\d[eE][+-]?\d")
_NO_SUM = re.compile(
    r"\d+([./-])\d+(?:\1\d+)+|\d[\d.,]*\s*-\s*\d[\d.,]*|.*\d(?:\.\d+){2}.*|.*\d:\d.*", re.DOTALL
)
"""Dates, ranges, scores, versions, addresses and times, which are written like sums and quotients."""
_DEGREES = re.compile(r"°|\\circ(?![A-Za-z])")
_MEANT = re.compile(r"[A-Za-z0-9\\]")

# The package asks which antlr4 is installed, and confined code may not list that; requirements.txt names it.
# A free letter may be a unit, and a decimal may be rounded: where those differ, somebody else has to judge.
_PROGRAM = r"""
import dataclasses, importlib.metadata, json, logging
importlib.metadata.version = lambda name: "4.13.2"
logging.disable()
import sympy
from math_verify import LatexExtractionConfig, parse, verify

# Left to itself it drops units, so that 12 m would equal 12 g.
plain = LatexExtractionConfig()
plain = dataclasses.replace(
    plain, normalization_config=dataclasses.replace(plain.normalization_config, units=False)
)

def read(text):
    found = parse(f"${text}$", [plain], fallback_mode="no_fallback", parsing_timeout=None)
    return found[0] if found else None

def compare(gold, answer):
    if gold is None or answer is None:
        return None
    if verify(gold, answer, timeout_seconds=None):
        return True
    if not (getattr(gold, "is_number", False) and getattr(answer, "is_number", False)):
        return None
    wanted, given = complex(gold), complex(answer)
    exact = not (gold.has(sympy.Float) or answer.has(sympy.Float))
    return False if exact or abs(wanted - given) > 0.01 * abs(wanted) else None

print(json.dumps(compare(*map(read, json.loads(TEXTS)))))
"""
_SAID = {"true": True, "false": False}


async def equal(answer: str, gold: str, sandbox: Sandbox, *, seconds: float = SECONDS) -> bool | None:
    """Return whether two answers are the same mathematics; None where that cannot be told.

    False only for two numbers that differ, by more than 1 % where one of them is a decimal. None for words,
    for units, for what takes too long, and where the sandbox is off or lacks math-verify.
    """
    texts = [latex(gold), latex(answer)]
    if None in texts:
        return None
    try:
        run = await sandbox.run(f"TEXTS = {json.dumps(texts)!r}\n{_PROGRAM}", seconds=seconds)
    except ToolError:
        return None
    said = _SAID.get(run.stdout.strip()) if run.status == 0 else None
    # Degrees are dropped there, so that 90 degrees would differ from half of pi.
    other = bool(_DEGREES.search(answer)) != bool(_DEGREES.search(gold))
    return None if said is False and other else said


def latex(text: str) -> str | None:
    """Return a short mathematical text as LaTeX; None where it is words, ambiguous, or too long.

    Plain writing such as `sqrt(2)/2`, `x**2` and `2π` is translated. Ambiguous are powers of powers, dates
    and ranges, which look like sums, and lists without brackets, which math-verify would read as sets
    although their order may count.
    """
    text = text.strip().rstrip(".。").strip()
    if len(text) > LONGEST:
        return None
    text = _THIN.sub("", text.translate(_SIGNS).replace("**", "^"))
    for wrapper in _WRAPPERS:
        text = wrapper.sub(r"\1", text)
    for _ in range(text.count("sqrt") + text.count("√")):
        text = _ROOT.sub(lambda found: f"\\sqrt{{{found[1] or found[2]}}}", text)
    if _CHAINED.search(text) or _NO_SUM.fullmatch(text.strip()):
        return None
    text = _POWER.sub(lambda found: f"^{{{found[1] or found[2]}}}", text)
    text = _NAMED.sub(r"\\\1 ", text).strip()
    rest = _COMMAND.sub(" ", _TIMES.sub("*", text))
    unreadable = (
        "$" in text or _WORD.search(rest) or _MIXED.search(rest) or _SCIENTIFIC.search(rest) or _lists(text)
    )
    return text if not unreadable and _MEANT.search(text) else None


def _lists(text: str) -> bool:
    """Return whether a comma outside all brackets parts a text, other than between thousands."""
    depth = 0
    for mark in re.findall(r"\\,|[(\[{)\]},;]", _THOUSANDS.sub("", text)):
        if depth <= 0 and mark in ",;":
            return True
        depth += (mark in "([{") - (mark in ")]}")
    return False
