"""Orchestra: a small model conducts tools and expert models under preferences and a budget."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestra_app.catalogs import load_catalog
    from orchestra_app.config import Settings, load_settings
    from orchestra_app.core.catalog import Catalog
    from orchestra_app.core.errors import OrchestraError
    from orchestra_app.core.events import Event
    from orchestra_app.core.task import Budget, Preference, Task
    from orchestra_app.core.trace import Label, Trace, Turn
    from orchestra_app.core.usage import Charge, Price, Usage
    from orchestra_app.orchestrator.fork import Fork
    from orchestra_app.orchestrator.loop import Options, Orchestrator
    from orchestra_app.storage.recorder import record
    from orchestra_app.storage.store import Store
    from orchestra_app.tools.function import tool
    from orchestra_app.workspace import Workspace

__all__ = [
    "Budget",
    "Catalog",
    "Charge",
    "Event",
    "Fork",
    "Label",
    "Options",
    "OrchestraError",
    "Orchestrator",
    "Preference",
    "Price",
    "Settings",
    "Store",
    "Task",
    "Trace",
    "Turn",
    "Usage",
    "Workspace",
    "load_catalog",
    "load_settings",
    "record",
    "tool",
]

_MODULES = {
    "catalogs": ("load_catalog",),
    "config": ("Settings", "load_settings"),
    "core.catalog": ("Catalog",),
    "core.errors": ("OrchestraError",),
    "core.events": ("Event",),
    "core.task": ("Budget", "Preference", "Task"),
    "core.trace": ("Label", "Trace", "Turn"),
    "core.usage": ("Charge", "Price", "Usage"),
    "orchestrator.fork": ("Fork",),
    "orchestrator.loop": ("Options", "Orchestrator"),
    "storage.recorder": ("record",),
    "storage.store": ("Store",),
    "tools.function": ("tool",),
    "workspace": ("Workspace",),
}


def __getattr__(name: str) -> Any:
    """Load the module of a public name when it is first asked for, so that importing the package is cheap."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
