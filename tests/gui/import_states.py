"""The pages of wallets that are watched, paired, shared or copied, as a person may meet them."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.gui.conftest import Screen
from tests.gui.import_samples import account, cosigner, descriptor, shared, xpub
from wallet_gui.app import imports
from wallet_gui.app.published import WalletEntry
from wallet_gui.custody import exports
from wallet_gui.descriptors.account_import import SECRETS_INSIDE, ScriptTypeNeeded, SecretsInside
from wallet_gui.gui.file_copy_page import FileCopyPage
from wallet_gui.gui.import_page import ImportPage, ImportPanel
from wallet_gui.gui.multisig_check import MultisigCheck
from wallet_gui.gui.multisig_keys import Cosigner, MultisigKeys
from wallet_gui.gui.multisig_start import OwnKeyPage
from wallet_gui.gui.pairing_page import PairingPage
from wallet_gui.gui.wizard_step import WizardStep
from wallet_gui.primitives.params import ChainParams

STEP = TypeVar("STEP", bound=WizardStep)
ENTRIES = (WalletEntry("Savings", "/w/Savings.wallet"), WalletEntry("Daily", "/w/Daily.wallet"))


def step(screen: Screen, kind: type[STEP]) -> STEP:
    """The page on screen, which is of that kind."""
    shown = screen.window.wizard.step
    assert isinstance(shown, kind)
    return shown


def params(screen: Screen) -> ChainParams:
    return screen.window.params


def found(panel: ImportPanel, text: str, chain: ChainParams) -> None:
    panel.inputs.field.setPlainText(text)
    panel._show(imports.read(text, chain))


def _welcome_first(screen: Screen) -> None:
    screen.window.wizard.show_wallets(())


def _restore_choice(screen: Screen) -> None:
    screen.window.wizard.go_to(screen.window.wizard.restore)


def _watch(screen: Screen) -> None:
    screen.window.import_flow.start_watching()


def _watch_found(screen: Screen) -> None:
    _watch(screen)
    found(step(screen, ImportPage).panel, descriptor(1, params(screen)), params(screen))


def _watch_several(screen: Screen) -> None:
    _watch(screen)
    found(step(screen, ImportPage).panel, account(1, params(screen)), params(screen))


def _watch_kind(screen: Screen) -> None:
    _watch(screen)
    panel = step(screen, ImportPage).panel
    panel.inputs.field.setPlainText(xpub(1, params(screen)))
    panel._failed(ScriptTypeNeeded("?"))


def _watch_secret(screen: Screen) -> None:
    _watch(screen)
    step(screen, ImportPage).panel._failed(SecretsInside(SECRETS_INSIDE))


def _watch_scanner(screen: Screen) -> None:
    _watch(screen)
    step(screen, ImportPage).panel.inputs.scan_button.click()


def _watch_busy(screen: Screen) -> None:
    _watch_found(screen)
    screen.window.wizard.set_busy("Go on in the vault window.", can_cancel=True)


def _pairing(screen: Screen) -> None:
    screen.window.import_flow.start_pairing()


def _pairing_found(screen: Screen) -> None:
    _pairing(screen)
    found(step(screen, PairingPage).panel, account(1, params(screen)), params(screen))
    step(screen, PairingPage)._go_on()


def _shared(screen: Screen) -> None:
    screen.window.import_flow.start_multisig()


def _shared_keys(screen: Screen) -> None:
    screen.window.import_flow._collect_keys()
    step(screen, MultisigKeys).show_wallets(ENTRIES)


def _shared_keys_two(screen: Screen) -> None:
    _shared_keys(screen)
    page = step(screen, MultisigKeys)
    page.add_own(cosigner(1, params(screen)), "/w/Savings.wallet", "Savings")
    page._add(Cosigner(cosigner(2, params(screen)), "Anna, Coldcard"))
    page._go_on()


def _shared_check(screen: Screen) -> None:
    screen.window.import_flow._check(shared(params(screen)), "/w/Savings.wallet", is_new=True)
    step(screen, MultisigCheck).show_wallets(ENTRIES, "/w/Savings.wallet")


def _shared_check_imported(screen: Screen) -> None:
    screen.window.import_flow._check(shared(params(screen), 3, 5), "", is_new=False)
    page = step(screen, MultisigCheck)
    page.show_wallets(ENTRIES)
    page.exports.qr_button.click()
    page.wallets.setCurrentIndex(1)
    page._go_on()


def _own_key(screen: Screen) -> None:
    screen.window.import_flow._show_own_key()
    page = step(screen, OwnKeyPage)
    page.show_wallets(ENTRIES)
    page.show_key(cosigner(1, params(screen)))


def _copy_file(screen: Screen) -> None:
    screen.window.import_flow.start_copying()


def _copy_file_chosen(screen: Screen) -> None:
    _copy_file(screen)
    step(screen, FileCopyPage).take(Path("/media/stick/backups/a long folder name/Old.wallet.2"))


def _export_shared(screen: Screen) -> None:
    screen.open()
    screen.window.show_page("settings")
    card = screen.window.export_card
    look = shared(params(screen))
    card.show_exports("id", exports.of_descriptors(look.found.descriptors, "Family", None))
    assert card.page is not None
    card.page.panel.qr_button.click()


def _export_single(screen: Screen) -> None:
    screen.open()
    screen.window.show_page("settings")
    look = imports.read(descriptor(1, params(screen)), params(screen))
    found = exports.of_descriptors(look.found.descriptors, "Savings", None)
    screen.window.export_card.show_exports("id", found)


IMPORT_PAGES: dict[str, Callable[[Screen], None]] = {
    function.__name__.lstrip("_"): function
    for function in (
        _welcome_first,
        _restore_choice,
        _watch,
        _watch_found,
        _watch_several,
        _watch_kind,
        _watch_secret,
        _watch_scanner,
        _watch_busy,
        _pairing,
        _pairing_found,
        _shared,
        _shared_keys,
        _shared_keys_two,
        _shared_check,
        _shared_check_imported,
        _own_key,
        _copy_file,
        _copy_file_chosen,
        _export_shared,
        _export_single,
    )
}
