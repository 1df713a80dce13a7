"""The product's window for the memory canary: with a cheap vault, and a wallet with a passphrase.

Writes what the window's own start did to protect the process, as JSON, to the file CANARY_RECORD.
Whoever is not root may read no memory of a process that protects itself: then this one opens
itself again, once that is written down.
"""

import ctypes
import json
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.journey.canary_vault import COMMAND
from tests.patience import PATIENCE
from wallet_gui.app import vault_client, wallet_work
from wallet_gui.gui.application import main
from wallet_gui.transfer.messages import RestoreWallet

_make = vault_client.VaultClient.__init__
_restore = wallet_work.restore_request


def _make_with_cheap_vault(self: vault_client.VaultClient, **options: Any) -> None:
    _make(self, **{**options, "command": COMMAND})


def _restore_with_passphrase(*arguments: Any, **options: Any) -> RestoreWallet:
    return replace(_restore(*arguments, **options), use_passphrase=True)


vault_client.VaultClient.__init__ = _make_with_cheap_vault  # type: ignore[method-assign]
vars(wallet_work)["restore_request"] = _restore_with_passphrase


def record_protections() -> None:
    """Wait for what the program does for itself, write it down, and let the test look."""
    library = ctypes.CDLL(None)
    deadline = time.monotonic() + PATIENCE
    while library.prctl(3, 0, 0, 0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    limits = Path("/proc/self/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    is_dumpable = library.prctl(3, 0, 0, 0, 0)
    Path(os.environ["CANARY_RECORD"]).write_text(
        json.dumps({"dumpable": is_dumpable, "core": core.split()[4:6]})
    )
    if os.geteuid() != 0:
        library.prctl(4, 1, 0, 0, 0)


if __name__ == "__main__":
    threading.Thread(target=record_protections, daemon=True).start()
    sys.exit(main(sys.argv[1:]))
