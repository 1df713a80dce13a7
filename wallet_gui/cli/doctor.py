"""`doctor` tests the way to one's own node and shows the thirteen steps as they pass."""

import os
import sys
from pathlib import Path
from typing import Final

from wallet_gui.chain.bitcoind.doctor import examine
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.bitcoind.steps import (
    LOGIN,
    STEPS,
    Report,
    Status,
    StepResult,
    first_failure,
)
from wallet_gui.cli.context import Context
from wallet_gui.cli.node import named_source, with_password
from wallet_gui.cli.result import CommandError, Result, UsageError
from wallet_gui.cli.terminal import Terminal
from wallet_gui.storage.ssh_files import SshFiles

_MARKS: Final = {Status.OK: "✓", Status.WARN: "!", Status.FAIL: "✗", Status.SKIPPED: "·"}
_PLAIN_MARKS: Final = {Status.OK: "+", Status.WARN: "!", Status.FAIL: "X", Status.SKIPPED: "-"}
_COLOURS: Final = {Status.OK: "32", Status.WARN: "33", Status.FAIL: "31", Status.SKIPPED: "2"}
_NAME_WIDTH: Final = max(len(step.name) for step in STEPS)
_INDENT: Final = " " * 6


async def doctor(context: Context) -> Result:
    """Go through the thirteen steps; what is told as it comes is not in the result's lines."""
    options = context.options
    if options.report is not None and options.report.exists():
        raise UsageError(f"{options.report} is there already. Name a new file for the report.")
    await context.online.start_offline()
    stored = context.online.node_choice()
    choice = named_source(options, options.address or options.node, stored) or stored
    if not choice.uses_node:
        raise UsageError(
            "Name your node: wallet-gui doctor ssh://user@host, or local for one on this computer."
        )
    terminal = Terminal()
    screen = Screen(is_silent=options.json)
    terminal.before_question = screen.make_room
    choice = await with_password(choice, terminal)
    if options.forget_server:
        try:
            await context.online.forget_server(choice)
        except OSError as error:
            raise CommandError(f"The server cannot be forgotten: {error.strerror}.") from error
    report = await examine(
        choice.address(),
        choice.options(),
        terminal,
        SshFiles(context.directory.root),
        context.params,
        on_result=screen.show,
    )
    if options.report is not None:
        _write(options.report, report.redacted_text())
    failed = first_failure(report.results)
    failure = ""
    if failed is not None and failed.problem is not None:
        failure = terminal.with_unasked(str(failed.problem))
    # What is wrong was printed with its step: it is not said a second time below it.
    short = "" if failed is None else f"Step {failed.step.number} of {len(STEPS)} failed."
    return Result(
        document(report),
        screen.ending(report),
        failure,
        summary="" if options.json else terminal.with_unasked(short) + on_command_line(failed),
    )


def on_command_line(failed: StepResult | None) -> str:
    """How to do here what a sentence leaves to a button of the window."""
    problem = None if failed is None else failed.problem
    if problem is None:
        return ""
    if problem.code is Code.NO_KEY:
        return " To make a key: wallet-gui ssh-key."
    if problem.code is Code.HOST_KEY_CHANGED and problem.fix is None:
        return " To forget the old key: wallet-gui doctor --forget-server."
    return ""


def document(report: Report) -> dict[str, object]:
    """The report for programs: as it is, with the names of machines."""
    return {
        "ready": report.is_ready,
        "result": report.sentence,
        "rung": None if report.choice is None else report.choice.rung.value,
        "steps": [
            {
                "number": result.step.number,
                "name": result.step.name,
                "status": result.status.value,
                "words": result.words,
                "milliseconds": result.milliseconds,
                "problem": None if result.problem is None else _problem(result.problem),
            }
            for result in report.results
        ],
    }


def _problem(problem: NodeProblem) -> dict[str, object]:
    fix = problem.fix
    return {
        "code": problem.code.value,
        "title": problem.title,
        "what_to_do": problem.what_to_do,
        "copy": None if fix is None or not fix.line else fix.line,
        "detail": problem.detail,
    }


class Screen:
    """Prints a line for each step as it ends; on a terminal also the one that runs.

    The first four steps come out of one connection, and are told again with more words when it
    stands; so they are held back until then, or until something is asked.
    """

    def __init__(self, *, is_silent: bool) -> None:
        self._is_silent = is_silent
        self._has_progress = False
        self._held: dict[int, StepResult] = {}
        self._printed: set[int] = set()

    def show(self, result: StepResult) -> None:
        """Take the result of a step, one that runs, or one that is told again."""
        if self._is_silent:
            return
        number = result.step.number
        if result.status is Status.RUNNING:
            if number > LOGIN.number:
                self._print_held()
            self._progress(f"{number:>2}  {result.step.name} {result.words}".rstrip())
            return
        if number not in self._printed or result.status is Status.FAIL:
            self._held[number] = result
        if number > LOGIN.number or result.status is Status.FAIL:
            self._print_held()

    def make_room(self) -> None:
        """Let a question have a line of its own, below what led to it."""
        self._print_held()
        self._end_progress()

    def ending(self, report: Report) -> list[str]:
        """What comes after the thirteen lines."""
        self._print_held()
        self._end_progress()
        return ["", report.sentence] if report.is_ready else []

    def _print_held(self) -> None:
        if not self._held:
            return
        self._end_progress()
        for number, result in sorted(self._held.items()):
            self._printed.add(number)
            # What was never asked because of an earlier failure needs no line.
            if result.status is not Status.SKIPPED or result.words:
                sys.stdout.write("".join(f"{line}\n" for line in _lines(result)))
        sys.stdout.flush()
        self._held.clear()

    def _progress(self, text: str) -> None:
        if sys.stderr.isatty():
            self._has_progress = True
            sys.stderr.write(f"\r\x1b[K… {text}")
            sys.stderr.flush()

    def _end_progress(self) -> None:
        if self._has_progress:
            self._has_progress = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _lines(result: StepResult) -> list[str]:
    mark = _mark(result.status)
    took = f"{result.milliseconds} ms" if result.status is not Status.SKIPPED else ""
    head = f"{mark} {result.step.number:>2}  {result.step.name:<{_NAME_WIDTH}}  {took:>8}"
    lines = [_coloured(f"{head}  {result.words}".rstrip(), result.status)]
    problem = result.problem
    if problem is not None:
        said = [problem.title, problem.what_to_do]
        lines += [f"{_INDENT}{text}" for text in said if text and text != result.words]
        if problem.fix is not None and problem.fix.line:
            lines.append(f"{_INDENT}{problem.fix.label}:")
            lines.append(f"{_INDENT}    {problem.fix.line}")
    return lines


def _mark(status: Status) -> str:
    try:
        "".join(_MARKS.values()).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return _PLAIN_MARKS[status]
    return _MARKS[status]


def _coloured(line: str, status: Status) -> str:
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return line
    return f"\x1b[{_COLOURS[status]}m{line}\x1b[0m"


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
