"""Writes the manual page: what a person has to know, and every option as the program knows it.

Commands and options are taken from the program's own grammar when a package is built, so that the
page cannot fall behind. It needs the standard library only, as that grammar does.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from installers import changelog

ROOT = Path(__file__).resolve().parents[2]
TEXT = ROOT / "packaging" / "linux" / "manual.txt"
_STATUS = re.compile(r"^  (\d+)  (.+)$", re.MULTILINE)
_OPTION = re.compile(r"(?<![\w-])--?[a-z][\w-]*")


def page() -> str:
    """Return the page in the language of man(7)."""
    newest = changelog.entries()[0]
    parser = _grammar()
    generated = {
        "@OPTIONS@": _common_options(parser),
        "@COMMANDS@": _commands(parser),
        "@STATUS@": _exit_status(parser),
    }
    lines = [f'.TH WALLET\\-GUI 1 {newest.date} "Wallet GUI {newest.version}" "User Commands"']
    for line in TEXT.read_text(encoding="utf-8").splitlines():
        if line in generated:
            lines += generated[line]
        else:
            lines += _prose(line)
    return "\n".join(lines) + "\n"


def _grammar() -> argparse.ArgumentParser:
    sys.path.insert(0, str(ROOT))
    try:
        from wallet_gui.cli.arguments import make_parser  # noqa: PLC0415 - of the sources beside us
    finally:
        sys.path.remove(str(ROOT))
    return make_parser()


# The text


def _prose(line: str) -> Iterator[str]:
    """Turn a line of manual.txt into man(7): headings, terms, examples and paragraphs.

    `# HEADING`, `## Subheading`, `term :: what it is`, four spaces for an example, an empty line
    between paragraphs.
    """
    if line.startswith("## "):
        yield f".SS {_quoted(line[3:])}"
    elif line.startswith("# "):
        yield f".SH {_quoted(line[2:])}"
    elif line.startswith("    "):
        yield from (".PP", ".nf", ".RS 4", _escape(line[4:]), ".RE", ".fi")
    elif " :: " in line:
        term, _, meaning = line.partition(" :: ")
        yield from (".TP", f".B {_quoted(term)}", _escape(meaning))
    elif line.strip():
        yield _escape(line)
    else:
        yield ".PP"


def _escape(text: str) -> str:
    """Return plain text for a line of its own: no request, no escape, options with real minuses."""
    text = text.replace("\\", "\\e")
    text = _OPTION.sub(lambda found: found[0].replace("-", "\\-"), text)
    return "\\&" + text if text.startswith((".", "'")) else text


def _quoted(text: str) -> str:
    """Return plain text as one argument of a request."""
    return '"' + _escape(text).removeprefix("\\&").replace('"', "\\(dq") + '"'


# What the grammar says


def _common_options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for group in parser._action_groups:  # noqa: SLF001 - argparse has no other way to ask
        options = [action for action in group._group_actions if action.option_strings]  # noqa: SLF001
        if not options:
            continue
        if group.title and group.title != "options":
            yield f".SS {_quoted(group.title[0].upper() + group.title[1:])}"
        for action in options:
            yield from _described(action)


def _commands(parser: argparse.ArgumentParser) -> Iterator[str]:
    [commands] = (
        action
        for action in parser._actions  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
    )
    known = {name for action in parser._actions for name in action.option_strings}  # noqa: SLF001
    for shown in commands._choices_actions:  # noqa: SLF001 - the only place of a command's help
        command = commands.choices[shown.dest]
        own = [
            action
            for action in command._actions  # noqa: SLF001
            if not known.intersection(action.option_strings)
        ]
        words = [shown.dest, *(_word(action) for action in own if not action.option_strings)]
        yield f".SS {_quoted(' '.join(words))}"
        text = shown.help or ""
        yield _escape(f"{text[:1].upper()}{text[1:]}.")
        for action in own:
            if action.option_strings or action.help:
                yield from _described(action)


def _described(action: argparse.Action) -> Iterator[str]:
    """Return an option or a word with its values and its help."""
    names = ", ".join(f"\\fB{_escape(name)}\\fR" for name in action.option_strings)
    value = "" if action.nargs == 0 else _value(action)
    if action.option_strings:
        term = f"{names} \\fI{_escape(value)}\\fR" if value else names
    else:
        term = f"\\fI{_escape(value)}\\fR"
    yield ".TP"
    yield term
    text = (action.help or "").replace("%%", "%")
    choices = action.choices
    if isinstance(choices, Iterable) and not action.option_strings:
        text += f" (one of {', '.join(map(str, choices))})"
    yield _escape(text[:1].upper() + text[1:] + ".") if text else "\\&"


def _value(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices is not None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper().replace("_", "-")


def _word(action: argparse.Action) -> str:
    value = _value(action)
    if action.nargs == "*":
        return f"[{value}...]"
    return f"[{value}]" if action.nargs == "?" else value


def _exit_status(parser: argparse.ArgumentParser) -> Iterator[str]:
    for number, meaning in _STATUS.findall(parser.epilog or ""):
        yield from (".TP", f".B {number}", _escape(f"{meaning[:1].upper()}{meaning[1:]}."))
