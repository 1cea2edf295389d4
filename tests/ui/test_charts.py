"""The frontier's figure as JSON: what is drawn is what the report says, and no name becomes a tag."""

import json
from typing import Any

import numpy as np
import pytest

from orchestra_app.catalogs import load_catalog
from orchestra_app.frontier.report import Report, Subject, report
from orchestra_app.frontier.rows import Row
from orchestra_app.ui.charts import Axis, frontier_chart
from orchestra_app.ui.comparison import details, health_table, table
from orchestra_app.ui.texts import TEXTS

NASTY = '<img src=x onerror="window.hurt=1">${window.hurt=1}'
CATALOG = load_catalog("rehearsal")
SETTINGS = {"do-nothing": (0.0, 0.0), "cheapest": (0.3, 0.001), "twin": (0.3, 0.002), NASTY: (0.8, 0.01)}
"""Chance of a right answer and USD per question."""


def rows(count: int = 60, *, simulated: bool = True, judged: bool = True) -> list[Row]:
    rng = np.random.default_rng(3)
    found = []
    for question in range(count):
        luck, spread = rng.random(), rng.uniform(0.5, 1.5)
        for name, (chance, cost) in SETTINGS.items():
            found.append(
                Row(
                    trace_id=f"{name} {question}",
                    setting=name,
                    question=f"q{question}",
                    status="answered",
                    correct=luck < chance if judged else None,
                    cost=cost * spread,
                    seconds=2.0 + 100 * cost * spread,
                    adherence=0.9,
                    models={"gpt-5": 50 if name == NASTY else 1},
                    tools={"answer": 2, "search": 1},
                    simulated=simulated,
                    prices=("2025-11-26",),
                )
            )
    return found


def made(**wish: Any) -> Report:
    return report(rows(**wish), Subject("a set", CATALOG, dict.fromkeys(SETTINGS, "rules")))


def drawn(found: Report, axis: Axis = "cost") -> dict[str, Any]:
    figure = frontier_chart(found, axis, TEXTS["en"])
    return json.loads(figure.to_json())


def traces(figure: dict[str, Any]) -> dict[str, Any]:
    return {trace["name"]: trace for trace in figure["data"]}


def test_every_setting_is_one_point_numbered_as_in_the_table():
    found, shown = made(), traces(drawn(made()))
    points = dict(
        zip(
            shown["kept"]["customdata"] + shown["greyed"]["customdata"],
            shown["kept"]["text"] + shown["greyed"]["text"],
            strict=True,
        )
    )
    assert points == {line.setting: str(n) for n, line in enumerate(found.ordered, 1)}
    assert shown["oracle"]["marker"]["symbol"] == "star"


def test_what_cannot_be_told_apart_is_grey_and_says_why():
    found, shown = made(), traces(drawn(made()))
    assert shown["greyed"]["customdata"] == ["twin"]
    reason = next(line.point.reason for line in found.lines if line.setting == "twin")
    assert reason is not None and "cannot be told apart from that of cheapest" in str(reason)
    for texts in TEXTS.values():
        assert reason.said(texts) in table(found, texts)


@pytest.mark.parametrize(("axis", "free"), [("cost", True), ("seconds", False)])
def test_what_is_free_stands_left_of_all_on_a_log_axis(axis: Axis, free: bool):
    figure = drawn(made(), axis)
    shown = traces(figure)
    x = dict(zip(shown["kept"]["customdata"], shown["kept"]["x"], strict=True))
    assert figure["layout"]["xaxis"]["type"] == "log"
    assert all(value > 0 for value in x.values())
    assert x["do-nothing"] == min(x.values())
    assert ("shapes" in figure["layout"]) is free


@pytest.mark.parametrize("axis", ["cost", "seconds"])
def test_the_staircase_never_falls_and_lies_in_its_band(axis: Axis):
    shown = traces(drawn(made(), axis))
    steps, low, high = (np.array(shown[name]["y"]) for name in ("frontier", "low", "band"))
    assert (np.diff(steps) >= 0).all()
    assert (low <= steps + 1e-12).all() and (steps <= high + 1e-12).all()


def test_an_ellipse_surrounds_each_point_that_costs_something_and_the_others_have_a_cross():
    shown = traces(drawn(made()))
    outlines = sum(value is None for value in shown["ellipses"]["x"])
    assert outlines >= 1
    place = shown["kept"]["customdata"].index("do-nothing")
    assert shown["kept"]["error_y"]["array"][place] > 0
    assert all(0 <= value <= 1 for value in shown["ellipses"]["y"] if value is not None)


def test_the_axis_writes_shares_as_the_table_does():
    axis = drawn(made())["layout"]["yaxis"]
    assert (axis["tickformat"], axis["labelalias"]["80%"]) == (".0%", "80 %")
    assert "100%" not in table(made(), TEXTS["en"]) and "100 %" in table(made(), TEXTS["en"])


def test_no_name_becomes_a_tag_in_the_chart_or_the_tables():
    found = made()
    hover = " ".join(traces(drawn(found))["kept"]["hovertext"])
    shown = details(found, NASTY, rows(), TEXTS["en"])
    pages = [str(each) for each in (table(found, TEXTS["en"]), health_table(found, TEXTS["en"]), shown)]
    assert "<img" not in hover and "&lt;img" in hover
    assert all("<img" not in page for page in pages)
    assert all("&lt;img" in page for page in pages)


def test_one_setting_is_shown_with_its_differences_from_every_other():
    found = made()
    shown = details(found, "cheapest", rows(), TEXTS["en"], link="?tab=traces")
    assert shown is not None
    for other in ("do-nothing", "twin"):
        assert f"<bdi>{other}</bdi>" in shown
    assert shown.count("<td data-apart") >= 2
    figures = [cell.split("</td>")[0] for cell in shown.split("<td data-apart>")[1:]]
    assert any(cell.startswith("−$") for cell in figures) and not any("-" in cell for cell in figures)
    assert 'href="?tab=traces"' in shown
    assert details(found, "nobody", rows(), TEXTS["en"]) is None


@pytest.mark.parametrize(("simulated", "word"), [(True, "simulated: no real money"), (False, "real")])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_figure_names_its_questions_its_prices_and_its_money(simulated: bool, word: str, language: str):
    found = made(simulated=simulated)
    said = found.provenance(TEXTS[language])
    assert "60" in said and "2025-11-26" in said
    assert drawn(found)["layout"]["meta"]["provenance"] == found.provenance()
    assert word in found.provenance().split(" · ")


def test_where_too_few_questions_were_asked_to_compare_it_does_not_say_that_there_were_none():
    found = made(count=7)
    assert not found.count and any(line.point.count for line in found.lines)
    for language in TEXTS:
        said = found.provenance(TEXTS[language])
        assert TEXTS[language]["frontier_none_compared"] in said and "n = 0" not in said


@pytest.mark.parametrize("wish", [{"count": 4}, {"judged": False}])
def test_without_enough_verdicts_there_is_a_table_and_no_chart(wish: dict[str, Any]):
    found = made(**wish)
    assert frontier_chart(found, "cost", TEXTS["en"]) is None
    assert "cheapest" in table(found, TEXTS["zh"])


def test_a_collapsed_policy_raises_an_alarm_in_the_table_of_routes():
    collapsed = {"ours": "ours"}
    runs = [
        row.model_copy(update={"setting": "ours", "models": {"gpt-5": 27, "qwen": 1 if n % 2 else 0}})
        for n, row in enumerate(row for row in rows() if row.setting == "cheapest")
    ]
    found = report(runs, Subject("a set", CATALOG, collapsed))
    for language, said in (("en", "Routing has collapsed"), ("zh", "分派已塌缩")):
        shown = health_table(found, TEXTS[language])
        assert 'class="alarm"' in shown and said in shown
