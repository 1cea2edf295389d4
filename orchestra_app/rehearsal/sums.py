"""Arithmetic questions, bare and in small stories."""

from orchestra_app.rehearsal.draws import Draw
from orchestra_app.rehearsal.forms import Draft, Form, Wordings

_THINGS = (
    "pens",
    "apples",
    "tiles",
    "books",
    "coins",
    "chairs",
    "stamps",
    "bottles",
    "lamps",
    "ropes",
    "plates",
    "bricks",
)
_PEOPLE = ("Ann", "Bruno", "Chen", "Dalia", "Emeka", "Farah", "Goran", "Hana", "Imre", "Jun", "Kofi", "Lena")

_FORMS = (
    Form(
        ((6, 60), (3, 20), (2, 50)),
        lambda a, b, c: a * b + c,
        "print($a * $b + $c)",
        Wordings(
            (
                "What is $a * $b + $c?",
                "Calculate $a * $b + $c.",
                "Work out $a times $b, then add $c.",
                "Evaluate $a x $b + $c.",
            ),
            ("Give the value of $a * $b + $c.", "Multiply $a by $b, put $c on top: what comes out?"),
        ),
    ),
    Form(
        ((20, 60), (3, 20), (2, 50)),
        lambda a, b, c: a * b - c,
        "print($a * $b - $c)",
        Wordings(
            (
                "What is $a * $b - $c?",
                "Calculate $a * $b - $c.",
                "Work out $a times $b, then subtract $c.",
                "Evaluate $a x $b - $c.",
            ),
            ("Give the value of $a * $b - $c.", "Multiply $a by $b, take $c away: what remains?"),
        ),
    ),
    Form(
        ((6, 60), (3, 20), (2, 50)),
        lambda a, b, c: a * b + c,
        "print($a * $b + $c)",
        Wordings(
            (
                "A box holds $a $thing. How many $thing are in $b boxes plus $c loose ones?",
                "$person buys $b packs of $a $thing and $c single $thing. How many $thing does $person have?",
                "There are $b rows of $a $thing and $c more $thing. Count the $thing.",
            ),
            (
                "If $b crates carry $a $thing each and $c $thing lie outside, how many $thing is that?",
                "$person owns $c $thing and is given $b bags with $a $thing in each. "
                "What is the number of $thing now?",
            ),
        ),
    ),
    Form(
        ((20, 60), (3, 20), (2, 50)),
        lambda a, b, c: a * b - c,
        "print($b * $a - $c)",
        Wordings(
            (
                "$person has $b boxes of $a $thing and gives $c $thing away. How many $thing are left?",
                "A shop stocks $b shelves with $a $thing each and sells $c. How many $thing remain?",
                "Of $b stacks of $a $thing, $c $thing are broken. How many $thing are whole?",
            ),
            (
                "$c $thing fall out of a load of $b pallets with $a $thing each. How many $thing arrive?",
                "After $c of the $thing in $b full cases of $a are lost, how many $thing does $person keep?",
            ),
        ),
    ),
    Form(
        ((12, 90), (15, 95), (3, 12)),
        lambda a, b, c: (a + b) * c,
        "print(($a + $b) * $c)",
        Wordings(
            (
                "What is ($a + $b) * $c?",
                "$person packs $a red and $b blue $thing into each of $c crates. How many $thing is that?",
                "Each of $c rooms gets $a $thing in the morning and $b in the evening. "
                "How many $thing in all?",
            ),
            (
                "Add $a and $b, then multiply by $c: which number results?",
                "$c teams bring $a old and $b new $thing each. Find the number of $thing.",
            ),
        ),
    ),
)


def arithmetic(draw: Draw) -> Draft:
    """Return one arithmetic question."""
    return draw.pick(_FORMS).draft(draw, thing=draw.pick(_THINGS), person=draw.pick(_PEOPLE))
