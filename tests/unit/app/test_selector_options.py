"""The selector passes on what a person decided, and keeps what every source contacted."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from tests.unit.app.test_session import Backend
from wallet_gui.app.backend_selector import BackendSelector, PeerBackend
from wallet_gui.app.p2p_choice import NO_PROXY, ONLY_OWN_BUT_NONE
from wallet_gui.app.published import SyncSnapshot
from wallet_gui.chain.backend import ChainStores, ConnectionState, PeerStore
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse
from wallet_gui.chain.p2p.tips import TipReport
from wallet_gui.chain.reports import LedgerEntry, Purpose, Route
from wallet_gui.primitives.params import MAINNET

NOW = 1_800_000_000


class Source(Backend):
    """A backend that notes what is decided about it."""

    def __init__(self, options: P2POptions) -> None:
        super().__init__()
        self.options = [options]
        self.told: list[tuple[str, object]] = []
        self.tip_said: TipReport | None = None

    def set_options(self, options: P2POptions) -> None:
        self.options.append(options)

    def tip_report(self) -> TipReport | None:
        return self.tip_said

    def ledger(self) -> list[LedgerEntry]:
        return [LedgerEntry("host", Purpose.SYNC, Route.DIRECT, NOW)]

    def pause_scans(self, *, paused: bool) -> None:
        self.told.append(("paused", paused))

    def set_receiving(self, *, is_receiving: bool) -> None:
        self.told.append(("receiving", is_receiving))


class Rig:
    """A selector whose sources can be looked at."""

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.shown: list[SyncSnapshot] = []
        self.selector = BackendSelector(
            MAINNET,
            cast("ChainStores", None),
            self._make,
            lambda value: self.shown.append(cast("SyncSnapshot", value)),
            clock=lambda: NOW,
        )

    def _make(
        self,
        params: object,
        options: P2POptions,
        stores: object,
        sink: object,
        *,
        peer_store: PeerStore | None = None,
        on_failure: Callable[[BaseException], None],
    ) -> PeerBackend:
        del params, stores, sink, peer_store, on_failure
        self.sources.append(Source(options))
        return self.sources[-1]


def run(scenario: Callable[[Rig], Any]) -> None:
    async def inner() -> None:
        rig = Rig()
        await scenario(rig)
        await rig.selector.close()

    asyncio.run(inner())


def test_mainnet_starts_without_a_named_peer() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions())
        assert rig.sources[0].options == [P2POptions()]

    run(scenario)


def test_other_options_are_applied_to_the_running_source() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions())
        await rig.selector.use(P2POptions(encrypted_only=True))
        assert len(rig.sources) == 1
        assert rig.sources[0].options[-1].encrypted_only

    run(scenario)


def test_what_fails_closed_ends_the_running_source() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions())
        await rig.selector.use(P2POptions(only_own_peers=True))
        assert rig.selector.backend is None
        assert rig.selector.snapshot.detail == ONLY_OWN_BUT_NONE
        await rig.selector.use(P2POptions(proxy_use=ProxyUse.EVERYTHING))
        assert rig.selector.snapshot.detail == NO_PROXY
        assert rig.selector.snapshot.state is ConnectionState.STOPPED
        assert len(rig.sources) == 1

    run(scenario)


def test_contacts_and_decisions_outlive_a_source() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions())
        rig.selector.pause_scans(paused=True)
        rig.selector.set_receiving(is_receiving=True)
        await rig.selector.start(P2POptions())
        assert ("paused", True) in rig.sources[1].told
        assert ("receiving", True) in rig.sources[1].told
        ledger = rig.selector.picture().ledger
        assert [entry.ended for entry in ledger] == [None, NOW]
        await asyncio.sleep(0.15)
        assert rig.shown[-1].is_paused

    run(scenario)


def test_the_tip_is_doubted_aloud() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions())
        source = rig.sources[0]
        assert rig.selector._doubt() == ""
        source.tip_said = TipReport(3, 3, is_stale=True, age=18_000, quiet=1.0, split=None)
        assert "5 hours old" in rig.selector._doubt()
        source.tip_said = TipReport(3, 3, is_stale=True, age=18_000, quiet=1.0, split="Split.")
        assert rig.selector._doubt() == "Split."
        source.tip_said = TipReport(3, 3, is_stale=False, age=60, quiet=1.0, split=None)
        assert rig.selector._doubt() == ""

    run(scenario)


def test_minimum_rates_stand_in_where_no_usual_ones_are_known() -> None:
    async def scenario(rig: Rig) -> None:
        assert rig.selector.fee_advice() is None
        await rig.selector.start(P2POptions())
        assert rig.selector.fee_advice() is None
        rig.sources[0].minimum_rates = [5_000, 1_000, 2_000]
        advice = rig.selector.fee_advice()
        assert advice is not None
        assert (advice.minimum, advice.normal, advice.learned) == (2_000, None, NOW)
        assert "not known" in advice.source

    run(scenario)
