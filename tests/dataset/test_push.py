"""A push that is refused says why, in a sentence that names neither the token nor a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra_app.core.errors import ConfigError
from orchestra_app.dataset.hub import check_target, refusal
from tests.dataset.fake_hub import TOKEN, FakeHub

ROOT = Path(__file__).parents[2]
# In one process of its own, since the Hub's library reads its address when it is loaded.
PUSHES = """
import sys
from pathlib import Path
from orchestra_app.core.errors import OrchestraError
from orchestra_app.dataset.hub import push
for name, token in zip(sys.argv[2::2], sys.argv[3::2]):
    try:
        print(push(Path(sys.argv[1]), name, token=token, public=True))
    except OrchestraError as error:
        print(error)
"""
REFUSED = [
    ("bob/traces", TOKEN, "has no right to write to bob/traces"),
    ("ann/traces", "hf_another", "does not know this token"),
    ("ann/mine", TOKEN, "has no right to write to ann/mine"),
]


def test_every_refusal_has_its_sentence(tmp_path):
    (tmp_path / "traces.jsonl").write_text("{}")
    cases = [part for name, token, _ in REFUSED for part in (name, token)]
    with FakeHub(refuses={"mine": 403}) as hub:
        environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
        command = [sys.executable, "-c", PUSHES, str(tmp_path), *cases, "ann/good", TOKEN]
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    *refused, good = ended.stdout.splitlines()
    for line, (_, token, said) in zip(refused, REFUSED, strict=True):
        assert said in line and token not in line
    assert good == f"{hub.url}/datasets/ann/good" and hub.created[-1]["visibility"] == "public"
    assert hub.files == {"traces.jsonl": b"{}"} and "Traceback" not in ended.stderr


# The Hub's library tries these again for a minute before it gives up.
@pytest.mark.parametrize(
    ("status", "said"), [(429, "asks to wait"), (500, "with status 500"), (404, "no right")]
)
def test_a_hub_in_trouble_is_told_from_a_token_without_rights(status, said):
    assert said in refusal(status, "ann/traces")


@pytest.mark.parametrize(
    "name",
    [
        "traces",
        "a/b/c",
        "ann/",
        "/x",
        "ann/tr aces",
        "../x",
        "ann/x;y",
        "a/" + "b" * 200,
        "ann/a--b",
        "ann/a..b",
        "ann/x.git",
        "ann/x-",
        "ann/données",
    ],
)
def test_what_is_no_name_of_a_dataset_is_refused_before_anything_is_written(name, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(ConfigError, match="user/dataset"):
        check_target(name)
    assert check_target("ann/traces") == TOKEN


def test_a_push_needs_a_token():
    with pytest.raises(ConfigError, match="set HF_TOKEN"):
        check_target("ann/traces")
