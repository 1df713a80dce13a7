"""What the system's `ssh` is told on its command line, and what it says in return (OpenSSH).

Plain functions: arguments from a target, problems from the lines of the standard error. At level
DEBUG2 the program says on its standard error how far it is; everything else there is a complaint.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from wallet_gui.chain.bitcoind import ssh_problems
from wallet_gui.chain.bitcoind.known_hosts import host_name
from wallet_gui.chain.bitcoind.problems import NodeProblem, node_refused
from wallet_gui.chain.bitcoind.ssh_target import SSH_PORT, SshTarget
from wallet_gui.chain.bitcoind.tunnel_protocol import SshOptions

_DEBUG: Final = re.compile(r"debug[1-3]: ")
_CONNECTING: Final = re.compile(r"debug1: Connecting to \S+ \[([^\]]+)\] port (\d+)\.")
_VERSION: Final = re.compile(
    r"debug1: Remote protocol version ([\d.]+), remote software version (.*)"
)
_HOST_KEY: Final = re.compile(r"debug1: Server host key: (\S+) (SHA256:\S+)")
_LOGGED_IN: Final = re.compile(
    r"(?:Authenticated to .* using \"|debug1: Authentication succeeded \()([a-z-]+)"
)
_OPENED: Final = re.compile(r"debug2: channel 0: open confirm")
_USERS_FILE: Final = re.compile(r"[/\\]\.ssh[/\\]|^/etc/ssh/")  # not the program's own
_MOST_KEPT: Final = 40


@dataclass
class Words:
    """What one `ssh` has said so far."""

    address: tuple[str, int] | None = None
    """Where it connects to, after its configuration and the name service."""
    server_version: str = ""
    fingerprint: str = ""
    method: str = ""
    """How it logged in; "" before that."""
    is_open: bool = False
    """Whether the channel of `-W` is open."""
    complaints: list[str] = field(default_factory=list)

    def hear(self, line: str) -> None:
        """Take one line of the standard error."""
        if found := _CONNECTING.match(line):
            self.address = (found[1], int(found[2]))
        elif found := _VERSION.match(line):
            self.server_version = f"SSH-{found[1]}-{found[2]}"
        elif found := _HOST_KEY.match(line):
            self.fingerprint = found[2]
        elif found := _LOGGED_IN.match(line):
            self.method = found[1]
        elif _OPENED.match(line):
            self.is_open = True
        elif line.strip() and not _DEBUG.match(line) and len(self.complaints) < _MOST_KEPT:
            self.complaints.append(line)

    @property
    def text(self) -> str:
        """The complaints in one text."""
        return "\n".join(self.complaints)


def arguments(
    program: str, target: SshTarget, options: SshOptions, known_hosts: str, key: str | None
) -> list[str]:
    """Write the command line up to the host; what is to be done there follows as more arguments.

    `known_hosts` is our own file, `key` a private key file that is the only one to be offered. The
    host comes after `--`, and neither it nor the user can begin with a minus sign.
    """
    settings = [
        "LogLevel=DEBUG2",
        "BatchMode=yes",  # no question is ever asked on a terminal
        f"ConnectTimeout={max(1, round(options.connect_timeout))}",
        f"ServerAliveInterval={max(1, round(options.keepalive_interval))}",
        f"ServerAliveCountMax={options.keepalive_count}",
        "StrictHostKeyChecking=yes",
        f"GlobalKnownHostsFile={_quoted(known_hosts)} /etc/ssh/ssh_known_hosts",
        # Nothing listens: no forwarding of the configuration, no socket for other programs.
        "ClearAllForwardings=yes",
        "ControlMaster=no",
        "ControlPath=none",
        "Tunnel=no",
        "ForwardAgent=no",
        "ForwardX11=no",
        "PermitLocalCommand=no",
        "RequestTTY=no",
        "EscapeChar=none",
    ]
    line = [program]
    if not options.use_user_config:
        line += ["-F", "none"]
        settings.append("UserKnownHostsFile=none")
    if not options.use_agent:
        settings.append("IdentityAgent=none")
    if key is not None:
        # Not `-i`, which does not find a path that has a % sign.
        settings += ["IdentitiesOnly=yes", f"IdentityFile={_quoted(key).replace('%', '%%')}"]
    for setting in settings:
        line += ["-o", setting]
    if target.user is not None:
        line += ["-l", target.user]
    if target.port is not None:
        line += ["-p", str(target.port)]
    return line


def to_port(line: Sequence[str], target: SshTarget, host: str, port: int) -> list[str]:
    """Let standard input and output be a channel to a port."""
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return [*line, "-W", place, "--", target.host]


def to_run(line: Sequence[str], target: SshTarget, command: str) -> list[str]:
    """Run a command of ours on the node's machine."""
    return [*line, "--", target.host, command]


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "/").replace('"', '\\"') + '"'


# --- what is wrong -------------------------------------------------------------------------------


def problem_of(words: Words, target: SshTarget, options: SshOptions) -> NodeProblem | None:
    """Make a sentence of the complaints; None where one has to look at the port itself."""
    text = words.text
    host = target.host
    port = words.address[1] if words.address is not None else target.port or SSH_PORT
    rows: tuple[tuple[str, Callable[[], NodeProblem]], ...] = (
        ("Could not resolve hostname", lambda: ssh_problems.host_unknown(host, text)),
        ("REMOTE HOST IDENTIFICATION HAS CHANGED", lambda: _changed(target, words)),
        ("REVOKED HOST KEY", lambda: ssh_problems.host_key_revoked(host)),
        ("marked as revoked", lambda: ssh_problems.host_key_revoked(host)),
        ("Host key verification failed", lambda: _unknown_key(target, words)),
        ("no matching ", lambda: ssh_problems.no_common_algorithm(host, text)),
        ("authentication failures", lambda: _refused(target, text)),
        ("Permission denied (", lambda: _refused(target, text)),
        ("Timeout, server ", lambda: _keepalive(host, options)),
        ("timed out", lambda: ssh_problems.ssh_silent(host, options.connect_timeout, text)),
        ("No route to host", lambda: ssh_problems.host_unreachable(host, text)),
        ("Network is unreachable", lambda: ssh_problems.host_unreachable(host, text)),
        ("configuration option", lambda: ssh_problems.config_invalid(text)),
        ("Bad owner or permissions", lambda: ssh_problems.config_invalid(text)),
    )
    for piece, make in rows:
        if piece in text:
            return make()
    if re.search(r"connect to (?:host|address) .*Connection refused", text):
        return ssh_problems.ssh_refused(host, port, text)
    if not words.server_version and words.address is not None:
        return None
    if words.server_version and not words.fingerprint:
        return ssh_problems.hung_up_while_agreeing(host, text)
    if re.search(r"[Cc]onnection (?:to .* )?(?:closed|reset)|Broken pipe|disconnect", text):
        return ssh_problems.connection_ended(host, text)
    return ssh_problems.ssh_failed(host, text)


def channel_problem(
    words: Words, target: SshTarget, options: SshOptions, host: str, port: int
) -> NodeProblem | None:
    """The same for a channel that did not open, after a login that went well."""
    text = words.text
    if "administratively prohibited" in text or "forwarding request denied" in text:
        return ssh_problems.forwarding_refused(target.host, host, port, text)
    if "open failed" in text:
        return node_refused(host, port, text)
    return problem_of(words, target, options)


def _changed(target: SshTarget, words: Words) -> NodeProblem:
    found = re.search(r"(?:Offending \S+ key|Add correct host key) in (\S+)", words.text)
    where = found[1] if found else ""
    file = re.sub(r":\d+$", "", where)
    forget = ""
    if _USERS_FILE.search(file):
        # The name as it was looked up: an alias of the user's configuration stands for another.
        asked = re.search(r"Host key for (\S+) has changed", words.text)
        name = asked[1] if asked else host_name(target.host, target.port or SSH_PORT)
        forget = ssh_problems.forget_command(name, file)
    return ssh_problems.host_key_changed(target.host, words.fingerprint, where, forget)


def _unknown_key(target: SshTarget, words: Words) -> NodeProblem:
    return ssh_problems.host_key_unconfirmed_for_program(
        target.host, f"ssh {_in_words(target)}", words.fingerprint
    )


def _refused(target: SshTarget, text: str) -> NodeProblem:
    found = re.search(r"(\S+)@\S+: Permission denied", text)
    user = target.user or (found[1] if found else "")
    return ssh_problems.program_refused(target.host, user, text)


def _keepalive(host: str, options: SshOptions) -> NodeProblem:
    seconds = options.keepalive_interval * (options.keepalive_count + 1)
    return ssh_problems.keepalive_lost(host, seconds)


def _in_words(target: SshTarget) -> str:
    user = f"{target.user}@" if target.user is not None else ""
    port = f"-p {target.port} " if target.port is not None else ""
    return f"{port}{user}{target.host}"
