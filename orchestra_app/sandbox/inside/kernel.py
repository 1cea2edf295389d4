"""Calls into the C library that the standard library does not offer."""

import ctypes
import os
from pathlib import Path

_MADV_COLLAPSE = 25

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38

CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> int:
    """Return `result`, or raise OSError with the C library's errno when it is negative."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def prctl(option: int, argument: int | ctypes.Array = 0, pointer: object = 0) -> None:
    """Set one attribute of this process (prctl(2)); raises OSError."""
    checked(_libc.prctl(option, argument, pointer, 0, 0), f"prctl {option}")


def syscall(number: int, *arguments: object) -> int:
    """Make a system call that has no wrapper and return its result, negative with errno set on failure."""
    return _libc.syscall(number, *arguments)


def set_capabilities(capabilities: int) -> None:
    """Keep exactly the permitted and effective capabilities in a bit mask below 2**32 (capset(2))."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(capabilities, capabilities, 0, 0, 0, 0)
    checked(_libc.capset(header, sets), "capset")


def collapse_memory() -> None:
    """Move this process's memory to huge pages where the kernel can, so that a fork copies fewer page tables.

    What stays on small pages only forks more slowly (madvise(2), MADV_COLLAPSE, Linux 6.1 and later).
    """
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, rights, _, _, inode, *name = line.split(maxsplit=5)
        if rights == "rw-p" and inode == "0" and name in ([], ["[heap]"]):
            start, end = (int(address, 16) for address in span.split("-"))
            _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_COLLAPSE)
