"""How much a run may use, and what the zygote says about how it ended."""

import struct

MEBIBYTE = 1 << 20

MEMORY = 1024 * MEBIBYTE
"""Bytes of address space beyond what the preloaded libraries take."""

OUTPUT = 64 * 1024
"""Bytes kept of each of stdout and stderr."""

FLOOD = 4 * MEBIBYTE
"""Bytes of one stream after which a run is killed; what lies between is dropped."""

FILE = 16 * MEBIBYTE
"""Bytes of one file."""

FOLDER = 64 * MEBIBYTE
"""Bytes of the scratch folder, looked at every `LOOK` seconds."""

FILES = 1000
"""Files in the scratch folder, looked at every `LOOK` seconds."""

LOOK = 0.05

DESCRIPTORS = 64

AT_ONCE = 16
"""Runs at one time; further ones wait, and their time starts when they do."""

REQUEST = struct.Struct("=d")
"""Seconds the run may take; the descriptors of code, stdout, stderr and report come with it."""

REPORT = struct.Struct("=iiid")
"""How it ended (`ENDED` ...), exit status, signal number, seconds of wall time."""

ENDED, TIMED_OUT, TOO_MUCH_DISK, NOT_CONFINED, NOT_STARTED = range(5)
