"""The grammar of the command line: options, their types and their help."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn

from wallet_gui import __version__
from wallet_gui.cli import backup_arguments, message_arguments, verify_arguments
from wallet_gui.cli.new_wallet_options import add_create_options, add_restore_options
from wallet_gui.primitives.params import MAINNET, NETWORKS

_EPILOG = """\
exit status:
  0  done
  1  it could not be done; the sentence on standard error says why
  2  the command line is wrong
  3  the password is wrong, or the vault refused
  4  the wallet has not enough money
  130  interrupted

Secrets are read by the vault process only: from the terminal, from the file of --password-file,
--words-file, --passphrase-file or --dice-file, or from lines of standard input, in the order
password, words, passphrase, rolls of dice, where the file is "-".
"""
_WINDOW = """\
Without a command the window opens. It takes a bitcoin: link or a .psbt file, --network, --peer and
--data-dir, and --playground for a private network with play money. --offline opens the window of a
computer that keeps keys and has no network, and blocks the network in the process; so it does on
the commands address, backup, create, descriptor, message, psbt, restore, verify and wallets.
Nothing may follow a link or a file; -- before it says that it is none of the options. --smoke-test
opens the window in a temporary folder, checks the installation (with --peer: also that peer), and
ends; the exit status tells whether all is well.

"""


def _date(text: str) -> int:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError("write the date as 2024-12-31") from None
    if day > datetime.now(UTC):
        raise argparse.ArgumentTypeError("this day is still to come; write a day that has passed")
    return int(day.timestamp())


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError("write a whole number that is not negative")
    return int(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)


DESCRIPTOR_ACTIONS: Final = ("export", "import", "inspect", "key", "multisig", "join")
EXPORT_FORMATS: Final = ("descriptor", "core", "specter", "sparrow", "coldcard")
PSBT_ACTIONS: Final = (
    "create",
    "inspect",
    "show",  # as inspect
    "update",
    "sign",
    "combine",
    "finalize",
    "extract",
    "convert",
    "broadcast",
)


_LATE: Final[Mapping[str, Mapping[str, Callable[[str], object]]]] = {
    "backup": {"file": Path},
    "descriptor": {"files": str},
    "doctor": {"address": str},
    "message": {"text": str},
    "psbt": {"files": str},
    "send": {"payee": str, "amount": str},
    "verify": {"files": Path},
}
"""The positionals of commands that may be missing, in their order, each with its type."""


class WrongArguments(Exception):
    """The command line is wrong; `usage` shows its right form."""

    def __init__(self, sentence: str, usage: str) -> None:
        super().__init__(sentence)
        self.usage = usage


class _Parser(argparse.ArgumentParser):
    """Leaves it to the caller how a mistake is told; takes no abbreviations of options."""

    commands: Mapping[str, argparse.ArgumentParser]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        raise WrongArguments(f"{message[:1].upper()}{message[1:]}.", self.format_usage())


DEFAULTS: Final[Mapping[str, Any]] = {
    "wallet": None,
    "network": MAINNET.name,
    "offline": False,
    "peer": [],
    "data_dir": None,
    "json": False,
    "password_file": None,
    "passphrase_file": None,
    "timeout": 600,
    "only_peers": False,
    "encrypted_only": False,
    "proxy": None,
    "relay": None,
    "data_limit": None,
    "node": None,
    "key": None,
    "own_key": False,
    "ssh": None,
    "rpc_port": None,
    "p2p_port": None,
    "cookie": None,
    "user": None,
    "tell_nothing": False,
}
"""The common options stand before or after the command, so neither place may have defaults."""


def _shared() -> _Parser:
    parser = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = parser.add_argument_group("common options")
    group.add_argument("--wallet", metavar="FILE", help="a wallet's name or its file")
    group.add_argument("--network", choices=sorted(NETWORKS), help=f"default: {MAINNET.name}")
    group.add_argument(
        "--peer",
        action="append",
        metavar="HOST:PORT",
        help="read from this peer too, instead of from the stored ones; may be repeated",
    )
    group.add_argument(
        "--offline", action="store_true", help="work with the network blocked in this process"
    )
    group.add_argument("--data-dir", type=Path, metavar="DIR", help="where everything is kept")
    group.add_argument(
        "--json", action="store_true", help="print one JSON document; amounts in sat"
    )
    group.add_argument(
        "--password-file", metavar="FILE", help='the vault reads the password here; "-" is stdin'
    )
    group.add_argument(
        "--passphrase-file", metavar="FILE", help="the same for the 25th word, where there is one"
    )
    group.add_argument(
        "--timeout", type=_count, metavar="SECONDS", help="give up syncing after this; default: 600"
    )
    network = parser.add_argument_group("connections, instead of what the settings say")
    network.add_argument(
        "--only-peers", action="store_true", help="contact nobody but the peers that are named"
    )
    network.add_argument(
        "--encrypted-only", action="store_true", help="refuse peers that do not encrypt (BIP324)"
    )
    network.add_argument(
        "--proxy", metavar="HOST:PORT", help="go through this SOCKS5 proxy (Tor) for everything"
    )
    network.add_argument(
        "--relay",
        choices=("off", "receiving", "always"),
        help="whether peers announce payments that are in no block yet; receiving: with --listen",
    )
    network.add_argument(
        "--data-limit", type=_count, metavar="MB", help="read no more of the past than this"
    )
    _add_node(parser.add_argument_group("your own node, through SSH or on this computer"))
    return parser


def _add_node(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--node",
        metavar="ADDRESS",
        help="read from this node instead of from peers: ssh://user@host, an alias of your ssh "
        'configuration, or "local" for one on this computer (local:PORT); "direct": from peers, '
        "whatever the settings say",
    )
    group.add_argument("--key", metavar="FILE", help="log in with this SSH key and no other")
    group.add_argument(
        "--own-key", action="store_true", help="log in with the key that wallet-gui ssh-key made"
    )
    group.add_argument(
        "--ssh",
        choices=("built-in", "system"),
        help="which SSH makes the connection: our own, or the system's ssh program",
    )
    group.add_argument("--rpc-port", type=_port, metavar="N", help="default: that of the network")
    group.add_argument("--p2p-port", type=_port, metavar="N", help="default: that of the network")
    group.add_argument(
        "--cookie", metavar="PATH", help="where the node's cookie file is, over there"
    )
    group.add_argument(
        "--user", metavar="NAME", help="the node's RPC user; the password is asked on the terminal"
    )
    group.add_argument(
        "--tell-nothing",
        action="store_true",
        help="do not tell the node which scripts are yours: it hands out its filters instead",
    )


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read a command line; raises WrongArguments. `--help` and `--version` print and exit."""
    parser = make_parser()
    options, unknown = parser.parse_known_args(list(arguments))
    unknown = _take_late(options, unknown)
    if unknown:
        # Told by the command's own parser, which shows the command's own usage.
        parser.commands[options.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    for name, value in DEFAULTS.items():
        if not hasattr(options, name):
            setattr(options, name, value)
    return options


def _take_late(options: argparse.Namespace, words: Sequence[str]) -> list[str]:
    """Put words that stand behind options where they belong; returns those that belong nowhere.

    argparse gives up on a positional that may be missing as soon as an option stands before it, so
    that `backup check --wallet savings FILE` would be refused.
    """
    if any(word.startswith("-") and word != "-" for word in words):
        return list(words)
    left = list(words)
    for name, made in _LATE.get(options.command, {}).items():
        given = getattr(options, name)
        if isinstance(given, list):
            given.extend(map(made, left))
            left.clear()
        elif given is None and left:
            setattr(options, name, made(left.pop(0)))
    return left


def make_parser() -> _Parser:
    """Build the parser of all commands."""
    shared = _shared()
    parser = _Parser(
        prog="wallet-gui",
        parents=[shared],
        description="A Bitcoin wallet that needs nobody's server.",
        epilog=_WINDOW + _EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"wallet-gui {__version__}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=_Parser
    )

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            parents=[shared],
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    described = add("help", "explain a command")
    described.add_argument("about", nargs="?", metavar="COMMAND")
    add("wallets", "list the wallets of a network")
    create = add("create", "make a new wallet and show its words")
    add_create_options(create, _date)
    restore = add("restore", "make a wallet from words or a key that were kept")
    add_restore_options(restore, _date)
    _add_reading(add)
    _add_watching(add)
    _add_paying(add)
    backup_arguments.add_parser(add)
    message_arguments.add_parser(add)
    verify_arguments.add_parser(add, _count)
    _add_connecting(add)
    add("check-update", "ask once whether there is a newer version; downloads nothing")
    parser.commands = commands.choices
    return parser


def _add_reading(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    address = add("address", "reveal a new receive address")
    address.add_argument("--label", default="")
    address.add_argument("--amount", metavar="BTC", help="ask for this amount in the link")
    for name, text in (
        ("balance", "show the balance"),
        ("history", "list the payments, newest first"),
        ("sync", "read the chain up to its tip"),
    ):
        command = add(name, text)
        if name != "sync":
            command.add_argument(
                "--no-sync", action="store_true", help="show what is stored, without connecting"
            )
        if name == "history":
            command.add_argument("--limit", type=_count, metavar="N", help="only the newest N")
            command.add_argument("--csv", action="store_true", help="print comma-separated values")
        else:
            command.add_argument(
                "--listen",
                type=_count,
                default=0,
                metavar="SECONDS",
                help="once in sync, wait so long for payments that are not in a block yet",
            )


def _add_watching(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    for name, text in (
        ("peers", "connect and show who answers"),
        ("connections", "connect and list every host that was contacted, and why"),
    ):
        add(name, text).add_argument(
            "--wait",
            type=_count,
            default=20,
            metavar="SECONDS",
            help="look for so long, or until in sync; default: 20",
        )


def _add_connecting(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    doctor = add("doctor", "test the connection to your own node, in thirteen steps")
    doctor.add_argument(
        "address",
        nargs="?",
        metavar="ADDRESS",
        help='ssh://user@host, an alias of your ssh configuration, or "local"; default: the '
        "settings' node",
    )
    doctor.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write what was found into this new file, without anything that names you or your "
        "machines, to be read and shared",
    )
    doctor.add_argument(
        "--forget-server",
        action="store_true",
        help="forget the identity of the node's machine first, and compare it anew: after you have "
        "reinstalled it",
    )
    key = add("ssh-key", "make an SSH key that can do nothing but reach your node")
    key.add_argument(
        "--show", action="store_true", help="print the line of the key that there is; make none"
    )


def _add_paying(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    send = add("send", "pay somebody")
    send.add_argument("payee", nargs="?", help="an address or a bitcoin: link")
    send.add_argument("amount", nargs="?", metavar="BTC", help='an amount, or "max"')
    send.add_argument(
        "--to", action="append", default=[], metavar="ADDRESS=BTC", help="one more recipient"
    )
    _add_spending(send)
    send.add_argument(
        "--no-broadcast", action="store_true", help="sign and print, neither keep nor send"
    )
    bump = add("bump", "replace an unconfirmed payment of yours by one with a higher fee")
    bump.add_argument("txid", metavar="TXID")
    bump.add_argument(
        "--fee-rate", metavar="SAT/VB", help="the new rate; default: half as much again"
    )
    _add_consent(bump)
    abandon = add("abandon", "give an unconfirmed payment of yours up; its coins are free again")
    abandon.add_argument("txid", metavar="TXID")
    _add_descriptor(add("descriptor", "export, import and share what a wallet is, no secrets"))
    _add_psbt(add("psbt", "prepare, inspect, sign, combine or send payments that others sign"))


def _add_spending(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fee-rate",
        metavar="SAT/VB",
        help="satoshis per virtual byte, such as 2.5; default: what peers suggest",
    )
    parser.add_argument(
        "--coin", action="append", default=[], metavar="TXID:N", help="spend exactly these coins"
    )
    parser.add_argument("--label", default="", help="what the payment is for")
    _add_consent(parser)


def _add_consent(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask before signing")
    parser.add_argument(
        "--accept-high-fee", action="store_true", help="pay a fee that looks like a mistake"
    )


def _add_descriptor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        metavar="ACTION",
        choices=DESCRIPTOR_ACTIONS,
        help="export: write the wallet for another program; import: make a wallet that only "
        "watches; inspect: show what a file holds; key: show the public key for a multisig; "
        "multisig: put the cosigners' keys together; join: make the multisig's wallet",
    )
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help='what another program exported, or a descriptor or public key; "-" is stdin',
    )
    parser.add_argument(
        "--format",
        choices=EXPORT_FORMATS,
        default="descriptor",
        help="export: for which program; default: descriptor",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write into this new file too")
    parser.add_argument(
        "--type",
        choices=("wpkh", "tr", "sh_wpkh", "pkh", "wsh", "sh_wsh", "sh"),
        help="kind of addresses; the last three are of a multisig",
    )
    parser.add_argument("--required", type=_count, metavar="M", help="multisig: signatures needed")
    parser.add_argument("--account", type=_count, default=0, metavar="N", help="key: default: 0")
    parser.add_argument(
        "--words-of", metavar="WALLET", help="join: the wallet here whose words are a cosigner's"
    )
    parser.add_argument(
        "--birthday", type=_date, metavar="DATE", help="nothing was paid to it before this day"
    )
    parser.add_argument(
        "--yes", action="store_true", help="join: do not ask whether the cosigners are right"
    )


def _add_psbt(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        metavar="ACTION",
        choices=PSBT_ACTIONS,
        help="create: prepare a payment; inspect (or show): say what it does; update: add what "
        "this wallet knows; sign: with this wallet's keys; combine: put signatures together; "
        "finalize, extract: make the transaction; convert: to the other version; "
        "broadcast: send it",
    )
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help='PSBT files, binary, base64 or hex; "-" is stdin'
    )
    parser.add_argument(
        "--asked",
        metavar="FILE",
        help="combine, finalize, extract, broadcast: the PSBT that was given away; what came back "
        "is compared with it, and only its signatures are taken over",
    )
    parser.add_argument(
        "--psbt-version",
        type=int,
        choices=(0, 2),
        help="the version to write; default: as it is, for convert the other one",
    )
    parser.add_argument(
        "--to", action="append", default=[], metavar="ADDRESS=BTC", help="create: a recipient"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the result here")
    _add_spending(parser)
