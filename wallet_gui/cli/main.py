"""Runs one command: parse, open what it needs, do it, print, and end with a Unix exit status."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence

from wallet_gui.app.peer_address import parse_peer
from wallet_gui.app.vault_client import VaultCancelled, VaultRefused
from wallet_gui.chain.backend import ChainError
from wallet_gui.cli import output
from wallet_gui.cli.arguments import make_parser
from wallet_gui.cli.commands import COMMANDS
from wallet_gui.cli.context import CommandError, Context, UsageError
from wallet_gui.curve import self_test
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.errors import StorageError
from wallet_gui.wallet.errors import InsufficientFunds, WalletError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_VAULT = 3
EXIT_FUNDS = 4
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run a command; returns the exit status. Prints to standard output and standard error."""
    options = make_parser().parse_args(list(arguments))
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    os.umask(0o077)
    self_test()
    try:
        return asyncio.run(_run(options))
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away, as `head` does: nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except InsufficientFunds as error:
        return _fail(options, str(error), EXIT_FUNDS)
    except (VaultCancelled, VaultRefused) as error:
        return _fail(options, str(error), EXIT_VAULT)
    except (UsageError, ParseError) as error:
        return _fail(options, str(error), EXIT_USAGE)
    except (CommandError, WalletError, StorageError, ChainError) as error:
        return _fail(options, str(error), EXIT_FAILED)


async def _run(options: argparse.Namespace) -> int:
    peers = tuple(parse_peer(text, Context.params_of(options)) for text in options.peer)
    context = Context(options, peers)
    try:
        return await COMMANDS[options.command](context)
    finally:
        await context.close()


def _fail(options: argparse.Namespace, sentence: str, status: int) -> int:
    if options.json:
        output.print_json({"error": sentence, "status": status})
    sys.stderr.write(f"wallet-gui: {sentence}\n")
    return status
