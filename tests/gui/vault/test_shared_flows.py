"""The vault's window: watching, joining a multisig, handing out a cosigner's key."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from tests.gui.vault.test_flows import NEW, Drive, Driver, _choose_password
from tests.unit.vault.samples import PASSWORD, make_wallet, read_state, restore_request
from tests.unit.vault.test_joining import agreed, join_request, our_key, watch_request
from wallet_gui.descriptors.descriptor import MultisigType
from wallet_gui.transfer.messages import (
    Cancelled,
    CosignerKeyExported,
    ExportCosignerKey,
    Request,
    WalletCreated,
)
from wallet_gui.vault import signing
from wallet_gui.vault.errors import BadRequest

# Only a real screen knows size hints.
pytestmark = pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True)


@pytest.fixture
def drive(qtbot: QtBot) -> Drive:
    def start(request: Request) -> Driver:
        return Driver(qtbot, request)

    return start


def texts(driver: Driver) -> str:
    return "\n".join(label.text() for label in driver.window.page.findChildren(QLabel))


def test_watching_asks_for_a_new_password(drive: Drive, tmp_path: Path) -> None:
    driver = drive(watch_request(tmp_path, agreed()))
    _choose_password(driver)
    driver.wait_for("done_page")
    driver.go_on()
    reply = driver.wait_for_reply()
    assert isinstance(reply, WalletCreated)
    assert not read_state(Path(reply.path), reply.view_key).description.has_secrets
    assert NEW not in texts(driver)


def test_joining_shows_the_cosigners_and_waits_for_a_yes(drive: Drive, tmp_path: Path) -> None:
    source = make_wallet(tmp_path)
    descriptor = agreed()
    driver = drive(join_request(source, descriptor))
    driver.type("secrets_password", PASSWORD)
    driver.go_on()
    driver.wait_for("agree_page")
    shown = texts(driver)
    assert all(str(key) in shown for key in descriptor.keys)
    assert descriptor.first_address in shown
    assert not (tmp_path / "Together.wallet").exists()
    driver.go_on()
    driver.wait_for("done_page")
    driver.go_on()
    reply = driver.wait_for_reply()
    assert isinstance(reply, WalletCreated)


def test_leaving_the_cosigners_makes_nothing(drive: Drive, tmp_path: Path) -> None:
    source = make_wallet(tmp_path)
    driver = drive(join_request(source, agreed()))
    driver.type("secrets_password", PASSWORD)
    driver.go_on()
    driver.wait_for("agree_page")
    driver.go_back()
    assert driver.wait_for_reply() == Cancelled()
    assert not (tmp_path / "Together.wallet").exists()


def test_a_cosigners_key_leaves_after_the_password_only(drive: Drive, tmp_path: Path) -> None:
    source = make_wallet(tmp_path)
    driver = drive(ExportCosignerKey(str(source.path)))
    driver.type("secrets_password", "wrong")
    driver.go_on()
    driver.wait_until(lambda: "password is wrong" in driver.notice)
    driver.type("secrets_password", PASSWORD)
    driver.go_on()
    assert driver.wait_for_reply() == CosignerKeyExported(our_key(MultisigType.WSH))
    assert signing.OPENING in driver.steps


def test_restoring_into_a_multisig_goes_by_restoring_and_joining(
    drive: Drive, tmp_path: Path
) -> None:
    with pytest.raises(BadRequest, match="join the multisig with it then"):
        drive(restore_request(tmp_path, descriptor=str(agreed())))
