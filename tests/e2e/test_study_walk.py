"""From a sweep to the same frontier again, in one browser: what a person who studies traces does all day.

A sweep is launched, stopped and resumed; its chart is read and a point clicked through to its traces; one is
opened, forked and compared; a duel is voted blind; the rest is labelled by keys; all is exported, wiped and
imported, and the frontier is the same.
"""

import re
from pathlib import Path

import pytest
from page_server import served
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SLOW = 60_000
QUESTIONS = 40
FILLED = """() => {
  const box = document.querySelector('#frontier-chart'), drawn = box?.querySelector('.main-svg');
  return box?.offsetWidth && Math.abs(drawn?.clientWidth - box.clientWidth) < 2;
}"""
DEAF = "() => document.querySelector('#frontier-chart .js-plotly-plot').removeAllListeners('plotly_click')"
SETTINGS = ("best-expert", "best-pipeline", "cheapest", "do-nothing", "random", "rules", "small")


def test_a_sweep_is_read_down_to_its_traces_and_found_the_same_after_a_wipe(
    browser: Browser, page: Page, tmp_path: Path
):
    with served(tmp_path / "home") as address:
        # That page is left while it is still told of the sweep, which a browser logs as an error.
        with browser.new_context() as context:
            launch_and_stop(context.new_page(), address)
        page.goto(address)
        expect(page.locator("#route .forecast")).to_contain_text("finished traces", timeout=SLOW)
        page.locator("#consent input").check()
        resume(page)
        read_the_chart(page, tmp_path)
        open_one_of_a_point(page)
        fork(page)
        compare(page)
        vote_blind(page)
        label_by_keys(page)
        before = frontiers(page)
        assert len(before["sweep"]) == len(SETTINGS) + 1 <= len(before["labelled traces"])
        file = exported(page, tmp_path)
        wipe(page)
        bring_back(page, file)
        assert frontiers(page) == before


def tab(page: Page, *names: str) -> None:
    for name in names:
        page.locator(f"button[data-tab-id={name}][role=tab]").click()


def shown(page: Page, name: str) -> None:
    page.locator("#frontier-source input").click()
    page.get_by_role("option", name=re.compile(name)).click()


def launch_and_stop(page: Page, address: str) -> None:
    page.goto(address)
    tab(page, "frontier")
    page.locator("#frontier-limit input").fill(str(QUESTIONS))
    runs = QUESTIONS * len(SETTINGS)
    expect(page.locator("#frontier-plan .plan")).to_contain_text(f"Runs: {runs}", timeout=SLOW)
    expect(page.locator("#frontier-plan .plan")).to_contain_text("no real money")
    page.locator("#frontier-launch").click()
    # Without waiting until it stands still: by then a fast machine is done.
    page.locator("#frontier-stop").dispatch_event("click", timeout=SLOW)
    told = page.locator("#frontier-progress .told[data-status]")
    expect(told).to_have_attribute("data-status", "stopped", timeout=SLOW)
    assert int(told.get_attribute("data-done") or 0) < runs


def resume(page: Page) -> None:
    tab(page, "frontier")
    expect(page.locator("#frontier-form")).to_be_visible(timeout=SLOW)
    shown(page, "rehearsal:heldout")
    page.locator("#frontier-resume").click(timeout=SLOW)
    told = page.locator("#frontier-progress .told[data-status]")
    expect(told).to_have_attribute("data-done", str(QUESTIONS * len(SETTINGS)), timeout=SLOW)


def read_the_chart(page: Page, folder: Path) -> None:
    expect(page.locator("#frontier-chart .points path.point")).to_have_count(len(SETTINGS) + 1, timeout=SLOW)
    provenance = page.locator("#frontier-caption .provenance")
    expect(provenance).to_contain_text(f"n = {QUESTIONS} questions", timeout=SLOW)
    expect(provenance).to_contain_text("simulated: no real money")
    with page.expect_download() as saved:
        page.locator("#frontier-csv").click()
    saved.value.save_as(folder / "table.csv")
    assert len((folder / "table.csv").read_text().splitlines()) == len(SETTINGS) + 2
    with page.expect_download() as saved:
        page.locator("#frontier-png").click()
    saved.value.save_as(folder / "chart.png")
    assert (folder / "chart.png").read_bytes().startswith(b"\x89PNG")
    # What changes while its tab is hidden is put right once it is shown.
    wide = page.viewport_size
    assert wide
    for size in ({"width": 1000, "height": wide["height"]}, wide):
        tab(page, "train")
        page.set_viewport_size(size)  # pyright: ignore[reportArgumentType]
        tab(page, "frontier")
        page.wait_for_function(FILLED, timeout=SLOW)


def open_one_of_a_point(page: Page) -> None:
    name = page.locator("#frontier-details h3")
    # As where Plotly draws twice in a row.
    page.locator("#frontier-chart").hover()
    page.evaluate(DEAF)
    for _ in range(5):
        # The last point is the oracle, which has no traces: the one before it is a setting.
        points = page.locator("#frontier-chart .points path.point")
        box = points.nth(points.count() - 2).bounding_box()
        assert box
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.move(*middle)
        page.mouse.click(*middle)
        try:
            expect(name).to_be_visible(timeout=SLOW / 5)
        except AssertionError:
            # The chart was drawn anew between the look at it and the click.
            continue
        break
    expect(name).to_be_visible(timeout=SLOW)
    expect(page.locator("#frontier-details .apart tbody tr")).to_have_count(len(SETTINGS) - 1)
    pick = "#frontier-table [data-action=pick][data-id=best-pipeline]"
    page.locator(pick).press("Enter")
    expect(name).to_have_text("best-pipeline", timeout=SLOW)
    page.locator("#frontier-traces").click()
    expect(page.locator("#traces-count")).to_contain_text(f"of {QUESTIONS}", timeout=SLOW)
    expect(page.locator("#traces .trace").first).to_contain_text("best-pipeline")
    page.locator("#traces .trace").first.click()


def fork(page: Page) -> None:
    page.locator("#study-fork > button").click(timeout=SLOW)
    slider = page.locator("#study-prefer-gpt-5 input[type=number]")
    slider.fill("0", timeout=SLOW)
    slider.press("Tab")
    expect(page.locator("#study-judged")).to_contain_text("These calls would not have been on offer")
    page.locator("#study-prices > button").click()
    expect(page.locator("#study-bill tfoot")).to_contain_text("the same")
    # The grid keeps a second table, out of sight, to measure its columns.
    page.locator("#study-grid").get_by_text(re.compile(r"^[0-9.]+$")).locator("visible=true").first.dblclick()
    page.keyboard.press("Control+a")
    page.keyboard.type("5000")
    page.keyboard.press("Enter")
    expect(page.locator("#study-bill tfoot")).not_to_contain_text("the same", timeout=SLOW)
    page.locator("#study-begin").click()
    expect(page.locator("#trace-family")).to_contain_text("Forked from turn", timeout=SLOW)
    expect(page.locator("#study-prefer-gpt-5 input[type=number]")).to_have_value("0")


def compare(page: Page) -> None:
    page.locator("#trace-family .parent").click()
    expect(page.locator("#trace-family .child")).to_have_count(1, timeout=SLOW)
    page.locator("#study-compare > button").click()
    page.locator("#study-other input").click()
    page.get_by_role("option", name=re.compile("^fork · best-pipeline")).click()
    compared = page.locator("#study-compared")
    expect(compared.locator("[data-relation=reused]").first).to_be_visible()
    expect(compared.locator("[data-fact=cost] .word")).to_contain_text("less")
    expect(compared.locator("[data-fact=wish]")).to_contain_text("gpt-5 0")
    wide = page.viewport_size
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    halves = compared.locator("[data-relation=other] .half")
    above, below = halves.nth(0).bounding_box(), halves.nth(1).bounding_box()
    assert above and below and above["y"] + above["height"] <= below["y"]
    assert wide
    page.set_viewport_size(wide)


def vote_blind(page: Page) -> None:
    tab(page, "blind")
    expect(page.locator("#blind-policy-one input")).not_to_have_value("")
    page.locator("#blind-question textarea").fill("What is 6 * 7?")
    page.locator("#blind-ask").click()
    duel = page.locator("#blind-shown")
    expect(duel.locator(".duel .text")).to_have_count(2, timeout=SLOW)
    assert "?run=" not in duel.inner_html() and "$" not in duel.inner_text()
    expect(page.locator("#blind-better-a")).to_be_visible()
    duel.locator("h2").click()
    page.keyboard.press("a")
    expect(duel.locator(".told a")).to_have_count(2)
    expect(duel).to_contain_text("small · Frugal")
    expect(page.locator("#blind-table tbody tr")).to_have_count(1)
    page.keyboard.press("u")
    expect(page.locator("#blind-table")).to_contain_text("No votes yet")
    # A duel that was told stays told, so it takes another question to vote again.
    page.locator("#blind-question textarea").fill("What is 6 * 8?")
    page.locator("#blind-ask").click()
    expect(duel.locator(".told a")).to_have_count(0)
    page.locator("#blind-better-a").click(timeout=SLOW)
    expect(page.locator("#blind-table tbody tr")).to_have_count(1)


def label_by_keys(page: Page) -> None:
    tab(page, "label")
    asked, mine = page.locator("#queue-card h2"), page.locator("#queue-progress .far").first
    told = page.locator("#queue-told")
    expect(page.locator("#queue-guidelines")).to_contain_text("the final answer is right")
    expect(mine).to_contain_text("0 of")
    page.keyboard.press("Shift+Digit4")
    page.keyboard.press("1")
    expect(mine).to_contain_text("1 of")
    second = asked.inner_text()
    page.keyboard.press("2")
    expect(mine).to_contain_text("2 of")
    page.keyboard.press("u")
    expect(mine).to_contain_text("1 of")
    expect(asked).to_have_text(second)
    page.keyboard.press("1")
    expect(mine).to_contain_text("2 of")
    page.keyboard.press("s")
    expect(told).to_contain_text("kipped")
    expect(page.locator("#queue-progress")).to_contain_text("κ is not known yet")


def frontiers(page: Page) -> dict[str, list[str]]:
    """The rows of the tables: of all that is labelled, and of the sweep."""
    tab(page, "frontier")
    rows, found = page.locator("#frontier-table .settings tbody tr"), {}
    for name, title in (("labelled traces", "Labelled traces"), ("sweep", "rehearsal:heldout")):
        shown(page, title)
        expect(page.locator("#frontier-caption .provenance")).to_contain_text(title[1:], timeout=SLOW)
        found[name] = rows.all_inner_texts()
    return found


def exported(page: Page, folder: Path) -> Path:
    tab(page, "traces", "find")
    page.locator("#back").click()
    # The link of the point still filters the list, and what is exported is what is listed.
    page.locator("#clear-filters").click()
    page.wait_for_url("**/?tab=traces")
    page.locator("#exchange > button").click()
    page.locator("#exchange-make").click()
    expect(page.locator("#exchange-told")).to_contain_text("Traces: ", timeout=SLOW)
    with page.expect_download() as download:
        page.locator("#exchange-file").click()
    file = folder / "orchestra-traces.zip"
    download.value.save_as(file)
    return file


def wipe(page: Page) -> None:
    page.locator("#exchange-wipe").click()
    page.locator("#exchange-wipe-yes").click()
    expect(page.locator("#traces .trace")).to_have_count(0)


def bring_back(page: Page, file: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.locator("#exchange-import").click()
    chooser.value.set_files(file)
    expect(page.locator("#exchange-told")).to_contain_text("traces imported", timeout=SLOW)
    expect(page.locator("#exchange-told")).to_contain_text("Blind votes imported: 1.")
