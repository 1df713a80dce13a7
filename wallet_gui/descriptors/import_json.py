"""Wallet exports in JSON: Sparrow, Specter, Electrum, Core, Caravan, Coldcard, Passport, Wasabi.

Each format is recognised by the names that only it has. Values are looked at, never trusted.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from wallet_gui.descriptors.account_import import (
    SECRETS_INSIDE,
    CosignerOnly,
    KeyStatement,
    Kind,
    SecretsInside,
    WalletImport,
    account_descriptor,
    birthday_of_height,
    birthday_of_time,
    clean_name,
    distinct,
    multisig_account,
    preferred,
    read_key,
    single_key_account,
)
from wallet_gui.descriptors.checksum import checksum
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError

MAX_LABELS: Final = 100_000
_LONGEST_LABEL: Final = 255
_DEEPEST: Final = 20
# Names under which programs keep secrets; a watch-only export has none or null there.
_SECRET_NAMES: Final = frozenset(
    {
        "seed",
        "seedphrase",
        "mnemonic",
        "words",
        "entropy",
        "passphrase",
        "xprv",
        "xpriv",
        "tprv",
        "wif",
        "privkey",
        "privatekey",
        "encryptedsecret",
        "masterprivateextendedkey",
        "extendedprivatekey",
        "hdmasterkey",
    }
)
_SCRIPT_NAMES: Final[dict[str, Kind]] = {
    "P2PKH": DescriptorType.PKH,
    "P2SH_P2WPKH": DescriptorType.SH_WPKH,
    "P2WPKH": DescriptorType.WPKH,
    "P2TR": DescriptorType.TR,
    "P2SH": MultisigType.SH,
    "P2SH_P2WSH": MultisigType.SH_WSH,
    "P2WSH": MultisigType.WSH,
}
_UNKNOWN: Final = (
    "This JSON is no wallet export that is known here. Export the wallet's descriptor instead."
)


def read(value: Any, params: ChainParams, kind: DescriptorType | None) -> WalletImport:
    """Read a JSON value; raises ParseError and its kinds."""
    _refuse_secrets(value, 0)
    if isinstance(value, list):
        value = {"descriptors": value}
    if not isinstance(value, dict):
        raise ParseError(_UNKNOWN)
    for recognises, reader in _FORMATS:
        if recognises(value):
            return reader(value, params, kind)
    if any(name in value for name in ("p2wsh", "p2sh_p2wsh", "p2wsh_p2sh", "p2sh_deriv")):
        raise CosignerOnly(
            "This file holds one cosigner's keys. Import the multisig wallet's descriptor or file, "
            "in which all cosigners are."
        )
    raise ParseError(_UNKNOWN)


def cosigner(value: Any, params: ChainParams, kind: MultisigType) -> KeyStatement:
    """Read the key for multisig of `kind` from a device's file. Raises ParseError."""
    _refuse_secrets(value, 0)
    if not isinstance(value, dict):
        raise ParseError(_UNKNOWN)
    fingerprint = _text(value, "xfp")
    nested = {MultisigType.WSH: "bip48_2", MultisigType.SH_WSH: "bip48_1", MultisigType.SH: "bip45"}
    part = value.get(nested[kind])
    if isinstance(part, dict):
        return _with_kind(
            read_key(
                _text(part, "xpub"),
                params,
                fingerprint=_text(part, "xfp_master") or fingerprint,
                path=_text(part, "deriv"),
            ),
            kind,
        )
    names = {
        MultisigType.WSH: ("p2wsh",),
        MultisigType.SH_WSH: ("p2sh_p2wsh", "p2wsh_p2sh"),
        MultisigType.SH: ("p2sh",),
    }
    for name in names[kind]:
        if isinstance(value.get(name), str):
            path = _text(value, f"{name}_deriv")
            key = read_key(_text(value, name), params, fingerprint=fingerprint, path=path)
            return _with_kind(key, kind)
    raise ParseError("This file has no key for this kind of multisig.")


def _with_kind(key: KeyStatement, kind: Kind) -> KeyStatement:
    return KeyStatement(key.origin, key.xpub, kind)


def account_pairs(texts: Iterable[str], params: ChainParams) -> list[Descriptor]:
    """Read descriptors of which some are the change ones of others. Raises ParseError."""
    accounts: list[Descriptor] = []
    change: list[Descriptor] = []
    for text in texts:
        body = _without_checksum(text)
        is_change = "/1/*" in body and "/0/*" not in body and "<" not in body
        # The change descriptor of an account reads as the receive one does but for this step.
        body = body.replace("/1/*", "/0/*") if is_change else body
        (change if is_change else accounts).append(account_descriptor(body, params))
    if any(item not in accounts for item in change):
        raise ParseError(
            "There is a change descriptor without the receive one that belongs to it; import both."
        )
    if not accounts:
        raise ParseError("There is no descriptor in this.")
    return accounts


def _without_checksum(text: str) -> str:
    body, separator, given = text.strip().partition("#")
    if separator and checksum(body) != given:
        raise ParseError(
            "The checksum of a descriptor is wrong: a character was changed or lost. Copy it again."
        )
    return body


def _core(
    value: Mapping[str, Any], params: ChainParams, _kind: DescriptorType | None
) -> WalletImport:
    """`listdescriptors` of Bitcoin Core, or a list for its `importdescriptors`."""
    accounts: list[str] = []
    skipped = 0
    times: list[int | None] = []
    first_active = ""
    for item in _dicts(value["descriptors"], 1_000):
        text = _text(item, "desc")
        try:
            account_pairs([text.replace("/1/*", "/0/*").partition("#")[0]], params)
        except ParseError:
            skipped += 1
            continue
        accounts.append(text)
        times.append(birthday_of_time(item.get("timestamp")))
        is_receive = item.get("active") is True and item.get("internal") is not True
        if is_receive and not first_active and text.startswith(("wpkh(", "wsh(")):
            first_active = text
    if not accounts:
        raise ParseError(
            "None of these descriptors is one of a wallet with receive and change addresses."
        )
    found = distinct(account_pairs(accounts, params))
    active = preferred(found)
    if first_active:
        active = found.index(account_pairs([first_active], params)[0])
    known = [time for time in times if time is not None]
    notices = (
        (f"{skipped} descriptors of other kinds were left out; their coins are not shown.",)
        if skipped
        else ()
    )
    return WalletImport(
        "Bitcoin Core",
        found,
        clean_name(value.get("wallet_name")),
        active,
        min(known) if len(known) == len(times) else None,
        notices=notices,
    )


def _specter(
    value: Mapping[str, Any], params: ChainParams, _kind: DescriptorType | None
) -> WalletImport:
    text = _text(value, "descriptor") or _text(value, "recv_descriptor")
    account = account_descriptor(text, params)
    height = value.get("blockheight")
    return WalletImport(
        "Specter",
        (account,),
        clean_name(value.get("label")) or clean_name(value.get("name")),
        birthday_time=birthday_of_height(height, params),
    )


def _sparrow(
    value: Mapping[str, Any], params: ChainParams, _kind: DescriptorType | None
) -> WalletImport:
    kind = _SCRIPT_NAMES.get(_text(value, "scriptType"))
    if kind is None:
        raise ParseError("This Sparrow wallet has a script type that is not supported.")
    keys = []
    for keystore in _dicts(value["keystores"], 20):
        derivation = keystore.get("keyDerivation")
        derivation = derivation if isinstance(derivation, dict) else {}
        keys.append(
            read_key(
                _text(keystore, "extendedPublicKey"),
                params,
                fingerprint=_text(derivation, "masterFingerprint"),
                path=_text(derivation, "derivationPath"),
            )
        )
    if isinstance(kind, MultisigType):
        account = multisig_account(kind, params, _sparrow_threshold(value), keys)
    elif len(keys) == 1:
        account = single_key_account(_with_kind(keys[0], kind), params, None)
    else:
        raise ParseError("This Sparrow wallet has several keys and no multisig script.")
    birthday = value.get("birthDate")
    milliseconds = birthday // 1000 if type(birthday) is int else None
    return WalletImport(
        "Sparrow",
        (account,),
        clean_name(value.get("name")),
        birthday_time=birthday_of_time(milliseconds)
        or birthday_of_height(value.get("birthHeight"), params),
    )


def _sparrow_threshold(value: Mapping[str, Any]) -> int:
    policy = value.get("defaultPolicy")
    policy = policy.get("miniscript") if isinstance(policy, dict) else None
    text = _text(policy, "script") if isinstance(policy, dict) else ""
    match = re.fullmatch(r"(?:sh\(|wsh\()*(?:sorted)?multi\((\d{1,2})(?:,[^,()]{1,100})*\)+", text)
    if match is None:
        raise ParseError("This Sparrow wallet has a policy that is no plain multisig.")
    return int(match[1])


def _electrum(
    value: Mapping[str, Any], params: ChainParams, kind: DescriptorType | None
) -> WalletImport:
    wallet_type = _text(value, "wallet_type") or "standard"
    match = re.fullmatch(r"(\d{1,2})of(\d{1,2})", wallet_type, re.ASCII)
    if match is not None:
        keys = [_electrum_key(value.get(f"x{n}/"), params) for n in range(1, int(match[2]) + 1)]
        kinds = {key.kind for key in keys if isinstance(key.kind, MultisigType)}
        # An xpub among Electrum's cosigners means plain P2SH.
        script = None if kinds else MultisigType.SH
        account = multisig_account(script, params, int(match[1]), keys)
    elif wallet_type == "standard":
        key = _electrum_key(value.get("keystore"), params)
        if key.kind is None or isinstance(key.kind, MultisigType):
            key = _with_kind(key, DescriptorType.PKH)
        account = single_key_account(key, params, kind)
    else:
        raise ParseError(
            "This Electrum wallet has no master public key (imported addresses or two-factor); it "
            "cannot be watched here."
        )
    return WalletImport("Electrum", (account,), labels=_electrum_labels(value.get("labels")))


def _electrum_key(keystore: Any, params: ChainParams) -> KeyStatement:
    if not isinstance(keystore, dict):
        raise ParseError("This Electrum wallet file lacks a master public key.")
    if keystore.get("type") == "old":
        raise ParseError("Electrum wallets of before version 2 are not supported.")
    fingerprint, path = _text(keystore, "root_fingerprint"), _text(keystore, "derivation")
    text = _text(keystore, "xpub")
    if not text:
        raise ParseError("This Electrum wallet file lacks a master public key.")
    bare = read_key(text, params)
    try:
        origin = read_key(text, params, fingerprint=fingerprint, path=path).origin
    except ParseError:
        origin = None  # one that does not fit the key is worth nothing
    # The form of the key alone says the script in Electrum, whatever the path.
    return KeyStatement(origin, bare.xpub, bare.kind)


def _electrum_labels(labels: Any) -> tuple[tuple[str, str, str], ...]:
    if not isinstance(labels, dict) or len(labels) > MAX_LABELS:
        return ()
    found = []
    for ref, text in labels.items():
        if not isinstance(text, str) or not text or len(ref) > 120:
            continue
        kind = "tx" if re.fullmatch(r"[0-9a-f]{64}", ref, re.ASCII) else "addr"
        if kind == "tx" or re.fullmatch(r"[0-9A-Za-z]{20,100}", ref, re.ASCII):
            found.append((kind, ref, text[:_LONGEST_LABEL]))
    return tuple(found)


def _caravan(
    value: Mapping[str, Any], params: ChainParams, _kind: DescriptorType | None
) -> WalletImport:
    kind = _SCRIPT_NAMES.get(_text(value, "addressType").replace("-", "_"))
    if not isinstance(kind, MultisigType):
        raise ParseError("This Caravan wallet has an address type that is not supported.")
    quorum = value["quorum"]
    required, total = quorum.get("requiredSigners"), quorum.get("totalSigners")
    keys = [
        read_key(
            _text(item, "xpub"),
            params,
            fingerprint=_text(item, "xfp") or _text(item, "rootFingerprint"),
            path=_text(item, "bip32Path"),
        )
        for item in _dicts(value.get("extendedPublicKeys"), 20)
    ]
    if type(required) is not int or total != len(keys):
        raise ParseError("This Caravan file does not have as many keys as its quorum says.")
    account = multisig_account(kind, params, required, keys)
    return WalletImport("Caravan", (account,), clean_name(value.get("name")))


def _device(
    value: Mapping[str, Any], params: ChainParams, kind: DescriptorType | None
) -> WalletImport:
    """The generic JSON of Coldcard, Passport, Keystone and others."""
    purposes = {
        "bip84": DescriptorType.WPKH,
        "bip86": DescriptorType.TR,
        "bip49": DescriptorType.SH_WPKH,
        "bip44": DescriptorType.PKH,
    }
    found = []
    for name, its_kind in purposes.items():
        part = value.get(name)
        if not isinstance(part, dict) or (kind is not None and its_kind is not kind):
            continue
        key = read_key(
            _text(part, "xpub"),
            params,
            fingerprint=_text(value, "xfp"),
            path=_text(part, "deriv"),
        )
        account = single_key_account(_with_kind(key, its_kind), params, None)
        first = _text(part, "first")
        if first and first != account.first_address:
            raise ParseError(
                "A first address in this file is not the one that its key gives: it was changed, "
                "or it is for another network."
            )
        found.append(account)
    if not found:
        raise ParseError("This file has no account of that kind.")
    return WalletImport("hardware wallet", tuple(found))


def _wasabi(
    value: Mapping[str, Any], params: ChainParams, kind: DescriptorType | None
) -> WalletImport:
    """The skeleton of Wasabi and BTCPay, which devices write too."""
    key = read_key(
        _text(value, "ExtPubKey"),
        params,
        fingerprint=_text(value, "MasterFingerprint"),
        path=_text(value, "AccountKeyPath") or "84h/0h/0h",
    )
    # The skeleton is of native SegWit unless the key says otherwise.
    told = key if key.kind is not None else _with_kind(key, DescriptorType.WPKH)
    return WalletImport("Wasabi", (single_key_account(told, params, kind),))


_PURPOSES: Final = ("bip44", "bip49", "bip84", "bip86")

_Value = Mapping[str, Any]
_FORMATS: Final[
    tuple[
        tuple[
            Callable[[_Value], bool],
            Callable[[_Value, ChainParams, DescriptorType | None], WalletImport],
        ],
        ...,
    ]
] = (
    (lambda value: isinstance(value.get("descriptors"), list), _core),
    (lambda value: bool(_text(value, "descriptor") or _text(value, "recv_descriptor")), _specter),
    (lambda value: isinstance(value.get("keystores"), list), _sparrow),
    (lambda value: "wallet_type" in value or isinstance(value.get("keystore"), dict), _electrum),
    (lambda value: isinstance(value.get("quorum"), dict), _caravan),
    (lambda value: any(isinstance(value.get(name), dict) for name in _PURPOSES), _device),
    (lambda value: "ExtPubKey" in value, _wasabi),
)


# --- looking into JSON


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _dicts(value: Any, most: int) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not 0 < len(value) <= most:
        raise ParseError(_UNKNOWN)
    if not all(isinstance(item, dict) for item in value):
        raise ParseError(_UNKNOWN)
    return value


def _refuse_secrets(value: Any, depth: int) -> None:
    if depth > _DEEPEST:
        raise ParseError(_UNKNOWN)
    if isinstance(value, dict):
        for name, item in value.items():
            key = re.sub(r"[^a-z]", "", name.lower())
            if key in _SECRET_NAMES and item not in (None, "", False, [], {}):
                raise SecretsInside(SECRETS_INSIDE)
            _refuse_secrets(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _refuse_secrets(item, depth + 1)
