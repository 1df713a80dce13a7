"""Places what the desktop needs, by the names that a Flatpak may hand out to it.

    python3 packaging/linux/flatpak/place.py SHARE

flatpak-builder gives the first entry, the icon and the description the application's name by
itself; the second entry and the type of files are done here.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from installers import desktop_files


def main(share: Path) -> int:
    """Fill the folder; returns the exit status."""
    desktop_files.place(share)
    entries = share / "applications"
    offline = entries / "wallet-gui-offline.desktop"
    text = offline.read_text(encoding="utf-8")
    named = text.replace("Icon=wallet-gui", f"Icon={desktop_files.APP_ID}")
    (entries / f"{desktop_files.APP_ID}.offline.desktop").write_text(named, encoding="utf-8")
    offline.unlink()
    types = share / "mime" / "packages"
    (types / "wallet-gui.xml").rename(types / f"{desktop_files.APP_ID}.xml")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
