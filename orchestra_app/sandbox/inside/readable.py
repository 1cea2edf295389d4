"""The paths that confined code may read: the interpreter's library, numpy, sympy and shared libraries."""

import sys
from pathlib import Path

from .landlock import READ_DIR, READ_FILE, WRITE_FILE

_SHARED_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64")
_FILES = ("/etc/ld.so.cache", "/usr/share/zoneinfo", "/dev/urandom", "/dev/zero")
_INSTALLED = ("site-packages", "dist-packages")


def _packages(folder: str, names: tuple[str, ...]) -> list[Path]:
    """List a package's folder, its shared libraries and its metadata, as wheels lay them out."""
    return [found for name in names for found in Path(folder).glob(f"{name}*") if found.is_dir()]


def readable(folders: list[str], packages: tuple[str, ...]) -> dict[str, int]:
    """Map each path to the Landlock rights on it; `folders` are where `packages` are installed."""
    library = Path(sys.modules["os"].__file__ or "").parent
    rights = READ_FILE | READ_DIR
    # Other installed packages, ours among them, lie under the library's folder: it can be listed, and each
    # of its entries read, but those not.
    paths = {str(library): READ_DIR}
    paths |= {str(entry): rights for entry in library.iterdir() if entry.name not in _INSTALLED}
    paths |= {str(entry): READ_FILE for entry in library.parent.glob("lib*.so*")}
    paths |= dict.fromkeys((*_SHARED_LIBRARIES, *_FILES), rights)
    for folder in folders:
        paths |= {str(package): rights for package in _packages(folder, packages)}
    return paths | {"/dev/null": READ_FILE | WRITE_FILE}


def open_to_all(paths: dict[str, int]) -> bool:
    """Tell whether a user without any rights can walk to all of the paths."""
    parents = {parent for path in paths for parent in Path(path).resolve().parents}
    return all(parent.stat().st_mode & 0o001 for parent in parents)
