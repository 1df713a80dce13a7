"""Draws pages of the window with made-up values into a folder, to be looked at.

    .venv/bin/python packaging/page_pictures.py FOLDER [light|dark] [PERCENT] [PART OF A NAME]

No node, no network and no screen is needed: the states come from tests/gui/page_states.py. The
pictures of the README are taken from the running program by screenshots.py.
"""

import os
import sys
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication  # noqa: E402

from tests.gui.conftest import Screen  # noqa: E402
from tests.gui.fake_online import FakeOnline  # noqa: E402
from tests.gui.node_states import PROMPTS  # noqa: E402
from tests.gui.page_states import PAGES  # noqa: E402
from tests.gui.samples import ADVICE  # noqa: E402
from wallet_gui.app.online import Online  # noqa: E402
from wallet_gui.gui.engine import Engine  # noqa: E402
from wallet_gui.gui.main_window import MainWindow  # noqa: E402
from wallet_gui.primitives.params import REGTEST  # noqa: E402
from wallet_gui.widgets.fonts import install_fonts  # noqa: E402
from wallet_gui.widgets.theme import ThemeSwitch  # noqa: E402


def main(folder: Path, scheme: str, percent: int, part: str) -> int:
    """Draw every page with `part` in its name once; returns the exit status."""
    folder.mkdir(parents=True, exist_ok=True)
    application = QApplication(["wallet-gui"])
    install_fonts(application, percent)
    ThemeSwitch(application, scheme)
    engine = Engine()
    engine.start()
    for name, show in PAGES.items():
        if part not in name:
            continue
        online = FakeOnline()
        window = MainWindow(engine, REGTEST)
        window.attach(cast("Online", online))
        window.send.fees.show_advice(ADVICE)
        window.show()
        window.wizard.show_wallets(online.entries)
        show(Screen(window, online, engine))
        for _ in range(5):
            application.processEvents()
        path = folder / f"{name}-{scheme}-{percent}.png"
        window.grab().save(str(path))
        print(path)
        window.close()
    for name, ask in PROMPTS.items():
        if part not in name:
            continue
        online = FakeOnline()
        window = MainWindow(engine, REGTEST)
        window.attach(cast("Online", online))
        question = ask(Screen(window, online, engine))
        question.show()
        for _ in range(5):
            application.processEvents()
        path = folder / f"{name}-{scheme}-{percent}.png"
        question.grab().save(str(path))
        print(path)
        question.close()
    engine.stop()
    return 0


if __name__ == "__main__":
    given = sys.argv[1:]
    folder, scheme, percent, part = [*given, *("", "light", "100", "")[len(given) :]]
    if not folder:
        sys.exit("Name a folder for the pictures.")
    sys.exit(main(Path(folder), scheme, int(percent), part))
