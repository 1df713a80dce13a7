from collections import Counter

from wallet_gui.chain.p2p.audit import DEPTH, PAUSE, SHARE, Audit


def drawn(audit: Audit, through: int, seconds: float = 10_000.0) -> list[int]:
    found = []
    now = 0.0
    while now < seconds:
        height = audit.due(through, now)
        if height is not None:
            found.append(height)
        now += PAUSE
    return found


def test_nothing_is_drawn_before_a_scan_is_known() -> None:
    assert drawn(Audit(lambda: 0.0), 100) == []


def test_only_what_was_scanned_in_this_session_and_is_new_is_drawn() -> None:
    audit = Audit(lambda: 0.0)
    audit.note_scan("a", 90)
    audit.note_scan("a", 10)  # its scan goes on: where it began is known
    assert drawn(audit, 100) == list(range(91, 101))
    assert drawn(audit, 103) == [101, 102, 103]
    audit.rewind(101)
    assert drawn(audit, 103) == [102, 103]
    deep = Audit(lambda: 0.0)
    deep.note_scan("a", -1)
    assert len(drawn(deep, 10_000)) == DEPTH


def test_checks_come_one_at_a_time() -> None:
    audit = Audit(lambda: 0.0)
    audit.note_scan("a", -1)
    assert audit.due(5, 0.0) == 0
    assert audit.due(5, PAUSE / 2) is None
    assert audit.due(5, PAUSE) == 1


def test_one_in_two_hundred_is_drawn_by_chance() -> None:
    counts: Counter[int] = Counter()
    for _ in range(50):
        audit = Audit()
        audit.note_scan("a", -1)
        counts.update(drawn(audit, DEPTH - 1, 200.0))
    expected = 50 * DEPTH / SHARE
    assert 0.7 * expected < counts.total() < 1.3 * expected
    assert len(counts) > 0.7 * expected  # not always the same ones
