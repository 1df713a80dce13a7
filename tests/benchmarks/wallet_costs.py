"""What one guess of a password costs, side by side with the parameters of other wallets.

Electrum's file: PBKDF2-HMAC-SHA512, 1,024 rounds, no salt (electrum/storage.py). Its keystore:
double SHA-256. Sparrow: Argon2id, 256 MiB, 10 passes, 4 lanes (drongo Argon2KeyDeriver). Core:
SHA-512 chained for at least 100 ms, at least 25,000 rounds (src/wallet/crypter.cpp); the least is
measured. KeePassXC's default and age are there for comparison.
"""

import hashlib
import json
import time
from collections.abc import Callable

from wallet_gui.keys.kdf import derive_key
from wallet_gui.sealing import DEFAULT, FLOOR, REDUCED, KdfParameters

SALT = bytes(16)
REPEATED = 3


def chained_sha512(password: bytes, rounds: int) -> bytes:
    """Core's BytesToKeySHA512AES without its last step."""
    digest = hashlib.sha512(password + SALT[:8]).digest()
    for _ in range(rounds - 1):
        digest = hashlib.sha512(digest).digest()
    return digest


GUESSES: dict[str, Callable[[bytes], object]] = {
    "ours: Argon2id 512 MiB, 4 passes, 4 lanes": lambda p: derive_key(p.hex(), SALT, DEFAULT),
    "ours with less memory: 256 MiB, 4 passes": lambda p: derive_key(p.hex(), SALT, REDUCED),
    "the least that we read: 64 MiB, 3 passes": lambda p: derive_key(p.hex(), SALT, FLOOR),
    "Sparrow: Argon2id 256 MiB, 10 passes, 4 lanes": lambda p: derive_key(
        p.hex(), SALT, KdfParameters(256 * 1024, 10, 4)
    ),
    "Core at least: SHA-512, 25,000 rounds": lambda p: chained_sha512(p, 25_000),
    "Electrum's file: PBKDF2-SHA512, 1,024 rounds": lambda p: hashlib.pbkdf2_hmac(
        "sha512", p, b"", 1024
    ),
    "Electrum's keystore: double SHA-256": lambda p: hashlib.sha256(hashlib.sha256(p).digest()),
    "Wasabi (BIP38): scrypt 16384, 8, 8": lambda p: hashlib.scrypt(
        p, salt=SALT, n=16384, r=8, p=8, maxmem=1 << 27
    ),
    "age -p: scrypt 2^18, 8, 1": lambda p: hashlib.scrypt(
        p, salt=SALT, n=1 << 18, r=8, p=1, maxmem=1 << 29
    ),
}


def measure() -> dict[str, float]:
    """Return CPU seconds of one guess, the least of several; lanes count with all their cores."""
    found = {}
    for name, guess in GUESSES.items():
        best = float("inf")
        for number in range(REPEATED):
            began = time.process_time()
            guess(b"correct horse %d" % number)
            best = min(best, time.process_time() - began)
        found[f"{name}, CPU s"] = best
    ours = found["ours: Argon2id 512 MiB, 4 passes, 4 lanes, CPU s"]
    electrum = found["Electrum's file: PBKDF2-SHA512, 1,024 rounds, CPU s"]
    found["ours costs so many guesses of Electrum's file"] = ours / electrum
    return found


if __name__ == "__main__":
    print(json.dumps(measure()))
