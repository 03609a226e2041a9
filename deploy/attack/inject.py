"""System calls of a running process that somebody else makes it do, as who took it over would.

A debugger as root stops the main thread, lets it run one system call, and puts it back as it was. The
kernel sees the process's own call: its sandbox decides. For x86-64.
"""

import ctypes
import os
import platform
import struct

ATTACH, DETACH, STEP, GET, SET = 16, 17, 9, 12, 13  # as sys/ptrace.h numbers them
ALL = 0x40000000  # __WALL: also a thread that was cloned
SYSCALL = b"\x0f\x05"
ROOM = 8192  # below the stack, beyond what the thread may use without asking
IS_HERE = platform.machine() == "x86_64"

_NAMES = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss"
_NAMES += " fs_base gs_base ds es fs gs"
_ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in _NAMES.split()]


_ptrace = ctypes.CDLL(None, use_errno=True).ptrace
_ptrace.restype = ctypes.c_long
_ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def _ask(request, pid, data=None):
    if _ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace request {request} of {pid}")


class Taken:
    """A process that was taken over: within `with` it does what it is told, and nothing else."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        _ask(ATTACH, self.pid)
        os.waitpid(self.pid, ALL)
        self.before = Registers()
        _ask(GET, self.pid, ctypes.addressof(self.before))
        self.memory = open(f"/proc/{self.pid}/mem", "r+b", buffering=0)
        self.instruction = self.find_instruction()
        self.free = self.before.rsp - ROOM
        return self

    def __exit__(self, *_):
        self.memory.close()
        _ask(SET, self.pid, ctypes.addressof(self.before))
        _ask(DETACH, self.pid)

    def find_instruction(self):
        """Where its own code has the instruction for a system call."""
        with open(f"/proc/{self.pid}/maps") as maps:
            for line in maps:
                places, rights = line.split()[:2]
                if "x" not in rights or "[vsyscall]" in line:
                    continue
                first, end = (int(place, 16) for place in places.split("-"))
                self.memory.seek(first)
                at = self.memory.read(min(end - first, 1 << 24)).find(SYSCALL)
                if at >= 0:
                    return first + at
        raise OSError("the process has no instruction for a system call")

    def put(self, data):
        """Puts bytes into its memory; where they are. Each attempt has the room to itself."""
        self.memory.seek(self.free)
        self.memory.write(data)
        at = self.free
        self.free += (len(data) + 15) & ~15
        return at

    def text(self, text):
        return self.put(os.fsencode(str(text)) + b"\0")

    def call(self, number, *arguments):
        """What the kernel answers: 0 or more, or an error's number below 0."""
        registers = Registers.from_buffer_copy(self.before)
        registers.rip, registers.rax = self.instruction, number
        registers.orig_rax = (1 << 64) - 1  # no call to go on with
        for name, value in zip(_ARGUMENTS, arguments + (0,) * (6 - len(arguments))):
            setattr(registers, name, value & ((1 << 64) - 1))
        _ask(SET, self.pid, ctypes.addressof(registers))
        _ask(STEP, self.pid)
        os.waitpid(self.pid, ALL)
        _ask(GET, self.pid, ctypes.addressof(registers))
        self.free = self.before.rsp - ROOM
        return struct.unpack("q", struct.pack("Q", registers.rax))[0]
