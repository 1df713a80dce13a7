"""What a PSBT is and does, for `psbt inspect`: no wallet is needed, and nothing is believed.

Everything shown is a number, an address worked out here, or hex: a PSBT's own text never reaches
the terminal.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from wallet_gui.descriptors.xpub import format_path
from wallet_gui.primitives import script
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.amount import format_btc
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.psbt import KeyPath, Psbt, PsbtInput, PsbtOutput
from wallet_gui.primitives.script import ScriptType
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import TxIn, TxOut
from wallet_gui.wallet.errors import WalletError
from wallet_gui.wallet.psbt_roles import check_signatures

MAX_PATHS: Final = 20
_SHOWN_LINES: Final = 200


def describe(psbt: Psbt, params: ChainParams) -> dict[str, Any]:
    """Return the document of --json. Amounts in sat; hashes as displayed; scripts in hex."""
    tx = psbt.tx
    problems = _problems(psbt)
    return {
        "version": psbt.version,
        "txid": hash_to_hex(tx.txid),
        "tx_version": tx.version,
        "lock_time": tx.lock_time,
        "modifiable": psbt.modifiable,
        "inputs": [
            _describe_input(psbt, index, tx_input, params)
            for index, tx_input in enumerate(tx.inputs)
        ],
        "outputs": [
            _describe_output(tx_output, psbt_output, params)
            for tx_output, psbt_output in zip(tx.outputs, psbt.outputs, strict=True)
        ],
        "fee": _fee(psbt),
        "fee_is_proven": all(item.non_witness_utxo is not None for item in psbt.inputs),
        "complete": bool(psbt.inputs) and all(item.is_final for item in psbt.inputs),
        "xpubs": len(psbt.xpubs),
        "unknown_records": len(psbt.unknown)
        + sum(len(item.unknown) for item in psbt.inputs)
        + sum(len(item.unknown) for item in psbt.outputs),
        "problems": problems,
    }


def lines(document: dict[str, Any]) -> list[str]:
    """Return the same for people; long lists are cut off, and say so."""
    shown = [f"transaction {document['txid']}", f"version {document['version']} PSBT"]
    if document["lock_time"]:
        shown.append(f"locked until {document['lock_time']}")
    shown += map(_input_line, document["inputs"])
    for item in document["outputs"]:
        where = item["address"] or item["script"][:100]
        shown.append(f"pays    {format_btc(item['amount'])} BTC  {where}")
    if len(shown) > _SHOWN_LINES:
        left = len(shown) - _SHOWN_LINES
        shown = [*shown[:_SHOWN_LINES], f"and {left} more inputs or outputs; --json shows all"]
    fee = document["fee"]
    if fee is None:
        shown.append("fee     not known")
    else:
        doubt = (
            "" if document["fee_is_proven"] else "  not proven: a previous transaction is missing"
        )
        shown.append(f"fee     {format_btc(fee)} BTC{doubt}")
    shown += [f"problem {sentence}" for sentence in document["problems"]]
    return shown


def _input_line(item: dict[str, Any]) -> str:
    amount = "unknown amount" if item["amount"] is None else f"{format_btc(item['amount'])} BTC"
    if item["final"]:
        state = "final"
    elif item["required_signatures"] is None:
        state = f"{item['signatures']} signatures"
    else:
        state = f"{item['signatures']} of {item['required_signatures']} signatures"
    return f"spends  {item['txid']}:{item['output']}  {amount}  {state}"


def _describe_input(psbt: Psbt, index: int, tx_input: TxIn, params: ChainParams) -> dict[str, Any]:
    psbt_input = psbt.inputs[index]
    coin = _coin(psbt, index)
    return {
        "txid": hash_to_hex(tx_input.prevout.txid),
        "output": tx_input.prevout.vout,
        "sequence": tx_input.sequence,
        "amount": None if coin is None else coin.value_sat,
        "address": None if coin is None else address_from_script(coin.script_pubkey, params),
        "script": None if coin is None else coin.script_pubkey.hex(),
        "kind": None if coin is None else script.classify(coin.script_pubkey).value,
        "signatures": len(psbt_input.partial_sigs) + (psbt_input.tap_key_sig is not None),
        "required_signatures": None if coin is None else _required(psbt_input, coin),
        "hash_type": psbt_input.sighash_type,
        "previous_transaction": psbt_input.non_witness_utxo is not None,
        "final": psbt_input.is_final,
        "keys": _keys(psbt_input),
    }


def _describe_output(
    tx_output: TxOut, psbt_output: PsbtOutput, params: ChainParams
) -> dict[str, Any]:
    return {
        "address": address_from_script(tx_output.script_pubkey, params),
        "script": tx_output.script_pubkey.hex(),
        "kind": script.classify(tx_output.script_pubkey).value,
        "amount": tx_output.value_sat,
        "keys": _keys(psbt_output),
    }


def _keys(part: PsbtInput | PsbtOutput) -> list[str]:
    """Return what the PSBT claims about keys, as fingerprint and path: hints, not facts."""
    claims = [*part.bip32_derivations.values()]
    claims += [key_path for _, key_path in part.tap_bip32_derivations.values()]
    return [_key(claim) for claim in claims[:MAX_PATHS]]


def _key(claim: KeyPath) -> str:
    steps = format_path(claim.path[:255])
    return f"{claim.fingerprint.hex()}/{steps}" if steps else claim.fingerprint.hex()


def _coin(psbt: Psbt, index: int) -> TxOut | None:
    try:
        return psbt.utxo(index)
    except ParseError:
        return None


def _required(psbt_input: PsbtInput, coin: TxOut) -> int | None:
    kind = script.classify(coin.script_pubkey)
    inner = psbt_input.witness_script or psbt_input.redeem_script
    if inner is not None and (asked := script.parse_multisig(inner)) is not None:
        return asked[0]
    nested = inner is not None and script.classify(inner) is ScriptType.P2WPKH
    single = kind in (ScriptType.P2PKH, ScriptType.P2WPKH, ScriptType.P2TR)
    return 1 if single or nested else None


def _fee(psbt: Psbt) -> int | None:
    try:
        return psbt.fee()
    except ParseError:
        return None


def _problems(psbt: Psbt) -> list[str]:
    """Return what somebody who is asked to sign or send this should know."""
    found = []
    checks: tuple[Callable[[], object], ...] = (
        psbt.tx.check_sanity,
        psbt.fee,
        partial(check_signatures, psbt),
    )
    for check in checks:
        try:
            check()
        except (ParseError, WalletError) as error:
            if str(error) not in found:
                found.append(str(error))
    return found
