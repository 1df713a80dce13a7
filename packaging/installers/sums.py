"""Writes SHA256SUMS over everything of one release, and has minisign sign it.

The file is what `sha256sum` writes and checks. The signature stands beside it, so that anybody can
check it with `minisign -Vm SHA256SUMS -p KEY.pub`; further builders who got the same bytes add
`SHA256SUMS.NAME.minisig`.
"""

import hashlib
import re
from pathlib import Path
from typing import Final

from installers import minisign
from installers.job import Job, Missing, Wrong

NAME: Final = "SHA256SUMS"
_LINE: Final = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<name>[^/]+)")
_BUILDER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


def build(job: Job) -> Path:
    """Write SHA256SUMS over the artefacts of `job.version` in `job.output`. Raises Missing."""
    found = artefacts(job.output, job.version)
    if not found:
        raise Missing(
            f"There is nothing of version {job.version} in {job.output} to write sums of. Build "
            "the packages first (packaging/build.py all)."
        )
    target = job.output / NAME
    target.write_text("".join(f"{_digest(path)}  {path.name}\n" for path in found))
    return target


def compare(job: Job) -> list[str]:
    """Compare SHA256SUMS with the artefacts that are here; returns the names of those that are not.

    Raises Wrong for one that is here and is another, or stands nowhere.
    """
    lines = (job.output / NAME).read_text(encoding="utf-8").splitlines()
    read = [_LINE.fullmatch(line) for line in lines]
    listed = {line["name"]: line["digest"] for line in read if line is not None}
    if len(listed) != len(lines) or not listed:
        raise Wrong(f"{job.output / NAME} is not a list as sha256sum writes it.")
    here = {path.name: path for path in artefacts(job.output, job.version)}
    for name, path in here.items():
        if listed.get(name) != _digest(path):
            how = "is not the file that stands" if name in listed else "is here and does not stand"
            raise Wrong(
                f"{name} {how} in {NAME}: nothing was signed. Take it away or build it again; sums "
                "of your own are written without --key."
            )
    return sorted(listed.keys() - here.keys())


def sign(job: Job, key: Path, builder: str = "") -> Path:
    """Have minisign sign SHA256SUMS with a secret key; returns the signature.

    `builder` names one of several who sign the same sums. Raises Missing.
    """
    if builder and not _BUILDER.fullmatch(builder):
        raise Missing("Name the builder with small letters, digits and hyphens.")
    signature = job.output / signature_name(builder)
    minisign.sign(
        job.output / NAME,
        signature,
        key,
        trusted=trusted_comment(job.version),
        comment=f"signature of wallet-gui {job.version}",
    )
    return signature


def signature_name(builder: str = "") -> str:
    """The file that holds the signature of one builder, or of the one who publishes."""
    return f"{NAME}.{builder}.minisig" if builder else f"{NAME}.minisig"


def trusted_comment(version: str) -> str:
    """What is signed beside the sums, so that nothing else that is signed can stand for them."""
    return f"wallet-gui {version} {NAME}"


def artefacts(folder: Path, version: str) -> list[Path]:
    """The files of one version of ours in a folder, by name."""
    ours = re.compile(rf"wallet-gui[-_]{re.escape(version)}([-_]|\.(?=[a-z]))[A-Za-z0-9_.+-]+")
    return sorted(path for path in folder.iterdir() if path.is_file() and ours.fullmatch(path.name))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
