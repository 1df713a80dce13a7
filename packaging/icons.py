"""Draws the program's icon in the sizes that desktops and installers take, from its one SVG.

    python packaging/icons.py

The pictures are small and lie in the repository, so that a package is built without Qt and is the
same bytes whatever draws them; a test compares them with the SVG.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtGui import QImage

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "resources" / "icons" / "wallet-gui.svg"
# The same drawing with fewer and larger shapes, on whole pixels of a grid of 16.
SMALL_SOURCE = ROOT / "packaging" / "linux" / "icons" / "wallet-gui-small.svg"
FOLDER = ROOT / "packaging" / "linux" / "icons" / "hicolor"
SIZES = (16, 22, 24, 32, 48, 64, 128, 256, 512)
LARGEST_SMALL = 24


def picture_path(size: int) -> Path:
    """Return where the picture of that many pixels a side lies."""
    return FOLDER / f"{size}x{size}" / "apps" / "wallet-gui.png"


def draw(size: int) -> QImage:
    """Render the icon with a clear background; needs a QGuiApplication."""
    from PySide6.QtCore import Qt  # noqa: PLC0415 - sizes and paths are read without Qt
    from PySide6.QtGui import QImage, QPainter  # noqa: PLC0415
    from PySide6.QtSvg import QSvgRenderer  # noqa: PLC0415

    source = SMALL_SOURCE if size <= LARGEST_SMALL else SOURCE
    renderer = QSvgRenderer(str(source))
    if not renderer.isValid():
        raise ValueError(f"{source.name} is no SVG that Qt can read.")
    image = QImage(size, size, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer.render(painter)
    painter.end()
    return image.convertToFormat(QImage.Format.Format_ARGB32)


def main() -> int:
    """Write every size; returns the exit status."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtGui import QGuiApplication  # noqa: PLC0415

    application = QGuiApplication(sys.argv[:1])
    for size in SIZES:
        path = picture_path(size)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not draw(size).save(str(path), quality=0):  # PNG: the smallest file
            print(f"{path} cannot be written.", file=sys.stderr)
            return 1
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")
    application.quit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
