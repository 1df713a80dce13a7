import itertools

import pytest

from tests.unit.chain.bitcoind.node_facts import node_facts
from wallet_gui.chain.bitcoind.node_facts import FilterIndex, IndexState
from wallet_gui.chain.bitcoind.rungs import Choice, P2PFacts, Rung, Wish, choose

INDEXES = {
    "ready": FilterIndex(IndexState.READY, 100),
    "building": FilterIndex(IndexState.BUILDING, 50),
    "none": FilterIndex(IndexState.ABSENT),
}
FILTERS = P2PFacts(has_filters=True)
NO_FILTERS = P2PFacts(has_filters=False)
A, S, P, C = Rung.ACTIVITY, Rung.SCAN, Rung.P2P, Rung.COINS

# index, v29, P2P filters, tell nothing -> rung, whether scripts are told
TABLE = {
    ("ready", True, False, False): (A, True),
    ("ready", True, True, False): (A, True),
    ("ready", False, False, False): (S, True),
    ("ready", False, True, False): (S, True),
    ("ready", True, False, True): (S, False),
    ("ready", True, True, True): (P, False),
    ("ready", False, False, True): (S, False),
    ("ready", False, True, True): (P, False),
    ("building", True, False, False): (C, True),
    ("building", True, True, False): (P, False),
    ("building", False, False, False): (C, True),
    ("building", False, True, False): (P, False),
    ("building", True, False, True): (C, False),
    ("building", True, True, True): (P, False),
    ("building", False, False, True): (C, False),
    ("building", False, True, True): (P, False),
    ("none", True, False, False): (C, True),
    ("none", True, True, False): (P, False),
    ("none", False, False, False): (C, True),
    ("none", False, True, False): (P, False),
    ("none", True, False, True): (C, False),
    ("none", True, True, True): (P, False),
    ("none", False, False, True): (C, False),
    ("none", False, True, True): (P, False),
}


def chosen(
    index: str,
    *,
    has_activity: bool,
    has_p2p: bool,
    tell_nothing: bool,
    is_pruned: bool = False,
    rung: Rung | None = None,
) -> Choice:
    facts = node_facts(
        filter_index=INDEXES[index],
        has_activity=has_activity,
        is_pruned=is_pruned,
        prune_height=50 if is_pruned else None,
    )
    p2p = FILTERS if has_p2p else NO_FILTERS
    return choose(facts, p2p=p2p, wish=Wish(tell_nothing=tell_nothing, rung=rung))


def test_the_table_is_complete() -> None:
    flags = [True, False]
    assert set(TABLE) == set(itertools.product(INDEXES, flags, flags, flags))


@pytest.mark.parametrize("is_pruned", [False, True], ids=["full", "pruned"])
@pytest.mark.parametrize("row", TABLE, ids=str)
def test_every_combination(row: tuple[str, bool, bool, bool], is_pruned: bool) -> None:  # noqa: FBT001
    index, has_activity, has_p2p, tell_nothing = row
    choice = chosen(
        index,
        has_activity=has_activity,
        has_p2p=has_p2p,
        tell_nothing=tell_nothing,
        is_pruned=is_pruned,
    )
    assert (choice.rung, choice.tells_scripts) == TABLE[row]
    assert choice.needs_public_blocks is is_pruned
    assert ("public peers" in choice.sentence) is is_pruned
    assert ("which addresses are yours" in choice.sentence) is choice.tells_scripts
    assert choice.learns in choice.sentence
    assert (choice.offer is not None) is (choice.rung is C and index == "none")
    assert ("when the node has finished" in choice.sentence) is (
        choice.rung is C and index == "building"
    )
    shown = Rung.PRUNED if is_pruned and choice.rung is not C else choice.rung
    assert choice.shown_rung is shown


@pytest.mark.parametrize("wished", list(Rung))
@pytest.mark.parametrize("row", TABLE, ids=str)
def test_a_wish_is_granted_or_explained(row: tuple[str, bool, bool, bool], wished: Rung) -> None:
    index, has_activity, has_p2p, tell_nothing = row
    choice = chosen(
        index,
        has_activity=has_activity,
        has_p2p=has_p2p,
        tell_nothing=tell_nothing,
        rung=wished,
    )
    is_granted = choice.rung is (S if wished is Rung.PRUNED else wished)
    assert ("not possible" in choice.sentence) is not is_granted
    if not is_granted:
        assert choice.rung is TABLE[row][0]
    if tell_nothing:
        assert not choice.tells_scripts
    if wished is C:
        assert is_granted
    if wished is Rung.PRUNED:
        assert choice.needs_public_blocks is is_granted


def test_the_p2p_port_alone_is_enough() -> None:
    choice = choose(None, p2p=FILTERS, wish=Wish())
    assert (choice.rung, choice.needs_public_blocks) == (P, False)
    limited = P2PFacts(has_filters=True, keeps_all_blocks=False)
    assert choose(None, p2p=limited, wish=Wish()).needs_public_blocks


@pytest.mark.parametrize("p2p", [None, NO_FILTERS])
def test_nothing_at_all_is_no_choice(p2p: P2PFacts | None) -> None:
    with pytest.raises(ValueError, match="neither"):
        choose(None, p2p=p2p, wish=Wish())
