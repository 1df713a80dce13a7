"""Writes the update notice, has minisign sign it, and reads it as the program will.

    .venv/bin/python packaging/notice.py make --page URL --key SECRET.key [--output notice]
        [--text "What is new."] [--sums dist/SHA256SUMS] [--level security] [--revoke KEYID]
    .venv/bin/python packaging/notice.py check notice

The file that it makes is what lies at the address in resources/release-keys.txt; it replaces the
one before it as a whole. The secret key never comes near this program: minisign reads it and asks
for its password. A notice runs out (--days), so that nobody can hold newer ones back unnoticed:
make one before the last has run out, also when there is no new version.
"""

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from installers import minisign  # noqa: E402
from installers.job import Missing  # noqa: E402

from wallet_gui import __version__  # noqa: E402
from wallet_gui.app.update_notice import (  # noqa: E402
    DAY,
    MAX_TEXT,
    Level,
    NotANotice,
    SignedNotice,
    UpdateNotice,
    Version,
    join,
    moment,
    read,
    read_signed,
    trusted_comment,
)
from wallet_gui.primitives.plain_text import plain_text  # noqa: E402
from wallet_gui.primitives.serialize import ParseError  # noqa: E402
from wallet_gui.release_signature import BadSignature, ReleaseKeys  # noqa: E402
from wallet_gui.storage import release_keys  # noqa: E402

KEYS: Final = ROOT / "resources" / release_keys.NAME
DAYS: Final = 120


class Stop(Exception):
    """It cannot go on; the text says what to do."""


def main(arguments: Sequence[str]) -> int:
    """Make or check a notice; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "make":
            make(options)
        else:
            print("\n".join(words(believed(options.file.read_bytes(), options.release_keys))))
    except (Stop, ParseError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def make(options: argparse.Namespace) -> None:
    """Write, sign, check, and only then put it where it was asked for. Raises Stop."""
    notice = wanted(options, int(time.time()))
    if options.output.exists():
        before = believed(options.output.read_bytes(), options.release_keys).notice
        if before.date >= notice.date:
            raise Stop(
                f"The notice that is there is of {moment(before.date)}, which is later: readers "
                "would take this one for a replay. Set this computer's clock."
            )
        if Version.parse(before.version) > Version.parse(notice.version):
            raise Stop(f"The notice that is there names the newer version {before.version}.")
    body = notice.to_json()
    data = join(signature_of(body, options.key, notice.version), body)
    result = believed(data, options.release_keys)
    part = options.output.with_name(options.output.name + ".part")
    part.write_bytes(data)
    part.replace(options.output)
    print("\n".join((f"{options.output}: {len(data)} bytes", *words(result))))


def wanted(options: argparse.Namespace, now: int) -> UpdateNotice:
    """The notice that the options describe, as a reader gets it. Raises Stop."""
    if plain_text(options.text, MAX_TEXT) != options.text:
        raise Stop(
            f"The text must be one line of at most {MAX_TEXT} visible characters. It would be "
            f"shown as: {plain_text(options.text, MAX_TEXT)}"
        )
    level = Level(options.level)
    if options.revoke and level is not Level.KEY:
        raise Stop("A notice that withdraws a key is of the level key.")
    sums = ""
    if options.sums is not None:
        sums = hashlib.sha256(options.sums.read_bytes()).hexdigest()
    notice = UpdateNotice(
        version=options.version,
        date=now,
        page=options.page,
        expires=now + options.days * DAY,
        sha256sums=sums,
        level=level,
        # minisign prints an id without the zeros at its beginning.
        revoked=tuple(each.upper().zfill(16) for each in options.revoke),
        text=options.text,
    )
    try:
        read(notice.to_json())
    except NotANotice as error:
        raise Stop(f"No program would read this notice. {error}") from None
    return notice


def signature_of(body: bytes, key: Path, version: str) -> str:
    """Have minisign sign; it asks for the key's password on the terminal. Raises Stop."""
    with tempfile.TemporaryDirectory() as folder:
        file, signature = Path(folder) / "notice.json", Path(folder) / "notice.json.minisig"
        file.write_bytes(body)
        try:
            minisign.sign(
                file,
                signature,
                key,
                trusted=trusted_comment(version),
                comment="wallet-gui update notice",
            )
        except Missing as missing:
            raise Stop(str(missing)) from None
        return signature.read_text(encoding="utf-8")


def believed(data: bytes, keys_file: Path) -> SignedNotice:
    """Read a notice by the keys that the program has built in. Raises Stop, ParseError."""
    keys: ReleaseKeys = release_keys.read(keys_file)
    if not keys.offers_updates:
        raise Stop(f"{keys_file} names no key or no notice address: no copy would ask for it.")
    try:
        return read_signed(data, keys.keys)
    except (NotANotice, BadSignature) as error:
        raise Stop(f"The program would not believe it. {error}") from None


def words(signed: SignedNotice) -> list[str]:
    """What a reader is told."""
    notice = signed.notice
    lines = [
        f"version  {notice.version}",
        f"date     {moment(notice.date)}",
        f"expires  {'never' if notice.expires is None else moment(notice.expires)}",
        f"level    {notice.level.value}",
        f"page     {notice.page}",
        f"sums     {notice.sha256sums or 'none'}",
        f"revoked  {', '.join(notice.revoked) or 'none'}",
        f"text     {notice.text or 'none'}",
        f"key      {signed.key_id}",
    ]
    if notice.is_expired(int(time.time())):
        lines.append("It has run out: readers are told that newer ones may be held back.")
    return lines


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    keys = argparse.ArgumentParser(add_help=False)
    keys.add_argument("--release-keys", type=Path, default=KEYS, metavar="FILE")
    commands = parser.add_subparsers(dest="command", required=True)
    made = commands.add_parser("make", parents=[keys], help="write, sign and check a notice")
    made.add_argument("--version", default=__version__, help="default: that of this tree")
    made.add_argument("--page", required=True, metavar="URL", help="where a person reads more")
    made.add_argument("--text", default="", help="what is new, in a sentence or two")
    made.add_argument("--sums", type=Path, metavar="FILE", help="the release's SHA256SUMS")
    made.add_argument("--level", choices=[level.value for level in Level], default="ordinary")
    made.add_argument("--revoke", action="append", default=[], metavar="KEYID")
    made.add_argument("--days", type=int, default=DAYS, help=f"until it runs out; default: {DAYS}")
    made.add_argument("--key", type=Path, required=True, metavar="FILE", help="minisign's secret")
    made.add_argument("--output", type=Path, default=Path("notice"), metavar="FILE")
    checked = commands.add_parser("check", parents=[keys], help="read one as the program will")
    checked.add_argument("file", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
