"""The real vault with the cheapest password check that the program still reads.

For tests that start processes: `VaultClient(command=CHEAP_VAULT)`. It takes a fifth of a second
instead of seconds; everything else is the product's own entry. Nothing in the product's arguments
or environment can do this, which is why it is a script of its own.
"""

import sys
from pathlib import Path
from typing import Final

CHEAP_VAULT: Final = (sys.executable, str(Path(__file__).resolve()))
"""The command for `VaultClient(command=...)`; files that it writes open in the real program."""

if __name__ == "__main__":
    from wallet_gui.sealing import FLOOR
    from wallet_gui.vault.password_cost import PasswordCost
    from wallet_gui.vault.process import main

    sys.exit(main(sys.argv[1:], PasswordCost(preferred=FLOOR, fallback=FLOOR)))
