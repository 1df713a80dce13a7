"""How long the window's thread is busy with a history of very many payments.

    python -m tests.benchmarks.bench_history_table --rows 100000

Both tables that the window has: the whole history and the last payments of the overview.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication, QWidget

from wallet_gui.app.published import SessionUpdate
from wallet_gui.gui.history_model import HistoryModel
from wallet_gui.gui.history_table import HistoryTable
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.wallet.changes import BlockRef
from wallet_gui.wallet.snapshot import Balance, HistoryEntry, ReceiveState, WalletSnapshot


def entry(number: int) -> HistoryEntry:
    txid = number.to_bytes(32, "big")
    return HistoryEntry(
        txid=txid,
        height=number,
        block_time=1_600_000_000 + number * 60,
        first_seen=0,
        received_sat=number,
        sent_sat=0,
        fee_sat=None,
        net_sat=number,
        label=f"Invoice {number}" if number % 50 == 0 else "",
        conflicts=(),
        is_own=False,
        replaced_by=None,
        abandoned=False,
        is_live=True,
        is_coinbase=False,
        can_bump=False,
        vsize=141,
        addresses=(f"bc1q{number:038x}",),
    )


def snapshot(rows: int) -> WalletSnapshot:
    return WalletSnapshot(
        name="Long",
        network="mainnet",
        balance=Balance(1, 0, 0, 0, 0),
        history=tuple(entry(number) for number in range(rows, 0, -1)),
        coins=(),
        requests=(),
        receive=ReceiveState(None, None, None, 0, can_reveal=True),
        tip=BlockRef(rows, bytes(32)),
        scan_mark=None,
        taken=0,
    )


def measure(rows: int) -> dict[str, float]:
    """Return CPU seconds in which the window's thread did nothing else."""
    application = QApplication.instance() or QApplication([])
    wallet = WalletModel()
    model = HistoryModel(wallet)
    window = QWidget()
    tables = [HistoryTable(model, window), HistoryTable(model, window, rows=5)]
    for table in tables:
        table.resize(900, 700)
    window.resize(900, 700)
    window.show()
    shown = snapshot(rows)
    found = {}

    def timed(name: str, action: Callable[[], object]) -> None:
        began = time.process_time()
        action()
        application.processEvents()
        found[name] = time.process_time() - began

    wallet.show_wallet("id")
    timed("showing it first", lambda: wallet.update(SessionUpdate("id", shown)))
    new_tip = replace(shown, tip=BlockRef(rows + 1, bytes(32)))
    timed("a block without payments", lambda: wallet.update(SessionUpdate("id", new_tip)))
    grown = replace(new_tip, history=(entry(rows + 1), *shown.history))
    timed("a new payment", lambda: wallet.update(SessionUpdate("id", grown)))
    changed = replace(
        grown,
        history=(*grown.history[:7], replace(grown.history[7], label="x"), *grown.history[8:]),
    )
    timed("a new label", lambda: wallet.update(SessionUpdate("id", changed)))
    timed("the first letter of a search", lambda: tables[0].filter.search("i"))
    timed("the next letters", lambda: tables[0].filter.search("invoice 5000"))
    timed("the end of the search", lambda: tables[0].filter.search(""))
    timed("scrolling to the end", tables[0].scrollToBottom)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    for name, seconds in measure(parser.parse_args().rows).items():
        print(f"{name:40} {seconds:8.4f} s")


if __name__ == "__main__":
    main()
