"""Contacts of earlier backends are kept, and not without end."""

from wallet_gui.app.contacts import MAX_PAST, Contacts
from wallet_gui.chain.reports import LedgerEntry, Purpose, Route


def entries(count: int, began: int) -> list[LedgerEntry]:
    return [
        LedgerEntry(f"10.0.0.{i % 250}:8333", Purpose.SYNC, Route.DIRECT, began)
        for i in range(count)
    ]


def test_the_newest_stay_and_all_of_them_have_ended() -> None:
    contacts = Contacts()
    for start in range(5):
        contacts.keep(entries(2000, start), now=100 + start)
    kept = contacts.all(entries(1, 50))
    assert len(kept) == 1 + MAX_PAST
    assert [kept[0].began, kept[1].began, kept[-1].began] == [50, 4, 3]
    assert kept[0].ended is None
    # A test of a node may have been made while a backend ran that began before it.
    late = contacts.all([*entries(1, 2), *entries(1, 60)])
    assert [entry.began for entry in late[:2]] == [60, 4]
    assert {entry.ended for entry in kept[1:]} == {103, 104}
