"""Keeps what a process holds in memory out of crash files and from other programs of the user.

For every process of the program: the vault holds keys, the window and the command line hold the
key that opens labels and descriptors. Linux core(5), prctl(2); macOS ptrace(2); Windows
WerSetFlags and SetErrorMode.
"""

import ctypes
import sys
from typing import Final

_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_PT_DENY_ATTACH: Final = 31
_SEM_NO_BOXES: Final = 0x0001 | 0x0002  # failures of the machine and of the program: no dialogue
_WER_NO_HEAP: Final = 1  # WER_FAULT_REPORTING_FLAG_NOHEAP


def forbid_core_dumps() -> bool:
    """Keep the system from writing this process's memory to a file; tells whether that holds.

    Windows leaves the heap out of its error reports; a dump that an administrator has set up cannot
    be refused.
    """
    if sys.platform == "win32":
        _keep_heap_from_error_reports()
        return False
    import resource  # noqa: PLC0415 - exists on POSIX only

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)


def forbid_tracing() -> bool:
    """Keep other programs of the same user from reading this process's memory."""
    if sys.platform == "linux":
        # Also keeps core dumps from handlers that RLIMIT_CORE does not bind (core(5)).
        library = ctypes.CDLL(None, use_errno=True)
        zero = ctypes.c_ulong(0)
        library.prctl(_PR_SET_DUMPABLE, zero, zero, zero, zero)
        holds = library.prctl(_PR_GET_DUMPABLE, zero, zero, zero, zero) == 0
    elif sys.platform == "darwin":
        library = ctypes.CDLL(None, use_errno=True)
        holds = library.ptrace(_PT_DENY_ATTACH, 0, None, 0) == 0
    else:
        holds = False
    return bool(holds)


def forbid_new_privileges() -> bool:
    """Let no program that is started from here gain rights by a set-user-id bit (Linux)."""
    if sys.platform != "linux":
        return False
    zero = ctypes.c_ulong(0)
    library = ctypes.CDLL(None, use_errno=True)
    return bool(library.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) == 0)


def protect_memory() -> None:
    """Do for the window and the command line what can be done without hindering them."""
    forbid_core_dumps()
    forbid_tracing()


def _keep_heap_from_error_reports() -> None:
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - exists on Windows only
    kernel.SetErrorMode(kernel.GetErrorMode() | _SEM_NO_BOXES)
    kernel.WerSetFlags(_WER_NO_HEAP)
