"""The public names: one sorted list, each there, each documented, and importing them is cheap."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, get_origin

import pytest

import orchestra_app
from orchestra_app import Options, Workspace, tool
from orchestra_app.core.errors import ConfigError
from tests.cli.fake_catalog import write_catalog
from tests.fake_openai import FIVE_TURNS, FakeOpenAI

ROOT = Path(__file__).parents[1]


def test_the_public_names_are_one_sorted_list_of_about_twenty():
    names = orchestra_app.__all__
    assert names == sorted(set(names)) and 15 <= len(names) <= 25
    assert set(names) <= set(dir(orchestra_app))


@pytest.mark.parametrize("name", orchestra_app.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name):
    found = getattr(orchestra_app, name)
    assert get_origin(found) is Annotated or (found.__doc__ or "").strip()


def test_the_list_and_what_is_loaded_agree():
    listed = [name for names in orchestra_app._MODULES.values() for name in names]
    assert sorted(listed) == orchestra_app.__all__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Conductor"):
        _ = orchestra_app.Conductor  # pyright: ignore[reportAttributeAccessIssue]


def loaded_by(code: str) -> set[str]:
    """The libraries that a fresh interpreter has loaded after `code`."""
    said = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*{{name.split('.')[0] for name in sys.modules}})"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(said.stdout.split())


def test_importing_the_package_loads_no_library_at_all():
    assert not {"pydantic", "sqlalchemy", "gradio", "torch", "numpy"} & loaded_by("import orchestra_app")


def test_every_public_name_together_loads_neither_the_page_nor_a_model():
    heavy = {"gradio", "torch", "transformers", "plotly", "openai", "sympy", "numpy"}
    assert not heavy & loaded_by("from orchestra_app import *")


def test_the_python_of_the_readme_runs_as_it_stands():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    *_, last = done.stdout.splitlines()
    assert last.startswith("finished $0.0") and last.endswith(" 42") and done.stderr == ""


def look(word: str) -> str:
    """Looks a word up."""
    return f"{word} has {len(word)} letters"


async def test_a_function_of_the_users_own_is_called_by_a_chat_policy(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    with FakeOpenAI() as fake:
        policy = '[policies.conductor]\nmodel = "expert"\nprotocol = "chat"\n'
        file = Path(write_catalog(tmp_path, fake.url, FIVE_TURNS))
        file.write_text(f"{file.read_text()}\n{policy}")
        workspace = await Workspace.open()
        try:
            name = workspace.add_catalog(str(file))
            orchestrator = await workspace.orchestrator(name, "conductor", functions=[tool(look)])
            with pytest.raises(ConfigError, match="chat protocol"):
                await workspace.orchestrator(name, "rules", functions=[tool(look)])
            events = workspace.rollout(orchestrator, workspace.task("How long is it?", name), Options())
            *_, (_, trace) = [step async for step in events]
        finally:
            await workspace.aclose()
    assert trace.status == "answered" and trace.tool_counts == {"look": 5}
    assert {result.output for _, _, result in trace.calls} == {"tower has 5 letters"}
