"""The real vault with a password check of a millisecond: for tests that ask it a hundred times.

The product refuses the wallet files that it writes.
"""

import sys
from pathlib import Path
from typing import Final

from tests.unit.vault.samples import TINY_COST
from wallet_gui.vault.process import main

TINY_VAULT: Final = (sys.executable, str(Path(__file__).resolve()))

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], TINY_COST))
