"""A small wallet with money, made through the vault's own use cases, and payments to sign."""

import base64
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from wallet_gui.keys.seed import Seed, entropy_from_words
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.block import Block, BlockHeader
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.script import p2wpkh
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet_gui.sealing import KdfParameters
from wallet_gui.storage.view_state import ViewState
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.storage.wallet_layout import open_view
from wallet_gui.transfer.messages import CreateWallet, KnownIndex, RestoreWallet, SignPsbt
from wallet_gui.vault import creation
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.wallet import review, spend
from wallet_gui.wallet.changes import BlockRef, WalletState
from wallet_gui.wallet.draft import SpendPlan
from wallet_gui.wallet.spend import Recipient
from wallet_gui.wallet.wallet import Wallet

TINY = KdfParameters(32, 1, 1)
TINY_COST = PasswordCost(preferred=TINY, fallback=TINY, minimum=TINY)
PASSWORD = "marmalade-on-Tuesday-9"
WORDS = (
    "legal winner thank year wave sausage worth useful legal winner thank yellow"  # BIP39's vectors
)
PAYEE = p2wpkh(b"\x07" * 20)


@dataclass
class SampleWallet:
    """A wallet file and the watch-only wallet that a window would hold for it."""

    path: Path
    view_key: bytes
    wallet: Wallet

    def plan(self, amount_sat: int = 40_000_000, fee_rate: str = "5") -> SpendPlan:
        return spend.create(
            self.wallet,
            [Recipient(PAYEE, amount_sat)],
            FeeRate.parse(fee_rate),
            rng=Random(7),
            tip_height=200,
            allow_high_fee=True,
        )

    def request(self, plan: SpendPlan) -> SignPsbt:
        """Ask for a signature as the window does."""
        known = self.wallet.known_indexes()
        seen = review.of(
            plan.psbt, self.wallet.descriptors, self.wallet.params, known_indexes=known
        )
        return SignPsbt(
            path=str(self.path),
            psbt_base64=plan.psbt.to_base64(),
            request_digest=seen.digest,
            known_indexes=tuple(
                KnownIndex(number, int(keychain), index)
                for (number, keychain), index in known.items()
                if index >= 0
            ),
        )

    def tampered(self, request: SignPsbt, raw: bytes) -> SignPsbt:
        return replace(request, psbt_base64=base64.b64encode(raw).decode())


def create_request(folder: Path, **changes: object) -> CreateWallet:
    fields = {"directory": str(folder), "name": "Savings", "network": "regtest", **changes}
    return CreateWallet(**fields)  # type: ignore[arg-type]


def restore_request(folder: Path, **changes: object) -> RestoreWallet:
    fields = {"directory": str(folder), "name": "Savings", "network": "regtest", **changes}
    return RestoreWallet(**fields)  # type: ignore[arg-type]


def sample_seed(passphrase: str = "") -> Seed:
    entropy, language = entropy_from_words(WORDS)
    return Seed(entropy, language, passphrase)


def make_wallet(
    folder: Path,
    *,
    cost: PasswordCost = TINY_COST,
    passphrase: str = "",
    script_types: tuple[str, ...] = ("wpkh", "tr"),
) -> SampleWallet:
    """Restore the sample words into a file and pay the wallet 1 BTC in a block."""
    request = restore_request(
        folder, script_types=script_types, use_passphrase=bool(passphrase), birthday_time=1
    )
    created = creation.create(
        request, sample_seed(passphrase), PASSWORD, cost, lambda _step, _fraction: None
    )
    path = Path(created.reply.path)
    return SampleWallet(
        path, created.reply.view_key, funded_wallet(path, created.reply.view_key, cost)
    )


def read_state(path: Path, view_key: bytes, cost: PasswordCost = TINY_COST) -> ViewState:
    return open_view(WalletFile.read(path, minimum=cost.minimum), view_key, minimum=cost.minimum)


def funded_wallet(path: Path, view_key: bytes, cost: PasswordCost = TINY_COST) -> Wallet:
    """Open the file as the window does and show the wallet a block that pays it."""
    description = read_state(path, view_key, cost).description
    wallet = Wallet(description, REGTEST, WalletState())
    _, script = wallet.next_address()
    coinbase = Transaction(
        2, (TxIn(OutPoint(bytes(32), 0xFFFFFFFF), b"\x01\x64"),), (TxOut(0, PAYEE),), 0
    )
    paying = Transaction(
        2, (TxIn(OutPoint(b"\x11" * 32, 1), b"", 0xFFFFFFFD),), (TxOut(100_000_000, script),), 0
    )
    header = BlockHeader(4, bytes(32), bytes(32), 1_700_000_000, 0x207FFFFF, 0)
    wallet.apply_block(Block(header, (coinbase, paying)), 100)
    wallet.set_tip(BlockRef(200, b"\x22" * 32))
    return wallet
