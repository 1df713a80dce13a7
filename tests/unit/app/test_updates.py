import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.release_keys import ReleaseSigner
from tests.unit.app.update_rig import NEWER, NOW, URL, VERSION, UpdateRig
from wallet_gui.app import update_words
from wallet_gui.app.update_notice import DAY, Level, join
from wallet_gui.app.updates import (
    NO_KEYS,
    SENTENCES,
    NotOffered,
    Outcome,
    Updates,
)
from wallet_gui.chain.backend import ChainError
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse
from wallet_gui.release_signature import ReleaseKeys
from wallet_gui.storage.errors import WriteFailed
from wallet_gui.storage.settings import Settings
from wallet_gui.storage.update_file import NAME, UpdateFile, UpdateRecord


@pytest.fixture
def rig(tmp_path: Path) -> UpdateRig:
    return UpdateRig(tmp_path)


# What is offered


@pytest.mark.parametrize(
    "keys", [ReleaseKeys(), ReleaseKeys(URL), ReleaseKeys("", (ReleaseSigner().public,))]
)
def test_without_a_key_or_a_place_nothing_is_offered(tmp_path: Path, keys: ReleaseKeys) -> None:
    rig = UpdateRig(tmp_path)
    with pytest.raises(NotOffered) as caught:
        Updates(rig.side, tmp_path, keys, rig.shown.append)
    assert str(caught.value) == NO_KEYS


def test_it_is_off_until_it_is_switched_on() -> None:
    assert not Settings().update_check


@pytest.mark.parametrize("value", ["true", 1, "yes", None, False, [], {}])
def test_only_a_plain_yes_in_the_settings_is_one(value: object) -> None:
    stored = Settings.from_json(json.dumps({"format": 1, "update_check": value}).encode())
    assert not stored.update_check


def test_a_yes_is_stored() -> None:
    assert Settings.from_json(Settings(update_check=True).to_json()).update_check


# What an answer means


def test_a_newer_version_is_told(rig: UpdateRig) -> None:
    status = rig.check()
    assert status.outcome is Outcome.NEWER
    assert status.is_newer
    assert status.problem == ""
    assert status.notice == NEWER
    assert (status.tried, status.checked) == (NOW, NOW)
    assert update_words.headline(status).startswith("Version 0.2.0 is out, says the notice of 20")
    assert update_words.short(status) == "New: 0.2.0"
    assert not update_words.is_urgent(status)
    assert [entry.purpose.value for entry in rig.side.contacts] == ["look for a newer version"]


@pytest.mark.parametrize("version", ["0.1.0", "0.1", "0.0.9", "0.1.0rc1"])
def test_a_version_that_is_not_newer_needs_nothing(rig: UpdateRig, version: str) -> None:
    status = rig.check(rig.signed(replace(NEWER, version=version)))
    assert status.outcome is Outcome.NEWEST
    assert not status.is_newer
    assert update_words.headline(status) == update_words.short(status) == ""
    assert "you have the newest version" in update_words.state(status)


def test_once_it_is_installed_a_version_is_new_no_more(rig: UpdateRig) -> None:
    rig.check()
    rig.version = "0.2.0"
    status = rig.restart()
    assert not status.is_newer
    assert update_words.headline(status) == ""
    assert "you have the newest version" in update_words.state(status)


def test_what_was_verified_is_there_after_a_restart(rig: UpdateRig) -> None:
    before = rig.check()
    assert rig.restart() == before


def test_a_security_notice_is_urgent_while_it_is_newer(rig: UpdateRig) -> None:
    status = rig.check(rig.signed(replace(NEWER, level=Level.SECURITY)))
    assert update_words.is_urgent(status)
    assert "closes a hole" in update_words.urgency(status)
    assert update_words.short(status) == "Security fix"
    rig.version = "0.2.0"
    assert not update_words.is_urgent(rig.restart())


def test_an_older_notice_than_one_seen_is_a_replay(rig: UpdateRig) -> None:
    rig.check()
    status = rig.check(rig.signed(replace(NEWER, version="0.1.1", date=NEWER.date - 1)))
    assert status.outcome is Outcome.OLDER
    assert status.problem == SENTENCES[Outcome.OLDER]
    assert status.notice == NEWER  # what is shown stays the newest
    assert status.is_newer
    assert rig.restart() == status


def test_the_same_notice_again_is_no_replay(rig: UpdateRig) -> None:
    rig.check()
    assert rig.check().outcome is Outcome.NEWER


def test_a_notice_that_has_run_out_is_a_freeze(rig: UpdateRig) -> None:
    old = replace(NEWER, date=NOW - 1000, expires=NOW - 1)
    status = rig.check(rig.signed(old))
    assert status.outcome is Outcome.EXPIRED
    assert status.problem == SENTENCES[Outcome.EXPIRED]
    assert status.is_newer
    assert "newest version" not in update_words.state(status)
    # And the newest version no less: nobody knows.
    status = rig.check(rig.signed(replace(old, version="0.1.0")))
    assert status.outcome is Outcome.EXPIRED
    assert "you have the newest" not in update_words.state(status)


def test_a_notice_that_runs_out_later_is_told_then(rig: UpdateRig) -> None:
    assert rig.check().problem == ""
    rig.now += 20_000_000
    status = rig.restart()
    assert status.is_expired
    assert status.problem == SENTENCES[Outcome.EXPIRED]


def test_a_date_in_the_future_is_not_taken(rig: UpdateRig) -> None:
    # It would make every later notice look older.
    ahead = replace(NEWER, date=NOW + 2 * DAY)
    status = rig.check(rig.signed(ahead))
    assert status.outcome is Outcome.FUTURE
    assert status.notice is None
    assert rig.check(rig.signed(NEWER)).outcome is Outcome.NEWER
    # A clock that goes an hour late is not told so.
    assert rig.check(rig.signed(replace(NEWER, date=NOW + 3600))).outcome is Outcome.NEWER


@pytest.mark.parametrize("data", [b"<html>Sign in</html>\n" * 9, b"", b"\x1f\x8b\x08" * 50])
def test_something_else_is_no_notice(rig: UpdateRig, data: bytes) -> None:
    status = rig.check(data)
    assert status.outcome is Outcome.NO_NOTICE
    assert status.problem.endswith(".")
    assert status.notice is None
    assert status.checked == 0


def test_a_forged_notice_is_told_loudly_and_nothing_of_it(rig: UpdateRig) -> None:
    forged = replace(NEWER, text="Update at once at evil.example", page="https://evil.example")
    for data in (
        rig.signed(forged, ReleaseSigner()),
        rig.signed(NEWER).replace(b"0.2.0", b"0.3.0"),
    ):
        status = rig.check(data)
        assert status.outcome is Outcome.FORGED
        assert status.notice is None
        assert "not signed by the makers" in status.problem
        assert "evil" not in repr(status)
    assert "evil" not in (rig.root / NAME).read_text()
    assert rig.restart().problem == SENTENCES[Outcome.FORGED]


def test_after_a_forgery_the_true_notice_stays(rig: UpdateRig) -> None:
    rig.check()
    status = rig.check(rig.signed(replace(NEWER, date=NOW), ReleaseSigner()))
    assert status.outcome is Outcome.FORGED
    assert status.notice == NEWER


def test_a_notice_for_later_versions_says_to_look(rig: UpdateRig) -> None:
    body = NEWER.to_json().replace(b'"format": 1', b'"format": 7')
    data = join(rig.signer.sign(body), body)
    status = rig.check(data)
    assert status.outcome is Outcome.TOO_NEW
    assert "too old to read" in status.problem


def test_no_answer_is_told_and_forgets_nothing(rig: UpdateRig) -> None:
    rig.check()
    rig.now += 50
    status = rig.check(ChainError("There is no way to the internet."))
    assert status.outcome is Outcome.UNREACHABLE
    assert status.problem == "There is no way to the internet."
    assert (status.tried, status.checked) == (NOW + 50, NOW)
    assert status.is_newer
    assert rig.restart().problem == SENTENCES[Outcome.UNREACHABLE]


# Keys that were withdrawn


def test_a_withdrawn_key_is_believed_no_more(tmp_path: Path) -> None:
    stolen, other = ReleaseSigner(), ReleaseSigner()
    rig = UpdateRig(tmp_path, keys=ReleaseKeys(URL, (stolen.public, other.public)))
    warning = replace(NEWER, level=Level.KEY, revoked=(stolen.public.name,), date=NOW - 10)
    status = rig.check(rig.signed(warning, other))
    assert update_words.is_urgent(status)
    assert update_words.headline(status).startswith("Warning of 20")
    assert update_words.short(status) == "Key warning"
    # The thief signs a later one; also after a restart, and also after an ordinary notice.
    later = replace(NEWER, date=NOW, page="https://evil.example")
    assert rig.check(rig.signed(later, stolen)).outcome is Outcome.FORGED
    assert rig.check(rig.signed(replace(NEWER, date=NOW), other)).outcome is Outcome.NEWER
    status = rig.check(rig.signed(replace(later, date=NOW + 1), stolen))
    assert status.outcome is Outcome.FORGED
    assert stolen.public.name in status.problem
    assert "evil" not in repr(status)


def test_a_thief_who_dates_a_notice_ahead_does_not_outlive_the_warning(tmp_path: Path) -> None:
    stolen, other = ReleaseSigner(), ReleaseSigner()
    rig = UpdateRig(tmp_path, keys=ReleaseKeys(URL, (stolen.public, other.public)))
    ahead = replace(NEWER, date=NOW + DAY, page="https://evil.example")
    assert rig.check(rig.signed(ahead, stolen)).outcome is Outcome.NEWER
    # An older notice that withdraws nothing, or another key, is a replay as ever.
    for revoked in ((), ("00" * 8,)):
        warning = replace(NEWER, level=Level.KEY, date=NOW, revoked=revoked)
        assert rig.check(rig.signed(warning, other)).outcome is Outcome.OLDER
    warning = replace(NEWER, level=Level.KEY, date=NOW, revoked=(stolen.public.name,))
    status = rig.check(rig.signed(warning, other))
    assert status.outcome is Outcome.NEWER
    assert status.notice == warning
    assert rig.restart() == status
    assert rig.check(rig.signed(ahead, stolen)).outcome is Outcome.FORGED
    assert rig.restart().notice == warning

    async def beside() -> None:
        updates = rig.make()
        await updates.load()
        # Another process that knew nothing of the warning stores what it has.
        UpdateFile(tmp_path).save(UpdateRecord(notice=rig.signed(ahead, stolen)))
        rig.answer = ChainError("No answer.")
        assert (await updates.check()).notice == warning

    asyncio.run(beside())
    assert rig.restart().notice == warning


def test_a_key_may_withdraw_itself(rig: UpdateRig) -> None:
    own = rig.signer.public.name
    warning = rig.signed(replace(NEWER, level=Level.KEY, revoked=(own,)))
    assert update_words.is_urgent(rig.check(warning))
    # The same warning is served again; anything else from that key is refused.
    assert update_words.is_urgent(rig.check(warning))
    assert rig.check(rig.signed(replace(NEWER, date=NOW))).outcome is Outcome.FORGED
    assert update_words.is_urgent(rig.restart())


# What is stored


def test_an_edited_file_makes_nobody_believe_anything(rig: UpdateRig) -> None:
    rig.check()
    path = rig.root / NAME
    other = UpdateRig(rig.root)
    other.check(other.signed(replace(NEWER, page="https://evil.example")))
    assert path.exists()
    status = rig.restart()
    assert status.notice is None
    assert "evil" not in repr(status)


def test_another_process_that_saw_a_newer_notice_counts(rig: UpdateRig) -> None:
    async def both() -> None:
        window, command = rig.make(), rig.make()
        await window.load()
        rig.answer = rig.signed(replace(NEWER, date=NOW))
        await command.load()
        await command.check()
        rig.answer = rig.signed(NEWER)
        status = await window.check()
        assert status.outcome is Outcome.OLDER
        assert status.notice == replace(NEWER, date=NOW)

    asyncio.run(both())


def test_what_another_process_learns_during_a_check_is_not_lost(rig: UpdateRig) -> None:
    newest = replace(NEWER, date=NOW)

    async def both() -> None:
        window, command = rig.make(), rig.make()
        await window.load()
        await command.load()
        gate = rig.gate = asyncio.Event()
        asking = asyncio.create_task(window.check())
        while not rig.fetches:  # noqa: ASYNC110 - it has no event of its own
            await asyncio.sleep(0)
        rig.gate, rig.answer = None, rig.signed(newest)
        await command.check()
        # Somebody between keeps the newest one from the window alone.
        rig.answer = rig.signed(NEWER)
        gate.set()
        status = await asking
        assert status.outcome is Outcome.OLDER
        assert status.notice == newest

    asyncio.run(both())
    assert rig.restart().notice == newest


def test_a_full_disk_takes_nothing_from_the_screen(tmp_path: Path) -> None:
    rig = UpdateRig(tmp_path / "missing")

    async def once() -> None:
        updates = rig.make()
        await updates.load()
        with pytest.raises(WriteFailed):
            await updates.check()
        assert updates.status.outcome is Outcome.NEWER

    asyncio.run(once())
    assert rig.shown[-1].is_newer
    assert not rig.shown[-1].is_checking


# How it is asked


def test_the_proxy_of_the_settings_is_used(rig: UpdateRig) -> None:
    rig.side.settings = Settings(proxy="127.0.0.1:9050", proxy_use="everything")
    status = rig.check()
    tor = PeerAddress("127.0.0.1", 9050)
    assert rig.fetches == [P2POptions(proxy=tor, proxy_use=ProxyUse.EVERYTHING)]
    assert status.way == "through Tor"
    assert "sees your internet address" not in update_words.intro(status)
    rig.side.settings = replace(rig.side.settings, is_tor=False)
    assert rig.restart().way == "through the proxy of your settings"
    rig.side.settings = Settings()
    assert "sees your internet address" in update_words.intro(rig.restart())


@pytest.mark.parametrize(
    ("settings", "unread", "words"),
    [
        (Settings(proxy="nonsense:x:y", proxy_use="everything"), "", "cannot be read"),
        (Settings(), "The settings were damaged.", "until you choose how to connect"),
    ],
)
def test_what_cannot_be_done_as_wished_is_not_done(
    rig: UpdateRig, settings: Settings, unread: str, words: str
) -> None:
    rig.side.settings, rig.side.unread_settings = settings, unread
    status = rig.check()
    assert rig.fetches == []
    assert status.outcome is Outcome.UNREACHABLE
    assert words in status.problem


def test_two_checks_at_once_are_one_after_the_other(rig: UpdateRig) -> None:
    async def both() -> None:
        updates = rig.make()

        def fetched() -> None:
            assert rig.shown[-1].is_checking

        rig.fetched = fetched
        await asyncio.gather(updates.check(), updates.check())

    asyncio.run(both())
    assert len(rig.fetches) == 2
    assert not rig.shown[-1].is_checking


def test_a_check_that_is_given_up_is_over(rig: UpdateRig) -> None:
    async def once() -> None:
        updates = rig.make()
        rig.gate = asyncio.Event()
        task = asyncio.create_task(updates.check())
        while not rig.fetches:  # noqa: ASYNC110 - it has no event of its own
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not updates.status.is_checking
        rig.gate = None
        assert (await updates.check()).outcome is Outcome.NEWER

    asyncio.run(once())


def test_a_person_may_end_a_check(rig: UpdateRig) -> None:
    async def once() -> None:
        updates = rig.make()
        await updates.cancel()  # nothing is under way
        rig.gate = asyncio.Event()
        task = asyncio.create_task(updates.check())
        while not rig.fetches:  # noqa: ASYNC110 - it has no event of its own
            await asyncio.sleep(0)
        await updates.cancel()
        status = await task
        assert status.outcome is Outcome.UNREACHABLE
        assert "was ended" in status.problem
        rig.gate = None
        assert (await updates.check()).outcome is Outcome.NEWER

    asyncio.run(once())


def test_the_settings_that_cannot_be_stored_are_told(rig: UpdateRig) -> None:
    rig.side.error = WriteFailed("The disk is full.")

    async def once() -> None:
        with pytest.raises(WriteFailed):
            await rig.make().switch(is_on=True)

    asyncio.run(once())
    assert rig.fetches == []


# Words


def test_every_outcome_has_words(rig: UpdateRig) -> None:
    for outcome in Outcome:
        assert (outcome in SENTENCES) == (outcome not in {Outcome.NEWEST, Outcome.NEWER})
    status = rig.restart()
    assert update_words.state(status) == "It was never asked."
    assert VERSION in update_words.intro(status)
    assert update_words.state(replace(status, is_checking=True)).startswith("Asking updates.")
