"""What a Linux desktop needs to know the program: entries, types, icons, description, manual.

The .deb, the .rpm and the AppImage place the same files below their own `share`.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.sax.saxutils import escape

from installers import changelog, manual

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "packaging" / "linux"
ICON = ROOT / "resources" / "icons" / "wallet-gui.svg"
ENTRIES = ("wallet-gui.desktop", "wallet-gui-offline.desktop")
# The name that AppStream and Flatpak know the program by. It leads to no address.
APP_ID = "io.github.wallet_gui.WalletGui"
# Empty until the project has an address of its own: a link to one that is not ours could become
# somebody else's page about a wallet. With one, software centres show it and its screenshots.
HOMEPAGE = ""
SCREENSHOTS = {
    "overview-light.png": "Balance and the newest payments",
    "send-light.png": "A payment, its coins and its fee",
    "peers-light.png": "Who the program is connected to",
    "overview-dark.png": "The same in dark",
}


def place(share: Path) -> None:
    """Write everything below `share` (as in /usr/share), readable by everybody."""
    for name in ENTRIES:
        _copy(DATA / name, share / "applications" / name)
    _copy(DATA / "wallet-gui.mime.xml", share / "mime" / "packages" / "wallet-gui.xml")
    place_icons(share / "icons")
    _write(manual.page(), share / "man" / "man1" / "wallet-gui.1")
    _write(metainfo(HOMEPAGE), share / "metainfo" / f"{APP_ID}.metainfo.xml")
    for folder in (share, *share.rglob("*")):
        if folder.is_dir():
            folder.chmod(0o755)


def place_icons(icons: Path) -> None:
    """Write the icon in every size below `icons`, by the rules of the theme hicolor."""
    _copy(ICON, icons / "hicolor" / "scalable" / "apps" / ICON.name)
    for picture in sorted((DATA / "icons" / "hicolor").glob("*/apps/*.png")):
        _copy(picture, icons / picture.relative_to(DATA / "icons"))


def metainfo(homepage: str) -> str:
    """Return the AppStream description, with the releases of the changelog.

    With a homepage (https, no slash at its end) it names the page, where to report faults, and
    the screenshots below it.
    """
    lines = []
    if homepage:
        lines.append(f'<url type="homepage">{escape(homepage)}/</url>')
        lines.append("<screenshots>")
        for number, (name, caption) in enumerate(SCREENSHOTS.items()):
            kind = ' type="default"' if number == 0 else ""
            lines.append(f"  <screenshot{kind}>")
            lines.append(f"    <caption>{escape(caption)}</caption>")
            lines.append(f"    <image>{escape(homepage)}/screenshots/{name}</image>")
            lines.append("  </screenshot>")
        lines.append("</screenshots>")
    releases = []
    for entry in changelog.entries():
        kind = "development" if re.search(r"[a-z]", entry.version) else "stable"
        releases.append(
            f'<release version="{escape(entry.version)}" date="{entry.date}" type="{kind}">'
        )
        releases.append("  <description>")
        releases.append("    <ul>")
        releases += [f"      <li>{escape(line)}</li>" for line in entry.lines]
        releases += ["    </ul>", "  </description>", "</release>"]
    text = (DATA / "metainfo.xml").read_text(encoding="utf-8").replace("@APP_ID@", APP_ID)
    return _insert(_insert(text, "@ADDRESSES@", lines), "@RELEASES@", releases)


def _insert(text: str, mark: str, lines: list[str]) -> str:
    """Put lines in the place of the line that holds the mark, as far to the right as it."""
    before, _, after = text.partition(mark)
    before, _, indent = before.rpartition("\n")
    return before + "".join(f"\n{indent}{line}" for line in lines) + after


def _write(text: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    target.chmod(0o644)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o644)
