"""One real vault process that answers many requests, as the command line keeps one.

Password and words come from files of the folder; what it shows a person goes to another one.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.hostile.tiny_vault import TINY_VAULT
from wallet_gui.transfer.messages import HeadlessOptions, Progress, Reply, Request
from wallet_gui.transfer.pipe import encode, reply_decoder

ROOT = Path(__file__).resolve().parents[2]


class VaultLine:
    """Use as a context manager; `ask` sends a request and waits for its reply."""

    def __init__(
        self, folder: Path, password: str, words: str, command: Sequence[str] = TINY_VAULT
    ) -> None:
        for name, text in (("password", password), ("words", words)):
            (folder / name).touch(0o600)
            (folder / name).write_text(f"{text}\n")
        self.options = HeadlessOptions(
            password_file=str(folder / "password"),
            words_file=str(folder / "words"),
            assume_yes=True,
        )
        to_vault, self._requests = os.pipe()
        self._replies, from_vault = os.pipe()
        self._shown = folder / "shown"
        self._decoder = reply_decoder()
        with self._shown.open("wb") as file:
            self._process = subprocess.Popen(
                [*command, "--vault", "--headless", "--pipe", f"{to_vault},{from_vault}"],
                pass_fds=(to_vault, from_vault),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        os.close(to_vault)
        os.close(from_vault)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, request: Request) -> Reply:
        self._shown.write_bytes(b"")  # what follows is about this request only
        view = memoryview(encode(request))
        while view:
            view = view[os.write(self._requests, view) :]
        while True:
            data = os.read(self._replies, 1 << 16)
            assert data, f"the vault died: {self.shown}"
            for reply in self._decoder.receive_data(data):
                if not isinstance(reply, Progress):
                    return reply

    @property
    def shown(self) -> str:
        """What a person was shown about the last request."""
        return self._shown.read_text().lstrip("\0")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._requests)
        self._process.wait(20)
        os.close(self._replies)
