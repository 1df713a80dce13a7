"""A computer without a network: the real offline window on a screen, driven as a person does."""

import contextlib
import subprocess
import time
from pathlib import Path

from tests.gui.qr_pictures import picture, saved
from tests.journey.program import FROM_SOURCE, Program
from tests.journey.screen import Screen
from tests.patience import PATIENCE
from wallet_gui.transfer.qr_frames import Decoder, Format, Kind, encode
from wallet_gui.widgets.qr_images import read_codes

OFFLINE, VAULT = "Wallet GUI \u2013 Offline", "Vault"
PASSWORD = "four lamps walk home slowly"


class OfflineMachine:
    """One offline window with a data folder of its own."""

    def __init__(
        self,
        screen: Screen,
        folder: Path,
        password: str = PASSWORD,
        program: Program = FROM_SOURCE,
    ) -> None:
        self.screen = screen
        self.program = program
        self.data = folder / "data"
        self.folder = folder
        self.password = password
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Open the window."""
        self.process = self.screen.start(
            [*self.program.offline, "--network", "regtest", "--data-dir", str(self.data)],
            self.screen.environment | dict(self.program.environment),
        )
        self.screen.wait_for("Offline: no network", OFFLINE)

    def stop(self) -> None:
        """Close the window; it must end by itself and well."""
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "the offline window did not end"
            # It is the only window, so it has the keyboard, once the dialog before it is gone.
            self.screen.key("alt+F4")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        assert self.process.returncode == 0, "the offline window did not end well"

    # --- wallets

    def create(self, name: str) -> None:
        screen = self.screen
        screen.press("Create a wallet", OFFLINE)
        screen.fill("Name of the wallet", name, OFFLINE)
        screen.press("Continue in the vault", OFFLINE)
        self._confirm_words()
        screen.fill("Password", self.password, VAULT)
        screen.fill("Password once more", self.password, VAULT)
        screen.press("Continue", VAULT)
        screen.press("Open the wallet", VAULT)
        screen.wait_for(f"Wallet: {name}", OFFLINE)

    def _confirm_words(self) -> None:
        screen = self.screen
        if "I have written them down" not in screen.names(VAULT):
            self._wait_for_words()
        words = self.program.words()
        screen.press("I have written them down", VAULT)
        screen.wait_for("Check what you wrote", VAULT)
        asked = {name for name in screen.names(VAULT) if name.removeprefix("Word ").isdigit()}
        for name in sorted(asked):
            screen.focus(name, VAULT)
            screen.type(words[int(name.split()[1]) - 1])
        screen.press("Continue", VAULT)

    def _wait_for_words(self) -> None:
        """Go past whatever the vault asks before it shows the words."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            names = self.screen.names(VAULT)
            if "I have written them down" in names:
                return
            if "Continue" in names and not any(name.startswith("Word ") for name in names):
                self.screen.press("Continue", VAULT)
            time.sleep(0.2)
        raise AssertionError(f"no words: {self.screen.names(VAULT)}")

    def open(self, name: str) -> None:
        self.screen.press(f"Open wallet {name}", OFFLINE)
        self.screen.fill("Password", self.password, VAULT)
        self.screen.press("Unlock", VAULT)
        self.screen.wait_for(f"Wallet: {name}", OFFLINE)

    def join(self, name: str, descriptor: str) -> None:
        screen = self.screen
        screen.press("Join a multisig", OFFLINE)
        screen.fill("Descriptor of the multisig", descriptor, OFFLINE)
        screen.press("Read it", OFFLINE)
        screen.wait_for("First address of the multisig: bcrt1", OFFLINE)
        screen.fill("Name of the new wallet", name, OFFLINE)
        screen.press("Continue in the vault", OFFLINE)
        screen.fill("Password", self.password, VAULT)
        screen.press("Continue", VAULT)
        screen.press("Join", VAULT)
        screen.press("Open the wallet", VAULT)
        screen.wait_for(f"Wallet: {name}", OFFLINE)

    # --- files and codes

    def choose(self, title: str, button: str, path: str) -> None:
        """Answer a file dialog."""
        self.screen.fill("File name:", path, title)
        self.screen.press(button, title)

    def save_account(self, path: Path) -> None:
        self.screen.press("Pair", OFFLINE)
        self.screen.press("Save as a file…", OFFLINE)
        self.choose("Save for the online computer", "Save", str(path))
        self.screen.wait_for(f"It is in {path.name}", OFFLINE)

    def bring_file(self, path: Path) -> None:
        self.screen.press("Sign", OFFLINE)
        self.screen.press("Open a file…", OFFLINE)
        self.choose("Open a payment", "Open", str(path))
        self.screen.wait_for("Network fee", OFFLINE)

    def bring_codes(self, psbt: bytes, folder: Path) -> int:
        """Show the payment as pictures of codes to the window; returns how many there are."""
        frames = encode(Kind.PSBT, psbt, format=Format.UR, max_fragment=120)
        paths = [
            saved(picture(frames.frame(number)), folder / f"code-{number}.png")
            for number in range(frames.count)
        ]
        self.screen.press("Scan QR codes", OFFLINE)
        self.screen.press("Open pictures…", OFFLINE)
        listed = " ".join(f'"{path}"' for path in paths)
        title = "Open pictures with QR codes"
        self.choose(title, "Open", listed)
        self.screen.wait_for("Network fee", OFFLINE)
        return frames.count

    def sign(self) -> None:
        """Sign what is on the page, through the vault's own review."""
        screen = self.screen
        screen.press("Review and sign", OFFLINE)
        screen.fill("Password", self.password, VAULT)
        screen.press("Continue to the review", VAULT)
        screen.wait_for("Check this payment", VAULT)
        screen.press("Sign", VAULT)
        screen.wait_for("Transaction", OFFLINE)

    def save_signed(self, path: Path) -> Path:
        self.screen.press("Save as a file…", OFFLINE)
        self.choose("Save the signed payment", "Save", str(path))
        self.screen.wait_for(f"The signed payment is in {path.name}", OFFLINE)
        return path

    def film_signed(self) -> bytes:
        """Show the signed payment as codes and read them off the screen, as a camera would."""
        self.screen.press("Show as QR codes", OFFLINE)
        decoder = Decoder()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for text in read_codes(self.screen.picture()):
                progress = decoder.receive(text)
                if progress.data is not None:
                    return progress.data
        raise AssertionError(f"only {decoder.progress} was read")
