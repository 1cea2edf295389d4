"""Builds the toolboxes of a catalogue; a tool that cannot work here is left out."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestra_app.core.catalog import Catalog, Source
from orchestra_app.core.message import Document
from orchestra_app.sandbox.base import Sandbox
from orchestra_app.tools.base import Tool, Toolbox
from orchestra_app.tools.chat_tools import AskExpert, ChatPython, ChatSearch
from orchestra_app.tools.expert import AnswerTool, ReasonTool
from orchestra_app.tools.python import works
from orchestra_app.tools.roster import Experts
from orchestra_app.tools.search import Finder, SearchTool

BUNDLED = "rehearsal"
"""The folder's name that stands for the bundled corpus."""
TAVILY_KEY = "TAVILY_API_KEY"
SHOWN = 3
"""Sentences about files left out that are shown."""
Keys = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Means:
    """What tools work with beside models."""

    finders: Mapping[str, Finder] = field(default_factory=dict)
    """What searches each source that is configured here, by the source's name."""
    sandbox: Sandbox | None = None


def obstacle(source: Source, key: Keys) -> str:
    """Return why a source cannot be searched here, in one sentence; empty where it can."""
    match source.kind:
        case "tavily":
            name, found = source.key or TAVILY_KEY, tavily_key(source, key)
            if not found:
                return f"Web search needs a key: set {name}."
            if not (found.isascii() and found.isprintable()):
                return f"The API key in {name} holds characters that no key has; set it anew."
        case "local" if not source.folder:
            return "It has no folder: set its folder in the catalogue."
        case "local" if source.folder != BUNDLED and not _folder(source).is_dir():
            return f"The folder {source.folder} does not exist: make it, or name another in the catalogue."
    return ""


def _folder(source: Source) -> Path:
    return Path(source.folder or "").expanduser()


def open_finders(
    catalog: Catalog, *, bundled: Sequence[Document], key: Keys, cache: Path | None
) -> dict[str, Finder]:
    """Return what searches each source that can work: nothing is read or reached before the first search.

    bundled: the corpus that the folder `rehearsal` stands for. key: returns the API key of a name. cache:
    where the indexes of folders are kept.
    """
    # Loaded only where something is searched, since numpy and the index take a tenth of a second to load.
    from orchestra_app.tools.local_index import LocalIndex

    found: dict[str, Finder] = {}
    for name, source in catalog.sources.items():
        if obstacle(source, key):
            continue
        match source.kind:
            case "local" if source.folder == BUNDLED:
                found[name] = LocalIndex(name, documents=bundled)
            case "local":
                found[name] = LocalIndex(name, folder=_folder(source), cache=cache)
            case "tavily":
                # Loaded only where there is a key, since its HTTP client takes a tenth of a second to load.
                from orchestra_app.tools.tavily import TavilySearch

                found[name] = TavilySearch(name, tavily_key(source, key))
    return found


async def left_out(finders: Mapping[str, Finder], *, kept: bool = False) -> dict[str, tuple[str, ...]]:
    """Return why files of each folder were left out, a sentence each, as far as its index is open.

    kept: whether indexes that were kept are opened for it.
    """
    from orchestra_app.tools.local_index import LocalIndex

    indexes = {name: each for name, each in finders.items() if isinstance(each, LocalIndex)}
    if kept:
        await asyncio.gather(*(asyncio.to_thread(each.open, build=False) for each in indexes.values()))
    return {name: each.problems for name, each in indexes.items() if each.problems}


def first_of(sentences: Sequence[str]) -> str:
    """Return the first few of many sentences in one line."""
    return " ".join([*sentences[:SHOWN], *(["…"] if len(sentences) > SHOWN else [])])


def tavily_key(source: Source, key: Keys) -> str:
    """Return the key of a web source, or an empty text where none is set."""
    return (source.key and key(source.key)) or key(TAVILY_KEY) or ""


def packed_toolbox(experts: Experts, means: Means) -> Toolbox:
    """Return the tools of the packed protocol: those of the catalogue, by alias.

    A reasoning tool is left out where the sandbox is off, a search where none of its sources is configured.
    """
    tools: list[Tool] = []
    for name, spec in experts.catalog.tools.items():
        match spec.kind:
            case "answer":
                tools.append(AnswerTool(name, experts))
            case "reason" if works(means.sandbox):
                tools.append(ReasonTool(name, experts, means.sandbox))
            case "search" if any(source in means.finders for source in spec.sources):
                tools.append(SearchTool(name, experts, means.finders))
    return Toolbox(tools)


def chat_toolbox(experts: Experts, means: Means, functions: Sequence[Tool] = ()) -> Toolbox:
    """Return the tools of the chat protocol, with real arguments, and the person's own after them."""
    tools: list[Tool] = []
    if means.finders:
        tools.append(ChatSearch(experts, means.finders))
    if works(means.sandbox):
        tools.append(ChatPython(experts, means.sandbox))
    return Toolbox([*tools, AskExpert(experts), *functions])
