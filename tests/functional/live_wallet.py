"""The online side of the program on a real node, in this process: sessions, backend and files.

Only the vault is shortened: keys are derived from a number, and what has to be signed is signed
here by the same signer, since these tests are about the chain.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from tests.functional.bitcoind import Node
from tests.patience import PATIENCE
from wallet_gui.app.online import Online, Published
from wallet_gui.app.session import WalletSession
from wallet_gui.app.source_switch import BackendFactory
from wallet_gui.app.vault_client import VaultClient
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType
from wallet_gui.keys.accounts import account_descriptors
from wallet_gui.keys.signer import sign
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.hashes import hash_from_hex, sha256
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.sealing import VIEW, KdfParameters, seal_box
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.storage.view_state import ViewState
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import (
    Progress,
    PsbtSigned,
    Request,
    SignPsbt,
    UnlockWallet,
    WalletUnlocked,
)
from wallet_gui.wallet.changes import WalletDescription

CHEAP = KdfParameters(8, 1, 1)
VIEW_KEY = b"V" * 32
SALT = b"s" * 16

R = TypeVar("R")


class Keys:
    """The keys of one test wallet."""

    def __init__(self, name: str, *kinds: DescriptorType) -> None:
        self.name = name
        self.root = ExtendedPrivateKey.from_seed(sha256(name.encode()) * 2, REGTEST)
        self.descriptors = account_descriptors(
            self.root, REGTEST, types=kinds or (DescriptorType.WPKH,)
        )

    @property
    def active(self) -> Descriptor:
        return next(iter(self.descriptors.values()))

    def sign(self, psbt: Psbt) -> Psbt:
        return sign(psbt, self.root, list(self.descriptors.values()), REGTEST)

    def create_file(self, directory: DataDirectory, birthday_time: int | None = None) -> Path:
        """Write the wallet file; returns its path."""
        directory.create()
        path = directory.wallet_path(self.name)
        description = WalletDescription(
            name=self.name,
            network=REGTEST.name,
            descriptors=tuple(d.to_string() for d in self.descriptors.values()),
            active=0,
            fingerprint=self.root.fingerprint.hex(),
            birthday_time=birthday_time,
            cache_key=sha256(b"cache" + self.name.encode()),
            has_secrets=False,
        )
        box = seal_box(VIEW_KEY, VIEW, CHEAP, SALT, ViewState(description).encode(), minimum=CHEAP)
        WalletFile.create(path, box, None, view_key=VIEW_KEY, minimum=CHEAP)
        return path


class KeysVault(VaultClient):
    """Answers as the vault process would, with keys that are in this process."""

    def __init__(self, *wallets: Keys) -> None:
        super().__init__(headless=True)
        self._by_name = {keys.name: keys for keys in wallets}

    async def ask(
        self,
        request: Request,
        expected: type[R],
        on_progress: Callable[[Progress], None] | None = None,
    ) -> R:
        del on_progress
        reply: object
        match request:
            case UnlockWallet(path):
                reply = WalletUnlocked(path, VIEW_KEY)
            case SignPsbt(path, psbt):
                signed = self._by_name[Path(path).stem].sign(Psbt.parse(psbt))
                reply = PsbtSigned(signed.to_base64())
            case _:
                raise AssertionError(request)
        assert isinstance(reply, expected)
        return reply


class Live:
    """A started online side with its open wallets."""

    def __init__(self, online: Online, node: Node) -> None:
        self.online = online
        self.node = node
        self.published: list[Published] = []

    async def open(self, path: Path) -> WalletSession:
        opened = await self.online.open_wallet(str(path))
        return self.online.session(opened.wallet_id)

    async def in_sync(self, seconds: float = PATIENCE) -> None:
        """Wait until every wallet has seen the node's own tip."""
        tip = hash_from_hex(await asyncio.to_thread(lambda: self.node.tip))
        selector = self.online.selector
        assert selector is not None

        def is_there() -> bool:
            ref = None if selector.backend is None else selector.backend.tip()
            return ref is not None and ref.hash == tip and selector.is_synced()

        deadline = time.monotonic() + seconds
        while not is_there():
            marks = [s.wallet.scan_mark for s in self.online._sessions.values()]
            backend = selector.backend
            assert time.monotonic() < deadline, (
                f"not in sync: node {self.node.height}, {backend and backend.tip()}, "
                f"marks {marks}, {selector.snapshot}"
            )
            await asyncio.sleep(0.01)

    async def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come about in time"
            await asyncio.sleep(0.01)


@asynccontextmanager
async def online_at(
    node: Node,
    root: Path,
    *wallets: Keys,
    connect: bool = True,
    make_backend: BackendFactory = P2PBackend,
) -> AsyncIterator[Live]:
    """Start the online side on a node; it is stopped at the end and has left no task behind."""
    published: list[Published] = []
    online = Online(
        DataDirectory(root, REGTEST),
        REGTEST,
        make_backend,
        published.append,
        vault=KeysVault(*wallets),
        minimum_kdf=CHEAP,
    )
    before = asyncio.all_tasks()
    live = Live(online, node)
    live.published = published
    try:
        if connect:
            await online.start([PeerAddress(node.host, node.p2p_port)])
        else:
            await online.start_offline()
        yield live
    finally:
        await online.stop()
    assert asyncio.all_tasks() == before, "a task was left behind"
