"""What the screens get and give: frozen values, without the machinery that makes them.

They stand apart so that a window can be drawn before cryptography, databases and the network
code are loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wallet_gui.chain.backend import CheckState, ConnectionState, Phase
from wallet_gui.chain.bitcoind.node_status import NodeStatus
from wallet_gui.chain.bitcoind.problems import NodeProblem
from wallet_gui.chain.reports import FeeAdvice, LedgerEntry, PeerInfo, ScanPlan, SeenBy
from wallet_gui.custody.entries import NewWallet, RevealedAddress, WalletEntry
from wallet_gui.wallet.changes import Attempts
from wallet_gui.wallet.snapshot import WalletSnapshot

__all__ = [
    "PHASES",
    "NewWallet",
    "NodeTestResult",
    "OpenedWallet",
    "OwnSshKey",
    "PendingReport",
    "PhaseProgress",
    "PreviewSnapshot",
    "RevealedAddress",
    "SessionUpdate",
    "SyncSnapshot",
    "WalletEntry",
]

PHASES = (Phase.PEERS, Phase.HEADERS, Phase.FILTER_HEADERS, Phase.FILTERS, Phase.BLOCKS)


@dataclass(frozen=True, slots=True)
class PhaseProgress:
    """How far one phase is, in heights; `total` 0 means that it is not known yet."""

    phase: Phase
    done: int = 0
    total: int = 0
    speed: float = 0.0
    bytes_per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class SyncSnapshot:
    """Where the sync stands, for the status bar, the overview and the page of peers.

    `ledger` holds every contact since the program began, the newest first. `doubt` is a sentence on
    why the tip may not be the newest one, or "". `is_paused`: the person holds long scans back.
    `backend` names the source in use, `source_words` says in a sentence which it is and why. `node`
    is None unless the person's own node is in use or is being tried.
    """

    network: str
    backend: str
    state: ConnectionState = ConnectionState.STOPPED
    phase: Phase = Phase.PEERS
    phases: tuple[PhaseProgress, ...] = tuple(PhaseProgress(phase) for phase in PHASES)
    tip_height: int | None = None
    tip_time: int | None = None
    peers: tuple[PeerInfo, ...] = ()
    detail: str = ""
    warning: str = ""
    plans: tuple[ScanPlan, ...] = ()
    fee_advice: FeeAdvice | None = None
    ledger: tuple[LedgerEntry, ...] = ()
    doubt: str = ""
    is_paused: bool = False
    source_words: str = ""
    node: NodeStatus | None = None

    @property
    def is_synced(self) -> bool:
        return self.state is ConnectionState.ONLINE and self.phase is Phase.SYNCED

    @property
    def networks(self) -> int:
        """How many netgroups the peers are in: those of one may be one person's."""
        return len({peer.network or peer.address for peer in self.peers})

    def plan(self, wallet_id: str) -> ScanPlan | None:
        """What is left to scan for a wallet, while it is more than following the tip."""
        return next((plan for plan in self.plans if plan.wallet_id == wallet_id), None)


@dataclass(frozen=True, slots=True)
class PreviewSnapshot:
    """What the newest blocks alone show of a wallet whose scan still goes on.

    `held_sat` are coins that were received from `from_height` on and not spent since: the balance
    at the end of the scan is at least this. `payments` counts the transactions found.
    """

    from_height: int
    from_time: int | None
    to_height: int
    held_sat: int
    payments: int
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class PendingReport:
    """What is known of one payment without a block.

    `seen`: how many networks announced it since the program began; None when nobody did, which
    means little for one that is older. `is_below_minimum`: it pays less than most peers take now.
    `attempts`: how often we sent it; None for payments of others and those never sent. `rival`: for
    one that another unconfirmed payment pushed out, how many networks announced that other one; as
    long as it is one alone, that peer may have made it up.
    """

    seen: SeenBy | None = None
    is_below_minimum: bool = False
    attempts: Attempts | None = None
    rival: SeenBy | None = None


@dataclass(frozen=True, slots=True)
class SessionUpdate:
    """A fresh picture of one wallet, for the screen.

    `check`: how its coins compare with those of the person's own node, None where nothing is
    compared. While they differ the balance is not shown as a number.
    """

    wallet_id: str
    snapshot: WalletSnapshot
    preview: PreviewSnapshot | None = None
    pending: Mapping[bytes, PendingReport] = field(default_factory=dict)  # by txid
    check: CheckState | None = None
    check_sentence: str = ""


@dataclass(frozen=True, slots=True)
class OpenedWallet:
    """A wallet that was just opened, with its first picture."""

    wallet_id: str
    snapshot: WalletSnapshot
    notices: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class NodeTestResult:
    """How a test of the connection to a node ended.

    `sentence` says how the chain would be read, `learns` what the node gets to know by that;
    `offer` is something that would make it faster or more private. `report` is what a person may
    share: without hosts, users, paths and secrets.
    """

    is_ready: bool
    sentence: str = ""
    learns: str = ""
    offer: NodeProblem | None = None
    report: str = ""


@dataclass(frozen=True, slots=True)
class OwnSshKey:
    """The public half of the key that this program made, ready to be pasted.

    `line` is for authorized_keys, with its restrictions; `permits` says in a sentence what they
    leave open.
    """

    line: str
    permits: str
