"""A frontier on the terminal and as a CSV file."""

import csv
import math
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from orchestra_app.cli.view import plain
from orchestra_app.core.errors import ConfigError
from orchestra_app.frontier.bootstrap import Estimate
from orchestra_app.frontier.compare import Point
from orchestra_app.frontier.report import Line, Report, records

COLUMNS = ("setting", "n", "accuracy [95 %]", "$/question [95 %]", "s", "$/correct", "P(front)", "adherence")


def draw_report(found: Report) -> Group:
    """Return the drawing of a report: the table, why settings are greyed, alarms, and what it rests on."""
    drawn = Table(box=None, pad_edge=False, header_style="dim")
    for name in COLUMNS:
        drawn.add_column(name, justify="left" if name == "setting" else "right", overflow="fold")
    order = sorted(found.lines, key=lambda line: line.point.cost.mean)
    for line in order:
        drawn.add_row(*_cells(line.point, line, found.judged), style=_style(line.point))
    if found.oracle:
        drawn.add_row(*_cells(found.oracle, None, found.judged), style="italic dim")
    said = [plain(f"{line.setting}: {line.point.reason}", "dim") for line in order if line.point.reason]
    alarms = [
        f"{line.setting}: {each.alarm}"
        for line in order
        for each in (line.models, line.routing)
        if each.alarm
    ]
    said += [plain(alarm, "bold red") for alarm in alarms]
    if not found.judged:
        said.append(
            Text("No run has a verdict: give answers, or label traces, to see accuracy.", style="yellow")
        )
    if found.frontier.note:
        said.append(Text(found.frontier.note, style="yellow"))
    return Group(drawn, Text(), *said, plain(found.provenance, "dim"))


def write_csv(found: Report, path: Path) -> None:
    """Write a row per setting to a file that is not there yet; raises ConfigError."""
    rows = records(found)
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*rows[0], "provenance"])
            writer.writeheader()
            writer.writerows({**row, "provenance": found.provenance} for row in rows)
    except FileExistsError:
        raise ConfigError(f"{path} is there already; name another file, or delete this one.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}); name another file.") from None


def _style(point: Point) -> str:
    return "dim" if point.greyed else "bold" if point.on_staircase else ""


def _cells(point: Point, line: Line | None, judged: bool) -> list[Text]:
    followed = line.adherence if line else None
    accuracy = _with_interval(point.accuracy, "{:.3f}") if judged else "–"
    return [
        plain(point.setting),
        Text(str(point.count)),
        Text(accuracy),
        Text(_with_interval(point.cost, "{:.5f}")),
        Text(f"{point.seconds.mean:.1f}"),
        Text(f"{point.per_correct.mean:.5f}" if judged and point.per_correct else "–"),
        Text(f"{point.on_frontier:.2f}" if judged and line and math.isfinite(point.cost.high) else "–"),
        Text("–" if followed is None else f"{followed:.3f}"),
    ]


def _with_interval(estimate: Estimate, shape: str) -> str:
    mean = shape.format(estimate.mean)
    if not math.isfinite(estimate.high):
        return mean
    return f"{mean} [{shape.format(estimate.low)}, {shape.format(estimate.high)}]"
