"""Has minisign sign a file. The key never comes near this program: minisign reads it and asks.

Signatures are of the prehashed kind, with a trusted comment: what is signed beside the file, so
that nothing else that the same key has signed can stand for it.
"""

import shutil
import subprocess
from pathlib import Path

from installers.job import Missing


def sign(file: Path, signature: Path, key: Path, *, trusted: str, comment: str) -> None:
    """Write the signature of a file; the password is asked on the terminal. Raises Missing."""
    program = shutil.which("minisign")
    if program is None:
        raise Missing("Signing needs minisign. Install it: apt-get install minisign")
    command = [
        *(program, "-S", "-H", "-s", str(key), "-m", str(file), "-x", str(signature)),
        *("-t", trusted, "-c", comment),
    ]
    # It asks on the standard error; the output is for the result of the command that signs.
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    if ended.returncode != 0 or not signature.is_file():
        raise Missing(f"minisign did not sign {file.name}; what it said stands above.")
