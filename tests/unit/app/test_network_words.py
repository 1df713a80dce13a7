import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.app.contacts import Contacts
from wallet_gui.app.network_words import (
    LEDGER_TITLES,
    NOTHING_ELSE,
    PEER_TITLES,
    advice_age,
    bytes_text,
    duration_text,
    ledger_cells,
    ledger_summary,
    ledger_text,
    peer_cells,
    plan_sentences,
    preview_sentence,
    sources_text,
)
from wallet_gui.app.published import PreviewSnapshot, SyncSnapshot
from wallet_gui.chain.reports import FeeAdvice, LedgerEntry, PeerInfo, Purpose, Route, ScanPlan

NOW = 1_800_000_000
FORBIDDEN = re.compile("[\u0000-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
texts = st.text(max_size=400)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_500, "1.5 kB"),
        (250_000, "250 kB"),
        (8_100_000_000, "8.1 GB"),
        (3_000_000, "3.0 MB"),
    ],
)
def test_amounts_of_data(count: int, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1 s"), (59, "59 s"), (60, "1 min"), (3_700, "1 h 1 min"), (200_000, "2 days")],
)
def test_spans_of_time(seconds: int, text: str) -> None:
    assert duration_text(seconds) == text


@settings(deadline=None)
@given(texts, texts, texts, texts)
def test_what_peers_write_is_one_plain_capped_line(a: str, b: str, c: str, d: str) -> None:
    peer = PeerInfo(a, b, 0, 1, transport=c, network=d, note=a, purposes=(Purpose.SYNC,))
    contact = LedgerEntry(a, Purpose.SEED, Route.TOR, NOW, NOW + 1, b, 1, 1, c)
    cells = [*peer_cells(peer, NOW), *ledger_cells(contact)]
    assert len(cells) == len(PEER_TITLES) + len(LEDGER_TITLES)
    assert all(FORBIDDEN.search(cell) is None and len(cell) <= 210 for cell in cells)
    # One line for each contact, whatever stands in it.
    assert len(ledger_text([contact]).splitlines()) == 3


def test_the_copied_text_ends_with_what_it_promises() -> None:
    entry = LedgerEntry("seed.example", Purpose.SEED, Route.DIRECT, NOW, NOW, outcome="3 came.")
    assert ledger_text([entry]).rstrip().endswith(NOTHING_ELSE)
    assert "look up addresses of peers" in ledger_text([entry])
    assert ledger_summary([]) == "Nothing was contacted yet."
    assert ledger_summary([entry, entry]).startswith("1 host, 2 contacts")


def test_sources_count_networks() -> None:
    def shown(*networks: str) -> str:
        peers = tuple(PeerInfo(f"p{n}", "", 0, 0, network=net) for n, net in enumerate(networks))
        return sources_text(SyncSnapshot("mainnet", "P2P", peers=peers))

    assert shown() == "No source"
    assert shown("a") == "One source"
    assert shown("a", "a") == "2 sources in 1 network"
    assert shown("a", "b", "") == "3 sources in 3 networks"


def test_a_plan_says_what_is_not_known() -> None:
    plan = ScanPlan("w", 10, None, 20, 11, 22_000, None, 0, 0)
    what, cost = plan_sentences(plan)
    assert what == "From block 10 to block 20: the filters of 11 blocks."
    assert "no peer that serves filters is connected yet" in cost
    assert "speed" not in cost


def test_a_plan_of_ones_own_node_names_it_and_no_peers() -> None:
    what, cost = plan_sentences(ScanPlan("w", 10, None, 20, 11, 0, 5, 1, 0))
    assert what == "From block 10 to block 20: the filters of 11 blocks."
    assert cost == "Your node looks them up; only blocks with payments of yours are fetched."
    _, cost = plan_sentences(ScanPlan("w", 10, None, 20, 11, 22_000, None, 1, 0))
    assert cost.endswith(" to download, from your node.")


@pytest.mark.parametrize(
    ("preview", "text"),
    [
        (
            PreviewSnapshot(100, NOW - 14 * 86_400, 2_115, 1_230_000, 3),
            "Newest two weeks: +0.01230000 BTC in 3 payments so far; older ones follow.",
        ),
        (
            PreviewSnapshot(100, None, 199, 5, 1, is_done=True),
            "Newest 100 blocks: +0.01230000 BTC in 1 payment; older ones follow.",
        ),
        (
            PreviewSnapshot(100, NOW - 8 * 86_400, 199, 0, 0),
            "Newest week: nothing found so far; older blocks follow.",
        ),
    ],
)
def test_previews_never_sound_like_the_whole(preview: PreviewSnapshot, text: str) -> None:
    assert preview_sentence(preview, "0.01230000", NOW) == text


def test_advice_tells_its_age() -> None:
    advice = FeeAdvice(1, 1, 1, 1, "", NOW - 300)
    assert advice_age(advice, NOW) == "5 min ago"
    assert advice_age(advice, NOW - 300) == "just now"


def test_contacts_outlive_the_source_that_made_them() -> None:
    contacts = Contacts()
    first = LedgerEntry("a", Purpose.SYNC, Route.DIRECT, NOW)
    contacts.keep([first], NOW + 5)
    second = LedgerEntry("b", Purpose.SYNC, Route.DIRECT, NOW + 6)
    shown = contacts.all([second])
    assert [entry.host for entry in shown] == ["b", "a"]
    assert shown[1].ended == NOW + 5
