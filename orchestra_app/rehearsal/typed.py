"""Questions as people type them, which have no chances of their own: sums, look-ups and talk, generated."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

from orchestra_app.rehearsal.draws import Draw, Split
from orchestra_app.rehearsal.forms import Wordings
from orchestra_app.rehearsal.free import arithmetic_program
from orchestra_app.rehearsal.places import Place, places

TypedKind = Literal["sum", "lookup", "talk"]

_COUNTS: dict[Split, int] = {"train": 1_500, "heldout": 300, "reworded": 150}
_SHARES: tuple[tuple[TypedKind, int], ...] = (("sum", 4), ("lookup", 4), ("talk", 2))
LONG = 0.08
"""Share that is told at length, with much around it."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A typed question and what helps with it."""

    text: str
    kind: TypedKind
    gold: str = ""
    """What a good answer contains; empty where there is none, or Python finds it."""
    needs: tuple[str, ...] = ()
    """Titles of the documents that state it."""


_SUMS = (
    "$a * $b",
    "$a x $b",
    "$a + $b",
    "$a - $b",
    "$a*$b",
    "$a+$b",
    "$a × $b",
    "$a / $b",
    "$a * $b + $c",
    "$a * $b - $c",
    "($a + $b) * $c",
    "$a + $b + $c",
    "$a times $b",
    "$a plus $b",
    "$a minus $b",
    "$a divided by $b",
    "$a multiplied by $b",
    "$b^$d",
    "$b to the power of $d",
    "$b squared",
    "$d cubed",
    "$a% of $c",
    "$a percent of $c",
    "$a mod $b",
    "$a.$d * $b",
    "$a,000 / $b",
    "$a乘以$b",
    "$a加$b",
    "$a减去$b",
    "$a除以$b",
    "$b的$d次方",
)
_SUM_WORDINGS = Wordings(
    (
        "What is $sum?",
        "what is $sum",
        "What's $sum?",
        "$sum",
        "$sum = ?",
        "$sum =",
        "How much is $sum?",
        "Calculate $sum.",
        "calculate $sum",
        "compute $sum please",
        "Please compute $sum",
        "What does $sum equal?",
        "Can you work out $sum for me?",
        "Hi, what is $sum?",
        "tell me $sum",
        "solve $sum",
        "计算 $sum",
        "$sum 等于多少？",
        "$sum是多少",
        "请问$sum等于几？",
    ),
    ("I need $sum.", "$sum, quickly please", "Could you do $sum in your head?", "帮我算一下$sum"),
)
_LOOKUPS: dict[str, Wordings] = {
    "town": Wordings(
        ("Where is $place?", "where is the $place", "where can I find the $place?", "$place在哪里？"),
        ("I am looking for the $place, where is it", "the location of the $place?", "$place 位于哪个城市？"),
    ),
    "founder": Wordings(
        (
            "who founded $place",
            "Who is the founder of the $place?",
            "founder of the $place?",
            "$place是谁创办的？",
        ),
        ("Do you know who founded the $place?", "$place 的创始人是谁"),
    ),
    "opened": Wordings(
        (
            "when did the $place open",
            "When was $place opened?",
            "$place opening year",
            "$place是哪一年开放的？",
        ),
        ("since when is the $place open?", "$place 什么时候开放"),
    ),
    "staff": Wordings(
        (
            "how many people work at the $place?",
            "how big is the staff of $place",
            "staff of the $place",
            "$place有多少员工？",
        ),
        ("What staff does the $place have?", "$place 的员工人数"),
    ),
    "visitors": Wordings(
        (
            "how many visitors does $place get a week?",
            "weekly visitors of the $place",
            "$place每周有多少游客？",
        ),
        ("is the $place popular, how many visitors come in a week?",),
    ),
    "": Wordings(
        (
            "Tell me about the $place.",
            "What is the $place?",
            "what do you know about $place",
            "How many people live in $town?",
            "Where is $town?",
            "what can one see in $town?",
            "Who was $founder?",
            "介绍一下$place",
            "$town有什么？",
            "Who wrote $work?",
            "When was $work published?",
            "Who discovered $topic?",
            "What is the capital of $country?",
            "Where is $country?",
            "When did the history of $topic begin?",
            "Who invented the $topic?",
            "how tall is $word Tower?",
            "when was $word born?",
            "$country的首都是哪里？",
        ),
        (
            "I would like to read about the $place.",
            "Which city is the capital of $country",
            "who made $work?",
        ),
    ),
}
_WORKS = ("Hamlet", "War and Peace", "The Odyssey", "Faust", "Don Quixote", "Dream of the Red Chamber")
_TOPICS = (
    "penicillin",
    "telephone",
    "radio",
    "gravity",
    "steam engine",
    "printing press",
    "bicycle",
    "compass",
)
_COUNTRIES = ("France", "Japan", "Peru", "Kenya", "Norway", "Canada", "China", "Brazil", "India", "Portugal")
_TALK = Wordings(
    (
        "Hello",
        "hello!",
        "Hi there",
        "hey",
        "Good morning!",
        "How are you?",
        "Who are you?",
        "What can you do?",
        "What are you?",
        "Thanks!",
        "Thank you very much.",
        "test",
        "This is a test.",
        "Tell me a joke.",
        "Write a poem about the sea.",
        "Do you like music?",
        "What should I cook tonight?",
        "Translate good evening into Italian.",
        "What is the meaning of life?",
        "Are you a robot?",
        "help",
        "?",
        "...",
        "$noise",
        "$noise $noise2",
        "$noise $noise2 $noise",
        "你好",
        "你是谁？",
        "谢谢",
        "给我讲个笑话",
        "Give me advice on $topic.",
        "Explain $topic to a child.",
        "I am bored.",
        "What do you think of $topic?",
        "ok",
        "yes",
        "bye",
    ),
    ("Good evening to you", "Sing me a song about $topic.", "so?", "$noise2 $noise", "再见", "what now"),
)
_AROUND = (
    "I have been wondering about this for quite some time and nobody could tell me.",
    "My teacher asked us this in class yesterday, and I want to be sure.",
    "Please answer in one short sentence.",
    "I am writing a report and must not make a mistake here.",
    "Think about it carefully before you reply, since much depends on it.",
    "We talked about it at dinner and everybody said something else.",
    "It does not matter how long it takes.",
    "Sorry for the long message.",
)


@cache
def typed(split: Split) -> tuple[Typed, ...]:
    """Return the typed questions of one split; none is one of the rehearsal's own, whatever it looks like."""
    draw = Draw(split, "typed")
    kinds: list[TypedKind] = [kind for kind, share in _SHARES for _ in range(share)]
    return tuple(_long(_one(draw.pick(kinds), draw), draw) for _ in range(_COUNTS[split]))


def _one(kind: TypedKind, draw: Draw) -> Typed:
    match kind:
        case "sum":
            return _sum(draw)
        case "lookup":
            return _lookup(draw)
        case "talk":
            return Typed(_TALK.pick(draw).substitute(_words(draw)), kind)


def _sum(draw: Draw) -> Typed:
    names = "abcd"
    ranges = draw.pick((((2, 12), (2, 12), (2, 20), (2, 5)), ((10, 999), (2, 99), (2, 500), (2, 6))))
    numbers = dict(zip(names, map(str, draw.numbers(ranges)), strict=True))
    expression = Wordings(_SUMS, _SUMS).pick(draw).substitute(numbers)
    text = _SUM_WORDINGS.pick(draw).substitute(sum=expression)
    assert arithmetic_program(text), f"{text!r} is a sum"
    return Typed(text, "sum")


def _lookup(draw: Draw) -> Typed:
    fact = draw.pick([*_LOOKUPS, ""])
    place = draw.pick(places(draw.split))
    text = _LOOKUPS[fact].pick(draw).substitute(_words(draw, place))
    if not fact:
        return Typed(text, "lookup")
    return Typed(text, "lookup", gold=str(getattr(place, fact)), needs=(place.title,))


def _words(draw: Draw, place: Place | None = None) -> dict[str, str]:
    place = place or draw.pick(places(draw.split))
    letters = "abcdefghijklmnopqrstuvwxyz"
    noise = ["".join(draw.pick(letters) for _ in range(draw.random.randint(3, 9))) for _ in range(2)]
    return {
        "place": place.title,
        "town": place.town,
        "founder": place.founder,
        "word": draw.word(),
        "work": draw.pick(_WORKS),
        "topic": draw.pick(_TOPICS),
        "country": draw.pick(_COUNTRIES),
        "noise": noise[0],
        "noise2": noise[1],
    }


def _long(asked: Typed, draw: Draw) -> Typed:
    if draw.random.random() >= LONG:
        return asked
    before = draw.random.sample(_AROUND, draw.random.randint(0, 3))
    after = draw.random.sample(_AROUND, draw.random.randint(0, 2))
    return Typed(" ".join((*before, asked.text, *after)), asked.kind, asked.gold, asked.needs)
