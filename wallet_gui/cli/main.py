"""Runs one command: parse, open what it needs, do it, print, and end with a Unix exit status."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence

from wallet_gui.cli.arguments import WrongArguments, make_parser, parse
from wallet_gui.cli.printing import json_line
from wallet_gui.cli.result import EXIT_FAILED, EXIT_USAGE, Result
from wallet_gui.process_protection import protect_memory
from wallet_gui.windows_system import broken_pipes

EXIT_INTERRUPTED = 130
# What a shell shows for a program that SIGPIPE ended, as it ends `yes` in `yes | head`.
EXIT_BROKEN_PIPE = 141


def main(arguments: Sequence[str], vault_command: Sequence[str] = ()) -> int:
    """Run a command; returns the exit status. Prints to standard output and standard error.

    `vault_command` starts another vault than the program's own, for tests.
    """
    is_json = "--json" in arguments
    try:
        try:
            return _main(arguments, vault_command, is_json=is_json)
        except KeyboardInterrupt:
            sys.stderr.write("\n")
            return EXIT_INTERRUPTED
        finally:
            with broken_pipes():
                sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output went away, as `head` does: nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE


def _main(arguments: Sequence[str], vault_command: Sequence[str], *, is_json: bool) -> int:
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    os.umask(0o077)
    protect_memory()
    try:
        options = parse(arguments)
        if options.command == "help":
            return _help(options)
    except WrongArguments as error:
        if not is_json:
            sys.stderr.write(error.usage)
        return _fail(str(error), EXIT_USAGE, is_json=is_json)
    # What follows reads the chain and the disk, and is not needed to explain a command.
    from wallet_gui.cli.failures import FAILURES, status_of  # noqa: PLC0415
    from wallet_gui.curve import self_test  # noqa: PLC0415

    run, failures = _runner(options)(options, vault_command)
    sentences: tuple[type[Exception], ...] = (*FAILURES, *failures)
    try:
        self_test()
        result = run()
    except sentences as error:
        return _fail(str(error), status_of(error), is_json=is_json)
    return _print(result, is_json=is_json)


Run = tuple[Callable[[], Result], tuple[type[Exception], ...]]
"""What does a command, and the errors besides FAILURES that are a sentence for the person."""


def _runner(options: argparse.Namespace) -> Callable[[argparse.Namespace, Sequence[str]], Run]:
    if options.command == "verify":
        return _verify
    return _offline if options.offline else _online


def _verify(options: argparse.Namespace, _: Sequence[str]) -> Run:
    from wallet_gui.cli.verify import run  # noqa: PLC0415 - needs neither wallets nor a network

    return lambda: run(options), ()


def _offline(options: argparse.Namespace, vault_command: Sequence[str]) -> Run:
    from wallet_gui.cli.offline import run  # noqa: PLC0415 - imports nothing that has a network

    return lambda: run(options, vault_command), ()


def _online(options: argparse.Namespace, vault_command: Sequence[str]) -> Run:
    import asyncio  # noqa: PLC0415 - the offline process must not even load it

    from wallet_gui.app.peer_address import parse_peer  # noqa: PLC0415 - see _main
    from wallet_gui.app.vault_client import VaultClient  # noqa: PLC0415
    from wallet_gui.chain.backend import ChainError  # noqa: PLC0415
    from wallet_gui.chain.event_loop import EventLoop  # noqa: PLC0415
    from wallet_gui.cli.commands import COMMANDS  # noqa: PLC0415
    from wallet_gui.cli.context import Context  # noqa: PLC0415

    async def run() -> Result:
        peers = tuple(parse_peer(text, Context.params_of(options)) for text in options.peer)
        context = Context(options, peers, VaultClient(headless=True, command=vault_command))
        try:
            return await COMMANDS[options.command](context)
        finally:
            await context.close()

    def on_loop() -> Result:
        with asyncio.Runner(loop_factory=EventLoop) as runner:
            return runner.run(run())

    return on_loop, (ChainError,)


def _help(options: argparse.Namespace) -> int:
    make_parser().parse_args([options.about, "--help"] if options.about else ["--help"])
    return 0


def _print(result: Result, *, is_json: bool) -> int:
    status = EXIT_FAILED if result.failure else 0
    if is_json:
        document = result.document
        if result.failure and isinstance(document, dict):
            document = {**document, "error": result.failure, "status": status}
        sys.stdout.write(json_line(document) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in result.lines))
    if result.failure:
        sys.stdout.flush()
        sys.stderr.write(f"wallet-gui: {result.summary or result.failure}\n")
    return status


def _fail(sentence: str, status: int, *, is_json: bool) -> int:
    if is_json:
        sys.stdout.write(json_line({"error": sentence, "status": status}) + "\n")
        sys.stdout.flush()
    sys.stderr.write(f"wallet-gui: {sentence}\n")
    return status
