"""What a command has to say, apart from how it is printed."""

from collections.abc import Sequence
from dataclasses import dataclass

EXIT_FAILED = 1
EXIT_USAGE = 2


class CommandError(Exception):
    """The command could not be done; the message is a sentence for the person."""


class UsageError(CommandError):
    """The command line asks for something that makes no sense."""


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a command: `document` for --json, `lines` for people.

    `failure` is a sentence about what could not be done although there is something to show, such
    as a payment that was signed and kept and that no peer took; `summary` stands for it on the
    screen, where the lines have said it already.
    """

    document: object
    lines: Sequence[str]
    failure: str = ""
    summary: str = ""
