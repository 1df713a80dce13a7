"""The verify command tells whether a download is what the maintainers released.

SHA256SUMS lists the files of one release, minisign's signatures beside it say who vouches for the
list, and the keys that are believed are built in. Nothing is fetched; a download is judged by what
lies beside it.
"""

import argparse
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wallet_gui import __version__
from wallet_gui.cli.result import CommandError, Result, UsageError
from wallet_gui.cli.verify_sums import Sums, parse_sums, version_in_name
from wallet_gui.primitives.params import NETWORKS
from wallet_gui.primitives.plain_text import plain_text
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.release_signature import (
    MAX_SIGNATURE_FILE,
    BadSignature,
    PublicKey,
    ReleaseKeys,
    verify,
)
from wallet_gui.storage.release_keys import built_in
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.storage.update_file import UpdateFile

SUMS: Final = "SHA256SUMS"
_SIGNATURE: Final = ".minisig"
_MAX_SUMS: Final = 1024 * 1024
_MAX_SIGNATURES: Final = 32
_COMMENT: Final = re.compile(r"wallet-gui (\S{1,40}) SHA256SUMS")
_NO_KEY: Final = (
    "This copy of the program has no release key built in, so that it cannot tell who signed a "
    "download. Give the maintainers' public key with --signed-by, or check without this program: "
    "minisign -Vm SHA256SUMS -p KEY.pub, then sha256sum --check --ignore-missing SHA256SUMS."
)


@dataclass(frozen=True, slots=True)
class Vouched:
    """A list of hashes that enough keys have signed."""

    sums: Sums
    version: str
    signers: tuple[str, ...]
    remarks: tuple[str, ...]


def run(options: argparse.Namespace, keys: ReleaseKeys | None = None) -> Result:
    """Check the files. Raises CommandError, UsageError.

    `keys` stand for the built-in ones, in tests.
    """
    if not options.files:
        raise UsageError("Name the file that was downloaded.")
    if options.at_least < 1:
        raise UsageError("--at-least takes a number from 1.")
    try:
        believed = (keys or built_in()).keys + tuple(map(_named_key, options.signed_by))
    except ParseError as error:
        raise CommandError(str(error)) from error
    if not believed:
        raise CommandError(_NO_KEY)
    path = options.sums or options.files[0].parent / SUMS
    # A signed update notice may have told this computer that a key was stolen.
    root = DataDirectory(options.data_dir, NETWORKS[options.network]).root
    withdrawn = frozenset(UpdateFile(root).load().revoked)
    vouched = _vouched(path, believed, withdrawn, options.at_least)
    verdicts = [_judge(file, vouched) for file in options.files]
    document = {
        "version": vouched.version,
        "signed_by": list(vouched.signers),
        "files": [
            {"file": str(file), "genuine": is_genuine, "explanation": sentence}
            for file, (is_genuine, sentence) in zip(options.files, verdicts, strict=True)
        ],
    }
    wrong = [sentence for is_genuine, sentence in verdicts if not is_genuine]
    lines = [sentence for is_genuine, sentence in verdicts if is_genuine]
    if lines:
        lines += [_signed_by(vouched), *vouched.remarks, *_age(vouched.version)]
    return Result(document, lines, " ".join(wrong))


def _named_key(text: str) -> PublicKey:
    """Read a key of --signed-by: the key itself, or minisign's file with it."""
    try:
        return PublicKey.parse(text)
    except ParseError:
        pass
    try:
        return PublicKey.parse(_read(Path(text), MAX_SIGNATURE_FILE).decode())
    except (ParseError, UnicodeDecodeError):
        raise UsageError(f"{_shown(Path(text))} holds no public key of minisign.") from None


def _vouched(
    path: Path, keys: Sequence[PublicKey], withdrawn: frozenset[str], at_least: int
) -> Vouched:
    """Read a list of hashes that `at_least` different keys have signed. Raises CommandError."""
    if not path.is_file():
        raise CommandError(
            f"There is no list of hashes: {_shown(path)}. Download {SUMS} and "
            f"{SUMS}{_SIGNATURE} from where the file is from, into the same folder, or name the "
            "list with --sums."
        )
    data = _read(path, _MAX_SUMS)
    beside = _signatures(path)
    if not beside:
        raise CommandError(
            f"There is no signature beside {_shown(path)}. Download {path.name}{_SIGNATURE} from "
            "where the file is from, into the same folder. Without it anybody may have written "
            "the list."
        )
    held: dict[str, str] = {}
    refused: list[str] = []
    for signature in beside:
        try:
            text = _read(signature, MAX_SIGNATURE_FILE)
            key_id, version = _verify(data, text, tuple(keys), withdrawn)
        except BadSignature as error:
            refused.append(f"{_shown(signature)}: {error}")
        else:
            held.setdefault(key_id, version)
    if len(held) < at_least:
        raise CommandError(_too_few(held, refused, at_least))
    versions = set(held.values())
    if len(versions) != 1:
        raise CommandError(
            f"The signatures name different versions: {', '.join(sorted(versions))}. Download the "
            "list and its signatures again, from one release."
        )
    remarks = tuple(f"A signature that does not count: {sentence}" for sentence in refused)
    try:
        sums = parse_sums(data)
    except ParseError as error:
        raise CommandError(str(error)) from error
    return Vouched(sums, versions.pop(), tuple(sorted(held)), remarks)


def _verify(
    data: bytes, signature: bytes, keys: tuple[PublicKey, ...], withdrawn: frozenset[str]
) -> tuple[str, str]:
    """Return the key's id and the version that was signed. Raises BadSignature."""
    try:
        text = signature.decode()
    except UnicodeDecodeError:
        raise BadSignature("This is not a signature file, or it is damaged.") from None
    verified = verify(data, text, keys)
    if verified.key_id in withdrawn:
        raise BadSignature(
            f"It was made with the key {verified.key_id}, which the makers have withdrawn. Whoever "
            "has that key can sign anything."
        )
    match = _COMMENT.fullmatch(verified.trusted_comment)
    if match is None:
        raise BadSignature(
            "The signature is genuine, but it was made for something else: "
            f"“{plain_text(verified.trusted_comment, 200)}”."
        )
    return verified.key_id, match[1]


def _too_few(held: Mapping[str, str], refused: Sequence[str], at_least: int) -> str:
    if not held:
        return " ".join(refused)
    return (
        f"{len(held)} of the {at_least} keys that you ask for signed the list "
        f"({', '.join(sorted(held))}). Wait for the other builders' signatures, and put them "
        f"beside it. {' '.join(refused)}"
    ).rstrip()


def _signatures(path: Path) -> list[Path]:
    """The signature files beside a list: of the one who publishes, and of other builders."""
    start = f"{path.name}."
    found = [
        each
        for each in path.parent.iterdir()
        if each.name.startswith(start) and each.name.endswith(_SIGNATURE) and each.is_file()
    ]
    return sorted(found)[:_MAX_SIGNATURES]


def _judge(file: Path, vouched: Vouched) -> tuple[bool, str]:
    """Whether one file is of the release, and what to say about it. Raises CommandError."""
    if not file.is_file():
        raise CommandError(f"There is no file {_shown(file)}.")
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").digest()
    except OSError as error:
        raise CommandError(f"{_shown(file)} cannot be read: {error.strerror}.") from error
    shown, release = _shown(file), f"Wallet GUI {plain_text(vouched.version, 40)}"
    wanted = vouched.sums.get(file.name)
    if wanted == digest:
        return True, f"{shown} is genuine: {release}."
    same = sorted(name for name, each in vouched.sums.items() if each == digest)
    if same:
        return True, f"{shown} is genuine: {release}, published as {same[0]}."
    if wanted is not None:
        return False, (
            f"{shown} is NOT what was released: its contents are not those that were signed. Do "
            "not open it. Download it again; if it is the same again, tell the maintainers."
        )
    other = version_in_name(file.name)
    if other and other != vouched.version:
        return False, (
            f"{shown} is of version {other}, and the list of hashes is of version "
            f"{plain_text(vouched.version, 40)}. Download the list that was published with the "
            "file."
        )
    return False, (
        f"{shown} is not among the files of {release}, by its name or by its contents. Do not "
        "open it; download it from where its list of hashes is from."
    )


def _signed_by(vouched: Vouched) -> str:
    word = "key" if len(vouched.signers) == 1 else "keys"
    return f"Signed with the release {word} {', '.join(vouched.signers)}."


def _age(version: str) -> list[str]:
    """A word about a release that is older than the program that looks at it."""
    numbers = [
        re.fullmatch(r"([0-9]+)\.([0-9]+)\.([0-9]+)", each) for each in (version, __version__)
    ]
    if numbers[0] and numbers[1]:
        that, this = (tuple(map(int, found.groups())) for found in numbers if found)
        if that < this:
            return [f"It is older than the program that you are using, {__version__}."]
    return []


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise CommandError(f"{_shown(path)} cannot be read: {error.strerror}.") from error
    if len(data) > limit:
        raise CommandError(f"{_shown(path)} is too large for what it should be.")
    return data


def _shown(path: Path) -> str:
    return plain_text(str(path), 300)
