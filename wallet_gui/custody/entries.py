"""What windows and command lines name: a wallet that is wanted, one that is there, an address."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NewWallet:
    """What a person decides outside the vault about a new or restored wallet."""

    name: str
    script_type: str = "wpkh"
    word_count: int = 12
    use_passphrase: bool = False
    birthday_time: int | None = None
    directory: str | None = None
    descriptor: str = ""
    """Of a multisig that is restored from the words of one cosigner; "" for a wallet of one key."""
    use_dice: bool = False
    language: str = "english"
    from_xprv: bool = False
    """Restored from an extended private key instead of words."""


@dataclass(frozen=True, slots=True)
class WalletEntry:
    """A wallet file in the data directory."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class RevealedAddress:
    """An address that was just stored as given away."""

    descriptor_index: int
    index: int
    address: str
