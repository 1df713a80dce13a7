"""Wallets that come from an extended private key instead of words.

The key is a master key or, as some programs export it, that of one account. Of an account key the
master may be known by name (its origin, [fingerprint/path]) or not at all; then the account key
stands for itself, under its own fingerprint and the empty path.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from wallet_gui.descriptors.account_import import KINDS, Kind, SecretsInside, read_key
from wallet_gui.descriptors.checksum import checksum
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.descriptors.importers import read_wallet
from wallet_gui.descriptors.xpub import (
    HARDENED,
    ExtendedPublicKey,
    KeyOrigin,
    format_path,
    parse_step,
    path_steps,
)
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError

MAX_TEXT: Final = 64 * 1024
"""Characters that are read: `listdescriptors true` of Bitcoin Core has about 3,000."""

USUAL_ACCOUNT_DEPTH: Final = 3
_KEY = r"[a-zA-Z]prv[1-9A-HJ-NP-Za-km-z]{100,112}"
_EXPRESSION: Final = re.compile(
    rf"(?P<origin>\[[^\[\]]*\])?(?P<key>{_KEY})(?P<steps>(?:/[0-9]{{1,10}}[hH'])*)", re.ASCII
)
_BARE: Final = re.compile(rf"(\[[^\[\]]*\])?({_KEY})", re.ASCII)
_WHOLE_ACCOUNT: Final = re.compile(r"/(?:\*\*|<0;1>/\*|0/\*|\*)$", re.ASCII)
_TOKEN: Final = re.compile(r"[^\s\"]+", re.ASCII)
_ONE_KEY: Final = (
    "There are several private keys in this, and a wallet file holds one. Import each of them "
    "with a name of its own."
)


class OutsideAccount(ParseError):
    """A path that does not lie below the account whose key is held."""


@dataclass(frozen=True, slots=True, repr=False)
class AccountKey:
    """The private key of one account, in the place of a master key that is not at hand.

    It derives by paths from the master, as the master would, where they go through the account.
    Its repr shows the origin only.
    """

    origin: KeyOrigin
    key: ExtendedPrivateKey

    def __repr__(self) -> str:
        return f"<AccountKey {self.origin}>"

    @property
    def version(self) -> bytes:
        return self.key.version

    @property
    def fingerprint(self) -> bytes:
        """The master key's (4 bytes), or the account key's own where the master is unknown."""
        return self.origin.fingerprint

    @property
    def is_master_known(self) -> bool:
        return bool(self.origin.path)

    def derive(self, path: str | int | Iterable[int]) -> ExtendedPrivateKey:
        """Return the key at a path from the master. Raises OutsideAccount."""
        steps = path_steps(path)
        length = len(self.origin.path)
        if steps[:length] != self.origin.path:
            raise OutsideAccount("Only the key of one account is here; this path leaves it.")
        return self.key.derive(steps[length:])

    def serialize(self) -> str:
        """Write [fingerprint/path]xprv: a secret."""
        return f"{self.origin}{self.key.serialize()}"


Root = ExtendedPrivateKey | AccountKey
"""What a wallet signs with: a master key, or an account's in its place."""


@dataclass(frozen=True, slots=True, repr=False)
class ImportedKeys:
    """An extended private key, and what was said with it. Its repr shows nothing.

    `kind` is the script type that the key's form or its path stands for, None when neither says
    it. `descriptors` are those in which the key stood, without secrets and with their origins;
    none for a bare key. `active` is the one that hands out addresses, `birthday_time` a Unix time
    before which nothing was paid, `notices` are sentences for the person.
    """

    root: Root
    kind: Kind | None = None
    descriptors: tuple[Descriptor, ...] = ()
    active: int = 0
    birthday_time: int | None = None
    notices: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "<ImportedKeys>"

    @classmethod
    def parse(cls, text: str, params: ChainParams) -> Self:
        """Read what a person pasted: a bare key, descriptors, or a file of Bitcoin Core.

        A bare key is [fingerprint/path]xprv, the origin being optional, in the form of SLIP132
        (yprv, zprv) too. Raises ParseError with a sentence that repeats nothing of the text.
        """
        text = text.strip()
        if not text:
            raise ParseError("Paste or type the extended private key.")
        if len(text) > MAX_TEXT:
            raise ParseError("This text is too long for an extended private key or descriptors.")
        if _BARE.fullmatch(_WHOLE_ACCOUNT.sub("", text)):
            return cls._from_bare(_WHOLE_ACCOUNT.sub("", text), params)
        if _EXPRESSION.search(text) is None:
            raise _no_key(text)
        return cls._from_descriptors(text, params)

    @classmethod
    def _from_bare(cls, text: str, params: ChainParams) -> Self:
        root, form = _read(text, params)
        kind = KINDS[form] if form else None
        if kind is None and isinstance(root, AccountKey) and root.is_master_known:
            kind = read_key(f"{root.origin}{root.key.neuter()}", params).kind
        return cls(root, kind, notices=_notices(root, kind))

    @classmethod
    def _from_descriptors(cls, text: str, params: ChainParams) -> Self:
        roots: dict[str, Root] = {}

        def public(match: re.Match[str]) -> str:
            root, _ = _read((match["origin"] or "") + match["key"], params)
            roots[root.serialize()] = root
            steps = tuple(parse_step(step) for step in match["steps"].split("/")[1:])
            origin = (
                root.origin if isinstance(root, AccountKey) else KeyOrigin(root.fingerprint, ())
            )
            path = (*origin.path, *steps)
            return f"{KeyOrigin(origin.fingerprint, path)}{root.derive(path).neuter()}"

        def neuter(match: re.Match[str]) -> str:
            token = match[0]
            if _EXPRESSION.search(token) is None:
                return token
            body, separator, given = token.partition("#")
            if separator and checksum(body) != given:
                raise ParseError(
                    "The checksum of a descriptor is wrong: a character was changed or lost. Copy "
                    "it again."
                )
            return _EXPRESSION.sub(public, body)

        harmless = _TOKEN.sub(neuter, text)
        if len(roots) != 1:
            raise ParseError(_ONE_KEY)
        (root,) = roots.values()
        try:
            found = read_wallet(harmless, params)
        except SecretsInside:
            raise ParseError(
                "There are other secrets in this besides the extended private key. Paste the "
                "descriptors or the key alone."
            ) from None
        fingerprint = root.fingerprint
        ours = [d for d in found.descriptors if fingerprint in d.fingerprints]
        if len(ours) != len(found.descriptors):
            raise ParseError("Some of these descriptors do not belong to the private key in them.")
        return cls(
            root,
            None,
            found.descriptors,
            found.active,
            found.birthday_time,
            found.notices,
        )

    @property
    def is_whole_wallet(self) -> bool:
        """Whether the key is a master key, from which every account comes."""
        return isinstance(self.root, ExtendedPrivateKey)

    def agreeing_with(self, descriptor: Descriptor) -> Self:
        """Return the keys with the origin by which a multisig `descriptor` names them.

        The cosigners know where an account key comes from, also when it was pasted bare.
        """
        root = self.root
        if not isinstance(root, AccountKey) or root.is_master_known:
            return self
        xpub = root.key.neuter()
        for expression in descriptor.keys:
            key, origin = expression.key, expression.origin
            is_ours = isinstance(key, ExtendedPublicKey) and (key.public_key, key.chain_code) == (
                xpub.public_key,
                xpub.chain_code,
            )
            if is_ours and origin is not None:
                _check_origin(origin, root.key)
                return type(self)(AccountKey(origin, root.key), self.kind)
        return self


def parse_root(text: str, params: ChainParams) -> Root:
    """Read [fingerprint/path]xprv as `serialize` writes it; raises ParseError."""
    if _BARE.fullmatch(text) is None:
        raise ParseError("This is not an extended private key.")
    return _read(text, params)[0]


def account_of(
    root: AccountKey, kinds: Iterable[DescriptorType], params: ChainParams
) -> tuple[Descriptor, ...]:
    """Return the public descriptors KIND([origin]xpub/<0;1>/*) of an account key."""
    xpub = root.key.neuter()
    return tuple(Descriptor.account(kind, params, root.origin, xpub) for kind in kinds)


def _read(text: str, params: ChainParams) -> tuple[Root, str]:
    """Read a bare key; the second part is what SLIP132 says of its script type, or ""."""
    bracket, closing, rest = text.partition("]")
    origin = KeyOrigin.parse(bracket + closing) if closing else None
    key, form = ExtendedPrivateKey.parse_any(rest if closing else text, params)
    if origin is not None:
        _check_origin(origin, key)
    if key.depth == 0:
        return key, form
    return AccountKey(origin or KeyOrigin(key.fingerprint, ()), key), form


def _check_origin(origin: KeyOrigin, key: ExtendedPrivateKey) -> None:
    path = origin.path
    if not path:
        fits = origin.fingerprint == key.fingerprint
    else:
        fits = (
            len(path) == key.depth
            and path[-1] == key.child_number
            and (key.depth > 1 or key.parent_fingerprint == origin.fingerprint)
        )
    if not fits:
        raise ParseError(
            "The origin before the key, [fingerprint/path], does not fit the key: one of them was "
            "mistyped. Copy both again, or leave the origin away."
        )


def _no_key(text: str) -> ParseError:
    if re.search(r"\b[a-zA-Z]pub[1-9A-HJ-NP-Za-km-z]{20}", text, re.ASCII):
        return ParseError(
            "This is a public key: it can watch and never sign. Import it as a wallet that only "
            "watches, or paste the private one, which starts with xprv or tprv."
        )
    if len(text.split()) > 5:
        return ParseError(
            "This is no extended private key. If these are seed words, go back and restore the "
            "wallet from its words."
        )
    return ParseError(
        "This is no extended private key. One starts with xprv, yprv, zprv or tprv and has 111 "
        "characters; check that it was copied whole."
    )


def _notices(root: Root, kind: Kind | None) -> tuple[str, ...]:
    if isinstance(kind, MultisigType):
        return ()
    if isinstance(root, ExtendedPrivateKey):
        return ()
    depth = root.key.depth
    told = []
    if not root.is_master_known:
        told.append(
            "Where this key comes from is not known, so payments name its own fingerprint "
            f"{root.fingerprint.hex()}. If you know the master's fingerprint and the path, go back "
            "and put them before the key: [fingerprint/path]."
        )
    if depth != USUAL_ACCOUNT_DEPTH:
        told.append(
            f"The key lies {depth} step{'s' * (depth != 1)} below the master key; accounts usually "
            f"lie {USUAL_ACCOUNT_DEPTH}. Compare the first address."
        )
    return tuple(told)


def describe(root: Root) -> str:
    """Return what a person may read of a key: its place and its fingerprint, nothing secret."""
    if isinstance(root, ExtendedPrivateKey):
        return f"Master key {root.fingerprint.hex()}"
    if root.is_master_known:
        return f"Account {format_path(root.origin.path)} of the master key {root.fingerprint.hex()}"
    number = root.key.child_number
    which = f"{number - HARDENED}h" if number >= HARDENED else str(number)
    return f"Account {which} of an unknown master key; its own fingerprint {root.fingerprint.hex()}"
