"""The macOS part, as far as it can be tried without a Mac: its files, and what it calls in turn."""

import os
import plistlib
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from installers import dmg
from installers.job import Job, Missing
from PySide6.QtGui import QImageReader

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
MACOS = PACKAGING / "macos"
ICONS = PACKAGING / "linux" / "icons" / "hicolor"


def plist(name: str) -> dict[str, Any]:
    found: dict[str, Any] = plistlib.loads((MACOS / name).read_bytes())
    return found


def test_info_offers_links_and_psbt_files_and_says_why_the_camera() -> None:
    info = plist("Info.plist")
    assert info["CFBundleURLTypes"][0]["CFBundleURLSchemes"] == ["bitcoin"]
    declared = info["UTImportedTypeDeclarations"][0]
    assert declared["UTTypeIdentifier"] == "org.bitcoin.psbt"
    assert declared["UTTypeTagSpecification"]["public.filename-extension"] == ["psbt"]
    document = info["CFBundleDocumentTypes"][0]
    assert document["LSItemContentTypes"] == ["org.bitcoin.psbt"]
    assert document["LSHandlerRank"] == "Alternate"  # nobody's files are taken away
    assert "QR codes" in info["NSCameraUsageDescription"]
    assert info["LSMinimumSystemVersion"] == "14.0"
    assert info["NSHighResolutionCapable"] is True
    # Letters, digits, hyphens and full stops are all that macOS allows in it.
    assert set(info["CFBundleIdentifier"].lower()) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert "UTExportedTypeDeclarations" not in info
    # Versions are the spec's to add.
    assert not [key for key in info if "Version" in key and key != "LSMinimumSystemVersion"]


def test_entitlements_ask_for_the_camera_and_nothing_else() -> None:
    assert plist("entitlements.plist") == {"com.apple.security.device.camera": True}


def test_the_icon_is_made_of_the_pictures_that_desktops_have() -> None:
    made = (MACOS / "wallet-gui.icns").read_bytes()
    assert made[:4] == b"icns"
    assert struct.unpack(">I", made[4:8]) == (len(made),)
    reader = QImageReader(str(MACOS / "wallet-gui.icns"))
    sizes = set()
    for _ in range(reader.imageCount()):
        sizes.add(reader.read().width())
        reader.jumpToNextImage()
    assert {16, 32, 128, 256, 512} <= sizes
    assert made == dmg.icon(dmg.pictures_below(ICONS)), (
        "Write it anew: PYTHONPATH=packaging python3 -m installers.dmg "
        "packaging/macos/wallet-gui.icns packaging/linux/icons/hicolor"
    )


TOOL = """#!/bin/sh
printf '%s' "$(basename "$0")" >>"$CALLS"
for argument in "$@"; do
    printf '|%s' "$argument" >>"$CALLS"
    last="$argument"
done
echo >>"$CALLS"
case "$0 $1" in *"hdiutil create") echo image >"$last";; esac
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for Apple's tools, which write down how they are called."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("hdiutil", "codesign", "xcrun"):
        (tools / name).write_text(TOOL)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    application = tmp_path / "build" / "Wallet GUI.app"
    inside = application / "Contents"
    for name, data in {
        "MacOS/wallet-gui": "cffaedfe",
        "Frameworks/Python.framework/Versions/3.13/Python": "cafebabe",
        "Frameworks/libcrypto.3.dylib": "cffaedfe",
        "Resources/base_library.zip": "504b0304",
    }.items():
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        (inside / name).write_bytes(bytes.fromhex(data) + b"...")
    (inside / "Frameworks" / "base_library.zip").symlink_to("../Resources/base_library.zip")
    output, work = tmp_path / "output", tmp_path / "work"
    output.mkdir()
    work.mkdir()
    return Job(application, output, work, "0.1.0", 1_760_000_000)


def called(calls: Path) -> list[list[str]]:
    return [line.split("|") for line in calls.read_text().splitlines()]


def test_without_a_certificate_it_is_signed_for_nobody(job: Job, calls: Path) -> None:
    made = dmg.make(job, "arm64", {})
    assert made.name == "wallet-gui-0.1.0-arm64.dmg"
    steps = called(calls)
    signed = [Path(step[-1]).name for step in steps if step[0] == "codesign" and "--sign" in step]
    # From the inside to the outside.
    assert signed == ["Python", "libcrypto.3.dylib", "Wallet GUI.app"]
    assert all(step[step.index("--sign") + 1] == "-" for step in steps if "--sign" in step)
    assert "--options" not in steps[0]
    assert steps[-2][1:4] == ["--verify", "--deep", "--strict"]
    assert steps[-1][:2] == ["hdiutil", "create"]
    volume = job.work / "volume"
    assert (volume / "Applications").readlink() == Path("/Applications")
    copied = volume / "Wallet GUI.app" / "Contents" / "Frameworks" / "base_library.zip"
    assert copied.is_symlink()
    times = {path.lstat().st_mtime for path in [volume, *volume.rglob("*")]}
    assert times == {job.epoch}
    # What was built is left as it is.
    assert (job.tree / "Contents/MacOS/wallet-gui").stat().st_mtime != job.epoch


def test_with_a_certificate_it_is_hardened_notarised_and_stapled(job: Job, calls: Path) -> None:
    identity = "Developer ID Application: Anna Example (ABCDE12345)"
    made = dmg.make(
        job,
        "x86_64",
        {"CODESIGN_IDENTITY": identity, "NOTARY_KEYCHAIN": "/tmp/k.keychain-db"},  # noqa: S108
    )
    steps = called(calls)
    code = [step for step in steps if step[0] == "codesign" and "--sign" in step]
    assert all(step[step.index("--sign") + 1] == identity for step in code)
    assert all("runtime" in step for step in code[:-1])  # the image itself is not code
    application = next(step for step in code if step[-1].endswith(".app"))
    assert application[application.index("--entitlements") + 1].endswith("entitlements.plist")
    assert [step for step in code if "--entitlements" in step] == [application]
    assert [step[0:3] for step in steps[-3:]] == [
        ["codesign", "--sign", identity],
        ["xcrun", "notarytool", "submit"],
        ["xcrun", "stapler", "staple"],
    ]
    submitted = steps[-2]
    assert submitted[3:5] == [str(made), "--wait"]
    assert submitted[submitted.index("--keychain-profile") + 1] == dmg.PROFILE


@pytest.mark.skipif(sys.platform == "darwin", reason="says what other systems are told")
def test_other_systems_are_told(job: Job) -> None:
    with pytest.raises(Missing, match="on macOS only"):
        dmg.build(job)


def test_the_script_for_the_keychain_is_sound_shell() -> None:
    script = MACOS / "keychain.sh"
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    text = script.read_text()
    assert f"store-credentials {dmg.PROFILE} " in text
    # Certificates and keys pass through files that only this job reads and that are gone after it.
    assert "umask 077" in text
    assert text.count('rm "$place/') == text.count('>"$place/')
