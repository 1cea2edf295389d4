"""What the experts are asked, and how their replies are read; pure functions."""

import re
from textwrap import dedent

from orchestra_app.backends.reading import split_reasoning
from orchestra_app.core.catalog import ToolKind
from orchestra_app.core.message import Message, Reply

SEARCH = (
    "Some information is still missing to answer the question. Think about what it is, then write one "
    "search query for it, a few key words or a short sentence, between <query> and </query>."
)
REASON = (
    "Do not answer the question yet. Write Python code that computes results which help to answer it, "
    "beyond what has been run before, and prints every intermediate result. Put it into one ```python "
    "block that is complete in itself: it imports what it uses and reads no file or network."
)
ANSWER = (
    "Think about the question between <think> and </think>, then give the final answer, and nothing "
    "else, between <answer> and </answer>."
)
BOXED = Message(role="system", content=r"Reason step by step, and put the final answer within \boxed{}.")
SHORTEST_QUERY = 5
"""Bytes below which a query is taken for none: two Chinese characters are enough, `xyz` is not."""
LONGEST_QUERY = 390
"""Characters of a query that are used, as in ToolOrchestra; web search takes no more than 400."""


def expert_messages(
    kind: ToolKind, question: str, context: str, *, boxed: bool = False
) -> tuple[Message, ...]:
    """Return the prompt of an expert.

    context: what `Findings.pack` made. boxed: the answer is asked for in \\boxed{} instead of tags.
    """
    asked = f"{context}Question: {question}"
    match kind:
        case "search":
            task = SEARCH
        case "reason":
            task = REASON
        case "answer" if boxed:
            return (BOXED, Message(role="user", content=asked))
        case "answer":
            task = ANSWER
    return (Message(role="user", content=f"{asked}\n\n{task}"),)


# A tag that is only spoken of is not closed before the one that counts is opened.
_QUERY = re.compile(r"<query>((?:(?!<query>).)*?)(?:</query>|\Z)", re.DOTALL | re.IGNORECASE)
_CODE = re.compile(
    r"```(?:python3?|py)[ \t]*\r?\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.IGNORECASE | re.MULTILINE
)
_ANSWER = re.compile(r"<answer>((?:(?!<answer>).)*?)(</answer>|\Z)", re.DOTALL | re.IGNORECASE)
_BRACES = re.compile(r"\\boxed\s*\{|\\.|[{}]", re.DOTALL)


def said(reply: Reply) -> str:
    """Return the text of a reply, or its reasoning where a model that finished left all of it there."""
    return reply.text or (reply.reasoning if reply.finish == "stop" else "")


def without_thinking(text: str) -> str:
    """Return a reply without its <think> part."""
    return split_reasoning(text)[0].strip()


def read_query(text: str) -> str | None:
    """Return the last search query of a reply in one line; None where there is none worth searching."""
    found = _QUERY.findall(without_thinking(text))
    query = one_line(found[-1]) if found else ""
    return query if len(query.encode(errors="replace")) >= SHORTEST_QUERY else None


def one_line(text: str) -> str:
    """Return `text` as a query: in one line and no longer than search sources take."""
    return " ".join(text.split())[:LONGEST_QUERY]


def read_code(text: str) -> str | None:
    """Return the last ```python block of a reply, closed or not; None where there is none."""
    blocks = [dedent(block).strip().removesuffix("```") for block in _CODE.findall(without_thinking(text))]
    return next((block for block in reversed(blocks) if block.strip()), None)


def read_answer(text: str, *, finished: bool = True) -> str | None:
    r"""Return the final answer of a reply, or None where it gives none.

    The last <answer> counts, else the last \boxed{} whose braces are balanced, else the last paragraph;
    where the reply was cut (`finished` is False), only what is closed.
    """
    visible = without_thinking(text)
    # Some models forget to close their thinking before they answer.
    tagged = _ANSWER.findall(visible) or (_ANSWER.findall(text) if finished and not visible else [])
    inside = [content.strip() for content, end in tagged if end or finished]
    answers = [content for content in inside if content]
    if answers:
        return read_boxed(answers[-1], whole=True) or answers[-1]
    boxed = read_boxed(visible)
    if boxed or tagged or not finished or "\\boxed" in visible:
        return boxed
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", visible)]
    return next((part for part in reversed(paragraphs) if part), None)


def read_boxed(text: str, *, whole: bool = False) -> str | None:
    r"""Return the content of the last \boxed{} that is not empty; `whole`: only one that is all of `text`."""
    opened: list[re.Match | None] = []
    found: tuple[int, str] | None = None
    for brace in _BRACES.finditer(text):
        if brace[0] == "}":
            start = opened.pop() if opened else None
            content = text[start.end() : brace.start()].strip() if start else ""
            if start and content and (not found or start.start() > found[0]):
                all_of_it = start.start() == 0 and brace.end() == len(text)
                found = (start.start(), content) if all_of_it or not whole else found
        elif brace[0] == "{":
            opened.append(None)
        elif brace[0].startswith("\\boxed"):
            opened.append(brace)
    return found[1] if found else None
