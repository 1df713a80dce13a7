"""The vault process: protect yourself, read one request, answer it, end."""

import secrets
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Final

from wallet_gui.curve import self_test
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.messages import Cancelled, Failed, FailureKind, Reply, SelfTest
from wallet_gui.vault.channel import Channel
from wallet_gui.vault.creation import Entropy
from wallet_gui.vault.errors import EXPECTED, failure, internal_failure
from wallet_gui.vault.hardening import harden
from wallet_gui.vault.headless import HeadlessVault
from wallet_gui.vault.parent_watch import end_with_parent
from wallet_gui.vault.password_cost import PRODUCTION, PasswordCost
from wallet_gui.vault.terminal import SecretReader, system_terminal

_UNREADABLE: Final = (
    "The vault could not read what it was asked. Nothing was changed; start the program again."
)
USAGE: Final = "usage: wallet-gui --vault [--headless] --pipe IN,OUT"


def main(
    arguments: Sequence[str],
    cost: PasswordCost = PRODUCTION,
    entropy: Entropy = secrets.token_bytes,
) -> int:
    """Answer the requests from the pipe, one with a window; returns the exit status.

    0 when a reply was given or nothing was asked, 1 when nobody took the reply, 2 for arguments
    that are not the window's. `cost` and `entropy` are for tests: no argument and no environment
    variable changes them.
    """
    protections = harden()
    try:
        headless, channel = _parse(arguments)
    except ValueError as error:
        sys.stderr.write(f"{USAGE}\n{error}\n")
        return 2

    is_answering = threading.Event()
    end_with_parent(channel, lambda: headless and is_answering.is_set())
    # One for all requests: a line of standard input is there only once.
    reader = SecretReader(system_terminal(), sys.stdin.buffer, sys.stderr) if headless else None

    def answer() -> Reply | None:
        self_test()
        try:
            request = channel.receive()
        except ParseError:
            return Failed(FailureKind.BAD_REQUEST, _UNREADABLE)
        if request is None:
            return None
        is_answering.set()
        if isinstance(request, SelfTest):
            from wallet_gui.vault.self_test import answer  # noqa: PLC0415 - for smoke tests only

            return answer(entropy)
        if reader is not None:
            return HeadlessVault(reader, cost, channel.progress, entropy).answer(request)
        from wallet_gui.widgets.qt_loading import load_qt  # noqa: PLC0415 - headless needs no Qt

        load_qt()
        from wallet_gui.vault.application import run  # noqa: PLC0415

        return run(request, protections, cost, channel, entropy)

    while (reply := _guarded(answer)) is not None:
        is_answering.clear()
        if not channel.send(reply):
            return 1
        if not headless or isinstance(reply, Cancelled):
            break
    return 0


def _guarded(answer: Callable[[], Reply | None]) -> Reply | None:
    """Turn whatever goes wrong into a reply, so that the window can say something."""
    try:
        return answer()
    except KeyboardInterrupt:
        return Cancelled()
    except EXPECTED as error:
        return failure(error)
    except Exception as error:  # noqa: BLE001 - the vault's top
        # The places only: the message and the values may be secret.
        sys.stderr.write("".join(traceback.format_tb(error.__traceback__)))
        return internal_failure(error)


def _parse(arguments: Sequence[str]) -> tuple[bool, Channel]:
    headless = False
    pipe = None
    rest = iter(arguments)
    for argument in rest:
        if argument == "--headless":
            headless = True
        elif argument == "--pipe" and pipe is None:
            pipe = next(rest, "")
        elif argument != "--vault":
            raise ValueError("The vault is started by Wallet GUI itself; it takes nothing else.")
    if pipe is None:
        raise ValueError("The vault is started by Wallet GUI itself, which gives it a pipe.")
    return headless, Channel.from_argument(pipe)
