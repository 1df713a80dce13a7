"""Finding peers and keeping them, against many nodes on loopback addresses. Nobody is outside."""

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.functional.p2p_wallet import Client, ScriptWallet, run, running_with
from tests.hostile.fake_internet import (
    BTC,
    PLAIN,
    Internet,
    Neighbour,
    group_of,
    host,
    internet,
    links,
    paid,
    synced,
)
from wallet_gui.chain.backend import BackendState, BackendWarning, ConnectionState
from wallet_gui.chain.p2p import connections, peer_group, seeds, status
from wallet_gui.chain.p2p.address_book import AddressBook
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.book_format import read_book
from wallet_gui.chain.p2p.filter_messages import GetCFilters
from wallet_gui.chain.p2p.links import Role
from wallet_gui.chain.p2p.messages import Message
from wallet_gui.chain.p2p.peer_finder import BOOK_DAMAGED
from wallet_gui.chain.p2p.sync_state import Ban, Disconnect
from wallet_gui.chain.reports import Purpose, Route
from wallet_gui.primitives.params import REGTEST

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 without being asked"
)


def is_real_request(message: Message) -> bool:
    """Whether filters are asked for, and not just to see whether there are any."""
    return isinstance(message, GetCFilters) and message.stop != REGTEST.genesis_hash


def book_of(net: Internet) -> AddressBook:
    return read_book(net.peers.data, int(time.time()), group_of=group_of, is_welcome=lambda _: True)


@pytest.mark.alone
def test_a_first_start_finds_peers_by_itself(tmp_path: Path) -> None:
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def scenario() -> None:
        async with internet(chain, range(1, 11)) as net:
            net.seeds["other.test"] = net.seeds["seed.test"][5:]
            async with running_with(tmp_path, net.setup(), wallet) as client:
                began = time.monotonic()
                await synced(client, chain)
                assert time.monotonic() - began < 10
                assert wallet.balance == 50 * BTC
                await client.until(lambda: len(links(client)) == 5)
                assert len(links(client, Role.FILTER)) == 4
                assert len(links(client, Role.BLOCKS)) == 1
                assert len({link.netgroup for link in links(client)}) == 5
                assert sum(link.relay for link in links(client)) == 2
                taking_part = {str(link.address) for link in links(client)}
                for info in client.backend.peers():
                    if info.address not in taking_part:
                        continue  # it is asked for addresses
                    assert info.route is Route.DIRECT
                    assert info.purposes[0] is Purpose.SYNC
                    assert not info.is_own
                    assert info.network.endswith("/16")
                    assert info.transport == "v2"
                told = {(entry.host, entry.purpose) for entry in client.backend.ledger()}
                assert ("x849.seed.test", Purpose.SEED) in told
                assert ("x448.other.test", Purpose.SEED) in told
                contacted = {h for h, purpose in told if purpose is not Purpose.SEED}
                assert {f"{h}:{net.port}" for h in net.visited()} <= contacted
            said = [v for node in net.nodes.values() for v in node.versions]
            assert {v.start_height for v in said} == {0}
            assert {v.user_agent for v in said} == {"/WalletGUI:1/"}
            assert len({v.nonce for v in said}) == len(said)

    run(scenario)


def test_a_second_start_needs_no_seeds(tmp_path: Path) -> None:
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def scenario() -> None:
        async with internet(chain, range(1, 11)) as net:
            async with running_with(tmp_path, net.setup(), wallet) as client:
                await synced(client, chain)
                await client.until(lambda: len(links(client)) == 5)
            anchors = {a.host for a in book_of(net).anchors}
            assert len(anchors) == 2
            net.asked.clear()
            for node in net.nodes.values():
                node.versions.clear()
            async with running_with(tmp_path, net.setup(), wallet) as client:
                await synced(client, chain)
                await client.until(lambda: len(links(client)) == 5)
                assert net.asked == []
                assert anchors <= set(net.visited()), "those of the last session were not tried"
                assert Purpose.SEED not in {entry.purpose for entry in client.backend.ledger()}

    run(scenario)


@pytest.mark.parametrize("has_book", [False, True])
def test_names_that_are_never_resolved_hold_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_book: bool
) -> None:
    """Packaged peers, or those of the book, are dialled while the seeds are silent."""
    monkeypatch.setattr(connections, "SLOW_SEEDS", 1.0)
    # Longer than the test waits for the sync: it ends before the look-ups do, or not at all.
    monkeypatch.setattr(seeds, "LOOK_UP_TIMEOUT", 3600.0)
    wallet = ScriptWallet()
    chain = paid(wallet)
    asked: list[str] = []

    async def hang(name: str) -> list[str]:
        asked.append(name)
        await asyncio.Event().wait()
        return []

    async def scenario() -> None:
        async with internet(chain, range(1, 5)) as net:
            if has_book:
                async with running_with(tmp_path, net.setup(), wallet) as client:
                    await synced(client, chain)
                assert len(book_of(net)) >= 4
            fixed = () if has_book else tuple(str(net.address(where)) for where in net.nodes)
            setup = net.setup()
            params = replace(setup.params, fixed_peers=fixed)
            setup = replace(setup, params=params, resolver=hang)
            async with running_with(tmp_path, setup, wallet) as client:
                await synced(client, chain)
        assert asked or has_book

    run(scenario)


def test_a_damaged_book_is_begun_anew(tmp_path: Path) -> None:
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def scenario() -> None:
        async with internet(chain, range(1, 8)) as net:
            net.peers.data = b"peers\x01" + bytes(200)
            async with running_with(tmp_path, net.setup(), wallet) as client:
                await synced(client, chain)
                assert BackendWarning(BOOK_DAMAGED) in client.events
            assert len(book_of(net)) >= 4

    run(scenario)


def test_a_lying_seed_is_no_majority(tmp_path: Path) -> None:
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def scenario() -> None:
        async with internet(chain, range(1, 5)) as net:
            for group in range(100, 120):
                await net.add(host(group), Neighbour(chain, nonce=group))
            net.seeds["honest.test"] = [host(5), host(6)]
            for group in (5, 6):
                await net.add(host(group), Neighbour(chain, nonce=group))
            net.seeds["liar.test"] = [host(g) for g in range(100, 120)] + [
                host(g, 9) for g in range(120, 250)
            ]
            async with running_with(tmp_path, net.setup(), wallet) as client:
                await synced(client, chain)
                await client.until(lambda: len(links(client, Role.FILTER)) == 4)
                liars = [link for link in links(client) if int(link.netgroup) >= 100]
                assert len(liars) <= 2
                assert sum(link.role is Role.FILTER for link in liars) <= 2

    run(scenario)


def test_addresses_come_from_peers_when_seeds_know_one_only(tmp_path: Path) -> None:
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def scenario() -> None:
        async with internet(chain, range(1, 9)) as net:
            net.seeds["seed.test"] = [host(1)]
            now = int(time.time())
            net.nodes[host(1)].tells = net.tell([host(g) for g in range(2, 9)], 73, now)
            async with running_with(tmp_path, net.setup(), wallet) as client:
                await synced(client, chain)
                await client.until(lambda: len(links(client, Role.FILTER)) == 4)

    run(scenario)


def test_peers_without_filters_tell_who_has_some(tmp_path: Path) -> None:
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def scenario() -> None:
        async with internet(chain, (1, 2), services=PLAIN) as net:
            for group in range(3, 7):
                await net.add(host(group), Neighbour(chain, nonce=group))
            told = net.tell([host(g) for g in range(3, 7)], 73, int(time.time()))
            for group in (1, 2):
                net.nodes[host(group)].tells = told
            async with running_with(tmp_path, net.setup(), wallet) as client:
                await synced(client, chain)
                await client.until(lambda: len(links(client, Role.FILTER)) == 4)

    run(scenario)


def test_who_claims_filters_and_serves_none(tmp_path: Path) -> None:
    """They answer everything else: they are found out within two seconds, and remembered."""
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def scenario() -> None:
        async with internet(chain, range(1, 6)) as net:
            for group in range(20, 26):
                liar = Neighbour(chain, nonce=group, filters_are_silent=True)
                await net.add(host(group), liar)
            net.seeds["liar.test"] = [host(g) for g in range(20, 26)]
            net.seeds["seed.test"] = [host(g) for g in (1, 2, 3)]
            net.seeds["other.test"] = [host(g) for g in (4, 5)]
            async with running_with(tmp_path, net.setup(), wallet) as client:
                await synced(client, chain)
                await client.until(lambda: len(links(client, Role.FILTER)) == 4)
                assert all(int(link.netgroup) < 20 for link in links(client, Role.FILTER))
                for info in client.backend.peers():
                    number = int(info.address.split(".")[2])
                    assert (number >= 20) is not bool(info.services & 64)
                    assert (number >= 20) is bool(info.note)
            book, now = book_of(net), int(time.time())
            for group in range(20, 26):
                record = book.record(net.address(host(group)))
                if record is not None and record.last_ok:
                    assert not record.claims_filters(now)

    run(scenario)


def test_a_big_scan_is_served_by_twelve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters are held back until twelve are connected; afterwards the surplus goes."""
    monkeypatch.setattr(peer_group, "BIG_SCAN", 20)
    wallet = ScriptWallet()
    chain = paid(wallet, 60)
    held = [True]

    def hold(message: Message, answers: list[Message]) -> list[Message]:
        return [] if held[0] and is_real_request(message) else answers

    async def scenario() -> None:
        async with internet(chain, range(1, 31)) as net:
            net.seeds = {
                f"{n}.test": [host(g) for g in range(1 + 10 * n, 11 + 10 * n)] for n in range(3)
            }
            for node in net.nodes.values():
                node.rewrite = hold
            async with running_with(tmp_path, net.setup(), wallet) as client:
                await client.until(lambda: len(links(client, Role.FILTER)) == 12)
                held[0] = False
                await synced(client, chain)
                assert wallet.balance == 50 * BTC

    run(scenario)


@pytest.mark.parametrize("ban", [Ban.ADDRESS, Ban.NETGROUP])
def test_a_ban_outlasts_the_session_but_two_peers_stay(ban: Ban, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def scenario() -> None:
        async with internet(chain, range(1, 10)) as net:
            await net.add(host(1, 2), Neighbour(chain, nonce=77))
            net.seeds["seed.test"] = list(net.nodes)
            async with running_with(tmp_path, net.setup(), wallet) as client:
                await synced(client, chain)
                await client.until(lambda: len(links(client)) == 5)
                liars = links(client)
                for liar in liars:
                    client.backend._perform([Disconnect(liar.number, "It lied.", True, ban)])
                book = book_in(client)
                banned = {a.address for a in liars if book.is_banned(a.address, int(time.time()))}
                usable = [r for r in book if r.last_ok and r.address not in banned]
                assert len(banned) >= 3
                assert len(usable) >= 2, "nobody was left to talk to"
                told = [e for e in client.backend.ledger() if "for a day" in e.outcome]
                assert {entry.host for entry in told} <= {str(address) for address in banned}
            book = book_of(net)
            for address in banned:
                assert book.is_banned(address, int(time.time()) + 23 * 3600)
                assert book_is_avoided(book, address)
                is_group = book.is_banned(net.address(address.host[:-1] + "9"), int(time.time()))
                assert is_group is (ban is Ban.NETGROUP)
            for node in net.nodes.values():
                node.versions.clear()
            async with running_with(tmp_path, net.setup(), wallet) as client:
                await synced(client, chain)
                await asyncio.sleep(1.0)
            assert not {address.host for address in banned} & set(net.visited())

    run(scenario)


def book_in(client: Client) -> AddressBook:
    group = client.backend._group
    assert group is not None
    return group.connections.book


def book_is_avoided(book: AddressBook, address: PeerAddress) -> bool:
    now = int(time.time())
    chosen = [book.select(now) for _ in range(200)]
    return all(record is None or record.address != address for record in chosen)


def test_when_all_die_at_once_nobody_is_blamed(tmp_path: Path) -> None:
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def scenario() -> None:
        async with (
            internet(chain, range(1, 9)) as net,
            running_with(tmp_path, net.setup(), wallet) as client,
        ):
            await synced(client, chain)
            await client.until(lambda: len(links(client)) == 5)
            nodes = dict(net.nodes)
            for where in nodes:
                await net.remove(where)
            offline = BackendState(ConnectionState.OFFLINE, 0, status.OFFLINE)
            await client.until(lambda: offline in client.events)
            group = client.backend._group
            assert group is not None
            assert all(record.fails == 0 for record in group.connections.book)

    run(scenario)


def test_a_flood_of_addresses_is_let_in_at_a_bounded_rate(tmp_path: Path) -> None:
    """A thousand for our question; what comes unasked, again and again, is lost."""
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def scenario() -> None:
        async with internet(chain, range(1, 5)) as net:
            now = int(time.time())
            flood = net.tell([host(g, n) for g in range(100, 104) for n in range(1, 251)], 73, now)
            net.nodes[host(1)].tells = flood
            async with running_with(tmp_path, net.setup(), wallet) as client:
                await synced(client, chain)
                group = client.backend._group
                assert group is not None
                await client.until(lambda: host(1) in net.visited())
                book = group.connections.book
                await asyncio.sleep(1.0)
                evil = sum(int(r.address.host.split(".")[2]) >= 100 for r in book)
                assert evil <= 4 * 32, "one source filled more than its buckets"

    run(scenario)


def test_another_peer_comes_when_the_sync_asks(tmp_path: Path) -> None:
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def scenario() -> None:
        async with internet(chain, range(1, 10)) as net:
            net.seeds["b.test"] = net.seeds["seed.test"][5:]
            async with running_with(tmp_path, net.setup(), wallet) as client:
                await synced(client, chain)
                await client.until(lambda: len(links(client, Role.FILTER)) == 4)

                def is_there() -> bool:
                    assert client.backend._sync is not None
                    client.backend._sync.state.wants_extra_peer = True  # as while a tip is in doubt
                    return len(links(client, Role.FILTER)) >= 5

                await client.until(is_there)

    run(scenario)


def test_a_feeler_makes_the_book_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "FEELER_INTERVAL", 0.5)
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def scenario() -> None:
        async with (
            internet(chain, range(1, 25)) as net,
            running_with(tmp_path, net.setup(), wallet) as client,
        ):
            await synced(client, chain)
            await client.until(
                lambda: any(
                    e.purpose is Purpose.FEELER and e.outcome == "It answers."
                    for e in client.backend.ledger()
                )
            )
            assert len(links(client)) <= 5

    run(scenario)
