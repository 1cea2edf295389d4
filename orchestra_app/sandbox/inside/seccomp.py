"""The seccomp filter: an allow-list in classic BPF, so that a call nobody thought of is refused."""

import ctypes
import errno
import struct

from . import kernel
from .syscalls import ABSENT, ARCHITECTURES, CONDITIONAL, NUMBERS, OF_ITSELF, X32_BIT

# linux/bpf_common.h: load a word of seccomp's input, compare, mask, return
LOAD, EQUAL, AT_LEAST, ANY_BIT, MASK, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06

# linux/seccomp.h
KILL, ALLOW = 0x80000000, 0x7FFF0000
REFUSE, NO_SUCH_CALL = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_MODE_FILTER = 2

_NUMBER, _ARCHITECTURE = 0, 4

_ACCESS_MODE, _TRUNCATE, _TEMPORARY = 0o3, 0o1000, 0o20000000
# fcntl: DUPFD GETFD SETFD GETFL SETFL DUPFD_CLOEXEC; without SETOWN, SETSIG, SETPIPE_SZ, SETLEASE, NOTIFY
_FCNTL = (0, 1, 2, 3, 4, 1030)
# ioctl: TCGETS (is it a terminal?), TIOCGWINSZ, FIONREAD, FIONCLEX, FIOCLEX
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5450, 0x5451)

Instruction = tuple[int, int, int, int]


def _low(index: int) -> int:
    return 16 + 8 * index


def _one_of(index: int, values: tuple[int, ...]) -> list[Instruction]:
    body: list[Instruction] = [(LOAD, 0, 0, _low(index))]
    for value in values:
        body += [(EQUAL, 0, 1, value), (RETURN, 0, 0, ALLOW)]
    return [*body, (RETURN, 0, 0, REFUSE)]


def _conditions() -> dict[str, list[Instruction]]:
    # Opening for reading and truncating at once needs no right to write before Landlock ABI 3, and access
    # mode 3 needs no right at all. Unnamed temporary files would escape the bound on the scratch folder.
    openat: list[Instruction] = [
        (LOAD, 0, 0, _low(2)),
        (ANY_BIT, 4, 0, _TEMPORARY),
        (MASK, 0, 0, _ACCESS_MODE | _TRUNCATE),
        (EQUAL, 2, 0, _TRUNCATE),
        (EQUAL, 1, 0, _TRUNCATE | _ACCESS_MODE),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    ]
    # Only this process, and only to read a limit: the new limit's pointer must be null in both halves.
    prlimit: list[Instruction] = [
        (LOAD, 0, 0, _low(0)),
        (EQUAL, 0, 5, 0),
        (LOAD, 0, 0, _low(2)),
        (EQUAL, 0, 3, 0),
        (LOAD, 0, 0, _low(2) + 4),
        (EQUAL, 0, 1, 0),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    ]
    conditions = {
        "openat": openat,
        "prlimit64": prlimit,
        "fcntl": _one_of(1, _FCNTL),
        "ioctl": _one_of(1, _IOCTL),
    }
    return conditions | dict.fromkeys(OF_ITSELF, _one_of(0, (0,)))


def program(machine: str) -> list[Instruction]:
    """Build the filter for `x86_64` or `aarch64`; raises KeyError for any other machine."""
    numbers = NUMBERS[machine]
    built: list[Instruction] = [
        (LOAD, 0, 0, _ARCHITECTURE),
        (EQUAL, 1, 0, ARCHITECTURES[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, _NUMBER),
        (AT_LEAST, 0, 1, X32_BIT),
        (RETURN, 0, 0, REFUSE),
    ]
    for name, number in numbers.items():
        if name not in CONDITIONAL:
            verdict = NO_SUCH_CALL if name in ABSENT else ALLOW
            built += [(EQUAL, 0, 1, number), (RETURN, 0, 0, verdict)]
    for name, body in _conditions().items():
        built += [(EQUAL, 0, len(body), numbers[name]), *body]
    return [*built, (RETURN, 0, 0, REFUSE)]


def assemble(instructions: list[Instruction]) -> bytes:
    """Pack instructions as an array of `struct sock_filter`."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def install(assembled: bytes) -> None:
    """Put this process under the filter for good; needs no_new_privs, raises OSError."""
    instructions = ctypes.create_string_buffer(assembled, len(assembled))
    header = struct.pack("@HP", len(assembled) // 8, ctypes.addressof(instructions))
    kernel.prctl(kernel.PR_SET_SECCOMP, _MODE_FILTER, ctypes.create_string_buffer(header, len(header)))
