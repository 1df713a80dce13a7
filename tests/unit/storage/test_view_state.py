import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.storage.samples import DESCRIPTION, FULL_VIEW
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import OutPoint
from wallet_gui.storage.errors import NewerFormat
from wallet_gui.storage.view_state import ViewState
from wallet_gui.wallet.changes import Keychain, OwnTransaction, PaymentRequest, ViewChange

FULL = ViewState(DESCRIPTION, FULL_VIEW, {"unit": "sat", "columns": [1, None, {"a": True}]})

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
index = st.integers(0, 2**31 - 1)
keychain = st.sampled_from(Keychain)
time = st.integers(0, 2**40)
txid = st.binary(min_size=32, max_size=32)
chain = st.tuples(st.integers(0, 3), keychain)
requests = st.lists(
    st.builds(
        PaymentRequest,
        keychain,
        index,
        st.integers(0, 3),
        text,
        st.none() | index,
        text,
        time,
        st.none() | time,
    ),
    max_size=3,
).map(lambda items: {item.key: item for item in items})
views = st.builds(
    ViewChange,
    revealed=st.dictionaries(chain, index, max_size=3),
    labels=st.dictionaries(st.tuples(text, text), text.filter(bool), max_size=3),
    requests=requests,
    frozen=st.dictionaries(st.builds(OutPoint, txid, index), st.just(value=True), max_size=3),
    own_transactions=st.dictionaries(
        txid, st.builds(OwnTransaction, st.binary(max_size=20), time), max_size=3
    ),
)


def test_full_state_comes_back() -> None:
    assert ViewState.decode(FULL.encode()) == FULL


@given(views)
@settings(deadline=None)
def test_round_trip(view: ViewChange) -> None:
    state = ViewState(DESCRIPTION, view)
    assert ViewState.decode(state.encode()) == state


def test_equal_states_are_equal_bytes() -> None:
    backwards = ViewChange(
        **{
            name: dict(reversed(getattr(FULL_VIEW, name).items()))
            for name in ViewChange.__dataclass_fields__
        }
    )
    assert ViewState(DESCRIPTION, backwards, FULL.settings).encode() == FULL.encode()


def test_format_is_fixed() -> None:
    """A change here needs a new format number and a way to read the old one."""
    assert json.loads(FULL.encode()) == {
        "format": 1,
        "description": {
            "name": "savings",
            "network": "regtest",
            "descriptors": list(DESCRIPTION.descriptors),
            "active": 0,
            "fingerprint": "d34db33f",
            "birthday_time": 1_700_000_000,
            "cache_key": "43" * 32,
            "has_secrets": True,
        },
        "revealed": [[0, 0, 7], [0, 1, 0], [1, 0, 19]],
        "labels": [
            ["addr", "bcrt1q", '"quoted"\nline'],
            ["tx", "", "x"],
            ["tx", "ab" * 32, "Miete ☂"],
        ],
        "requests": [
            {
                "keychain": 0,
                "index": 2,
                "descriptor_index": 0,
                "label": "",
                "amount_sat": None,
                "message": "",
                "created": 0,
                "expires": None,
            },
            {
                "keychain": 0,
                "index": 3,
                "descriptor_index": 0,
                "label": "Bob",
                "amount_sat": 10_000,
                "message": "for the book",
                "created": 1_700_000_100,
                "expires": 1_800_000_000,
            },
        ],
        "frozen": [[bytes(range(32))[::-1].hex(), 1]],
        "own_transactions": [["74" * 32, "AnJhdwD/", 1_700_000_200]],
        "settings": {"unit": "sat", "columns": [1, None, {"a": True}]},
    }


def test_merging_a_change_takes_entries_away() -> None:
    state = FULL.merge(
        ViewChange(
            labels={("addr", "bcrt1q"): "", ("addr", "new"): "n"},
            requests=dict.fromkeys(FULL_VIEW.requests),
            frozen={OutPoint(bytes(range(32)), 1): False},
            own_transactions={b"t" * 32: None},
            revealed={(0, Keychain.RECEIVE): 3},
        )
    )
    assert state.view.labels.keys() == {("tx", "ab" * 32), ("tx", ""), ("addr", "new")}
    assert not state.view.requests
    assert not state.view.frozen
    assert not state.view.own_transactions
    assert state.view.revealed == FULL_VIEW.revealed  # an index never falls
    assert state.settings == FULL.settings


def test_cache_key_is_not_shown() -> None:
    assert "CCCC" not in repr(FULL)


def test_newer_format_is_refused() -> None:
    value = json.loads(FULL.encode())
    value["format"] = 2
    with pytest.raises(NewerFormat, match="Update the program"):
        ViewState.decode(json.dumps(value).encode())


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_any_bytes_are_a_state_or_a_parse_error(data: bytes) -> None:
    with pytest.raises(ParseError):
        ViewState.decode(data)


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [prefix] if prefix else []
    if isinstance(value, dict):
        for key in value:
            found += paths(value[key], (*prefix, key))
    if isinstance(value, list):
        for position, item in enumerate(value):
            found += paths(item, (*prefix, position))
    return found


PATHS = [path for path in paths(json.loads(FULL.encode())) if path[0] != "settings"]


@given(st.sampled_from(PATHS), st.sampled_from([None, -1, 1.5, "x", [], {}, [[]], True, 1 << 70]))
@settings(deadline=None, max_examples=300)
def test_any_changed_value_is_read_as_it_is_or_refused(path: tuple[Any, ...], new: Any) -> None:
    value = json.loads(FULL.encode())
    place = value
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = new
    try:
        state = ViewState.decode(json.dumps(value).encode())
    except (ParseError, NewerFormat):
        return
    assert sorted(json.dumps(json.loads(state.encode()))) == sorted(json.dumps(value))


def test_state_without_birthday_or_secrets() -> None:
    description = replace(DESCRIPTION, birthday_time=None, has_secrets=False)
    state = ViewState(description)
    assert ViewState.decode(state.encode()) == state
