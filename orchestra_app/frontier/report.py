"""What runs say together: a line per setting, the frontier, and where its figures are from."""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import StringIO
from typing import Any

from orchestra_app.core.catalog import Catalog
from orchestra_app.frontier.bootstrap import Estimate, bootstrap, estimates, per_correct
from orchestra_app.frontier.compare import Frontier, Point, compare
from orchestra_app.frontier.health import Health, health
from orchestra_app.frontier.remarks import ENGLISH, Remark, remark
from orchestra_app.frontier.rows import ORACLE, Row, oracle, table

LABELLED = ""
"""The title of a report on all labelled traces so far."""


@dataclass(frozen=True, slots=True)
class Line:
    """One setting of a report."""

    setting: str
    policy: str
    runs: int
    point: Point
    adherence: float | None
    """The mean over its runs; None where it was not read."""
    violations: int
    tools: dict[str, int]
    """Calls by tool."""
    models: Health
    """How calls spread over models."""
    routing: Health
    """How calls spread over tools."""


@dataclass(frozen=True, slots=True)
class Report:
    """Settings compared, with everything that a figure of it must name."""

    title: str
    lines: tuple[Line, ...]
    oracle: Point | None
    """Per question the cheapest setting that was right: computed, never run."""
    frontier: Frontier
    undecided: int
    """Runs whose answer counts as wrong only because nobody has judged its wording."""
    judged: bool
    """False where no run has a verdict, so that only cost and seconds mean anything."""
    count: int
    """Questions that the comparison rests on."""
    repeats: int
    catalog: str
    prices: tuple[str, ...]
    """Days on which the prices were read."""
    simulated: bool | None
    """True: no real money; None: some runs were simulated and some were not."""

    @property
    def ordered(self) -> list[Line]:
        """The settings as they are numbered where they are shown: the cheapest first, unknown ones last."""
        return sorted(self.lines, key=lambda line: (not line.point.count, line.point.cost.mean, line.setting))

    @property
    def notes(self) -> list[Remark]:
        """What must be said lest the figures mislead."""
        said = [self.frontier.note] if self.frontier.note else []
        if not self.judged:
            said.append(remark("frontier_unjudged"))
        if self.undecided:
            said.append(remark("frontier_undecided", count=self.undecided))
        return said

    def provenance(self, texts: Mapping[str, str] = ENGLISH) -> str:
        """Return what goes with every figure: n, the day of the prices, real or simulated."""
        money = {True: "frontier_simulated", False: "frontier_real", None: "frontier_mixed"}[self.simulated]
        days = ", ".join(self.prices)
        # Where nothing is compared, the lines still stand on questions of their own.
        few = not self.count and any(line.point.count for line in self.lines)
        said = [
            texts["frontier_title_labelled"] if self.title == LABELLED else self.title,
            texts["frontier_none_compared" if few else "frontier_n_questions"].format(count=self.count)
            + (f" × {self.repeats}" if self.repeats > 1 and not few else ""),
            texts["frontier_of_catalog"].format(name=self.catalog),
            texts["frontier_prices"].format(days=days) if days else texts["frontier_no_prices"],
            texts[money],
            texts["frontier_method"],
        ]
        return " · ".join(said if self.frontier.paired else [*said, texts["frontier_unpaired"]])


@dataclass(frozen=True, slots=True)
class Subject:
    """What is compared: where the runs come from and which policy each setting has."""

    title: str
    catalog: Catalog
    policies: Mapping[str, str]
    """The policy of each setting, in the order of the table."""
    repeats: int = 1
    wishes: Mapping[str, str] = field(default_factory=dict)
    """The key of each setting's sliders and budget."""


def report(rows: Sequence[Row], subject: Subject, *, seed: int = 0) -> Report:
    """Return the report of some runs."""
    names = list(subject.policies)
    judged = any(row.correct is not None for row in rows)
    samples = table(rows, names, judged=judged)
    frontier = compare(samples, seed=seed)
    money = {row.simulated for row in rows}
    return Report(
        title=subject.title,
        lines=tuple(_line(point, subject, rows) for point in frontier.points),
        oracle=_oracle(rows, frontier, seed=seed) if judged else None,
        frontier=frontier,
        undecided=sum(row.undecided for row in rows),
        judged=judged,
        count=frontier.count,
        repeats=subject.repeats,
        catalog=subject.catalog.name,
        prices=tuple(sorted({date for row in rows for date in row.prices})),
        simulated=money.pop() if len(money) == 1 else None if money else subject.catalog.simulated,
    )


def _line(point: Point, subject: Subject, rows: Iterable[Row]) -> Line:
    mine = [row for row in rows if row.setting == point.setting]
    models, tools = Counter[str](), Counter[str]()
    for row in mine:
        models.update(row.models)
        tools.update(row.tools)
    followed = [row.adherence for row in mine if row.adherence is not None]
    policy = subject.policies[point.setting]
    return Line(
        setting=point.setting,
        policy=policy,
        runs=len(mine),
        point=point,
        adherence=math.fsum(followed) / len(followed) if followed else None,
        violations=sum(row.violations for row in mine),
        tools=dict(tools),
        models=health(models, policy=policy, catalog=subject.catalog),
        routing=health(tools, policy=policy),
    )


def _oracle(rows: Iterable[Row], frontier: Frontier, *, seed: int) -> Point | None:
    """Return the oracle's point, on the questions of the comparison; None where these have no common runs."""
    if frontier.cloud is None or not frontier.paired:
        return None
    compared = frontier.cloud.samples
    asked = set(compared.questions)
    chosen = oracle((row for row in rows if row.question in asked), compared.settings)
    if not chosen:
        return None
    cloud = bootstrap(table(chosen, [ORACLE]), seed=seed)
    accuracy, cost, seconds = estimates(cloud)[0]
    count, ratio = len(cloud.samples.questions), per_correct(cloud)[0]
    how = remark("frontier_oracle_how")
    return Point(ORACLE, count, accuracy, cost, seconds, ratio, 1.0, False, False, how)


def records(found: Report) -> list[dict[str, Any]]:
    """Return a flat row per setting, the oracle's last, as a CSV file or JSON takes it."""
    rows = [_record(line.point, line) for line in found.lines]
    return rows + ([_record(found.oracle, None)] if found.oracle else [])


def _record(point: Point, line: Line | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "setting": point.setting,
        "policy": line.policy if line else ORACLE,
        "n": point.count,
        "runs": line.runs if line else 0,
    }
    for name in ("accuracy", "cost", "seconds", "per_correct"):
        estimate: Estimate | None = getattr(point, name)
        low_high = (None, None, None) if estimate is None else estimate
        row |= {
            f"{name}{end}": _finite(value) for end, value in zip(("", "_low", "_high"), low_high, strict=True)
        }
    row |= {"on_frontier": point.on_frontier, "on_staircase": point.on_staircase}
    row |= {"adherence": line.adherence if line else None, "violations": line.violations if line else 0}
    return row | {"greyed": point.greyed, "reason": str(point.reason or "")}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def csv_text(found: Report, provenance: str) -> str:
    """Return a row per setting as CSV, each with the sentence that goes with every figure."""
    file = StringIO(newline="")
    rows = records(found)
    writer = csv.DictWriter(file, [*rows[0], "provenance"])
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _plain(value) for name, value in {**row, "provenance": provenance}.items()})
    return file.getvalue()


def _plain(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def export(found: Report) -> dict[str, Any]:
    """Return the whole report as JSON values."""
    frontier = found.frontier
    band = frontier.band
    return {
        "title": found.title or ENGLISH["frontier_title_labelled"],
        "provenance": found.provenance(),
        "notes": [str(note) for note in found.notes],
        "judged": found.judged,
        "settings": records(found),
        "health": {
            line.setting: {"models": _health(line.models), "tools": _health(line.routing)}
            for line in found.lines
        },
        "tools": {line.setting: line.tools for line in found.lines},
        "band": band and {name: getattr(band, name).tolist() for name in ("cost", "accuracy", "low", "high")},
    }


def _health(known: Health) -> dict[str, Any]:
    return asdict(known) | {"alarm": str(known.alarm or "")}
