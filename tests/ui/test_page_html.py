"""What the page shows of a trace as HTML: text stays text, and every figure is there."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from orchestra_app.catalogs import load_catalog
from orchestra_app.core.events import CatalogRef, ReplyReceived, RolloutFinished, RolloutStarted, ToolFinished
from orchestra_app.core.message import Document, Execution, Offer, Reply, ToolCall, ToolResult
from orchestra_app.core.task import Preference, Task
from orchestra_app.core.trace import Label, Trace
from orchestra_app.core.usage import Charge, Kind, Price, Usage
from orchestra_app.storage.queries import Summary
from orchestra_app.ui.inventory import inventory
from orchestra_app.ui.labels_view import said
from orchestra_app.ui.listing import listing
from orchestra_app.ui.markup import dollars, per_cent, seconds, tag
from orchestra_app.ui.outcome import headline, outcome
from orchestra_app.ui.receipt import rates, receipt
from orchestra_app.ui.sheet import parts
from orchestra_app.ui.texts import TEXTS
from orchestra_app.ui.transcript import transcript
from orchestra_app.workspace import PolicyEntry

EN = TEXTS["en"]
STARTED = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
NASTY = "<script>x</script> <img src=x onerror=x> ${x} {{x}} \" onclick=x '"
ALLOWED = {
    *[
        "a",
        "article",
        "b",
        "bdi",
        "button",
        "caption",
        "code",
        "details",
        "div",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "i",
        "li",
        "ol",
        "p",
        "pre",
        "section",
        "small",
    ],
    *["span", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "ul"],
}


class Seen(HTMLParser):
    """Which elements and attributes a piece of HTML has."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def harmless(*pieces: Markup | None) -> bool:
    seen = Seen()
    seen.feed("".join(str(piece) for piece in pieces if piece))
    return seen.tags <= ALLOWED and not [name for name in seen.attributes if name.startswith("on")]


def charge(who: str, kind: Kind, cost: float, **fields: Any) -> Charge:
    price = Price(input=1.0, output=4.0, source="example.org", date="2026-01-01")
    usage = Usage(input_tokens=1_200, output_tokens=34, seconds=2)
    return Charge(who=who, kind=kind, usage=usage, price=price, cost=cost, **fields)


def ran(text: str = "fine", **task: Any) -> Trace:
    """A finished trace in which `text` stands wherever text can stand."""
    schema = {"function": {"name": text}}
    call = ToolCall(id="a", name=text, arguments={"model": text, "query": text})
    result = ToolResult(
        call_id="a",
        documents=(Document(text=text, title=text, source=text, url=text),),
        executions=(Execution(code=text, stdout=text, stderr=text, status=1),),
        output=text,
        error=text,
        charges=(charge(text, "expert", 0.01, simulated=True),),
        at=3,
    )
    trace = Trace.start(
        RolloutStarted(
            trace_id="r",
            task=Task(id="t", question=text, **task),
            policy=text,
            catalog=CatalogRef(name="rehearsal", hash="0" * 16),
            protocol="packed",
            started_at=STARTED,
        )
    )
    reply = Reply(text=text, reasoning=text, calls=(call,), at=1)
    offer = Offer(tool_schema=schema, choices={text: 0.8}, slider=0.9)
    trace.apply(ReplyReceived(offered=(offer,), instruction=text, reply=reply, forced=text, at=1))
    trace.apply(ToolFinished(result=result, at=3))
    trace.apply(RolloutFinished(status="answered", answer=text, error=text, at=3))
    trace.labels.append(Label(source="human", correct=False, gold=text, at=STARTED))
    return trace


def summary(text: str) -> Summary:
    return Summary(
        id=text,
        question=text,
        answer=text,
        error=text,
        status="answered",
        verdict="correct",
        policy=text,
        protocol="packed",
        catalog=text,
        catalog_hash="0",
        cost=0.01,
        seconds=3,
        turns=1,
        tools=(text,),
        simulated=True,
        owner=text,
        consent=False,
        parent=None,
        group=None,
        seed=0,
        source="",
        started_at=STARTED,
    )


def everything(text: str) -> list[Markup | None]:
    trace, catalog = ran(text), load_catalog("rehearsal")
    return [
        headline(trace, EN, simulated=True),
        outcome(trace, EN),
        receipt(trace, EN),
        *transcript(trace, catalog, EN),
        listing([summary(text)], EN, filtered=False),
    ]


@pytest.mark.parametrize("language", TEXTS)
def test_whatever_stands_in_a_trace_is_shown_as_text(language: str):
    pieces = everything(NASTY)
    assert harmless(*pieces)
    assert "".join(map(str, pieces)).count("&lt;script&gt;") > 10


@given(st.text(min_size=1, max_size=60))
def test_no_text_makes_an_element_or_a_handler(text: str):
    assert harmless(*everything(text.strip() or "x"))


@given(st.text(), st.text())
def test_tags_escape_children_and_attributes(inside: str, value: str):
    seen = Seen()
    seen.feed(str(tag("p", inside, title=value)))
    assert (seen.tags, seen.attributes) == ({"p"}, {"title"})


def test_the_bill_shows_uses_tokens_price_source_and_total():
    shown = Markup(receipt(ran(), EN)).striptags()
    for part in (
        "1×",
        "1,200",
        "34",
        "$1 in, $4 out per million tokens",
        "example.org, 2026-01-01",
        "$0.010000",
    ):
        assert part in shown
    assert "no real money was spent" in shown


def test_an_estimated_charge_is_marked():
    trace = ran()
    turn = trace.turns[0]
    result = turn.results[0].model_copy(update={"charges": (charge("x", "expert", 0.5, estimated=True),)})
    trace.turns[0] = turn.model_copy(update={"results": (result,)})
    shown = Markup(receipt(trace, EN)).striptags()
    assert "≈ $0.500000" in shown
    assert "no real money" not in shown


@pytest.mark.parametrize(
    ("price", "said"),
    [
        (None, "unknown"),
        (Price(), "free"),
        (Price(unit=0.008), "$0.008 per use or second"),
        (Price(input=0.25, output=2), "$0.25 in, $2 out per million tokens"),
    ],
)
def test_a_price_is_one_short_line(price: Price | None, said: str):
    assert rates(price, EN) == said


def test_settled_turns_are_kept_and_only_the_rest_is_written_anew():
    trace = ran()
    known = [Markup("known")]
    assert transcript(trace, None, EN, settled=known) == known


@pytest.mark.parametrize("status", ["exhausted", "failed", "stopped", "interrupted"])
@pytest.mark.parametrize("language", TEXTS)
def test_a_run_without_answer_says_why(status: Any, language: str):
    trace = ran("Broken pipe.")
    trace.status, trace.answer = status, None
    shown = str(outcome(trace, TEXTS[language]))
    assert TEXTS[language][f"ended_{status}"] in shown
    assert "Broken pipe." in shown


def test_adherence_is_said_only_where_something_was_wished():
    assert "as you wished" not in outcome(ran(), EN)
    assert "as you wished" in outcome(ran(preference=Preference(weights={"answer": 1.0})), EN)


def test_an_empty_list_says_what_to_do():
    assert EN["list_empty"] in listing([], EN, filtered=False)
    assert EN["list_none"] in listing([], EN, filtered=True)


class Rung:
    rung, reason = "off", NASTY


@pytest.mark.parametrize("name", ["rehearsal", "live", "local"])
def test_the_catalogue_names_every_model_alias_and_reason(name: str):
    catalog = load_catalog(name)
    obstacles = dict.fromkeys(catalog.models, NASTY)
    policies = [PolicyEntry("p", NASTY, NASTY, NASTY)]
    left_out = {source: [f"{NASTY} was skipped."] * 5 for source in catalog.sources}
    pieces = inventory(catalog, obstacles, left_out, policies, Rung(), EN)  # pyright: ignore[reportArgumentType]
    assert harmless(*pieces)
    shown = "".join(map(str, pieces))
    for each in [*catalog.models, *(alias for tool in catalog.tools.values() for alias in tool.choices)]:
        assert each in shown
    assert ("skill figures" in shown) is catalog.simulated
    assert shown.count("5 left out: ") == len(catalog.sources)
    assert shown.count("was skipped.") == 3 * len(catalog.sources)


def test_a_simulated_model_is_called_so_wherever_its_state_stands():
    pieces = inventory(load_catalog("rehearsal"), {}, {}, [], Rung(), EN)  # pyright: ignore[reportArgumentType]
    tools = str(pieces[2])
    assert EN["works"] not in tools and EN["simulated"] in tools and EN["simulated"] in str(pieces[1])


def test_columns_without_anything_are_left_out():
    catalog = load_catalog("rehearsal")
    shown = str(inventory(catalog, {}, {}, [], Rung(), EN)[1])  # pyright: ignore[reportArgumentType]
    assert EN["licence"] not in shown
    assert EN["vendor"] in shown


def test_both_languages_have_the_same_texts_with_the_same_blanks():
    english, chinese = TEXTS["en"], TEXTS["zh"]
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", chinese[key])), key


@pytest.mark.parametrize(
    ("usd", "shown"), [(0, "$0.0000"), (0.00001, "<$0.0001"), (0.1234, "$0.1234"), (1_234.5, "$1,234.50")]
)
def test_amounts_are_short_and_never_round_to_nothing(usd: float, shown: str):
    assert dollars(usd) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0.0 s"), (0.05, "0.05 s"), (9.96, "10.0 s"), (149.4, "149 s")]
)
def test_durations_are_short(value: float, shown: str):
    assert seconds(value) == shown


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (per_cent(0.7833, 1), "78.3 %"),
        (per_cent(1), "100 %"),
        (per_cent(-0.031, 1, sign=True), "−3.1 %"),
        (dollars(-0.00013, 5), "−$0.00013"),
        (dollars(-0.00013, 5, sign=True), "−$0.00013"),
        (dollars(0.00013, 5, sign=True), "+$0.00013"),
        (dollars(0.000001, 5, sign=True), "+$0.00000"),
        (dollars(-1_234.5, sign=True), "−$1,234.50"),
        (seconds(-0.05, sign=True), "−0.05 s"),
        (seconds(149.4, sign=True), "+149 s"),
        (seconds(0, sign=True), "0.0 s"),
    ],
)
def test_every_figure_has_one_style(shown: str, wanted: str):
    assert shown == wanted


def test_a_turn_says_its_own_seconds_and_not_those_since_the_start():
    trace, later = ran(), ToolCall(id="b", name="later", arguments={})
    trace.status = "running"
    trace.apply(
        ReplyReceived(offered=(), instruction="", reply=Reply(text="", calls=(later,), at=7.5), at=7.5)
    )
    trace.apply(ToolFinished(result=ToolResult(call_id="b", at=29.5), at=29.5))
    summaries = [str(turn).split("</summary>")[0] for turn in transcript(trace, None, EN)]
    assert "· 3.0 s" in summaries[0] and "· 26.5 s" in summaries[1]


def test_a_row_of_the_list_says_that_its_time_is_that_of_utc():
    assert "2026-01-02 03:04 UTC</time>" in listing([summary("x")], EN, filtered=False)


def test_of_several_verdicts_of_one_person_only_the_latest_stands_beside_the_answer():
    trace = ran()
    added = trace.labels[0].model_copy(update={"note": "so", "at": STARTED + timedelta(minutes=1)})
    judged = Label(source="judge", by="gpt-5", correct=True, at=STARTED)
    trace.labels += [added, judged]
    shown = outcome(trace, EN)
    assert (shown.count('data-source="human"'), shown.count('data-source="judge"')) == (1, 1)
    everything_said = str(said(trace, EN)[1])
    assert everything_said.count("<li") == 3 and everything_said.count(EN["labels_earlier"]) == 1
    assert everything_said.index(">so<") < everything_said.index(EN["labels_earlier"])


def test_a_sheet_escapes_plain_text_and_keeps_one_string_per_piece():
    assert parts("k", "<b>", Markup("<i>x</i>"), [Markup("<u>"), "&"], None) == {
        "key": "k",
        "parts": ["&lt;b&gt;", "<i>x</i>", "<u>&amp;", ""],
    }


def test_a_trace_under_way_can_be_written():
    trace = unfinished(ran())
    assert harmless(*transcript(trace, None, EN), receipt(trace, EN), headline(trace, EN, simulated=False))


def unfinished(trace: Trace) -> Trace:
    trace.status, trace.answer = "running", None
    return trace


def test_a_verdict_of_somebody_else_is_not_said_to_be_the_owners():
    trace = ran()
    trace.labels[:] = [Label(source="human", by="hf:alice", correct=False, at=STARTED)]
    for owner, told in (("visitor:ann", "someone"), ("local", "alice")):
        shown = outcome(trace.model_copy(update={"owner": owner}), EN)
        assert f"Labelled by {told}: Incorrect" in shown and "You:" not in shown


def test_a_round_price_of_a_unit_ends_without_a_point():
    assert [rates(Price(unit=unit), EN).split()[0] for unit in (1, 10, 0.25)] == ["$1", "$10", "$0.25"]


def test_the_link_of_a_trace_of_somebody_else_leads_to_where_an_admin_may_look():
    links = [
        str(headline(ran(), EN, simulated=True, mine=mine)).split('href="?')[1] for mine in (True, False)
    ]
    assert links[0].startswith("run=") and links[1].startswith("tab=traces&amp;trace=")
