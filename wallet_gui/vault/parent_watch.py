"""Ends the vault when whoever asked it is gone, whatever the vault is doing: no orphan stays.

A thread waits for the reading end of the reply pipe to be closed, which a killed window cannot
help doing. Nothing is lost by ending at any moment: that is what the save protocol is for.
"""

import ctypes
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from typing import Final

from wallet_gui.vault.channel import Channel

_GRACE_SECONDS: Final = 0.5
_STATUS: Final = 1
_SYNCHRONIZE: Final = 0x00100000
_FOREVER: Final = 0xFFFFFFFF


def end_with_parent(channel: Channel, may_be_asking: Callable[[], bool]) -> None:
    """Start to watch; the process ends within a second of its window or command.

    While `may_be_asking` on the terminal it is interrupted first, as by Ctrl-C, so that it
    switches the echo on again.
    """
    threading.Thread(
        target=_wait_and_end, args=(channel, may_be_asking), name="parent", daemon=True
    ).start()


def _wait_and_end(channel: Channel, may_be_asking: Callable[[], bool]) -> None:
    if not _wait_for_end(channel):
        return
    if may_be_asking():
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(_GRACE_SECONDS)
    # At once, with no handler and no destructor: some of them would wait for Qt or for Argon2id.
    os._exit(_STATUS)


def _wait_for_end(channel: Channel) -> bool:
    if sys.platform == "win32":
        return _wait_for_parent()
    poll = select.poll()
    poll.register(channel.write_end, 0)
    gone = select.POLLERR | select.POLLHUP | select.POLLNVAL
    while not any(event & gone for _, event in poll.poll()):
        pass
    return True


def _wait_for_parent() -> bool:
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - exists on Windows only
    parent = kernel.OpenProcess(_SYNCHRONIZE, 0, os.getppid())
    return bool(parent and kernel.WaitForSingleObject(parent, _FOREVER) == 0)
