"""Gives up every right that confined code must not have; the order of the steps matters."""

import os
import resource
import signal
from typing import NamedTuple

from . import kernel, landlock, limits, seccomp

NOBODY = 65534


class Confinement(NamedTuple):
    """What every run of one zygote has in common."""

    rules: list[landlock.Rule]
    abi: int
    filter: bytes
    memory: int
    """Bytes of address space, those of the zygote's own mappings included."""
    search: bool
    """Root alone can walk to the interpreter: keep the right to read, which Landlock then bounds."""


def _limit(seconds: float, memory: int) -> None:
    processor = int(seconds) + 2
    for what, amount in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, processor),
        (resource.RLIMIT_FSIZE, limits.FILE),
        (resource.RLIMIT_NOFILE, limits.DESCRIPTORS),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        amount = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(what, (amount, amount))


def _become_nobody(search: bool) -> None:
    if os.getuid() != 0 and os.geteuid() != 0:
        kernel.set_capabilities(0)
        return
    if search:
        kernel.prctl(kernel.PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    kernel.set_capabilities(1 << kernel.CAP_DAC_READ_SEARCH if search else 0)


def confine(common: Confinement, scratch: str, seconds: float, parent: int) -> None:
    """Confine this process for good, with `scratch` as its folder; raises OSError if any step fails."""
    rules = [*common.rules, *landlock.open_rules({scratch: landlock.SCRATCH_RIGHTS})]
    if len(rules) == len(common.rules):
        raise FileNotFoundError(f"The scratch folder {scratch} is gone.")
    _become_nobody(common.search)
    os.chdir(scratch)
    # A change of user clears the death signal, so it comes after; the parent may have died before it.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise ProcessLookupError("The zygote is gone.")
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    landlock.restrict(rules, common.abi)
    _limit(seconds, common.memory)
    seccomp.install(common.filter)
