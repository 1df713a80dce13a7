"""Sends argv to the window, the vault or the command line; imports nothing else before it knows."""

import sys

COMMANDS = frozenset(
    {
        "create",
        "restore",
        "address",
        "balance",
        "history",
        "message",
        "send",
        "bump",
        "abandon",
        "sync",
        "peers",
        "connections",
        "psbt",
        "backup",
        "descriptor",
        "wallets",
        "doctor",
        "ssh-key",
        "check-update",
        "help",
    }
)
# Options before the command that take the next argument; a command's name may be their value.
WITH_VALUE = frozenset(
    {
        "--wallet",
        "--network",
        "--peer",
        "--data-dir",
        "--password-file",
        "--passphrase-file",
        "--timeout",
        "--proxy",
        "--relay",
        "--data-limit",
        "--node",
        "--key",
        "--ssh",
        "--rpc-port",
        "--p2p-port",
        "--cookie",
        "--user",
    }
)
# Only the window knows these, so that what follows them is for the window to judge.
_WINDOW_ONLY = frozenset({"--playground", "--smoke-test"})


def is_command_line(arguments: list[str]) -> bool:
    """Whether the command line is meant: a command, a request for help, or a word that is none.

    The window takes a bitcoin: link or a PSBT file, and nothing else.
    """
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in {"-h", "--help"}:
            return True
        elif argument in _WINDOW_ONLY:
            return False
        elif argument in WITH_VALUE:
            skip = True
        elif not argument.startswith("-"):
            lower = argument.lower()
            return not (lower.startswith("bitcoin:") or lower.endswith(".psbt"))
    return False


def is_offline(arguments: list[str]) -> bool:
    """Whether --offline stands anywhere before the arguments that are no options."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return "--offline" in arguments[:end]


def main(arguments: list[str] | None = None) -> int:
    """Start the program; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if "--vault" in arguments:
        from wallet_gui.vault.process import main as vault  # noqa: PLC0415 - one process, one part

        return vault(arguments)
    if "--draw-sheet" in arguments:
        from wallet_gui.widgets.sheet_process import main as sheet  # noqa: PLC0415 - as above

        return sheet(arguments)
    if "--version" in arguments:
        from wallet_gui import __version__  # noqa: PLC0415

        sys.stdout.write(f"wallet-gui {__version__}\n")
        return 0
    protections = None
    if is_offline(arguments):
        # Before anything else is imported: no network from here on, in this process and its own.
        from wallet_gui.vault.hardening import harden  # noqa: PLC0415

        protections = harden()
    if is_command_line(arguments):
        from wallet_gui.cli.main import main as command_line  # noqa: PLC0415

        return command_line(arguments)
    if protections is not None:
        from wallet_gui.vault.offline.application import main as offline_window  # noqa: PLC0415

        return offline_window(arguments, protections)
    from wallet_gui.gui.application import main as window  # noqa: PLC0415

    return window(arguments)


if __name__ == "__main__":
    sys.exit(main())
