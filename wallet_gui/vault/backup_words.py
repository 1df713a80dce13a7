"""The drill with words on paper: what was typed is compared here, and nothing is shown."""

import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Final

from wallet_gui.keys.errors import SeedError
from wallet_gui.keys.secret_box import NO_WORDS, SecretPayload
from wallet_gui.keys.seed import canonical_words, entropy_from_words
from wallet_gui.transfer.messages import WordsDrilled
from wallet_gui.vault import signing
from wallet_gui.vault.backup_check import derived_view_key, record
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.wallet.backup_checks import BackupChecks

COMPARING: Final = "Comparing the words with the wallet"
# Lists in which no two words differ by accents only, so that restoring takes them without.
_ACCENTS_OPTIONAL: Final = frozenset({"spanish", "french"})


def has_words(payload: SecretPayload) -> bool:
    """Whether there is anything to be written on paper."""
    return bool(payload.entropy)


def no_words() -> WordsDrilled:
    """Return the reply for a wallet without words."""
    return WordsDrilled(is_right=False, sentence=NO_WORDS, word_count=0)


def wrong_positions(text: str, payload: SecretPayload) -> tuple[int, ...]:
    """Return the positions, from 1, at which the typed words are not the wallet's.

    Raises SeedError when there are more or fewer of them than the wallet has.
    """
    typed = canonical_words(text).split()
    right = canonical_words(payload.seed().words).split()
    if not typed:
        raise SeedError("Type the words that are on your paper.")
    if len(typed) != len(right):
        many = "more" if len(typed) > len(right) else "fewer"
        raise SeedError(
            f"These are {len(typed)} word{'s' * (len(typed) != 1)}, {many} than the {len(right)} "
            "of this wallet."
        )
    wrong = tuple(
        number
        for number, (one, other) in enumerate(zip(typed, right, strict=True), start=1)
        if not _is_same(one, other, payload.language)
    )
    if not wrong and entropy_from_words(text, payload.language)[0] != payload.entropy:
        raise SeedError("These words lead to another wallet. Type them again.")
    return wrong


def _is_same(typed: str, right: str, language: str) -> bool:
    if typed == right:
        return True
    return language in _ACCENTS_OPTIONAL and typed == "".join(
        character for character in right if not unicodedata.combining(character)
    )


def wrong_words(positions: tuple[int, ...], payload: SecretPayload) -> WordsDrilled:
    """Return the reply that names the positions, and neither the typed words nor the right ones."""
    if len(positions) == 1:
        which = f"Word {positions[0]} is not the one"
    else:
        listed = f"{', '.join(map(str, positions[:-1]))} and {positions[-1]}"
        which = f"Words {listed} are not the ones"
    return WordsDrilled(
        is_right=False,
        sentence=(
            f"{which} of this wallet. Look whether you mistyped. If your paper says so, it does "
            "not bring the wallet back: let the words be shown once more and write them anew."
        ),
        word_count=len(canonical_words(payload.seed().words).split()),
        wrong_positions=positions,
        has_passphrase=payload.needs_passphrase,
    )


def right_words(payload: SecretPayload, passphrase: str) -> WordsDrilled:
    """Derive the wallet once more from what is on paper. Raises PassphraseWrong."""
    keys = signing.keyring(payload, passphrase)
    count = len(canonical_words(payload.seed().words).split())
    what = f"All {count} words" + (" and the passphrase" if payload.needs_passphrase else "")
    besides = (
        " A multisig needs its descriptor too: keep a copy of the wallet file or its backup sheet "
        "with the words."
        if payload.descriptors
        else ""
    )
    return WordsDrilled(
        is_right=True,
        sentence=(
            f"{what} are right: they lead to the fingerprint {keys.root.fingerprint.hex()} of this "
            f"wallet. Put the paper back where it is safe.{besides}"
        ),
        word_count=count,
        has_passphrase=payload.needs_passphrase,
    )


def recorded(path: Path, password: str, reply: WordsDrilled, cost: PasswordCost) -> WordsDrilled:
    """Keep the outcome in the wallet file; takes a run of Argon2id, and the wallet's lock."""

    def change(checks: BackupChecks, now: int) -> BackupChecks:
        return checks.drilled(
            is_right=reply.is_right,
            word_count=reply.word_count,
            has_passphrase=reply.has_passphrase,
            now=now,
        )

    is_kept, why_not = record(path, derived_view_key(path, password, cost), change, cost)
    return replace(reply, is_recorded=is_kept, sentence=f"{reply.sentence} {why_not}".rstrip())
