"""The connection as a whole in one sentence: what a person reads when nobody can be reached."""

from typing import Final

from wallet_gui.chain.backend import BackendState, ConnectionState
from wallet_gui.chain.p2p.connections import Connections
from wallet_gui.chain.p2p.options import ProxyUse
from wallet_gui.chain.p2p.sync_state import Instant

PATIENCE: Final = 20.0

ONLY_OWN: Final = (
    "Only your own peers are to be used, and none is named. Name one in the settings, or allow "
    "others."
)
NO_PUBLIC_PEERS: Final = (
    "This network has no public peers. Name one that serves compact filters: a node with "
    "blockfilterindex=1 and peerblockfilters=1."
)
NO_PROXY: Final = (
    "Everything is to go through a proxy, and none is set. Give its address in the settings."
)
OFFLINE: Final = "This computer seems to be offline. The wallet tries again by itself."
NONE_FOUND: Final = "No peers found: check the connection to the internet."
NONE_THROUGH_PROXY: Final = (
    "No peers found: check that Tor or the proxy of the settings is running."
)


class Status:
    """Watches whether anybody is there."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._alone_since: float | None = None
        self._own_failure = ""

    def on_unreachable(self, sentence: str, *, is_own: bool) -> None:
        """Remember why an address could not be reached."""
        if is_own:
            self._own_failure = sentence

    def state(self, peers: int, now: Instant) -> BackendState:
        """Tell the state; `peers` counts those that take part in the sync."""
        if peers:
            self._alone_since = None
            self._own_failure = ""
            return BackendState(ConnectionState.ONLINE, peers)
        if self._alone_since is None:
            self._alone_since = now.monotonic
        detail = self._detail(now)
        state = ConnectionState.OFFLINE if detail else ConnectionState.CONNECTING
        return BackendState(state, 0, detail)

    def _detail(self, now: Instant) -> str:
        connections = self._connections
        options = connections.options
        is_all_proxied = options.proxy_use is ProxyUse.EVERYTHING
        is_public = not options.only_own_peers and connections.has_sources()
        waited = now.monotonic - (self._alone_since or 0.0)
        reasons = (
            (is_all_proxied and options.proxy is None, NO_PROXY),
            (bool(self._own_failure), self._own_failure),
            (options.only_own_peers and not options.own_peers, ONLY_OWN),
            (not options.own_peers and not is_public, NO_PUBLIC_PEERS),
            (connections.is_offline(now), OFFLINE),
            (waited < PATIENCE or not is_public, ""),
            (is_all_proxied, NONE_THROUGH_PROXY),
            (True, NONE_FOUND),
        )
        return next(sentence for applies, sentence in reasons if applies)
