"""Questions whose answer, or whose figures, stand in the documents about invented places."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestra_app.rehearsal.draws import Draw
from orchestra_app.rehearsal.forms import Draft, Wordings, sentence
from orchestra_app.rehearsal.places import Place, places

_FACTS = {
    "opened": Wordings(
        (
            "In which year did the $place open?",
            "When was the $place opened to the public?",
            "What year did the $place first open?",
            "Tell me the opening year of the $place.",
        ),
        ("the $place opened its doors in what year?", "since which year has the $place been open?"),
    ),
    "founder": Wordings(
        (
            "Who founded the $place?",
            "Name the founder of the $place.",
            "Which person established the $place?",
            "the $place was founded by whom?",
        ),
        ("whose idea was the $place, that is, who set it up?", "the $place goes back to which person?"),
    ),
    "town": Wordings(
        (
            "In which town is the $place located?",
            "Where can the $place be found?",
            "Which town hosts the $place?",
            "What is the home town of the $place?",
        ),
        ("the $place stands in which town?", "to see the $place, one travels to what town?"),
    ),
    "staff": Wordings(
        (
            "How many staff work at the $place?",
            "What is the number of employees of the $place?",
            "How large is the staff of the $place?",
            "Give the staff count of the $place.",
        ),
        ("the $place has how many people on its payroll?", "how many people does the $place employ?"),
    ),
    "visitors": Wordings(
        (
            "How many visitors does the $place count in a usual week?",
            "What is the weekly number of visitors of the $place?",
            "How many people visit the $place each week?",
            "Give the number of visitors of the $place in a usual week.",
        ),
        (
            "in a usual week, the $place welcomes how many guests?",
            "how well visited is the $place, per week?",
        ),
    ),
}
_KEY_WORDS = {
    "opened": "opened",
    "founder": "founded",
    "town": "town",
    "staff": "staff",
    "visitors": "visitors week",
}


@dataclass(frozen=True, slots=True)
class _Pair:
    """A question about two places: which figure it compares, and how."""

    fact: str
    combine: Callable[[int, int], int]
    program: str
    wordings: Wordings


_PAIRS = (
    _Pair(
        "opened",
        lambda first, second: abs(first - second),
        "print(abs({0} - {1}))",
        Wordings(
            (
                "How many years apart did the $first and the $second open?",
                "What is the difference in years between the openings of the $first and the $second?",
                "By how many years do the opening dates of the $first and the $second differ?",
            ),
            (
                "between the $first and the $second, how long is the gap in opening years?",
                "how much older is one of the $first and the $second than the other, in years?",
            ),
        ),
    ),
    _Pair(
        "staff",
        lambda first, second: first + second,
        "print({0} + {1})",
        Wordings(
            (
                "How many staff do the $first and the $second have together?",
                "What is the combined staff of the $first and the $second?",
                "Add the staff of the $first to the staff of the $second.",
            ),
            (
                "if the $first and the $second merged, how many employees would there be?",
                "the $first and the $second pay how many people in all?",
            ),
        ),
    ),
    _Pair(
        "visitors",
        lambda first, second: abs(first - second),
        "print(abs({0} - {1}))",
        Wordings(
            (
                "By how much do the weekly visitors of the $first and the $second differ?",
                "What is the difference between the $first and the $second in visitors of a usual week?",
                "How many visitors a week lie between the $first and the $second?",
            ),
            (
                "how large is the weekly lead in guests among the $first and the $second?",
                "comparing the $first with the $second, how far apart are their weekly guests?",
            ),
        ),
    ),
    _Pair(
        "visitors",
        lambda first, second: first + second,
        "print({0} + {1})",
        Wordings(
            (
                "How many visitors do the $first and the $second count together in a usual week?",
                "What is the total of weekly visitors of the $first and the $second?",
                "Add up the visitors of the $first and the $second in a usual week.",
            ),
            (
                "the $first and the $second jointly welcome how many guests a week?",
                "taken as one, how many weekly guests have the $first and the $second?",
            ),
        ),
    ),
)


def fact(draw: Draw) -> Draft:
    """Return one question about one place."""
    place = draw.pick(places(draw.split))
    name = draw.pick(list(_FACTS))
    text = sentence(_FACTS[name].pick(draw).substitute(place=place.title))
    query = f"{place.title} {_KEY_WORDS[name]}"
    return Draft(text, str(getattr(place, name)), needs=(place.title,), query=query)


def two_documents(draw: Draw) -> Draft:
    """Return one question that needs the documents about two places and a computation."""
    pair = draw.pick(_PAIRS)
    first, second = _two_places(draw, pair.fact)
    figures = getattr(first, pair.fact), getattr(second, pair.fact)
    text = sentence(pair.wordings.pick(draw).substitute(first=first.title, second=second.title))
    return Draft(
        text,
        gold=str(pair.combine(*figures)),
        program=pair.program.format(*figures),
        needs=(first.title, second.title),
        query=f"{first.title} {second.title} {_KEY_WORDS[pair.fact]}",
    )


def _two_places(draw: Draw, name: str) -> tuple[Place, Place]:
    while True:
        first, second = draw.random.sample(places(draw.split), 2)
        if getattr(first, name) != getattr(second, name):
            return first, second
