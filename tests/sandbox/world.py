"""What the attacks are made on: a file, a process with a secret, servers; all really there."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TOKEN = "ORCHESTRA_TEST_TOKEN"

_VICTIM = """
import ctypes, sys, time
secret = ctypes.create_string_buffer(b"secret")
print(ctypes.addressof(secret), flush=True)
sys.stdin.read()
"""

# What stands before every attack, confined or not.
_BEFORE = """
import ctypes, errno, fcntl, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def refuse(): raise PermissionError(errno.EPERM, "refused")
def raw(*arguments):
    return libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
def call(*arguments):
    result = raw(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def vm(number):
    mine = ctypes.create_string_buffer(b"secret")
    here = struct.pack("@PN", ctypes.addressof(mine), 6)
    there = struct.pack("@PN", ADDRESS, 6)
    return call(number, VICTIM, here, 1, there, 1, 0)
def families(opened):
    if all(opened(family, kind, 0) < 0 for family in range(46) for kind in (1, 2, 3, 5)):
        refuse()
def made(path):
    open(path, "x").close()
    os.unlink(path)
def script(file):
    os.write(file, b"#!/bin/sh\\necho BROKEN")
    return file
def in_c():
    pointers, found = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ"), []
    while pointers and pointers[len(found)]:
        found.append(pointers[len(found)])
    return b" ".join(found)
def is_open(descriptor):
    try:
        return os.fstat(descriptor)
    except OSError:
        return None
def forge():
    frame = sys._getframe()
    while frame:
        for value in frame.f_locals.values():
            if hasattr(value, "running"):
                [run.tell() for run in value.running]
                value.start(value.running[0])
            if hasattr(value, "report"):
                value.report.send(bytes(24))
        frame = frame.f_back
    refuse()
def ignored(number):
    import signal
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
def written(number, content):
    with open(str(number), "wb") as file:
        file.write(content)
    print((number + 1) * len(content), number + 1)
def mapped(number, size):
    import mmap
    with open(str(number), "w+b") as file:
        file.truncate(size)
        with mmap.mmap(file.fileno(), size) as memory:
            for place in range(0, size, 4096):
                memory[place] = 1
    print((number + 1) * size, number + 1)
def machine_code(code):
    import mmap
    memory = mmap.mmap(-1, 4096, prot=7)
    memory.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    print("BROKEN" if ctypes.CFUNCTYPE(ctypes.c_int)(address)() >= 0 else "HELD")
"""

# An attack is held where it is refused; a slip in the attack itself shows as neither word.
_AROUND = """
REFUSALS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOMEM, errno.EFBIG, errno.EMFILE}
try:
    exec(ATTACK, globals())
    print("BROKEN")
except OSError as error:
    print("HELD" if error.errno in REFUSALS else "NEITHER", repr(error))
except (MemoryError, ImportError) as error:
    print("HELD", repr(error))
except KeyError as error:
    print("HELD" if error.args == (TOKEN,) else "NEITHER", repr(error))
except RuntimeError as error:
    print("HELD" if "start new thread" in str(error) else "NEITHER", repr(error))
except ValueError as error:
    print("HELD" if "raise maximum limit" in str(error) else "NEITHER", repr(error))
"""


@dataclass(frozen=True)
class World:
    """Names and values that every attack is given."""

    names: dict[str, object]

    def program(self, attack: str, *, confined: bool, target: Path | None = None) -> str:
        """Make a program that tries the attack and prints HELD or BROKEN."""
        names = self.names | {"CONFINED": confined, "ATTACK": attack}
        if target:
            names |= {"TARGET": str(target), "FOLDER": str(target.parent)}
        return "\n".join(f"{name} = {value!r}" for name, value in names.items()) + _BEFORE + _AROUND

    def plain(self, code: str) -> str:
        """Make a program that runs the code as it is, with the same names."""
        return "\n".join(f"{name} = {value!r}" for name, value in self.names.items()) + _BEFORE + code


@contextlib.contextmanager
def world(folder: Path):
    """Start the victim and the servers, and stop them."""
    with contextlib.ExitStack() as stack:
        environment = {**os.environ, TOKEN: secrets.token_hex(8)}
        victim = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _VICTIM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
            )
        )
        assert victim.stdout
        address = int(victim.stdout.readline())
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        names = {"TCP": tcp.getsockname()[1], "UDP": udp.getsockname()[1]}
        for name, at in (("UNIX", str(folder / "socket")), ("ABSTRACT", f"\0{secrets.token_hex(8)}")):
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(at)
            server.listen(64)
            names[name] = at
        names |= {"VICTIM": victim.pid, "ADDRESS": address, "PARENT": os.getpid(), "PROJECT": __file__}
        yield World({**names, "TOKEN": TOKEN})
        assert victim.poll() is None, "An attack ended the victim."
