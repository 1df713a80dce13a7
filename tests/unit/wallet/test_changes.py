import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.wallet.chain_world import describe
from wallet_gui.primitives.transaction import OutPoint
from wallet_gui.wallet.changes import (
    Anchor,
    Attempts,
    BlockRef,
    CacheChange,
    ChangeSet,
    Evidence,
    Keychain,
    OwnTransaction,
    PaymentRequest,
    ViewChange,
    WalletDescription,
    WalletState,
    chains,
)

IDS = st.sampled_from([bytes([n]) * 32 for n in range(3)])
CHAINS = st.sampled_from(list(chains(2)))
INDEXES = st.dictionaries(CHAINS, st.integers(0, 9), max_size=3)
REQUESTS = st.builds(
    lambda index, label: PaymentRequest(Keychain.RECEIVE, index, 0, label=label),
    st.integers(0, 3),
    st.text(max_size=2),
)
CHANGES = st.builds(
    ChangeSet,
    st.builds(
        ViewChange,
        revealed=INDEXES,
        labels=st.dictionaries(st.tuples(st.just("tx"), st.sampled_from("ab")), st.text()),
        requests=st.dictionaries(
            st.just((0, Keychain.RECEIVE, 1)), st.one_of(st.none(), REQUESTS), max_size=1
        ),
        frozen=st.dictionaries(st.builds(OutPoint, IDS, st.just(0)), st.booleans()),
        own_transactions=st.dictionaries(
            IDS, st.one_of(st.none(), st.builds(OwnTransaction, st.binary(), st.just(5)))
        ),
    ),
    st.builds(
        CacheChange,
        transactions=st.dictionaries(IDS, st.one_of(st.none(), st.binary())),
        anchors=st.dictionaries(
            IDS,
            st.one_of(st.none(), st.builds(Anchor, st.integers(0, 9), IDS, st.just(1), st.just(0))),
        ),
        first_seen=st.dictionaries(IDS, st.one_of(st.none(), st.integers())),
        seen_order=st.dictionaries(IDS, st.one_of(st.none(), st.integers())),
        last_used=INDEXES,
        checkpoints=st.dictionaries(st.integers(0, 5), st.one_of(st.none(), IDS)),
        abandoned=st.dictionaries(IDS, st.booleans()),
        attempts=st.dictionaries(
            IDS,
            st.one_of(
                st.none(),
                st.builds(Attempts, *[st.integers(0, 9)] * 5, evidence=st.sampled_from(Evidence)),
            ),
        ),
    ),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(CHANGES, max_size=5), st.integers(0, 5))
def test_merging_first_and_storing_one_by_one_are_the_same(
    changes: list[ChangeSet], cut: int
) -> None:
    one_by_one = WalletState()
    for change in changes:
        one_by_one = one_by_one.apply(change)
    early, late = ChangeSet(), ChangeSet()
    for change in changes[:cut]:
        early = early.merge(change)
    for change in changes[cut:]:
        late = late.merge(change)
    assert WalletState().apply(early.merge(late)) == one_by_one
    assert WalletState().apply(early).apply(late) == one_by_one
    assert one_by_one.view == one_by_one.view.settled()
    assert one_by_one.cache == one_by_one.cache.settled()


@settings(deadline=None, max_examples=30)
@given(CHANGES)
def test_an_empty_change_changes_nothing(change: ChangeSet) -> None:
    assert ChangeSet().is_empty
    assert change.merge(ChangeSet()) == change == ChangeSet().merge(change)
    assert change.is_empty == (change == ChangeSet())


def test_shown_and_paid_indexes_only_grow() -> None:
    key = (0, Keychain.CHANGE)
    change = ChangeSet(ViewChange(revealed={key: 7}), CacheChange(last_used={key: 5}))
    lower = ChangeSet(ViewChange(revealed={key: 3}), CacheChange(last_used={key: 4}))
    merged = change.merge(lower)
    assert (merged.view.revealed, merged.cache.last_used) == ({key: 7}, {key: 5})


def test_the_scan_mark_is_the_highest_checkpoint() -> None:
    assert CacheChange().scan_mark is None
    marks = CacheChange(checkpoints={3: b"c", 9: None, 5: b"e"})
    assert marks.scan_mark == BlockRef(5, b"e")


def test_a_description_keeps_its_cache_key_to_itself() -> None:
    description = describe()
    assert "cache_key" not in repr(description)
    with pytest.raises(ValueError, match="active"):
        WalletDescription("x", "regtest", (), 0, "", None, bytes(32))
