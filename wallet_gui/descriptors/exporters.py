"""A wallet's public side in the formats that other programs and devices import.

Nothing here is secret, but whoever has it sees every payment of the wallet.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.descriptors.key_expression import KeyExpression
from wallet_gui.descriptors.xpub import format_path
from wallet_gui.primitives.params import MAINNET
from wallet_gui.primitives.plain_text import plain_text
from wallet_gui.primitives.serialize import ParseError

_SPARROW_SCRIPTS: Final = {
    DescriptorType.PKH: "P2PKH",
    DescriptorType.SH_WPKH: "P2SH_P2WPKH",
    DescriptorType.WPKH: "P2WPKH",
    DescriptorType.TR: "P2TR",
    MultisigType.SH: "P2SH",
    MultisigType.SH_WSH: "P2SH_P2WSH",
    MultisigType.WSH: "P2WSH",
}
_COLDCARD_FORMATS: Final = {
    MultisigType.SH: "P2SH",
    MultisigType.SH_WSH: "P2SH-P2WSH",
    MultisigType.WSH: "P2WSH",
}
_LONGEST_DEVICE_NAME: Final = 20
_MIN_RANGE: Final = 1_000


def branch(descriptor: Descriptor, keychain: int) -> str:
    """Write one branch of an account as a descriptor of its own: .../0/* or .../1/*."""
    keys = tuple(_branch_of(key, keychain) for key in descriptor.keys)
    return replace(descriptor, keys=keys).to_string()


def _branch_of(key: KeyExpression, keychain: int) -> KeyExpression:
    steps = tuple(step[keychain] if isinstance(step, tuple) else step for step in key.path)
    return replace(key, path=steps)


def as_descriptors(descriptors: Sequence[Descriptor], name: str, birthday: int | None) -> str:
    """Write one descriptor on a line (BIP380, 389)."""
    del name, birthday
    return "".join(f"{descriptor}\n" for descriptor in descriptors)


def as_core(descriptors: Sequence[Descriptor], name: str, birthday: int | None) -> str:
    """Write the list for Bitcoin Core's `importdescriptors`, receive and change apart."""
    del name
    items: list[dict[str, Any]] = [
        {
            "desc": branch(descriptor, keychain),
            "active": True,
            "internal": keychain == 1,
            "range": [0, _MIN_RANGE - 1],
            # 0 looks through the whole chain.
            "timestamp": birthday or 0,
        }
        for descriptor in descriptors
        for keychain in range(2)
    ]
    return _json(items)


def as_specter(descriptors: Sequence[Descriptor], name: str, birthday: int | None) -> str:
    """Write Specter's JSON, which many programs read. One descriptor only."""
    del birthday
    (descriptor,) = _one(descriptors, "Specter")
    devices = [
        {"type": "other", "label": f"Key {number}"} for number in range(1, len(descriptor.keys) + 1)
    ]
    return _json(
        {
            "label": plain_text(name, 60),
            "blockheight": 0,
            "descriptor": branch(descriptor, 0),
            "devices": devices,
        }
    )


def as_sparrow(descriptors: Sequence[Descriptor], name: str, birthday: int | None) -> str:
    """Write a watch-only wallet as Sparrow's JSON. One descriptor only."""
    (descriptor,) = _one(descriptors, "Sparrow")
    keystores = []
    for number, key in enumerate(descriptor.keys, start=1):
        origin = key.origin
        keystores.append(
            {
                "label": f"Keystore {number}",
                "source": "SW_WATCH",
                "walletModel": "SPARROW",
                "keyDerivation": {
                    "masterFingerprint": (
                        "00000000" if origin is None else origin.fingerprint.hex()
                    ),
                    "derivationPath": "m" if origin is None else _quoted_path(key),
                },
                "extendedPublicKey": _extended(key),
            }
        )
    is_multisig = descriptor.is_multisig
    names = ",".join(f"keystore{number}" for number in range(1, len(keystores) + 1))
    inner = f"sortedmulti({descriptor.required},{names})" if is_multisig else names
    closing = ")" * (1 + descriptor.type.value.count("("))
    if is_multisig and not descriptor.is_sorted:
        raise ParseError("Sparrow knows only multisig with sorted keys.")
    wallet: dict[str, Any] = {
        "name": plain_text(name, 60),
        "network": "mainnet" if descriptor.params is MAINNET else descriptor.params.name,
        "policyType": "MULTI" if is_multisig else "SINGLE",
        "scriptType": _SPARROW_SCRIPTS[descriptor.type],
        "defaultPolicy": {
            "name": "Default",
            "miniscript": {"script": f"{descriptor.type.value}({inner}{closing}"},
        },
        "keystores": keystores,
    }
    if birthday is not None:
        wallet["birthDate"] = birthday * 1000
    return _json(wallet)


def as_coldcard(descriptors: Sequence[Descriptor], name: str, birthday: int | None) -> str:
    """Write the multisig text file of Coldcard, which most devices read. One multisig only."""
    del birthday
    (descriptor,) = _one(descriptors, "this file")
    if not isinstance(descriptor.type, MultisigType):
        raise ParseError("This file describes multisig; for one key export the descriptor.")
    if not descriptor.is_sorted:
        raise ParseError("This file knows only multisig with sorted keys.")
    lines = [
        f"Name: {plain_text(name, _LONGEST_DEVICE_NAME)}",
        f"Policy: {descriptor.required} of {len(descriptor.keys)}",
        f"Format: {_COLDCARD_FORMATS[descriptor.type]}",
    ]
    for key in descriptor.keys:
        if key.origin is None:
            raise ParseError(
                "A cosigner's key does not say where it comes from; devices need to know it."
            )
        if key.path != ((0, 1),):
            raise ParseError("This file knows only the usual chains <0;1>.")
        lines += ["", f"Derivation: {_quoted_path(key)}"]
        lines.append(f"{key.origin.fingerprint.hex().upper()}: {_extended(key)}")
    return "\n".join(lines) + "\n"


Exporter = Callable[[Sequence[Descriptor], str, int | None], str]

EXPORTERS: Final[dict[str, Exporter]] = {
    "descriptor": as_descriptors,
    "core": as_core,
    "specter": as_specter,
    "sparrow": as_sparrow,
    "coldcard": as_coldcard,
}
"""Each takes descriptors, the wallet's name and its birthday, and raises ParseError with one
sentence for what the format cannot say."""


def _one(descriptors: Sequence[Descriptor], what: str) -> Sequence[Descriptor]:
    if len(descriptors) != 1:
        raise ParseError(
            f"The wallet has {len(descriptors)} kinds of addresses, and the format of {what} "
            "holds one. Choose one of them, or export descriptors."
        )
    if not descriptors[0].is_account:
        raise ParseError("This descriptor is not one of a wallet with receive and change.")
    return descriptors


def _quoted_path(key: KeyExpression) -> str:
    path = () if key.origin is None else key.origin.path
    return "/".join(["m", *filter(None, [format_path(path).replace("h", "'")])])


def _extended(key: KeyExpression) -> str:
    if isinstance(key.key, bytes):
        raise ParseError("This descriptor holds a single key.")
    return key.key.serialize()


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=True) + "\n"
