"""What a PSBT will do, for a person to check before signing.

Nothing that the PSBT claims is believed: an output counts as ours only if its exact script is
derived anew from our own descriptors. The vault calls this with descriptors made from the seed; the
window shows the same with those of the view. The digest binds what was shown to what is signed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.primitives import script
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.hashes import tagged_hash
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.psbt import KeyPath, Psbt, PsbtInput, PsbtOutput
from wallet_gui.primitives.script import ScriptType
from wallet_gui.primitives.serialize import ParseError, var_bytes
from wallet_gui.primitives.sighash import ALL, DEFAULT
from wallet_gui.primitives.transaction import SEQUENCE_RBF, OutPoint
from wallet_gui.wallet.changes import ChainKey, Keychain
from wallet_gui.wallet.draft import MAX_FEE_PERCENT, MAX_FEE_RATE, NOTED_FEE_PERCENT, Frame
from wallet_gui.wallet.errors import WalletError
from wallet_gui.wallet.keychain import LOOKAHEAD, ScriptPlace

UNUSUAL_DISTANCE = 1_000
"""How far beyond the spent coins' indexes change may lie when nothing else is known of a wallet."""

LOCK_TIME_IS_TIME = 500_000_000
"""From here on a lock time is a Unix time, not a height (BIP65)."""

ALREADY_SIGNED = "The payment already carries a signature."
"""A warning; whoever shows who has signed need not show it."""

# With a height or with nothing, and replaceable or not: what wallets use.
_USUAL_SEQUENCES = frozenset({SEQUENCE_RBF, SEQUENCE_RBF + 1, SEQUENCE_RBF + 2})
# A witness with the signature sizes of a foreign single key; only the shown fee rate rests on it.
_FOREIGN_INPUT_WEIGHT = 4 * 41 + 107


class OutputKind(Enum):
    """Where the money of an output goes."""

    PAYMENT = "payment"
    CHANGE = "change"
    OWN = "own"
    OWN_UNUSUAL = "own, unusual"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class ReviewOutput:
    """An output. `address` is "" for a script without one; then `script_pubkey` says it all.

    `place` is set for outputs of ours.
    """

    address: str
    amount_sat: int
    kind: OutputKind
    script_pubkey: bytes
    place: ScriptPlace | None = None

    @property
    def amount(self) -> int:
        return self.amount_sat


@dataclass(frozen=True, slots=True)
class ReviewInput:
    """A coin that is spent; `place` is None when it is not ours."""

    outpoint: OutPoint
    amount_sat: int
    place: ScriptPlace | None


@dataclass(frozen=True, slots=True)
class Review:
    """What the transaction does. Amounts in sat; `payments` are all outputs, in order, by kind.

    `digest` (32 bytes) commits to everything shown here and to the unsigned transaction.
    """

    payments: tuple[ReviewOutput, ...]
    fee_sat: int
    feerate: FeeRate
    vsize: int
    inputs: tuple[ReviewInput, ...]
    total_in: int
    locktime: int
    warnings: tuple[str, ...]
    digest: bytes

    @property
    def outgoing(self) -> tuple[ReviewOutput, ...]:
        """Everything but change, in order: what the person must recognise."""
        return tuple(output for output in self.payments if output.kind is not OutputKind.CHANGE)

    @property
    def sent_sat(self) -> int:
        """What leaves the wallet, the fee not included."""
        foreign = (OutputKind.PAYMENT, OutputKind.DATA)
        return sum(output.amount_sat for output in self.payments if output.kind in foreign)

    @property
    def own_in(self) -> int:
        return sum(coin.amount_sat for coin in self.inputs if coin.place is not None)


def of(
    psbt: Psbt,
    descriptors: Sequence[Descriptor],
    params: ChainParams,
    *,
    known_indexes: Mapping[ChainKey, int] | None = None,
) -> Review:
    """Work out what `psbt` does to the wallet of `descriptors`.

    `known_indexes` are the highest indexes known to be in use, per chain; without them the spent
    coins' own indexes stand in. Raises WalletError for a PSBT whose amounts are not known or
    impossible.
    """
    try:
        psbt.tx.check_sanity()
        fee = psbt.fee()
        inputs = tuple(_input(psbt, index, descriptors) for index in range(len(psbt.inputs)))
    except ParseError as error:
        raise WalletError(
            f"This payment cannot be checked, so it is not signed. {error}"
        ) from error
    limits = _limits(inputs, len(descriptors), known_indexes)
    outputs = tuple(
        _output(psbt, index, descriptors, params, limits) for index in range(len(psbt.outputs))
    )
    vsize = _vsize(psbt, inputs, descriptors)
    feerate = FeeRate.of(fee, vsize)
    warnings = tuple(_warnings(psbt, inputs, outputs, fee, feerate))
    return Review(
        payments=outputs,
        fee_sat=fee,
        feerate=feerate,
        vsize=vsize,
        inputs=inputs,
        total_in=sum(coin.amount_sat for coin in inputs),
        locktime=psbt.tx.lock_time,
        warnings=warnings,
        digest=_digest(psbt, params, inputs, outputs, fee, warnings),
    )


# --- what is ours


def _place(
    claims: Iterator[KeyPath], script_pubkey: bytes, descriptors: Sequence[Descriptor]
) -> ScriptPlace | None:
    # The cosigners' paths of one script name the same place: it is looked at once.
    looked_at = set[tuple[int, int, int]]()
    for claim in claims:
        for descriptor_index, descriptor in enumerate(descriptors):
            for keychain, index in descriptor.places(claim):
                if (descriptor_index, keychain, index) in looked_at:
                    continue
                looked_at.add((descriptor_index, keychain, index))
                # The claim only says where to look; the script decides.
                if descriptor.script_pubkey(index, keychain) == script_pubkey:
                    return ScriptPlace(descriptor_index, Keychain(keychain), index)
    return None


def _claims(part: PsbtInput | PsbtOutput) -> Iterator[KeyPath]:
    yield from part.bip32_derivations.values()
    for _, key_path in part.tap_bip32_derivations.values():
        yield key_path


def _input(psbt: Psbt, index: int, descriptors: Sequence[Descriptor]) -> ReviewInput:
    spent = psbt.utxo(index)
    place = _place(_claims(psbt.inputs[index]), spent.script_pubkey, descriptors)
    return ReviewInput(psbt.tx.inputs[index].prevout, spent.value_sat, place)


def _limits(
    inputs: Sequence[ReviewInput], count: int, known: Mapping[ChainKey, int] | None
) -> dict[ChainKey, int]:
    """Compute the highest index per chain that a restored wallet would find by itself."""
    chain_keys = [(number, keychain) for number in range(count) for keychain in Keychain]
    if known is not None:
        return {key: known.get(key, -1) + LOOKAHEAD for key in chain_keys}
    highest = max((coin.place.index for coin in inputs if coin.place is not None), default=0)
    return dict.fromkeys(chain_keys, highest + UNUSUAL_DISTANCE)


def _output(
    psbt: Psbt,
    index: int,
    descriptors: Sequence[Descriptor],
    params: ChainParams,
    limits: Mapping[ChainKey, int],
) -> ReviewOutput:
    output = psbt.tx.outputs[index]
    place = _place(_claims(psbt.outputs[index]), output.script_pubkey, descriptors)
    if place is not None:
        if place.index > limits[place.chain]:
            kind = OutputKind.OWN_UNUSUAL
        elif place.keychain is Keychain.CHANGE:
            kind = OutputKind.CHANGE
        else:
            kind = OutputKind.OWN
    elif script.is_op_return(output.script_pubkey):
        kind = OutputKind.DATA
    else:
        kind = OutputKind.PAYMENT
    address = address_from_script(output.script_pubkey, params) or ""
    return ReviewOutput(address, output.value_sat, kind, output.script_pubkey, place)


def _vsize(psbt: Psbt, inputs: Sequence[ReviewInput], descriptors: Sequence[Descriptor]) -> int:
    frame = Frame(tuple(descriptors))
    weight = frame.base_weight((o.script_pubkey for o in psbt.tx.outputs), len(inputs))
    for coin in inputs:
        if coin.place is None:
            weight += _FOREIGN_INPUT_WEIGHT
        else:
            weight += frame.input_weight(coin.place.descriptor_index)
    return (weight + 3) // 4


# --- what is worth a warning


def _warnings(
    psbt: Psbt,
    inputs: Sequence[ReviewInput],
    outputs: Sequence[ReviewOutput],
    fee: int,
    feerate: FeeRate,
) -> Iterator[str]:
    yield from _fee_warnings(outputs, fee, feerate)
    foreign = sum(coin.place is None for coin in inputs)
    if foreign == len(inputs):
        yield "None of the coins that are spent belongs to this wallet."
    elif foreign:
        yield f"{foreign} of the {len(inputs)} coins that are spent are not from this wallet."
    yield from _input_warnings(psbt)
    unusual = [o for o in outputs if o.kind is OutputKind.OWN_UNUSUAL]
    for output in unusual:
        yield (
            f"{output.address} is yours, but so far beyond your other addresses that a restored "
            "wallet would not find it by itself."
        )
    if any(output.kind is OutputKind.DATA and output.amount_sat for output in outputs):
        yield "An amount is sent to a data output; nobody can ever spend it."
    if any(script.classify(o.script_pubkey) is ScriptType.WITNESS_UNKNOWN for o in outputs):
        yield "An address is of a kind that has no rules yet; anybody may be able to take it."
    if any(not o.address and o.kind is OutputKind.PAYMENT for o in outputs):
        yield "A payment goes to a script that has no address."
    yield from _time_warnings(psbt)


def _fee_warnings(outputs: Sequence[ReviewOutput], fee: int, feerate: FeeRate) -> Iterator[str]:
    sent = sum(output.amount_sat for output in outputs if output.kind is not OutputKind.CHANGE)
    if feerate > MAX_FEE_RATE:
        yield "The fee rate is above 0.1 BTC per 1000 bytes: far more than ever needed."
    if sent and fee * 100 > sent * MAX_FEE_PERCENT:
        yield f"The fee is more than {MAX_FEE_PERCENT} % of the amount."
    elif sent and fee * 100 > sent * NOTED_FEE_PERCENT:
        yield f"The fee is more than {NOTED_FEE_PERCENT} % of the amount."


def _input_warnings(psbt: Psbt) -> Iterator[str]:
    kinds = [script.classify(psbt.utxo(i).script_pubkey) for i in range(len(psbt.inputs))]
    # Taproot signatures commit to all amounts, older ones only to their own (CVE-2020-14199).
    if any(kind is not ScriptType.P2TR for kind in kinds) and any(
        psbt_input.non_witness_utxo is None for psbt_input in psbt.inputs
    ):
        yield (
            "A previous transaction is missing, so the amounts cannot be proved: "
            "the fee may be higher than shown."
        )
    asked = {psbt_input.sighash_type for psbt_input in psbt.inputs} - {None, ALL, DEFAULT}
    if asked:
        yield "A signature is asked for that leaves parts of the payment open to change."
    if any(p.partial_sigs or p.tap_key_sig or p.is_final for p in psbt.inputs):
        yield ALREADY_SIGNED


def _time_warnings(psbt: Psbt) -> Iterator[str]:
    tx = psbt.tx
    sequences = {tx_in.sequence for tx_in in tx.inputs}
    if not sequences <= _USUAL_SEQUENCES:
        yield "An input has an unusual sequence number; the payment may be held back for a time."
    is_locked = bool(sequences - {0xFFFFFFFF})
    if tx.lock_time >= LOCK_TIME_IS_TIME and is_locked:
        yield "The payment is locked until a date and cannot confirm before."


# --- what binds the screen to the bytes


def _digest(
    psbt: Psbt,
    params: ChainParams,
    inputs: Sequence[ReviewInput],
    outputs: Sequence[ReviewOutput],
    fee: int,
    warnings: Sequence[str],
) -> bytes:
    lines = [params.name, str(fee)]
    lines += [f"{coin.outpoint} {coin.amount_sat} {_where(coin.place)}" for coin in inputs]
    lines += [f"{o.kind.value} {o.amount_sat} {o.address} {_where(o.place)}" for o in outputs]
    shown = b"".join(var_bytes(line.encode()) for line in (*lines, *warnings))
    unsigned = var_bytes(psbt.tx.serialize_stripped())
    return tagged_hash("wallet-gui/review", unsigned + shown)


def _where(place: ScriptPlace | None) -> str:
    if place is None:
        return "-"
    return f"{place.descriptor_index}/{int(place.keychain)}/{place.index}"
