"""Time from the start of the process to the first picture of the window, and what it loaded.

    python tests/benchmarks/bench_startup.py [RUNS]

Side by side in one run: the program, and a bare QApplication with a QMainWindow. The target is
0.7 s to the first window from source.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = (
    "numpy",
    "asyncssh",
    "cryptography",
    "coincurve",
    "zxingcpp",
    "mnemonic",
    "sqlite3",
)

# Both print the moment of the first picture by the clock that the parent reads too.
_REPORT = """
import json, sys, time
from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QMainWindow
class FirstPicture(QObject):
    def eventFilter(self, watched, event):
        if isinstance(watched, QMainWindow) and event.type() == QEvent.Type.Paint:
            QApplication.instance().removeEventFilter(self)
            # What the engine's thread loads from now on is not what the window waited for.
            self.modules = list(sys.modules)
            QTimer.singleShot(0, self.report)
        return False
    def report(self):
        now = time.clock_gettime(time.CLOCK_MONOTONIC)
        print(json.dumps([now, self.modules]), flush=True)
        QApplication.instance().quit()
"""
_BARE = (
    _REPORT
    + """
app = QApplication([])
first = FirstPicture(); app.installEventFilter(first)
window = QMainWindow(); window.resize(1120, 760); window.show()
app.exec()
"""
)
# Installed as soon as the program makes its QApplication; nothing else of it is touched.
_PROGRAM = """
import gc, sys
from wallet_gui.widgets.qt_loading import load_qt
gc.disable()  # both as __main__ does
load_qt()
from wallet_gui.gui import application
make = application.QApplication
def started(arguments):
    app = make(arguments)
    exec(REPORT, globals())
    app.first = FirstPicture(); app.installEventFilter(app.first)
    return app
application.QApplication = started
sys.exit(application.main(["--network", "regtest", "--data-dir", sys.argv[1]]))
"""


def measure(program: str, argument: str = "") -> tuple[float, list[str]]:
    """Run one program; returns milliseconds to its first picture and the modules it had then."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(REPOSITORY)}
    begin = time.clock_gettime(time.CLOCK_MONOTONIC)
    done = subprocess.run(
        [sys.executable, "-c", program, argument],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=REPOSITORY,
        timeout=60,
    )
    shown, modules = json.loads(done.stdout.splitlines()[0])
    return (shown - begin) * 1000, modules


def compare(runs: int) -> tuple[float, float, list[str]]:
    """Medians of both in turns, in milliseconds, and the heavy modules that the program loaded."""
    program = _PROGRAM.replace("REPORT", repr(_REPORT))
    bare, own, heavy = [], [], set()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs):
            bare.append(measure(_BARE)[0])
            milliseconds, modules = measure(program, folder)
            own.append(milliseconds)
            heavy |= {name for name in HEAVY if name in modules}
    return statistics.median(bare), statistics.median(own), sorted(heavy)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    bare, own, heavy = compare(runs)
    print(f"bare QApplication + QMainWindow  {bare:7.0f} ms")
    print(f"wallet-gui, first picture        {own:7.0f} ms   {own / bare:.2f} x bare")
    print(f"heavy modules loaded before it   {', '.join(heavy) or 'none'}")


if __name__ == "__main__":
    main()
