"""What the vault does to itself before it reads anything: no core dumps, no tracing, no network."""

import os
from dataclasses import dataclass

from wallet_gui.process_protection import (
    forbid_core_dumps,
    forbid_new_privileges,
    forbid_tracing,
)
from wallet_gui.vault.network_block import block_by_kernel, block_in_python


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
    no_core_dumps = forbid_core_dumps()
    not_traceable = forbid_tracing()
    forbid_new_privileges()  # also where the kernel's filter below cannot be had
    kernel_refusal = block_by_kernel()
    block_in_python()
    return Protections(kernel_refusal, no_core_dumps, not_traceable)
