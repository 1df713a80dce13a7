"""What can go wrong with SSH, each as one sentence and what to do about it.

One function per row of the failure table of SSH; `system_ssh` and `ssh_session` recognise them in
their own ways and say the same. Texts of the server come in as `detail` and are cleaned there.
"""

from collections.abc import Sequence

from wallet_gui.chain.bitcoind.problems import Code, Fix, NodeProblem, clean
from wallet_gui.chain.bitcoind.ssh_target import SSH_PORT

# --- finding the machine -------------------------------------------------------------------------


def host_unknown(host: str, detail: str = "") -> NodeProblem:
    """The name has no address."""
    return NodeProblem(
        Code.HOST_UNKNOWN,
        f"There is no machine called {_name(host)}.",
        "Check the spelling, and whether this computer is online.",
        detail=detail,
    )


def ssh_refused(host: str, port: int, detail: str = "") -> NodeProblem:
    """Nothing listens on the port."""
    usual = (
        "Is the SSH server running there?" if port == SSH_PORT else f"SSH is usually {SSH_PORT}."
    )
    return NodeProblem(
        Code.SSH_REFUSED,
        f"{_name(host)} is there, but nothing listens on port {port}.",
        usual,
        detail=detail,
    )


def host_unreachable(host: str, detail: str = "") -> NodeProblem:
    """The network says that there is no way to the address."""
    return NodeProblem(
        Code.HOST_UNREACHABLE,
        f"There is no way to {_name(host)}.",
        "Is it switched on, and are both in the same network (or the VPN connected)?",
        detail=detail,
    )


def ssh_silent(host: str, seconds: float, detail: str = "") -> NodeProblem:
    """Nobody answered in time."""
    return NodeProblem(
        Code.SSH_SILENT,
        f"No answer from {_name(host)} in {seconds:.0f} seconds.",
        "Is it off, or is a firewall in between?",
        detail=detail,
    )


def port_is_rpc(host: str, port: int) -> NodeProblem:
    """The RPC of bitcoind answers where SSH should."""
    return NodeProblem(
        Code.PORT_IS_RPC,
        f"Port {port} of {_name(host)} is the node's RPC port; here the SSH port is needed.",
        f"It is usually {SSH_PORT}.",
        fix=Fix(f"Use port {SSH_PORT}", str(SSH_PORT)),
        is_final=True,
    )


def port_is_p2p(host: str, port: int) -> NodeProblem:
    """The P2P port of bitcoind answers where SSH should."""
    return NodeProblem(
        Code.PORT_IS_P2P,
        f"Port {port} of {_name(host)} is the node's P2P port; here the SSH port is needed.",
        f"It is usually {SSH_PORT}.",
        fix=Fix(f"Use port {SSH_PORT}", str(SSH_PORT)),
        is_final=True,
    )


def not_ssh(host: str, port: int, detail: str = "") -> NodeProblem:
    """Something answers that does not speak SSH (a web server, a login page of a network)."""
    return NodeProblem(
        Code.NOT_SSH,
        f"What answers on port {port} of {_name(host)} is no SSH server.",
        f"Check the port; SSH is usually {SSH_PORT}.",
        detail=detail,
    )


def turned_away(host: str, detail: str = "") -> NodeProblem:
    """The server hangs up before a word was said (MaxStartups, fail2ban, a full machine)."""
    return NodeProblem(
        Code.SSH_TURNED_AWAY,
        f"{_name(host)} is turning connections away for now.",
        "This happens after many attempts (fail2ban), or when the machine is busy. It is tried "
        "again by itself, with pauses.",
        detail=detail,
    )


# --- identity ------------------------------------------------------------------------------------


def host_key_unknown(host: str, fingerprint: str, key_type: str) -> NodeProblem:
    """The person did not confirm the fingerprint, or cannot be asked."""
    return NodeProblem(
        Code.HOST_KEY_UNKNOWN,
        f"{_name(host)} has not been confirmed as your machine.",
        "Compare its fingerprint with what this command says on the machine itself, and confirm "
        "it then." + (f" Seen here: {fingerprint}." if fingerprint else ""),
        fix=Fix("Copy the command", compare_command(key_type)),
        is_final=True,
    )


def host_key_changed(host: str, fingerprint: str, where: str = "", forget: str = "") -> NodeProblem:
    """A known server shows another key; there is no way on from here.

    `forget` is the command that takes the old key out of a file which is not the program's own.
    """
    how = "with the command below" if forget else "in the settings"
    return NodeProblem(
        Code.HOST_KEY_CHANGED,
        f"{_name(host)} shows another key than before: it may be somebody else's machine.",
        f"Nothing was sent to it. If you have reinstalled your machine, forget the old key {how} "
        "and compare the new fingerprint at the machine itself"
        + (f" ({fingerprint})." if fingerprint else "."),
        fix=Fix("Copy the command", forget) if forget else None,
        detail=f"The known key is in {where}." if where else "",
        is_final=True,
    )


def forget_command(name: str, file: str) -> str:
    """Give the line that takes a server out of a known_hosts file, as OpenSSH itself words it.

    `name` is how known_hosts has the server: its host name, or "[host]:port".
    """
    return f'ssh-keygen -f "{file}" -R "{name}"'


def host_key_revoked(host: str, where: str = "") -> NodeProblem:
    """The key is marked as revoked in a known_hosts file."""
    return NodeProblem(
        Code.HOST_KEY_CHANGED,
        f"The key of {_name(host)} has been revoked: it must not be trusted any more.",
        "Give the machine a new host key, and take the line @revoked out of known_hosts.",
        detail=f"It is marked in {where}." if where else "",
        is_final=True,
    )


def host_certificate_refused(host: str, detail: str = "") -> NodeProblem:
    """A certificate authority vouches for the host, but this certificate is not valid for it."""
    return NodeProblem(
        Code.HOST_KEY_UNKNOWN,
        f"The certificate that {_name(host)} shows is not valid for it.",
        "Have it issued anew, or take the line @cert-authority out of known_hosts.",
        detail=detail,
        is_final=True,
    )


def compare_command(key_type: str) -> str:
    """What prints a server's fingerprint when typed at that server; `key_type` as in known_hosts.

    The type comes from outside and chooses between fixed names only.
    """
    name = "ed25519"
    if key_type.startswith("ecdsa-"):
        name = "ecdsa"
    elif "rsa" in key_type:
        name = "rsa"
    return f"ssh-keygen -lf /etc/ssh/ssh_host_{name}_key.pub"


# --- login ---------------------------------------------------------------------------------------


def auth_refused(host: str, user: str, *, public_line: str = "", detail: str = "") -> NodeProblem:
    """The server accepts nothing that was offered; `public_line` is what it would have to know."""
    if public_line:
        return NodeProblem(
            Code.AUTH_REFUSED,
            f"{_name(host)} does not accept this key for user {_name(user)}.",
            "Check the user, or add this line to ~/.ssh/authorized_keys of that user on the "
            "machine.",
            fix=Fix("Copy the line for authorized_keys", public_line),
            detail=detail,
            is_final=True,
        )
    return NodeProblem(
        Code.AUTH_REFUSED,
        f"{_name(host)} does not let user {_name(user)} in.",
        "Check the user and what was answered.",
        detail=detail,
        is_final=True,
    )


def no_key(host: str, user: str, detail: str = "") -> NodeProblem:
    """There was nothing to offer."""
    return NodeProblem(
        Code.NO_KEY,
        "No SSH key is chosen and no agent with keys is running.",
        f"Choose the key that {_name(host)} knows for user {_name(user)}, or let this wallet make "
        "one.",
        detail=detail,
        is_final=True,
    )


def key_file_missing(path: str) -> NodeProblem:
    """The chosen key file is not there."""
    return NodeProblem(
        Code.KEY_FILE_MISSING,
        f"The key file {_path(path)} is not there.",
        "Choose it again, or let this wallet make a key.",
        is_final=True,
    )


def key_is_public(path: str) -> NodeProblem:
    """The public half was chosen."""
    return NodeProblem(
        Code.KEY_IS_PUBLIC,
        f"{_path(path)} is the public half of a key.",
        "Choose the file of the same name without .pub.",
        fix=Fix("Use the file without .pub", path.removesuffix(".pub"))
        if path.endswith(".pub")
        else None,
        is_final=True,
    )


def key_unreadable(path: str, detail: str = "") -> NodeProblem:
    """The chosen file is no private key, or may not be read."""
    return NodeProblem(
        Code.KEY_UNREADABLE,
        f"{_path(path)} cannot be read as an SSH key.",
        "Choose a private key of OpenSSH, such as ~/.ssh/id_ed25519.",
        detail=detail,
        is_final=True,
    )


def key_on_hardware(path: str) -> NodeProblem:
    """The private half is on a security key (FIDO), which the built-in SSH does not speak to."""
    return NodeProblem(
        Code.KEY_UNREADABLE,
        f"The key {_path(path)} lives on a security key.",
        "Load it into the agent (ssh-add), or choose the system's ssh in the settings.",
        is_final=True,
    )


def passphrase_needed(path: str) -> NodeProblem:
    """The key has a passphrase and the person gave none."""
    return NodeProblem(
        Code.PASSPHRASE_NEEDED,
        f"The key {_path(path)} is protected by a passphrase.",
        "Enter it when you are asked, or load the key into the agent (ssh-add).",
        is_final=True,
    )


def passphrase_wrong(path: str) -> NodeProblem:
    """The passphrase does not open the key."""
    return NodeProblem(
        Code.PASSPHRASE_WRONG,
        f"The passphrase does not open the key {_path(path)}.",
        "Try again; small and capital letters differ.",
        is_final=True,
    )


def prompt_declined(host: str) -> NodeProblem:
    """The server wanted an answer and the person gave none."""
    return NodeProblem(
        Code.PROMPT_DECLINED,
        f"{_name(host)} asked a question that was not answered.",
        "Connect again to be asked again, or use a key that needs no question.",
        is_final=True,
    )


def answered_too_late(host: str) -> NodeProblem:
    """The server hung up while its question was open."""
    return NodeProblem(
        Code.PROMPT_DECLINED,
        f"{_name(host)} did not wait long enough for the answer.",
        "Connect again; servers usually wait two minutes.",
        is_final=True,
    )


def login_timed_out(host: str, seconds: float) -> NodeProblem:
    """The server began to speak SSH and did not finish the login."""
    return NodeProblem(
        Code.SSH_SILENT,
        f"{_name(host)} answered, but did not finish the login in {seconds:.0f} seconds.",
        "It may be very busy; it is tried again by itself.",
    )


def no_common_algorithm(host: str, detail: str = "") -> NodeProblem:
    """The two have no algorithm in common."""
    return NodeProblem(
        Code.NO_COMMON_ALGORITHM,
        f"The SSH of {_name(host)} is too old, or set up to speak nothing that is safe today.",
        "Update its SSH server, or remove lines such as Ciphers and KexAlgorithms from its "
        "sshd_config.",
        detail=detail,
        is_final=True,
    )


def hung_up_while_agreeing(host: str, detail: str = "") -> NodeProblem:
    """The server closed while algorithms were agreed on: servers say no reason then."""
    return NodeProblem(
        Code.NO_COMMON_ALGORITHM,
        f"{_name(host)} hung up while its SSH and ours agreed on how to encrypt.",
        "If this stays so, its SSH server is too old or set up too narrowly: update it, or remove "
        "lines such as HostKeyAlgorithms from its sshd_config.",
        detail=detail,
    )


# --- after the login -----------------------------------------------------------------------------


def forwarding_refused(machine: str, host: str, port: int, detail: str = "") -> NodeProblem:
    """The login works, tunnels are forbidden."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return NodeProblem(
        Code.FORWARDING_REFUSED,
        f"{_name(machine)} lets us in, but not through to {where}.",
        "Its sshd_config needs AllowTcpForwarding local; a line PermitOpen there, or permitopen "
        f"in authorized_keys, must name {where}.",
        fix=Fix("Copy the line for sshd_config", "AllowTcpForwarding local"),
        detail=detail,
        is_final=True,
    )


def channel_silent(host: str, port: int, seconds: float) -> NodeProblem:
    """The server neither opened nor refused a channel in time."""
    return NodeProblem(
        Code.NODE_SILENT,
        f"Port {port} of {_name(host)}, as seen from the node's machine, did not answer in "
        f"{seconds:.0f} seconds.",
        "It is tried again by itself.",
    )


def connection_ended(host: str, detail: str = "") -> NodeProblem:
    """The SSH connection is gone."""
    return NodeProblem(
        Code.CONNECTION_LOST,
        f"The connection to {_name(host)} was lost.",
        "It is being made again.",
        detail=detail,
    )


def keepalive_lost(host: str, seconds: float) -> NodeProblem:
    """The other side has not answered for a while: the network is dead."""
    return NodeProblem(
        Code.KEEPALIVE_LOST,
        f"{_name(host)} has not answered for {seconds:.0f} seconds.",
        "It is connected to again as soon as the network is back.",
    )


def file_unreadable(path: str, detail: str = "", *, is_late: bool = False) -> NodeProblem:
    """A file of the node's machine cannot be taken over SFTP.

    `is_late`: no answer came in time, as from a machine that is busy; another try may help.
    """
    return NodeProblem(
        Code.COOKIE_UNREADABLE,
        f"The file {_path(path)} on the node's machine cannot be read.",
        "Check the path of the cookie file, or enter a user and password of the node's RPC.",
        detail=detail,
        is_final=not is_late,
    )


# --- configuration and programs ------------------------------------------------------------------


def proxy_command_not_run(host: str) -> NodeProblem:
    """~/.ssh/config wants a program in between, which the built-in SSH does not start."""
    return NodeProblem(
        Code.SSH_FAILED,
        f"Your ssh configuration reaches {_name(host)} through a ProxyCommand, and the built-in "
        "SSH starts no programs.",
        "Use ProxyJump there, or choose the system's ssh in the settings.",
        is_final=True,
    )


def config_invalid(sentence: str) -> NodeProblem:
    """~/.ssh/config says something about this host that cannot be used."""
    return NodeProblem(
        Code.SSH_FAILED,
        "Your ssh configuration cannot be used for this host.",
        f"{clean(sentence, 200)} Correct ~/.ssh/config, or write the address in full.",
        is_final=True,
    )


def ssh_program_missing() -> NodeProblem:
    """No `ssh` on this computer."""
    return NodeProblem(
        Code.SSH_PROGRAM_MISSING,
        "There is no program ssh on this computer.",
        "Install OpenSSH, or choose the built-in SSH in the settings.",
        is_final=True,
    )


def host_key_unconfirmed_for_program(host: str, command: str, fingerprint: str) -> NodeProblem:
    """The system's ssh knows no key of the server, and cannot ask here."""
    return NodeProblem(
        Code.HOST_KEY_UNKNOWN,
        f"{_name(host)} has not been confirmed as your machine.",
        "The system's ssh cannot ask here: connect once in a terminal with this command, and "
        "compare the fingerprint" + (f" ({fingerprint})." if fingerprint else "."),
        fix=Fix("Copy the command", command),
        is_final=True,
    )


def program_refused(host: str, user: str, detail: str = "") -> NodeProblem:
    """The system's ssh could not log in without asking."""
    who = f"user {_name(user)}" if user else "us"
    return NodeProblem(
        Code.AUTH_REFUSED,
        f"{_name(host)} does not let {who} in with the keys that the system's ssh has.",
        "The system's ssh cannot ask for a password or a code here. Load the right key into the "
        "agent (ssh-add), or choose the built-in SSH in the settings.",
        detail=detail,
        is_final=True,
    )


def ssh_failed(host: str, detail: str = "") -> NodeProblem:
    """Anything else; the words of the library or the program are in the detail."""
    return NodeProblem(
        Code.SSH_FAILED,
        f"The SSH connection to {_name(host)} failed.",
        "The details say why; it is tried again by itself.",
        detail=detail,
    )


def tried(names: Sequence[str]) -> str:
    """Say for the details what was offered to the server."""
    return f"Offered: {', '.join(clean(name, 80) for name in names)}." if names else ""


def _name(text: str) -> str:
    return clean(text, 80)


def _path(text: str) -> str:
    return clean(text, 120)
