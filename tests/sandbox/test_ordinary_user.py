"""The attacks once more as an ordinary user, where the tests themselves run as root."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

_PROJECT = Path(__file__).parents[2]
_NOBODY = 65534
_TESTS = ("test_attacks.py", "test_sandbox.py")
_CHOSEN = "(test_attacks and not bare_interpreter) or left_for or cancelling or outlives or remembers"


def _drop() -> dict[str, object]:
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}


def _interpreter(packages: str) -> str | None:
    """Find an interpreter of this version that an ordinary user can start, with the packages."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for candidate in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        try:
            subprocess.run(
                [candidate, "-c", "import numpy, sympy, pytest, pydantic"],
                env={"PYTHONPATH": packages},
                check=True,
                capture_output=True,
                **_drop(),  # type: ignore[arg-type]
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="Everything here ran as an ordinary user already.")
def test_every_attack_is_held_for_an_ordinary_user_too():
    packages = os.pathsep.join([str(Path(pytest.__file__).parents[1]), str(_PROJECT)])
    interpreter = _interpreter(packages)
    if interpreter is None:
        pytest.skip("No interpreter of this version, with the packages, can be started by an ordinary user.")
    with tempfile.TemporaryDirectory() as home:
        os.chown(home, _NOBODY, _NOBODY)
        tests = subprocess.run(
            [
                *(
                    interpreter,
                    "-m",
                    "pytest",
                    "-q",
                    "--noconftest",
                    "--tb=short",
                    f"--basetemp={home}/base",
                ),
                # That the attacks work where nothing holds them is shown once, in the run as root.
                *("-k", _CHOSEN),
                *(str(Path(__file__).parent / name) for name in _TESTS),
            ],
            env={"PYTHONPATH": packages, "HOME": home, "PATH": os.environ["PATH"], "USER": "nobody"},
            cwd=_PROJECT,
            capture_output=True,
            text=True,
            **_drop(),  # type: ignore[arg-type]
        )

    assert tests.returncode == 0, tests.stdout[-6000:] + tests.stderr[-2000:]
    print(tests.stdout.splitlines()[-1])
