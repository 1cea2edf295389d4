"""The files around the package agree: the card, the requirements, the two commands, the gate."""

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from orchestra_app.catalogs import bundled

ROOT = Path(__file__).parents[1]
README_KEYS = set(
    re.findall(
        r"\w+",
        """
        title emoji colorFrom colorTo sdk python_version sdk_version suggested_hardware app_file app_port
        base_path fullWidth header short_description models datasets tags thumbnail pinned hf_oauth
        hf_oauth_scopes hf_oauth_expiration_minutes hf_oauth_authorized_org disable_embedding
        startup_duration_timeout custom_headers preload_from_hub
        """,
    )
)
"""What the Hub reads from the block at the top of a Space's README."""
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def card(readme: str) -> dict:
    _, block, _ = readme.split("---\n", 2)
    return yaml.safe_load(block)


def commands(readme: str) -> list[str]:
    """The lines of the README's shell blocks that begin with `make`."""
    blocks = re.findall(r"```(?:sh|bash|shell|console)\n(.*?)```", readme, re.DOTALL)
    lines = [
        line.removeprefix("$ ").partition("#")[0].strip() for block in blocks for line in block.splitlines()
    ]
    return [line for line in lines if line.startswith("make")]


@pytest.fixture
def readme() -> str:
    return (ROOT / "README.md").read_text()


@pytest.fixture
def space() -> dict:
    return yaml.safe_load((ROOT / "space.yaml").read_text())


def test_the_block_of_the_readme_is_the_one_in_space_yaml(readme, space):
    assert card(readme) == space["readme"]


def test_the_card_has_only_keys_and_values_that_the_hub_takes(space):
    block = space["readme"]
    assert set(block) <= README_KEYS and set(space) == {"readme", "space"}
    assert {block["colorFrom"], block["colorTo"]} <= COLOURS and len(block["short_description"]) <= 60
    assert (ROOT / block["app_file"]).is_file()
    required = re.search(r"^gradio\[oauth\]>=([\d.]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert required and block["sdk_version"].startswith(required[1])


def test_the_space_starts_safely_and_names_no_secret(space):
    variables = space["space"]["variables"]
    assert variables["ORCHESTRA_CATALOG"] in bundled() and float(variables["ORCHESTRA_DAILY_CAP"]) > 0
    assert not [name for name in variables if re.search(r"KEY|TOKEN|SECRET|PASSWORD|DATABASE", name)]
    assert all(isinstance(value, str) for value in variables.values())


def test_the_readme_names_two_set_up_commands_and_the_makefile_has_them(readme):
    assert sorted(set(commands(readme))) == ["make run", "make test"]
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^run:", makefile, re.MULTILINE) and re.search(r"^test:", makefile, re.MULTILINE)


def test_there_is_one_list_of_dependencies_and_each_has_an_upper_bound():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["dependencies"]
    assert project["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": ["requirements.txt"]}
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    for line in [line for line in lines if line and not line.startswith("#")]:
        assert re.fullmatch(r"[a-z0-9-]+(\[[a-z]+\])?(==[\d.*]+|>=[\d.]+,<[\d.]+)", line), line


def test_the_licence_is_the_whole_apache_2():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text and "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text and len(text) > 11_000


def test_the_gate_is_make_test_and_nothing_else():
    path = ROOT / ".ci" / "run"
    assert path.read_text().splitlines() == [
        "#!/usr/bin/env bash",
        "set -euo pipefail",
        'cd "$(dirname "$0")/.."',
        "make test",
    ]
    assert os.access(path, os.X_OK) and os.access(ROOT / "tests" / "install_tools", os.X_OK)


def test_every_catalogue_and_drawing_is_part_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["orchestra_app"]
    package = ROOT / "orchestra_app"
    shipped = {path for pattern in patterns for path in package.glob(pattern)}
    other = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert other <= shipped
