"""Every network starts from nothing stored, with the packaged facts and nobody to talk to."""

import asyncio

import pytest

from tests.hostile.fake_network import MemoryStores
from tests.patience import PATIENCE
from wallet_gui.chain.backend import ChainEvent
from wallet_gui.chain.checkpoints import load
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.primitives.params import MAINNET, NETWORKS, ChainParams

WPKH = b"\x00\x14" + bytes(20)
NOBODY = P2POptions(own_peers=(PeerAddress("127.0.0.1", 1),), only_own_peers=True)


async def start(params: ChainParams, birthday: int | None) -> tuple[int, int, int]:
    """Give the heights of the tip and of the first header and filter header."""

    begun = asyncio.Event()

    async def sink(_event: ChainEvent) -> None:
        begun.set()  # delivery begins once the chains are loaded

    failures: list[BaseException] = []
    stores = MemoryStores(is_new=True)
    backend = P2PBackend(params, NOBODY, stores, sink, on_failure=failures.append)
    backend.watch("w", [WPKH], checkpoints=[], birthday_time=birthday)
    await backend.start()
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
    await asyncio.sleep(0.6)  # two ticks
    sync = backend._sync
    assert sync is not None
    assert not sync.is_synced()
    state = sync.state
    found = (state.headers.height, state.headers.start_height, state.filter_headers.start_height)
    assert sync.progress().total >= 1
    await backend.stop()
    assert not failures, failures
    return found


@pytest.mark.parametrize("params", NETWORKS.values(), ids=lambda params: params.name)
def test_a_new_wallet(params: ChainParams) -> None:
    known = load(params)
    later = (known.anchor_times or (1_700_000_000,))[-1] + 10**7
    tip, first, filters = asyncio.run(start(params, later))
    if params is MAINNET:
        assert (tip, first, filters) == (949_535, 949_536, 950_001)
    else:
        assert (tip, first, filters) == (0, 0, 0)


def test_a_wallet_without_a_birthday_starts_with_its_kind_of_scripts() -> None:
    assert asyncio.run(start(MAINNET, None)) == (399_167, 399_168, 400_001)
