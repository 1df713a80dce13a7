#!/usr/bin/env python3
"""Opens a wallet file of Wallet GUI without Wallet GUI: Python and `cryptography` are enough.

    python3 recover_wallet.py NAME.wallet                what the wallet is: descriptors, labels
    python3 recover_wallet.py NAME.wallet --secrets      its words and private keys too

The password is asked for, never taken from the command line. Where the file is damaged, its older
copies beside it (.1 to .3, .new) are tried, and then whatever part of it is still whole. Nothing
is written and nothing is sent anywhere: for --secrets use a computer that is not connected.

The words of a list other than the English one need that list: --wordlist FILE, one word a line, as
published with BIP39. The format of the file is described in wallet-file-format.md.
"""

import argparse
import getpass
import hashlib
import hmac
import json
import re
import struct
import sys
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

# --- the file: header | view box | secret box | tag | checksum

FILE_MAGIC, FILE_FORMAT, FILE_HEADER = b"WGUI-WLT", 1, struct.Struct("<8sHHQII")
BOX_MAGIC, BOX_FORMAT, ARGON2ID = b"WGUI-BOX", 1, 1
BOX_HEADER = struct.Struct("<8sHH4sIII16s32sI")
VIEW, SECRET = b"view", b"secr"
MAX_FILE, TAG, AEAD_TAG = 16 << 20, 32, 16
MAX_MEMORY_KIB, MAX_ITERATIONS, MAX_LANES = 4 << 20, 64, 16
VIEW_FORMAT, SECRET_FORMAT = 1, 3
COPIES = ("", ".1", ".2", ".3", ".new")

Boxes = tuple[bytes | None, bytes | None]
Say = Callable[[str], None]
Keys = dict[tuple[bytes, int, int, int], bytes]
Point = tuple[int, int]


class Problem(Exception):
    """The message is a sentence for a person."""


def whole_boxes(data: bytes) -> Boxes:
    """Return (view box, secret box or None) of an intact file; Problem for any other."""
    if len(data) < FILE_HEADER.size + 2 * TAG or not data.startswith(FILE_MAGIC):
        raise Problem("is no wallet file, or its beginning is damaged")
    if hashlib.sha256(data[:-TAG]).digest() != data[-TAG:]:
        raise Problem("is damaged or cut off")
    _, version, _, _, view_length, secret_length = FILE_HEADER.unpack_from(data)
    if version > FILE_FORMAT:
        raise Problem("was written by a newer program; use the script that came with it")
    boxes = data[FILE_HEADER.size : -2 * TAG]
    if len(boxes) != view_length + secret_length:
        raise Problem("was written wrongly")
    return boxes[:view_length], boxes[view_length:] or None


def loose_boxes(data: bytes) -> Boxes:
    """Find the boxes of a damaged file. Each carries its own proof that it is what was sealed."""
    found: dict[bytes, bytes] = {}
    for place in (match.start() for match in re.finditer(re.escape(BOX_MAGIC), data)):
        if len(data) - place < BOX_HEADER.size + TAG:
            continue
        kind, length = data[place + 12 : place + 16], data[place + 76 : place + 80]
        size = BOX_HEADER.size + TAG + int.from_bytes(length, "little")
        if kind in (VIEW, SECRET) and place + size <= len(data):
            found.setdefault(kind, data[place : place + size])
    return found.get(VIEW), found.get(SECRET)


def read_boxes(path: Path, say: Say) -> Boxes:
    """Return the boxes of the file, of its newest intact copy, or what is left of any of them."""
    seen = []
    for ending in COPIES:
        candidate = path.with_name(path.name + ending)
        try:
            with candidate.open("rb") as file:
                data = file.read(MAX_FILE + 1)
        except FileNotFoundError:
            continue
        except OSError as error:
            say(f"{candidate.name} cannot be read: {error.strerror}.")
            continue
        try:
            boxes = whole_boxes(data)
        except Problem as problem:
            say(f"{candidate.name} {problem}.")
            seen.append((candidate, data))
            continue
        if ending:
            say(f"Read from the older copy {candidate.name}.")
        return boxes
    for candidate, data in seen:
        view, secret = loose_boxes(data)
        if view or secret:
            say(f"No copy is intact. Taking what is left of {candidate.name}.")
            return view, secret
    if not seen:
        raise Problem(f"There is no wallet file {path.name} in {path.parent}.")
    raise Problem("Nothing that can be opened is left. Restore the wallet from its words.")


def derive(password: str, salt: bytes, memory_kib: int, iterations: int, lanes: int) -> bytes:
    """Argon2id version 1.3 of the password in NFC and UTF-8; 32 bytes."""
    if not (iterations <= MAX_ITERATIONS and lanes <= MAX_LANES and memory_kib <= MAX_MEMORY_KIB):
        raise Problem("The file asks for an impossible amount of work; it is damaged.")
    kdf = Argon2id(salt=salt, length=32, iterations=iterations, lanes=lanes, memory_cost=memory_kib)
    try:
        return kdf.derive(unicodedata.normalize("NFC", password).encode())
    except MemoryError:
        raise Problem(f"This needs {memory_kib >> 10} MiB of free memory.") from None


def subkey(key: bytes, purpose: bytes, kind: bytes, save_salt: bytes) -> bytes:
    info = b"wallet-gui box " + purpose + b" " + kind
    return HKDF(algorithm=SHA256(), length=32, salt=save_salt, info=info).derive(key)


def open_box(password: str, box: bytes, keys: Keys) -> bytes:
    """Return what is in a box; `keys` remembers Argon2id's results."""
    fields = BOX_HEADER.unpack_from(box)
    magic, version, kdf, kind, memory_kib, iterations, lanes, salt, save_salt, length = fields
    if magic != BOX_MAGIC or version > BOX_FORMAT or kdf != ARGON2ID:
        raise Problem("A box was written by a newer program; use the script that came with it.")
    if len(box) != BOX_HEADER.size + TAG + length:
        raise Problem("A box is cut off. Name an older copy of the file.")
    known = (salt, memory_kib, iterations, lanes)
    if known not in keys:
        keys[known] = derive(password, *known)
    key = keys[known]
    header, clear = box[: BOX_HEADER.size], box[: BOX_HEADER.size + TAG]
    tag = hmac.digest(subkey(key, b"header", kind, save_salt), header, "sha256")
    if not hmac.compare_digest(tag, clear[BOX_HEADER.size :]):
        raise Problem("The password is wrong (or the beginning of the box is damaged).")
    cipher = ChaCha20Poly1305(subkey(key, b"payload", kind, save_salt))
    try:
        padded = cipher.decrypt(bytes(12), box[len(clear) :], clear)
    except InvalidTag:
        raise Problem("The password is right, but the box is damaged.") from None
    (size,) = struct.unpack_from("<I", padded)
    return bytes(padded[4 : 4 + size])


def read_json(plaintext: bytes, newest: int, what: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(plaintext)
    if value["format"] > newest:
        raise Problem(f"{what} was written by a newer program; use the script that came with it.")
    return value


# --- keys: secp256k1, BIP32, base58 and RIPEMD-160, slowly and without any library

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
HARDENED = 1 << 31
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
VERSIONS = {"mainnet": (0x0488ADE4, 0x0488B21E)}  # xprv, xpub
TEST_VERSIONS = (0x04358394, 0x043587CF)  # tprv, tpub


def add(a: Point | None, b: Point | None) -> Point | None:
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0]:
        if a[1] != b[1]:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def public_key(secret: int) -> bytes:
    """Return the compressed point of a private key."""
    result: Point | None = None
    point: Point | None = G
    while secret:
        if secret & 1:
            result = add(result, point)
        point, secret = add(point, point), secret >> 1
    if result is None:
        raise Problem("A key in the file is damaged.")
    return bytes([2 + (result[1] & 1)]) + result[0].to_bytes(32, "big")


def ripemd160(data: bytes) -> bytes:
    """RIPEMD-160, which the OpenSSL below hashlib often does not offer any more."""
    left = [list(range(16)), [7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8]]
    left += [[left[1][i] for i in left[1]]]
    left += [[left[1][i] for i in left[2]], [left[1][left[1][i]] for i in left[2]]]
    first = [(9 * i + 5) % 16 for i in range(16)]
    right = [first]
    for _ in range(4):
        right.append([left[1][i] for i in right[-1]])
    turns = [
        [11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8],
        [12, 13, 11, 15, 6, 9, 9, 7, 12, 15, 11, 13, 7, 8, 7, 7],
        [13, 15, 14, 11, 7, 7, 6, 8, 13, 14, 13, 12, 5, 5, 6, 9],
        [14, 11, 12, 14, 8, 6, 5, 5, 15, 12, 15, 14, 9, 9, 8, 6],
        [15, 12, 13, 13, 9, 5, 8, 6, 14, 11, 12, 11, 8, 6, 5, 5],
    ]
    k_left = [0, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E]
    k_right = [0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0]
    mixes = [
        lambda x, y, z: x ^ y ^ z,
        lambda x, y, z: (x & y) | (~x & z),
        lambda x, y, z: (x | ~y) ^ z,
        lambda x, y, z: (x & z) | (y & ~z),
        lambda x, y, z: x ^ (y | ~z),
    ]
    mask = 0xFFFFFFFF
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0]
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + struct.pack("<Q", 8 * len(data))
    for start in range(0, len(padded), 64):
        words = struct.unpack_from("<16I", padded, start)
        lines = []
        for order, constants, functions in (
            (left, k_left, mixes),
            (right, k_right, mixes[::-1]),
        ):
            a, b, c, d, e = state
            for step in range(80):
                phase, place = divmod(step, 16)
                word = order[phase][place]
                total = a + functions[phase](b, c, d) + words[word] + constants[phase]
                turn, total = turns[phase][word], total & mask
                total = ((total << turn | total >> (32 - turn)) + e) & mask
                a, e, d, c, b = e, d, (c << 10 | c >> 22) & mask, b, total
            lines.append((a, b, c, d, e))
        one, two = lines
        state = [
            (state[(i + 1) % 5] + one[(i + 2) % 5] + two[(i + 3) % 5]) & mask for i in range(5)
        ]
    return struct.pack("<5I", *state)


def fingerprint(key: int) -> bytes:
    return ripemd160(hashlib.sha256(public_key(key)).digest())[:4]


def base58(data: bytes) -> str:
    """Base58 with its checksum."""
    data += hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4]
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def from_base58(text: str) -> bytes:
    number = 0
    for letter in text:
        number = number * 58 + BASE58.index(letter)
    data = number.to_bytes(82, "big")
    if base58(data[:-4]) != text:
        raise Problem("A key in the file is damaged.")
    return data[:-4]


class Key:
    """An extended private key (BIP32)."""

    def __init__(
        self,
        secret: int,
        chain_code: bytes,
        depth: int = 0,
        parent: bytes = bytes(4),
        number: int = 0,
    ) -> None:
        self.secret, self.chain_code = secret, chain_code
        self.depth, self.parent, self.number = depth, parent, number

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        both = hmac.digest(b"Bitcoin seed", seed, "sha512")
        return cls(int.from_bytes(both[:32], "big"), both[32:])

    @classmethod
    def from_text(cls, text: str) -> Self:
        data = from_base58(text)
        number = int.from_bytes(data[9:13], "big")
        secret = int.from_bytes(data[46:], "big")
        return cls(secret, data[13:45], data[4], data[5:9], number)

    def child(self, number: int) -> "Key":
        if number >= HARDENED:
            data = b"\0" + self.secret.to_bytes(32, "big")
        else:
            data = public_key(self.secret)
        both = hmac.digest(self.chain_code, data + struct.pack(">I", number), "sha512")
        secret = (int.from_bytes(both[:32], "big") + self.secret) % N
        return Key(secret, both[32:], self.depth + 1, fingerprint(self.secret), number)

    def text(self, network: str, *, is_private: bool) -> str:
        version = VERSIONS.get(network, TEST_VERSIONS)[0 if is_private else 1]
        head = struct.pack(">IB4sI", version, self.depth, self.parent, self.number)
        key = b"\0" + self.secret.to_bytes(32, "big") if is_private else public_key(self.secret)
        return base58(head + self.chain_code + key)


def steps_of(path: str) -> list[int]:
    """Read "/84h/0h/0h" as numbers."""
    numbers = []
    for step in path.strip("/").split("/") if path.strip("/") else []:
        is_hardened = step[-1] in "h'"
        numbers.append(int(step.rstrip("h'")) + HARDENED * is_hardened)
    return numbers


def words_of(entropy: bytes, word_list: list[str]) -> list[str]:
    """Return the BIP39 words of the entropy."""
    bits = len(entropy) * 8
    checksum = hashlib.sha256(entropy).digest()[0] >> (8 - bits // 32)
    number = int.from_bytes(entropy, "big") << bits // 32 | checksum
    count = (bits + bits // 32) // 11
    return [word_list[number >> 11 * (count - 1 - i) & 2047] for i in range(count)]


def load_words(language: str, path: Path | None) -> list[str] | None:
    """Return the word list of a language, proven to be BIP39's; None when it is not at hand."""
    if path is not None:
        text = path.read_text(encoding="utf-8")
    elif language == "english":
        text = ENGLISH
    else:
        return None
    words = unicodedata.normalize("NFKD", text).split()
    if hashlib.sha256("\n".join(words).encode()).hexdigest() != LISTS.get(language):
        raise Problem(f"{path} is not the word list for {language} as BIP39 publishes it.")
    return words


def root_of(
    secrets: dict[str, Any], words: list[str], passphrase: str
) -> tuple[Key, bytes, list[int]]:
    """Return the wallet's key and the path from the master at which it stands."""
    if secrets.get("imported_xprv"):
        match = re.fullmatch(r"(?:\[([0-9a-f]{8})([^]]*)\])?(\w+)", secrets["imported_xprv"])
        if match is None:
            raise Problem("The key in the file is damaged.")
        key = Key.from_text(match[3])
        name = bytes.fromhex(match[1]) if match[1] else fingerprint(key.secret)
        return key, name, steps_of(match[2] or "")
    phrase, salt = (unicodedata.normalize("NFKD", t) for t in (" ".join(words), passphrase))
    seed = hashlib.pbkdf2_hmac("sha512", phrase.encode(), b"mnemonic" + salt.encode(), 2048)
    key = Key.from_seed(seed)
    return key, fingerprint(key.secret), []


def checksum(text: str) -> str:
    """The checksum of a descriptor (BIP380)."""
    letters = (
        "0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH"
        '`#"\\ '
    )
    codes = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    generators = (0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD)
    symbols, groups = [], []
    for letter in text:
        place = letters.index(letter)
        symbols.append(place & 31)
        groups.append(place >> 5)
        if len(groups) == 3:
            symbols.append(groups[0] * 9 + groups[1] * 3 + groups[2])
            groups = []
    if groups:
        symbols.append(groups[0] if len(groups) == 1 else groups[0] * 3 + groups[1])
    state = 1
    for value in [*symbols, *[0] * 8]:
        top, state = state >> 35, (state & 0x7FFFFFFFF) << 5 ^ value
        for bit, generator in enumerate(generators):
            state ^= generator if top >> bit & 1 else 0
    state ^= 1
    return "".join(codes[state >> 5 * (7 - i) & 31] for i in range(8))


def with_private_keys(
    descriptor: str, key: Key, name: bytes, start: list[int], network: str
) -> str | None:
    """Put our private keys in the place of our public ones; None when none of them is ours."""
    body, ours = descriptor.split("#", maxsplit=1)[0], 0

    def private(match: re.Match[str]) -> str:
        nonlocal ours
        path = steps_of(match[2])
        if bytes.fromhex(match[1]) != name or path[: len(start)] != start:
            return match[0]
        derived = key
        for step in path[len(start) :]:
            derived = derived.child(step)
        if derived.text(network, is_private=False) != match[3]:
            return match[0]
        ours += 1
        return f"[{match[1]}{match[2]}]{derived.text(network, is_private=True)}"

    body = re.sub(r"\[([0-9a-f]{8})((?:/\d+[h']?)*)\]([xt]pub\w+)", private, body)
    return f"{body}#{checksum(body)}" if ours else None


def describe(view: dict[str, Any]) -> None:
    """Print what is in the view box."""
    about = view["description"]
    print(f"name         {about['name']}")
    print(f"network      {about['network']}")
    print(f"fingerprint  {about['fingerprint'] or '(several cosigners)'}")
    print(f"birthday     {about['birthday_time'] or 'not known'} (Unix time)")
    for number, descriptor in enumerate(about["descriptors"]):
        active = "  <- addresses are handed out of this one" if number == about["active"] else ""
        print(f"descriptor   {descriptor}{active}")
    for number, keychain, index in view["revealed"]:
        print(f"shown        descriptor {number}, chain {keychain}: up to index {index}")
    for kind, reference, text in view["labels"]:
        print(f"label        {kind} {reference}: {text!r}")


def reveal(
    secrets: dict[str, Any], descriptors: list[str], options: argparse.Namespace, say: Say
) -> tuple[dict[str, Any], bool]:
    """Print the secrets; return them too, and whether they belong to the descriptors."""
    network, language = secrets["network"], secrets["language"]
    found = {"entropy": secrets["entropy"], "language": language, "network": network}
    words = []
    if secrets["entropy"]:
        word_list = load_words(language, options.wordlist)
        if word_list is None:
            print(f"entropy      {secrets['entropy']} (hex, BIP39, {language})")
            raise Problem(f"Name the {language} word list of BIP39 with --wordlist for the rest.")
        words = words_of(bytes.fromhex(secrets["entropy"]), word_list)
        found["words"] = ("\u3000" if language == "japanese" else " ").join(words)
    passphrase = ""
    if secrets["passphrase_fingerprint"]:
        passphrase = ask("Passphrase (25th word): ", options)
    key, name, start = root_of(secrets, words, passphrase)
    if secrets["passphrase_fingerprint"] not in (None, name.hex()):
        raise Problem("This passphrase leads to another wallet. Capitals and blanks count.")
    descriptors = descriptors or secrets.get("descriptors", [])
    private = [with_private_keys(text, key, name, start, network) for text in descriptors]
    found |= {"fingerprint": name.hex(), "xprv": key.text(network, is_private=True)}
    found["private_descriptors"] = [text for text in private if text]
    for title, value in found.items():
        for text in value if isinstance(value, list) else [value]:
            print(f"{title:<12} {text}")
    if not all(private) or not private:
        say("Warning: these keys do not belong to all of the descriptors above.")
    return found, bool(private) and all(private)


def ask(prompt: str, options: argparse.Namespace) -> str:
    """Ask on the terminal; from standard input only where the person says so."""
    if options.stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return getpass.getpass(prompt)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("file", type=Path, help="NAME.wallet, or one of its older copies")
    parser.add_argument("--secrets", action="store_true", help="show words and private keys too")
    parser.add_argument("--wordlist", type=Path, metavar="FILE", help="the BIP39 list of the words")
    parser.add_argument("--json", action="store_true", help="print one JSON document at the end")
    parser.add_argument("--stdin", action="store_true", help="read the password as a line of stdin")
    options = parser.parse_args(arguments)

    def say(text: str) -> None:
        print(text, file=sys.stderr)

    try:
        return recover(options, say)
    except Problem as problem:
        say(str(problem))
        return 1


def recover(options: argparse.Namespace, say: Say) -> int:
    """Do what was asked; returns the exit status: 1 when the keys do not fit the wallet."""
    view_box, secret_box = read_boxes(options.file.absolute(), say)
    if options.secrets and secret_box is None:
        raise Problem("This wallet only watches: there are no keys in the file.")
    password, keys = ask("Password: ", options), Keys()
    view, found, fits = None, None, True
    if view_box is not None:
        view = read_json(open_box(password, view_box, keys), VIEW_FORMAT, "The view")
        describe(view)
    if options.secrets and secret_box is not None:
        plaintext = open_box(password, secret_box, keys)
        secrets = read_json(plaintext, SECRET_FORMAT, "The secrets")
        descriptors = view["description"]["descriptors"] if view else []
        found, fits = reveal(secrets, descriptors, options, say)
    if options.json:
        print(json.dumps({"view": view, "secrets": found}, sort_keys=True))
    return 0 if fits else 1


LISTS = {
    "english": "187db04a869dd9bc7be80d21a86497d692c0db6abd3aa8cb6be5d618ff757fae",
    "spanish": "2f06d28020d49115a2e502fb6042aaa593e90773edb947685482d05ee2af6a03",
    "french": "b8caec12319d0ffb127c84e42c8866c86a54ac9951fe2cfbf902d35552c65e4f",
    "italian": "ffefe450a4be8015d9c291d6ae305ab7e814e822113fa874268c3074af42b27e",
    "portuguese": "882265ece9ce1178b9fe47463d571dfa399c6fc7cb17895eb2767f1930c945eb",
    "czech": "63a3babb46c556473cd58ddf195dcd2a91aff3674a9656efa6e0ad8598875f3e",
    "turkish": "3b6381f68e8129cf252ffd5f12655a39fcb8cd291cb58890bfa2f7b362048502",
    "russian": "1af76e03ca0f773a56ed2bb38ed8ae3b0dcad366042035691abeb2cd509e4c49",
    "japanese": "a3c2aa5c689341519e8a579e28d2956910313e372b04cf0f31baef40dc44d69c",
    "korean": "e7375c57574d3f2db755dedda43ff20d6166e2f0cad4c9618b6f7929b8b39aed",
    "chinese_simplified": "106cc8387ac3fc7d44ca1072e30a0b27ed017b1d377501bb909c2833ef60c186",
    "chinese_traditional": "407312f9014543242bd157c255125a753ac60128fc15883a33b8685a9328b0cc",
}
"""SHA-256 of each BIP39 list: its words in NFKD, with line feeds between."""

ENGLISH = """
abandon ability able about above absent absorb abstract absurd abuse access accident account
accuse achieve acid acoustic acquire across act action actor actress actual adapt add addict
address adjust admit adult advance advice aerobic affair afford afraid again age agent agree ahead
aim air airport aisle alarm album alcohol alert alien all alley allow almost alone alpha already
also alter always amateur amazing among amount amused analyst anchor ancient anger angle angry
animal ankle announce annual another answer antenna antique anxiety any apart apology appear apple
approve april arch arctic area arena argue arm armed armor army around arrange arrest arrive arrow
art artefact artist artwork ask aspect assault asset assist assume asthma athlete atom attack
attend attitude attract auction audit august aunt author auto autumn average avocado avoid awake
aware away awesome awful awkward axis baby bachelor bacon badge bag balance balcony ball bamboo
banana banner bar barely bargain barrel base basic basket battle beach bean beauty because become
beef before begin behave behind believe below belt bench benefit best betray better between beyond
bicycle bid bike bind biology bird birth bitter black blade blame blanket blast bleak bless blind
blood blossom blouse blue blur blush board boat body boil bomb bone bonus book boost border boring
borrow boss bottom bounce box boy bracket brain brand brass brave bread breeze brick bridge brief
bright bring brisk broccoli broken bronze broom brother brown brush bubble buddy budget buffalo
build bulb bulk bullet bundle bunker burden burger burst bus business busy butter buyer buzz
cabbage cabin cable cactus cage cake call calm camera camp can canal cancel candy cannon canoe
canvas canyon capable capital captain car carbon card cargo carpet carry cart case cash casino
castle casual cat catalog catch category cattle caught cause caution cave ceiling celery cement
census century cereal certain chair chalk champion change chaos chapter charge chase chat cheap
check cheese chef cherry chest chicken chief child chimney choice choose chronic chuckle chunk
churn cigar cinnamon circle citizen city civil claim clap clarify claw clay clean clerk clever
click client cliff climb clinic clip clock clog close cloth cloud clown club clump cluster clutch
coach coast coconut code coffee coil coin collect color column combine come comfort comic common
company concert conduct confirm congress connect consider control convince cook cool copper copy
coral core corn correct cost cotton couch country couple course cousin cover coyote crack cradle
craft cram crane crash crater crawl crazy cream credit creek crew cricket crime crisp critic crop
cross crouch crowd crucial cruel cruise crumble crunch crush cry crystal cube culture cup cupboard
curious current curtain curve cushion custom cute cycle dad damage damp dance danger daring dash
daughter dawn day deal debate debris decade december decide decline decorate decrease deer defense
define defy degree delay deliver demand demise denial dentist deny depart depend deposit depth
deputy derive describe desert design desk despair destroy detail detect develop device devote
diagram dial diamond diary dice diesel diet differ digital dignity dilemma dinner dinosaur direct
dirt disagree discover disease dish dismiss disorder display distance divert divide divorce dizzy
doctor document dog doll dolphin domain donate donkey donor door dose double dove draft dragon
drama drastic draw dream dress drift drill drink drip drive drop drum dry duck dumb dune during
dust dutch duty dwarf dynamic eager eagle early earn earth easily east easy echo ecology economy
edge edit educate effort egg eight either elbow elder electric elegant element elephant elevator
elite else embark embody embrace emerge emotion employ empower empty enable enact end endless
endorse enemy energy enforce engage engine enhance enjoy enlist enough enrich enroll ensure enter
entire entry envelope episode equal equip era erase erode erosion error erupt escape essay essence
estate eternal ethics evidence evil evoke evolve exact example excess exchange excite exclude
excuse execute exercise exhaust exhibit exile exist exit exotic expand expect expire explain
expose express extend extra eye eyebrow fabric face faculty fade faint faith fall false fame
family famous fan fancy fantasy farm fashion fat fatal father fatigue fault favorite feature
february federal fee feed feel female fence festival fetch fever few fiber fiction field figure
file film filter final find fine finger finish fire firm first fiscal fish fit fitness fix flag
flame flash flat flavor flee flight flip float flock floor flower fluid flush fly foam focus fog
foil fold follow food foot force forest forget fork fortune forum forward fossil foster found fox
fragile frame frequent fresh friend fringe frog front frost frown frozen fruit fuel fun funny
furnace fury future gadget gain galaxy gallery game gap garage garbage garden garlic garment gas
gasp gate gather gauge gaze general genius genre gentle genuine gesture ghost giant gift giggle
ginger giraffe girl give glad glance glare glass glide glimpse globe gloom glory glove glow glue
goat goddess gold good goose gorilla gospel gossip govern gown grab grace grain grant grape grass
gravity great green grid grief grit grocery group grow grunt guard guess guide guilt guitar gun
gym habit hair half hammer hamster hand happy harbor hard harsh harvest hat have hawk hazard head
health heart heavy hedgehog height hello helmet help hen hero hidden high hill hint hip hire
history hobby hockey hold hole holiday hollow home honey hood hope horn horror horse hospital host
hotel hour hover hub huge human humble humor hundred hungry hunt hurdle hurry hurt husband hybrid
ice icon idea identify idle ignore ill illegal illness image imitate immense immune impact impose
improve impulse inch include income increase index indicate indoor industry infant inflict inform
inhale inherit initial inject injury inmate inner innocent input inquiry insane insect inside
inspire install intact interest into invest invite involve iron island isolate issue item ivory
jacket jaguar jar jazz jealous jeans jelly jewel job join joke journey joy judge juice jump jungle
junior junk just kangaroo keen keep ketchup key kick kid kidney kind kingdom kiss kit kitchen kite
kitten kiwi knee knife knock know lab label labor ladder lady lake lamp language laptop large
later latin laugh laundry lava law lawn lawsuit layer lazy leader leaf learn leave lecture left
leg legal legend leisure lemon lend length lens leopard lesson letter level liar liberty library
license life lift light like limb limit link lion liquid list little live lizard load loan lobster
local lock logic lonely long loop lottery loud lounge love loyal lucky luggage lumber lunar lunch
luxury lyrics machine mad magic magnet maid mail main major make mammal man manage mandate mango
mansion manual maple marble march margin marine market marriage mask mass master match material
math matrix matter maximum maze meadow mean measure meat mechanic medal media melody melt member
memory mention menu mercy merge merit merry mesh message metal method middle midnight milk million
mimic mind minimum minor minute miracle mirror misery miss mistake mix mixed mixture mobile model
modify mom moment monitor monkey monster month moon moral more morning mosquito mother motion
motor mountain mouse move movie much muffin mule multiply muscle museum mushroom music must mutual
myself mystery myth naive name napkin narrow nasty nation nature near neck need negative neglect
neither nephew nerve nest net network neutral never news next nice night noble noise nominee
noodle normal north nose notable note nothing notice novel now nuclear number nurse nut oak obey
object oblige obscure observe obtain obvious occur ocean october odor off offer office often oil
okay old olive olympic omit once one onion online only open opera opinion oppose option orange
orbit orchard order ordinary organ orient original orphan ostrich other outdoor outer output
outside oval oven over own owner oxygen oyster ozone pact paddle page pair palace palm panda panel
panic panther paper parade parent park parrot party pass patch path patient patrol pattern pause
pave payment peace peanut pear peasant pelican pen penalty pencil people pepper perfect permit
person pet phone photo phrase physical piano picnic picture piece pig pigeon pill pilot pink
pioneer pipe pistol pitch pizza place planet plastic plate play please pledge pluck plug plunge
poem poet point polar pole police pond pony pool popular portion position possible post potato
pottery poverty powder power practice praise predict prefer prepare present pretty prevent price
pride primary print priority prison private prize problem process produce profit program project
promote proof property prosper protect proud provide public pudding pull pulp pulse pumpkin punch
pupil puppy purchase purity purpose purse push put puzzle pyramid quality quantum quarter question
quick quit quiz quote rabbit raccoon race rack radar radio rail rain raise rally ramp ranch random
range rapid rare rate rather raven raw razor ready real reason rebel rebuild recall receive recipe
record recycle reduce reflect reform refuse region regret regular reject relax release relief rely
remain remember remind remove render renew rent reopen repair repeat replace report require rescue
resemble resist resource response result retire retreat return reunion reveal review reward rhythm
rib ribbon rice rich ride ridge rifle right rigid ring riot ripple risk ritual rival river road
roast robot robust rocket romance roof rookie room rose rotate rough round route royal rubber rude
rug rule run runway rural sad saddle sadness safe sail salad salmon salon salt salute same sample
sand satisfy satoshi sauce sausage save say scale scan scare scatter scene scheme school science
scissors scorpion scout scrap screen script scrub sea search season seat second secret section
security seed seek segment select sell seminar senior sense sentence series service session settle
setup seven shadow shaft shallow share shed shell sheriff shield shift shine ship shiver shock
shoe shoot shop short shoulder shove shrimp shrug shuffle shy sibling sick side siege sight sign
silent silk silly silver similar simple since sing siren sister situate six size skate sketch ski
skill skin skirt skull slab slam sleep slender slice slide slight slim slogan slot slow slush
small smart smile smoke smooth snack snake snap sniff snow soap soccer social sock soda soft solar
soldier solid solution solve someone song soon sorry sort soul sound soup source south space spare
spatial spawn speak special speed spell spend sphere spice spider spike spin spirit split spoil
sponsor spoon sport spot spray spread spring spy square squeeze squirrel stable stadium staff
stage stairs stamp stand start state stay steak steel stem step stereo stick still sting stock
stomach stone stool story stove strategy street strike strong struggle student stuff stumble style
subject submit subway success such sudden suffer sugar suggest suit summer sun sunny sunset super
supply supreme sure surface surge surprise surround survey suspect sustain swallow swamp swap
swarm swear sweet swift swim swing switch sword symbol symptom syrup system table tackle tag tail
talent talk tank tape target task taste tattoo taxi teach team tell ten tenant tennis tent term
test text thank that theme then theory there they thing this thought three thrive throw thumb
thunder ticket tide tiger tilt timber time tiny tip tired tissue title toast tobacco today toddler
toe together toilet token tomato tomorrow tone tongue tonight tool tooth top topic topple torch
tornado tortoise toss total tourist toward tower town toy track trade traffic tragic train
transfer trap trash travel tray treat tree trend trial tribe trick trigger trim trip trophy
trouble truck true truly trumpet trust truth try tube tuition tumble tuna tunnel turkey turn
turtle twelve twenty twice twin twist two type typical ugly umbrella unable unaware uncle uncover
under undo unfair unfold unhappy uniform unique unit universe unknown unlock until unusual unveil
update upgrade uphold upon upper upset urban urge usage use used useful useless usual utility
vacant vacuum vague valid valley valve van vanish vapor various vast vault vehicle velvet vendor
venture venue verb verify version very vessel veteran viable vibrant vicious victory video view
village vintage violin virtual virus visa visit visual vital vivid vocal voice void volcano volume
vote voyage wage wagon wait walk wall walnut want warfare warm warrior wash wasp waste water wave
way wealth weapon wear weasel weather web wedding weekend weird welcome west wet whale what wheat
wheel when where whip whisper wide width wife wild will win window wine wing wink winner winter
wire wisdom wise wish witness wolf woman wonder wood wool word work world worry worth wrap wreck
wrestle wrist write wrong yard year yellow you young youth zebra zero zone zoo
"""

if __name__ == "__main__":
    sys.exit(main())
