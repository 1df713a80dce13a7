"""From the settings of a person to the options of the P2P client; what cannot be met fails closed.

Nothing here falls back to something weaker: when the proxy that everything should go through is
missing, or nobody is named where only own peers may be asked, there is a sentence and no
connection.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from wallet_gui.app.peer_address import parse_peer
from wallet_gui.chain.backend import ChainError
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.options import ASK_ABOVE, P2POptions, ProxyUse, RelayMode
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.settings import Settings

MEGABYTE: Final = 1_000_000
PROXY_PORT: Final = 9050
"""Where Tor listens for SOCKS5 unless told otherwise."""

NO_PEERS: Final = (
    "No peer is named yet, so nothing can be read. Choose one that serves compact filters: a node "
    "with blockfilterindex=1 and peerblockfilters=1."
)
ONLY_OWN_BUT_NONE: Final = (
    "Only your own peers may be asked, and none is named for this network. Name one in Settings, "
    "or let the program find peers by itself."
)
NO_PROXY: Final = (
    "Connections shall go through a proxy, and none is named. Write its address in Settings, such "
    "as 127.0.0.1:9050, or choose to connect without one."
)


class NotPossible(ChainError):
    """What was chosen cannot be done; nothing is contacted."""


@dataclass(frozen=True, slots=True)
class NetworkChoice:
    """All that a person decides about connections, as the settings page shows and gives it.

    `proxy` is as it was typed and checked. `data_limit_mb` is 0 without a limit.
    """

    own_peers: tuple[PeerAddress, ...] = ()
    only_own_peers: bool = False
    encrypted_only: bool = False
    proxy: str = ""
    is_tor: bool = True
    proxy_use: ProxyUse = ProxyUse.NEVER
    relay: RelayMode = RelayMode.ALWAYS
    data_limit_mb: int = 0
    ask_before_long_scans: bool = True

    @classmethod
    def of(cls, settings: Settings, params: ChainParams) -> "NetworkChoice":
        """Read what is stored for a network; a peer that cannot be read is left out."""
        return cls(
            own_peers=_readable(settings.peers.get(params.name, ()), params),
            only_own_peers=settings.only_own_peers,
            encrypted_only=settings.encrypted_only,
            proxy=settings.proxy,
            is_tor=settings.is_tor,
            proxy_use=ProxyUse(settings.proxy_use),
            relay=RelayMode(settings.relay),
            data_limit_mb=settings.data_limit_mb,
            ask_before_long_scans=settings.ask_before_long_scans,
        )

    def changes(self, settings: Settings, params: ChainParams) -> Mapping[str, object]:
        """Tell which fields of the settings become what."""
        texts = tuple(str(peer) for peer in self.own_peers)
        return {
            "peers": {**settings.peers, params.name: texts},
            "only_own_peers": self.only_own_peers,
            "encrypted_only": self.encrypted_only,
            "proxy": self.proxy,
            "is_tor": self.is_tor,
            "proxy_use": self.proxy_use.value,
            "relay": self.relay.value,
            "data_limit_mb": self.data_limit_mb,
            "ask_before_long_scans": self.ask_before_long_scans,
        }

    def options(self) -> P2POptions:
        """Make the client's options; raises NotPossible when the proxy cannot be read."""
        try:
            proxy = parse_proxy(self.proxy) if self.proxy else None
        except ParseError as error:
            raise NotPossible(f"The proxy in the settings cannot be read. {error}") from None
        return P2POptions(
            own_peers=self.own_peers,
            only_own_peers=self.only_own_peers,
            encrypted_only=self.encrypted_only,
            proxy=proxy,
            is_tor=self.is_tor,
            proxy_use=self.proxy_use,
            relay=self.relay,
            data_cap=self.data_limit_mb * MEGABYTE or None,
            ask_above=ASK_ABOVE if self.ask_before_long_scans else None,
        )


def parse_proxy(text: str) -> PeerAddress:
    """Read the address of a SOCKS5 server; without a port it is Tor's. Raises ParseError."""
    try:
        return PeerAddress.parse(text, PROXY_PORT)
    except ParseError:
        raise ParseError("Write the proxy as host:port, such as 127.0.0.1:9050.") from None


def can_find_peers(params: ChainParams) -> bool:
    """Whether this network has places where addresses of peers are told."""
    return bool(params.dns_seeds or params.fixed_peers)


@dataclass(frozen=True, slots=True)
class ForThisSession:
    """What the start of the program said and no settings file holds.

    `own_peers` take the place of the stored ones; with `is_private` nobody else is known to, or
    asked about, that network; `options` replace every setting.
    """

    own_peers: tuple[PeerAddress, ...] | None = None
    is_private: bool = False
    options: P2POptions | None = None

    def options_for(self, choice: NetworkChoice) -> P2POptions:
        """Join both; raises NotPossible."""
        if self.options is not None:
            return self.options
        options = choice.options()
        if self.own_peers is not None:
            options = replace(options, own_peers=self.own_peers)
        if self.is_private:
            options = replace(
                options,
                only_own_peers=True,
                encrypted_only=False,
                proxy=None,
                proxy_use=ProxyUse.NEVER,
            )
        return options


def why_not_connect(options: P2POptions, params: ChainParams) -> str:
    """Why nothing can be connected to with these options, as one sentence; "" when something can.

    Asked before a backend is made, so that what fails closed never opens a socket.
    """
    if options.proxy_use is not ProxyUse.NEVER and options.proxy is None:
        return NO_PROXY
    if options.own_peers:
        return ""
    if options.only_own_peers:
        return ONLY_OWN_BUT_NONE
    return "" if can_find_peers(params) else NO_PEERS


def _readable(texts: Sequence[str], params: ChainParams) -> tuple[PeerAddress, ...]:
    peers = []
    for text in texts:
        try:
            peers.append(parse_peer(text, params))
        except ParseError:
            continue  # of a settings file that somebody wrote by hand
    return tuple(peers)
