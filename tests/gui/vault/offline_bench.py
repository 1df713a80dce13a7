"""An offline window whose vault answers in the test's process, with the vault's use cases."""

import base64
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from tests.patience import PATIENCE
from tests.unit.vault.samples import PASSWORD, TINY, TINY_COST, SampleWallet, make_wallet
from wallet_gui.custody.keeper import Keeper
from wallet_gui.custody.requests import VaultLook
from wallet_gui.custody.vault_dialog import VaultDialog
from wallet_gui.custody.vault_errors import VaultCancelled
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.transfer.messages import (
    CosignerKeyExported,
    CreateWallet,
    ExportCosignerKey,
    SignPsbt,
    UnlockWallet,
    WalletUnlocked,
)
from wallet_gui.vault import joining, signing, unlocking
from wallet_gui.vault.hardening import Protections
from wallet_gui.vault.offline.bench import Bench
from wallet_gui.vault.offline.proof import Check, Finding
from wallet_gui.vault.offline.window import OfflineWindow

PROTECTIONS = Protections("", no_core_dumps=True, not_traceable=True)
CHECKS = (
    Check("The system's filter for this process", Finding.HOLDS, "The kernel says: Seccomp 2."),
    Check("Sockets asked of the system just now", Finding.HOLDS, "TCP over IPv4: refused."),
    Check("This computer", Finding.FAILS, "It has a network: eth0."),
)


class StandInVault:
    """Answers requests as the vault does after the right password; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.refuses: BaseException | None = None
        self.cancelled = 0
        self.gate: threading.Event | None = None
        """Each answer waits for it."""

    def ask(self, request: Any, _expected: type[Any], _progress: Any = None) -> Any:
        self.asked.append(request)
        if self.gate is not None:
            self.gate.wait(PATIENCE)
        if self.refuses is not None:
            raise self.refuses
        match request:
            case UnlockWallet():
                unlocked = unlocking.unlock(Path(request.path), PASSWORD, TINY_COST)
                return WalletUnlocked(request.path, unlocked.reply.view_key)
            case SignPsbt():
                keys = self._keys(request.path)
                payment = signing.review_payment(request, signing.read_payment(request), keys)
                return signing.sign(payment, keys)
            case ExportCosignerKey():
                keys = self._keys(request.path)
                key = joining.exported_key(
                    keys.root, keys.params, request.script_type, request.account
                )
                return CosignerKeyExported(key)
            case CreateWallet():
                raise VaultCancelled
            case _:
                raise AssertionError(request)

    def _keys(self, path: str) -> signing.Keyring:
        return signing.keyring(signing.open_payload(Path(path), PASSWORD, TINY_COST))

    def cancel(self) -> None:
        self.cancelled += 1

    def close(self) -> None:
        pass


class OfflineRig:
    """The window, what it works with, and a wallet file with a payment to be signed."""

    def __init__(self, folder: Path, look: Callable[[], Any] = lambda: CHECKS) -> None:
        self.directory = DataDirectory(folder, REGTEST)
        self.directory.create()
        self.sample: SampleWallet = make_wallet(self.directory.wallets_directory)
        self.vault = StandInVault()
        keeper = Keeper(
            self.directory,
            REGTEST,
            cast("VaultDialog", self.vault),
            lambda: VaultLook(str(self.directory.wallets_directory), "light", 100, None),
            TINY,
        )
        self.bench = Bench(keeper)
        self.window = OfflineWindow(self.bench, PROTECTIONS, look)
        self.window.start()

    @property
    def psbt(self) -> bytes:
        """A payment that waits for this wallet's signature."""
        return self.sample.plan().psbt.serialize()

    @property
    def psbt_text(self) -> str:
        return base64.b64encode(self.psbt).decode()

    def open(self) -> None:
        self.bench.open(str(self.sample.path), _raise)

    def close(self) -> None:
        self.bench.close()
        self.window.close()


def _raise(error: BaseException) -> None:
    raise error
