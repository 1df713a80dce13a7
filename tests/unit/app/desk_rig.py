"""A desk on a wallet that holds coins, without a network: the vault is a call of the signer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from tests.unit.app.test_session import Disk
from tests.unit.descriptors.cosigners import ROOTS, wallet_of
from tests.unit.wallet.chain_world import foreign_script
from tests.unit.wallet.shared_wallet import describe, funded
from wallet_gui.app.online import Online
from wallet_gui.app.psbt_desk import PsbtDesk
from wallet_gui.app.session import WalletSession
from wallet_gui.app.vault_client import VaultCancelled, VaultError
from wallet_gui.chain.backend import BroadcastResult, BroadcastStage
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.keys.accounts import account_descriptors
from wallet_gui.keys.signer import sign
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.wallet.changes import BlockRef, WalletState
from wallet_gui.wallet.spend import Recipient
from wallet_gui.wallet.wallet import Wallet

SINGLE = account_descriptors(ROOTS[0], REGTEST, types=[DescriptorType.WPKH])[DescriptorType.WPKH]
SHARED = wallet_of(MultisigType.WSH, 2, 3)
PAYEE = foreign_script(7)
NOW = 1_700_000_000
RATE = FeeRate(5_000)
TO_PAYEE = (Recipient(PAYEE, 150_000_000, "Rent"),)


class DeskRig:
    """One wallet file's worth of state, its session, and a stand-in for the online side.

    `signer` is the cosigner whose keys the wallet has, None for one that only watches.
    """

    def __init__(self, *descriptors: Descriptor, signer: int | None = None) -> None:
        self.descriptors = descriptors or (SINGLE,)
        self.signer = signer
        self.disk = Disk()
        wallet = funded(*self.descriptors)
        change = wallet.take_staged()
        self.disk.merge(change.view)
        self.disk.store(change.cache)
        self.sent: list[Transaction] = []
        self.asked_vault: list[Psbt] = []
        self.vault_closes = False
        self.online = _Online(self)
        self.session = self.open()

    def open(self) -> WalletSession:
        """Open the wallet anew, from what is on the disk."""
        description = describe(*self.descriptors)
        if self.signer is not None:
            own = ROOTS[self.signer].fingerprint.hex()
            description = replace(description, has_secrets=True, fingerprint=own)
        wallet = Wallet(description, REGTEST, WalletState(self.disk.view, self.disk.cache))
        wallet.set_tip(BlockRef(100, bytes(32)))
        session = WalletSession("id", "/w", wallet, self.disk, self.disk, lambda _: None)
        session.broadcast = self._broadcast  # type: ignore[method-assign]
        self.session = session
        return session

    async def _broadcast(self, tx: Transaction) -> BroadcastResult:
        self.sent.append(tx)
        return BroadcastResult(tx.txid, BroadcastStage.REQUESTED, 2)

    def desk(self) -> PsbtDesk:
        return PsbtDesk(cast("Online", self.online), "id", clock=lambda: NOW)

    def sign(self, psbt: Psbt, signer: int = 0) -> Psbt:
        """Sign as somebody else would, with the keys of a cosigner."""
        return sign(psbt, ROOTS[signer], list(self.descriptors), REGTEST)


class _Online:
    """What the desk asks of the online side."""

    def __init__(self, rig: DeskRig) -> None:
        self._rig = rig

    def session(self, wallet_id: str) -> WalletSession:
        assert wallet_id == "id"
        return self._rig.session

    async def sign_psbt(self, session: WalletSession, psbt: Psbt) -> Psbt:
        assert session is self._rig.session
        self._rig.asked_vault.append(psbt)
        if self._rig.vault_closes:
            raise VaultCancelled
        if self._rig.signer is None:
            raise VaultError("This wallet only watches.")
        return self._rig.sign(psbt, self._rig.signer)


def signed_by(rig: DeskRig, psbt: Psbt, signers: Sequence[int]) -> Psbt:
    for signer in signers:
        psbt = rig.sign(psbt, signer)
    return psbt
