"""A trace on the terminal: its calls as they come, the answer and what it cost."""

import re

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from orchestra_app.core.message import ToolCall
from orchestra_app.core.trace import Trace, Turn, called
from orchestra_app.storage.queries import Summary

MARKS = {True: "✓ correct", False: "✗ incorrect", None: ""}
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Characters that would steer the terminal or turn the reading direction."""
QUESTION = 100
"""Characters of a question that a list shows."""


def plain(text: str, style: str = "") -> Text:
    """Return text that others wrote, safe to show: no markup and nothing that steers the terminal."""
    return Text(harmless(text), style=style, overflow="fold")


def harmless(text: str) -> str:
    """Return text in which nothing steers the terminal."""
    return _STEERING.sub("\ufffd", text)


def one_line(text: str, most: int) -> str:
    """Return `text` on one line of at most `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def draw(trace: Trace) -> Group:
    """Return the drawing of a trace, running or finished."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("s", "$"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("call", overflow="fold")
    for turn in trace.turns:
        for call in turn.reply.calls:
            table.add_row(*_row(trace, turn, call))
    return Group(plain(trace.task.question, "bold"), table, *_ending(trace))


def draw_end(trace: Trace) -> Text:
    """Return what can be done with a trace that is kept."""
    return Text(f"{trace.id} is kept: orchestra label {trace.id} --correct", style="dim", overflow="fold")


def draw_summary(each: Summary) -> Text:
    """Return the two lines of one trace in a list; its id stands whole at the beginning."""
    started = each.started_at.astimezone().strftime("%Y-%m-%d %H:%M")
    text = Text(f"{each.id}  {started}  {each.status}  {each.verdict}\n")
    text.append(f"  ${each.cost:.5f} · {each.seconds:.1f} s · ", style="dim")
    return text.append_text(plain(f"{one_line(each.policy, 40)} · {one_line(each.question, QUESTION)}"))


def _row(trace: Trace, turn: Turn, call: ToolCall) -> tuple[Text, Text, Text]:
    result = turn.result(call.id)
    cost = sum(charge.cost for charge in result.charges) if result else 0.0
    at = result.at if result else trace.seconds
    said = plain(one_line(called(call), 80))
    note = "…" if result is None else result.error or (f"forced: {turn.forced}" if turn.forced else "")
    if note:
        said.append_text(plain(f"  {note}", "dim"))
    return Text(f"{at:.1f}"), Text(f"{cost:.5f}"), said


def _ending(trace: Trace) -> list[Panel | Text]:
    budget = trace.task.budget
    of_cost = f" of ${budget.cost:g}" if budget.cost is not None else ""
    of_time = f" of {budget.seconds:g} s" if budget.seconds is not None else ""
    turns = f"{len(trace.turns)} turn{'s' * (len(trace.turns) != 1)}"
    totals = f"${trace.cost:.5f}{of_cost} · {trace.seconds:.1f} s{of_time} · {turns}"
    if trace.simulated:
        totals += " · rehearsal: simulated experts, no real money"
    if trace.status == "running":
        return [Text(totals, style="dim")]
    said = trace.answer if trace.answer is not None else (trace.error or trace.status)
    title = f"{trace.status} {MARKS[trace.correct]}".strip()
    style = "green" if trace.status == "answered" else "yellow"
    return [
        Panel(plain(said), title=title, border_style=style, title_align="left"),
        Text(totals, style="dim"),
    ]
