"""What the backup sheet of a wallet says: which wallet it is, and how it is brought back.

Nothing here is secret. The words are written onto the printed sheet by hand.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final, Self

from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.descriptors.xpub import format_path
from wallet_gui.primitives.params import NETWORKS
from wallet_gui.primitives.plain_text import plain_text
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.wallet.backup_checks import BackupChecks
from wallet_gui.wallet.changes import WalletDescription

_KINDS: Final = {
    DescriptorType.PKH: "Legacy (pkh)",
    DescriptorType.SH_WPKH: "Wrapped SegWit (sh-wpkh)",
    DescriptorType.WPKH: "Native SegWit (wpkh)",
    DescriptorType.TR: "Taproot (tr)",
    MultisigType.WSH: "Multisig, native SegWit (wsh)",
    MultisigType.SH_WSH: "Multisig, wrapped SegWit (sh-wsh)",
    MultisigType.SH: "Multisig, legacy (sh)",
}
_MAX_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class SheetAccount:
    """One kind of addresses of the wallet, in words, and the path of its keys."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class SheetContents:
    """What stands on the sheet.

    `birthday` and `made` are dates as text, "" when not known. `word_count` is 0 for a wallet
    without words (then there are no boxes for them), None when it is not known, as
    `has_passphrase` may be. `descriptor` is the text of a multisig or of a wallet without words,
    "" otherwise; `policy` says of a multisig how many keys sign.
    """

    name: str
    fingerprint: str
    network: str
    accounts: tuple[SheetAccount, ...]
    birthday: str = ""
    word_count: int | None = None
    has_passphrase: bool | None = None
    descriptor: str = ""
    policy: str = ""
    made: str = ""

    @property
    def has_words(self) -> bool:
        return self.word_count != 0

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote. Raises ParseError."""
        try:
            value = json.loads(text)
            accounts = tuple(SheetAccount(**item) for item in value.pop("accounts"))
            return cls(accounts=accounts, **value)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ParseError("This is not what a backup sheet says.") from None


def sheet_of(
    description: WalletDescription,
    descriptors: Sequence[Descriptor],
    checks: BackupChecks,
    made: int,
) -> SheetContents:
    """Return the sheet of a wallet; `made` is the Unix time of printing."""
    shared = [descriptor for descriptor in descriptors if descriptor.is_multisig]
    params = NETWORKS.get(description.network)
    is_real = params is not None and not params.is_test
    word_count = checks.word_count if description.has_secrets else 0
    policy = ""
    if shared:
        policy = f"{shared[0].required} of {len(shared[0].keys)} cosigners sign"
    needs_text = bool(shared) or word_count == 0
    return SheetContents(
        name=plain_text(description.name, _MAX_NAME),
        fingerprint=description.fingerprint,
        network="Bitcoin" if is_real else f"{description.network} (play money)",
        accounts=tuple(_account(descriptor) for descriptor in descriptors),
        birthday=_day(description.birthday_time),
        word_count=word_count,
        has_passphrase=checks.has_passphrase,
        descriptor="\n".join(map(str, descriptors)) if needs_text else "",
        policy=policy,
        made=_day(made),
    )


def _account(descriptor: Descriptor) -> SheetAccount:
    paths = {key.origin.path for key in descriptor.keys if key.origin is not None}
    texts = sorted(f"m/{format_path(path)}".replace("h", "'") for path in paths)
    return SheetAccount(_KINDS[descriptor.type], ", ".join(texts) or "not known")


def _day(moment: int | None) -> str:
    return "" if moment is None else f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"
