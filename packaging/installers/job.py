"""What each kind of package is made from, and what it says when it cannot be made."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """One build of one version.

    `tree` is the frozen folder with the executable in it and is not changed; `output` is where the
    artefact goes; `work` is an empty folder of this job's own; `epoch` is SOURCE_DATE_EPOCH in
    seconds: the only time that may show in what is built. `release_keys` is put in the place of
    resources/release-keys.txt by what does not start from `tree`, which has it already.
    """

    tree: Path
    output: Path
    work: Path
    version: str
    epoch: int
    release_keys: Path | None = None


class Missing(Exception):
    """A program or a right that the build needs is not there; the sentence names the remedy."""


class Wrong(Exception):
    """What is built, or what it is built from, is not as it has to be; the sentence says where."""
