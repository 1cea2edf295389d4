"""The system calls that confined code may make, with their numbers per architecture.

Numbers are the kernel's, `arch/x86/entry/syscalls/syscall_64.tbl` and `include/uapi/asm-generic/unistd.h`.
"""

# name:x86-64:aarch64, "-" where the architecture has no such call
_TABLE = """
read:0:63 write:1:64 readv:19:65 writev:20:66 pread64:17:67 pwrite64:18:68 lseek:8:62 close:3:57
close_range:436:436 dup:32:23 dup2:33:- dup3:292:24 pipe:22:- pipe2:293:59 fsync:74:82 fdatasync:75:83
fadvise64:221:223 ftruncate:77:46 umask:95:166 openat:257:56 fcntl:72:25 ioctl:16:29
stat:4:- lstat:6:- fstat:5:80 newfstatat:262:79 statx:332:291 access:21:- faccessat:269:48 faccessat2:439:439
readlink:89:- readlinkat:267:78 getdents64:217:61 getcwd:79:17 chdir:80:49 fchdir:81:50
poll:7:- ppoll:271:73 select:23:- pselect6:270:72
mmap:9:222 mprotect:10:226 munmap:11:215 mremap:25:216 madvise:28:233 msync:26:227 brk:12:214
rt_sigaction:13:134 rt_sigprocmask:14:135 rt_sigreturn:15:139 rt_sigpending:127:136 rt_sigtimedwait:128:137
rt_sigsuspend:130:133 sigaltstack:131:132 pause:34:- alarm:37:- setitimer:38:103 getitimer:36:102
futex:202:98 set_robust_list:273:99 rseq:334:293 sched_yield:24:124 sched_getaffinity:204:123 getcpu:309:168
nanosleep:35:101 clock_nanosleep:230:115 clock_gettime:228:113 clock_getres:229:114 gettimeofday:96:169
time:201:- times:100:153 restart_syscall:219:128
getrusage:98:165 getrlimit:97:163 prlimit64:302:261 uname:63:160 sysinfo:99:179 getrandom:318:278
getpid:39:172 getppid:110:173 gettid:186:178 getpgrp:111:- getpgid:121:155 getsid:124:156
getuid:102:174 geteuid:107:175 getgid:104:176 getegid:108:177 getresuid:118:148 getresgid:120:150
getgroups:115:158 exit:60:93 exit_group:231:94
clone3:435:435 openat2:437:437
"""


def _column(index: int) -> dict[str, int]:
    rows = (entry.split(":") for entry in _TABLE.split())
    return {row[0]: int(row[index]) for row in rows if row[index] != "-"}


NUMBERS: dict[str, dict[str, int]] = {"x86_64": _column(1), "aarch64": _column(2)}

# AUDIT_ARCH_* of include/uapi/linux/audit.h
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# The x32 spelling of every x86-64 call has this bit set and would slip past a filter that compares numbers.
X32_BIT = 0x40000000

# Answered with "no such call", so that libc falls back on the older call, which the filter can read.
ABSENT = ("clone3", "openat2")

# Allowed only with 0, the process that asks: about others they tell which numbers are in use.
OF_ITSELF = ("getpgid", "getsid", "sched_getaffinity")
# Allowed only with some arguments; everything else in the table is allowed whatever its arguments.
CONDITIONAL = ("openat", "fcntl", "ioctl", "prlimit64", *OF_ITSELF)

# The same on all architectures.
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
