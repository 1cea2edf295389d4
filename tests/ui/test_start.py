"""Gradio is loaded without its type stubs, and as usual where it cannot be."""

import subprocess
import sys

import pytest

_WATCHED = """
import sys
read = []
sys.addaudithook(lambda event, values: event == "open" and read.append(str(values[0])))
{before}
from orchestra_app.ui.start import load_gradio
load_gradio()
{after}
import gradio, gradio.components, gradio.component_meta
with gradio.Blocks() as blocks:
    gradio.Button("Ask").click(lambda: None)
assert len(blocks.fns) == 1 and sys.modules["gradio"] is gradio
print(sum(path.endswith(".pyi") for path in read), "component_meta" in vars(gradio))
"""
_CANNOT_LOAD = 'sys.modules["gradio.component_meta"] = None'


@pytest.mark.parametrize(
    ("before", "after", "stubs"),
    [
        ("", "", False),
        ("import gradio", "", True),
        (
            'sys.modules["gradio.component_meta"] = None',
            'assert "gradio.component_meta" not in sys.modules',
            True,
        ),
    ],
    ids=["quickly", "loaded before", "built otherwise"],
)
def test_gradio_is_whole_however_it_is_loaded(before, after, stubs):
    code = _WATCHED.format(before=before, after=after)
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    read, known = told.stdout.split()
    assert (int(read) > 0) == stubs
    assert known == "True"
