"""Questions that show a short program and ask for what it prints."""

from orchestra_app.rehearsal.draws import Draw
from orchestra_app.rehearsal.forms import Draft, Form, Wordings

_WORDINGS = Wordings(
    (
        "What does this program print?\n\n$program",
        "Give the output of the following Python code.\n\n$program",
        "Read the code and state its output.\n\n$program",
        "Which value is printed?\n\n$program",
    ),
    (
        "Trace the snippet below; what appears on the screen?\n\n$program",
        "Someone runs these lines. What do they see?\n\n$program",
    ),
)


def _wheel(start: int, rounds: int, added: int, modulus: int) -> int:
    for index in range(rounds):
        start = (start * index + added) % modulus
    return start


def _skipping(rounds: int, every: int, rest: int, factor: int) -> int:
    return factor * (sum(range(rounds)) - sum(range(rest % every, rounds, every)))


def _descent(start: int, limit: int, step: int, gain: int) -> int:
    calls = max(0, -(-(start - limit + 1) // step))
    return start - calls * step + calls * gain


def _halving(start: int, limit: int, gain: int) -> int:
    total = 0
    while start > limit:
        start //= 2
        total += start + gain
    return total


def _pairs(rows: int, columns: int, modulus: int) -> int:
    return sum((row + column) % modulus == 0 for row in range(rows) for column in range(columns))


def _remainders(first: int, second: int, start: int) -> int:
    while second:
        first, second, start = second, first % second, start + 1
    return first + start


_FORMS = (
    Form(
        ((2, 9), (6, 14), (1, 9), (17, 70)),
        _wheel,
        "x = $a\nfor i in range($b):\n    x = (x * i + $c) % $d\nprint(x)",
        _WORDINGS,
    ),
    Form(
        ((8, 19), (2, 6), (0, 5), (2, 9)),
        _skipping,
        "s = 0\nfor i in range($a):\n    if i % $b != $c % $b:\n        s += i * $d\nprint(s)",
        _WORDINGS,
    ),
    Form(
        ((20, 70), (3, 9), (2, 6), (3, 12)),
        _descent,
        "def f(n):\n    if n < $b:\n        return n\n    return f(n - $c) + $d\n\nprint(f($a))",
        _WORDINGS,
    ),
    Form(
        ((90, 990), (2, 9), (1, 9)),
        _halving,
        "n = $a\ntotal = 0\nwhile n > $b:\n    n //= 2\n    total += n + $c\nprint(total)",
        _WORDINGS,
    ),
    Form(
        ((5, 14), (5, 14), (3, 7)),
        _pairs,
        "hits = 0\nfor i in range($a):\n    for j in range($b):\n        if (i + j) % $c == 0:\n"
        "            hits += 1\nprint(hits)",
        _WORDINGS,
    ),
    Form(
        ((60, 400), (20, 59), (1, 20)),
        _remainders,
        "a, b, k = $a, $b, $c\nwhile b:\n    a, b = b, a % b\n    k += 1\nprint(a + k)",
        _WORDINGS,
    ),
)


def code(draw: Draw) -> Draft:
    """Return one question about a program."""
    return draw.pick(_FORMS).draft(draw)
