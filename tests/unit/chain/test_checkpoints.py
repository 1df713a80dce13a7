import contextlib
import csv
import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.chain.facts import shared
from tests.unit.chain.mining import easy
from wallet_gui.chain.checkpoints import (
    HEAD,
    NONE,
    BadCheckpoints,
    Checkpoints,
    FilterAnchor,
    activation_height,
    load,
    parse,
)
from wallet_gui.chain.difficulty import EPOCH, retarget
from wallet_gui.chain.header_chain import ChainAnchor
from wallet_gui.primitives.block import BlockHeader, target_from_bits, work_from_bits
from wallet_gui.primitives.hashes import hash_from_hex, hash_to_hex, sha256d
from wallet_gui.primitives.params import MAINNET, NETWORKS, REGTEST, SIGNET, TESTNET4, ChainParams

ROOT = Path(__file__).resolve().parents[3]
RESOURCES = ROOT / "resources" / "checkpoints"
VECTORS = ROOT / "tests" / "vectors"

SIX_MONTHS = 182 * 24 * 3600
YEAR_2009, YEAR_2017, YEAR_2024 = 1_231_006_505, 1_503_539_857, 1_704_067_200


def packager() -> ModuleType:
    spec = importlib.util.spec_from_file_location("checkpoints", ROOT / "packaging/checkpoints.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(name: str) -> list[dict[str, str]]:
    with shared(f"data/{name}").open(newline="", encoding="ascii") as file:
        return list(csv.DictReader(file))


# --- what the files say --------------------------------------------------------------------------


def start_for(
    known: Checkpoints, birthday_time: int
) -> tuple[ChainAnchor | None, FilterAnchor | None]:
    return known.start_at(known.height_before(birthday_time) + 1)


def test_work_and_bits_of_mainnet_add_up() -> None:
    known = load(MAINNET)
    work, bits = 0, MAINNET.pow_limit_bits
    for number, anchor in enumerate(known.anchors, 1):
        assert anchor.height == number * EPOCH - 1
        work += EPOCH * work_from_bits(bits)
        assert anchor.chain_work == work
        # Each epoch's last hash meets that epoch's target, and no retarget exceeds the clamp.
        assert int.from_bytes(anchor.hash, "little") <= target_from_bits(bits)
        slowest = target_from_bits(retarget(bits, 0, 4 * 1_209_600, MAINNET.pow_limit))
        fastest = target_from_bits(retarget(bits, 0, 1, MAINNET.pow_limit))
        bits = anchor.next_bits
        assert fastest <= target_from_bits(bits) <= slowest
    assert known.minimum_work == work == MAINNET.minimum_chain_work
    assert known.last_height == known.anchors[-1].height >= 953_567
    assert list(known.anchor_times) == sorted(known.anchor_times)


@pytest.mark.parametrize("params", [SIGNET, TESTNET4], ids=lambda params: params.name)
def test_test_networks_list_hashes_and_start_at_genesis(params: ChainParams) -> None:
    known = load(params)
    assert known.anchors == ()
    assert len(known.hashes) > 60
    for number, (height, block_hash) in enumerate(known.hashes.items(), 1):
        assert height == number * EPOCH - 1
        assert int.from_bytes(block_hash, "little") <= params.pow_limit
    assert start_for(known, YEAR_2024) == known.newest_start() == (None, None)
    assert known.minimum_work == params.minimum_chain_work


def test_regtest_and_variants_have_none() -> None:
    custom = replace(SIGNET, signet_challenge=b"\x51", magic=b"1234")
    for params in (REGTEST, custom, easy(MAINNET), easy(SIGNET)):
        known = load(params)
        assert known == NONE or (not known.hashes and not known.anchors)
        assert known.last_height == 0
        assert start_for(known, YEAR_2024) == (None, None)


def test_filter_headers_published_elsewhere() -> None:
    """The table of the design notes, appendix A, typed in as it stands."""
    known = load(MAINNET)
    rows = json.loads((VECTORS / "filter_header_checkpoints.json").read_text())["rows"]
    assert len(rows) == 21
    for height, block_hash, filter_header in rows:
        assert hash_to_hex(known.filter_headers[height]) == filter_header
        assert hash_to_hex(known.hashes[height]) == block_hash


def test_files_are_what_the_tables_give() -> None:
    made = packager().files(shared("data"))
    assert set(made) == {path.stem for path in RESOURCES.iterdir()}
    for name, content in made.items():
        assert (RESOURCES / f"{name}.bin").read_bytes() == content


def test_mainnet_agrees_with_the_tables() -> None:
    known = load(MAINNET)
    rows = table("mainnet-epochs.csv")
    assert len(rows) == len(known.anchors)
    for anchor, row in zip(known.anchors, rows, strict=True):
        assert anchor == ChainAnchor(
            int(row["last_height"]),
            hash_from_hex(row["last_hash"]),
            int(row["next_bits"], 16),
            int(row["chainwork_through_last_height"], 16),
        )
    filters = {
        int(row["height"]): hash_from_hex(row["filter_header"])
        for row in table("mainnet-filter-headers.csv")
    }
    assert known.filter_headers == filters
    for params in (SIGNET, TESTNET4):
        hashes = {
            int(row["last_height"]): hash_from_hex(row["last_hash"])
            for row in table(f"{params.name}-epochs.csv")
        }
        assert load(params).hashes == hashes


def test_real_headers_link_to_the_anchors_and_have_their_work() -> None:
    known = load(MAINNET)
    headers = {
        int(row["height"]): BlockHeader.parse(bytes.fromhex(row["header"]))
        for row in table("mainnet-epoch-headers.csv")
    }
    assert len(headers) == 436
    for anchor, latest in zip(known.anchors, known.anchor_times, strict=True):
        header = headers.get(anchor.height + 1)
        if header is None:
            continue
        assert header.prev_blockhash == anchor.hash
        assert header.bits == anchor.next_bits
        assert int.from_bytes(header.hash, "little") <= target_from_bits(header.bits)
        assert header.time <= latest


def test_estimated_times_are_late_but_not_by_much() -> None:
    """The estimate used above the last known header, tried where headers are known."""
    made = packager()
    known = load(MAINNET)
    times = {
        int(row["height"]): BlockHeader.parse(bytes.fromhex(row["header"])).time
        for row in table("mainnet-epoch-headers.csv")
    }
    count = len(known.anchors) - 436
    for first in range(200, 436 - count):
        time = times[first * EPOCH]
        bits = known.anchors[first - 1].next_bits
        for number in range(first, first + count):
            next_bits = known.anchors[number].next_bits
            time += made.epoch_seconds(bits, next_bits) + made.INTERVAL
            bits = next_bits
        late = time + made.ESTIMATE_MARGIN - times[(first + count) * EPOCH]
        assert 12 * 3600 < late < 36 * 3600


# --- reading a file ------------------------------------------------------------------------------


def test_a_damaged_file_is_refused() -> None:
    raw = (RESOURCES / "testnet4.bin").read_bytes()
    assert parse(raw, TESTNET4) == load(TESTNET4)
    for damaged in (b"", raw[:-1], raw + b"\0", raw[:100] + b"\xff" + raw[101:], b"X" + raw[1:]):
        with pytest.raises(BadCheckpoints, match="install the program again"):
            parse(damaged, TESTNET4)
    # A right checksum does not help a wrong count.
    head = list(HEAD.unpack_from(raw))
    head[4] += 1
    body = HEAD.pack(*head) + raw[HEAD.size : -4]
    with pytest.raises(BadCheckpoints):
        parse(body + sha256d(body)[:4], TESTNET4)


@settings(deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_checkpoints_or_refused(raw: bytes, has_checksum: bool) -> None:  # noqa: FBT001
    if has_checksum:
        raw = b"WGCHKPT1" + raw
        raw += sha256d(raw)[:4]
    with contextlib.suppress(BadCheckpoints):
        assert isinstance(parse(raw, MAINNET), Checkpoints)


# --- where a sync starts -------------------------------------------------------------------------


def test_a_new_wallet_starts_at_the_newest_checkpoint() -> None:
    known = load(MAINNET)
    released = known.anchor_times[-1]
    anchor, filter_anchor = start_for(known, released + SIX_MONTHS)
    assert (anchor, filter_anchor) == known.newest_start()
    assert filter_anchor is not None
    assert filter_anchor.height == max(known.filter_headers) == 950_000
    assert anchor is not None
    assert anchor.height == 949_535


def test_older_wallets_start_below_their_birthday() -> None:
    known = load(MAINNET)
    times = dict(zip((a.height for a in known.anchors), known.anchor_times, strict=True))
    for birthday in range(YEAR_2009, known.anchor_times[-1], 30 * 24 * 3600):
        anchor, filter_anchor = start_for(known, birthday)
        if filter_anchor is None:
            assert anchor is None
            assert birthday < times[100_799] + 24 * 3600
            continue
        assert anchor is not None
        assert anchor.height <= filter_anchor.height
        assert filter_anchor.height - anchor.height < EPOCH
        after = min(height for height in times if height >= filter_anchor.height)
        assert times[after] < birthday + 15 * 24 * 3600
        assert known.height_before(birthday) >= filter_anchor.height
        # No later one would have done.
        later = [h for h in known.filter_headers if h > filter_anchor.height]
        assert all(h > known.height_before(birthday) for h in later)
    assert known.start_at(0) == start_for(known, 0) == (None, None)
    assert known.start_at(300_001)[1] == known.filter_anchor_at_or_below(300_000)


def test_anchors_by_height() -> None:
    known = load(MAINNET)
    assert known.anchor_at_or_below(2014) is None
    assert known.anchor_at_or_below(2015) == known.anchors[0]
    assert known.anchor_at_or_below(10**9) == known.anchors[-1]
    assert known.filter_anchor_at_or_below(99_999) is None
    expected = FilterAnchor(100_000, known.filter_headers[100_000])
    assert known.filter_anchor_at_or_below(199_999) == expected


def test_scripts_tell_how_old_a_wallet_can_be() -> None:
    taproot, wpkh, wsh = b"\x51\x20" + bytes(32), b"\x00\x14" + bytes(20), b"\x00\x20" + bytes(32)
    p2sh, p2pkh = b"\xa9\x14" + bytes(20) + b"\x87", b"\x76\xa9\x14" + bytes(20) + b"\x88\xac"
    for scripts, height in (
        ([taproot], 709_632),
        ([taproot, wpkh], 481_824),
        ([wsh], 481_824),
        ([wpkh, p2sh], 173_805),
        ([taproot, p2pkh], 0),
        ([b""], 0),
        ([], 0),
    ):
        assert activation_height(MAINNET, scripts) == height
        assert activation_height(REGTEST, scripts) == 0


def test_every_network_loads_in_a_moment_and_once() -> None:
    for params in NETWORKS.values():
        assert load(params) is load(params)
