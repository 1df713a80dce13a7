"""Fixtures that several kinds of tests share: the real bitcoind, and no way to the internet."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import shiboken6
from private_packages import UNAVAILABLE
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from tests.functional.bitcoind import Node, NodeFactory
from tests.patience import PATIENCE
from tests.sandbox import contact_guard

contact_guard.install()

# Started in the background by a script, this process inherits Ctrl-C as ignored, and so would every
# program that a test starts: those that are interrupted on purpose would never end.
signal.signal(signal.SIGINT, signal.default_int_handler)

PATIENCE_MS: Final = int(PATIENCE * 1000)
REPOSITORY = Path(__file__).resolve().parents[1]


# Builds every package a second time, for many minutes: the others run beside it.
LONGEST: Final = "test_twice_packages.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is still at it when the others are done."""
    items.sort(key=lambda item: item.path.name != LONGEST)


@pytest.fixture(scope="session")
def contact_record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file in which attempts to contact the internet are written down."""
    path = tmp_path_factory.mktemp("contacts") / "contacts.txt"
    path.touch()
    os.environ[contact_guard.VARIABLE] = str(path)
    return path


@pytest.fixture(autouse=True)
def no_internet(contact_record: Path) -> Iterator[None]:
    """Fail the test that looks up a name or connects to anything but this computer."""
    contact_record.write_text("")
    yield
    assert contact_record.read_text() == "", "the test contacted the internet"


class PatientBot(QtBot):
    """The fixture of pytest-qt, with waits that a busy machine does not cut short."""

    def waitUntil(  # noqa: N802 - Qt's style
        self, callback: Callable[[], bool | None], *, timeout: int = PATIENCE_MS
    ) -> None:
        super().waitUntil(callback, timeout=timeout)

    def waitSignal(  # noqa: N802
        self, *arguments: Any, timeout: int = PATIENCE_MS, **options: Any
    ) -> Any:
        return super().waitSignal(*arguments, timeout=timeout, **options)

    def waitSignals(  # noqa: N802
        self, *arguments: Any, timeout: int = PATIENCE_MS, **options: Any
    ) -> Any:
        return super().waitSignals(*arguments, timeout=timeout, **options)

    def waitExposed(  # noqa: N802
        self, widget: QWidget, *, timeout: int = PATIENCE_MS
    ) -> Any:
        return super().waitExposed(widget, timeout=timeout)


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> Iterator[QtBot]:
    """Work with widgets; they are closed at the end, and what is closed goes at once.

    What signals of C++ hold on to, Python's collector never finds: windows of two thousand widgets
    would pile up, and a style sheet is applied to every widget that there is.
    """
    before = set(QApplication.topLevelWidgets())
    yield PatientBot(request)
    for widget in QApplication.topLevelWidgets():
        # One may have gone with another; what is shown still belongs to a test that failed.
        if not shiboken6.isValid(widget) or widget in before:
            continue
        if widget.parent() is None and not widget.isVisible():
            shiboken6.delete(widget)


@pytest.fixture(scope="session")
def bitcoind_binary() -> Path:
    """The path of a real bitcoind; the test is skipped with the reason where none can be had."""
    found = subprocess.run(
        [sys.executable, REPOSITORY / "packaging" / "bitcoind.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode == UNAVAILABLE:
        pytest.skip(found.stderr.strip().splitlines()[-1])
    assert found.returncode == 0, found.stderr
    return Path(found.stdout.strip())


@pytest.fixture
def node_factory(
    bitcoind_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NodeFactory]:
    """Call it for a started node: `node_factory("-maxconnections=8")`."""
    factory = NodeFactory(bitcoind_binary, tmp_path_factory.mktemp("bitcoind"))
    yield factory
    factory.close()


@pytest.fixture
def node(node_factory: NodeFactory) -> Node:
    """A started node at height 0; `fund` and `mature` mine by themselves."""
    return node_factory()


@pytest.fixture(scope="module")
def module_node(bitcoind_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node for all tests of a module that do not mind each other's blocks."""
    factory = NodeFactory(bitcoind_binary, tmp_path_factory.mktemp("bitcoind"))
    yield factory()
    factory.close()
