"""Stands in for Online with the same methods; it records what was asked and answers at once."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.gui.fake_backups import FakeSession
from tests.gui.samples import address, plan, snapshot, transaction
from tests.unit.app.desk_rig import DeskRig
from wallet_gui.app.node_choice import NodeChoice
from wallet_gui.app.p2p_choice import NetworkChoice
from wallet_gui.app.published import (
    NewWallet,
    NodeTestResult,
    OpenedWallet,
    OwnSshKey,
    RevealedAddress,
    WalletEntry,
)
from wallet_gui.app.session import WalletSession
from wallet_gui.app.vault_requests import VaultLook
from wallet_gui.chain.backend import BroadcastResult, BroadcastStage
from wallet_gui.chain.bitcoind.steps import StepResult
from wallet_gui.chain.bitcoind.tunnel_protocol import Asker
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.params import REGTEST, ChainParams
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.storage.settings import DataDirectory, Settings
from wallet_gui.transfer.messages import ExportCosignerKey, NewWalletRequest
from wallet_gui.wallet.draft import SpendPlan
from wallet_gui.wallet.snapshot import WalletSnapshot
from wallet_gui.wallet.spend import Recipient


class FakeVault:
    """Records that every vault window was closed; `is_asking` says that one is open."""

    def __init__(self, online: "FakeOnline") -> None:
        self._online = online
        self.is_asking = False

    def cancel_all(self) -> None:
        self._online.calls.append(("cancel_all",))


@dataclass
class FakeOnline:
    """`errors` makes a method fail by its name, `gate` holds those back that ask the vault."""

    snapshot: WalletSnapshot = field(default_factory=snapshot)
    entries: tuple[WalletEntry, ...] = (WalletEntry("Savings", "/w/Savings.wallet"),)
    notices: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)
    playground: object | None = None
    tor: PeerAddress | None = None
    calls: list[tuple[object, ...]] = field(default_factory=list)
    errors: dict[str, Exception] = field(default_factory=dict)
    next_plan: SpendPlan = field(default_factory=plan)
    gate: asyncio.Event | None = None
    cancelled: list[str] = field(default_factory=list)
    aliases: tuple[str, ...] = ()
    steps: tuple[StepResult, ...] = ()
    test_result: NodeTestResult = field(default_factory=lambda: NodeTestResult(is_ready=False))
    key: OwnSshKey | None = None
    cosigner: str = ""
    desk_rig: DeskRig | None = None
    backed_up: FakeSession = field(default_factory=FakeSession)
    replies: dict[type, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._keeper = FakeKeeper(self)
        self.vault = FakeVault(self)

    def named(self, name: str) -> list[tuple[object, ...]]:
        return [call[1:] for call in self.calls if call[0] == name]

    async def _asked(self, name: str, *values: object, vault: bool = False) -> None:
        self.calls.append((name, *values))
        if vault and self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled.append(name)
                raise
        if name in self.errors:
            raise self.errors[name]

    def vault_look(self) -> VaultLook:
        return VaultLook("/w", "light", 100, None)

    async def ask_vault(self, request: object, reply_type: type) -> object:
        await self._asked("ask_vault", request, vault=True)
        return self.replies[reply_type]

    async def start(self, peers: Sequence[PeerAddress] | None = None) -> None:
        await self._asked("start", peers)

    async def stop(self) -> None:
        await self._asked("stop")

    def network_choice(self) -> NetworkChoice:
        return NetworkChoice.of(self.settings, REGTEST)

    async def set_network(self, choice: NetworkChoice) -> None:
        await self._asked("set_network", choice)

    def node_choice(self) -> NodeChoice:
        return NodeChoice.of(self.settings, REGTEST)

    def has_chosen_source(self) -> bool:
        return False

    @property
    def node_keeper(self) -> "FakeKeeper":
        return self._keeper

    async def set_source(self, choice: NodeChoice) -> None:
        await self._asked("set_source", choice)

    async def try_node_again(self) -> None:
        await self._asked("try_node_again")

    async def test_node(
        self, choice: NodeChoice, asker: Asker, on_result: Callable[[StepResult], None]
    ) -> NodeTestResult:
        for step in self.steps:
            on_result(step)
        await self._asked("test_node", choice, asker, vault=True)
        return self.test_result

    async def make_ssh_key(self, choice: NodeChoice) -> OwnSshKey:
        await self._asked("make_ssh_key", choice)
        return OwnSshKey('restrict,permitopen="127.0.0.1:8332" ssh-ed25519 AAAA', "It permits X.")

    async def forget_server(self, choice: NodeChoice) -> bool:
        await self._asked("forget_server", choice)
        return True

    async def test_proxy(self, proxy: PeerAddress, *, is_tor: bool) -> str:
        await self._asked("test_proxy", proxy, is_tor)
        return f"Tor answers at {proxy}."

    async def approve_scan(self, wallet_id: str) -> None:
        await self._asked("approve_scan", wallet_id)

    async def pause_scans(self, *, paused: bool) -> None:
        await self._asked("pause_scans", paused)

    async def set_busy_with(self, *, is_receiving: bool, is_paying: bool) -> None:
        await self._asked("set_busy_with", is_receiving, is_paying)

    async def find_tor(self) -> PeerAddress | None:
        await self._asked("find_tor")
        return self.tor

    async def change_settings(self, **changes: object) -> Settings:
        await self._asked("change_settings", changes)
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        return self.settings

    async def wallets(self) -> tuple[WalletEntry, ...]:
        await self._asked("wallets")
        return self.entries

    async def create_wallet(self, wanted: NewWallet) -> OpenedWallet:
        await self._asked("create_wallet", wanted, vault=True)
        return OpenedWallet("id", self.snapshot, self.notices)

    async def restore_wallet(self, wanted: NewWallet) -> OpenedWallet:
        await self._asked("restore_wallet", wanted, vault=True)
        return OpenedWallet("id", self.snapshot, self.notices)

    @property
    def params(self) -> ChainParams:
        return REGTEST

    @property
    def data_directory(self) -> DataDirectory:
        return DataDirectory(Path("/nowhere"), REGTEST)

    async def make_wallet(self, request: NewWalletRequest) -> OpenedWallet:
        await self._asked("make_wallet", request, vault=True)
        return OpenedWallet("id", self.snapshot, self.notices)

    async def cosigner_key(self, request: ExportCosignerKey) -> str:
        await self._asked("cosigner_key", request, vault=True)
        return self.cosigner

    async def open_wallet(self, path: str) -> OpenedWallet:
        await self._asked("open_wallet", path, vault=True)
        return OpenedWallet("id", self.snapshot, self.notices)

    async def close_wallet(self, wallet_id: str) -> None:
        await self._asked("close_wallet", wallet_id)

    @property
    def desk(self) -> DeskRig:
        """A wallet with coins, for what asks for its session."""
        self.desk_rig = self.desk_rig or DeskRig()
        return self.desk_rig

    def session(self, wallet_id: str) -> "OpenSession | WalletSession":
        if self.desk_rig is not None:
            return self.desk_rig.online.session(wallet_id)
        return OpenSession(self, wallet_id)

    async def sign_psbt(self, session: WalletSession, psbt: Psbt) -> Psbt:
        await self._asked("sign_psbt", psbt, vault=True)
        return await self.desk.online.sign_psbt(session, psbt)

    async def new_request(
        self, wallet_id: str, label: str = "", amount_sat: int | None = None, message: str = ""
    ) -> RevealedAddress:
        await self._asked("new_request", wallet_id, label, amount_sat, message)
        return RevealedAddress(0, 9, address(109))

    async def plan_payment(
        self,
        wallet_id: str,
        recipients: Sequence[Recipient],
        fee_rate: FeeRate,
        *,
        allow_high_fee: bool = False,
    ) -> SpendPlan:
        self.calls.append(("plan_payment", wallet_id, tuple(recipients), fee_rate, allow_high_fee))
        if "plan_payment" in self.errors and not allow_high_fee:
            raise self.errors["plan_payment"]
        return self.next_plan

    async def pay(
        self,
        wallet_id: str,
        recipients: Sequence[Recipient],
        fee_rate: FeeRate,
        *,
        allow_high_fee: bool = False,
    ) -> Transaction:
        await self._asked("pay", wallet_id, tuple(recipients), fee_rate, allow_high_fee, vault=True)
        return transaction()

    async def bump(
        self,
        wallet_id: str,
        txid: bytes,
        fee_rate: FeeRate | None = None,
        *,
        allow_high_fee: bool = False,
    ) -> Transaction:
        self.calls.append(("bump", wallet_id, txid, fee_rate, allow_high_fee))
        if "bump" in self.errors and not allow_high_fee:
            raise self.errors["bump"]
        return transaction()

    async def broadcast(self, wallet_id: str, txid: bytes) -> BroadcastResult:
        await self._asked("broadcast", wallet_id, txid)
        return BroadcastResult(txid, BroadcastStage.REQUESTED, 2)

    async def abandon(self, wallet_id: str, txid: bytes) -> None:
        await self._asked("abandon", wallet_id, txid)

    async def get_play_money(self, wallet_id: str) -> None:
        await self._asked("get_play_money", wallet_id)

    async def mine_block(self) -> None:
        await self._asked("mine_block")

    async def set_tx_label(self, wallet_id: str, txid: bytes, text: str) -> None:
        await self._asked("set_tx_label", wallet_id, txid, text)


class OpenSession:
    """An open wallet, of which the labels that are set are noted, too."""

    def __init__(self, online: FakeOnline, wallet_id: str) -> None:
        self._online = online
        self._wallet_id = wallet_id

    def kept_setting(self, key: str) -> object:
        return self._online.backed_up.kept_setting(key)

    async def set_labels(self, labels: Sequence[tuple[str, str, str]]) -> None:
        await self._online._asked("set_labels", self._wallet_id, labels)

    def __getattr__(self, name: str) -> Any:
        if self._online.desk_rig is None and hasattr(self._online.backed_up, name):
            return getattr(self._online.backed_up, name)
        return getattr(self._online.desk.online.session(self._wallet_id), name)


class FakeKeeper:
    """Stands in for the keeper of the person's node."""

    def __init__(self, online: FakeOnline) -> None:
        self._online = online
        self.asker: Asker | None = None

    def has_password(self, choice: NodeChoice) -> bool:
        return bool(choice.password)

    async def aliases(self) -> tuple[str, ...]:
        await self._online._asked("ssh_aliases")
        return self._online.aliases

    async def key(self, choice: NodeChoice) -> OwnSshKey | None:
        await self._online._asked("own_ssh_key", choice)
        return self._online.key
