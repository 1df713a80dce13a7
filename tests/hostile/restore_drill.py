"""The restore drill: random wallets, each brought back from words, from a copy, and by the script.

    python -m tests.hostile.restore_drill COUNT [FIRST]

Wallet number N is the same on every computer. Each one is made by the vault, is paid, gets labels,
and comes back: from the words on paper into a new wallet with equal addresses; from a copy of its
file with equal labels, addresses and balance; and through packaging/recover_wallet.py, run apart
from everything but `cryptography`, with equal words, keys and descriptors.
"""

import contextlib
import importlib.util
import io
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

from mnemonic import Mnemonic

from tests.unit.descriptors.cosigners import COSIGNERS
from tests.unit.vault.samples import PASSWORD, TINY_COST, read_state
from tests.unit.vault.test_terminal import FakeTerminal
from wallet_gui.descriptors.descriptor import Descriptor, MultisigType
from wallet_gui.keys.accounts import account_path, cosigner_key
from wallet_gui.keys.seed import LANGUAGES, WORD_COUNTS, Seed, canonical_words, entropy_from_words
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.block import Block, BlockHeader
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet_gui.storage.backups import save_copy
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.view_state import ViewState
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import (
    BackupChecked,
    CheckBackup,
    CreateWallet,
    DrillWords,
    HeadlessOptions,
    JoinMultisig,
    Reply,
    Request,
    RestoreWallet,
    UnlockWallet,
    WalletCreated,
    WalletUnlocked,
    WatchWallet,
    WordsDrilled,
)
from wallet_gui.vault.headless import HeadlessVault
from wallet_gui.vault.terminal import SecretReader
from wallet_gui.wallet.changes import BlockRef, WalletState
from wallet_gui.wallet.wallet import Wallet

SCRIPT: Final = Path(__file__).resolve().parents[2] / "packaging" / "recover_wallet.py"
SINGLE: Final = ("wpkh", "tr", "sh_wpkh", "pkh")
KINDS: Final = ("words", "passphrase", "multisig", "watching", "xprv")
ADDRESSES: Final = 20

# Runs the script with nothing to import but the standard library and `cryptography`.
_ISOLATED: Final = """
import runpy, sys
class OnlyCryptography:
    allowed = {"cryptography", "_cffi_backend", "cffi"}
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in self.allowed:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, OnlyCryptography())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def load_script() -> Any:
    """Import the script as a module; a library has the name of its folder."""
    spec = importlib.util.spec_from_file_location("recover_wallet", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True, slots=True)
class Plan:
    """What wallet number `number` is."""

    number: int
    kind: str
    language: str
    word_count: int
    script_types: tuple[str, ...]
    account: int
    multisig: MultisigType
    passphrase: str

    @classmethod
    def of(cls, number: int) -> "Plan":
        rng = Random(number)
        kind = KINDS[number % len(KINDS)]
        passphrase = "".join(rng.choices("aZ ü漢9\u00e9", k=rng.randint(1, 12))) or "x"
        uses_passphrase = kind == "passphrase" or (kind == "multisig" and rng.random() < 0.5)
        return cls(
            number,
            kind,
            LANGUAGES[number % len(LANGUAGES)],
            rng.choice(WORD_COUNTS),
            tuple(rng.sample(SINGLE, rng.randint(1, len(SINGLE)))),
            rng.choice((0, 0, 1, 7, 2**31 - 1)),
            rng.choice(list(MultisigType)),
            passphrase if uses_passphrase else "",
        )


class Drill:
    """One wallet and all its ways back, in a folder of its own."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.rng = Random(plan.number ^ 0x5EED)
        self.words_file = folder / "words.txt"
        self.password_file = self._secret("password", PASSWORD)
        self.passphrase_file = self._secret("passphrase", plan.passphrase)

    def _secret(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        return path

    def ask(self, request: Request, words_file: Path | None = None) -> Reply:
        """Ask a vault of this process, which draws its entropy from the plan."""
        options = HeadlessOptions(
            password_file=str(self.password_file),
            new_password_file=str(self.password_file),
            words_file=str(words_file or self.words_file),
            passphrase_file=str(self.passphrase_file),
            assume_yes=True,
        )
        reader = SecretReader(FakeTerminal(), io.BytesIO(), io.StringIO())
        vault = HeadlessVault(reader, TINY_COST, lambda *_: None, self.rng.randbytes)
        return vault.answer(replace(request, headless=options))

    # --- making it

    def made(self, request: Request, words_file: Path | None = None) -> WalletCreated:
        reply = self.ask(request, words_file)
        assert isinstance(reply, WalletCreated), reply
        return reply

    def create(self, name: str = "First") -> WalletCreated:
        plan = self.plan
        created = self.made(
            CreateWallet(
                directory=str(self.folder),
                name=name,
                network="regtest",
                language=plan.language,
                word_count=plan.word_count,
                script_types=plan.script_types,
                account=plan.account,
                use_passphrase=bool(plan.passphrase),
                birthday_time=1_700_000_000,
            )
        )
        if plan.kind == "multisig":
            return self.made(
                JoinMultisig(
                    directory=str(self.folder),
                    name="Together",
                    network="regtest",
                    source=created.path,
                    descriptor=str(self.shared_descriptor()),
                )
            )
        if plan.kind == "watching":
            state = read_state(Path(created.path), created.view_key)
            return self.made(
                WatchWallet(
                    directory=str(self.folder),
                    name="Watching",
                    network="regtest",
                    descriptors=state.description.descriptors,
                )
            )
        if plan.kind == "xprv":
            return self.made(self.import_request("Imported"), self._xprv_file())
        return created

    def seed(self) -> Seed:
        entropy, language = entropy_from_words(
            self.words_file.read_text(encoding="utf-8"), self.plan.language
        )
        return Seed(entropy, language, self.plan.passphrase)

    def root(self) -> ExtendedPrivateKey:
        return ExtendedPrivateKey.from_seed(self.seed().stretched(), REGTEST)

    def shared_descriptor(self) -> Descriptor:
        key = cosigner_key(self.root(), REGTEST, self.plan.multisig)
        assert key.origin is not None
        assert not isinstance(key.key, bytes)
        ours = (key.origin, key.key)
        return Descriptor.multisig(self.plan.multisig, REGTEST, 2, [ours, *COSIGNERS[:2]])

    def _xprv_file(self) -> Path:
        """A master key for even numbers, that of one account with its origin for odd ones."""
        root = self.root()
        text = root.serialize()
        if self.plan.number % 2:
            kind = Descriptor.parse(self._first_descriptor(), REGTEST).type
            assert not isinstance(kind, MultisigType)
            path = account_path(kind, REGTEST, self.plan.account)
            steps = "".join(f"/{step - (1 << 31)}h" for step in path)
            text = f"[{root.fingerprint.hex()}{steps}]{root.derive(path).serialize()}"
        return self._secret("xprv", text)

    def _first_descriptor(self) -> str:
        reply = self.ask(UnlockWallet(str(self.folder / "First.wallet")))
        assert isinstance(reply, WalletUnlocked)
        return read_state(Path(reply.path), reply.view_key).description.descriptors[0]

    def import_request(self, name: str) -> RestoreWallet:
        types = self.plan.script_types[:1] if self.plan.number % 2 else self.plan.script_types
        return RestoreWallet(
            directory=str(self.folder),
            name=name,
            network="regtest",
            script_types=types,
            account=self.plan.account,
            source="xprv",
        )

    # --- using it

    def use(self, created: WalletCreated) -> ViewState:
        """Hand out addresses, note things down; returns what the file holds then."""
        path = Path(created.path)
        state = read_state(path, created.view_key)
        wallet = Wallet(state.description, REGTEST, WalletState(view=state.view))
        for number in range(self.rng.randint(1, 4)):
            wallet.next_address(f"Rent {number} ü", amount_sat=number or None, now=1_700_000_100)
        wallet.set_label("tx", "ab" * 32, "Miete ☂")
        with FileLock(path) as lock:
            WalletFile.open(lock, created.view_key, minimum=TINY_COST.minimum).merge(
                wallet.take_staged().view
            )
        return read_state(path, created.view_key)

    # --- bringing it back

    def run(self) -> None:
        """Go through the whole drill; AssertionError says what differs."""
        created = self.create()
        state = self.use(created)
        path = Path(created.path)
        self.from_words(state)
        self.from_copy(path, state)
        self.by_script(path, state)

    def from_words(self, state: ViewState) -> None:
        plan = self.plan
        if plan.kind == "watching":
            return
        if plan.kind == "xprv":
            again = self.made(self.import_request("Again"), self.folder / "xprv")
        else:
            shared = plan.kind == "multisig"
            again = self.made(
                RestoreWallet(
                    directory=str(self.folder),
                    name="Again",
                    network="regtest",
                    script_types=plan.script_types,
                    account=plan.account,
                    use_passphrase=bool(plan.passphrase),
                    descriptor=str(self.shared_descriptor()) if shared else "",
                )
            )
        restored = read_state(Path(again.path), again.view_key)
        assert addresses(restored) == addresses(state)
        if plan.kind != "xprv":
            drilled = self.ask(DrillWords(again.path, record=True))
            assert isinstance(drilled, WordsDrilled)
            assert drilled.is_right
            assert drilled.is_recorded

    def from_copy(self, path: Path, state: ViewState) -> None:
        (self.folder / "stick").mkdir()
        copy = save_copy(path, self.folder / "stick" / "copy", minimum=TINY_COST.minimum)
        checked = self.ask(CheckBackup(str(path), str(copy)))
        assert isinstance(checked, BackupChecked)
        assert checked.is_same, checked.sentence
        reply = self.ask(UnlockWallet(str(copy)))
        assert isinstance(reply, WalletUnlocked)
        restored = read_state(copy, reply.view_key)
        assert restored == state
        assert addresses(restored) == addresses(state)
        assert balance(restored) == balance(state) == (30_000_000, 3)

    def by_script(self, path: Path, state: ViewState) -> None:
        found = self.recovered(path, "--secrets" if self.plan.kind != "watching" else "")
        description = state.description
        view = found["view"]
        assert view == json.loads(state.encode())
        secrets = found["secrets"]
        if self.plan.kind == "watching":
            assert secrets is None
            return
        assert secrets["fingerprint"] == self.root().fingerprint.hex()
        if self.plan.kind != "xprv":
            words = self.words_file.read_text(encoding="utf-8")
            assert canonical_words(secrets["words"]) == canonical_words(words)
            assert secrets["xprv"] == self.root().serialize()
        for text, private in zip(
            description.descriptors, secrets["private_descriptors"], strict=True
        ):
            assert public_side(private) == str(Descriptor.parse(text, REGTEST))

    def recovered(self, path: Path, *options: str) -> Any:
        language = self.plan.language
        arguments = [str(SCRIPT), str(path), "--json", "--stdin", *filter(None, options)]
        if language != "english":
            listed = self.folder / "list.txt"
            listed.write_text("\n".join(Mnemonic(language).wordlist) + "\n", encoding="utf-8")
            arguments += ["--wordlist", str(listed)]
        done = subprocess.run(
            [sys.executable, "-I", "-X", "utf8", "-c", _ISOLATED, *arguments],
            input=f"{PASSWORD}\n{self.plan.passphrase}\n".encode(),
            capture_output=True,
            check=False,
            cwd=self.folder,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout.decode().splitlines()[-1])


def addresses(state: ViewState) -> list[str]:
    """The first addresses of both chains of each account."""
    return [
        Descriptor.parse(text, REGTEST).address(index, chain)
        for text in state.description.descriptors
        for chain in (0, 1)
        for index in range(ADDRESSES)
    ]


def balance(state: ViewState) -> tuple[int, int]:
    """Confirmed satoshis and coins after a block that pays the first three addresses."""
    wallet = Wallet(state.description, REGTEST, WalletState(view=state.view))
    descriptor = wallet.descriptors[0]
    paying = Transaction(
        2,
        (TxIn(OutPoint(b"\x11" * 32, 1), b"", 0xFFFFFFFD),),
        tuple(TxOut(10_000_000, descriptor.script_pubkey(index)) for index in range(3)),
        0,
    )
    coinbase = Transaction(
        2, (TxIn(OutPoint(bytes(32), 0xFFFFFFFF), b"\x01\x64"),), (TxOut(0, b"\x6a"),), 0
    )
    header = BlockHeader(4, bytes(32), bytes(32), 1_700_000_000, 0x207FFFFF, 0)
    wallet.apply_block(Block(header, (coinbase, paying)), 100)
    wallet.set_tip(BlockRef(200, b"\x22" * 32))
    return wallet.balance().confirmed, len(wallet.confirmed_coins())


def public_side(private: str) -> str:
    """The descriptor in which every private key of the script is the public one that it makes."""
    body = private.split("#", maxsplit=1)[0]
    parts = []
    for part in body.replace("tprv", "\ntprv").split("\n"):
        if not part.startswith("tprv"):
            parts.append(part)
            continue
        text = part[:111]
        key = ExtendedPrivateKey.parse(text, REGTEST)
        parts.append(key.neuter().serialize() + part[111:])
    return str(Descriptor.parse("".join(parts), REGTEST))


def drill(number: int) -> Plan:
    """Run the drill with wallet `number`."""
    plan = Plan.of(number)
    with tempfile.TemporaryDirectory() as folder:
        Drill(plan, Path(folder)).run()
    return plan


def main(arguments: list[str]) -> int:
    """Run so many drills; returns the exit status."""
    count = int(arguments[0]) if arguments else 20
    first = int(arguments[1]) if len(arguments) > 1 else 0
    for number in range(first, first + count):
        plan = Plan.of(number)
        print(f"{number}: {plan.kind}, {plan.language}, {plan.word_count} words", flush=True)
        drill(number)
    print(f"{count} of {count} wallets came back.")
    return 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
