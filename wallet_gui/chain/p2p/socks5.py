"""The client's side of SOCKS5 without I/O: how to ask a proxy for a connection to a peer.

A user name and password of its own for every connection makes Tor use another circuit for each
(stream isolation). Names are sent as names: looking one up here would tell who is going to be
contacted. Sources: RFC 1928, RFC 1929, Tor's socks-extensions and proposal 304.
"""

import ipaddress
import secrets
from enum import Enum
from typing import Final, NamedTuple

from wallet_gui.chain.backend import ChainError

_VERSION: Final = 5
_NO_LOGIN: Final = 0
_LOGIN: Final = 2
_LOGIN_VERSION: Final = 1
_CONNECT: Final = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4

REFUSALS: Final = {
    1: "The proxy could not make the connection.",
    2: "The proxy does not allow this connection.",
    3: "The proxy cannot reach the peer's network.",
    4: "The proxy cannot reach the peer.",
    5: "Nothing listens at this address, says the proxy.",
    6: "The proxy waited too long for the peer.",
    7: "The proxy does not make connections for others.",
    8: "The proxy does not know this kind of address.",
    0xF0: "Tor does not find this onion service; it may be gone or offline.",
    0xF1: "Tor found a description of this onion service that is not valid.",
    0xF2: "The onion service does not answer; it may be offline.",
    0xF3: "Tor could not meet the onion service.",
    0xF4: "The onion service wants a key that this Tor does not have.",
    0xF5: "The onion service does not accept the key that this Tor has for it.",
    0xF6: "The onion address has a typing error.",
    0xF7: "The onion service did not answer Tor in time.",
}
"""What a reply means: RFC 1928 section 6, and from 0xF0 on Tor's extended errors."""


class SocksFailed(ChainError):
    """The proxy did not make the connection; the message is a sentence for a person.

    `reply` is the proxy's code, None when it did not get that far.
    """

    def __init__(self, sentence: str, reply: int | None = None) -> None:
        super().__init__(sentence)
        self.reply = reply


class Credentials(NamedTuple):
    """What sets the circuits of two connections apart. It is no secret and logs in nowhere."""

    user: str
    password: str

    @classmethod
    def random(cls) -> "Credentials":
        return cls(secrets.token_hex(16), secrets.token_hex(16))


class _Step(Enum):
    METHOD = "method"
    LOGIN = "login"
    REPLY = "reply"
    DONE = "done"


class Socks5Client:
    """One request for one connection."""

    def __init__(self, host: str, port: int, credentials: Credentials | None = None) -> None:
        """Queue the greeting. `host` is an IP address or a name of at most 255 bytes.

        Raises SocksFailed for a host that the protocol cannot carry.
        """
        self.is_isolated = False
        """Whether the proxy took the credentials, which is what keeps circuits apart."""
        self._request = bytes((_VERSION, _CONNECT, 0)) + _destination(host)
        self._request += port.to_bytes(2, "big")
        self._credentials = credentials
        self._step = _Step.METHOD
        self._received = b""
        methods = (_NO_LOGIN,) if credentials is None else (_NO_LOGIN, _LOGIN)
        self._outgoing = bytes((_VERSION, len(methods), *methods))

    @property
    def is_done(self) -> bool:
        """Whether what follows is the peer's."""
        return self._step is _Step.DONE

    def data_to_send(self) -> bytes:
        """Take the bytes for the proxy."""
        data, self._outgoing = self._outgoing, b""
        return data

    def receive_data(self, data: bytes) -> bytes:
        """Read what the proxy sent; return what is the peer's already. Raises SocksFailed."""
        self._received += data
        while True:
            before = self._step
            match before:
                case _Step.METHOD:
                    self._read_method()
                case _Step.LOGIN:
                    self._read_login()
                case _Step.REPLY:
                    self._read_reply()
                case _Step.DONE:
                    rest, self._received = self._received, b""
                    return rest
            if self._step is before:
                return b""

    def _take(self, count: int) -> bytes | None:
        if len(self._received) < count:
            return None
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def _read_method(self) -> None:
        if self._received and self._received[0] != _VERSION:
            raise SocksFailed("What answers at the proxy's address is not a SOCKS5 proxy.")
        answer = self._take(2)
        if answer is None:
            return
        if answer[1] == _NO_LOGIN:
            self._ask()
        elif answer[1] == _LOGIN and self._credentials is not None:
            user, password = (text.encode("ascii") for text in self._credentials)
            self._outgoing += bytes((_LOGIN_VERSION, len(user))) + user
            self._outgoing += bytes((len(password),)) + password
            self._step = _Step.LOGIN
        else:
            raise SocksFailed("The proxy wants a way of logging in that is not known here.")

    def _read_login(self) -> None:
        answer = self._take(2)
        if answer is None:
            return
        if answer[1] != 0:
            raise SocksFailed("The proxy wants a user name and a password; such are not supported.")
        self.is_isolated = True
        self._ask()

    def _ask(self) -> None:
        self._outgoing += self._request
        self._step = _Step.REPLY

    def _read_reply(self) -> None:
        head = self._received[:5]
        if len(head) >= 2 and (head[0] != _VERSION or head[1] != 0):
            if head[0] != _VERSION:
                raise SocksFailed("The proxy's answer is not SOCKS5.")
            sentence = REFUSALS.get(head[1], f"The proxy refused with code {head[1]}.")
            raise SocksFailed(sentence, head[1])
        if len(head) < 5:
            return
        sizes = {_IPV4: 4, _IPV6: 16, _NAME: 1 + head[4]}
        if head[3] not in sizes:
            raise SocksFailed("The proxy's answer is not SOCKS5.")
        if self._take(4 + sizes[head[3]] + 2) is not None:
            self._step = _Step.DONE


def _destination(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("ascii", errors="replace")
        if not 0 < len(name) < 256 or b"?" in name:
            raise SocksFailed("The proxy cannot be asked for this host name.") from None
        return bytes((_NAME, len(name))) + name
    return bytes((_IPV4 if address.version == 4 else _IPV6,)) + address.packed
