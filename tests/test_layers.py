"""Imports go down only, and the heavy libraries stay where they belong."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = [
    {"core"},
    {"backends", "sandbox", "storage", "config", "catalogs"},
    {"tools", "scoring", "rehearsal"},
    {"orchestrator"},
    {"frontier", "training", "evaluation", "synthesis", "dataset"},
    {"wiring"},
    {"workspace"},
    {"ui"},
    {"cli"},
    {"__main__", "__init__"},
]
HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names}
ONLY_IN = {
    "torch": ("training/", "backends/local/"),
    "transformers": ("training/", "backends/local/"),
    "gradio": ("ui/",),
    "plotly": ("ui/charts.py",),
}
IN_CORE = {"orchestra_app", "pydantic", "pydantic_core", *sys.stdlib_module_names}


def imported(path: Path, package: Path) -> Iterator[str]:
    """The dotted names that a module imports, relative ones made absolute."""
    here = ["orchestra_app", *path.relative_to(package).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*here[: len(here) - node.level + 1], *([node.module] if node.module else [])]
            start = ".".join(base) if node.level else str(node.module)
            yield from (f"{start}.{alias.name}" for alias in node.names)


def violations(package: Path) -> list[str]:
    found = []
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package).as_posix()
        own = place.split("/")[0].removesuffix(".py")
        if own not in HEIGHT:
            found.append(f"{place} stands in no layer")
            continue
        for name in imported(path, package):
            library, other = (*name.split("."), "")[:2]
            if library == "orchestra_app" and other != own and HEIGHT.get(other, 99) >= HEIGHT[own]:
                found.append(f"{place} imports {name}")
            if not place.startswith(ONLY_IN.get(library, "")) or (own == "core" and library not in IN_CORE):
                found.append(f"{place} imports {library}")
    return found


def test_imports_go_down_only():
    assert violations(ROOT / "orchestra_app") == []


@pytest.mark.parametrize(
    ("place", "line", "caught"),
    [
        ("core/usage.py", "from orchestra_app.backends.base import State", True),
        ("core/usage.py", "import numpy", True),
        ("core/usage.py", "from orchestra_app.core.value import Value", False),
        ("backends/openai.py", "import orchestra_app.config", True),
        ("backends/openai.py", "def f():\n    from ..storage import store", True),
        ("backends/openai.py", "from . import base", False),
        ("backends/openai.py", "from ..core import usage", False),
        ("backends/openai.py", "import torch.nn", True),
        ("backends/local/loading.py", "import torch.nn", False),
        ("tools/search.py", "from orchestra_app import workspace", True),
        ("tools/search.py", "import orchestra_app", True),
        ("tools/search.py", "from orchestra_app.backends.base import State", False),
        ("frontier/sweep.py", "from orchestra_app.training import jobs", True),
        ("workspace.py", "import gradio", True),
        ("ui/pages/ask.py", "from gradio import Blocks", False),
        ("ui/pages/ask.py", "import plotly.graph_objects", True),
        ("ui/charts.py", "import plotly.graph_objects", False),
        ("helpers.py", "", True),
    ],
)
def test_a_violation_is_caught_and_a_lawful_import_is_not(tmp_path, place, line, caught):
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line)
    assert bool(violations(tmp_path)) is caught


def test_importing_the_package_loads_neither_torch_nor_gradio():
    code = (
        "import sys, orchestra_app; print({'torch', 'transformers', 'gradio', 'plotly'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
