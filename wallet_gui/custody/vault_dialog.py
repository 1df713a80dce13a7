"""Asks the vault from a process that has no event loop of its own: the caller waits, in a thread.

For the offline window and the offline command line; the online side has `app.vault_client`.
"""

import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from wallet_gui.custody.vault_errors import VaultCancelled, VaultError, VaultRefused
from wallet_gui.custody.vault_start import VaultPipe, reads_standard_input, start_vault
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.messages import Cancelled, Failed, Progress, Reply, Request
from wallet_gui.transfer.pipe import FrameDecoder, encode, reply_decoder

R = TypeVar("R")
_CHUNK: Final = 1 << 16
_KILL_AFTER: Final = 5.0


class VaultDialog:
    """Sends requests, one at a time, each to a vault process of its own.

    A vault ends with its reply. Only where a secret is a line of standard input one process stays
    for several requests, since nobody could read that line again; `close` ends it. `cancel` may be
    called from any thread.
    """

    def __init__(self, *, headless: bool = False, command: Sequence[str] = ()) -> None:
        """Prepare; `command` starts another program than this one's own vault, for tests."""
        self._headless = headless
        self._command = tuple(command)
        self._one_at_a_time = threading.Lock()
        self._guard = threading.Lock()
        self._running: _Vault | None = None
        self._kept: _Vault | None = None
        self._is_cancelled = False

    def ask(
        self,
        request: Request,
        expected: type[R],
        on_progress: Callable[[Progress], None] | None = None,
    ) -> R:
        """Send a request and wait for the reply; blocking. `on_progress` is called meanwhile.

        Raises VaultCancelled, VaultRefused with the vault's sentence, or VaultError when it died.
        """
        frame = encode(request)
        is_kept = self._headless and reads_standard_input(request)
        with self._one_at_a_time:
            vault, self._kept = self._kept, None
            reply: Reply | None = None
            try:
                vault = vault or _Vault(*start_vault(self._command, headless=self._headless))
                self._begin(vault)
                reply = vault.exchange(frame, on_progress, is_last=not is_kept)
            finally:
                with self._guard:
                    was_cancelled, self._running = self._is_cancelled, None
                    self._is_cancelled = False
                if vault is not None:
                    if is_kept and reply is not None:
                        self._kept = vault
                    else:
                        vault.end()
        if isinstance(reply, expected):
            return reply
        if isinstance(reply, Cancelled) or was_cancelled:
            raise VaultCancelled
        if isinstance(reply, Failed):
            raise VaultRefused(reply.kind, reply.sentence)
        raise VaultError("The vault ended without an answer. Nothing was changed; try again.")

    def _begin(self, vault: "_Vault") -> None:
        with self._guard:
            self._running = vault
            if self._is_cancelled:
                vault.kill()

    def cancel(self) -> None:
        """End the vault that is being asked; `ask` then raises VaultCancelled."""
        with self._guard:
            if self._running is not None:
                self._is_cancelled = True
                self._running.kill()

    @property
    def process_id(self) -> int | None:
        """The process that is being asked now."""
        with self._guard:
            return None if self._running is None else self._running.process_id

    def close(self) -> None:
        """End whatever runs, and the process that was kept."""
        self.cancel()
        with self._one_at_a_time:
            vault, self._kept = self._kept, None
            if vault is not None:
                vault.end()


class _Vault:
    """A vault process that runs, and our ends of its pipes."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: VaultPipe) -> None:
        self._process = process
        self._pipe = pipe
        self._decoder: FrameDecoder[Reply] = reply_decoder()

    @property
    def process_id(self) -> int:
        return self._process.pid

    def exchange(
        self, frame: bytes, on_progress: Callable[[Progress], None] | None, *, is_last: bool
    ) -> Reply | None:
        """Send a request and wait for its reply; None when the vault died."""
        self._pipe.write_all(frame)
        if is_last:
            self._pipe.close_write()
        while data := os.read(self._pipe.read_end, _CHUNK):
            try:
                replies = self._decoder.receive_data(data)
            except ParseError as error:
                raise VaultError(
                    "The vault answered something that could not be read. Nothing was changed."
                ) from error
            for reply in replies:
                if not isinstance(reply, Progress):
                    return reply
                if on_progress is not None:
                    on_progress(reply)
        return None

    def kill(self) -> None:
        """End it at once; whoever reads from it sees the end of its pipe."""
        self._process.kill()

    def end(self) -> None:
        """Hang up and wait for the process to be gone."""
        self._pipe.close_write()
        try:
            self._process.wait(_KILL_AFTER)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pipe.close()
