"""How to log in to the node's RPC: its cookie file, read through the tunnel, or a password.

The cookie (Core src/rpc/request.cpp) is a file that bitcoind writes anew at each start:
"__cookie__:" and 64 hex digits. The one that worked last is tried first, since reading the file
costs several ways there and back. Nothing here shows a secret: not `repr`, not an exception.
"""

import base64
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from wallet_gui.chain.bitcoind.in_order import together
from wallet_gui.chain.bitcoind.networks import FOLDERS
from wallet_gui.chain.bitcoind.problems import (
    NodeProblem,
    cookie_missing,
    cookie_unreadable,
    rpc_auth_cookie,
    rpc_auth_password,
)

COOKIE_USER: Final = "__cookie__"
COOKIE_LIMIT: Final = 1024  # bytes; it has 75
_COOKIE = re.compile(rb"[\x21-\x39\x3b-\x7e]+:[\x21-\x7e]+")
_MAX_NAME: Final = 500  # bitcoind refuses headers beyond 8 kB


class Credentials(Protocol):
    """What a client logs in with; asked by one `NodeRpc` or several."""

    @property
    def user(self) -> str:
        """The name in the node's configuration, for sentences; "__cookie__" for the cookie."""
        ...

    def header(self) -> bytes:
        """Return the value of Authorization, b"" while there is nothing to log in with."""
        ...

    async def refresh(self) -> bool:
        """Find another login than the one that was refused; whether there is one."""
        ...

    async def accepted(self) -> None:
        """Note that the node took the login."""
        ...

    def refused(self) -> NodeProblem:
        """Return why there is no login left."""
        ...


class CookieSource(Protocol):
    """What a tunnel offers for finding the cookie."""

    async def read_file(self, path: str, limit: int = ..., /) -> bytes: ...
    async def forced_output(self, limit: int = ..., /) -> bytes: ...


class UserPassword:
    """A user and password of `rpcauth` (or `rpcuser`/`rpcpassword`)."""

    def __init__(self, user: str, password: str) -> None:
        """Raise ValueError, with a sentence, for what HTTP cannot carry."""
        if not user or ":" in user or len(user.encode()) > _MAX_NAME:
            raise ValueError("The user of the node's RPC has a name of its own, without a colon.")
        if len(password.encode()) > _MAX_NAME:
            raise ValueError("The password of the node's RPC is too long.")
        self._user = user
        self._header = _basic(f"{user}:{password}".encode())

    @property
    def user(self) -> str:
        return self._user

    def header(self) -> bytes:
        return self._header

    async def refresh(self) -> bool:
        return False

    async def accepted(self) -> None:
        return

    def refused(self) -> NodeProblem:
        return rpc_auth_password(self._user)

    def __repr__(self) -> str:
        return "UserPassword(redacted)"


def usual_cookie_paths(network: str) -> tuple[str, ...]:
    """List where bitcoind's cookie lies, the most usual place first; relative: below the home."""
    folder = FOLDERS[network]
    below = f"{folder}/.cookie" if folder else ".cookie"
    return tuple(f"{place}/{below}" for place in _PLACES)


_PLACES: Final = (
    ".bitcoin",
    "/var/lib/bitcoind",  # Debian's and Core's systemd unit
    "/home/bitcoin/.bitcoin",
    "snap/bitcoin-core/common/.bitcoin",
    "Library/Application Support/Bitcoin",  # macOS
    "AppData/Local/Bitcoin",  # Windows since 27.0
    "AppData/Roaming/Bitcoin",
    "/var/lib/bitcoin",
    "/data/bitcoin",  # RaspiBolt
    "/mnt/hdd/bitcoin",  # RaspiBlitz
    "/mnt/hdd/mynode/bitcoin",
    "umbrel/app-data/bitcoin/data/bitcoin",
    "/etc/nix-bitcoin-secrets/bitcoin",
)


class CookieCredentials:
    """The cookie: the remembered one first, then what the node's machine has."""

    user = COOKIE_USER

    def __init__(
        self,
        source: CookieSource,
        paths: Sequence[str],
        remembered: str | None = None,
        *,
        remember: Callable[[str], Awaitable[None]] | None = None,
        forced_first: bool = False,
    ) -> None:
        """`forced_first`: the key's forced command prints the cookie, so try that first."""
        self._source = source
        self._paths = tuple(paths)
        self._remember = remember
        self._remembered = remembered or ""
        self._forced_first = forced_first
        self._cookie = remembered.encode("utf-8", "replace") if remembered else b""
        if not _COOKIE.fullmatch(self._cookie):
            self._cookie = b""
        self._refused: set[bytes] = set()
        self._unreadable = ""
        self._was_found = False

    def header(self) -> bytes:
        return _basic(self._cookie) if self._cookie else b""

    async def refresh(self) -> bool:
        """Read the cookie files anew; whether one has a login that was not refused yet.

        Raises NodeProblem when the tunnel is gone.
        """
        if self._cookie:
            self._refused.add(self._cookie)
        self._unreadable = ""
        self._was_found = False
        readers = [self._read_files, self._read_forced]
        if self._forced_first:
            readers.reverse()
        for read in readers:
            for cookie in await read():
                self._was_found = True
                if cookie not in self._refused:
                    self._cookie = cookie
                    return True
        return False

    async def accepted(self) -> None:
        self._refused.clear()
        text = self._cookie.decode("ascii")
        if self._remember is not None and text != self._remembered:
            self._remembered = text
            await self._remember(text)

    def refused(self) -> NodeProblem:
        if self._was_found:
            return rpc_auth_cookie()
        if self._unreadable:
            return cookie_unreadable(self._unreadable)
        return cookie_missing(self._paths if len(self._paths) == 1 else ())

    async def _read_files(self) -> list[bytes]:
        """Return the cookies of all places, in their order."""
        if not self._paths:
            return []
        first = await self._read_file(self._paths[0])
        if first:
            return [first]
        # The session for files is open by now: the others are read side by side.
        others = await together(*(self._read_file(path) for path in self._paths[1:]))
        return [cookie for cookie in others if cookie]

    async def _read_file(self, path: str) -> bytes:
        try:
            data = await self._source.read_file(path, COOKIE_LIMIT)
        except FileNotFoundError:
            return b""
        except PermissionError:
            self._unreadable = self._unreadable or path
            return b""
        return _cookie(data)

    async def _read_forced(self) -> list[bytes]:
        cookie = _cookie(await self._source.forced_output(COOKIE_LIMIT))
        return [cookie] if cookie else []

    def __repr__(self) -> str:
        return "CookieCredentials(redacted)"


def _cookie(data: bytes) -> bytes:
    """Return the cookie that a file or a command gave, b"" when it is none."""
    line = data.strip()
    return line if _COOKIE.fullmatch(line) else b""


def _basic(login: bytes) -> bytes:
    return b"Basic " + base64.b64encode(login)
