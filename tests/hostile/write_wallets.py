"""Writes the wallet files of the format of today, to be kept in tests/vectors/wallets for ever.

    .venv/bin/python -m tests.hostile.write_wallets FOLDER

To be run when the format has changed, by the commit that changes it: copy the files there and what
is printed into wallets.json, and never change them again. The password check is the cheapest that
the program reads.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.hostile.test_old_wallets import KNOWN, SAME_COST
from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.keys.imported import ImportedKeys
from wallet_gui.keys.secret_box import FORMAT
from wallet_gui.keys.seed import Seed, entropy_from_words
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import SOURCE_WORDS, SOURCE_XPRV, RestoreWallet
from wallet_gui.vault import creation
from wallet_gui.vault.creation import WalletKeys
from wallet_gui.wallet.changes import ViewChange

BIRTHDAY = 1_700_000_000
LABEL = "Rent, M\u00e4rz \u2013 \u5bb6\u8cc3"
PASSPHRASE = "quiet harbour"


def write(folder: Path, name: str, keys: WalletKeys) -> dict[str, Any]:
    """Write one file with a label and a setting; returns what wallets.json says of it."""
    is_imported = isinstance(keys, ImportedKeys)
    passphrase = keys.passphrase if isinstance(keys, Seed) else ""
    request = RestoreWallet(
        str(folder),
        name,
        "regtest",
        script_types=("wpkh",) if is_imported else ("wpkh", "tr"),
        use_passphrase=bool(passphrase),
        birthday_time=BIRTHDAY,
        source=SOURCE_XPRV if is_imported else SOURCE_WORDS,
    )
    made = creation.create(request, keys, KNOWN["password"], SAME_COST, lambda _step, _part: None)
    path = Path(made.reply.path)
    with FileLock(path) as lock:
        wallet_file = WalletFile.open(lock, made.reply.view_key)
        description = wallet_file.state.description
        addresses = [
            Descriptor.parse(text, REGTEST).first_address for text in description.descriptors
        ]
        wallet_file.merge(ViewChange(labels={("addr", addresses[0]): LABEL}))
        wallet_file.keep_setting("kept", ["as", 1, "it is"])
    facts: dict[str, Any] = {
        "passphrase": passphrase,
        "addresses": addresses,
        "label": LABEL,
        "fingerprint": description.fingerprint,
    }
    return facts | ({"imported": True} if is_imported else {})


def main(folder: Path) -> dict[str, Any]:
    """Write all files of the present format; returns what is to be noted of them."""
    entropy, _ = entropy_from_words(KNOWN["words"])
    root = ExtendedPrivateKey.from_seed(Seed(entropy).stretched(), REGTEST)
    path = "84h/1h/0h"
    account = f"[{root.fingerprint.hex()}/{path}]{root.derive(path).serialize()}"
    kinds: dict[str, WalletKeys] = {
        "": Seed(entropy),
        "-passphrase": Seed(entropy, passphrase=PASSPHRASE),
        "-imported": ImportedKeys.parse(account, REGTEST),
    }
    return {
        f"secret-{FORMAT}{kind}": write(folder, f"secret-{FORMAT}{kind}", keys)
        for kind, keys in kinds.items()
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]).resolve()), ensure_ascii=False, indent=1))
