"""The pages in a real browser: what a newcomer does, from the first question to the kept trace."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from page_server import served
from playwright.sync_api import Browser, Page, expect
from statuses import STATUSES

from orchestra_app.rehearsal.questions import questions

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

KINDS = ("arithmetic", "maths", "fact", "code", "specialist", "twodoc")
SLOW = 60_000
NASTY = (
    "<img src=x onerror=window.hurt=1> ${window.hurt=1} {{window.hurt=1}} "
    "<script>window.hurt=1</script> **bold**"
)


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    """A page that is not watched: Gradio logs a refused field."""
    with browser.new_context() as context:
        yield context.new_page()


def opened(page: Page, address: str, query: str = "") -> Page:
    page.goto(address + query)
    page.wait_for_selector("#prefer-gpt-5-mini", state="attached", timeout=SLOW)
    return page


def turned(page: Page, *names: str) -> None:
    for name in names:
        page.locator(f"button[data-tab-id={name}][role=tab]").click()


def asked(page: Page, question: str) -> None:
    page.locator("#question textarea").fill(question)
    page.locator("#ask").click()


def asked_slowly(page: Page, question: str) -> None:
    """Ask under a policy that takes its time."""
    page.locator("#policy input").click()
    page.get_by_role("option", name=re.compile("best-pipeline|best pipeline")).click()
    page.locator("#budget-seconds input").fill("900")
    page.locator("#budget-cost input").fill("2")
    asked(page, question)
    expect(page.locator("#live .note").first).to_be_attached(timeout=SLOW)
    page.wait_for_url("**/?run=*")


def answered(page: Page) -> None:
    expect(page.locator("#answer .outcome")).to_have_attribute("data-status", "answered", timeout=SLOW)


def typed(kind: str, number: int = 7) -> str:
    return [each.text for each in questions("heldout") if each.kind == kind][number]


@pytest.mark.parametrize("kind", KINDS)
def test_a_newcomer_takes_an_example_of_each_kind_and_watches_it_to_its_answer(
    page: Page, address: str, kind: str
):
    page.add_init_script(STATUSES)
    opened(page, address)
    page.locator(f"#example-{kind}").click()
    expect(page.locator("#question textarea")).not_to_have_value("")
    page.locator("#ask").click()
    expect(page.locator("#live .note").first).to_be_visible(timeout=SLOW)
    expect(page.locator("#headline .badge")).to_have_text("rehearsal: simulated experts, no real money")
    answered(page)
    expect(page.locator("#answer .text")).not_to_be_empty()
    expect(page.locator("#bill tfoot .amount")).to_have_text(re.compile(r"^\$0\.\d{6}$"))
    assert page.locator("#transcript .turn").count() >= 1
    assert page.url.startswith(address + "?run=")
    # Of the form's many inputs, as of all others, none.
    assert page.evaluate("statuses") == 0


def test_what_is_asked_before_the_sliders_are_drawn_waits_for_them(page: Page, address: str):
    page.goto(address, wait_until="commit")
    asked(page, typed("arithmetic", 8))
    page.locator("#ask").click()
    answered(page)


UNDRAWN = """
const find = Document.prototype.querySelector;
Document.prototype.querySelector = function (what) {
  return /^#mixer input/.test(what) ? null : find.call(this, what);
};
"""


def test_what_is_asked_of_a_page_whose_sliders_never_come_is_told_to_reload_it(page: Page, address: str):
    page.add_init_script(UNDRAWN)
    page.clock.install()
    page.goto(address)
    asked(page, typed("arithmetic", 8))
    expect(page.locator("#undrawn")).to_have_count(0)
    page.clock.fast_forward(25_000)
    expect(page.locator("#undrawn [role=alert]")).to_contain_text("reload the page")
    assert "run=" not in page.url


def test_a_link_names_its_tab_and_the_address_follows_the_tabs(page: Page, address: str):
    page.goto(address + "?tab=frontier")
    expect(page.locator("#frontier-form")).to_be_visible(timeout=SLOW)
    page.locator("button[data-tab-id=train][role=tab]").click()
    page.wait_for_url("**/?tab=train")
    page.goto("about:blank")
    page.go_back()
    expect(page.locator("#train-form")).to_be_visible(timeout=SLOW)
    for name, shown in (("label", "#queue-guidelines"), ("blind", "#blind-ask")):
        turned(page, "traces", name)
        page.wait_for_url(f"**/?tab={name}")
        page.reload()
        expect(page.locator(shown)).to_be_visible(timeout=SLOW)
        # The list that is asked for as well comes later and leaves the address alone.
        expect(page.locator("#queue-progress, #blind-table").first).to_be_attached()
        page.wait_for_timeout(500)
        assert page.url == f"{address}?tab={name}"
    turned(page, "frontier", "traces")
    page.wait_for_url("**/?tab=blind")
    turned(page, "find")
    page.wait_for_url("**/?tab=traces")
    turned(page, "ask")
    page.wait_for_url(address)


def test_control_and_enter_ask_and_the_question_stays(page: Page, address: str):
    opened(page, address)
    question = typed("arithmetic")
    page.locator("#question textarea").fill(question)
    page.locator("#question textarea").press("Control+Enter")
    answered(page)
    expect(page.locator("#question textarea")).to_have_value(question)


def test_a_run_is_stopped_half_way_and_kept_as_stopped(page: Page, address: str):
    opened(page, address)
    asked_slowly(page, typed("twodoc"))
    page.locator("#stop").click()
    expect(page.locator("#answer .outcome")).to_have_attribute("data-status", "stopped", timeout=SLOW)
    expect(page.locator("#stop")).to_be_disabled()
    page.reload()
    expect(page.locator("#answer .outcome")).to_have_attribute("data-status", "stopped", timeout=SLOW)


def test_a_reload_attaches_to_the_run_under_way(page: Page, address: str):
    status, under_way = page.locator("#live .status"), False
    # A busy machine may need longer for all this than a run takes.
    for number in (8, 13, 14):
        opened(page, address)
        asked_slowly(page, typed("twodoc", number))
        page.evaluate("dispatchEvent(new Event('beforeunload'))")
        # Gradio says then that the connection was lost, if it was still needed, and soon that it is back.
        toast = page.wait_for_function(
            """() => {
                const toast = document.querySelector('.toast-body');
                if (toast) return { seen: toast.checkVisibility() };
                return document.querySelector('#live [data-state=answered]') && { over: true };
            }""",
            timeout=SLOW,
        ).json_value()
        page.reload()
        expect(status).not_to_have_text("", timeout=SLOW)
        if under_way := status.inner_text() == "Running":
            break
    assert under_way and toast == {"seen": False}
    answered(page)


def test_a_second_tab_attaches_without_a_link_and_skip_ends_the_wait(
    page: Page, address: str, watch: Callable[[Page], Page]
):
    second = opened(watch(page.context.new_page()), address)
    opened(page, address)
    skip, over = second.locator("#live .skip:not([hidden])"), page.locator("#live [data-state=answered]")
    # A busy machine may need longer to open the second tab than a run takes.
    for number in (9, 11, 12):
        page.bring_to_front()
        asked_slowly(page, typed("twodoc", number))
        second.bring_to_front()
        second.reload()
        while not skip.count() and not over.count():
            second.wait_for_timeout(50)
        if skip.count():
            break
    # A mouse waits until nothing on the page moves, and the run does not wait for that.
    skip.evaluate("button => button.click()", timeout=SLOW)
    answered(second)
    answered(page)


def test_a_run_under_way_is_followed_from_the_list_to_its_end_and_its_studies(page: Page, address: str):
    opened(page, address)
    asked_slowly(page, typed("twodoc", 10))
    page.get_by_role("tab", name="Traces").click()
    page.locator("#traces .trace").first.click()
    expect(page.locator("#trace-live .status")).to_have_text("Running", timeout=SLOW)
    page.locator("#back").click()
    expect(page.locator("#trace-open")).to_be_hidden(timeout=SLOW)
    # Longer than the run takes from one event to the next.
    page.wait_for_timeout(2000)
    expect(page.locator("#trace-open")).to_be_hidden()
    page.locator("#traces .trace").first.click()
    expect(page.locator("#trace-live .status")).to_have_text("Answered", timeout=SLOW)
    expect(page.locator("#study-fork")).to_be_visible(timeout=SLOW)
    page.locator("#back").click()
    expect(page.locator("#trace-open")).to_be_hidden(timeout=SLOW)
    page.locator("#traces .trace").first.click()
    expect(page.locator("#trace-live .status")).to_have_text("Answered", timeout=SLOW)
    expect(page.locator("#study-fork")).to_be_visible(timeout=SLOW)


def test_another_catalogue_during_a_run_leaves_room_for_the_next_question(page: Page, address: str):
    opened(page, address)
    asked_slowly(page, typed("twodoc", 11))
    page.locator("#catalog input").click()
    page.get_by_role("option", name=re.compile("^Real models")).click()
    expect(page.locator("#ask")).to_be_disabled()
    answered(page)
    expect(page.locator("#ask")).to_be_enabled(timeout=SLOW)
    expect(page.locator("#stop")).to_be_disabled()


def test_what_is_typed_about_a_trace_to_be_labelled_stays_until_it_is_kept(page: Page, address: str):
    opened(page, address)
    asked(page, "What is 6 * 7?")
    answered(page)
    page.locator("button[data-tab-id=traces][role=tab]").click()
    page.locator("button[data-tab-id=label][role=tab]").click()
    gold = page.locator("#queue-gold input, #queue-gold textarea")
    gold.fill("forty-two", timeout=SLOW)
    page.locator("button[data-tab-id=find][role=tab]").click()
    page.locator("button[data-tab-id=label][role=tab]").click()
    expect(page.locator("#queue-progress")).to_be_visible()
    page.wait_for_timeout(1500)
    expect(gold).to_have_value("forty-two")


def test_a_verdict_by_key_is_kept_and_taken_back(page: Page, address: str):
    opened(page, address)
    asked(page, typed("fact"))
    answered(page)
    page.locator("#gold input, #gold textarea").press("2")
    expect(page.locator("#gold input, #gold textarea")).to_have_value("2")
    expect(page.locator("#kept")).not_to_be_visible()
    page.locator("#gold input, #gold textarea").fill("Sarn")
    page.locator("#headline h2").click()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("2")
    expect(page.locator("#kept")).to_contain_text("Kept: Incorrect.")
    expect(page.locator("#answer .chip[data-source=human]")).to_contain_text("right answer: Sarn")
    page.locator("#kept .undo").click()
    expect(page.locator("#kept")).to_contain_text("Taken back.")
    expect(page.locator("#answer .chip[data-source=human]")).to_have_count(0)


def test_calls_are_marked_one_after_another_by_keys_and_the_focus_stays(page: Page, address: str):
    opened(page, address)
    asked(page, typed("fact"))
    answered(page)
    page.locator("#labels summary").click()
    marks = page.locator("#labels .marks li").first.locator("button")
    marks.first.focus()
    for place, key in ((0, "u"), (1, "v"), (2, "w")):
        page.keyboard.press(key)
        expect(marks.nth(place)).to_have_attribute("aria-pressed", "true")
        expect(marks.first).to_be_focused()
    expect(page.locator("#kept")).not_to_contain_text("Taken back")


def test_keys_typed_into_the_question_give_no_verdict(page: Page, address: str):
    opened(page, address)
    asked(page, typed("fact", 3))
    answered(page)
    page.locator("#question textarea").press("1")
    page.wait_for_timeout(500)
    expect(page.locator("#answer .chip[data-source=human]")).to_have_count(0)


def test_script_payloads_stay_text_wherever_they_show(page: Page, address: str):
    opened(page, address)
    asked(page, NASTY)
    expect(page.locator("#answer .outcome")).to_be_visible(timeout=SLOW)
    expect(page.locator("#headline h2")).to_have_text(NASTY)
    for turn in page.locator("#transcript .turn > summary").all():
        turn.click()
    for fold in page.locator("#transcript .turn .fold > summary").all():
        fold.click()
    expect(page.locator("#transcript")).to_contain_text(NASTY)
    page.locator("button[data-tab-id=traces][role=tab]").click()
    expect(page.locator("#traces .trace .asked").first).to_have_text(NASTY)
    assert page.locator(".sheet img[src=x], .sheet script").count() == 0
    assert page.evaluate("window.hurt") is None


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("budget-cost", "-1", "Give a budget from $0 to $1,000, or leave it empty."),
        ("budget-seconds", "0", "Give 1 to 86,400 seconds, or leave it empty."),
        ("budget-turns", "1.5", "Give a whole number of turns from 1 to 200."),
    ],
)
def test_a_field_that_cannot_be_used_says_so_and_nothing_starts(
    plain: Page, address: str, field: str, value: str, said: str
):
    page = opened(plain, address)
    page.locator("#question textarea").fill("Why?")
    page.locator(f"#{field} input").fill(value)
    page.locator("#ask").click()
    expect(page.locator(f"#{field}")).to_contain_text(said)
    # What happens elsewhere on the page does not take it away.
    for tab in ("catalog", "ask"):
        page.locator(f"button[data-tab-id={tab}][role=tab]").click()
        page.wait_for_timeout(500)
    expect(page.locator(f"#{field}")).to_contain_text(said)
    expect(page.locator("#headline h2")).to_have_count(0)
    assert page.url == address


def test_a_budget_that_cannot_be_used_says_so_at_once_and_until_it_can(plain: Page, address: str):
    page, said = opened(plain, address), "Give 1 to 86,400 seconds, or leave it empty."
    field, told = page.locator("#budget-seconds input"), page.locator("#budget-seconds")
    question, unasked = page.locator("#question"), "Type a question first."
    field.fill("0")
    expect(told).to_contain_text(said)
    expect(question).not_to_contain_text(unasked)
    page.locator("#ask").click()
    expect(question).to_contain_text(unasked)
    expect(told).to_contain_text(said)
    field.fill("60")
    expect(told).not_to_contain_text(said)
    expect(question).to_contain_text(unasked)
    question.locator("textarea").fill("Why?")
    expect(question).not_to_contain_text(unasked)
    expect(page.locator("#headline h2")).to_have_count(0)
    assert page.url == address


def test_a_long_question_is_refused_with_a_sentence_and_kept(plain: Page, address: str):
    page = opened(plain, address)
    asked(page, "x" * 20_001)
    expect(page.get_by_text("shorten it to 20,000 at most").first).to_be_visible()
    expect(page.locator("#question textarea")).to_have_value("x" * 20_001)


def test_a_preset_moves_sliders_and_budget_and_the_route_line_follows(page: Page, address: str):
    opened(page, address)
    expect(page.locator("#route")).to_contain_text("Cheapest route")
    page.locator("#preset-frugal").click()
    expect(page.locator("#prefer-gpt-5 input[type=number]")).to_have_value("0.2")
    expect(page.locator("#budget-cost input")).to_have_value("0.02")
    expect(page.locator("#route")).to_contain_text("your budget allows")
    page.locator("#neutral").click()
    expect(page.locator("#prefer-gpt-5 input[type=number]")).to_have_value("0.5")
    page.locator("#prefer-answer input[type=number]").fill("0")
    page.locator("#prefer-answer input[type=number]").press("Tab")
    expect(page.locator("#route")).to_contain_text("No answer is possible")


@pytest.mark.parametrize(("typed", "stands"), [("", "0.5"), ("7", "1"), ("-3", "0"), ("0.3", "0.3")])
def test_a_slider_stands_where_it_can_whatever_its_box_was_given(
    page: Page, address: str, typed: str, stands: str
):
    opened(page, address)
    box, track = (page.locator(f"#prefer-gpt-5 input[type={kind}]") for kind in ("number", "range"))
    box.click()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.keyboard.type(typed)
    # Half typed, nothing has moved; an empty box has not become "never".
    assert float(track.input_value()) in (0.5, float(stands))
    page.keyboard.press("Tab")
    expect(box).to_have_value(stands)
    expect(track).to_have_value(stands)


def test_the_frontier_says_that_its_figures_are_on_the_way(plain: Page, address: str):
    page = opened(plain, address)
    page.route("**/queue/join*", lambda _: None)
    page.locator("button[data-tab-id=frontier][role=tab]").click()
    expect(page.locator("#frontier-waiting")).to_have_text("Working out the figures…")
    page.unroute("**/queue/join*")
    page.goto(address + "?tab=frontier")
    expect(page.locator("#frontier-table .sheet > *").first).to_be_visible(timeout=SLOW)
    expect(page.locator("#frontier-waiting")).not_to_be_visible()


def test_a_model_at_zero_is_never_called(page: Page, address: str):
    opened(page, address)
    page.locator("#prefer-gpt-5-mini input[type=number]").fill("0")
    page.locator("#prefer-gpt-5-mini input[type=number]").press("Tab")
    asked(page, typed("twodoc", 11))
    answered(page)
    expect(page.locator("#bill tbody .who")).not_to_contain_text(["gpt-5-mini"])
    expect(page.locator("#answer .outcome")).to_contain_text("100 % as you wished")


def test_the_list_opens_a_trace_filters_and_deletes_it(page: Page, address: str):
    opened(page, address)
    question = typed("specialist", 12)
    asked(page, question)
    answered(page)
    page.locator("button[data-tab-id=traces][role=tab]").click()
    expect(page.locator("#traces .trace").first).to_be_visible()
    page.locator("#find input, #find textarea").fill("no such words anywhere")
    expect(page.locator("#traces .empty")).to_be_visible()
    page.locator("#find input, #find textarea").fill(question[:40])
    page.locator("#traces .trace", has_text=question).first.click()
    expect(page.locator("#trace-headline h2")).to_have_text(re.sub(r"\s+", " ", question))
    expect(page.locator("#trace-live .note").first).to_be_attached()
    page.locator("#delete").click()
    page.locator("#delete-yes").click()
    expect(page.locator("#traces-problem")).to_contain_text("The trace is deleted.")
    expect(page.locator("#traces .trace", has_text=question)).to_have_count(0)


def test_the_catalogue_shows_prices_sandbox_and_why_a_model_cannot_be_used(page: Page, address: str):
    opened(page, address)
    page.locator("button[data-tab-id=catalog][role=tab]").click()
    expect(page.locator("#catalog-sheet")).to_contain_text("ToolOrchestra tools.json")
    expect(page.locator("#sandbox")).to_contain_text(re.compile("landlock|deno|off"))
    page.locator("#catalog-shown input").click()
    page.get_by_role("option", name=re.compile("live|Real models")).click()
    expect(page.locator("#catalog-sheet")).to_contain_text("needs an API key: set OPENAI_API_KEY.")


def test_choosing_a_catalogue_without_keys_marks_sliders_with_the_reason(page: Page, address: str):
    opened(page, address)
    page.locator("#catalog input").click()
    page.get_by_role("option", name=re.compile("Real models")).click()
    expect(page.locator("#prefer-gpt-5 .info-text")).to_contain_text("needs an API key", timeout=SLOW)
    expect(page.locator("#prefer-gpt-5 input[type=range]")).to_be_disabled()
    asked(page, "Why?")
    expect(page.locator("#problem")).to_contain_text("set OPENAI_API_KEY", timeout=SLOW)
    expect(page.locator("#question textarea")).to_have_value("Why?")


def test_chinese_browsers_read_chinese(browser: Browser, address: str, watch: Callable[[Page], Page]):
    with browser.new_context(locale="zh-CN") as context:
        page = opened(watch(context.new_page()), address)
        expect(page.locator("#ask")).to_have_text("提问")
        asked(page, typed("arithmetic", 21))
        answered(page)
        expect(page.locator("#bill")).to_contain_text("账单")


def test_a_phone_scrolls_in_one_direction_only(browser: Browser, address: str, watch: Callable[[Page], Page]):
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        page = opened(watch(context.new_page()), address)
        expect(page.locator("#preset-frugal")).not_to_be_visible()
        asked(page, typed("twodoc", 22))
        answered(page)
        for tab in ("ask", "traces", "frontier", "train", "catalog"):
            page.locator(f"button[data-tab-id={tab}][role=tab]").click()
            page.wait_for_timeout(600)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_dark_browsers_get_a_dark_page(browser: Browser, address: str, watch: Callable[[Page], Page]):
    with browser.new_context(color_scheme="dark") as context:
        page = opened(watch(context.new_page()), address)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(12, 14, 19)"


def test_the_fonts_are_the_bundled_ones(page: Page, address: str):
    opened(page, address)
    assert page.evaluate("document.fonts.check('600 16px \"IBM Plex Sans\"')")
    loaded = page.evaluate("[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)")
    assert any("IBM Plex Sans" in family for family in loaded)


def test_a_kept_trace_opens_by_its_link_after_a_restart(page: Page, tmp_path: Path):
    home = tmp_path / "kept"
    with served(home) as first:
        opened(page, first)
        asked(page, typed("fact", 30))
        answered(page)
        link = page.url.removeprefix(first)
        said = page.locator("#answer .text").inner_text()
        page.goto("about:blank")
    with served(home) as second:
        opened(page, second, link)
        answered(page)
        expect(page.locator("#answer .text")).to_have_text(said)
        expect(page.locator("#question textarea")).to_have_value(typed("fact", 30))
        page.goto(second + link.replace("run=", "trace="))
        expect(page.locator("#trace-answer .text")).to_have_text(said, timeout=SLOW)
