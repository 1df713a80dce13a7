"""Kill -9 the client or the vault at random moments, and look what is left: one JSON object.

    python -m tests.hostile.kill_processes FOLDER COUNT [SEED]

Both processes are the real ones, with the cheapest password check that the program reads. Each
round makes, opens, signs with or changes the password of a wallet. Afterwards what was acknowledged
is there, one password opens both boxes, no process is left, and no file holds a secret.
"""

import hashlib
import json
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from tests.hostile import processes
from tests.unit.vault.samples import PASSWORD, WORDS, SampleWallet, funded_wallet
from tests.vault_with_cheap_kdf import CHEAP_VAULT
from wallet_gui.keys import secret_box
from wallet_gui.keys.errors import PasswordWrong
from wallet_gui.keys.kdf import derive_key
from wallet_gui.keys.seed import Seed, bip39_seed, entropy_from_words
from wallet_gui.sealing import FLOOR
from wallet_gui.storage.errors import StorageError
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.storage.wallet_layout import WalletFileContents, open_view
from wallet_gui.transfer.messages import (
    ChangePassword,
    HeadlessOptions,
    Request,
    RestoreWallet,
    UnlockWallet,
    to_json,
)
from wallet_gui.vault import creation, unlocking
from wallet_gui.vault.password_cost import PasswordCost

COST = PasswordCost(preferred=FLOOR, fallback=FLOOR)
NEW_PASSWORD = "a lantern for the Thursday boat"
OPERATIONS = ("create", "unlock", "sign", "password")
PROMISED_SECONDS = 1.0
MUST_NOT = ("lost", "unreadable", "orphans", "secrets in files", "changed what it should not")
_LONGEST = {"create": 0.9, "unlock": 0.6, "sign": 0.8, "password": 1.3}


def secrets() -> list[bytes]:
    """What no file may hold but those that the person gave, and no other process."""
    entropy, language = entropy_from_words(WORDS)
    seed = bip39_seed(entropy, language)
    texts = [PASSWORD, NEW_PASSWORD, WORDS, entropy.hex(), seed.hex()]
    found = [text.encode(code) for text in texts for code in ("utf-8", "utf-16-le", "utf-32-le")]
    return [*found, entropy, seed, seed[:32], seed[32:]]


def opens(contents: WalletFileContents, password: str) -> bool:
    """Whether the password opens the view box; then it must open the secret box too."""
    header = contents.view_header
    key = derive_key(password, header.salt, header.kdf)
    try:
        open_view(contents, key)
    except StorageError:
        return False
    assert contents.secret_box is not None
    try:
        payload = secret_box.open(password, contents.secret_box)
    except PasswordWrong:
        raise AssertionError("the two boxes have two passwords") from None
    assert payload.entropy == entropy_from_words(WORDS)[0]
    return True


@dataclass
class Rig:
    """A folder with a wallet to work on, another one beside it, and the files of the person."""

    folder: Path
    said: Counter[str]
    rng: random.Random

    def __post_init__(self) -> None:
        typed = self.folder / "typed"
        typed.mkdir(parents=True)
        for name, text in (("password", PASSWORD), ("new", NEW_PASSWORD), ("words", WORDS)):
            (typed / name).touch(0o600)
            (typed / name).write_text(text + "\n")
        self.options = HeadlessOptions(
            password_file=str(typed / "password"),
            new_password_file=str(typed / "new"),
            words_file=str(typed / "words"),
            assume_yes=True,
        )
        self.wallets = self.folder / "wallets"
        seed = Seed(*entropy_from_words(WORDS))
        for name in ("Savings", "Savings 2"):
            request = RestoreWallet(str(self.wallets), name, "regtest")
            creation.create(request, seed, PASSWORD, COST, lambda *_: None)
        path = self.wallets / "Savings.wallet"
        self.view_key = unlocking.unlock(path, PASSWORD, COST).reply.view_key
        self.sample = SampleWallet(path, self.view_key, funded_wallet(path, self.view_key, COST))
        self.password = PASSWORD

    def request(self, operation: str, number: int) -> Request:
        path = str(self.sample.path)
        match operation:
            case "create":
                return RestoreWallet(
                    str(self.wallets), f"New {number}", "regtest", headless=self.options
                )
            case "unlock":
                return UnlockWallet(path, headless=self._options())
            case "sign":
                asked = self.sample.request(self.sample.plan())
                return replace(asked, headless=self._options())
            case _:
                return ChangePassword(path, headless=self._options())

    def _options(self) -> HeadlessOptions:
        if self.password == PASSWORD:
            return self.options
        swapped = self.options.new_password_file, self.options.password_file
        return replace(self.options, password_file=swapped[0], new_password_file=swapped[1])

    def files(self) -> dict[str, str]:
        return {
            each.name: hashlib.sha256(each.read_bytes()).hexdigest()
            for each in self.wallets.iterdir()
            if not each.name.endswith(".lock")
        }

    def round(self, number: int) -> None:
        operation = self.rng.choice(OPERATIONS)
        victim = self.rng.choice(("client", "vault"))
        before = self.files()
        output = self.folder / f"output-{number}"
        with output.open("wb") as file:
            client = subprocess.Popen(
                [sys.executable, "-m", "tests.hostile.asking_client", json.dumps(CHEAP_VAULT)],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
            )
        assert client.stdin is not None
        client.stdin.write(to_json(self.request(operation, number)))
        client.stdin.close()
        # The vault's own moments: from its start to a little after its answer.
        processes.seconds_until(
            lambda: bool(processes.vaults_of(client.pid)) or client.poll() is not None
        )
        vaults = processes.vaults_of(client.pid)
        time.sleep(self.rng.uniform(0, _LONGEST[operation]))
        self.said["killed while it ran"] += processes.is_alive(
            client.pid if victim == "client" else (vaults or [0])[0]
        )
        for pid in [client.pid] if victim == "client" else vaults:
            processes.kill(pid)
        self._no_orphan(vaults)
        client.wait(30)
        said = output.read_text()
        output.unlink()
        self.said["kills"] += 1
        self.said[operation] += 1
        # The vault refuses nothing here: what it cannot do is a defect.
        assert "Traceback" not in said, said
        assert "refused: Failed" not in said, said
        self._look(operation, number, before, is_done="done: " in said)
        self._no_secret()

    def _no_orphan(self, vaults: list[int]) -> None:
        try:
            gone = lambda: not any(processes.is_alive(pid) for pid in vaults)  # noqa: E731
            spent = processes.seconds_until(gone)
        except TimeoutError:
            self.said["orphans"] += 1
            for pid in vaults:
                processes.kill(pid)
            return
        # On a busy machine that is no orphan; what is promised is measured in its own test.
        self.said["gone later than promised"] += spent > PROMISED_SECONDS

    def _look(self, operation: str, number: int, before: dict[str, str], *, is_done: bool) -> None:
        self.said["acknowledged"] += is_done
        after = self.files()
        expected = dict(before)
        if operation == "create":
            path = self.wallets / f"New {number}.wallet"
            if path.exists():
                assert opens(WalletFile.read(path), PASSWORD)
                self.said["done"] += 1
            else:
                self.said["lost"] += is_done
            after = {name: d for name, d in after.items() if not name.startswith(f"New {number}.")}
        elif operation == "password":
            path = self.sample.path
            contents = WalletFile.read(path)
            old = self.password
            new = NEW_PASSWORD if old == PASSWORD else PASSWORD
            holds = [each for each in (old, new) if opens(contents, each)]
            self.said["unreadable"] += not holds
            self.said["lost"] += is_done and holds != [new]
            if holds == [new]:
                self.password = new
                self.said["done"] += 1
                self._finish_password_change(new, old)
            mine = path.name + "."
            after.pop(path.name)
            expected.pop(path.name)
            after = {name: data for name, data in after.items() if not name.startswith(mine)}
            expected = {name: d for name, d in expected.items() if not name.startswith(mine)}
        self.said["changed what it should not"] += after != expected

    def _finish_password_change(self, new: str, old: str) -> None:
        """Open it as the window does next: after that nothing opens with the old password."""
        path = self.sample.path
        key = unlocking.unlock(path, new, COST).reply.view_key
        with FileLock(path) as lock:
            WalletFile.open(lock, key)
        for each in path.parent.glob(path.name + "*"):
            if not each.name.endswith(".lock"):
                assert not opens(WalletFile.read(each), old), each

    def _no_secret(self) -> None:
        for each in self.folder.rglob("*"):
            if each.is_file() and each.parent.name != "typed":
                data = each.read_bytes()
                self.said["secrets in files"] += any(secret in data for secret in secrets())


def run(folder: Path, count: int, seed: int = 1) -> Counter[str]:
    """Do so many rounds; "lost", "unreadable" and the like are 0 when all is well."""
    said: Counter[str] = Counter()
    said.update(dict.fromkeys(MUST_NOT, 0))
    rig = Rig(folder, said, random.Random(seed))
    for number in range(count):
        rig.round(number)
    return said


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 32)
    print(json.dumps({"seed": seed, **run(folder, count, seed)}))


if __name__ == "__main__":
    main()
