"""A trace on the terminal: its calls as they come, the answer and what it cost."""

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from orchestra_app.core.trace import Trace, alias_of

MARKS = {True: "✓ correct", False: "✗ incorrect", None: ""}


def draw(trace: Trace) -> Group:
    """Return the drawing of a trace, running or finished."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("s", "tool", "model", "$", ""):
        table.add_column(name, justify="right" if name in ("s", "$") else "left")
    for turn in trace.turns:
        for call in turn.reply.calls:
            result = turn.result(call.id)
            cost = sum(charge.cost for charge in result.charges) if result else 0.0
            at = result.at if result else trace.seconds
            note = (
                "…" if result is None else result.error or (f"forced: {turn.forced}" if turn.forced else "")
            )
            table.add_row(
                f"{at:.1f}",
                Text(call.name),
                Text(alias_of(call) or ""),
                f"{cost:.5f}",
                Text(note, style="dim"),
            )
    return Group(Text(trace.task.question, style="bold"), table, _ending(trace))


def _ending(trace: Trace) -> Panel | Text:
    budget = trace.task.budget
    of_cost = f" of ${budget.cost:g}" if budget.cost is not None else ""
    of_time = f" of {budget.seconds:g} s" if budget.seconds is not None else ""
    totals = f"${trace.cost:.5f}{of_cost} · {trace.seconds:.1f} s{of_time} · {len(trace.turns)} turns"
    if trace.simulated:
        totals += " · rehearsal: simulated experts, no real money"
    if trace.status == "running":
        return Text(totals, style="dim")
    said = trace.answer if trace.answer is not None else (trace.error or trace.status)
    title = f"{trace.status} {MARKS[trace.correct]}".strip()
    style = "green" if trace.status == "answered" else "yellow"
    return Panel(Text(said), title=title, subtitle=totals, border_style=style, title_align="left")
