from wallet_gui.chain.bitcoind.contacts import MOST, Contacts
from wallet_gui.chain.reports import Purpose, Route


def test_failures_of_one_kind_in_a_row_are_one_entry() -> None:
    contacts = Contacts("ssh://a@b")
    for now in range(5):
        contacts.begin(10 * now)
        contacts.failed(10 * now + 1, "No answer.")
    (entry,) = contacts.entries()
    assert (entry.host, entry.purpose, entry.route) == ("ssh://a@b", Purpose.SYNC, Route.SSH)
    assert (entry.began, entry.ended, entry.outcome) == (0, 41, "No answer. (5 times)")
    contacts.begin(60)
    assert contacts.entries()[0].ended is None
    contacts.failed(61, "Refused.")
    assert [each.outcome for each in contacts.entries()] == ["Refused.", "No answer. (5 times)"]


def test_a_connection_lies_between_failures() -> None:
    contacts = Contacts("h")
    contacts.begin(1)
    contacts.failed(2, "No.")
    contacts.begin(3)
    contacts.connected("OpenSSH_9.2")
    assert contacts.entries()[0].outcome == "OpenSSH_9.2"
    contacts.moved(70, 30)
    contacts.ended(9, "Lost.")
    contacts.ended(10, "again")
    contacts.moved(1, 1)
    contacts.begin(11)
    contacts.failed(12, "No.")
    last, middle, first = contacts.entries()
    assert (last.outcome, last.began) == ("No.", 11)
    assert (middle.ended, middle.outcome) == (9, "Lost.")
    assert (middle.inbound_bytes, middle.outbound_bytes) == (70, 30)
    assert first.outcome == "No."


def test_only_the_newest_are_kept() -> None:
    contacts = Contacts("h")
    for now in range(MOST + 50):
        contacts.begin(now)
        contacts.failed(now, f"reason {now}")
    assert len(contacts.entries()) == MOST
    assert contacts.entries()[0].began == MOST + 49
