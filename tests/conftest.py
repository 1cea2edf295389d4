"""Every test runs with an ORCHESTRA_HOME of its own, without real keys, and with nothing that phones home."""

import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # several tests run at once
    "OMP_NUM_THREADS": "1",
}
FOREIGN = re.compile(r"(ORCHESTRA|GRADIO)_|.*(KEY|TOKEN|SECRET|PASSWORD)(_|\d|$)|PG[A-Z]+$", re.IGNORECASE)
"""Variables of the person who runs the tests, which must not change what they find."""
_home = Path(tempfile.mkdtemp(prefix="orchestra-tests-"))

# pytest-xdist gives its workers a width of their own terminal, which they do not have
for _name in [name for name in os.environ if FOREIGN.match(name) or name == "COLUMNS"]:
    del os.environ[_name]
# set while this file is imported, so that session fixtures and the processes they start see it too
os.environ.update(QUIET, ORCHESTRA_HOME=str(_home))
# no test asserts how long something takes
settings.register_profile("house", deadline=None)
settings.load_profile("house")


def pytest_unconfigure() -> None:
    shutil.rmtree(_home, ignore_errors=True)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of this test, not made yet."""
    folder = tmp_path / "home"
    monkeypatch.setenv("ORCHESTRA_HOME", str(folder))
    return folder
