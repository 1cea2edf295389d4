"""`orchestra doctor`: what is real, what is simulated, what is missing and why."""

import platform
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from rich.table import Table

from orchestra_app.cli.app import BAD_INPUT, app, command, console
from orchestra_app.cli.view import plain
from orchestra_app.config import load_settings
from orchestra_app.core.errors import OrchestraError, StorageError
from orchestra_app.tools.box import first_of
from orchestra_app.workspace import Workspace

State = Literal["works", "simulated", "optional", "broken"]
STYLES = {"works": "green", "simulated": "cyan", "optional": "yellow", "broken": "red"}
PACKAGES = {
    "torch": "trains and runs local policies: install the requirements",
    "transformers": "loads local policies: install the requirements",
    "vllm": "serves models on a GPU: pip install 'orchestra-app[gpu]'",
    "psycopg": "reaches PostgreSQL: pip install 'orchestra-app[postgres]'",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of the installation and how it is."""

    part: str
    state: State
    sentence: str


@app.command()
@command
async def doctor() -> int:
    """Explain what works here. Exit code 0 where only optional parts are missing, 2 where one is broken."""
    table = Table(box=None, header_style="dim")
    for name in ("part", "state", ""):
        table.add_column(name, overflow="fold")
    broken = False
    async for finding in examine():
        broken = broken or finding.state == "broken"
        style = STYLES[finding.state]
        table.add_row(plain(finding.part), plain(finding.state, style), plain(finding.sentence))
    console.print(table)
    return BAD_INPUT if broken else 0


async def examine() -> AsyncIterator[Finding]:
    """Yield what is found, part by part; what cannot be opened is a finding too."""
    yield Finding(
        "python", "works", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    )
    settings = load_settings()
    yield Finding("data folder", "works", str(settings.home))
    try:
        workspace = await Workspace.open(settings)
    except OrchestraError as error:
        part = "database" if isinstance(error, StorageError) else "catalogue"
        yield Finding(part, "broken", str(error))
    else:
        try:
            async for finding in _opened(workspace):
                yield finding
        finally:
            await workspace.aclose()
    for name, use in PACKAGES.items():
        there = find_spec(name) is not None
        yield Finding(name, "works" if there else "optional", use if not there else "installed")
    gpu = shutil.which("nvidia-smi")
    yield Finding("gpu", "works" if gpu else "optional", gpu or "none seen; experts can run elsewhere")


async def _opened(workspace: Workspace) -> AsyncIterator[Finding]:
    yield Finding("database", "works", workspace.store.place)
    yield await _sandbox(workspace)
    for name in workspace.catalogs:
        async for finding in _catalog(workspace, name):
            yield finding


async def _sandbox(workspace: Workspace) -> Finding:
    try:
        execution = await workspace.sandbox.run("print(6 * 7)", seconds=10)
    except OrchestraError as error:
        return Finding("sandbox", "optional", str(error))
    if execution.stdout.strip() != "42":
        return Finding(
            "sandbox", "broken", f"It printed {execution.stdout[:40]!r} for 42. {execution.stderr[-200:]}"
        )
    return Finding("sandbox", "works", workspace.sandbox.reason)


async def _catalog(workspace: Workspace, name: str) -> AsyncIterator[Finding]:
    try:
        catalog = workspace.catalog(name)
    except OrchestraError as error:
        yield Finding(f"catalogue {name}", "broken", str(error))
        return
    obstacles = await workspace.parts(name).obstacles()
    models = len(catalog.models)
    reached = models - sum(1 for each in obstacles if each in catalog.models)
    if catalog.simulated:
        sentence = f"{models} simulated experts, no real money; search, Python, budget and storage are real."
        yield Finding(f"catalogue {name}", "simulated", sentence)
    else:
        state: State = "works" if reached else "optional"
        yield Finding(f"catalogue {name}", state, f"{reached} of {models} models can be reached.")
    for missing, reason in obstacles.items():
        yield Finding(f"  {missing}", "optional", reason)
    for source, sentences in (await workspace.parts(name).left_out(kept=True)).items():
        yield Finding(f"  {source}", "optional", f"{len(sentences)} left out: {first_of(sentences)}")
    policy = (await workspace.policies(name))[0]
    if reached:
        yield Finding("  policy", "works", f"{policy.title} conducts unless another is chosen.")
    else:
        yield Finding("  policy", "optional", f"{policy.title} has no model to conduct: none can be reached.")
