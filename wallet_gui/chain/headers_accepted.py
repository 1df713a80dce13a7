"""What comes of giving headers to a chain."""

from dataclasses import dataclass

from wallet_gui.chain.backend import BlockRef, ChainError


class UnknownParent(ChainError):
    """The headers do not connect to anything known: ask for those between, nobody is at fault."""


@dataclass(frozen=True, slots=True)
class HeadersAccepted:
    """What a batch of headers did.

    `added` headers were new. `fork_height`, when the active chain was reorganised, is the last
    height that stayed. `first_changed` is the lowest height at which the active chain now has
    another or a new block, None if it is as before. `last` is the batch's last header, which
    whoever sent it is known to have, on the active chain or not.
    """

    added: int
    fork_height: int | None
    first_changed: int | None
    tip: BlockRef
    last: BlockRef
