"""What a document says to a typed question: its best sentence, if it is about what the question names."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from orchestra_app.core.message import Document

LONGEST_ANSWER = 400
"""Characters of an answer that is taken from a document or an output."""

_COMMON_WORDS = """
    a about all an and any are as at be been by can could did do does for from had has have how i if
    in into is it its me more most much many my name of on one or please so some tell than that the
    their them then there these they this to us was we were what when where which who whom whose why
    will with would you your
    """
COMMON = frozenset(_COMMON_WORDS.split())
"""Words that are in every question."""
_ASKED_WORDS = """
    also answer ask big city come count date describe day each employ employed
    employee employees establish established every exact exactly explain fact find first found
    founded founder founders founding get give go goes going hello hey hi home identify information
    just know known large latest list live lives locate located location look looking need now number
    old open opened opening opens ought people person place popular public question quickly read say
    see show since situated size sorry stand stands start started state thank thanks think town typical usual
    usually visit visited visitor visitors want week weekly work worker workers works year years
    """
_ASKED = COMMON | frozenset(_ASKED_WORDS.split())
"""Words for what is asked, and none for what it is asked about."""
_ASKED_CHINESE = re.compile(
    "请问|请|介绍|告诉|一下|关于|你|我|知道|想|谁|什么|为何|为什么|怎么|怎样|如何|哪里|哪儿|哪个|哪一?年|哪些|哪|"
    "多少|几|多|吗|呢|吧|的|了|是|在|有|和|与|创办|创立|创始人?|位于|城市|开放|员工|人数|每周|游客|时候|名字|叫"
)
CHINESE = "\u3400-\u9fff\u3040-\u30ff\uac00-\ud7af"
"""The scripts that are written without capitals and mostly without spaces, for a class of characters."""
WORD = re.compile(rf"[{CHINESE}]+|[^\W{CHINESE}]+(?:['’-][^\W{CHINESE}]+)*")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
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


def extracted(question: str, documents: Sequence[Document]) -> str | None:
    """Return the sentence that says most of what is asked, out of the document that fits best.

    None where no document holds every name of the question, or, without names, a sentence with every word
    for what it is about.
    """
    names = _names(question)
    subject = set() if names else _subject(question)
    if not names and not subject:
        return None
    scores = _scores(question, documents)
    fitting = [
        index
        for index, each in enumerate(documents)
        if scores[index] and _holds(each, names) and _told(each, subject)
    ]
    if not fitting:
        return None
    # The last of equals, since searches put their best document last.
    best = documents[max(fitting, key=lambda index: (scores[index], index))]
    named = set(_terms(best.title))
    wanted = set(_terms(question)) | {said for asked, said in _MEANT if asked.search(question)}

    def score(sentence: str) -> float:
        return sum(0.1 if term in named else 1.0 for term in wanted & set(_terms(sentence)))

    sentence = max(_told(best, subject), key=score)
    return sentence.strip()[:LONGEST_ANSWER] if score(sentence) else None


def _scores(question: str, documents: Sequence[Document]) -> list[float]:
    wanted = set(_terms(question))
    # A title counts twice: what a document is about, and not what it mentions.
    told = [
        [term for part in (each.title, each.text) for term in wanted & set(_terms(part))]
        for each in documents
    ]
    spread = Counter(term for terms in told for term in set(terms))
    return [sum(1 / spread[term] for term in terms) for terms in told]


def _names(question: str) -> list[tuple[str, ...]]:
    """Return the terms of each proper name: a run of words with capitals, alone not at a sentence's start."""

    def in_chinese(word: re.Match[str]) -> bool:
        return _is_chinese(word.string[word.end() :].lstrip())

    found: list[list[re.Match[str]]] = []
    for sentence in _SENTENCE.split(question):
        words = list(WORD.finditer(sentence))
        runs: list[list[re.Match[str]]] = []
        for word in words:
            if not word[0][0].isupper() or _is_asked(word[0]):
                continue
            if runs and not sentence[runs[-1][-1].end() : word.start()].strip():
                runs[-1].append(word)
            else:
                runs.append([word])
        # A capital after a full stop tells nothing, but Chinese has none of its own.
        found += [run for run in runs if len(run) > 1 or run[0] is not words[0] or in_chinese(run[0])]
    return [tuple(_terms(" ".join(word[0] for word in run))) for run in found]


def _is_asked(word: str) -> bool:
    return re.sub(r"['’]\w+$", "", word.lower()) in _ASKED


def _subject(question: str) -> set[str]:
    """Return the terms that tell what a question without names is about."""
    words = [word for word in WORD.findall(question) if not _is_chinese(word)]
    if telling := [word for word in words if not _is_asked(word)]:
        return set(_terms(" ".join(telling)))
    runs = [
        part for word in WORD.findall(question) if _is_chinese(word) for part in _ASKED_CHINESE.split(word)
    ]
    # Of equals the last: of 中国的首都 the capital, and not China.
    return set(_terms(max(reversed(runs), key=len, default="")))


def _holds(document: Document, names: Iterable[tuple[str, ...]]) -> bool:
    parts = [f" {' '.join(_terms(part))} " for part in (document.title, document.text)]
    return all(any(f" {' '.join(name)} " in part for part in parts) for name in names)


def _told(document: Document, subject: set[str]) -> list[str]:
    """Return the sentences that, with the title, have every term of a subject."""
    missing = subject - set(_terms(document.title))
    return [each for each in _SENTENCE.split(document.text) if missing <= set(_terms(each))]


def _is_chinese(word: str) -> bool:
    return re.match(rf"[{CHINESE}]", word) is not None


def _terms(text: str) -> list[str]:
    """Return words without endings, and pairs of characters where a script writes no spaces."""
    found: list[str] = []
    for word in WORD.findall(text.lower()):
        if _is_chinese(word):
            found += [word[at : at + 2] for at in range(max(1, len(word) - 1))]
        elif word not in COMMON:
            found.append(re.sub(r"(?<=\w{3})(?:ed|ing|es|s)$", "", re.sub(r"['’]s$", "", word)))
    return found
