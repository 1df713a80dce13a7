"""What a person decides about the keys of a wallet reaches the vault as it was decided."""

import pytest

from wallet_gui.cli.new_wallet_options import LANGUAGES
from wallet_gui.custody.entries import NewWallet
from wallet_gui.custody.requests import (
    VaultLook,
    create_request,
    restore_request,
    unlock_request,
)
from wallet_gui.keys import seed
from wallet_gui.primitives.params import REGTEST
from wallet_gui.transfer.messages import SOURCE_WORDS, SOURCE_XPRV

LOOK = VaultLook("/wallets", "dark", 150, None)


@pytest.mark.parametrize("use_dice", [False, True])
def test_dice_language_and_number_of_words(use_dice: object) -> None:
    wanted = NewWallet("Savings", word_count=21, use_dice=bool(use_dice), language="korean")
    request = create_request(wanted, REGTEST, LOOK)
    assert (request.word_count, request.language, request.use_dice) == (21, "korean", use_dice)


@pytest.mark.parametrize(("from_xprv", "source"), [(False, SOURCE_WORDS), (True, SOURCE_XPRV)])
def test_what_is_restored(from_xprv: object, source: str) -> None:
    request = restore_request(NewWallet("x", from_xprv=bool(from_xprv)), REGTEST, LOOK)
    assert request.source == source


def test_whoever_unlocks_holds_the_lock() -> None:
    request = unlock_request("/wallets/a.wallet", LOOK)
    assert request.lock_held
    assert (request.appearance, request.text_scale) == ("dark", 150)


def test_the_command_line_offers_the_languages_of_the_vault() -> None:
    assert LANGUAGES == seed.LANGUAGES
