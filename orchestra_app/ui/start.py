"""Loads the page soon, then serves it."""

import gc
import importlib
import importlib.util
import sys
from typing import Any


def main() -> None:
    """Load the page and serve it until the program is ended."""
    # What is loaded stays, so looking for garbage in it would only delay the page; `serve` turns it on again.
    gc.disable()
    load_gradio()
    from orchestra_app.ui.app import main as serve

    serve()


def load_gradio() -> None:
    """Load Gradio without its writing the type stubs of all components anew, half of the time it takes.

    A Gradio that is built otherwise is loaded as usual when it is next imported.
    """
    spec = None if "gradio" in sys.modules else importlib.util.find_spec("gradio")
    if spec is None or spec.loader is None:
        return
    gradio = importlib.util.module_from_spec(spec)
    sys.modules["gradio"] = gradio
    try:
        stubs: Any = importlib.import_module("gradio.component_meta")
        stubs.create_or_modify_pyi = lambda *_: None
        spec.loader.exec_module(gradio)
    except (ImportError, AttributeError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "gradio"]:
            del sys.modules[name]
