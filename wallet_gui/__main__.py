"""Sends argv to the window, the vault or the command line; imports nothing else before it knows."""

import sys

COMMANDS = frozenset(
    {"create", "restore", "address", "balance", "history", "send", "sync", "psbt", "wallets"}
)
# Options that take the next argument; a command's name may be their value.
_WITH_VALUE = frozenset({"--wallet", "--network", "--peer", "--data-dir", "--pipe"})


def is_command_line(arguments: list[str]) -> bool:
    """Whether the first argument that is neither an option nor its value is a command."""
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in _WITH_VALUE:
            skip = True
        elif not argument.startswith("-"):
            return argument in COMMANDS
    return False


def main(arguments: list[str] | None = None) -> int:
    """Start the program; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if "--vault" in arguments:
        from wallet_gui.vault.process import main as vault  # noqa: PLC0415 - one process, one part

        return vault(arguments)
    if "--version" in arguments:
        from wallet_gui import __version__  # noqa: PLC0415

        sys.stdout.write(f"wallet-gui {__version__}\n")
        return 0
    if is_command_line(arguments):
        from wallet_gui.cli.main import main as command_line  # noqa: PLC0415

        return command_line(arguments)
    from wallet_gui.gui.application import main as window  # noqa: PLC0415

    return window(arguments)


if __name__ == "__main__":
    sys.exit(main())
