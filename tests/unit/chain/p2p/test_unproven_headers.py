from dataclasses import replace

import pytest

from tests.unit.chain.mining import extend, genesis
from wallet_gui.chain.header_chain import HeaderChain, InvalidHeader
from wallet_gui.chain.p2p import unproven_headers
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.chain.p2p.unproven_headers import (
    FRESH_BLOCKS,
    MAX_TURN,
    UnprovenHeaders,
    work_wanted,
)
from wallet_gui.primitives.block import BlockHeader
from wallet_gui.primitives.params import REGTEST

GENESIS = genesis(REGTEST)
NOW = Instant(0.0, GENESIS.time + 10_000_000)
DEMANDING = replace(REGTEST, minimum_chain_work=2 * 305)  # three hundred and four blocks


def raw(headers: list[BlockHeader]) -> bytes:
    return b"".join(header.serialize() for header in headers)


def begun(chain: HeaderChain, now: Instant = NOW) -> UnprovenHeaders:
    unproven = UnprovenHeaders()
    unproven.begin(7, chain.cursor_on(GENESIS.hash), now)
    return unproven


def test_what_a_chain_has_to_claim() -> None:
    chain = HeaderChain(DEMANDING)
    assert work_wanted(chain, 2) == 610
    chain.accept(raw(extend(GENESIS, 299)), NOW.unix)
    assert work_wanted(chain, 2) == 610
    chain.accept(raw([]), NOW.unix)
    easy = HeaderChain(REGTEST)
    assert work_wanted(easy, 2) < easy.chain_work
    headers = extend(GENESIS, 1000)
    easy.accept(raw(headers), NOW.unix)
    assert work_wanted(easy, 2) == 2 * (1001 - FRESH_BLOCKS)
    assert easy.claimed_work(raw(headers[:10])) == 22
    assert easy.claimed_work(raw(extend(headers[-1], 5))) == 2 * 1006


def test_headers_are_held_and_given_away_as_they_came() -> None:
    chain = HeaderChain(DEMANDING)
    headers = extend(GENESIS, 310)
    unproven = begun(chain)
    chunks = [raw(headers[start : start + 100]) for start in range(0, 310, 100)]
    for number, chunk in enumerate(chunks):
        assert unproven.is_followed_by(7, chunk)
        assert not unproven.is_followed_by(8, chunk)
        unproven.extend(chain, chunk, NOW)
        assert (unproven.chain_work >= chain.minimum_work) == (number == 3)
    assert unproven.tip.hash == headers[-1].hash
    assert unproven.count == 310
    assert list(unproven.release()) == chunks
    assert (unproven.owner, unproven.count) == (None, 0)
    with pytest.raises(ValueError, match="nothing"):
        _ = unproven.tip


def test_every_rule_holds() -> None:
    chain = HeaderChain(DEMANDING)
    headers = extend(GENESIS, 20)
    with pytest.raises(InvalidHeader, match="does not follow"):
        begun(chain).extend(chain, raw([*headers[:5], *headers[6:]]), NOW)
    late = Instant(0.0, GENESIS.time - 10_000)
    with pytest.raises(InvalidHeader, match="ahead of this clock"):
        begun(chain, late).extend(chain, raw(headers), late)


def test_no_more_headers_than_there_was_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unproven_headers, "MAX_BLOCKS_A_SECOND", 0)
    chain = HeaderChain(DEMANDING)
    with pytest.raises(InvalidHeader, match="goes on for over 0 headers"):
        begun(chain).extend(chain, raw(extend(GENESIS, 1)), NOW)
    monkeypatch.setattr(unproven_headers, "MAX_BLOCKS_A_SECOND", 6)
    now = Instant(0.0, GENESIS.time - 7190)  # ten seconds, sixty blocks
    unproven = begun(chain, now)
    headers = extend(GENESIS, 61, spacing=1)
    with pytest.raises(InvalidHeader):
        unproven.extend(chain, raw(headers), now)


def test_no_more_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unproven_headers, "MAX_HEADERS_HELD", 50)
    chain = HeaderChain(DEMANDING)
    unproven = begun(chain)
    headers = extend(GENESIS, 51)
    unproven.extend(chain, raw(headers[:50]), NOW)
    with pytest.raises(InvalidHeader, match="over 50 headers"):
        unproven.extend(chain, raw(headers[50:]), NOW)


def test_a_turn_ends() -> None:
    unproven = begun(HeaderChain(DEMANDING))
    assert not unproven.overstays(NOW)
    assert unproven.overstays(Instant(MAX_TURN, 0))
    unproven.drop()
    assert not unproven.overstays(Instant(MAX_TURN, 0))
