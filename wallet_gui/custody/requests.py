"""What the vault is asked for, made from what a person decided outside of it."""

import time
from dataclasses import dataclass

from wallet_gui.custody.entries import NewWallet
from wallet_gui.descriptors.account_import import WalletImport
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.transfer.messages import (
    SOURCE_WORDS,
    SOURCE_XPRV,
    CreateWallet,
    ExportCosignerKey,
    HeadlessOptions,
    JoinMultisig,
    KnownIndex,
    RestoreWallet,
    SignPsbt,
    UnlockWallet,
    WatchWallet,
)
from wallet_gui.wallet import review
from wallet_gui.wallet.wallet import Wallet


@dataclass(frozen=True, slots=True)
class VaultLook:
    """What goes with every request: where wallets lie by default, and how its window looks."""

    directory: str
    appearance: str
    text_scale: int
    headless: HeadlessOptions | None


def create_request(wanted: NewWallet, params: ChainParams, look: VaultLook) -> CreateWallet:
    """Ask for a wallet with new words; without a birthday it is now."""
    return CreateWallet(
        directory=wanted.directory or look.directory,
        name=wanted.name,
        network=params.name,
        word_count=wanted.word_count,
        language=wanted.language,
        use_dice=wanted.use_dice,
        script_types=(wanted.script_type,),
        use_passphrase=wanted.use_passphrase,
        birthday_time=wanted.birthday_time or int(time.time()),
        appearance=look.appearance,
        text_scale=look.text_scale,
        headless=look.headless,
    )


def restore_request(wanted: NewWallet, params: ChainParams, look: VaultLook) -> RestoreWallet:
    """Ask for a wallet from words that exist."""
    return RestoreWallet(
        directory=wanted.directory or look.directory,
        name=wanted.name,
        network=params.name,
        script_types=(wanted.script_type,),
        use_passphrase=wanted.use_passphrase,
        birthday_time=wanted.birthday_time,
        appearance=look.appearance,
        text_scale=look.text_scale,
        headless=look.headless,
        descriptor=wanted.descriptor,
        source=SOURCE_XPRV if wanted.from_xprv else SOURCE_WORDS,
    )


def watch_request(
    name: str,
    directory: str | None,
    found: WalletImport,
    birthday_time: int | None,
    params: ChainParams,
    look: VaultLook,
) -> WatchWallet:
    """Ask for a wallet that only watches what was imported."""
    return WatchWallet(
        directory=directory or look.directory,
        name=name,
        network=params.name,
        descriptors=tuple(descriptor.to_string() for descriptor in found.descriptors),
        active=found.active,
        birthday_time=found.birthday_time if birthday_time is None else birthday_time,
        appearance=look.appearance,
        text_scale=look.text_scale,
        headless=look.headless,
    )


def join_request(
    name: str,
    directory: str | None,
    descriptor: str,
    source: str,
    birthday_time: int | None,
    params: ChainParams,
    look: VaultLook,
) -> JoinMultisig:
    """Ask for the wallet of a multisig, with the words of the wallet file `source`."""
    return JoinMultisig(
        directory=directory or look.directory,
        name=name,
        network=params.name,
        source=source,
        descriptor=descriptor,
        birthday_time=birthday_time,
        appearance=look.appearance,
        text_scale=look.text_scale,
        headless=look.headless,
    )


def cosigner_key_request(
    path: str, script_type: str, account: int, look: VaultLook
) -> ExportCosignerKey:
    """Ask for the public key with which a wallet joins a multisig."""
    return ExportCosignerKey(
        path=path,
        script_type=script_type,
        account=account,
        appearance=look.appearance,
        text_scale=look.text_scale,
        headless=look.headless,
    )


def unlock_request(path: str, look: VaultLook) -> UnlockWallet:
    """Ask for the password of a wallet file, of which the lock is held and which is not open."""
    return UnlockWallet(
        path,
        lock_held=True,
        appearance=look.appearance,
        text_scale=look.text_scale,
        headless=look.headless,
    )


def sign_request(path: str, wallet: Wallet, psbt: Psbt, look: VaultLook) -> SignPsbt:
    """Ask to review and sign; the digest ties the review there to the one made here."""
    known = wallet.known_indexes()
    seen = review.of(psbt, wallet.descriptors, wallet.params, known_indexes=known)
    return SignPsbt(
        path=path,
        psbt_base64=psbt.to_base64(),
        request_digest=seen.digest,
        known_indexes=tuple(
            KnownIndex(descriptor_index, int(keychain), index)
            for (descriptor_index, keychain), index in known.items()
            if index >= 0
        ),
        appearance=look.appearance,
        text_scale=look.text_scale,
        headless=look.headless,
    )
