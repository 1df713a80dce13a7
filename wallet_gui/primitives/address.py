"""Addresses: from the text that people exchange to the script that is paid, and back.

A witness address of a version without rules yet (2 to 16, or 1 with a program that is not 32
bytes) is accepted, as BIP350 asks of senders; `script.classify` tells those who want to warn.
"""

from wallet_gui.primitives import base58, bech32, script
from wallet_gui.primitives.params import NETWORKS, ChainParams
from wallet_gui.primitives.script import ScriptType
from wallet_gui.primitives.serialize import ParseError

_LIGHTNING_PREFIXES = ("lnbc", "lntb", "lnsb", "lno1", "lnurl")
_SILENT_PAYMENT_PREFIXES = ("sp1", "tsp1")


def script_from_address(text: str, params: ChainParams) -> bytes:
    """Return the output script that pays to an address of the given network.

    Raises `ParseError` with a sentence for a person: what is wrong, and where the text is
    recognised as something else (an address of another network, a Lightning invoice, a key),
    which.
    """
    if not text:
        raise ParseError("The address is missing.")
    lower = text[:12].lower()
    if lower.startswith(_LIGHTNING_PREFIXES):
        raise ParseError(
            "This is for Lightning, which this wallet does not pay; ask for a Bitcoin address."
        )
    if lower.startswith(_SILENT_PAYMENT_PREFIXES):
        raise ParseError(
            "This is a silent payment address, which this wallet cannot pay; "
            "ask for a usual Bitcoin address."
        )
    if any(lower.startswith(network.bech32_hrp + "1") for network in NETWORKS.values()):
        return _script_from_segwit(text, params)
    return _script_from_base58(text, params)


def _script_from_segwit(text: str, params: ChainParams) -> bytes:
    try:
        hrp = bech32.decode(text)[0]
        version, program = bech32.decode_segwit(hrp, text)
    except ParseError as error:
        raise ParseError(f"This is not a valid address. {error}") from None
    if hrp != params.bech32_hrp:
        owners = [name for name, network in NETWORKS.items() if network.bech32_hrp == hrp]
        raise _wrong_network(owners, params)
    return script.witness_program(version, program)


def _script_from_base58(text: str, params: ChainParams) -> bytes:
    try:
        payload = base58.decode_check(text)
    except ParseError as error:
        if _is_foreign_bech32(text):
            raise _foreign() from None
        raise ParseError(f"This is not a valid address. {error}") from None
    _refuse_keys(payload)
    if len(payload) != 21:
        raise ParseError("This is not a Bitcoin address; ask the recipient for it again.")
    version, destination = payload[0], payload[1:]
    if version == params.p2pkh_version:
        return script.p2pkh(destination)
    if version == params.p2sh_version:
        return script.p2sh(destination)
    owners = [
        name
        for name, network in NETWORKS.items()
        if version in (network.p2pkh_version, network.p2sh_version)
    ]
    if owners:
        raise _wrong_network(owners, params)
    raise _foreign()


def _is_foreign_bech32(text: str) -> bool:
    try:
        bech32.decode(text)
    except ParseError:
        return False
    return True


def _foreign() -> ParseError:
    return ParseError("This is not a Bitcoin address; perhaps it belongs to another currency.")


def _refuse_keys(payload: bytes) -> None:
    if len(payload) in (33, 34) and any(payload[0] == n.wif_version for n in NETWORKS.values()):
        raise ParseError("This is a private key, not an address. Never show it to anybody.")
    if len(payload) == 78:
        if any(payload[:4] == network.xprv_version for network in NETWORKS.values()):
            raise ParseError(
                "This is an extended private key, not an address. Never show it to anybody."
            )
        raise ParseError("This is an extended key, not an address; ask for a single address.")


def _wrong_network(owners: list[str], params: ChainParams) -> ParseError:
    names = " or ".join((", ".join(owners[:-1]), owners[-1]) if owners[1:] else owners)
    return ParseError(f"This address belongs to {names}, but this wallet is on {params.name}.")


def address_from_script(script_pubkey: bytes, params: ChainParams) -> str | None:
    """Return the address of an output script, None when it has none (bare keys, data)."""
    match script.classify(script_pubkey):
        case ScriptType.P2PKH:
            return base58.encode_check(bytes((params.p2pkh_version,)) + script_pubkey[3:23])
        case ScriptType.P2SH:
            return base58.encode_check(bytes((params.p2sh_version,)) + script_pubkey[2:22])
        case ScriptType.P2WPKH | ScriptType.P2WSH | ScriptType.P2TR | ScriptType.WITNESS_UNKNOWN:
            witness = script.parse_witness_program(script_pubkey)
            return bech32.encode_segwit(params.bech32_hrp, *witness) if witness else None
        case _:
            return None
