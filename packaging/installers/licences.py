"""Puts the licence texts of everything in a frozen folder into it, and the list of what is in it.

    PYTHON packaging/installers/licences.py FOLDER [--site SITE-PACKAGES]

run with the Python that the folder was frozen from, after it was trimmed. `licences/README.txt`
says what is there under which licence and how a part may be replaced; `licences/contents.json` is
what installers/sbom.py makes the bill of materials from. The same folder gives the same files.
"""

import argparse
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

if __name__ == "__main__":  # started as a program: packaging/ is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from installers import freeze
from installers.contents import FOLDER, Part, Unknown, survey

own_version = freeze.version
LIST: Final = "contents.json"
_README: Final = """\
Wallet GUI {version} and what it is made of

Wallet GUI itself is under the MIT licence (wallet-gui/LICENSE.txt). It stands on the work of many
others. Their licence texts are in the folders beside this file.

{table}

Replacing parts

Qt and PySide6 (the folders PySide6 and shiboken6 beside this one) are used under the GNU Lesser
General Public License, version 3. They are separate shared libraries: you may put your own build of
the same versions, changed or not, in their place under the same file names, and the program loads
it; it checks neither their contents nor their signatures. On macOS sign the changed application
anew (codesign --force --deep --sign - "Wallet GUI.app"). You may change them for your own use and
take the program apart to find faults in such changes. On Linux the library libicudata, which Qt
loads, holds only the part of ICU's data that is used here; the whole one fits in its place, too.
Their sources:
https://download.qt.io/archive/qt/ and https://download.qt.io/official_releases/QtForPython/

asyncssh is used under the Eclipse Public License 2.0; its unchanged source is at
https://github.com/ronf/asyncssh and on PyPI under the version named above. The part of PyInstaller
that starts the program is under the GPL with an exception that lets it be part of any program.
Sources of Debian's libraries: Debian's source packages of these versions, and its archive of
snapshots.

The list in contents.json says for each file whose it is.
"""


def write(tree: Path, version: str = "", site: Path | None = None) -> Path:
    """Write the folder of licences anew and return it. Raises contents.Unknown."""
    folder = inner_folder(tree) / FOLDER
    if folder.exists():
        shutil.rmtree(folder)
    version = version or own_version()
    parts = survey(tree, version, site)
    for part in parts:
        place = folder / part.name
        place.mkdir(parents=True)
        for name, text in sorted(part.texts.items()):
            _write(place / name, text)
    table = _table([(part.name, part.version, part.licence) for part in parts])
    _write(folder / "README.txt", _README.format(version=version, table=table).encode())
    document = {"format": 1, "parts": [_entry(part) for part in parts]}
    _write(folder / LIST, (json.dumps(document, indent=1, sort_keys=True) + "\n").encode())
    return folder


def inner_folder(tree: Path) -> Path:
    """Where the executable loads its files from."""
    for name in ("_internal", "Contents/Resources"):
        if (tree / name).is_dir():
            return tree / name
    raise Unknown(f"{tree} is no frozen folder: there is no _internal in it.")


def _entry(part: Part) -> dict[str, Any]:
    entry = asdict(part)
    entry["texts"] = sorted(part.texts)
    return entry


def _table(rows: list[tuple[str, str, str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(
        f"{name:<{widths[0]}}  {version:<{widths[1]}}  {licence}".rstrip()
        for name, version, licence in rows
    )


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o755)
    path.write_bytes(data)
    path.chmod(0o644)


def main(arguments: list[str]) -> int:
    """Write the licences of one folder; 1 and a sentence when something in it is unknown."""
    parser = argparse.ArgumentParser(description="Put licence texts into a frozen folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--site", type=Path, help="where its Python packages are installed")
    options = parser.parse_args(arguments)
    try:
        written = write(options.folder, site=options.site)
    except Unknown as unknown:
        print(unknown, file=sys.stderr)
        return 1
    print(written)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
