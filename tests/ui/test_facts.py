"""What stands beside a finished trace's bill: rewards within its group, and nothing of other people's."""

import math
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest
import pytest_asyncio

from orchestra_app import Label, Settings, Trace, Workspace
from orchestra_app.core.task import Preference
from orchestra_app.core.usage import Charge, Price, Usage
from orchestra_app.scoring.reward import rewards
from orchestra_app.ui.asking import MOST_SIBLINGS, Desk, siblings
from orchestra_app.ui.facts import earn, facts
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.visitor import Door, Visitor
from tests.e2e.concert import events

EN = TEXTS["en"]
ADA = Visitor("visitor:ada", False, "en")
ADMIN = Visitor("local", True, "en")
HOSTILE = '<img src=x onerror="hurt()">'


def ran(
    name: str,
    *,
    correct: bool | None = None,
    extra: float = 0.0,
    owner: str = ADA.owner,
    group: str | None = "g",
    policy: str = "conductor-8b",
) -> Trace:
    """A finished run; `extra` USD are paid beyond what the concert costs."""
    first, *rest = events(name)
    trace = Trace.start(first.model_copy(update={"owner": owner, "group": group, "policy": policy}))  # pyright: ignore[reportArgumentType]
    for event in rest:
        trace.apply(event)
    if extra:
        charge = Charge(
            who="gpt-5", kind="expert", usage=Usage(units=1), price=Price(unit=extra), cost=extra, at=0.0
        )
        last = trace.turns[-1]
        reply = last.reply.model_copy(update={"charges": (*last.reply.charges, charge)})
        trace.turns[-1] = last.model_copy(update={"reply": reply})
    if correct is not None:
        trace.labels.append(Label(source="human", correct=correct, at=datetime(2026, 1, 3, tzinfo=UTC)))
    return trace


def text(shown: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub("<[^>]+>", " ", shown)))


def test_the_rewards_shown_are_those_of_the_group_and_the_best_stands_first():
    group = [ran("dear", correct=True, extra=1.0), ran("cheap", correct=True), ran("wrong", correct=False)]
    earned = earn(group)
    assert [earned[each.id][0] for each in group] == list(rewards(group))
    assert [earned[each.id][1] for each in group] == list(rewards(group, form="paper"))
    assert earned["cheap"][0] > earned["dear"][0] > earned["wrong"][0] == 0
    shown = facts(group[0], group, EN)
    assert f"{earned['dear'][0]:.3f}" in shown and f"{earned['dear'][1]:.3f}" in shown
    rows = re.findall(r"<tr(?: data-itself)?.*?</tr>", str(shown))[1:]
    assert [name for row in rows for name in ("cheap", "dear", "wrong") if name[:6] in row] == [
        "cheap", "dear", "wrong"
    ]  # fmt: skip
    assert "trace=cheap" in shown and "trace=dear" not in shown


def test_a_trace_without_a_verdict_earns_nothing_and_says_so():
    group = [ran("a"), ran("b", correct=True)]
    assert math.isnan(earn(group)["a"][0])
    assert EN["facts_no_reward"] in text(facts(group[0], group, EN)) and "nan" not in text(
        facts(group[0], group, EN)
    )
    assert EN["facts_label_first"] in facts(group[0], [ran("c")], EN)


@pytest.mark.parametrize(("group", "said"), [(None, "facts_no_group"), ("g", "facts_only_one")])
def test_a_trace_alone_has_adherence_but_no_reward(group: str | None, said: str):
    shown = text(facts(ran("a", group=group, correct=True), [], EN))
    assert EN[said] in shown and EN["facts_reward_product"] not in shown
    assert "100 %" in shown


def test_calls_that_were_not_on_offer_are_counted():
    trace = ran("a")
    assert trace.violations > 0
    assert EN["facts_violations"].format(count=trace.violations) in text(facts(trace, [], EN))


def test_a_name_from_elsewhere_stays_text():
    shown = facts(ran("a"), [ran("b", policy=HOSTILE)], TEXTS["zh"])
    assert "<img" not in shown and "&lt;img" in shown


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    world = await Workspace.open(Settings(home=tmp_path))
    yield Desk(world, Door(local=False))
    await world.aclose()


async def test_siblings_are_the_visitors_own_and_a_star_names_no_group(desk: Desk):
    mine, other = ran("mine"), ran("other", owner="visitor:bob")
    star, elsewhere = ran("star", group="*"), ran("elsewhere", group="h")
    many = [ran(f"n{number:03}", group="many") for number in range(MOST_SIBLINGS + 3)]
    await desk.workspace.store.insert([mine, other, star, elsewhere, *many])

    async def ids(visitor: Visitor, trace: Trace) -> set[str]:
        return {each.id for each in (await siblings(desk, visitor, trace))[0]}

    assert await ids(ADA, mine) == {"mine"}
    assert await ids(ADMIN, mine) == {"mine", "other"}
    assert await ids(ADMIN, star) == set()
    read, count = await siblings(desk, ADA, many[-1])
    assert len(read) == MOST_SIBLINGS and count == len(many) and many[-1].id in {each.id for each in read}
    assert EN["facts_cut"].format(shown=MOST_SIBLINGS, count=count) in text(
        facts(many[-1], read, EN, count=count)
    )


def test_the_sliders_of_cost_and_latency_are_the_groups_own():
    group = [ran("dear", correct=True, extra=1.0), ran("cheap", correct=True)]
    for each in group:
        each.task = each.task.model_copy(update={"preference": Preference(cost=0.0, latency=0.0)})
    earned = earn(group)
    assert earned["dear"][0] == earned["cheap"][0]
