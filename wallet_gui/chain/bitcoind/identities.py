"""Which keys are offered to a server, in which order, and how a locked one is opened.

A key file with a passphrase is offered by its public half first; the passphrase is asked for only
when the server would take that key. Imports the SSH library: loaded by `ssh_session` alone.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, cast

import asyncssh

from wallet_gui.chain.bitcoind import ssh_problems
from wallet_gui.chain.bitcoind.key_files import (
    key_of_blob,
    public_blob,
    read_key,
    read_regular,
)
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.bitcoind.ssh_config import HostSettings
from wallet_gui.chain.bitcoind.tunnel_protocol import (
    SecretKind,
    SecretQuestion,
    SshOptions,
    SshSecrets,
    SshStore,
)
from wallet_gui.primitives.serialize import ParseError


class Person(Protocol):
    """Whoever can be asked, while no time limit counts."""

    async def ask(self, question: SecretQuestion) -> str | None:
        """Return the answer; None when there is none."""
        ...

    def waiting(self) -> AbstractContextManager[None]:
        """Let no time count meanwhile."""
        ...


_DEFAULT_FILES: Final = ("id_ed25519", "id_ecdsa", "id_rsa")
_ATTEMPTS: Final = 3
_AGENT_SECONDS: Final = 5.0  # for its list of keys
_AGENT_SIGNS_SECONDS: Final = 60.0


class OfferedKeyPair(asyncssh.SSHKeyPair):
    """A key that knows whether the server wanted it to sign; it may be locked until then."""

    def __init__(
        self, public: asyncssh.SSHKeyPair, sign: Callable[[bytes, bytes], Awaitable[bytes]]
    ) -> None:
        """`sign` gets the data and the name of the signature algorithm."""
        super().__init__(
            public.key_algorithm,
            public.sig_algorithm,
            public.sig_algorithms,
            public.host_key_algorithms,
            public.key_public_data,
            None,
        )
        # A certificate of the agent is offered under its own name.
        self.algorithm, self.public_data = public.algorithm, public.public_data
        self._sign = sign
        self.was_taken = False

    async def sign_async(self, data: bytes) -> bytes:
        """Sign; a ValueError lets the library go on with the next key."""
        self.was_taken = True
        return await self._sign(data, self.sig_algorithm)


@dataclass(frozen=True, slots=True)
class Offer:
    """A key, and what it is called: "key from the agent", "key file ~/.ssh/id_ed25519"."""

    pair: OfferedKeyPair
    name: str

    @property
    def public_line(self) -> str:
        """The line for authorized_keys, without a comment."""
        return key_of_blob(self.pair.key_public_data).text


class Identities:
    """The keys for one machine. `problem` is why a key that was meant could not be offered."""

    def __init__(
        self,
        settings: HostSettings,
        options: SshOptions,
        store: SshStore,
        secrets: SshSecrets,
        person: Person,
    ) -> None:
        self._settings = settings
        self._options = options
        self._store = store
        self._secrets = secrets
        self._person = person
        self._agent: asyncssh.SSHAgentClient | None = None
        self.problem: NodeProblem | None = None

    async def offers(self) -> AsyncIterator[Offer]:
        """Go through the keys; sets `problem` instead of raising."""
        try:
            if self._options.own_key:
                yield await self._own()
            elif self._options.key_path is not None:
                yield await self._named(self._options.key_path, await self._agent_keys())
            else:
                async for each in self._usual():
                    yield each
        except NodeProblem as problem:
            self.problem = problem

    def close(self) -> None:
        """Let go of the agent."""
        if self._agent is not None:
            self._agent.close()

    async def _own(self) -> Offer:
        path = str(self._store.key_path)
        try:
            data = await asyncio.to_thread(self._store.key)
        except OSError as error:
            raise ssh_problems.key_unreadable(path, str(error)) from None
        if data is None:
            raise ssh_problems.key_file_missing(path)
        return Offer(_opened(_open(data, None, path)), "this wallet's own key")

    async def _usual(self) -> AsyncIterator[Offer]:
        """The agent's keys, those of the configuration, or the ones of the usual names."""
        agent = await self._agent_keys()
        files = self._settings.identity_files
        named = [await _public_of(path) for path in files]
        wanted = {public.public_data for public in named if public is not None}
        if self._settings.identities_only:
            agent = [pair for pair in agent if pair.key_public_data in wanted]
        # Those that the configuration names come first: servers count attempts.
        agent.sort(key=lambda pair: pair.key_public_data not in wanted)
        for pair in agent:
            yield self._agents_offer(pair)
        offered = {pair.key_public_data for pair in agent}
        home = Path.home() / ".ssh"
        for path in files or [str(home / name) for name in _DEFAULT_FILES]:
            try:
                offer = await self._named(path, [])
            except NodeProblem as problem:
                # One that was never made is no problem, nor is one that only names an agent's key.
                if problem.code is Code.KEY_UNREADABLE and self.problem is None:
                    self.problem = problem
                continue
            if offer.pair.key_public_data not in offered:
                yield offer

    async def _named(self, path: str, agent: Sequence[asyncssh.SSHKeyPair]) -> Offer:
        """A key file; the agent signs if it has the same key."""
        known = self._secrets.keys.get(path)
        if isinstance(known, asyncssh.SSHKey):
            return Offer(_opened(known), f"key file {path}")
        data = await asyncio.to_thread(read_key, path)
        public = await _public_of(path, data)
        for pair in agent:
            if public is not None and pair.key_public_data == public.public_data:
                return self._agents_offer(pair)
        if public is not None and public.get_algorithm().startswith("sk-"):
            raise ssh_problems.key_on_hardware(path)
        if not _is_locked(data):
            return Offer(_opened(_open(data, None, path)), f"key file {path}")
        if public is None:  # an old format, which hides both halves
            return Offer(_opened(await self._unlock(data, path)), f"key file {path}")

        async def sign(message: bytes, algorithm: bytes) -> bytes:
            key = await self._unlock(data, path)
            return await asyncio.to_thread(key.sign, message, algorithm)

        return Offer(OfferedKeyPair(asyncssh.load_keypairs([public])[0], sign), f"key file {path}")

    async def _unlock(self, data: bytes, path: str) -> asyncssh.SSHKey:
        """Ask for the passphrase until it fits; raises a problem that is a ValueError, too."""
        for attempt in range(_ATTEMPTS):
            passphrase = await self._person.ask(
                SecretQuestion(
                    SecretKind.PASSPHRASE, f"Passphrase of the key {path}", is_retry=attempt > 0
                )
            )
            if passphrase is None:
                self.problem = ssh_problems.passphrase_needed(path)
                raise _Locked
            try:
                key = await asyncio.to_thread(_open, data, passphrase, path)
            except _Locked:
                continue
            self._secrets.keys[path] = key
            self.problem = None
            return key
        self.problem = ssh_problems.passphrase_wrong(path)
        raise _Locked

    def _agents_offer(self, pair: asyncssh.SSHKeyPair) -> Offer:
        signer = cast(asyncssh.SSHAgentKeyPair, pair)

        async def sign(data: bytes, algorithm: bytes) -> bytes:
            signer.set_sig_algorithm(algorithm)
            with self._person.waiting():  # the agent may ask, or want a touch
                async with asyncio.timeout(_AGENT_SIGNS_SECONDS):
                    return await signer.sign_async(data)

        return Offer(OfferedKeyPair(pair, sign), "key from the agent")

    async def _agent_keys(self) -> list[asyncssh.SSHKeyPair]:
        place = self._settings.identity_agent
        if not self._options.use_agent or place == "":
            return []
        place = place or os.environ.get("SSH_AUTH_SOCK", "")
        if not place and os.name != "nt":
            return []
        self._agent = asyncssh.SSHAgentClient(place)
        try:
            async with asyncio.timeout(_AGENT_SECONDS):
                return list(await self._agent.get_keys())
        except (OSError, ValueError, asyncssh.Error):  # no agent, or none that answers
            return []


class _Locked(ValueError):
    """The passphrase does not fit, or there is none."""


def _open(data: bytes, passphrase: str | None, path: str) -> asyncssh.SSHKey:
    """Read a private key from a file's content; raises NodeProblem, or _Locked."""
    try:
        return asyncssh.import_private_key(data, passphrase)
    except asyncssh.KeyEncryptionError:
        raise _Locked from None
    except (asyncssh.KeyImportError, ValueError) as error:
        if passphrase is not None and _is_locked(data) and not data.startswith(b"-----BEGIN OPEN"):
            raise _Locked from None  # the old formats cannot tell a wrong passphrase from damage
        # The library's text is about the form of the file, never its content.
        raise ssh_problems.key_unreadable(path, str(error)) from None


def _opened(key: asyncssh.SSHKey) -> OfferedKeyPair:
    async def sign(data: bytes, algorithm: bytes) -> bytes:
        return await asyncio.to_thread(key.sign, data, algorithm)

    return OfferedKeyPair(asyncssh.load_keypairs([key])[0], sign)


def _is_locked(data: bytes) -> bool:
    try:
        asyncssh.import_private_key(data)
    except asyncssh.KeyImportError as error:
        return "assphrase" in str(error)
    except ValueError:
        return False
    return False


async def _public_of(path: str, data: bytes | None = None) -> asyncssh.SSHKey | None:
    """The public half of a private key file: from its own head, or from the file beside it."""
    return await asyncio.to_thread(_read_public, path, data)


def _read_public(path: str, data: bytes | None) -> asyncssh.SSHKey | None:
    try:
        if data is None:
            data = read_key(path)
        return asyncssh.import_public_key(key_of_blob(public_blob(data)).text)
    except NodeProblem as problem:
        names = (path,) if problem.code is Code.KEY_IS_PUBLIC else ()
    except (ParseError, asyncssh.KeyImportError, ValueError):
        names = (path + ".pub",)
    for name in names:
        try:
            return asyncssh.import_public_key(read_regular(name))
        except (OSError, asyncssh.KeyImportError, ValueError, RuntimeError):
            continue
    return None
