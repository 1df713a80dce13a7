"""What `--offline --smoke-test` checks: the offline program, and that it has no network."""

from functools import partial
from pathlib import Path

from wallet_gui import curve
from wallet_gui.custody import vault_check
from wallet_gui.custody.vault_dialog import VaultDialog
from wallet_gui.primitives.check_failed import CheckFailed
from wallet_gui.primitives.params import ChainParams
from wallet_gui.vault.hardening import Protections
from wallet_gui.vault.offline.proof import Finding, look
from wallet_gui.vault.offline.window import OfflineWindow
from wallet_gui.wallet import vectors as public_vectors
from wallet_gui.widgets.smoke_checks import (
    FirstFrame,
    check_codes,
    check_fonts,
    check_icons,
    look_at_window,
)
from wallet_gui.widgets.smoke_test import Check, SmokeTest

_THIS_COMPUTER = "This computer"
"""The one finding that is the person's to bring about, by taking the cable out."""


def checks(
    test: SmokeTest,
    window: OfflineWindow,
    first_frame: FirstFrame,
    folder: Path,
    params: ChainParams,
    protections: Protections,
) -> list[Check]:
    """Return the checks in their order."""
    vault = VaultDialog(headless=True)
    pages = {name: partial(window.show_page, name) for name in window.pages}
    return [
        Check("fonts", check_fonts, on_screen=True),
        Check("icons", check_icons, on_screen=True),
        Check("curve", _curve),
        Check("vectors", _vectors),
        Check("QR codes", check_codes, on_screen=True),
        Check("vault", partial(vault_check.check_vault, vault.ask)),
        Check("wallet", partial(vault_check.check_wallet, vault.ask, folder, params)),
        Check(
            "window",
            partial(look_at_window, window, first_frame, pages, test.qt_messages),
            on_screen=True,
        ),
        Check("no network", partial(_proof, protections)),
    ]


def _curve() -> str:
    curve.self_test()
    return "libsecp256k1 agrees with published results"


def _vectors() -> str:
    wrong = public_vectors.disagreement(public_vectors.VECTORS)
    if wrong:
        raise CheckFailed(f"This build computes {wrong} wrongly. Do not use it.")
    return ", ".join(public_vectors.VECTORS)


def _proof(protections: Protections) -> str:
    """Try everything that the page Proof tries."""
    findings = [each for each in look(protections) if each.title != _THIS_COMPUTER]
    for each in findings:
        if each.finding is Finding.FAILS:
            raise CheckFailed(f"{each.title}: {each.detail}")
    held = sum(each.finding is Finding.HOLDS for each in findings)
    return f"{held} of {len(findings)} findings hold, none fails"
