"""The filter, run in a small interpreter, so that it is checked for absent machines too."""

import errno
import os
import re
import struct
from pathlib import Path

import pytest

from orchestra_app.sandbox.inside import seccomp, syscalls

ALLOWED = "allowed"


def verdict(machine: str, number: int, *arguments: int, architecture: int | None = None) -> str:
    """Run the filter as the kernel would, on one call."""
    shown = syscalls.ARCHITECTURES[machine] if architecture is None else architecture
    call = struct.pack("=IIQ6Q", number, shown, 0, *(*arguments, *[0] * (6 - len(arguments))))
    instructions = seccomp.program(machine)
    accumulator, at = 0, 0
    while True:
        code, yes, no, value = instructions[at]
        at += 1
        match code:
            case seccomp.LOAD:
                accumulator = struct.unpack_from("=I", call, value)[0]
            case seccomp.MASK:
                accumulator &= value
            case seccomp.EQUAL:
                at += yes if accumulator == value else no
            case seccomp.AT_LEAST:
                at += yes if accumulator >= value else no
            case seccomp.ANY_BIT:
                at += yes if accumulator & value else no
            case seccomp.RETURN:
                break
    if value == seccomp.KILL:
        return "killed"
    return ALLOWED if value == seccomp.ALLOW else errno.errorcode[value & 0xFFFF]


@pytest.mark.parametrize("machine", list(syscalls.NUMBERS))
def test_only_the_calls_of_the_table_pass(machine: str):
    numbers = syscalls.NUMBERS[machine]
    passing = {number for number in range(1024) if verdict(machine, number) == ALLOWED}

    # With all arguments 0, reading a terminal's state is the one that is refused.
    assert passing == {n for name, n in numbers.items() if name not in (*syscalls.ABSENT, "ioctl")}
    assert {verdict(machine, numbers[name]) for name in syscalls.ABSENT} == {"ENOSYS"}


@pytest.mark.parametrize("machine", list(syscalls.NUMBERS))
@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("openat", (0, 0, os.O_RDONLY), ALLOWED),
        ("openat", (0, 0, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), ALLOWED),
        ("openat", (0, 0, os.O_RDWR | os.O_TRUNC), ALLOWED),
        ("openat", (0, 0, os.O_RDONLY | os.O_TRUNC), "EPERM"),
        ("openat", (0, 0, 3 | os.O_TRUNC | os.O_CLOEXEC), "EPERM"),
        ("openat", (0, 0, os.O_RDWR | 0o20200000), "EPERM"),
        ("prlimit64", (0, 7, 0, 1 << 40), ALLOWED),
        ("prlimit64", (1, 7, 0, 1 << 40), "EPERM"),
        ("prlimit64", (0, 7, 1, 0), "EPERM"),
        ("prlimit64", (0, 7, 1 << 40, 0), "EPERM"),
        ("getpgid", (0,), ALLOWED),
        ("getpgid", (1,), "EPERM"),
        ("getsid", (1,), "EPERM"),
        ("sched_getaffinity", (1,), "EPERM"),
        ("fcntl", (3, 4, 0), ALLOWED),
        ("fcntl", (3, 8, 0), "EPERM"),
        ("ioctl", (0, 0x5401), ALLOWED),
        ("ioctl", (0, 0x5412), "EPERM"),
        ("ioctl", (0, 0x5412 | 0x5401 << 32), "EPERM"),
    ],
)
def test_arguments_decide_where_they_must(machine: str, name: str, arguments: tuple[int, ...], expected: str):
    assert verdict(machine, syscalls.NUMBERS[machine][name], *arguments) == expected


@pytest.mark.parametrize("number", syscalls.NUMBERS["x86_64"].values())
def test_no_call_passes_in_its_x32_or_32_bit_spelling(number: int):
    assert verdict("x86_64", number | syscalls.X32_BIT) == "EPERM"
    assert verdict("x86_64", number, architecture=0x40000003) == "killed"
    assert verdict("aarch64", number, architecture=0x40000028) == "killed"


@pytest.mark.parametrize(
    ("machine", "header"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_the_numbers_are_the_kernels(machine: str, header: str):
    if not Path(header).exists():
        pytest.skip(f"{header} is not installed (linux-libc-dev).")
    defined = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text("utf-8"))
    kernel = {name: int(number) for name, number in defined}
    # The generic table names these by their 32-bit twins.
    renamed = {"newfstatat": "fstatat", "fadvise64": "fadvise64"} if machine == "aarch64" else {}

    for name, number in syscalls.NUMBERS[machine].items():
        assert kernel[renamed.get(name, name)] == number, name
