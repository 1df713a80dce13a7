"""What is asked of DNS seeds and what comes of it; the asking itself is in `seeds`."""

from dataclasses import dataclass
from typing import Final

from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.messages import Services

ASK_INTERVAL: Final = 3600


@dataclass(frozen=True, slots=True)
class SeedAddress:
    """An address that a seed told; `services` are what was asked for, not what is known."""

    address: PeerAddress
    services: Services
    seed: str


def seed_name(seed: str, services: int) -> str:
    """Give the name that asks a seed for nodes with these services; 0 for any."""
    return f"x{services:x}.{seed}" if services else seed
