"""Strangers at one public page: whose traces they see, what the API lets them do, and what never leaks."""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from page_server import ROOT, free_port, served
from playwright.sync_api import Browser, Page, expect

from orchestra_app.rehearsal.questions import questions

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

SLOW = 60_000
PLANTED = "sk-planted-0123456789abcdef"
QUESTION = next(each for each in questions("heldout") if each.kind == "fact")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("public") / "home"


@pytest.fixture(scope="module")
def public(home: Path) -> Iterator[str]:
    with served(home, GRADIO_SERVER_NAME="0.0.0.0", OPENAI_API_KEY=PLANTED) as address:
        yield address


@pytest.fixture(scope="module")
def client(public: str) -> Iterator[Client]:
    client = Client(public, verbose=False, analytics_enabled=False)
    yield client
    client.close()


def asked(page: Page, address: str) -> str:
    page.goto(address)
    page.wait_for_selector("#prefer-gpt-5-mini", state="attached", timeout=SLOW)
    page.locator("#question textarea").fill(QUESTION.text)
    page.locator("#ask").click()
    expect(page.locator("#answer .outcome")).to_be_visible(timeout=SLOW)
    return page.url


def test_the_link_of_another_visitor_is_refused_and_their_list_is_empty(
    browser: Browser, public: str, watch: Callable[[Page], Page]
):
    with browser.new_context() as mine, browser.new_context() as theirs:
        link = asked(watch(mine.new_page()), public)
        page = watch(theirs.new_page())
        page.goto(link)
        expect(page.locator("#problem")).to_contain_text("There is no trace", timeout=SLOW)
        expect(page.locator("#headline h2")).to_have_count(0)
        page.locator("button[data-tab-id=traces][role=tab]").click()
        expect(page.locator("#traces .empty")).to_contain_text("No traces yet", timeout=SLOW)
        again = watch(mine.new_page())
        again.goto(link)
        expect(again.locator("#answer .outcome")).to_be_visible(timeout=SLOW)


def test_no_planted_key_reaches_the_browser_or_the_data_folder(browser: Browser, public: str, home: Path):
    with browser.new_context() as context:
        page = context.new_page()
        asked(page, public)
        page.locator("button[data-tab-id=catalog][role=tab]").click()
        page.wait_for_selector("#catalog-sheet table", timeout=SLOW)
        stored = page.evaluate("JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage})")
        assert PLANTED not in page.content() + stored
    kept = [path for path in home.parent.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if PLANTED.encode() in path.read_bytes()]


def test_the_api_asks_labels_and_finds_for_the_visitor_who_holds_the_secret(client: Client):
    trace = client.predict(question=QUESTION.text, seed=3, api_name="/ask")
    assert trace["status"] == "answered"
    assert {"usage", "adherence", "correct"} <= trace.keys()
    secret = trace["visitor"]
    assert secret not in trace["owner"]
    assert client.predict(id=trace["id"], visitor=secret, api_name="/trace")["answer"] == trace["answer"]
    assert [each["id"] for each in client.predict(visitor=secret, api_name="/traces")] == [trace["id"]]
    labelled = client.predict(
        id=trace["id"], verdict="incorrect", gold="x", visitor=secret, api_name="/label"
    )
    assert labelled["correct"] is False
    counted = client.predict(id=trace["id"], verdict="unsure", gold=5, visitor=secret, api_name="/label")
    assert counted["labels"][-1]["gold"] == "5"
    for endpoint, more in {"/trace": {}, "/label": {"verdict": "correct"}}.items():
        with pytest.raises(AppError, match="There is no trace"):
            client.predict(id=trace["id"], **more, api_name=endpoint)
    assert client.predict(api_name="/traces") == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"question": ""}, "Type a question first."),
        ({"question": "x" * 100_000}, "shorten it to 20,000"),
        ({"question": "Why?", "budget_cost": -1.0}, "Give a budget"),
        ({"question": "Why?", "budget_seconds": 0.0}, "seconds, or leave it empty"),
        ({"question": "Why?", "budget_turns": 10_000}, "turns from 1 to 200"),
        ({"question": "Why?", "weights": {"gpt-5": 7.0}}, "must stand between 0 and 1"),
        ({"question": "Why?", "weights": {"nobody": 0.5}}, "There is no slider nobody"),
        ({"question": "Why?", "cost": 2.0}, "must stand between 0 and 1"),
        ({"question": "Why?", "excluded": ["nobody"]}, "nobody"),
        ({"question": "Why?", "policy": "nobody"}, "There is no policy 'nobody'"),
        ({"question": "Why?", "catalog": "../secret"}, "There is no catalogue"),
        ({"question": "Why?", "seed": -1}, "as the seed"),
        ({"question": "Why?", "soft": "no"}, "true or false"),
        ({"question": "Why?", "visitor": "ann"}, "is no secret of an earlier answer"),
    ],
)
def test_the_api_refuses_what_cannot_be_asked_with_one_sentence(
    client: Client, wrong: dict[str, Any], said: str
):
    with pytest.raises(AppError, match=re.escape(said)):
        client.predict(**wrong, api_name="/ask")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"status": "bogus"}, "`status` must be one of running"),
        ({"verdict": "wrong", "cost_to": -1}, "`cost_to` must be a number from 0"),
        ({"since": "yesterday"}, "`since` must be a day"),
        ({"text": 5}, "`text` must be a text"),
        ({"sort": "bogus"}, "`sort` must be one of newest"),
    ],
)
def test_the_api_returns_nothing_for_a_filter_that_it_cannot_read(
    client: Client, wrong: dict[str, Any], said: str
):
    with pytest.raises(AppError, match=re.escape(said)):
        client.predict(**wrong, api_name="/traces")


def test_only_clean_endpoints_are_public(client: Client):
    named = client.view_api(return_format="dict", print_info=False)
    assert isinstance(named, dict)
    assert set(named["named_endpoints"]) == {"/ask", "/trace", "/traces", "/label", "/frontier"}
    assert not named["unnamed_endpoints"]


def test_a_visitor_has_at_most_so_many_runs_at_once(public: str):
    client = Client(public, verbose=False, analytics_enabled=False)
    secret = "ab" * 16
    more = {"policy": "best-pipeline", "budget_cost": 2.0, "budget_seconds": 900.0, "visitor": secret}
    jobs = [
        client.submit(question=f"{QUESTION.text} {number}", api_name="/ask", **more) for number in range(12)
    ]
    said = [job.exception() for job in jobs]
    client.close()
    assert all(each is None or "under way" in str(each) for each in said)
    assert any(each is None for each in said)


def start(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {"ORCHESTRA_HOME": str(home), "GRADIO_SERVER_PORT": str(free_port()), **environment}
    command = ["env", *(f"{name}={value}" for name, value in own.items()), sys.executable, "app.py"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


def test_a_page_that_cannot_be_served_says_why_in_one_sentence(public: str, tmp_path: Path):
    taken = public.rstrip("/").rsplit(":", 1)[1]
    blocked = tmp_path / "file"
    blocked.write_text("")
    cases = {
        "GRADIO_SERVER_PORT": start(tmp_path / "a", GRADIO_SERVER_PORT=taken),
        "ORCHESTRA_HOME": start(blocked),
        "ORCHESTRA_DAILY_CAP": start(tmp_path / "b", GRADIO_SERVER_NAME="0.0.0.0", ORCHESTRA_CATALOG="live"),
    }
    for name, done in cases.items():
        assert done.returncode == 2, done.stderr
        assert name in done.stderr
        assert "Traceback" not in done.stderr


def test_owners_in_the_database_tell_no_secret(client: Client, home: Path):
    trace = client.predict(question=QUESTION.text, api_name="/ask")
    with sqlite3.connect(next(home.glob("*.db"))) as database:
        dump = json.dumps([list(map(str, row)) for row in database.execute("select * from trace")])
    assert trace["visitor"] not in dump
