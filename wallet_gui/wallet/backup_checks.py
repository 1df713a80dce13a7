"""When the backups of a wallet were last checked, and when that is due again.

A backup that nobody ever tried is a hope. What was tried is kept in the wallet's view box, as the
JSON value of the setting `SETTING`; a reminder comes at once for a backup that was never checked,
30 days after the first check, and every 180 days from then on. It can be put off for a week.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Self

SETTING: Final = "backup_checks"
DAY: Final = 86_400
SECOND_AFTER: Final = 30 * DAY
LATER_AFTER: Final = 180 * DAY
PUT_OFF: Final = 7 * DAY

_CLOCK_SLACK: Final = DAY
_WORDS_AS_TEXT: Final = (12, 15, 18, 21, 24)


class BackupKind(StrEnum):
    """What a wallet is brought back from."""

    WORDS = "words"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Checked:
    """The checks of one kind of backup that went well: how many, and the last one's Unix time."""

    count: int = 0
    last: int = 0

    @property
    def due(self) -> int:
        """The Unix time at which it is to be checked again; 0 stands for now."""
        if not self.count:
            return 0
        return self.last + (SECOND_AFTER if self.count == 1 else LATER_AFTER)


@dataclass(frozen=True, slots=True)
class BackupChecks:
    """What is known about a wallet's backups.

    `put_off_until` is a Unix time, 0 when nothing was put off. `word_count` and `has_passphrase`
    are known once the words were checked; `word_count` is 0 for a wallet that has no words, and
    None before.
    """

    words: Checked = field(default_factory=Checked)
    file: Checked = field(default_factory=Checked)
    put_off_until: int = 0
    word_count: int | None = None
    has_passphrase: bool | None = None

    @classmethod
    def of(cls, setting: Any) -> Self:
        """Read what `to_setting` made; anything else counts as never checked."""
        if not isinstance(setting, Mapping):
            return cls()
        word_count, has_passphrase = setting.get("word_count"), setting.get("has_passphrase")
        return cls(
            words=_checked(setting.get("words")),
            file=_checked(setting.get("file")),
            put_off_until=_number(setting.get("put_off_until")),
            word_count=word_count if word_count in (0, *_WORDS_AS_TEXT) else None,
            has_passphrase=has_passphrase if isinstance(has_passphrase, bool) else None,
        )

    def to_setting(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {
            "words": [self.words.count, self.words.last],
            "file": [self.file.count, self.file.last],
            "put_off_until": self.put_off_until,
            "word_count": self.word_count,
            "has_passphrase": self.has_passphrase,
        }

    def checked(self, kind: BackupKind) -> Checked:
        return self.words if kind is BackupKind.WORDS else self.file

    def succeeded(self, kind: BackupKind, now: int) -> Self:
        """Note that a backup was checked and is good. A second check on one day counts once."""
        before = self.checked(kind)
        is_same_day = before.count and 0 <= now - before.last < DAY
        after = Checked(before.count if is_same_day else before.count + 1, now)
        return self._with(kind, after)

    def failed(self, kind: BackupKind) -> Self:
        """Note that a backup is wrong: whatever was known to be good before is not any more."""
        return self._with(kind, Checked())

    def _with(self, kind: BackupKind, after: Checked) -> Self:
        changed = replace(self, put_off_until=0)
        if kind is BackupKind.WORDS:
            return replace(changed, words=after)
        return replace(changed, file=after)

    def drilled(self, *, is_right: bool, word_count: int, has_passphrase: bool, now: int) -> Self:
        """Note the outcome of typing the words; `word_count` is 0 for a wallet without words."""
        known = replace(self, word_count=word_count, has_passphrase=has_passphrase)
        if is_right:
            return known.succeeded(BackupKind.WORDS, now)
        return known.failed(BackupKind.WORDS) if word_count else known

    def put_off(self, now: int) -> Self:
        """Let the reminder rest for a week."""
        return replace(self, put_off_until=now + PUT_OFF)

    def needed(self, *, has_secrets: bool, is_multisig: bool) -> tuple[BackupKind, ...]:
        """Return what brings this wallet back, the more important first.

        The words are enough for a wallet of one key. A multisig needs its descriptor besides, and
        a wallet that only watches, or that was made from an extended key, has nothing but it.
        """
        if not has_secrets or self.word_count == 0:
            return (BackupKind.FILE,)
        return (BackupKind.WORDS, BackupKind.FILE) if is_multisig else (BackupKind.WORDS,)

    def reminder(self, needed: tuple[BackupKind, ...], now: int) -> BackupKind | None:
        """Return what a person is to be reminded of at the Unix time `now`; None for nothing."""
        # A clock that was set back must not silence the reminder for years.
        if now < self.put_off_until <= now + PUT_OFF + _CLOCK_SLACK:
            return None
        for kind in needed:
            checked = self.checked(kind)
            if checked.due <= now or checked.last > now + _CLOCK_SLACK:
                return kind
        return None

    def is_put_off(self, needed: tuple[BackupKind, ...], now: int) -> bool:
        """Whether there would be a reminder if it had not been put off."""
        waiting = replace(self, put_off_until=0).reminder(needed, now)
        return waiting is not None and self.reminder(needed, now) is None


def _checked(value: Any) -> Checked:
    if not isinstance(value, list) or len(value) != 2:
        return Checked()
    count, last = (_number(item) for item in value)
    return Checked(count, last) if count and last else Checked()


def _number(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 1 << 40 else 0
