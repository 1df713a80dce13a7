"""What the screens get and give: frozen values, without the machinery that makes them.

They stand apart so that a window can be drawn before cryptography, databases and the network
code are loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wallet_gui.chain.backend import ConnectionState, Phase
from wallet_gui.chain.reports import PeerInfo, SeenBy
from wallet_gui.wallet.changes import Attempts
from wallet_gui.wallet.snapshot import WalletSnapshot

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
    """Where the sync stands, for the status bar and the overview."""

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

    @property
    def is_synced(self) -> bool:
        return self.state is ConnectionState.ONLINE and self.phase is Phase.SYNCED


@dataclass(frozen=True, slots=True)
class RevealedAddress:
    """An address that was just stored as given away."""

    descriptor_index: int
    index: int
    address: str


@dataclass(frozen=True, slots=True)
class PendingReport:
    """What is known of one payment without a block.

    `seen`: how many networks announced it since the program began; None when nobody did, which
    means little for one that is older. `is_below_minimum`: it pays less than most peers take now.
    `attempts`: how often we sent it; None for payments of others and those never sent.
    """

    seen: SeenBy | None = None
    is_below_minimum: bool = False
    attempts: Attempts | None = None


@dataclass(frozen=True, slots=True)
class SessionUpdate:
    """A fresh picture of one wallet, for the screen."""

    wallet_id: str
    snapshot: WalletSnapshot
    pending: Mapping[bytes, PendingReport] = field(default_factory=dict)  # by txid


@dataclass(frozen=True, slots=True)
class NewWallet:
    """What a person decides outside the vault about a new or restored wallet."""

    name: str
    script_type: str = "wpkh"
    word_count: int = 12
    use_passphrase: bool = False
    birthday_time: int | None = None
    directory: str | None = None


@dataclass(frozen=True, slots=True)
class WalletEntry:
    """A wallet file in the data directory."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class OpenedWallet:
    """A wallet that was just opened, with its first picture."""

    wallet_id: str
    snapshot: WalletSnapshot
    notices: tuple[str, ...] = field(default=())
