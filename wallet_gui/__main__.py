"""Sends argv to the window, the vault or the command line; imports nothing else before it knows."""

import gc
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
        "verify",
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


_EXIT_USAGE = 2
_NO_CONSOLE = (
    "This program has no console to write to. The command line is wallet-gui.exe in the same "
    "folder."
)
_OPTIONS_AFTER = (
    "wallet-gui: options cannot follow a link or a file. Whoever made the link may have wanted "
    "this; nothing was opened.\n"
)
_NOT_ONE_LINK = (
    "wallet-gui: after -- stands one bitcoin: link or one .psbt file, and nothing else. Nothing "
    "was opened.\n"
)


def is_link_or_file(argument: str) -> bool:
    """Whether the window takes it: a bitcoin: link or a PSBT file, and nothing else."""
    lower = argument.lower()
    return lower.startswith("bitcoin:") or lower.endswith(".psbt")


def first_word(arguments: list[str]) -> int | None:
    """Where the first argument stands that is neither an option nor the value of one.

    What follows "--" is no option, whatever it looks like. None when there is no such argument.
    """
    skip = False
    for position, argument in enumerate(arguments):
        if skip:
            skip = False
        elif argument == "--":
            return position + 1 if position + 1 < len(arguments) else None
        elif argument in WITH_VALUE:
            skip = True
        elif not argument.startswith("-"):
            return position
    return None


def refusal(arguments: list[str]) -> str:
    """Why these arguments are refused before anything is done with them; "" when they are not.

    Desktops pass links that a web page wrote. What follows a link is never an option: a link must
    not be able to choose the folder, the network, the vault or a plug-in (CVE-2021-3401).
    """
    word = first_word(arguments)
    if word is None:
        return ""
    if arguments[word - 1 : word] == ["--"]:
        is_one = is_link_or_file(arguments[word]) and len(arguments) == word + 1
        return "" if is_one else _NOT_ONE_LINK
    if is_link_or_file(arguments[word]) and len(arguments) > word + 1:
        return _OPTIONS_AFTER
    return ""


def is_command_line(arguments: list[str]) -> bool:
    """Whether the command line is meant: a command, a request for help, or a word that is none."""
    word = first_word(arguments)
    options = arguments[:word]
    if not {"-h", "--help"}.isdisjoint(options):
        return True
    return _WINDOW_ONLY.isdisjoint(options) and (
        word is not None and not is_link_or_file(arguments[word])
    )


def is_offline(arguments: list[str]) -> bool:
    """Whether --offline stands anywhere before the arguments that are no options."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return "--offline" in arguments[:end]


def main(arguments: list[str] | None = None) -> int:
    """Start the program; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # The program of Windows that opens no console has no standard streams.
    if None in (getattr(sys, "stdout", None), getattr(sys, "stderr", None)):
        return _main_without_console(arguments)
    return _main(arguments)


def _main_without_console(arguments: list[str]) -> int:
    from wallet_gui.windows_system import message_box, run_without_console  # noqa: PLC0415

    # Our own processes and tests are read by programs, which see the exit status.
    is_watched = arguments[:1] in (["--vault"], ["--draw-sheet"]) or "--smoke-test" in arguments
    if not is_watched and (arguments[:1] == ["--version"] or is_command_line(arguments)):
        message_box(_NO_CONSOLE)
        return _EXIT_USAGE
    return run_without_console(lambda: _main(arguments), None if is_watched else message_box)


def _main(arguments: list[str]) -> int:
    # Only this program itself starts its other processes, so these stand first or mean nothing.
    match arguments[:1]:
        case ["--vault"]:
            from wallet_gui.vault.process import main as vault  # noqa: PLC0415 - one process

            return vault(arguments)
        case ["--draw-sheet"]:
            from wallet_gui.widgets.sheet_process import main as sheet  # noqa: PLC0415 - as above

            return sheet(arguments)
        case ["--version"]:
            from wallet_gui import __version__  # noqa: PLC0415

            sys.stdout.write(f"wallet-gui {__version__}\n")
            return 0
    refused = refusal(arguments)
    if refused:
        sys.stderr.write(refused)
        return _EXIT_USAGE
    return _run(arguments)


def _run(arguments: list[str]) -> int:
    protections = None
    if is_offline(arguments):
        # Before anything else is imported: no network from here on, in this process and its own.
        from wallet_gui.vault.hardening import harden  # noqa: PLC0415

        protections = harden()
    if is_command_line(arguments):
        from wallet_gui.cli.main import main as command_line  # noqa: PLC0415

        return command_line(arguments)
    if protections is not None:
        from wallet_gui.widgets.qt_loading import load_qt  # noqa: PLC0415

        load_qt()
        from wallet_gui.vault.offline.application import main as offline_window  # noqa: PLC0415

        return offline_window(arguments, protections)
    # What the start loads stays; to look for garbage in it again and again takes a tenth of the
    # start. The window switches the collector on once it can be used.
    gc.disable()
    from wallet_gui.widgets.qt_loading import load_qt  # noqa: PLC0415

    load_qt()
    from wallet_gui.gui.application import main as window  # noqa: PLC0415

    return window(arguments)


if __name__ == "__main__":
    sys.exit(main())
