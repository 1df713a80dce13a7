"""The real command line, with a vault whose password check is the cheapest that is still read."""

import sys

from tests.vault_with_cheap_kdf import CHEAP_VAULT
from wallet_gui.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], CHEAP_VAULT))
