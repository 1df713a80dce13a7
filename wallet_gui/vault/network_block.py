"""The vault's sockets, blocked twice: by the kernel where Linux allows it, and inside Python.

The kernel's filter (seccomp, set with prctl) lets a process make sockets of the AF_UNIX family
only, which is what a window needs to reach its display; every other family is refused, and so is
io_uring, through which sockets could be made past the filter. It cannot be taken away again and
holds for every child process. The audit hook refuses Python's own socket operations on every
system. See seccomp(2), seccomp_unotify(2), Linux include/uapi/linux/{seccomp,filter,audit}.h.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wallet_gui.process_protection import forbid_new_privileges

_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP_IF_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_JUMP_IF_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | errno.EACCES  # SECCOMP_RET_ERRNO
_NOT_THERE: Final = 0x00050000 | errno.ENOSYS

# Offsets in struct seccomp_data.
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_FIRST_ARGUMENT: Final = 16  # its lower half, little endian

_AF_UNIX: Final = 1
_AF_INET: Final = 2
_AF_INET6: Final = 10
_SOCK_STREAM: Final = 1
_X32_BIT: Final = 0x40000000
_IO_URING_SETUP: Final = 425


@dataclass(frozen=True, slots=True)
class _Machine:
    audit: int  # AUDIT_ARCH_*
    socket: int  # number of the system call socket(2)


_MACHINES: Final = {
    "x86_64": _Machine(0xC000003E, 41),
    "aarch64": _Machine(0xC00000B7, 198),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def block_by_kernel() -> str:  # noqa: PLR0911 - each return says why
    """Install the seccomp filter; return "" when it holds, else why it does not.

    Whether it holds is tried out: sockets of both internet families must be refused.
    """
    if sys.platform != "linux":
        return "this system has no such filter"
    machine = _MACHINES.get(platform.machine())
    if machine is None or sys.byteorder != "little":
        return f"the filter is not known for {platform.machine()} processors"
    if len(list(Path("/proc/self/task").iterdir())) != 1:
        return "the process had other threads already"
    library = ctypes.CDLL(None, use_errno=True)
    code = _filter(machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    if not forbid_new_privileges():
        return f"the kernel refused it ({os.strerror(ctypes.get_errno())})"
    unused = ctypes.c_ulong(0)
    mode = ctypes.c_ulong(_SECCOMP_MODE_FILTER)
    if library.prctl(_PR_SET_SECCOMP, mode, ctypes.byref(program), unused, unused) != 0:
        return f"the kernel refused it ({os.strerror(ctypes.get_errno())})"
    for family in (_AF_INET, _AF_INET6):
        handle = library.socket(family, _SOCK_STREAM, 0)
        if handle >= 0:
            os.close(handle)
            return "the filter was set but does not hold"
    return ""


def _filter(machine: _Machine) -> bytes:
    """Return the BPF program; jumps count instructions from the next one."""

    def step(operation: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("=HBBI", operation, yes, no, value)

    return b"".join(
        (
            step(_LOAD, _ARCHITECTURE),
            step(_JUMP_IF_EQUAL, machine.audit, 0, 7),  # 32-bit calls: refused as a whole
            step(_LOAD, _NUMBER),
            step(_JUMP_IF_AT_LEAST, _X32_BIT, 5, 0),
            step(_JUMP_IF_EQUAL, _IO_URING_SETUP, 5, 0),
            step(_JUMP_IF_EQUAL, machine.socket, 0, 2),
            step(_LOAD, _FIRST_ARGUMENT),
            step(_JUMP_IF_EQUAL, _AF_UNIX, 0, 1),
            step(_RETURN, _ALLOW),
            step(_RETURN, _REFUSE),
            step(_RETURN, _NOT_THERE),
        )
    )


class NetworkRefused(PermissionError):
    """Code in the vault tried to use the network."""


def block_in_python() -> None:
    """Refuse every socket operation of Python for the rest of this process."""
    sys.addaudithook(_refuse_sockets)


def _refuse_sockets(event: str, _arguments: tuple[Any, ...]) -> None:
    if event.startswith("socket."):
        raise NetworkRefused(errno.EACCES, "the vault has no network")
