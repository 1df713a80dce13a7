"""The user's ssh_config: what it says about a host, and what of it counts here (ssh_config(5)).

Read: Host, Match (all, host, originalhost, user), Include, HostName, Port, User, IdentityFile,
IdentitiesOnly, IdentityAgent, ProxyJump, ProxyCommand, HostKeyAlias, UserKnownHostsFile. Everything
else is passed over. No program is ever started because a configuration file says so: a block under
`Match exec` does not apply, and a host behind a `ProxyCommand` is refused with a sentence (the
system's ssh, when it is chosen, does as the file says: that is the user's own program and file).

The first value that is found counts, as in OpenSSH.
"""

import glob
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from wallet_gui.chain.bitcoind.known_hosts import matches_list
from wallet_gui.chain.bitcoind.ssh_target import SSH_PORT, SshTarget, checked_host, checked_user
from wallet_gui.primitives.serialize import ParseError

MOST_OF_A_FILE: Final = 1024 * 1024  # bytes; the rest of a longer file is not read
_DEEPEST_INCLUDE: Final = 8
_MOST_INCLUDES: Final = 64
_MOST_LINES: Final = 20_000
_MOST_HOPS: Final = 8
_YES: Final = frozenset({"yes", "true"})
_NONE: Final = "none"

Include = Callable[[str], Sequence[str]]
"""Gives the texts of the files that a pattern of `Include` names; [] where there are none."""


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What holds for one machine on the way, with every default filled in."""

    target: SshTarget
    """As it was typed, or as ProxyJump names it."""
    host: str
    port: int
    user: str
    key_name: str
    """What it is called in known_hosts: HostKeyAlias, else `host`."""
    identity_files: tuple[str, ...] = ()
    identities_only: bool = False
    identity_agent: str | None = None
    """A socket; "" for no agent, None for the usual one."""
    known_hosts_files: tuple[str, ...] = ()

    @property
    def key_place(self) -> tuple[str, int]:
        """Host and port as known_hosts has them: an alias for the key stands without a port."""
        return self.key_name, self.port if self.key_name == self.host else SSH_PORT


@dataclass(frozen=True, slots=True)
class _Line:
    """One setting, with the conditions of the blocks that it stands in (all have to hold)."""

    conditions: tuple["_Condition", ...]
    key: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Condition:
    """Pairs of a criterion and its patterns, all of which have to match."""

    criteria: tuple[tuple[str, str], ...]

    def holds(self, alias: str, host: str, user: str) -> bool:
        values = {"originalhost": alias, "host": host, "user": user}
        for criterion, patterns in self.criteria:
            name = criterion.removeprefix("!")
            if name == "all":
                matches = True
            elif name in values:
                matches = matches_list(patterns, values[name].lower())
            else:
                return False  # exec, localnetwork, final …: not asked, so it does not hold
            if matches == criterion.startswith("!"):
                return False
        return True


class SshConfig:
    """One or several ssh_config files, in the order in which they count."""

    def __init__(self, lines: Sequence[_Line] = ()) -> None:
        self._lines = tuple(lines)

    @staticmethod
    def parse(text: str, include: Include | None = None) -> "SshConfig":
        """Read a file's text. Lines that make no sense are passed over; raises nothing."""
        left = _MOST_INCLUDES if include is not None else 0

        def counted(pattern: str) -> Sequence[str]:
            nonlocal left
            if left == 0 or include is None:
                return ()
            left -= 1
            return include(pattern)

        return SshConfig(tuple(islice(_lines(text, counted, (), 0), _MOST_LINES)))

    def __add__(self, other: "SshConfig") -> "SshConfig":
        """Let another file count after this one."""
        return SshConfig(self._lines + other._lines)

    def aliases(self) -> list[str]:
        """The names that `Host` lines give to single machines, in order, to be offered."""
        found: dict[str, None] = {}
        for line in self._lines:
            if line.key != "host":
                continue
            for word in line.words:
                if not set(word) & set("*?!,"):
                    try:
                        found[checked_host(word)] = None
                    except ParseError:
                        continue
        return list(found)

    def route(self, target: SshTarget, local_user: str, home: str) -> list[HostSettings]:
        """Tell the machines to go through, the last of which is `target`.

        Raises ParseError with a sentence when the file says something unusable, `ProxyCommand` (a
        ParseError) when it wants a program in between.
        """
        return self._route(target, local_user, home, ())

    def _route(
        self, target: SshTarget, local_user: str, home: str, seen: tuple[str, ...]
    ) -> list[HostSettings]:
        if target.text in seen or len(seen) >= _MOST_HOPS:
            raise ParseError(f"ProxyJump leads in a circle at {target.host}.")
        found = self._found(target, local_user)
        settings = _settings(target, found, local_user, home)
        jump = found.get("proxyjump", [])
        if not jump and found.get("proxycommand", [_NONE])[0].lower() != _NONE:
            raise ProxyCommandWanted(target.host)
        if not jump or jump[0].lower() == _NONE:
            return [settings]
        hops = [SshTarget.parse(each.strip()) for each in jump[0].split(",")]
        if len(hops) > _MOST_HOPS:
            raise ParseError(f"ProxyJump names more than {_MOST_HOPS} machines.")
        route = self._route(hops[0], local_user, home, (*seen, target.text))
        route += [
            _settings(hop, self._found(hop, local_user), local_user, home) for hop in hops[1:]
        ]
        return [*route, settings]

    def _found(self, target: SshTarget, local_user: str) -> dict[str, list[str]]:
        """Collect what applies: the first value of each key, all values of IdentityFile."""
        found: dict[str, list[str]] = {}
        if target.port is not None:
            found["port"] = [str(target.port)]
        if target.user is not None:
            found["user"] = [target.user]
        for line in self._lines:
            if line.key == "host" or not line.words:
                continue
            host = found.get("hostname", [target.host])[0].replace("%h", target.host)
            user = found.get("user", [local_user])[0]
            if not all(each.holds(target.host, host, user) for each in line.conditions):
                continue
            if line.key == "identityfile":
                found.setdefault(line.key, []).append(line.words[0])
            elif line.key in ("proxycommand", "proxyjump"):
                # The first of the two counts.
                if "proxyjump" not in found and "proxycommand" not in found:
                    found[line.key] = list(line.words)
            else:
                found.setdefault(line.key, list(line.words))
        return found


class ProxyCommandWanted(ParseError):
    """The configuration reaches a host through a program."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} is reached through a ProxyCommand.")
        self.host = host


def read_user_config(home: Path) -> SshConfig:
    """Read the user's file and then the system's; what is not there or unreadable counts as empty.

    Blocks: called in a worker thread.
    """
    config = SshConfig()
    for folder, name in ((home / ".ssh", "config"), (_system_folder(), "ssh_config")):

        def included(pattern: str, folder: Path = folder) -> list[str]:
            full = folder / Path(
                pattern.replace("~", str(home), 1) if pattern[:1] == "~" else pattern
            )
            return [read_text(Path(each)) for each in _named(full)]

        config += SshConfig.parse(read_text(folder / name), included)
    return config


def _named(pattern: Path) -> list[str]:
    return sorted(glob.glob(str(pattern)))[:_MOST_INCLUDES]  # noqa: PTH207 - absolute patterns


def read_text(path: Path) -> str:
    """Read a small text file; "" when it is not there, unreadable or no regular file."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(MOST_OF_A_FILE).decode("utf-8", errors="replace")
    except OSError:
        return ""


def _system_folder() -> Path:
    if os.name == "nt":
        return Path(os.environ.get("PROGRAMDATA", "C:\\ProgramData")) / "ssh"
    return Path("/etc/ssh")


def _settings(
    target: SshTarget, found: dict[str, list[str]], local_user: str, home: str
) -> HostSettings:
    host = found.get("hostname", [target.host])[0]
    host = checked_host(host.replace("%h", target.host).replace("%%", "%"))
    user = checked_user(found.get("user", [local_user])[0])
    text = found.get("port", [str(SSH_PORT)])[0]
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:6]) < 65536:
        raise ParseError(f"The port of {target.host} is no number from 1 to 65535.")
    port = int(text)
    tokens = {
        "%%": "%",
        "%d": home,
        "%h": host,
        "%n": target.host,
        "%p": str(port),
        "%r": user,
        "%u": local_user,
    }
    files = [_path(each, tokens, home) for each in found.get("identityfile", [])]
    known = [_path(each, tokens, home) for each in found.get("userknownhostsfile", [])]
    agent: str | None = None
    if "identityagent" in found:
        word = found["identityagent"][0]
        if word.lower() == _NONE:
            agent = ""
        elif word != "SSH_AUTH_SOCK":
            agent = _path(word, tokens, home) or None
    alias = found.get("hostkeyalias", [host])[0]
    return HostSettings(
        target=target,
        host=host,
        port=port,
        user=user,
        key_name=checked_host(alias),
        identity_files=tuple(each for each in files if each),
        identities_only=found.get("identitiesonly", ["no"])[0].lower() in _YES,
        identity_agent=agent,
        known_hosts_files=tuple(each for each in known if each),
    )


def _path(word: str, tokens: dict[str, str], home: str) -> str:
    """Fill in `~` and %-tokens; "" for "none" and for what cannot be filled in."""
    if word.lower() == _NONE or "${" in word:
        return ""
    parts = []
    rest = word
    while rest:
        before, percent, rest = rest.partition("%")
        parts.append(before)
        if percent:
            token = percent + rest[:1]
            if token not in tokens:
                return ""
            parts.append(tokens[token])
            rest = rest[1:]
    path = "".join(parts)
    if path == "~" or path.startswith(("~/", "~\\")):
        return home + path[1:]
    return path if Path(path).is_absolute() else str(Path(home) / path)


def _lines(
    text: str, include: Include, outer: tuple[_Condition, ...], depth: int
) -> Iterator[_Line]:
    conditions = outer
    for raw in text.splitlines()[:_MOST_LINES]:
        key, words = _words(raw)
        if not key:
            continue
        if key == "host":
            conditions = (*outer, _Condition((("originalhost", ",".join(words)),)))
            yield _Line(outer, key, words)
        elif key == "match":
            conditions = (*outer, _condition(words))
        elif key == "include":
            if depth < _DEEPEST_INCLUDE:
                for pattern in words:
                    for each in include(pattern):
                        yield from _lines(each, include, conditions, depth + 1)
        else:
            yield _Line(conditions, key, words)


def _words(raw: str) -> tuple[str, tuple[str, ...]]:
    line = raw.strip()
    if not line or line.startswith("#"):
        return "", ()
    end = next((at for at, mark in enumerate(line) if mark in " \t="), len(line))
    key, rest = line[:end].lower(), line[end:].lstrip(" \t")
    rest = rest.removeprefix("=").strip()
    if key == "proxycommand":
        return key, (rest,) if rest else ()
    try:
        lexer = shlex.shlex(rest, posix=True)
        lexer.whitespace_split = True
        lexer.escape = ""  # a backslash is part of a Windows path
        lexer.quotes = '"'
        lexer.commenters = "#"
        return key, tuple(lexer)
    except ValueError:  # a quotation mark without its twin
        return "", ()


def _condition(words: Sequence[str]) -> _Condition:
    criteria = []
    rest = list(words)
    while rest:
        name = rest.pop(0).lower()
        name, equals, value = name.partition("=")
        if name.removeprefix("!") in ("all", "final", "canonical"):
            criteria.append((name, ""))
        elif equals:
            criteria.append((name, value))
        elif rest:
            criteria.append((name, rest.pop(0)))
        else:
            criteria.append(("exec", ""))  # a criterion without a value never holds
    return _Condition(tuple(criteria) or (("exec", ""),))
