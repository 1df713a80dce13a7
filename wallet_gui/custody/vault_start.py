"""Starts the vault process with two pipes that nobody else inherits.

The vault is started anew for each request and ends with its reply, so that the operating system
takes back every page that held a secret. Nothing secret is in its arguments or its environment.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wallet_gui.custody.vault_errors import VaultError
from wallet_gui.program_start import own_environment, own_program
from wallet_gui.windows_system import broken_pipes

if TYPE_CHECKING:
    from wallet_gui.transfer.messages import Request


@dataclass(slots=True)
class VaultPipe:
    """Both ends of the two pipes; the child's ends are closed here once it has them."""

    read_end: int
    write_end: int
    child_read: int
    child_write: int

    @classmethod
    def make(cls) -> "VaultPipe":
        child_read, write_end = os.pipe()
        read_end, child_write = os.pipe()
        return cls(read_end, write_end, child_read, child_write)

    def write_all(self, frame: bytes) -> None:
        """Write a frame; blocking."""
        view = memoryview(frame)
        # When the vault died, its silence is reported by whoever reads.
        with contextlib.suppress(BrokenPipeError), broken_pipes():
            while view:
                view = view[os.write(self.write_end, view) :]

    def close_child(self) -> None:
        for name in ("child_read", "child_write"):
            self._close(name)

    def close_write(self) -> None:
        self._close("write_end")

    def close(self) -> None:
        self.close_child()
        self.close_write()
        self._close("read_end")

    def _close(self, name: str) -> None:
        descriptor = getattr(self, name)
        if descriptor >= 0:
            setattr(self, name, -1)
            os.close(descriptor)


def start_vault(
    command: Sequence[str] = (), *, headless: bool
) -> tuple[subprocess.Popen[bytes], VaultPipe]:
    """Start a vault; blocking for a fork and an exec. `command` stands for the program's own.

    Raises VaultError with a sentence.
    """
    pipe = VaultPipe.make()
    try:
        process = _start_process(tuple(command), pipe, headless=headless)
    except OSError as error:
        pipe.close()
        raise VaultError(
            f"The vault could not be started: {error.strerror}. Nothing was changed."
        ) from error
    except BaseException:
        pipe.close()
        raise
    pipe.close_child()
    return process, pipe


def reads_standard_input(request: "Request") -> bool:
    """Whether a secret of the request is a line of standard input, which is there only once."""
    from wallet_gui.transfer.messages import STDIN  # noqa: PLC0415 - with the first request

    options = request.headless
    return options is not None and STDIN in {
        options.password_file,
        options.new_password_file,
        options.words_file,
        options.passphrase_file,
        options.dice_file,
    }


def _start_process(
    own: tuple[str, ...], pipe: VaultPipe, *, headless: bool
) -> subprocess.Popen[bytes]:
    command = own or own_program()
    # Qt's log of input (qt.qpa.input) would repeat each key that is typed into the vault.
    environment = {
        name: value
        for name, value in own_environment().items()
        if not name.startswith("QT_LOGGING")
    }
    mode = ["--headless"] if headless else []
    arguments = [*command, "--vault", *mode]
    if sys.platform == "win32":
        return _start_on_windows(arguments, pipe, environment, headless=headless)
    return subprocess.Popen(  # noqa: S603 - our own executable with fixed arguments
        [*arguments, "--pipe", f"{pipe.child_read},{pipe.child_write}"],
        pass_fds=(pipe.child_read, pipe.child_write),
        env=environment,
    )


def _start_on_windows(
    arguments: list[str], pipe: VaultPipe, environment: dict[str, str], *, headless: bool
) -> subprocess.Popen[bytes]:
    import msvcrt  # noqa: PLC0415 - exists on Windows only

    handles = []
    for descriptor in (pipe.child_read, pipe.child_write):
        handle = msvcrt.get_osfhandle(descriptor)  # type: ignore[attr-defined,unused-ignore]
        os.set_handle_inheritable(handle, True)  # type: ignore[attr-defined,unused-ignore]
        handles.append(handle)
    startup = subprocess.STARTUPINFO()  # type: ignore[attr-defined,unused-ignore]
    startup.lpAttributeList = {"handle_list": handles}
    return subprocess.Popen(  # noqa: S603 - our own executable with fixed arguments
        [*arguments, "--pipe", ",".join(str(handle) for handle in handles)],
        # A list of handles shuts out all others, and with them standard input, from which a vault
        # without a window reads a password; one that is named here joins the list.
        stdin=0 if headless else None,
        startupinfo=startup,
        env=environment,
    )
