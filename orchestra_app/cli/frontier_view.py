"""A frontier on the terminal and as a CSV file."""

import math
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from orchestra_app.cli.view import plain
from orchestra_app.core.errors import ConfigError
from orchestra_app.frontier.bootstrap import Estimate
from orchestra_app.frontier.compare import Point
from orchestra_app.frontier.report import Line, Report, csv_text

COLUMNS = ("setting", "n", "right, % [95 %]", "$ each [95 %]", "s", "$/right", "P", "adh.")
LEGEND = "$/right: USD per right answer. P: chance of being on the frontier. adh.: adherence to the sliders."


def draw_report(found: Report) -> Group:
    """Return the drawing of a report: the table, why settings are greyed, alarms, and what it rests on."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for name in COLUMNS:
        drawn.add_column(name, justify="left" if name == "setting" else "right", overflow="fold")
    order = found.ordered
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
    said += [plain(str(note), "yellow") for note in found.notes]
    return Group(drawn, Text(LEGEND, style="dim"), *said, plain(found.provenance(), "dim"))


def write_csv(found: Report, path: Path) -> None:
    """Write a row per setting to a file that is not there yet; raises ConfigError."""
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(csv_text(found, found.provenance()))
    except FileExistsError:
        raise ConfigError(f"{path} is there already; name another file, or delete this one.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}); name another file.") from None


def _style(point: Point) -> str:
    return "dim" if point.greyed else "bold" if point.on_staircase else ""


def _cells(point: Point, line: Line | None, judged: bool) -> list[Text]:
    followed = line.adherence if line else None
    accuracy = _with_interval(point.accuracy, 100) if judged else "–"
    return [
        plain(point.setting),
        Text(str(point.count)),
        Text(accuracy),
        Text(_with_interval(point.cost)),
        Text(f"{point.seconds.mean:.1f}" if point.count else "–"),
        Text(_short(point.per_correct.mean) if judged and point.per_correct else "–"),
        Text(f"{point.on_frontier:.2f}" if judged and line and math.isfinite(point.cost.high) else "–"),
        Text("–" if followed is None else f"{followed:.2f}"),
    ]


def _with_interval(estimate: Estimate, scale: float = 1.0) -> str:
    if math.isnan(estimate.mean):
        return "–"
    mean, low, high = (_short(value * scale) for value in estimate)
    return f"{mean} [{low}–{high}]" if math.isfinite(estimate.high) else mean


def _short(value: float) -> str:
    text = f"{value:.3g}"
    return text[1:] if text.startswith("0.") else text
