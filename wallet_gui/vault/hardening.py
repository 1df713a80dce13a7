"""What the vault does to itself before it reads anything: no core dumps, no tracing, no network."""

import ctypes
import os
import sys
from dataclasses import dataclass
from typing import Final

from wallet_gui.vault.network_block import block_by_kernel, block_in_python

_PR_SET_DUMPABLE: Final = 4
_PR_GET_DUMPABLE: Final = 3
_PT_DENY_ATTACH: Final = 31


@dataclass(frozen=True, slots=True)
class Protections:
    """Which protections really hold, as tried out after setting them.

    `kernel_refusal` is "" when the kernel refuses network sockets, else why it does not.
    """

    kernel_refusal: str
    no_core_dumps: bool
    not_traceable: bool

    @property
    def is_network_blocked_by_kernel(self) -> bool:
        return not self.kernel_refusal

    def sentences(self) -> tuple[str, ...]:
        """Tell a person what holds and what does not."""
        if self.is_network_blocked_by_kernel:
            network = "The system refuses every network connection of this process."
        else:
            network = (
                "This process has no network code, and its own connections are refused; the "
                f"system itself does not enforce it, because {self.kernel_refusal}."
            )
        dumps = (
            "Its memory is never written to a crash file."
            if self.no_core_dumps
            else "A crash file of its memory cannot be ruled out on this system."
        )
        tracing = (
            "Other programs of yours cannot read its memory."
            if self.not_traceable
            else "Other programs of yours may be able to read its memory on this system."
        )
        return network, dumps, tracing


def harden() -> Protections:
    """Protect this process; the first thing that the vault does."""
    os.umask(0o077)
    no_core_dumps = _forbid_core_dumps()
    not_traceable = _forbid_tracing()
    kernel_refusal = block_by_kernel()
    block_in_python()
    return Protections(kernel_refusal, no_core_dumps, not_traceable)


def _forbid_core_dumps() -> bool:
    if sys.platform == "win32":
        return False
    import resource  # noqa: PLC0415 - exists on POSIX only

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)


def _forbid_tracing() -> bool:
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
