"""Private key files as they lie on the disk: reading one, and what its head says of it."""

import base64
import errno
import os
import stat
import struct
from pathlib import Path
from typing import Final

from wallet_gui.chain.bitcoind import ssh_problems
from wallet_gui.chain.bitcoind.known_hosts import HostKey
from wallet_gui.primitives.serialize import ParseError

MOST_OF_A_KEY: Final = 64 * 1024  # bytes
_OPENSSH_MAGIC: Final = b"openssh-key-v1\0"
_PUBLIC_STARTS: Final = (b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-", b"---- BEGIN SSH2 PUBL")


def read_key(path: str) -> bytes:
    """Read a private key; raises NodeProblem."""
    try:
        data = read_regular(path)
    except (FileNotFoundError, NotADirectoryError):
        raise ssh_problems.key_file_missing(path) from None
    except (OSError, ValueError, RuntimeError) as error:
        raise ssh_problems.key_unreadable(path, str(error)) from None
    if data.lstrip().startswith(_PUBLIC_STARTS):
        raise ssh_problems.key_is_public(path)
    return data


def read_regular(path: str) -> bytes:
    """Read the beginning of a file; raises OSError, ValueError, RuntimeError.

    A pipe is refused: whoever opens one waits for a writer, perhaps for ever.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(Path(path).expanduser(), flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "It is no regular file")
        return file.read(MOST_OF_A_KEY)


def key_of_blob(blob: bytes) -> HostKey:
    """Name the type of a public key's blob; raises ParseError."""
    length = int.from_bytes(blob[:4], "big")
    name = blob[4 : 4 + length]
    if len(blob) < 4 or len(name) != length or not name.isascii() or not 0 < length < 128:
        raise ParseError("no public key")
    return HostKey(name.decode("ascii"), blob)


def public_blob(data: bytes) -> bytes:
    """Take the public key out of an OpenSSH private key file, locked or not; raises ParseError."""
    return _fields(data)[3]


def is_locked(data: bytes) -> bool:
    """Whether a private key of OpenSSH or in PEM has a passphrase, as far as its head says so."""
    try:
        return _fields(data)[0] != b"none"
    except ParseError:
        return b"ENCRYPTED" in data


def _fields(data: bytes) -> list[bytes]:
    """Cipher, key derivation, its options and the first public key (openssh PROTOCOL.key)."""
    lines = data.strip().splitlines()
    if len(lines) < 3 or b"BEGIN OPENSSH PRIVATE KEY" not in lines[0]:
        raise ParseError("no key file of OpenSSH")
    try:
        raw = base64.b64decode(b"".join(lines[1:-1]))
    except ValueError:
        raise ParseError("a key file that is not base64") from None
    if not raw.startswith(_OPENSSH_MAGIC):
        raise ParseError("no key file of OpenSSH")
    at = len(_OPENSSH_MAGIC)
    fields: list[bytes] = []
    try:
        for index in range(5):
            (length,) = struct.unpack_from(">I", raw, at)
            at += 4
            if index == 3:  # how many keys, a plain number
                continue
            if at + length > len(raw):
                raise ParseError("a key file that is cut off")
            fields.append(raw[at : at + length])
            at += length
    except struct.error:
        raise ParseError("a key file that is cut off") from None
    return fields
