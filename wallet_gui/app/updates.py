"""Updates: whether there is a newer version, asked only of a signed notice and only when wanted.

Off until the person switches it on; then about once a week, and never in the first minute of a
start. What comes is one small file, believed only when a built-in key signed it. Nothing is ever
downloaded or run: a person reads what it says and goes where they trust.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from wallet_gui import __version__
from wallet_gui.app.p2p_choice import NetworkChoice, NotPossible
from wallet_gui.app.update_notice import (
    DAY,
    NotANotice,
    NoticeOfNewerFormat,
    SignedNotice,
    UpdateNotice,
    read_signed,
)
from wallet_gui.chain.backend import ChainError
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse
from wallet_gui.chain.reports import LedgerEntry
from wallet_gui.release_signature import BadSignature, ReleaseKeys
from wallet_gui.storage.errors import StorageError
from wallet_gui.storage.settings import Settings
from wallet_gui.storage.update_file import MAX_REVOKED, UpdateFile, UpdateRecord

logger = logging.getLogger(__name__)

WEEK: Final = 7 * DAY
RETRY: Final = DAY
"""Seconds between checks, after one that answered and after one that did not."""
JITTER: Final = DAY
"""As many seconds later at most, so that nobody can tell a computer by its hour."""
FIRST_MIN: Final = 60
FIRST_MAX: Final = 600
"""Seconds from the start of the program to the first check that is due."""
MAX_AHEAD: Final = DAY
"""How far a notice's date may lie in the future: clocks differ."""
_LONGEST_SLEEP: Final = 1800  # a computer that was asleep looks again soon

DIRECTLY: Final = "directly"
NO_KEYS: Final = (
    "This copy of the program has no release key built in, so that no update notice could be "
    "believed: none is asked for. Look for newer versions where you got the program."
)


def way_of(use: ProxyUse, *, is_tor: bool) -> str:
    """How the host is asked, in words that follow its name."""
    if use is ProxyUse.NEVER:
        return DIRECTLY
    return "through Tor" if is_tor else "through the proxy of your settings"


class Outcome(Enum):
    """How an attempt ended."""

    NEWEST = "newest"
    NEWER = "newer"
    EXPIRED = "expired"  # signed, but held back or forgotten
    OLDER = "older"  # signed, and older than what was seen before
    FUTURE = "future"  # signed, and dated after today
    TOO_NEW = "too new"  # signed, and in a format of later versions
    NO_NOTICE = "no notice"  # something else came
    FORGED = "forged"  # not signed by a key that is trusted
    UNREACHABLE = "unreachable"

    @property
    def is_answer(self) -> bool:
        """Whether a notice came that counts."""
        return self in {Outcome.NEWEST, Outcome.NEWER, Outcome.EXPIRED}


SENTENCES: Final = {
    Outcome.EXPIRED: (
        "The newest notice has run out and no later one came. Somebody may be holding later ones "
        "back, or the makers have stopped: look where you got this program."
    ),
    Outcome.OLDER: (
        "The notice that came is older than one already seen. Somebody may be holding the newer "
        "one back; what is shown here is the newer one."
    ),
    Outcome.FUTURE: (
        "The notice that came is dated in the future. Set this computer's clock and try again."
    ),
    Outcome.TOO_NEW: (
        "The makers sent a notice that this version of the program is too old to read. Look for a "
        "newer version where you got this one."
    ),
    Outcome.NO_NOTICE: "What came was no update notice. Nothing of it is shown.",
    Outcome.FORGED: (
        "What came was not signed by the makers of this program. Do not believe anything that asks "
        "you to update now."
    ),
    Outcome.UNREACHABLE: "No answer came.",
}
"""What an outcome means where nothing more exact is known, as after a new start."""


class NotOffered(ChainError):
    """No check is possible in this copy of the program, or on this network; the sentence why."""


class GivenUp(ChainError):
    """A person ended the check."""


@dataclass(frozen=True, slots=True)
class UpdateStatus:
    """What is known, for a screen. Times are Unix times, 0 for never.

    `outcome` is that of the last attempt, `problem` a sentence about it where there is one.
    `notice` is the newest that was verified, whatever came after it. `way`: how the host is asked,
    in words. `is_expired`: nothing newer than `notice` came before it ran out.
    """

    version: str
    host: str
    way: str
    is_on: bool = False
    is_checking: bool = False
    tried: int = 0
    checked: int = 0
    outcome: Outcome | None = None
    problem: str = ""
    notice: UpdateNotice | None = None
    is_newer: bool = False
    is_expired: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether what came last pretended to be what it was not."""
        return self.outcome in {Outcome.FORGED, Outcome.OLDER}


class OnlineSide(Protocol):
    """What of `Online` is needed here."""

    settings: Settings
    unread_settings: str

    def network_choice(self) -> NetworkChoice: ...

    def note_contacts(self, entries: Sequence[LedgerEntry]) -> None: ...

    async def change_settings(self, **changes: object) -> Settings: ...


class Fetch(Protocol):
    """As `chain.notice.fetch`."""

    def __call__(
        self, url: str, options: P2POptions, note: Callable[[LedgerEntry], None], /
    ) -> Awaitable[bytes]: ...


async def _fetch(url: str, options: P2POptions, note: Callable[[LedgerEntry], None], /) -> bytes:
    # Loaded with the first check: whoever never asks for one never has its code in memory.
    from wallet_gui.chain.notice import fetch  # noqa: PLC0415

    return await fetch(url, options, note)


class Updates:
    """The update check of one data directory; lives on the engine's loop."""

    def __init__(
        self,
        online: OnlineSide,
        root: Path,
        keys: ReleaseKeys,
        publish: Callable[[UpdateStatus], None],
        *,
        fetch: Fetch = _fetch,
        clock: Callable[[], int] = lambda: int(time.time()),
        version: str = __version__,
        random_below: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        """Contact nobody, read nothing. Raises NotOffered where `keys` allow no check."""
        if not keys.offers_updates:
            raise NotOffered(NO_KEYS)
        self._online = online
        self._file = UpdateFile(root)
        self._keys = keys
        self._publish = publish
        self._fetch = fetch
        self._clock = clock
        self._version = version
        self._host = urlsplit(keys.notice_url).hostname or ""
        self._record = UpdateRecord()
        self._signed: SignedNotice | None = None
        self._problem = ""
        self._is_checking = False
        self._fetching: asyncio.Future[bytes] | None = None
        self._is_given_up = False
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()
        self._not_before = clock() + FIRST_MIN + random_below(FIRST_MAX - FIRST_MIN)
        self._jitter = random_below(JITTER)

    # --- what is known

    @property
    def _notice(self) -> UpdateNotice | None:
        return None if self._signed is None else self._signed.notice

    @property
    def _way(self) -> str:
        choice = self._online.network_choice()
        return way_of(choice.proxy_use, is_tor=choice.is_tor)

    @property
    def status(self) -> UpdateStatus:
        record, notice = self._record, self._notice
        outcome = _outcome(record.outcome)
        is_expired = notice is not None and notice.is_expired(self._clock())
        return UpdateStatus(
            version=self._version,
            host=self._host,
            way=self._way,
            is_on=self._online.settings.update_check,
            is_checking=self._is_checking,
            tried=record.tried,
            checked=record.checked,
            outcome=outcome,
            problem=self._problem_of(outcome, is_expired=is_expired),
            notice=notice,
            is_newer=notice is not None and notice.is_newer_than(self._version),
            is_expired=is_expired,
        )

    async def load(self) -> None:
        """Read what was learned before; what is not signed counts as nothing."""
        self._record = await asyncio.to_thread(self._file.load)
        self._signed = self._verified(self._record.notice)
        self._tell()

    def _verified(self, data: bytes) -> SignedNotice | None:
        # By any built-in key: one that withdrew itself said so with its last signature.
        try:
            return read_signed(data, self._keys.keys) if data else None
        except (NotANotice, BadSignature):
            return None

    def _problem_of(self, outcome: Outcome | None, *, is_expired: bool) -> str:
        if outcome is None or (outcome.is_answer and not is_expired):
            return ""
        return self._problem or SENTENCES[Outcome.EXPIRED if outcome.is_answer else outcome]

    async def tell(self) -> None:
        """Publish what is known, again: what it depends on may have changed."""
        self._tell()

    def _tell(self) -> None:
        self._publish(self.status)

    # --- what a person asks for

    async def switch(self, *, is_on: bool) -> None:
        """Store whether to look once a week; once it is on, the first look is at once.

        Raises WriteFailed, NewerFormat.
        """
        await self._online.change_settings(update_check=is_on)
        self._tell()
        self._changed.set()
        if is_on:
            await self.check()

    async def check(self, options: P2POptions | None = None) -> UpdateStatus:
        """Ask once, now; what came of it is in the status. Raises WriteFailed.

        `options` take the place of what the settings say about proxies.
        """
        async with self._lock:
            self._is_checking, self._is_given_up = True, False
            self._tell()
            try:
                record = await self._ask(options)
            finally:
                self._is_checking = False
                self._tell()
            # Later than the screen: a full disk takes nothing from what was learned.
            await asyncio.to_thread(self._file.save, record)
        self._changed.set()
        return self.status

    async def cancel(self) -> None:
        """Give a check that is under way up."""
        if self._fetching is not None:
            self._is_given_up = True
            self._fetching.cancel()

    async def _ask(self, options: P2POptions | None) -> UpdateRecord:
        self._problem = ""
        data = b""
        failure: str | None = None
        try:
            data = await self._fetched(options or self._options())
        except ChainError as error:
            failure = str(error)
        # Not before the answer is there: another process may learn something meanwhile.
        self._join(await asyncio.to_thread(self._file.load))
        if failure is not None:
            outcome, self._problem = Outcome.UNREACHABLE, failure
        else:
            outcome = self._outcome_of(data)
        now = self._clock()
        self._record = replace(self._record, tried=now, outcome=outcome.value)
        if outcome.is_answer:
            self._record = replace(self._record, checked=now)
        return self._record

    def _outcome_of(self, data: bytes) -> Outcome:
        try:
            return self._judge(data)
        except BadSignature as error:
            self._problem = (
                f"What {self._host} sent is not signed by the makers of this program. Do not "
                f"believe anything that asks you to update now. {error}"
            )
            return Outcome.FORGED
        except NoticeOfNewerFormat:
            return Outcome.TOO_NEW
        except NotANotice as error:
            self._problem = str(error)
            return Outcome.NO_NOTICE

    async def _fetched(self, options: P2POptions) -> bytes:
        contacts: list[LedgerEntry] = []
        fetching = self._fetch(self._keys.notice_url, options, contacts.append)
        self._fetching = asyncio.ensure_future(fetching)
        try:
            return await self._fetching
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._is_given_up and task is not None and not task.cancelling():
                raise GivenUp("The check was ended before an answer came.") from None
            raise
        finally:
            self._fetching = None
            self._online.note_contacts(contacts)

    def _join(self, stored: UpdateRecord) -> None:
        """Take over what another process learned meanwhile, unless it is older."""
        signed, mine = self._verified(stored.notice), self._record
        if signed is not None and not (signed.key_id in mine.revoked or self._is_older(signed)):
            self._signed = signed
            self._record = replace(mine, notice=stored.notice)
        revoked = tuple(dict.fromkeys((*mine.revoked, *stored.revoked)))[:MAX_REVOKED]
        self._record = replace(self._record, revoked=revoked)

    def _options(self) -> P2POptions:
        if self._online.unread_settings:
            # What was lost may have been "only through Tor": nothing is risked on a guess.
            raise NotPossible(
                f"{self._online.unread_settings} Nothing is asked until you choose how to connect, "
                "in Settings."
            )
        return self._online.network_choice().options()

    # --- what came

    def _judge(self, data: bytes) -> Outcome:
        """Verify a notice and take it over; raises BadSignature, NotANotice."""
        signed = read_signed(data, self._keys.keys)
        if signed.key_id in self._record.revoked and data != self._record.notice:
            raise BadSignature(
                f"It was signed with the key {signed.key_id}, which the makers have withdrawn."
            )
        notice, now = signed.notice, self._clock()
        if notice.date > now + MAX_AHEAD:
            return Outcome.FUTURE
        if self._is_older(signed):
            return Outcome.OLDER
        self._take(data, signed)
        if notice.is_expired(now):
            return Outcome.EXPIRED
        return Outcome.NEWER if notice.is_newer_than(self._version) else Outcome.NEWEST

    def _is_older(self, signed: SignedNotice) -> bool:
        """Whether a later notice is known; one signed by a key that this one withdraws is none.

        Else a thief could date a notice a day ahead, and be believed until that day was over.
        """
        known = self._signed
        if known is None or signed.notice.date >= known.notice.date:
            return False
        return known.key_id == signed.key_id or known.key_id not in signed.notice.revoked

    def _take(self, data: bytes, signed: SignedNotice) -> None:
        self._signed = signed
        built_in = {key.name for key in self._keys.keys}
        new = [each for each in signed.notice.revoked if each in built_in]
        revoked = tuple(dict.fromkeys((*self._record.revoked, *new)))[:MAX_REVOKED]
        self._record = replace(self._record, notice=data, revoked=revoked)

    # --- by itself

    async def run(self) -> None:
        """Look about once a week while that is switched on; ends when it is cancelled."""
        await self.load()
        while True:
            self._changed.clear()
            left = self._seconds_left()
            if left == 0:
                await self._check_by_itself()
                continue
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _seconds_left(self) -> int | None:
        """How long to sleep before looking again whether a check is due; 0 for now."""
        if not self._online.settings.update_check:
            return None
        now, record = self._clock(), self._record
        outcome = _outcome(record.outcome)
        is_answered = outcome is not None and outcome.is_answer
        # A clock that was set back must not put the next check off for years.
        tried = record.tried if record.tried <= now else 0
        self._not_before = min(self._not_before, now + FIRST_MAX)
        due = tried + (WEEK if is_answered else RETRY) + self._jitter if tried else 0
        left = max(due, self._not_before) - now
        return min(max(0, left), _LONGEST_SLEEP)

    async def _check_by_itself(self) -> None:
        async with self._lock:
            pass  # a check that is under way may be the one that is due
        if self._seconds_left() != 0:
            return
        try:
            await self.check()
        except StorageError as error:
            # Nobody is there to read it; it is asked again within the time that a failure takes.
            logger.warning("The result of the update check was not stored: %s", error)


def _outcome(text: str) -> Outcome | None:
    return next((each for each in Outcome if each.value == text), None)
