"""What a person may decide about the P2P client."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from wallet_gui.chain.p2p.addresses import PeerAddress

ASK_ABOVE: Final = 500_000_000
"""Bytes of filters from which on a scan waits until the person has seen what it costs."""


class RelayMode(Enum):
    """When peers are asked to announce unconfirmed transactions."""

    OFF = "off"
    RECEIVING = "receiving"  # while a person waits for a payment
    ALWAYS = "always"


class ProxyUse(Enum):
    """What goes through the SOCKS5 proxy (Tor, as a rule)."""

    NEVER = "never"
    ONION_AND_PAYMENTS = "onion"  # onion peers, and own payments on a circuit of their own
    EVERYTHING = "everything"  # and no name is looked up outside of it


@dataclass(frozen=True, slots=True)
class P2POptions:
    """Everything a person may decide; the defaults are what most people should have.

    `proxy` is the SOCKS5 server; `is_tor` says that it leads to onion services. `data_cap` is in
    bytes of filters and blocks of one session, None without a limit. `ask_above` is the size in
    bytes from which on a scan waits for approval, None: never. `is_tunnelled`: the only peer is a
    node at the far end of a tunnel that whoever made the backend opens.
    """

    own_peers: tuple[PeerAddress, ...] = ()
    only_own_peers: bool = False
    encrypted_only: bool = False
    proxy: PeerAddress | None = None
    is_tor: bool = True
    proxy_use: ProxyUse = ProxyUse.NEVER
    relay: RelayMode = RelayMode.ALWAYS
    data_cap: int | None = None
    ask_above: int | None = ASK_ABOVE
    is_tunnelled: bool = False
