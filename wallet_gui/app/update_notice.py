"""The update notice: what its makers sign, read strictly. Pure: bytes, keys and the time come in.

One file carries the signature and what it signs, so that the two can never be of different days:
the four lines of a minisign signature, and behind them a JSON object::

    {"program": "wallet-gui", "format": 1, "version": "0.2.0", "date": "2026-11-21T12:00:00Z",
     "expires": "2027-03-21T12:00:00Z", "page": "https://...", "sha256sums": "64 hex digits",
     "level": "ordinary", "revoked": ["452C8AB290925948"], "text": "What is new."}

The last five may be missing. `level` is "ordinary", "security" or "key" (a release key is not to be
trusted any more: `revoked` names it). Nothing in it is ever fetched or run.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, NoReturn

from wallet_gui.primitives.plain_text import plain_text
from wallet_gui.release_signature import BadSignature, PublicKey, verify

PROGRAM: Final = "wallet-gui"
FORMAT: Final = 1
MAX_SIZE: Final = 16 * 1024
MAX_TEXT: Final = 600
MAX_PAGE: Final = 200
MAX_REVOKED: Final = 16
DAY: Final = 24 * 3600
_SIGNATURE_LINES: Final = 4

_VERSION: Final = re.compile(r"(\d{1,4}(?:\.\d{1,4}){1,3})(?:(a|b|rc)(\d{1,3}))?", re.ASCII)
_STAGES: Final = {"a": 0, "b": 1, "rc": 2, None: 3}
_MOMENT: Final = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
# Characters that look like what they are, and a host without a user name before it.
_PAGE: Final = re.compile(
    r"https://[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::\d{1,5})?(?:/[A-Za-z0-9._~/-]*)?", re.ASCII
)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_KEY_ID: Final = re.compile(r"[0-9A-F]{16}")


class NotANotice(ValueError):
    """The bytes are no update notice, or none that this version understands; one sentence."""


class NoticeOfNewerFormat(NotANotice):
    """It is signed and meant for a newer version of the program."""


class Level(Enum):
    """How much it matters."""

    ORDINARY = "ordinary"
    SECURITY = "security"
    KEY = "key"


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version as PEP 440 orders it: 0.2 before 0.2.1, 0.2rc1 before 0.2, and 0.2 is 0.2.0."""

    numbers: tuple[int, ...]
    stage: int
    stage_number: int

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Read `0.2.0` or `0.2.0rc1`; raises NotANotice."""
        match = _VERSION.fullmatch(text)
        if match is None:
            raise NotANotice("The notice names no version.")
        numbers = [int(part) for part in match.group(1).split(".")]
        while len(numbers) > 1 and numbers[-1] == 0:
            numbers.pop()
        return cls(tuple(numbers), _STAGES[match.group(2)], int(match.group(3) or 0))


@dataclass(frozen=True, slots=True)
class UpdateNotice:
    """What the makers say. Times are Unix times; texts are one plain line; "" where nothing is."""

    version: str
    date: int
    page: str
    expires: int | None = None
    sha256sums: str = ""
    level: Level = Level.ORDINARY
    revoked: tuple[str, ...] = ()
    text: str = ""

    def is_newer_than(self, version: str) -> bool:
        return Version.parse(self.version) > Version.parse(version)

    def is_expired(self, now: int) -> bool:
        return self.expires is not None and self.expires <= now

    def to_json(self) -> bytes:
        """Return what is to be signed."""
        value: dict[str, object] = {
            "program": PROGRAM,
            "format": FORMAT,
            "version": self.version,
            "date": moment(self.date),
            "page": self.page,
            "level": self.level.value,
        }
        if self.expires is not None:
            value["expires"] = moment(self.expires)
        if self.sha256sums:
            value["sha256sums"] = self.sha256sums
        if self.revoked:
            value["revoked"] = list(self.revoked)
        if self.text:
            value["text"] = self.text
        return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class SignedNotice:
    """A notice whose signature held, and the key that made it (`PublicKey.name`)."""

    notice: UpdateNotice
    key_id: str


def read_signed(data: bytes, keys: tuple[PublicKey, ...]) -> SignedNotice:
    """Verify, then read. Raises NotANotice, NoticeOfNewerFormat or BadSignature with a sentence."""
    if len(data) > MAX_SIZE:
        raise NotANotice("What came is too large for an update notice.")
    *head, body = data.split(b"\n", _SIGNATURE_LINES)
    if len(head) < _SIGNATURE_LINES or not head[0].startswith(b"untrusted comment:"):
        raise NotANotice(
            "What came is no update notice. A network that wants you to sign in first answers so, "
            "and so does a website that has moved."
        )
    try:
        signature = b"\n".join(head).decode()
    except UnicodeDecodeError:
        raise BadSignature("The notice has no signature that can be read.") from None
    verified = verify(body, signature, keys)
    notice = read(body)
    if verified.trusted_comment != trusted_comment(notice.version):
        raise BadSignature("Its signature was made for something else than an update notice.")
    return SignedNotice(notice, verified.key_id)


def join(signature_text: str, body: bytes) -> bytes:
    """Make the one file of what minisign wrote and what it signed."""
    return signature_text.removesuffix("\n").encode() + b"\n" + body


def trusted_comment(version: str) -> str:
    """What is signed beside a notice, so that nothing else that is signed can stand for one."""
    return f"{PROGRAM} {version} update notice"


def read(body: bytes) -> UpdateNotice:
    """Read what was signed. Raises NotANotice, or NoticeOfNewerFormat."""
    value = _object(body)
    if value.get("program") != PROGRAM:
        raise NotANotice("The notice is about another program.")
    form, level_name = value.get("format"), value.get("level", Level.ORDINARY.value)
    levels = {level.value: level for level in Level}
    if type(form) is not int or form < FORMAT or not isinstance(level_name, str):
        raise NotANotice("The notice has no format.")
    if form > FORMAT or level_name not in levels:
        raise NoticeOfNewerFormat(
            "The makers sent a notice that this version of the program is too old to read. Look "
            "for a newer version where you got this one."
        )
    version, page = value.get("version"), value.get("page")
    if not isinstance(version, str):
        raise NotANotice("The notice names no version.")
    Version.parse(version)
    if not isinstance(page, str) or len(page) > MAX_PAGE or _PAGE.fullmatch(page) is None:
        raise NotANotice("The notice names no page that may be shown.")
    date, expires = _moment(value.get("date")), value.get("expires")
    end = None if expires is None else _moment(expires)
    if end is not None and end <= date:
        raise NotANotice("The notice expires before its date.")
    return UpdateNotice(
        version=version,
        date=date,
        page=page,
        expires=end,
        sha256sums=_sums(value.get("sha256sums")),
        level=levels[level_name],
        revoked=_revoked(value.get("revoked")),
        text=_text(value.get("text")),
    )


def moment(unix: int) -> str:
    """A Unix time as the notice writes it."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _object(body: bytes) -> dict[str, Any]:
    def no_number(_: str) -> NoReturn:
        raise ValueError

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError  # which of the two was meant is anybody's guess
        return dict(pairs)

    try:
        value = json.loads(
            body.decode(), object_pairs_hook=once, parse_constant=no_number, parse_float=no_number
        )
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise NotANotice("The notice cannot be read.")
    return value


def _moment(value: object) -> int:
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        try:
            return int(datetime.fromisoformat(value).timestamp())
        except ValueError:
            pass  # such as the 31st of February
    raise NotANotice("The notice has no date that can be read.")


def _sums(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or _SHA256.fullmatch(value) is None:
        raise NotANotice("The notice has a hash that is none.")
    return value


def _revoked(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_REVOKED:
        raise NotANotice("The notice withdraws keys in a way that is not understood.")
    for each in value:
        if not isinstance(each, str) or _KEY_ID.fullmatch(each) is None:
            raise NotANotice("The notice withdraws keys in a way that is not understood.")
    return tuple(value)


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise NotANotice("The notice has a text that is none.")
    return plain_text(value, MAX_TEXT)
