"""QR codes as pictures, as a person would have them, and PSBTs that are large enough for many."""

import random
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet_gui.widgets.qr_code import qr_modules


def picture(text: str, scale: int = 4, *, version: int | None = None) -> QImage:
    """One code as the window draws it."""
    modules = qr_modules(text, level="L", version=version)
    size = QSize(modules.width() * scale, modules.height() * scale)
    return modules.scaled(
        size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.FastTransformation
    )


def sheet(texts: list[str], columns: int = 2, *, scale: int = 4) -> QImage:
    """Several codes side by side on one page."""
    codes = [picture(text, scale) for text in texts]
    width = max(code.width() for code in codes)
    rows = -(-len(codes) // columns)
    page = QImage(columns * width, rows * width, QImage.Format.Format_RGB32)
    page.fill(QColor("white"))
    painter = QPainter(page)
    for number, code in enumerate(codes):
        painter.drawImage(number % columns * width, number // columns * width, code)
    painter.end()
    return page


def saved(image: QImage, path: Path) -> str:
    assert image.save(str(path))
    return str(path)


def psbt_of(size: int, seed: int = 1) -> bytes:
    """A PSBT of at least so many bytes: inputs with the whole transactions that they spend."""
    rng = random.Random(seed)
    outputs = 40 if size > 2000 else 5
    previous: list[Transaction] = []
    while not previous or sum(len(each.serialize()) for each in previous) < size - 200:
        previous.append(
            Transaction(
                2,
                (TxIn(OutPoint(rng.randbytes(32), 0), witness=(rng.randbytes(71), b"\x02" * 33)),),
                tuple(
                    TxOut(rng.randrange(10**8), b"\x00\x14" + rng.randbytes(20))
                    for _ in range(outputs)
                ),
                0,
            )
        )
    tx = Transaction(
        2,
        tuple(TxIn(OutPoint(each.txid, 0)) for each in previous),
        (TxOut(10_000, b"\x00\x14" + rng.randbytes(20)),),
        0,
    )
    psbt = Psbt.from_unsigned_tx(tx)
    for psbt_input, each in zip(psbt.inputs, previous, strict=True):
        psbt_input.non_witness_utxo = each
        psbt_input.witness_utxo = each.outputs[0]
    return psbt.serialize()
