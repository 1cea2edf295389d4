"""ToolOrchestra's own protocol: every turn is a fresh two-message chat into which the context is packed.

The rendering is that of the public HLE evaluation (evaluation/eval_hle.py), but for its stray apostrophe at
the end of the prompt and its cutting inside multi-byte characters.
"""

from orchestra_app.core.message import Document, Execution, Message
from orchestra_app.core.text import TokenCounter, byte_length

SYSTEM = Message(role="system", content="You are good at using tools.")
DOCUMENT_CHARS = 1_200
ATTEMPT_TOKENS = 8_000
CODE_TOKENS = 12_000
CONTEXT_TOKENS = 27_000


def pack(
    problem: str,
    documents: tuple[Document, ...],
    executions: tuple[Execution, ...],
    *,
    tokens: TokenCounter,
    attempts: tuple[tuple[str, str], ...] = (),
    note: str = "",
    limit: int = CONTEXT_TOKENS,
) -> tuple[Message, ...]:
    """Return the two messages of a turn.

    attempts: (model, answer) pairs that were tried before. note: what went wrong in the last turn, if
    anything did; the reference has no such line. limit: tokens of question and context together.
    """
    code = _code(executions, attempts, tokens, min(CODE_TOKENS, limit // 2))
    context = _context(problem, documents, *code, tokens=tokens, limit=limit)
    remark = f"Note: {note}\n\n" if note else ""
    user = f"Problem: {problem}\n\n{context}\n\n{remark}Choose an appropriate tool."
    return (SYSTEM, Message(role="user", content=user))


def _code(
    executions: tuple[Execution, ...],
    attempts: tuple[tuple[str, str], ...],
    tokens: TokenCounter,
    limit: int,
) -> tuple[str, str]:
    """Return code and attempts as they are shown, and as they were before they were cut."""
    # As in the reference, a run without output is not shown.
    code = "".join(
        f"```python\n{run.code}\n```\n\n```output\n{run.stdout}\n```\n\n" for run in executions if run.stdout
    )
    tried = "".join(
        f"Attempt{index} answer by {model}: {answer}\n" for index, (model, answer) in enumerate(attempts, 1)
    )
    tried = cut(tried, ATTEMPT_TOKENS, tokens)
    if tried and not tried.startswith("Attempt"):
        tried = f"Attempt answer: {tried}"
    both = cut(code + tried, limit, tokens)
    shown = both if not both or both.startswith("```") else f"```\n{both}"
    return shown, code + tried


def _context(
    problem: str, documents: tuple[Document, ...], code: str, uncut: str, *, tokens: TokenCounter, limit: int
) -> str:
    texts = "".join(
        f"Doc {index}: {document.text[:DOCUMENT_CHARS]} ...\n\n"
        for index, document in enumerate(documents, 1)
    )
    if byte_length(problem) + byte_length(uncut) + byte_length(texts) < limit - 64:
        room = limit
    else:
        room = limit - tokens.count(problem)
        # As in the reference, what counts is how long the code was before it was cut.
        if tokens.count(uncut) >= room:
            return code
    packed = cut(f"{texts}\npython code and execution outputs:\n{code}" if code else texts, room, tokens)
    return f"Documents:\n{packed}" if documents else packed


def cut(text: str, limit: int, tokens: TokenCounter) -> str:
    """Return the end of `text` of at most `limit` tokens."""
    # No token is shorter than a byte, so most texts need no count.
    return text if byte_length(text) <= limit else tokens.tail(text, limit)
