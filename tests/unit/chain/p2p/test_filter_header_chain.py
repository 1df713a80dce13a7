import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_gui.chain.p2p.filter_header_chain import FilterAnchor, FilterHeaderChain, chain
from wallet_gui.primitives.hashes import hash_from_hex, sha256d

hashes = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=30)


def test_the_first_filter_headers_of_testnet() -> None:
    # BIP158's test vectors: genesis and block 2 of testnet3 (filter, previous header, header).
    genesis = sha256d(bytes.fromhex("019dfca8"))
    header = chain(genesis, bytes(32))
    assert header == hash_from_hex(
        "21584579b7eb08997773e5aeff3a7f932700042d0ed2a6129012b7d7ae81b750"
    )
    second = chain(
        sha256d(bytes.fromhex("0174a170")),
        hash_from_hex("d7bdac13a59d745b1add0d2ce852f1a0442e8945fc1bf3848d3cbffd88c24fe1"),
    )
    assert second == hash_from_hex(
        "186afd11ef2b5e7e3504f2e8cbf8df28a1fd251fe53d60dff8b1467d1b386cf0"
    )


@given(hashes, st.integers(0, 100))
def test_append_truncate_and_load(filter_hashes: list[bytes], height: int) -> None:
    anchor = FilterAnchor(height, b"\x07" * 32) if height else None
    made = FilterHeaderChain(anchor)
    first = made.start_height
    made.append(filter_hashes)
    assert made.height == first + len(filter_hashes) - 1
    assert made.header_at(first) == chain(filter_hashes[0], made.header_at(first - 1))
    loaded = FilterHeaderChain(anchor)
    assert loaded.load(first, made.raw(first, made.height), made.height)
    assert loaded.header_at(made.height) == made.header_at(made.height)
    assert made.truncate(first) or len(filter_hashes) == 1
    assert made.height == first
    assert not made.truncate(first)


@given(hashes, st.data())
def test_differences_are_told_height_by_height(
    filter_hashes: list[bytes], data: st.DataObject
) -> None:
    made = FilterHeaderChain()
    made.append(filter_hashes)
    wrong = data.draw(st.sets(st.integers(0, len(filter_hashes) - 1)))
    told = [bytes(32) if i in wrong else h for i, h in enumerate(filter_hashes)]
    really = [i for i in sorted(wrong) if filter_hashes[i] != bytes(32)]
    assert made.differing(0, told) == really


def test_what_does_not_fit_is_not_loaded() -> None:
    made = FilterHeaderChain()
    assert not made.load(5, bytes(32), 10)
    assert not made.load(0, bytes(33), 10)
    assert not made.load(0, bytes(32 * 5), 2)
    assert made.height == 2
    assert made.load(0, b"", 2)
    with pytest.raises(IndexError):
        made.header_at(3)
