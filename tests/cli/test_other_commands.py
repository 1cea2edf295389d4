"""`orchestra traces`, `label`, `catalog` and `doctor` as a user runs them."""

import json

import pytest

from orchestra_app.catalogs import bundled, load_catalog
from orchestra_app.catalogs.files import FOLDER
from tests.dataset.fake_collector import FakeCollector

SUM = "What is 6 * 7?"


def test_an_empty_list_says_how_to_begin_and_an_empty_page_does_not(orchestra, asked):
    assert "No trace fits" in orchestra("traces", "list", "--text", "submarine").out
    assert "No trace fits" in orchestra("traces", "list", "--page", "2").out
    assert orchestra("traces", "list", "--text", "submarine", "--json").json == []


def test_the_first_list_says_how_to_begin(orchestra):
    ended = orchestra("traces", "list")
    assert ended.code == 0 and "orchestra ask" in ended.out


@pytest.mark.parametrize("columns", ["30", "200"])
def test_a_list_shows_ids_whole_on_any_terminal_and_the_newest_first(orchestra, monkeypatch, asked, columns):
    later = orchestra("ask", "What is 5 * 5?", "--json").json["id"]
    monkeypatch.setenv("COLUMNS", columns)
    shown = orchestra("traces", "list").out
    assert shown.index(later) < shown.index(asked) and "What is 5 * 5?" in shown


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (("--text", "6 *"), 1),
        (("--policy", "small"), 1),
        (("--policy", "cheapest"), 0),
        (("--catalog", "rehearsal"), 1),
        (("--status", "answered"), 1),
        (("--status", "failed"), 0),
        (("--verdict", "unlabelled"), 1),
        (("--verdict", "correct"), 0),
    ],
)
def test_a_list_can_be_narrowed(orchestra, asked, wanted, found):
    assert len(orchestra("traces", "list", *wanted, "--json").json) == found


@pytest.mark.parametrize(
    ("option", "correct", "verdict"),
    [("--correct", True, "correct"), ("--incorrect", False, "incorrect"), ("--unsure", None, "unsure")],
)
def test_a_label_is_kept_with_gold_and_note_and_gives_the_verdict(orchestra, asked, option, correct, verdict):
    ended = orchestra("label", asked, option, "--gold", "42", "--note", "I counted.")
    assert ended.code == 0
    trace = orchestra("traces", "show", asked, "--json").json
    (label,) = trace["labels"]
    assert (label["source"], label["correct"], label["gold"]) == ("human", correct, "42")
    assert label["note"] == "I counted." and trace["correct"] is correct
    assert orchestra("traces", "list", "--json").json[0]["verdict"] == verdict


def test_the_latest_label_counts(orchestra, asked):
    for option in ("--correct", "--unsure", "--incorrect"):
        orchestra("label", asked, option)
    trace = orchestra("traces", "show", asked, "--json").json
    assert trace["correct"] is False and len(trace["labels"]) == 3
    assert "✗ incorrect" in orchestra("traces", "show", asked).out


def test_traces_are_sent_once_each_and_unknown_ones_are_refused(orchestra, asked):
    with FakeCollector() as collector:
        to = ("--endpoint", collector.url)
        assert "no trace 'nothing'" in orchestra("traces", "send", asked, "nothing", *to).complaint
        assert collector.spans == []
        assert orchestra("traces", "send", asked, asked, *to).out == "Sent 1 of 1 traces.\n"
    assert len({span.span_id for span in collector.spans}) == len(collector.spans) > 0


@pytest.mark.parametrize("name", bundled())
def test_every_bundled_catalogue_checks(orchestra, name):
    assert orchestra("catalog", "check", name).code == 0


def test_a_tokenizer_that_the_library_cannot_read_is_no_surprise_of_a_run(orchestra, tmp_path):
    file, tokenizer = tmp_path / "mine.toml", tmp_path / "tokenizer.json"
    tokenizer.write_text('{"model": {"type": "Nope"}}')
    file.write_text(f'extends = "live"\nname = "mine"\n[models.gpt-5]\ntokenizer = "{tokenizer}"\n')
    ended = orchestra("catalog", "check", str(file))
    assert (
        ended.code == 2 and "models.gpt-5.tokenizer" in ended.complaint and str(tokenizer) in ended.complaint
    )


def test_an_imported_catalogue_goes_to_a_new_file_and_is_never_written_over_another(orchestra, tmp_path):
    table = {"model": {"description": "The model. Choices: ['x-1'].", "enum": ["x-1"], "type": "string"}}
    source, mapping, out = tmp_path / "tools.json", tmp_path / "ids.json", tmp_path / "mine.toml"
    function = {"name": "answer", "description": "Answers.", "parameters": {"properties": table}}
    source.write_text(json.dumps([{"type": "function", "function": function}]))
    mapping.write_text(json.dumps({"x-1": "me/my-model"}))
    arguments = ("catalog", "import", str(source), "--mapping", str(mapping))
    ended = orchestra(*arguments, "--out", str(out))
    assert ended.code == 0 and ended.out == "" and "assumed" in ended.err, ended
    assert "my-model" in load_catalog(out).models
    assert orchestra(*arguments).out == out.read_text()
    assert "already" in orchestra(*arguments, "--out", str(out)).complaint
    assert "cannot be written" in orchestra(*arguments, "--out", "/proc/none/mine.toml").complaint


def test_doctor_names_every_part_with_its_reason_and_is_content_without_keys(orchestra, home):
    ended = orchestra("doctor")
    assert ended.code == 0 and ended.err == ""
    shown = " ".join(ended.out.split())
    for text in (str(home)[:40], "database", "sandbox", "simulated experts", "OPENAI_API_KEY", *bundled()):
        assert text in shown
    assert "broken" not in shown


def test_doctor_calls_no_policy_working_where_no_model_can_be_reached(orchestra):
    lines = [line.split() for line in orchestra("doctor").out.splitlines()]
    states = [line[1] for line in lines if line[:1] == ["policy"]]
    assert states == ["works" if load_catalog(name).simulated else "optional" for name in bundled()]


def test_doctor_names_a_catalogue_of_the_users_own(orchestra, monkeypatch, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text((FOLDER / "rehearsal.toml").read_text().replace('"rehearsal"', '"mine"', 1))
    monkeypatch.setenv("ORCHESTRA_CATALOG", str(file))
    assert "catalogue mine" in orchestra("doctor").out


def test_doctor_names_files_that_the_index_of_a_folder_leaves_out(orchestra, monkeypatch, tmp_path):
    docs, file = tmp_path / "docs", tmp_path / "mine.toml"
    docs.mkdir()
    (docs / "a.txt").write_text("A tower.")
    (docs / "empty.md").write_text("")
    whole = (FOLDER / "rehearsal.toml").read_text().replace('"rehearsal"', '"mine"', 1)
    file.write_text(whole.replace('folder = "rehearsal"', f'folder = "{docs}"'))
    monkeypatch.setenv("ORCHESTRA_CATALOG", str(file))
    assert "empty.md" not in orchestra("doctor").out
    orchestra("ask", "How tall is the tower?", "--policy", "best-pipeline")
    assert "1 left out: empty.md was skipped" in " ".join(orchestra("doctor").out.split())


def test_help_names_every_command(orchestra):
    shown = orchestra("--help").out
    for name in ("ask", "traces", "label", "catalog", "doctor", "serve"):
        assert name in shown


def test_a_look_at_what_there_is_to_learn_launches_nothing(orchestra, home):
    looked = orchestra("train", "--dry-run", "--launcher", "process", "--json")
    assert looked.code == 0 and looked.json["rollouts"] > 0
    assert not list((home / "jobs").glob("*/*")) and "Launched" not in looked.out + looked.err
