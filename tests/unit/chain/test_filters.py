import json
from pathlib import Path
from typing import Any

import pytest

from wallet_gui.chain import filters, gcs_scalar
from wallet_gui.chain.filters import BlockFilter, ScalarEngine, build, pick_engine
from wallet_gui.primitives.block import Block
from wallet_gui.primitives.hashes import hash_from_hex

VECTORS = Path(__file__).parents[2] / "vectors"


def vectors() -> list[dict[str, Any]]:
    # BIP158's own file, bip-0158/testnet-19.json.
    names, *rows = json.loads((VECTORS / "bip158.json").read_text("utf-8"))
    return [dict(zip(names[0].split(","), row, strict=True)) for row in rows]


def test_official_vectors() -> None:
    rows = vectors()
    assert len(rows) == 10
    for row in rows:
        block = Block.parse(bytes.fromhex(row["Block"]))
        spent = [bytes.fromhex(script) for script in row["[Prev Output Scripts for Block]"]]
        built = build(block, spent)
        assert built.block_hash == hash_from_hex(row["Block Hash"])
        assert built.data.hex() == row["Basic Filter"]
        previous = hash_from_hex(row["Previous Basic Header"])
        header = hash_from_hex(row["Basic Header"])
        assert built.header(previous) == header
        items = filters.filter_items(block, spent)
        assert len(built.elements()) == len(items)
        for engine in (ScalarEngine(), pick_engine()):
            assert engine.header_chain(engine.hash_many([built.data]), previous) == [header]
            for item in items:
                assert engine.match_many([(built.block_hash, built.data)], [item]) == [True]
            absent = [b"\x51" + number.to_bytes(32, "big") for number in range(50)]
            assert engine.match_many([(built.block_hash, built.data)], absent) == [False]


def test_neighbouring_vectors_chain() -> None:
    by_height = {row["Block Height"]: row for row in vectors()}
    pairs = [height for height in by_height if height + 1 in by_height]
    assert pairs
    for height in pairs:
        assert by_height[height]["Basic Header"] == by_height[height + 1]["Previous Basic Header"]


def test_empty_filter() -> None:
    # As nodes serve it for a block that pays and spends nothing; shown reversed, 9a538906...
    assert filters.EMPTY_FILTER_HASH.hex() == (
        "1406e05881e299367766d313e26c05564ec91bf721d31726bd6e46e60689539a"
    )
    empty = BlockFilter(bytes(32), filters.EMPTY_FILTER)
    assert empty.elements() == []
    assert not empty.match_any([b"\x51"])
    assert empty.filter_hash == filters.EMPTY_FILTER_HASH


def test_header_chain_starts_at_zero_and_links() -> None:
    hashes = [bytes([number]) * 32 for number in range(5)]
    engine = ScalarEngine()
    headers = engine.header_chain(hashes, bytes(32))
    assert engine.header_chain(hashes[3:], headers[2]) == headers[3:]
    assert engine.header_chain([], headers[0]) == []


@pytest.mark.parametrize("scripts", [[], [b""], [b"", b""]])
def test_no_scripts_match_nothing(scripts: list[bytes]) -> None:
    data = gcs_scalar.build(bytes(32), [b"\x51", b"\x52"])
    assert not BlockFilter(bytes(32), data).match_any(scripts)
    for engine in (ScalarEngine(), pick_engine()):
        assert engine.match_many([(bytes(32), data)], scripts) == [False]
        assert engine.match_many([], [b"\x51"]) == []
