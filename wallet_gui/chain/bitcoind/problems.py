"""What can go wrong with the user's own node, each as one sentence and what to do about it.

Everything below `chain/bitcoind` raises `NodeProblem`; the functions here make one per row of the
failure tables, so that the doctor, the window and the tests share their words. The rows of SSH are
in `ssh_problems`, those of sending in `send_problems`, those of scans in `scan_problems`.

Texts of the node pass `clean` and, where they may echo a secret or a script, `redact`.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from wallet_gui.chain.backend import ChainError
from wallet_gui.chain.bitcoind.calls import ALLOWED
from wallet_gui.chain.bitcoind.networks import RPC_PORTS
from wallet_gui.chain.bitcoind.redaction import redact
from wallet_gui.primitives.plain_text import plain_text

DETAIL_LIMIT: Final = 400


class Code(Enum):
    """One kind of failure; the value is stable and may be written into reports."""

    # On the way to the node: SSH
    HOST_UNKNOWN = "host unknown"
    SSH_REFUSED = "ssh refused"
    HOST_UNREACHABLE = "host unreachable"
    SSH_SILENT = "ssh silent"
    PORT_IS_RPC = "ssh port is rpc"
    PORT_IS_P2P = "ssh port is p2p"
    NOT_SSH = "not ssh"
    SSH_TURNED_AWAY = "ssh turned away"
    HOST_KEY_UNKNOWN = "host key unknown"
    HOST_KEY_CHANGED = "host key changed"
    AUTH_REFUSED = "login refused"
    NO_KEY = "no key"
    KEY_FILE_MISSING = "key file missing"
    KEY_IS_PUBLIC = "key is public"
    KEY_UNREADABLE = "key unreadable"
    PASSPHRASE_NEEDED = "passphrase needed"  # noqa: S105 - a name, not a secret
    PASSPHRASE_WRONG = "passphrase wrong"  # noqa: S105 - a name, not a secret
    PROMPT_DECLINED = "prompt declined"
    NO_COMMON_ALGORITHM = "no common algorithm"
    FORWARDING_REFUSED = "forwarding refused"
    SSH_PROGRAM_MISSING = "ssh program missing"
    SSH_FAILED = "ssh failed"
    CONNECTION_LOST = "connection lost"
    KEEPALIVE_LOST = "keepalive lost"
    # The node's ports
    NODE_REFUSED = "node refused"
    RPC_TO_P2P = "rpc port is p2p"
    P2P_TO_RPC = "p2p port is rpc"
    NOT_A_NODE = "not a node"
    NODE_SILENT = "node silent"
    # Its RPC
    RPC_AUTH = "rpc login refused"
    COOKIE_MISSING = "cookie missing"
    COOKIE_UNREADABLE = "cookie unreadable"
    RPC_FORBIDDEN = "rpc forbidden"
    RPC_WHITELIST = "rpc whitelist"
    WARMING_UP = "warming up"
    NODE_STOPPED = "node stopped"
    BUSY = "busy"
    REQUEST_TOO_BIG = "request too big"
    REPLY_TOO_BIG = "reply too big"
    BAD_REPLY = "bad reply"
    METHOD_MISSING = "method missing"
    RPC_ERROR = "rpc error"
    NODE_WALLET = "wallet of the node"
    # Its chain
    WRONG_NETWORK = "wrong network"
    TOO_OLD = "too old"
    NOT_SYNCED = "not synced"
    NO_FILTER_INDEX = "no filter index"
    INDEX_BUILDING = "index building"
    PRUNED_BLOCK = "pruned block"
    SCAN_BUSY = "scan busy"
    SCAN_INCOMPLETE = "scan incomplete"
    SCAN_LOST = "scan lost"
    BALANCE_DIFFERS = "balance differs"
    NODE_LIES = "node contradicts itself"
    # Sending
    FEE_TOO_LOW = "fee too low"
    FEE_TOO_HIGH = "fee too high"
    REPLACEMENT_FEE = "replacement fee too low"
    SPENDS_TOO_MUCH = "spends more than it has"
    DUST = "dust"
    SIGNATURE_INVALID = "signature invalid"
    COINS_GONE = "coins gone"
    CONFLICT = "conflict in mempool"
    NOT_YET_FINAL = "not yet final"
    IMMATURE = "coinbase immature"
    TX_DECODE = "transaction not decoded"
    TOO_MANY_UNCONFIRMED = "too many unconfirmed"
    MEMPOOL_FULL = "mempool full"
    ALREADY_MINED = "already mined"
    SEND_REFUSED = "sending refused"
    TXID_DIFFERS = "txid differs"


@dataclass(frozen=True, slots=True)
class Fix:
    """One thing to do: what a button says, and a line to copy (empty: nothing to copy)."""

    label: str
    line: str = ""


class NodeProblem(ChainError):
    """Something is wrong with the node or with the way to it; the text is fit for a person.

    `is_final`: trying again by itself cannot help, or would do harm (changed key, refused login).
    `detail` is for whoever wants to know more: cleaned, redacted and capped here.
    """

    def __init__(
        self,
        code: Code,
        title: str,
        what_to_do: str = "",
        *,
        fix: Fix | None = None,
        detail: str = "",
        is_final: bool = False,
    ) -> None:
        super().__init__(f"{title} {what_to_do}".strip())
        self.code = code
        self.title = title
        self.what_to_do = what_to_do
        self.fix = fix
        self.detail = redact(clean(detail, DETAIL_LIMIT))
        self.is_final = is_final

    def __repr__(self) -> str:
        return f"NodeProblem({self.code.name}, {self.title!r})"


class RpcError(NodeProblem):
    """The node answered a call with an error of its own.

    `number` is from Core's rpc/protocol.h, `message` its text, cleaned and redacted: Core echoes
    scripts, addresses and keys of the request.
    """

    def __init__(self, number: int, message: str, method: str = "") -> None:
        self.number = number
        self.message = redact(clean(message, DETAIL_LIMIT))
        self.method = method
        row = _row_of(number, self.message, method)
        super().__init__(
            row.code,
            row.title,
            row.what_to_do,
            fix=row.fix,
            detail=f"{method}: {self.message} ({number})" if method else f"{message} ({number})",
            is_final=row.is_final,
        )

    def __repr__(self) -> str:
        return f"RpcError({self.number}, {self.message!r}, {self.method!r})"


def clean(text: str, limit: int = 200) -> str:
    """Make a text from outside one line of visible characters, at most `limit` long."""
    return plain_text(text, limit)


# --- the node's ports ----------------------------------------------------------------------------


def node_refused(host: str, port: int, detail: str = "") -> NodeProblem:
    """Nothing listens where bitcoind's RPC should be."""
    others = ", ".join(f"{name} {number}" for name, number in RPC_PORTS.items())
    return NodeProblem(
        Code.NODE_REFUSED,
        f"The machine answers, but bitcoind does not on {host}:{port}.",
        f"Is it running, with server=1 in its bitcoin.conf? Its usual RPC ports are: {others}.",
        fix=Fix("Copy the line for bitcoin.conf", "server=1"),
        detail=detail,
    )


def rpc_to_p2p(port: int, rpc_port: int) -> NodeProblem:
    """A P2P port was given as the RPC port."""
    return NodeProblem(
        Code.RPC_TO_P2P,
        f"Port {port} is the node's P2P port, not its RPC port.",
        f"Enter the RPC port instead; it is usually {rpc_port}.",
        fix=Fix(f"Use port {rpc_port}", str(rpc_port)),
        is_final=True,
    )


def p2p_to_rpc(port: int, p2p_port: int) -> NodeProblem:
    """The RPC port was given as the P2P port."""
    return NodeProblem(
        Code.P2P_TO_RPC,
        f"Port {port} is the node's RPC port, not its P2P port.",
        f"Enter the P2P port instead; it is usually {p2p_port}.",
        fix=Fix(f"Use port {p2p_port}", str(p2p_port)),
        is_final=True,
    )


def not_a_node(port: int, detail: str = "") -> NodeProblem:
    """Something answers that speaks neither JSON-RPC nor the P2P protocol."""
    return NodeProblem(
        Code.NOT_A_NODE,
        f"Something else than bitcoind answers on port {port}.",
        "Check the port number: it is rpcport in the node's bitcoin.conf.",
        detail=detail,
        is_final=True,
    )


def node_silent(method: str, seconds: float) -> NodeProblem:
    """A call was not answered in time."""
    return NodeProblem(
        Code.NODE_SILENT,
        f"The node did not answer {method} within {seconds:g} seconds.",
        "It may be busy or its disk slow; it will be asked again.",
    )


# --- login ---------------------------------------------------------------------------------------


def rpc_auth_cookie(path: str = "") -> NodeProblem:
    """The cookie was read anew, and the node refuses it all the same."""
    where = f" {path}" if path else ""
    return NodeProblem(
        Code.RPC_AUTH,
        f"The node does not accept its own cookie file{where}.",
        "Perhaps another node wrote that file: check the folder, or enter a user and a password "
        "of the node's RPC.",
        is_final=True,
    )


def rpc_auth_password(user: str) -> NodeProblem:
    """User or password of the RPC are wrong."""
    return NodeProblem(
        Code.RPC_AUTH,
        f"The node refuses the RPC login of user “{clean(user, 40)}”.",
        "User or password is wrong. They are the ones of rpcauth (or rpcuser and rpcpassword) in "
        "the node's bitcoin.conf.",
        is_final=True,
    )


def cookie_missing(paths: tuple[str, ...] = ()) -> NodeProblem:
    """No cookie file where it usually is."""
    tried = f" Looked in: {', '.join(clean(path, 80) for path in paths)}." if paths else ""
    return NodeProblem(
        Code.COOKIE_MISSING,
        "The node's cookie file was not found.",
        "It exists while bitcoind runs without rpcpassword. Enter where it is, or a user and "
        f"password of the node's RPC.{tried}",
        is_final=True,
    )


def cookie_unreadable(path: str) -> NodeProblem:
    """The cookie file is there and must not be read by whom we logged in as."""
    return NodeProblem(
        Code.COOKIE_UNREADABLE,
        f"The login on the machine may not read the node's cookie file {clean(path, 120)}.",
        "Log in as the user that runs bitcoind, or let the group read the cookie.",
        fix=Fix("Copy the line for bitcoin.conf", "rpccookieperms=group"),
        is_final=True,
    )


def rpc_forbidden() -> NodeProblem:
    """403 for every call: the address is not allowed, or a whitelist without our user."""
    return NodeProblem(
        Code.RPC_FORBIDDEN,
        "The node forbids every RPC call to this login.",
        "If its bitcoin.conf has lines rpcwhitelist, add rpcwhitelistdefault=0; if the node does "
        "not run on the machine itself, add rpcallowip for it.",
        fix=Fix("Copy the line for bitcoin.conf", "rpcwhitelistdefault=0"),
        is_final=True,
    )


def rpc_whitelist(method: str, user: str = "") -> NodeProblem:
    """403 for some calls: rpcwhitelist lacks one that is needed."""
    name = user or "wallet"
    return NodeProblem(
        Code.RPC_WHITELIST,
        f"The node's rpcwhitelist does not permit the call {method}.",
        f"Add {method} to the line rpcwhitelist of this user in the node's bitcoin.conf, and "
        "restart it.",
        fix=Fix(
            "Copy the line for bitcoin.conf", f"rpcwhitelist={name}:{','.join(sorted(ALLOWED))}"
        ),
        is_final=True,
    )


# --- state of the node ---------------------------------------------------------------------------


def warming_up(text: str) -> NodeProblem:
    """The node starts; `text` are its own words."""
    words = clean(text, 120) or "loading"
    return NodeProblem(
        Code.WARMING_UP,
        f"The node is starting: {words}",
        "It will be asked again every second.",
    )


def node_stopped() -> NodeProblem:
    """The node was there and is not any more."""
    return NodeProblem(
        Code.NODE_STOPPED,
        "The node has stopped.",
        "The wallet connects again by itself as soon as bitcoind runs.",
    )


def busy() -> NodeProblem:
    """503: the node's queue of RPC work is full."""
    return NodeProblem(
        Code.BUSY,
        "The node has too much to do at the moment.",
        "It will be asked again in a few seconds. If this stays so, something else sends it many "
        "requests.",
    )


def request_too_big(detail: str = "") -> NodeProblem:
    """The node refuses the size of our request (32 MiB body, 8 kB header)."""
    return NodeProblem(
        Code.REQUEST_TOO_BIG,
        "The node refused a request as too big.",
        "Please report this as an error of the wallet.",
        detail=detail,
        is_final=True,
    )


def reply_too_big(limit: int) -> NodeProblem:
    """A reply exceeds what any honest one may be long."""
    return NodeProblem(
        Code.REPLY_TOO_BIG,
        f"The node sent more than the {limit} bytes that an answer may have here.",
        "Is this really bitcoind? Nothing of it was used.",
    )


def bad_reply(detail: str) -> NodeProblem:
    """An answer that bitcoind does not give; nothing of it is used."""
    return NodeProblem(
        Code.BAD_REPLY,
        "The node gave an answer that makes no sense.",
        "Nothing of it was used. Check that a genuine bitcoind answers on this port.",
        detail=detail,
    )


def connection_lost(detail: str = "") -> NodeProblem:
    """The connection ended in the middle of a call."""
    return NodeProblem(
        Code.CONNECTION_LOST,
        "The connection to the node was lost.",
        "It is being made again.",
        detail=detail,
    )


def method_missing(method: str) -> NodeProblem:
    """-32601: an old version, or one built without this part."""
    return NodeProblem(
        Code.METHOD_MISSING,
        f"The node does not know the call {method}.",
        "Its version may be too old: bitcoind 25 or newer is needed, 29 or newer is best.",
    )


def node_wallet(detail: str = "") -> NodeProblem:
    """Errors about wallets of the node, which are never asked for here."""
    return NodeProblem(
        Code.NODE_WALLET,
        "The node answered about a wallet of its own, which nobody asked it for.",
        "This wallet keeps nothing on the node. Check that nothing stands between the two.",
        detail=detail,
    )


# --- chain ---------------------------------------------------------------------------------------


def wrong_network(expected: str, found: str) -> NodeProblem:
    """The node follows another chain; names as people say them."""
    port = RPC_PORTS.get(expected)
    usual = f" Its RPC port there is usually {port}." if port else ""
    return NodeProblem(
        Code.WRONG_NETWORK,
        f"The node is on {clean(found, 40)}, this wallet is on {expected}.",
        f"Use a node of {expected}.{usual}",
        is_final=True,
    )


def too_old(version: str) -> NodeProblem:
    """Older than 25: no scanblocks."""
    return NodeProblem(
        Code.TOO_OLD,
        f"The node's version {clean(version, 60)} is too old.",
        "Version 25 or newer is needed; 29 or newer is best.",
        is_final=True,
    )


def not_synced(percent: str, behind: int) -> NodeProblem:
    """The node is still reading the chain; `percent` such as "62 %"."""
    return NodeProblem(
        Code.NOT_SYNCED,
        f"The node has read {percent} of the chain and is {behind} blocks behind.",
        "Balances become right as it catches up.",
    )


def no_filter_index() -> NodeProblem:
    """No blockfilterindex."""
    return NodeProblem(
        Code.NO_FILTER_INDEX,
        "The node has no filter index, so it cannot look up the history quickly.",
        "Add this line to its bitcoin.conf and restart it; building the index takes some hours.",
        fix=Fix("Copy the line for bitcoin.conf", "blockfilterindex=1"),
    )


def index_building(height: int, blocks: int) -> NodeProblem:
    """The filter index is not finished."""
    percent = 100 * max(0, height) // max(1, blocks)
    return NodeProblem(
        Code.INDEX_BUILDING,
        f"The node is building its filter index: {percent} % done, block {height} of {blocks}.",
        "The history can be read as soon as it is finished.",
    )


def pruned_block(height: int | None = None) -> NodeProblem:
    """The node has deleted an old block."""
    which = "An old block" if height is None else f"Block {height}"
    return NodeProblem(
        Code.PRUNED_BLOCK,
        f"{which} is not on the node any more: it is pruned.",
        "Such blocks are read from public peers and checked against the node's headers.",
    )


def scan_busy() -> NodeProblem:
    """Another scan runs on the node."""
    return NodeProblem(
        Code.SCAN_BUSY,
        "Another program has the node scan the chain at the moment.",
        "The wallet goes on as soon as that scan has ended.",
    )


# --- errors of calls -----------------------------------------------------------------------------

_IN_WARMUP: Final = -28
_METHOD_NOT_FOUND: Final = -32601
_WALLET_NUMBERS: Final = frozenset({-4, -18, -19, -35})


_ROWS: Final = (
    ("index is not enabled", no_filter_index),
    ("scan already in progress", scan_busy),
    ("pruned", pruned_block),
)


def _row_of(number: int, message: str, method: str) -> NodeProblem:
    """Find the row of an error number and text (Core src/rpc, Knots' wording where it differs)."""
    if number == _IN_WARMUP:
        return warming_up(message)
    if number == _METHOD_NOT_FOUND:
        return method_missing(method or "that was made")
    for words, problem in _ROWS:
        if words in message.lower():
            return problem()
    if number in _WALLET_NUMBERS:
        return node_wallet()
    return NodeProblem(
        Code.RPC_ERROR,
        f"The node refused the call {method}." if method else "The node refused a call.",
        f"It says: “{clean(message, 160)}”." if message else "",
    )
