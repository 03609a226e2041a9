"""What a confined engine that was taken over can still do: system calls injected into the real one."""

import ctypes
import errno
import os
import signal
import socket
import struct
from pathlib import Path

import inject
from report import Row

# As x86-64 numbers them.
READ, CLOSE, MMAP, MPROTECT, GETPID, SOCKET, CONNECT, CLONE, FORK = 0, 3, 9, 10, 39, 41, 42, 56, 57
EXECVE, KILL, SHMGET, CHMOD, PTRACE, SETPRIORITY = 59, 62, 29, 90, 101, 141
PRCTL, SCHED_SETAFFINITY = 157, 203
TGKILL, OPENAT, FCHMODAT, PRLIMIT, PROCESS_VM_READV = 234, 257, 268, 302, 310
MEMFD_CREATE, IO_URING_SETUP, PIDFD_OPEN, CLONE3, FCHMODAT2 = 319, 425, 434, 435, 452
MSEAL = 462

HERE = -100  # AT_FDCWD
CREATE = os.O_WRONLY | os.O_CREAT
LIMIT_CPU, DUMPABLE = 0, 4
READ_WRITE_EXECUTE, PRIVATE_ANONYMOUS = 7, 0x22
UNIX, INET, NETLINK, VSOCK, STREAM, DATAGRAM = 1, 2, 16, 40, 1, 2
MULTIPATH = 262
UNAVAILABLE = {errno.ENOSYS, errno.EPERM}
REFUSALS = {-errno.EPERM, -errno.EACCES, -errno.ENOSYS}


kernel = ctypes.CDLL(None, use_errno=True).syscall


def unix_address(path):
    return struct.pack("H", UNIX) + os.fsencode(str(path)) + b"\0"


def internet_address(port):
    return (
        struct.pack("H", INET) + struct.pack("!H", port) + socket.inet_aton("127.0.0.1") + bytes(8)
    )


def is_lacking(number):
    """Whether the kernel has no such call, or a container's rules refuse it to everybody.

    Then a refusal proves nothing of the sandbox. A fork takes flags: without any it makes a child.
    """
    if number in (CLONE, FORK):
        return False
    return kernel(number, 0, 0, 0, 0) < 0 and ctypes.get_errno() in UNAVAILABLE


def is_family_lacking(family):
    try:
        socket.socket(family, STREAM).close()
    except OSError as fault:
        return fault.errno == errno.EAFNOSUPPORT
    return False


class Attempts:
    """What an engine tries, and how the kernel answers."""

    def __init__(self, engine, scene):
        self.engine, self.scene = engine, scene

    def opens(self, path, flags=os.O_RDONLY):
        descriptor = self.engine.call(OPENAT, HERE, self.engine.text(path), flags, 0o600)
        if descriptor >= 0:
            self.engine.call(CLOSE, descriptor)
        return descriptor

    def connects(self, family, address):
        descriptor = self.engine.call(SOCKET, family, STREAM, 0)
        if descriptor < 0:
            return descriptor
        answer = self.engine.call(CONNECT, descriptor, self.engine.put(address), len(address))
        self.engine.call(CLOSE, descriptor)
        return answer

    def socket(self, family, kind, protocol=0):
        if is_family_lacking(family):
            return None
        descriptor = self.engine.call(SOCKET, family, kind, protocol)
        if descriptor >= 0:
            self.engine.call(CLOSE, descriptor)
        return -errno.EPERM if descriptor == -errno.EAFNOSUPPORT else descriptor

    def newer(self, number, *arguments):
        """A call that not every kernel has; None where it has it for nobody."""
        return None if is_lacking(number) else self.engine.call(number, *arguments)

    def forks(self, number, *arguments):
        child = self.newer(number, *arguments)
        if child and child > 0:
            os.kill(child, signal.SIGKILL)
        return child

    def files(self):
        home = self.scene.stage.home
        tls = home / "config/tls"
        keys = [tls / name / "key.pem" for name in ["gateway", "operator", "trader"]]
        others = [".env", "config/gateway.toml", "data/gateway/journal.db", "ca.key.pem"]
        others += ["data/gateway/audit.head", "logs/gateway"]
        system = [Path("/etc/passwd"), Path("/proc/1/status")]
        for path in keys + [home / other for other in others] + system:
            yield f"read {str(path).replace(f'{home}/', '')}", self.opens(path)
        yield "write outside", self.opens(self.scene.open_folder / "planted", CREATE)

    def sockets(self):
        control = self.scene.stage.home / "data/gateway/control.sock"
        yield "control.sock", self.connects(UNIX, unix_address(control))
        anybodys = self.scene.open_folder / "socket"
        yield "another user's socket", self.connects(UNIX, unix_address(anybodys))
        port = self.scene.gateway.operations
        yield "TCP to another port", self.connects(INET, internet_address(port))
        yield "TCP to port 53", self.connects(INET, internet_address(53))
        yield "UDP", self.socket(INET, DATAGRAM)
        yield "multipath TCP", self.socket(INET, STREAM, MULTIPATH)
        yield "AF_NETLINK", self.socket(NETLINK, socket.SOCK_RAW)
        yield "AF_VSOCK", self.socket(VSOCK, STREAM)
        yield "System V memory", self.engine.call(SHMGET, 0, 4096, 0o1600)

    def processes(self):
        call, other = self.engine.call, self.scene.gateway.child.pid
        yield "kill", call(KILL, other, 0)
        yield "tgkill", call(TGKILL, other, other, 0)
        yield "pidfd_open", self.newer(PIDFD_OPEN, other, 0)
        yield "prlimit", call(PRLIMIT, other, LIMIT_CPU, self.engine.put(bytes(16)), 0)
        yield "setpriority", call(SETPRIORITY, 0, other, 19)
        yield (
            "sched_setaffinity",
            call(SCHED_SETAFFINITY, other, 8, self.engine.put(b"\1" + bytes(7))),
        )
        yield "ptrace", call(PTRACE, inject.ATTACH, other, 0, 0)
        yield "process_vm_readv", call(PROCESS_VM_READV, other, 0, 0, 0, 0, 0)
        yield "fork", self.forks(FORK)
        yield "clone", self.forks(CLONE, signal.SIGCHLD, 0, 0, 0, 0)
        yield "clone3", self.forks(CLONE3, self.engine.put(bytes(64)), 64)
        nowhere = self.engine.text("/nowhere")
        yield "execve", call(EXECVE, nowhere, 0, 0)

    def itself(self):
        call = self.engine.call
        key = self.scene.stage.home / "config/tls" / self.scene.taken / "key.pem"
        yield "chmod of its key", call(CHMOD, self.engine.text(key), 0o644)
        yield "fchmodat of its key", call(FCHMODAT, HERE, self.engine.text(key), 0o644)
        path = self.engine.text(key)
        yield "fchmodat2 of its key", self.newer(FCHMODAT2, HERE, path, 0o644, 0)
        yield "PR_SET_DUMPABLE", call(PRCTL, DUMPABLE, 1, 0, 0, 0)
        memory = (0, 4096, READ_WRITE_EXECUTE, PRIVATE_ANONYMOUS, -1, 0)
        yield "memory to write and run", call(MMAP, *memory)
        page = self.engine.before.rsp & ~4095
        yield "stack to run", call(MPROTECT, page, 4096, READ_WRITE_EXECUTE)
        yield "memfd_create", self.newer(MEMFD_CREATE, self.engine.text("x"), 0)
        yield "io_uring", self.newer(IO_URING_SETUP, 1, self.engine.put(bytes(120)))
        yield "a call newer than the list", self.newer(MSEAL, 0, 0, 0)

    def works(self):
        """That a call is made at all, and that what is allowed is."""
        own = self.scene.stage.home / "config/tls" / self.scene.taken / "certificate.pem"
        return self.engine.call(GETPID) == self.engine.pid and self.opens(own) >= 0


GROUPS = [
    ("files", "read .env, others' keys and the configuration folder"),
    ("sockets", "control.sock halted the account; UDP, VSOCK, NETLINK open"),
    ("processes", "prlimit ended the gateway; forks without bound"),
    ("itself", "chmod of the key, dumpable, memory to run code from"),
]


def confined(scene, taken, whose):
    """All of it from inside one engine."""
    scene.taken = taken.name
    with inject.Taken(taken.child.pid) as engine:
        attempts = Attempts(engine, scene)
        works = attempts.works()
        for group, before in GROUPS:
            tried = list(getattr(attempts, group)())
            answers = [(what, answer) for what, answer in tried if answer is not None]
            lacking = [what for what, answer in tried if answer is None]
            done = [what for what, answer in answers if answer not in REFUSALS]
            told = f"{len(answers) - len(done)} of {len(answers)} attempts refused"
            told += f"; not: {', '.join(done)}" if done else ""
            told += f"; left out, as nobody here has it: {', '.join(lacking)}" if lacking else ""
            told += "" if works else "; but what it may do is refused, too: this proves nothing"
            name = f"from inside the engine of {whose}: {group}"
            yield Row(name, before, told, works and not done)
    scene.stage.until(taken.is_serving, "engine that goes on")
