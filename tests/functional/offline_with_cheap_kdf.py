"""The real `--offline`, window or command line, with a vault whose password check is cheap.

With --known-words as its first argument new wallets get the words that the tests know. Everything
else is what `wallet_gui.__main__` does: it protects itself first, and only then imports the rest.
"""

import sys

from wallet_gui.vault.hardening import harden

if __name__ == "__main__":
    arguments = sys.argv[1:]
    protections = harden()

    from pathlib import Path

    from wallet_gui.__main__ import is_command_line

    # Not imported from tests: that would bring keys into this process.
    vault = [sys.executable, str(Path(__file__).resolve().parents[1] / "vault_with_cheap_kdf.py")]
    if arguments[:1] == ["--known-words"]:
        vault.append(arguments.pop(0))
    if is_command_line(arguments):
        from wallet_gui.cli.main import main as command_line

        sys.exit(command_line(arguments, tuple(vault)))
    from wallet_gui.vault.offline.application import main as window

    sys.exit(window(arguments, protections, tuple(vault)))
