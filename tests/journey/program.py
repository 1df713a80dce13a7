"""Which program a journey drives: the sources, or a packaged application.

From source the vault is the product's with a cheap password check, and makes words that the tests
know. A packaged application is driven as it is: the words of its wallets are computed from the
random numbers that the system gave its vault, which a library in its environment writes down. That
also proves that new words are made of exactly those (security.md, A1).
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.vault_with_cheap_kdf import KNOWN_WORDS
from wallet_gui.keys.seed import words_from_entropy

ROOT: Final = Path(__file__).resolve().parents[2]
_RECORDER: Final = Path(__file__).with_name("random_recorder.c")
# What keys.seed.new_entropy draws for twelve words, and looks at besides.
_ENTROPY, _PROBE = 16, 64


@dataclass(frozen=True)
class Program:
    """The beginnings of its command lines, and what is added to its environment.

    `draws` is the file in which its random numbers are written down, None where the words are
    known anyway.
    """

    window: tuple[str, ...]
    offline: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    draws: Path | None = None

    def words(self) -> list[str]:
        """Return the words that a vault of this program made last."""
        if self.draws is None:
            return KNOWN_WORDS.split()
        before: dict[str, bytes] = {}
        made = b""
        for line in self.draws.read_text(encoding="ascii").splitlines():
            process, drawn = line.split(" ")
            data = bytes.fromhex(drawn)
            if len(data) == _PROBE and len(before.get(process, b"")) == _ENTROPY:
                made = before[process]
            before[process] = data
        assert made, "no vault drew the entropy of twelve words from the system"
        return words_from_entropy(made).split()


FROM_SOURCE: Final = Program(
    (sys.executable, str(ROOT / "tests" / "journey" / "window.py")),
    (
        *(sys.executable, str(ROOT / "tests" / "functional" / "offline_with_cheap_kdf.py")),
        *("--known-words", "--offline"),
    ),
    {"PYTHONPATH": str(ROOT)},
)


def packaged(executable: Path, folder: Path) -> Program:
    """Return a packaged program; `folder` gets what records its random numbers.

    Raises FileNotFoundError where there is no C compiler.
    """
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        raise FileNotFoundError("A C compiler (Debian: gcc)")
    library, draws = folder / "random_recorder.so", folder / "draws"
    draws.touch(mode=0o600)
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror"]
    subprocess.run([*command, "-o", str(library), str(_RECORDER)], check=True)
    return Program(
        (str(executable),),
        (str(executable), "--offline"),
        {"LD_PRELOAD": str(library), "RANDOM_RECORD": str(draws)},
        draws,
    )
