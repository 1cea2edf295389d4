"""What hostile code tries, as a table: every entry prints BROKEN where it succeeds.

The names that stand for what is attacked (TARGET, FOLDER, VICTIM ...) are given by `world.World.names`, and
`call` makes a raw system call. REFUSED entries succeed in a bare interpreter, which a test proves; those of
REFUSED_UNPROVEN need rights or a kernel that not every machine has, or would do harm there.
"""

FILES = {
    "read a file": "open(TARGET).read()",
    "read the accounts": "open('/etc/passwd').read()",
    "list a folder": "os.listdir(FOLDER)",
    "list the other runs' folders": "os.listdir('..')",
    "append to a file": "open(TARGET, 'a').write('x')",
    "overwrite a file": "open(TARGET, 'w')",
    "make a file": "open(FOLDER + '/new', 'x')",
    "make a file in /tmp": "made('/tmp/orchestra-attack-%d' % os.getpid())",
    "make a file in shared memory": "made('/dev/shm/orchestra-attack-%d' % os.getpid())",
    "remove a file": "os.unlink(TARGET)",
    "rename a file": "os.rename(TARGET, TARGET + '2')",
    "make a folder": "os.mkdir(FOLDER + '/new')",
    "truncate by path": "os.truncate(TARGET, 0)",
    "truncate while opening for reading": "open('a', 'w'); os.open('a', os.O_RDONLY | os.O_TRUNC)",
    "truncate with access mode 3": "open('a', 'w'); os.open('a', 3 | os.O_TRUNC)",
    "change a mode": "os.chmod(TARGET, 0o777)",
    "change a mode by raw call": "call(268, -100, TARGET.encode(), 0o777, 0)",
    "change an owner": "os.chown(TARGET, os.getuid(), os.getgid())",
    "change a time": "os.utime(TARGET, (0, 0))",
    "link to a file and read it": "os.symlink(TARGET, 'link'); open('link').read()",
    "hard link to a file": "os.link(TARGET, FOLDER + '/hard')",
    "move a file in": "os.rename(TARGET, 'mine')",
    "make a named pipe": "os.mkfifo('pipe')",
    "make a socket file": "os.mknod('socket', 0o140600)",
    "read past the root": "open('/proc/self/root' + TARGET).read()",
    "read past its own folder": "open(('/proc/self/cwd/../../..' if CONFINED else '') + TARGET).read()",
    "open by the newer call": "call(437, -100, TARGET.encode(), bytes(24), 24)",
    "own memory map": "open('/proc/self/maps').read()",
    "read the mounts": "open('/proc/self/mountinfo').read()",
    "read this project's source": "open(PROJECT).read()",
    "import this project": "sys.path.insert(0, PROJECT[:PROJECT.index('/tests/')]); import tests",
    "watch a folder": "call(254, call(294, 0), FOLDER.encode(), 0xfff)",
    "lock a file for others": "fcntl.lockf(open('a', 'w'), fcntl.LOCK_EX)",
}

SECRETS = {
    "own environment": "os.environ['ORCHESTRA_TEST_TOKEN']",
    "own environment in C": "os.fsencode(TOKEN) in in_c() or refuse()",
    "own environment in /proc": "open('/proc/self/environ', 'rb').read()",
    "another process's environment": "open(f'/proc/{VICTIM}/environ', 'rb').read()",
    "the parent's environment": "open(f'/proc/{PARENT}/environ', 'rb').read()",
    "the zygote's environment": "open(f'/proc/{os.getppid()}/environ', 'rb').read()",
    "another process's command line": "open(f'/proc/{VICTIM}/cmdline', 'rb').read()",
    "another process's memory": "m = open(f'/proc/{VICTIM}/mem', 'rb'); m.seek(ADDRESS); m.read(8)",
    "another process's memory by descriptor": "os.open(f'/proc/{VICTIM}/fd/0', os.O_RDONLY)",
    "another process's folder": "os.readlink(f'/proc/{VICTIM}/cwd')",
    "read another process's memory by call": "vm(310)",
    "write another process's memory by call": "vm(311)",
    "trace another process": "call(101, 0x4206, VICTIM, 0, 0)",
    "take another process's descriptor": "call(438, call(434, VICTIM, 0), 0, 0)",
    "list the processes": "os.listdir('/proc')",
}

NETWORK = {
    "TCP": "socket.create_connection(('127.0.0.1', TCP), 1)",
    "UDP": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', UDP))",
    "a listening socket": "socket.create_server(('127.0.0.1', 0))",
    "a Unix socket by path": "socket.socket(socket.AF_UNIX).connect(UNIX)",
    "an abstract Unix socket": "socket.socket(socket.AF_UNIX).connect(ABSTRACT)",
    "a pair of sockets": "socket.socketpair()",
    "netlink": "socket.socket(16, socket.SOCK_RAW, 0)",
    "any of all families": "families(lambda *which: libc.socket(*which))",
    "any of all families by raw call": "families(lambda *which: raw(41, *which))",
}

PROCESSES = {
    "fork": "os.fork() or os._exit(0)",
    "fork by raw call": "call(57) or os._exit(0)",
    "clone by raw call": "call(56, 17, 0, 0, 0, 0) or os._exit(0)",
    "clone3 by raw call": "call(435, struct.pack('11Q', *[0] * 4, 17, *[0] * 6), 88) or os._exit(0)",
    "a shell": "import subprocess; subprocess.run(['/bin/sh', '-c', 'true'], check=True)",
    "os.system": "os.system('true') == 0 or refuse()",
    "posix_spawn": "os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)",
    "a pseudo terminal": "os.forkpty()[0] or os._exit(0)",
    "a pool": "import concurrent.futures as f; f.ProcessPoolExecutor(1).submit(abs, 1).result(5)",
    "a thread": "import threading; threading.Thread(target=print).start()",
    "a thread pool": "import concurrent.futures as f; f.ThreadPoolExecutor(1).submit(abs, 1).result(5)",
    "a new session": "call(57) or (os.setsid(), os._exit(0))",
    "replace the program": "os.execv('/bin/echo', ['echo', 'BROKEN'])",
    "replace the program from memory": "os.execve(script(os.memfd_create('x', 0)), ['x'], {})",
}

SIGNALS = {
    "signal another process": "os.kill(VICTIM, 0)",
    "signal the parent": "os.kill(PARENT, 0)",
    "signal the zygote": "os.kill(os.getppid(), 0)",
    "signal everything": "os.kill(-1, 0)",
    "signal a thread": "call(234, VICTIM, VICTIM, 0)",
    "signal by descriptor": "call(424, call(434, VICTIM, 0), 0, 0, 0)",
    "queue a signal": "call(129, VICTIM, 0, struct.pack('iii116x', 0, 0, -1))",
    "signal by descriptor's owner": "fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, VICTIM)",
    "another process's limits": "import resource; resource.prlimit(VICTIM, resource.RLIMIT_CORE, (0, 0))",
    "another process's priority": "os.setpriority(os.PRIO_PROCESS, VICTIM, 19)",
    "another process's processors": "os.sched_setaffinity(VICTIM, os.sched_getaffinity(0))",
    "another process's group": "os.getpgid(VICTIM)",
    "another process's session": "os.getsid(VICTIM)",
    "processors of another process": "os.sched_getaffinity(VICTIM)",
    "survive the zygote": "call(157, 1, 0, 0, 0, 0)",
}

RIGHTS = {
    "install a filter": "call(157, 38, 1, 0, 0, 0)",
    "anonymous file": "os.memfd_create('x')",
    "System V memory": "call(31, call(29, 0, 4096, 0o1600), 0, 0)",
    "a message queue": "call(71, call(68, 0, 0o1600), 0, 0)",
    "personality": "call(135, 0xFFFFFFFF)",
    "unnamed temporary file": "os.open('.', os.O_TMPFILE | os.O_RDWR)",
    "preallocate": "open('a', 'w'); call(285, os.open('a', os.O_RDWR), 0, 0, 4096)",
    "larger pipe": "fcntl.fcntl(os.pipe()[0], 1031, 1 << 20)",
}

# Rights that a bare process of an ordinary user has not, or that would harm the machine.
UNPROVEN = {
    "vfork": "call(58) or os._exit(0)",
    "kernel keys": "call(250, 0, -3, 1)",
    "compare with another process": "call(312, VICTIM, os.getpid(), 1, 0, 0)",
    "lock memory": "call(151, 3)",
    "become root": "os.setuid(0) if os.getuid() else refuse()",
    "new user namespace": "call(272, 0x10000000)",
    "new mount namespace": "call(272, 0x20000)",
    "change the root": "os.chroot('.')",
    "mount": "call(165, b'none', b'/tmp', b'tmpfs', 0, 0)",
    "io_uring": "call(425, 8, bytes(120))",
    "bpf": "call(321, 0, bytes(128), 128)",
    "performance counters": "call(298, bytes(128), 0, -1, -1, 0)",
    "userfaultfd": "call(323, 1)",
    "open by handle": "call(304, -100, bytes(128), 0)",
    "raw packets": "socket.socket(17, socket.SOCK_RAW, 3)",
    "x32 fork": "call(0x40000000 + 57) or os._exit(0)",
    "x32 getpid": "call(0x40000000 + 39)",
    "x32 socket": "call(0x40000000 + 41, 2, 1, 0)",
    "a thread by raw clone": "call(56, 0x10f00, 0, 0, 0, 0)",
    "raise a limit": "import resource; resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)",
    "more descriptors than allowed": "keep = [os.open('/dev/null', 0) for _ in range(100)]",
    "descriptors left open": "[f for f in range(3, 2000) if is_open(f)] or refuse()",
    "forge a report": "forge()",
    "terminal input": "import termios; fcntl.ioctl(0, termios.TIOCSTI, b'x')",
    "hide a file by removing it": "open('a', 'w'); os.unlink('a')",
    "a folder in the folder": "os.mkdir('deep')",
    "give away the folder": "os.chmod('.', 0o777)",
    "sparse file over the limit": "open('a', 'w').truncate(1 << 30)",
    "one large file": "f = open('a', 'wb'); [f.write(bytes(1 << 20)) for _ in range(20)]",
    "one large block": "bytearray(2 << 30)",
    "many blocks": "import mmap; keep = [mmap.mmap(-1, 64 << 20) for _ in range(20)]",
    "a large shared block": "import mmap; mmap.mmap(-1, 2 << 30, flags=mmap.MAP_SHARED)",
    "a large block by raw call": "call(9, 0, 2 << 30, 3, 0x4022, -1, 0)",
    "a large array": "import numpy; numpy.empty(2 << 30, 'u1')",
}

REFUSED = FILES | SECRETS | NETWORK | PROCESSES | SIGNALS | RIGHTS

# Some machines let no process trace another that it did not start.
NEED_TRACING = (
    "read another process's memory by call",
    "write another process's memory by call",
    "another process's memory",
    "trace another process",
    "take another process's descriptor",
)

# Programs that must be ended, whatever they do against it.
ENDLESS = {
    "a loop": "while True: pass",
    "a loop in C": "sum(range(10 ** 14))",
    "a large power": "10 ** 10 ** 9",
    "a sleep": "import time; time.sleep(60)",
    "a wait for a signal": "import signal; signal.pause()",
    "a wait for a pipe": "r, w = os.pipe(); os.read(r, 1)",
    "a regular expression": "import re; re.match('(a+)+b', 'a' * 60)",
    "ignored signals": "import signal; [ignored(n) for n in range(1, 65)]\nwhile True: pass",
    "caught exceptions": "while True:\n try:\n  while True: pass\n except BaseException: pass",
    "a loop at exit": "import atexit, time; atexit.register(time.sleep, 60)",
}

FLOODS = {
    "stdout": "while True: print('x' * 1000)",
    "stderr": "while True: print('x' * 1000, file=sys.stderr)",
    "raw writes": "while True: os.write(1, bytes(65536))",
    "one long line": "while True: print(end='x' * 100)",
}

# `written` prints what is there so far, in bytes and files.
DISK = {
    "large files": "for n in range(10 ** 6): written(n, bytes(8 << 20))",
    "small files": "for n in range(10 ** 6): written(n, b'x')",
    "empty files": "for n in range(10 ** 6): written(n, b'')",
    "mapped files": "for n in range(10 ** 6): mapped(n, 8 << 20)",
}

CRASHES = {
    "a null pointer": "ctypes.string_at(0)",
    "deep recursion": "sys.setrecursionlimit(10 ** 9)\ndef f(): f.__call__()\nf()",
    "abort": "os.abort()",
    "a 32-bit call": "machine_code(bytes.fromhex('b802000000cd80c3'))",
    "a 32-bit socket call": "machine_code(bytes.fromhex('b866000000bb01000000cd80c3'))",
}
