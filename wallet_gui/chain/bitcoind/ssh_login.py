"""One login to one machine: judging its key, offering ours, putting its questions to the person.

`LoginClient` is what the SSH library calls back. It decides nothing by raising: it notes what
happened, and `ssh_session` makes the sentence of it. Loaded by `ssh_session` alone.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

import asyncssh

from wallet_gui.chain.bitcoind import ssh_problems
from wallet_gui.chain.bitcoind.identities import Identities, Offer
from wallet_gui.chain.bitcoind.key_files import key_of_blob
from wallet_gui.chain.bitcoind.known_hosts import HostKey, KnownHosts, Verdict
from wallet_gui.chain.bitcoind.port_kind import PortKind
from wallet_gui.chain.bitcoind.problems import NodeProblem, clean
from wallet_gui.chain.bitcoind.ssh_config import HostSettings
from wallet_gui.chain.bitcoind.tunnel_protocol import (
    Asker,
    SecretKind,
    SecretQuestion,
    SshOptions,
    SshSecrets,
    SshStore,
    Stage,
)

_ATTEMPTS: Final = 3
_MOST_PROMPTS: Final = 8  # of one challenge
_PROMPT_LIMIT: Final = 200
_BANNER_LIMIT: Final = 300


class Patience:
    """A time limit that stands still while a person thinks."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._scope = asyncio.timeout(None)
        self._left = seconds
        self._open_questions = 0
        self._is_over = False  # a question may be taken back later than that

    async def __aenter__(self) -> Self:
        """Begin to count."""
        await self._scope.__aenter__()
        self._go_on()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop counting; raises TimeoutError when the time was over."""
        self._is_over = True
        await self._scope.__aexit__(kind, error, traceback)

    def hold(self) -> None:
        """Stop counting: a question is open."""
        self._open_questions += 1
        when = self._scope.when()
        if self._open_questions == 1 and when is not None and not self._scope.expired():
            self._left = max(1.0, when - asyncio.get_running_loop().time())
            self._scope.reschedule(None)

    def release(self) -> None:
        """Go on: it was answered."""
        self._open_questions -= 1
        if self._open_questions == 0 and not self._is_over and not self._scope.expired():
            self._go_on()

    def _go_on(self) -> None:
        self._scope.reschedule(asyncio.get_running_loop().time() + self._left)


class Questions:
    """Puts questions to the person; an answer outlives the connection that wanted it.

    A server that hangs up while a person types must not make them type it again.
    """

    def __init__(self, asker: Asker, patience: Callable[[], Patience]) -> None:
        self._asker = asker
        self._patience = patience
        self._open: asyncio.Task[str | None] | None = None
        self._question: SecretQuestion | None = None
        self.was_declined = False

    async def ask(self, question: SecretQuestion) -> str | None:
        """Return the answer; None when the person gave none."""
        if self._open is None or self._question != question:
            await self.drop()
            self._question = question
            self._open = asyncio.ensure_future(self._asker.secret(question))
        with self.waiting():
            answer = await asyncio.shield(self._open)
        self._open = self._question = None
        if answer is None:
            self.was_declined = True
        return answer

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let no time count: something outside of us waits for the person (an agent that asks)."""
        patience = self._patience()
        patience.hold()
        try:
            yield
        finally:
            patience.release()

    async def wait_answered(self) -> bool:
        """Wait for a question whose server is gone; whether the answer is of use to the next."""
        if self._open is None or self._question is None:
            return False
        if self._question.kind is SecretKind.CHALLENGE:  # of use to nobody any more
            await self.drop()
            return False
        answer = await asyncio.shield(self._open)
        if answer is None:
            self.was_declined = True
            return False
        return True

    @property
    def is_open(self) -> bool:
        """Whether a question waits, or its answer for a server."""
        return self._open is not None

    async def drop(self) -> None:
        """Take the question back."""
        if self._open is not None:
            self._open.cancel()
            await asyncio.gather(self._open, return_exceptions=True)
            self._open = self._question = None


class LoginClient(asyncssh.SSHClient):
    """What the SSH library calls during one connection, and what is known of it afterwards."""

    def __init__(
        self,
        settings: HostSettings,
        options: SshOptions,
        store: SshStore,
        secrets: SshSecrets,
        questions: Questions,
        known: KnownHosts,
        on_stage: Callable[[Stage], None],
    ) -> None:
        self._settings = settings
        self._secrets = secrets
        self._questions = questions
        self._known = known
        self._on_stage = on_stage
        self._passwords = 0
        self._challenges = 0
        self._candidate: str | None = None  # the password given last
        self.identities = Identities(settings, options, store, secrets, questions)
        self._offers: AsyncIterator[Offer] = self.identities.offers()
        self.connection: asyncssh.SSHClientConnection | None = None
        self.host_key: HostKey | None = None
        self.verdict: tuple[Verdict, str] | None = None
        self.is_certified = False
        self.offered: list[Offer] = []
        self.method = ""
        self.has_asked = False
        self.banner = ""
        self.is_logged_in = False
        self.lost: Exception | None = None
        self.port_kind: PortKind | None = None

    @property
    def server_version(self) -> str:
        """What the server calls itself; "" before it said so."""
        if self.connection is None:
            return ""
        return clean(str(self.connection.get_extra_info("server_version", "")), 80)

    # The connection

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """Keep it: what the server calls itself is asked of it."""
        self.connection = conn

    def connection_lost(self, exc: Exception | None) -> None:
        """Keep the reason."""
        self.lost = exc
        self.identities.close()

    # The server's key

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Judge the server's key; nothing was sent to the server that depends on it."""
        del host, addr, port
        self._on_stage(Stage.HOST_KEY)
        self.host_key = key_of_blob(key.public_data)
        self.verdict = self._known.verdict(*self._settings.key_place, self.host_key)
        return self.verdict[0] is Verdict.TRUSTED

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Judge who signed the server's certificate."""
        del host, addr, port
        self._on_stage(Stage.HOST_KEY)
        self.is_certified = True
        blob = key_of_blob(key.public_data)
        authorities = self._known.authorities(*self._settings.key_place)
        return blob in authorities

    # Our login

    def begin_auth(self, username: str) -> None:
        """Note that the server is the one we know."""
        del username
        self._on_stage(Stage.LOGIN)

    def auth_completed(self) -> None:
        """Note that we are in."""
        self.is_logged_in = True
        self.method = self.method or "no login"

    def auth_banner_received(self, msg: str, lang: str) -> None:
        """Keep the server's greeting for the details: it may say why nobody gets in."""
        del lang
        self.banner = clean(msg, _BANNER_LIMIT)

    async def public_key_auth_requested(self) -> asyncssh.SSHKeyPair | None:
        """Give the next key."""
        offer = await anext(self._offers, None)
        if offer is None:
            return None
        self.offered.append(offer)
        self.method = offer.name
        return offer.pair

    async def password_auth_requested(self) -> str | None:
        """Give the password: the one that worked before, or ask."""
        place = self._place
        known = self._secrets.passwords.pop(place, None)
        if known is None:
            if self._passwords >= _ATTEMPTS or self._questions.was_declined:
                return None
            known = await self._ask(
                SecretKind.PASSWORD,
                f"Password of {self._settings.user} on {self._settings.host}",
                echo=False,
                is_retry=self._passwords > 0,
            )
            self._passwords += 1
        if known is not None:
            self._candidate = known
            self.method = "password"
        return known

    def kbdint_auth_requested(self) -> str | None:
        """Let the server ask what it likes, a few times."""
        if self._challenges >= _ATTEMPTS or self._questions.was_declined:
            return None
        self._challenges += 1
        return ""

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        """Put the server's questions to the person, in its own words."""
        del lang
        if len(prompts) > _MOST_PROMPTS:
            return None
        answers = []
        for prompt, echo in prompts:
            words = " ".join(part for part in (name, instructions, prompt) if part.strip())
            words = clean(words, _PROMPT_LIMIT) or "The server asks for an answer"
            is_password = len(prompts) == 1 and not echo and "password" in prompt.lower()
            known = self._secrets.passwords.pop(self._place, None) if is_password else None
            if known is None:
                known = await self._ask(
                    SecretKind.CHALLENGE, words, echo=echo, is_retry=self._challenges > 1
                )
            if known is None:
                return None
            if is_password:
                self._candidate = known
            self.method = "password" if is_password else "answer to the server's question"
            answers.append(known)
        return answers

    def remember(self) -> None:
        """Keep in memory the password that was right."""
        if self._candidate is not None:
            self._secrets.passwords[self._place] = self._candidate

    @property
    def _place(self) -> str:
        return f"{self._settings.user}@{self._settings.host}:{self._settings.port}"

    async def _ask(
        self, kind: SecretKind, prompt: str, *, echo: bool, is_retry: bool
    ) -> str | None:
        self.has_asked = True
        return await self._questions.ask(SecretQuestion(kind, prompt, echo, is_retry))

    def refusal(self) -> NodeProblem:
        """Say why the server did not let us in."""
        host, user = self._settings.host, self._settings.user
        if self.identities.problem is not None:
            return self.identities.problem
        is_known = any(offer.pair.was_taken for offer in self.offered)
        if self._questions.was_declined and (is_known or not self.offered):
            return ssh_problems.prompt_declined(host)
        detail = ssh_problems.tried([offer.name for offer in self.offered])
        if self.banner:
            detail = f"{detail} It says: {self.banner}".strip()
        if not self.offered and not self.has_asked:
            return ssh_problems.no_key(host, user, detail)
        line = self.offered[0].public_line if self.offered and not is_known else ""
        return ssh_problems.auth_refused(host, user, public_line=line, detail=detail)
