"""ROOT/updates.json: what this computer learned of newer versions, for the next start.

Apart from the settings, since the window and a command may check at the same time. The notice is
kept as it was signed and verified again each time it is read, so that editing this file can make
nobody believe anything.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wallet_gui.storage.errors import write_failed
from wallet_gui.storage.fs import OS_FILES, FileSystem, write_atomically

NAME: Final = "updates.json"
FORMAT: Final = 1
MAX_SIZE: Final = 64 * 1024
MAX_REVOKED: Final = 64
_LATEST: Final = 1 << 40


@dataclass(frozen=True, slots=True)
class UpdateRecord:
    """Unix times, 0 for never. `outcome` is that of the last attempt.

    `notice`: the newest that was verified, with its signature; `revoked`: ids of release keys that
    a verified notice withdrew.
    """

    tried: int = 0
    checked: int = 0
    outcome: str = ""
    notice: bytes = b""
    revoked: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        value = {
            "format": FORMAT,
            "tried": self.tried,
            "checked": self.checked,
            "outcome": self.outcome,
            "notice": base64.b64encode(self.notice).decode("ascii"),
            "revoked": list(self.revoked),
        }
        return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"


class UpdateFile:
    """Replaced as a whole with each save; what cannot be read counts as nothing learned yet."""

    def __init__(self, root: Path, files: FileSystem = OS_FILES) -> None:
        self.path = root / NAME
        self._files = files

    def load(self) -> UpdateRecord:
        try:
            return _read(self._files.read(self.path, MAX_SIZE))
        except (OSError, ValueError, RecursionError):
            return UpdateRecord()

    def save(self, record: UpdateRecord) -> None:
        """Replace the file; raises WriteFailed."""
        try:
            write_atomically(self.path, record.to_json(), self._files)
        except OSError as error:
            raise write_failed("What was learned about newer versions", error) from error


def _read(data: bytes) -> UpdateRecord:
    if len(data) > MAX_SIZE:
        raise ValueError
    value: Any = json.loads(data.decode())
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise ValueError
    outcome, notice, revoked = value.get("outcome"), value.get("notice"), value.get("revoked")
    if not isinstance(revoked, list):
        revoked = []
    return UpdateRecord(
        tried=_moment(value.get("tried")),
        checked=_moment(value.get("checked")),
        outcome=outcome if isinstance(outcome, str) and len(outcome) < 40 else "",
        notice=_bytes(notice),
        revoked=tuple(each for each in revoked[:MAX_REVOKED] if isinstance(each, str)),
    )


def _moment(value: object) -> int:
    return value if type(value) is int and 0 <= value < _LATEST else 0


def _bytes(value: object) -> bytes:
    if not isinstance(value, str):
        return b""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return b""
