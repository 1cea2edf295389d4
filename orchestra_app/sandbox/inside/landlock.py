"""Landlock: which files confined code may open, and what else it may reach (userspace-api/landlock)."""

import ctypes
import os
import stat
import struct

from . import kernel, syscalls

WRITE_FILE, READ_FILE, READ_DIR, MAKE_REG, TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 8, 1 << 14
_FILE_RIGHTS = WRITE_FILE | READ_FILE | TRUNCATE

# Files may be made, read and rewritten but not removed or renamed, and no folder made: everything that takes
# room then stays visible in one flat folder. A removed but mapped file would hide from the bound on its size.
SCRATCH_RIGHTS = READ_FILE | WRITE_FILE | READ_DIR | MAKE_REG | TRUNCATE

_VERSION_QUERY = 1
_PATH_BENEATH = 1
_LOG_OFF = 1

# What each version of the interface can refuse: files, TCP, other processes' sockets and signals.
_FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP = {4: 0b11}
_SCOPES = {6: 0b11}

Rule = tuple[int, int]


def version() -> int:
    """Return the kernel's Landlock ABI, 0 where there is none."""
    return max(0, kernel.syscall(syscalls.LANDLOCK_CREATE_RULESET, None, 0, _VERSION_QUERY))


def _newest(table: dict[int, int], abi: int) -> int:
    return max((mask for since, mask in table.items() if since <= abi), default=0)


def open_rules(paths: dict[str, int]) -> list[Rule]:
    """Open every existing path for use in `restrict`: descriptors with the rights they grant."""
    rules = []
    for path, rights in paths.items():
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        rules.append((descriptor, rights if folder else rights & _FILE_RIGHTS))
    return rules


def restrict(rules: list[Rule], abi: int) -> None:
    """Refuse this process everything that the interface can refuse but the rules; raises OSError."""
    files = _newest(_FILES, abi)
    attributes = struct.pack("=QQQ", files, _newest(_TCP, abi), _newest(_SCOPES, abi))
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = kernel.checked(
        kernel.syscall(syscalls.LANDLOCK_CREATE_RULESET, ctypes.c_char_p(attributes), size, 0),
        "landlock_create_ruleset",
    )
    for descriptor, rights in rules:
        rule = ctypes.c_char_p(struct.pack("=Qi", rights & files, descriptor))
        added = kernel.syscall(syscalls.LANDLOCK_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
        kernel.checked(added, "landlock_add_rule")
    # From ABI 7 on refusals are logged; a program in a loop must not fill the machine's log.
    flags = _LOG_OFF if abi >= 7 else 0
    kernel.checked(kernel.syscall(syscalls.LANDLOCK_RESTRICT_SELF, ruleset, flags), "landlock_restrict_self")
    os.close(ruleset)
