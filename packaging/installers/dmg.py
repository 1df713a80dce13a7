"""Makes the disk image for macOS out of `Wallet GUI.app`; runs on macOS only.

Without a certificate the application is signed for nobody in particular ("ad hoc"), as Apple's
processors demand. With CODESIGN_IDENTITY in the environment it is signed by that identity, under
the hardened runtime; with NOTARY_KEYCHAIN it is notarised, too (packaging/macos/keychain.sh sets
both in CI). The application is the same from build to build, but for signatures; the image is not,
for hdiutil writes times and random identifiers into the file system.
"""

import os
import platform
import shutil
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from installers.job import Job, Missing

APPLICATION: Final = "Wallet GUI.app"
PROFILE: Final = "wallet-gui"
"""The name that keychain.sh stores the notary's credentials under."""
FILES: Final = Path(__file__).resolve().parents[1] / "macos"

# What macOS calls an icon's picture of so many pixels (and the same as a doubled smaller one).
_ICON_TYPES: Final = (
    (16, b"icp4"),
    (32, b"icp5"),
    (64, b"icp6"),
    (128, b"ic07"),
    (256, b"ic08"),
    (512, b"ic09"),
    (32, b"ic11"),
    (64, b"ic12"),
    (256, b"ic13"),
    (512, b"ic14"),
)
_MACH_O: Final = {
    bytes.fromhex(magic) for magic in ("feedface", "feedfacf", "cefaedfe", "cffaedfe", "cafebabe")
}


def build(job: Job) -> Path:
    """Sign the application and put it into an image. Raises Missing."""
    if platform.system() != "Darwin":
        raise Missing("A disk image can be made on macOS only (hdiutil, codesign).")
    for tool in ("hdiutil", "codesign", "xcrun"):
        if shutil.which(tool) is None:
            raise Missing(f"{tool} is missing. Install Apple's tools: xcode-select --install")
    return make(job, platform.machine(), os.environ)


def make(job: Job, architecture: str, settings: Mapping[str, str]) -> Path:
    """Make the image for one architecture; `settings` is the environment."""
    volume = job.work / "volume"
    application = volume / APPLICATION
    volume.mkdir(parents=True)
    shutil.copytree(job.tree, application, symlinks=True)
    (volume / "Applications").symlink_to("/Applications")
    _set_times(volume, job.epoch)
    identity = settings.get("CODESIGN_IDENTITY", "")
    _sign(application, identity)
    target = job.output / f"wallet-gui-{job.version}-{architecture}.dmg"
    target.unlink(missing_ok=True)
    _run(
        *("hdiutil", "create", "-quiet", "-volname", f"Wallet GUI {job.version}"),
        *("-srcfolder", str(volume), "-fs", "HFS+", "-format", "ULMO", str(target)),
    )
    if identity:
        _run("codesign", "--sign", identity, "--timestamp", str(target))
    if settings.get("NOTARY_KEYCHAIN"):
        _run(
            *("xcrun", "notarytool", "submit", str(target), "--wait"),
            *("--keychain-profile", PROFILE, "--keychain", settings["NOTARY_KEYCHAIN"]),
        )
        _run("xcrun", "stapler", "staple", str(target))
    return target


def _sign(application: Path, identity: str) -> None:
    """Sign what is inside first, then the whole: each signature covers those below it."""
    how = ["--force", "--sign", identity or "-"]
    if identity:
        how += ["--timestamp", "--options", "runtime"]
    main = application / "Contents" / "MacOS" / "wallet-gui"
    for path in libraries(application):
        if path != main:
            _run("codesign", *how, str(path))
    entitled = ["--entitlements", str(FILES / "entitlements.plist")]
    _run("codesign", *how, *entitled, str(application))
    _run("codesign", "--verify", "--deep", "--strict", str(application))


def libraries(application: Path) -> list[Path]:
    """Every file with machine code, the deepest first."""
    found = []
    for path in application.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as file:
            if file.read(4) in _MACH_O:
                found.append(path)
    return sorted(found, key=lambda path: (-len(path.parts), str(path)))


def _set_times(folder: Path, epoch: int) -> None:
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def icon(pictures: Mapping[int, bytes]) -> bytes:
    """Return an .icns file of PNG pictures, by their width in pixels."""
    parts = b"".join(
        kind + struct.pack(">I", 8 + len(pictures[size])) + pictures[size]
        for size, kind in _ICON_TYPES
        if size in pictures
    )
    return b"icns" + struct.pack(">I", 8 + len(parts)) + parts


def main(arguments: Sequence[str]) -> int:
    """Write an icon: its file, then the folder with SIZExSIZE/apps/wallet-gui.png."""
    target, folder = map(Path, arguments)
    target.write_bytes(icon(pictures_below(folder)))
    return 0


def pictures_below(folder: Path) -> dict[int, bytes]:
    """The program's icon in every size, as desktops have it."""
    found = {}
    for path in sorted(folder.glob("*x*/apps/wallet-gui.png")):
        found[int(path.parents[1].name.partition("x")[0])] = path.read_bytes()
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
