import asyncio
from collections.abc import Callable

from wallet_gui.app.backend_selector import BackendSelector, PeerBackend
from wallet_gui.app.p2p_choice import NO_PEERS
from wallet_gui.app.published import SyncSnapshot
from wallet_gui.chain.backend import (
    BroadcastProgress,
    ChainStores,
    ConnectionState,
    EventSink,
    FilterHeaderStore,
    FilterStore,
    HeaderStore,
    PeerStore,
)
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.primitives.params import REGTEST, ChainParams


class NoStores:
    """Never touched: without a peer nothing is read."""

    headers: HeaderStore
    filter_headers: FilterHeaderStore
    filters: FilterStore


def no_backend(
    params: ChainParams,
    options: P2POptions,
    stores: ChainStores,
    sink: EventSink,
    *,
    peer_store: PeerStore | None = None,
    on_failure: Callable[[BaseException], None] | None = None,
) -> PeerBackend:
    raise AssertionError("nobody to connect to")


def test_without_a_peer_the_window_is_told_what_to_do() -> None:
    async def scenario() -> list[SyncSnapshot | BroadcastProgress]:
        shown: list[SyncSnapshot | BroadcastProgress] = []
        selector = BackendSelector(REGTEST, NoStores(), no_backend, shown.append)
        await selector.start(P2POptions())
        await asyncio.sleep(0.15)
        assert selector.backend is None
        await selector.close()
        return shown

    (snapshot,) = asyncio.run(scenario())
    assert isinstance(snapshot, SyncSnapshot)
    assert snapshot.state is ConnectionState.STOPPED
    assert snapshot.detail == NO_PEERS
    assert "peerblockfilters=1" in snapshot.detail
