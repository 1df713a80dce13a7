"""The bytes of NAME.wallet: two boxes that belong together, told from damage without a key.

Layout, integers little endian::

    magic 8 | format u16 | flags u16 | rotated_at u64 | view length u32 | secret length u32
    | view box | secret box | tag 32 | checksum 32

`tag` is HMAC-SHA256 under a key made from the view key, over everything before it: both boxes and
the header belong together. `checksum` is SHA-256 over everything before it and needs no key: the
reader tells damage from a wrong password before the password is even asked for, and the window,
which cannot open the secret box, still never copies a damaged one. The last 32 bytes are this
checksum in every format to come, so that a newer file is told from a damaged one.
"""

import hashlib
import hmac
import struct
from dataclasses import dataclass, field
from typing import Final

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.sealing import (
    VIEW,
    BoxHeader,
    DamagedBox,
    KdfParameters,
    SealError,
    WrongKeyOrHeader,
    open_box,
    parse_box,
)
from wallet_gui.sealing import NewerFormat as NewerBox
from wallet_gui.storage.errors import Damaged, NewerFormat, TooLarge, WrongKey
from wallet_gui.storage.view_state import ViewState

MAX_SIZE: Final = 16 * 1024 * 1024
FORMAT: Final = 1

_MAGIC: Final = b"WGUI-WLT"
_HEADER: Final = struct.Struct("<8sHHQII")
_TAG_SIZE: Final = 32
_CHECKSUM_SIZE: Final = 32
_PURGE_PENDING: Final = 1  # flag: a password change has yet to remove the older copies


@dataclass(frozen=True, slots=True)
class WalletFileContents:
    """What a wallet file holds, as read without any key.

    `source` is "" for the file itself, ".1" to ".3" for an older copy, ".new" for a save that was
    interrupted. `notices` are sentences for a person when it is not the file itself.
    """

    view_box: bytes = field(repr=False)
    secret_box: bytes | None = field(repr=False)
    view_header: BoxHeader
    rotated_at: int
    purge_pending: bool
    digest: bytes
    source: str = ""
    notices: tuple[str, ...] = ()
    tagged: bytes = field(repr=False, default=b"")
    tag: bytes = field(repr=False, default=b"")


def _tag(view_key: bytes, tagged: bytes) -> bytes:
    key = hmac.digest(view_key, b"wallet-gui wallet file", hashlib.sha256)
    return hmac.digest(key, tagged, hashlib.sha256)


def assemble(
    view_key: bytes,
    view_box: bytes,
    secret_box: bytes | None,
    rotated_at: int,
    *,
    purge_pending: bool = False,
) -> bytes:
    """Return the bytes of a wallet file; raises TooLarge above MAX_SIZE."""
    secret = secret_box or b""
    flags = _PURGE_PENDING if purge_pending else 0
    header = _HEADER.pack(_MAGIC, FORMAT, flags, rotated_at, len(view_box), len(secret))
    tagged = header + view_box + secret
    signed = tagged + _tag(view_key, tagged)
    data = signed + hashlib.sha256(signed).digest()
    if len(data) > MAX_SIZE:
        raise TooLarge(
            "The wallet's labels and notes have become too large to be saved. "
            "Remove some of them and try again; everything saved before is kept."
        )
    return data


def parse(data: bytes, *, minimum: KdfParameters | None = None) -> WalletFileContents:
    """Take a wallet file apart without a key.

    `minimum` is the weakest Argon2id cost accepted (default: sealing.FLOOR). Raises Damaged for
    anything that is not exactly what was written, NewerFormat for an intact newer file.
    """
    smallest = _HEADER.size + _TAG_SIZE + _CHECKSUM_SIZE
    if len(data) < smallest or not data.startswith(_MAGIC):
        raise Damaged("This is not a wallet file, or its beginning is damaged.")
    if len(data) > MAX_SIZE:
        raise Damaged("This file is too large to be a wallet file.")
    signed, checksum = data[:-_CHECKSUM_SIZE], data[-_CHECKSUM_SIZE:]
    if hashlib.sha256(signed).digest() != checksum:
        raise Damaged("The wallet file is damaged or cut off.")
    _, version, flags, rotated_at, view_length, secret_length = _HEADER.unpack_from(data)
    if version > FORMAT:
        raise NewerFormat(
            "This wallet was saved by a newer version of the program. Update the program; "
            "the file was left as it is."
        )
    tagged, tag = signed[:-_TAG_SIZE], signed[-_TAG_SIZE:]
    boxes = tagged[_HEADER.size :]
    known = version == FORMAT and flags in (0, _PURGE_PENDING)
    if not known or view_length + secret_length != len(boxes):
        raise Damaged("The wallet file was written wrongly.")
    view_box, secret_box = boxes[:view_length], boxes[view_length:] or None
    try:
        view_header, view_total = parse_box(view_box, minimum=minimum)
        secret_total = parse_box(secret_box, minimum=minimum)[1] if secret_box else 0
    except NewerBox as error:
        raise NewerFormat(str(error)) from None
    except SealError as error:
        raise Damaged(str(error)) from None
    if view_total != view_length or secret_total != secret_length or view_header.kind != VIEW:
        raise Damaged("The wallet file was written wrongly.")
    return WalletFileContents(
        view_box=view_box,
        secret_box=secret_box,
        view_header=view_header,
        rotated_at=rotated_at,
        purge_pending=bool(flags & _PURGE_PENDING),
        digest=checksum,
        tagged=tagged,
        tag=tag,
    )


def open_view(
    contents: WalletFileContents, view_key: bytes, *, minimum: KdfParameters | None = None
) -> ViewState:
    """Decrypt the view and check that both boxes belong together.

    Raises WrongKey, Damaged or NewerFormat.
    """
    try:
        plaintext = open_box(view_key, contents.view_box, minimum=minimum)
    except WrongKeyOrHeader as error:
        raise WrongKey(str(error)) from None
    except DamagedBox as error:
        raise Damaged(str(error)) from None
    if not hmac.compare_digest(_tag(view_key, contents.tagged), contents.tag):
        raise Damaged(
            "The parts of this wallet file do not belong together. Open an older copy of it."
        )
    try:
        return ViewState.decode(plaintext)
    except ParseError as error:
        raise Damaged(f"{error} Open an older copy of the wallet file.") from None
