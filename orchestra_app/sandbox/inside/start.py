"""Turns a fresh interpreter into a zygote: loads the libraries, makes the folder, then serves."""

import atexit
import gc
import importlib
import os
import platform
import site
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

from . import confine, kernel, landlock, limits, readable, seccomp, zygote

PACKAGES = ("numpy", "sympy", "mpmath", "math_verify", "latex2sympy2_extended", "antlr4")

# What such programs load most, so that they find it loaded.
_LIBRARY = (
    *("array", "bisect", "calendar", "cmath", "collections", "copy", "csv", "dataclasses", "datetime"),
    *("decimal", "enum", "fractions", "functools", "hashlib", "heapq", "itertools", "json", "math"),
    *("numbers", "operator", "pprint", "random", "re", "statistics", "string", "struct", "textwrap", "time"),
    *("traceback", "typing", "uuid", "sympy"),
    *("numpy.linalg", "numpy.random", "numpy.fft", "numpy.polynomial"),
)


def _load(folders: list[str]) -> None:
    # A second thread could not be made in a confined child, and numpy's libraries must not try.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    sys.path += folders
    sys.dont_write_bytecode = True
    site.setquit()
    for name in _LIBRARY:
        importlib.import_module(name)
    _warm(sys.modules["sympy"], sys.modules["numpy"])


def _warm(sympy: Any, numpy: Any) -> None:
    """Load what both libraries load at first use, so that no run pays for it."""
    x = sympy.Symbol("x")
    sympy.solve(x**2 - 2, x)
    str(sympy.simplify(sympy.integrate(sympy.sin(x) * sympy.exp(x), x)))
    sympy.factorint(91)
    numpy.linalg.inv(numpy.eye(2))


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGESIZE")


def main(arguments: list[str]) -> NoReturn:
    """Serve until the parent is gone.

    The arguments: descriptor of the control socket, the parent's id, the newest Landlock ABI to use (0: the
    kernel's), the folder for scratch folders, and the folders where the packages are installed.
    """
    control = socket.socket(fileno=int(arguments[0]))
    parent, newest, folder, folders = int(arguments[1]), int(arguments[2]), Path(arguments[3]), arguments[4:]
    _load(folders)
    paths = readable.readable(folders, PACKAGES)
    abi = landlock.version()
    if not abi:
        raise OSError("This kernel has no Landlock.")
    common = confine.Confinement(
        rules=landlock.open_rules(paths),
        abi=min(abi, newest) if newest else abi,
        filter=seccomp.assemble(seccomp.program(platform.machine())),
        memory=_address_space() + limits.MEMORY,
        search=os.geteuid() == 0 and not readable.open_to_all(paths | {str(folder / "scratch"): 0}),
    )
    # Under memory pressure the kernel ends the zygote's children before anything else.
    Path("/proc/self/oom_score_adj").write_text("1000")
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    atexit._clear()
    folder.chmod(0o711)
    gc.collect()
    gc.freeze()
    kernel.collapse_memory()
    server = zygote.Zygote(control, parent, common, folder)
    if os.getppid() != parent:
        server.leave()
    server.serve()
