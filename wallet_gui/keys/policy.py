"""What a PSBT must be like before it is signed.

The rules are those that have cost coins elsewhere: amounts that cannot be trusted (CVE-2020-14199),
unusual signature hash types, change that is not ours, absurd fees, another network. Nothing that
the PSBT claims is believed: scripts are derived again, amounts are taken from previous
transactions whose ids are checked. Each rule refuses with one sentence for a person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType
from wallet_gui.descriptors.xpub import HARDENED
from wallet_gui.keys.accounts import COSIGNER_PURPOSE, PURPOSE
from wallet_gui.keys.errors import PolicyRefused
from wallet_gui.keys.ownership import Ownership, OwnScript, key_paths
from wallet_gui.primitives.amount import MAX_MONEY, format_btc
from wallet_gui.primitives.hashes import tagged_hash
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.psbt import KeyPath, Psbt, PsbtInput, PsbtOutput
from wallet_gui.primitives.script import ScriptType, classify
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.sighash import ALL, DEFAULT
from wallet_gui.primitives.transaction import TxOut

MAX_FEE_SAT_PER_KVB: Final = 10_000_000
"""0.1 BTC/kvB, Bitcoin Core's default -maxtxfee rate (node/transaction.h)."""

MAX_FEE_PERCENT: Final = 25
LOOKAHEAD: Final = 100
"""How far above the highest known index change may lie: the watch set's reach."""

UNKNOWN_REACH: Final = 1_000
"""The same above the spent coins' indexes, when no index is known."""

_PURPOSES: Final = frozenset(
    purpose + HARDENED for purpose in (*PURPOSE.values(), COSIGNER_PURPOSE)
)
_LOCK_TIME_IS_TIME: Final = 500_000_000
_SEQUENCE_DISABLES_DELAY: Final = 1 << 31
_FINAL: Final = 0xFFFFFFFF
_BLOCK_SECONDS: Final = 600
_FASTER_PERCENT: Final = 6
_BLOCKS_OF_A_WEEK: Final = 1_008
_INPUT_SIZE: Final = 41  # outpoint, sequence, length of the empty script


class OutputKind(Enum):
    """Where the money of an output goes."""

    PAYMENT = "payment"
    CHANGE = "change"
    OWN = "own"
    OWN_UNUSUAL = "own, unusual"  # ours, but at an index that the wallet would not look at
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the person, or the wallet's state, allows.

    `known_indexes` maps (descriptor number, keychain) to the highest index in use; only the
    classification of our own outputs rests on it. `fee_confirmed` lifts the fee limits: the person
    has typed the amount. `approved_digest` is `digest` of what was shown. `latest_height` is the
    highest block that there can be by now; a payment locked beyond it is warned of.
    """

    known_indexes: Mapping[tuple[int, int], int] | None = None
    fee_confirmed: bool = False
    allow_foreign_inputs: bool = False
    approved_digest: bytes | None = None
    latest_height: int | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """What was worked out about a PSBT that keeps the rules; amounts in sat.

    `inputs` holds None where an input is not ours, `spent` what each input spends, `outputs` the
    kind of each output; `payments_sat` is what leaves the wallet, the fee not included;
    `warnings` are sentences about what is unusual but allowed.
    """

    inputs: tuple[OwnScript | None, ...]
    spent: tuple[TxOut, ...]
    outputs: tuple[OutputKind, ...]
    fee_sat: int
    vsize: int
    payments_sat: int
    warnings: tuple[str, ...]


def check(
    psbt: Psbt, descriptors: Sequence[Descriptor], params: ChainParams, limits: Limits | None = None
) -> None:
    """Raise PolicyRefused unless `psbt` keeps every rule; see `assess`."""
    assess(psbt, descriptors, params, limits)


def assess(
    psbt: Psbt, descriptors: Sequence[Descriptor], params: ChainParams, limits: Limits | None = None
) -> Assessment:
    """Check every rule and return what the PSBT does; raise PolicyRefused with one sentence.

    `descriptors` are ours, derived from the seed by the caller.
    """
    limits = Limits() if limits is None else limits
    _check_network(psbt, descriptors, params)
    _check_cosigners(psbt, descriptors)
    _check_shape(psbt)
    spent = _spent_outputs(psbt)
    _check_previous_transactions(psbt, spent)
    for number, psbt_input in enumerate(psbt.inputs, start=1):
        _check_hash_types(psbt_input, number)
    ownership = Ownership(descriptors)
    inputs = tuple(_own_input(psbt, index, spent, ownership) for index in range(len(spent)))
    _check_owners(inputs, limits)
    fee = _fee(psbt, spent)
    outputs, claims = _classify_outputs(psbt, inputs, ownership, limits)
    amounts = [output.value_sat for output in psbt.tx.outputs]
    paid = sum(
        amount
        for amount, kind in zip(amounts, outputs, strict=True)
        if kind in (OutputKind.PAYMENT, OutputKind.DATA)
    )
    vsize = _vsize(psbt, inputs, descriptors)
    if not limits.fee_confirmed:
        _check_fee(fee, vsize, paid or sum(amounts))
    if limits.approved_digest is not None and limits.approved_digest != digest(psbt):
        raise PolicyRefused(
            "This is not the transaction that was shown. Nothing was signed; start the payment "
            "again."
        )
    warnings = (*claims, *_timing_warnings(psbt, limits.latest_height))
    return Assessment(inputs, spent, outputs, fee, vsize, paid, warnings)


def digest(psbt: Psbt) -> bytes:
    """Return 32 bytes that commit to all that signing depends on.

    Covered are the unsigned transaction, what each input spends, and the asked-for hash types.
    Raises PolicyRefused when a spent output is not known.
    """
    parts = [psbt.tx.serialize_stripped()]
    for psbt_input, output in zip(psbt.inputs, _spent_outputs(psbt), strict=True):
        hash_type = psbt_input.sighash_type
        parts.append(output.serialize())
        parts.append(
            b"\xff" * 5 if hash_type is None else b"\x00" + hash_type.to_bytes(4, "little")
        )
    return tagged_hash("wallet-gui/approved", b"".join(parts))


def _check_network(psbt: Psbt, descriptors: Sequence[Descriptor], params: ChainParams) -> None:
    coin = params.coin_type + HARDENED
    for descriptor in descriptors:
        paths = [key.origin.path for key in descriptor.keys if key.origin is not None]
        wrong_coin = any(
            len(path) > 1 and path[0] in _PURPOSES and path[1] != coin for path in paths
        )
        if descriptor.params.name != params.name or wrong_coin:
            raise PolicyRefused(f"This wallet's keys are not for {params.name}.")
    fingerprints = {fingerprint for d in descriptors for fingerprint in d.fingerprints}
    parts: list[PsbtInput | PsbtOutput] = [*psbt.inputs, *psbt.outputs]
    for hint in (hint for part in parts for hint in key_paths(part)):
        if hint.fingerprint in fingerprints and len(hint.path) > 1:
            purpose, hinted_coin = hint.path[:2]
            if purpose in _PURPOSES and hinted_coin != coin:
                raise PolicyRefused(
                    f"This transaction was made for another network than {params.name}."
                )


def _check_cosigners(psbt: Psbt, descriptors: Sequence[Descriptor]) -> None:
    """Refuse a PSBT that names another extended key for a cosigner than the agreed one."""
    agreed = {
        KeyPath(key.origin.fingerprint, key.origin.path): key.key
        for descriptor in descriptors
        if descriptor.is_multisig
        for key in descriptor.keys
        if key.origin is not None and not isinstance(key.key, bytes)
    }
    for raw, path in psbt.xpubs.items():
        known = agreed.get(path)
        # Chain code and public key; what comes before may be written in several ways.
        if known is not None and raw[13:] != known.chain_code + known.public_key:
            raise PolicyRefused(
                "This transaction names another key for a cosigner than the wallet's. Nothing was "
                "signed; compare the cosigners' keys."
            )


def _check_shape(psbt: Psbt) -> None:
    tx = psbt.tx
    if len(psbt.inputs) != len(tx.inputs) or len(psbt.outputs) != len(tx.outputs):
        raise PolicyRefused("The PSBT does not describe each input and output of its transaction.")
    if not tx.inputs or not tx.outputs:
        raise PolicyRefused("The transaction has no inputs or no outputs.")
    if any(tx_input.script_sig or tx_input.witness for tx_input in tx.inputs):
        raise PolicyRefused("The transaction inside the PSBT already carries signatures.")
    if len({tx_input.prevout for tx_input in tx.inputs}) != len(tx.inputs):
        raise PolicyRefused("The transaction spends the same coin twice.")
    if any(tx_input.prevout.is_null for tx_input in tx.inputs):
        raise PolicyRefused("The transaction claims to be newly mined coins.")
    amounts = [output.value_sat for output in tx.outputs]
    if any(not 0 <= amount <= MAX_MONEY for amount in amounts) or sum(amounts) > MAX_MONEY:
        raise PolicyRefused("The transaction pays out more than the 21 million BTC that exist.")


def _spent_outputs(psbt: Psbt) -> tuple[TxOut, ...]:
    spent = []
    for index, (tx_input, psbt_input) in enumerate(zip(psbt.tx.inputs, psbt.inputs, strict=True)):
        previous = psbt_input.non_witness_utxo
        if previous is not None and previous.txid != tx_input.prevout.txid:
            raise PolicyRefused(
                f"Input {index + 1} comes with another transaction than the one it spends."
            )
        try:
            spent.append(psbt.utxo(index))
        except ParseError as error:
            raise PolicyRefused(
                f"What input {index + 1} spends is missing or contradicts itself: {error}"
            ) from error
    if sum(output.value_sat for output in spent) > MAX_MONEY:
        raise PolicyRefused("The transaction spends more than the 21 million BTC that exist.")
    return tuple(spent)


def _check_previous_transactions(psbt: Psbt, spent: Sequence[TxOut]) -> None:
    # A taproot signature commits to the amounts of all inputs; others only to their own or none.
    # So amounts without proof are harmless only if every input is taproot.
    if all(classify(output.script_pubkey) is ScriptType.P2TR for output in spent):
        return
    for number, psbt_input in enumerate(psbt.inputs, start=1):
        if psbt_input.non_witness_utxo is None:
            raise PolicyRefused(
                f"Input {number} comes without its previous transaction, so its amount could be a "
                "lie that hides a huge fee. Export the transaction again, with previous "
                "transactions included."
            )


def _check_hash_types(psbt_input: PsbtInput, number: int) -> None:
    asked = psbt_input.sighash_type
    signatures = list(psbt_input.partial_sigs.values())
    schnorr = psbt_input.tap_key_sig
    usual = (
        asked in (None, ALL, DEFAULT)
        and all(signature[-1] == ALL for signature in signatures)
        and (schnorr is None or len(schnorr) == 64 or schnorr[-1] == ALL)
    )
    if not usual:
        raise PolicyRefused(
            f"Input {number} asks for a signature that would let others change the transaction "
            "(its hash type is not ALL)."
        )


def _own_input(
    psbt: Psbt, index: int, spent: Sequence[TxOut], ownership: Ownership
) -> OwnScript | None:
    psbt_input = psbt.inputs[index]
    hints = key_paths(psbt_input)
    own = ownership.find(spent[index].script_pubkey, hints)
    if own is None:
        if ownership.is_claimed(hints):
            raise PolicyRefused(
                f"Input {index + 1} claims to be this wallet's, but its script does not come from "
                "the wallet's keys."
            )
        return None
    kind = ownership.descriptors[own.descriptor_index].type
    if psbt_input.sighash_type == DEFAULT and kind is not DescriptorType.TR:
        raise PolicyRefused(
            f"Input {index + 1} asks for a signature that only taproot coins can have."
        )
    _check_scripts_and_paths(psbt_input, own, f"Input {index + 1}")
    return own


def _check_scripts_and_paths(part: PsbtInput | PsbtOutput, own: OwnScript, where: str) -> None:
    derived = own.derived
    if part.witness_script not in (None, derived.witness_script) or part.redeem_script not in (
        None,
        derived.redeem_script,
    ):
        raise PolicyRefused(f"{where} comes with a script that is not this wallet's.")
    if not derived.is_multisig:
        return
    for public_key, path in derived.keys:
        claimed = part.bip32_derivations.get(public_key, path)
        if claimed.fingerprint == path.fingerprint and claimed != path:
            raise PolicyRefused(
                f"{where} names another path for a cosigner's key than the wallet's. Make the "
                "payment again from the wallet that all cosigners agreed on."
            )


def _check_owners(inputs: Sequence[OwnScript | None], limits: Limits) -> None:
    foreign = [str(number) for number, own in enumerate(inputs, start=1) if own is None]
    if len(foreign) == len(inputs):
        raise PolicyRefused("None of the coins that this transaction spends is this wallet's.")
    if foreign and not limits.allow_foreign_inputs:
        raise PolicyRefused(
            f"The transaction also spends coins of somebody else, as input {foreign[0]}. "
            "Transactions with other people's coins are not signed."
        )


def _fee(psbt: Psbt, spent: Sequence[TxOut]) -> int:
    fee = sum(output.value_sat for output in spent) - sum(
        output.value_sat for output in psbt.tx.outputs
    )
    if fee < 0:
        raise PolicyRefused("The transaction pays out more than it spends.")
    return fee


def _check_fee(fee: int, vsize: int, amount: int) -> None:
    if fee * 1000 > MAX_FEE_SAT_PER_KVB * vsize:
        raise PolicyRefused(
            f"The fee of {format_btc(fee)} BTC is absurdly high for a transaction of this size. "
            "Lower the fee, or confirm it by typing the amount."
        )
    if fee * 100 > MAX_FEE_PERCENT * amount:
        raise PolicyRefused(
            f"The fee of {format_btc(fee)} BTC is more than {MAX_FEE_PERCENT} % of the amount. "
            "Lower the fee, or confirm it by typing the amount."
        )


def _classify_outputs(
    psbt: Psbt, inputs: Sequence[OwnScript | None], ownership: Ownership, limits: Limits
) -> tuple[tuple[OutputKind, ...], list[str]]:
    kinds = []
    claims = []
    for number, (tx_output, psbt_output) in enumerate(
        zip(psbt.tx.outputs, psbt.outputs, strict=True), start=1
    ):
        hints = key_paths(psbt_output)
        own = ownership.find(tx_output.script_pubkey, hints)
        if own is not None:
            if own.derived.is_multisig:
                _check_scripts_and_paths(psbt_output, own, f"Output {number}")
            kinds.append(_own_kind(own, inputs, limits))
        elif classify(tx_output.script_pubkey) is ScriptType.NULL_DATA:
            kinds.append(OutputKind.DATA)
        else:
            kinds.append(OutputKind.PAYMENT)
        if own is None and ownership.is_claimed(hints):
            if ownership.is_shared:
                # Cosigners' devices may take the claim for change: nobody should sign it.
                raise PolicyRefused(
                    f"Output {number} claims to come back to this wallet, but its script is not "
                    "the one of the wallet's cosigners. Nothing was signed."
                )
            claims.append(
                f"Output {number} claims to come back to this wallet, but it does not: it is a "
                "payment to somebody else."
            )
    return tuple(kinds), claims


def _own_kind(own: OwnScript, inputs: Sequence[OwnScript | None], limits: Limits) -> OutputKind:
    if limits.known_indexes is None:
        spent = [coin.index for coin in inputs if coin is not None]
        reach = max(spent, default=-1) + UNKNOWN_REACH
    else:
        known = limits.known_indexes.get((own.descriptor_index, own.keychain), -1)
        reach = known + LOOKAHEAD
    if own.index > reach:
        return OutputKind.OWN_UNUSUAL
    return OutputKind.CHANGE if own.keychain == 1 else OutputKind.OWN


def _vsize(
    psbt: Psbt, inputs: Sequence[OwnScript | None], descriptors: Sequence[Descriptor]
) -> int:
    # Inputs that are not ours count as if they had no signature: the rate errs to the high side.
    spending = [descriptors[own.descriptor_index] for own in inputs if own is not None]
    weight = 4 * psbt.tx.stripped_size
    weight += sum(descriptor.input_weight - 4 * _INPUT_SIZE for descriptor in spending)
    with_witness = sum(descriptor.has_witness for descriptor in spending)
    if with_witness:
        # Marker and flag, and an empty witness for each input without one.
        weight += 2 + len(spending) - with_witness
    return (weight + 3) // 4


def latest_height(params: ChainParams, now: int) -> int | None:
    """Return a height that the chain has surely not passed at the Unix time `now`.

    Blocks come up to some per cent faster than every ten minutes while hash rate grows (5 % over
    mainnet's first fifteen years). None where a test network's blocks keep no such pace.
    """
    if params.no_retargeting or params.allow_min_difficulty:
        return None
    begin = int.from_bytes(params.genesis_header[68:72], "little")
    planned = max(0, now - begin) // _BLOCK_SECONDS
    return planned * (100 + _FASTER_PERCENT) // 100 + _BLOCKS_OF_A_WEEK


def _timing_warnings(psbt: Psbt, highest: int | None) -> list[str]:
    tx = psbt.tx
    warnings = []
    is_locked = any(tx_input.sequence != _FINAL for tx_input in tx.inputs)
    if tx.lock_time >= _LOCK_TIME_IS_TIME:
        warnings.append("The transaction is valid only from a certain date on.")
    elif highest is not None and tx.lock_time > highest and is_locked:
        warnings.append(
            f"The payment is locked until block {tx.lock_time} and cannot confirm before; that "
            "block is still far away."
        )
    delayed = tx.version >= 2 and any(
        not tx_input.sequence & _SEQUENCE_DISABLES_DELAY for tx_input in tx.inputs
    )
    if delayed:
        warnings.append("The transaction is valid only some time after its coins were received.")
    return warnings
