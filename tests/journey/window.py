"""The product's window, with the one difference that its vault makes words that the test knows."""

import sys
from typing import Any

from tests.vault_with_cheap_kdf import KNOWN_WORDS_VAULT
from wallet_gui.app import vault_client
from wallet_gui.gui.application import main

_make = vault_client.VaultClient.__init__


def _make_with_known_words(self: vault_client.VaultClient, **options: Any) -> None:
    _make(self, **{**options, "command": KNOWN_WORDS_VAULT})


vault_client.VaultClient.__init__ = _make_with_known_words  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
