"""Signed messages: what is signed, how signatures are written, and whether one holds.

Legacy signatures recover a public key (BIP137, with the header bytes that Bitcoin Core, Electrum
and Trezor write); those of BIP322 (2.0.0) sign a virtual transaction that spends a virtual output
of the address. There is no script interpreter here: what the scripts of our wallets do not cover
is inconclusive, never valid.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Final

from wallet_gui.curve import CurveError, ecdsa_recover, uncompressed
from wallet_gui.descriptors.descriptor import DescriptorType, MultisigType
from wallet_gui.primitives import script, sighash
from wallet_gui.primitives.address import script_from_address
from wallet_gui.primitives.hashes import hash160, sha256, sha256d, tagged_hash
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.script import ScriptType
from wallet_gui.primitives.serialize import ParseError, compact_size, var_bytes
from wallet_gui.primitives.transaction import (
    OutPoint,
    Transaction,
    TxIn,
    TxOut,
    bounded_read,
    read_witness,
)
from wallet_gui.wallet.signatures import Verdict, check_input, hash_types

MAX_SIGNATURE: Final = 200_000
"""Characters of a signature that are looked at: a proof of funds over hundreds of coins."""
MAX_CHECKED: Final = 1_000_000
"""Characters of a message that is verified."""

_MAGIC: Final = b"Bitcoin Signed Message:\n"
_TAG: Final = "BIP0322-signed-message"
_SIMPLE, _FULL, _FUNDS = "smp", "ful", "pof"
_NULL: Final = OutPoint(bytes(32), 0xFFFFFFFF)
_OUTPUTS: Final = (TxOut(0, bytes((script.OP_RETURN,))),)
_RECOVERABLE_SIZE: Final = 65
_FIRST_HEADER, _LAST_HEADER = 27, 42
_ACCEPTED: Final = frozenset({sighash.ALL, sighash.DEFAULT})
_TIME_LOCKS_FROM: Final = 500_000_000
_SEQUENCE_OFF, _SEQUENCE_SECONDS, _SEQUENCE_MASK = 1 << 31, 1 << 22, 0xFFFF


class MessageFormat(StrEnum):
    """How a signature is written."""

    LEGACY = "legacy"
    """65 bytes from which the key is recovered (BIP137)."""
    SIMPLE = "simple"
    """The witness alone (BIP322)."""
    FULL = "full"
    """The whole virtual transaction (BIP322)."""


_FORMATS: Final[dict[DescriptorType | MultisigType, tuple[MessageFormat, ...]]] = {
    DescriptorType.PKH: (MessageFormat.LEGACY, MessageFormat.FULL),
    DescriptorType.SH_WPKH: (MessageFormat.LEGACY, MessageFormat.FULL),
    DescriptorType.WPKH: (MessageFormat.SIMPLE, MessageFormat.LEGACY, MessageFormat.FULL),
    DescriptorType.TR: (MessageFormat.SIMPLE, MessageFormat.FULL),
    MultisigType.WSH: (MessageFormat.SIMPLE, MessageFormat.FULL),
    MultisigType.SH_WSH: (MessageFormat.FULL,),
    MultisigType.SH: (MessageFormat.FULL,),
}


def formats_for(kind: DescriptorType | MultisigType) -> tuple[MessageFormat, ...]:
    """Return the formats in which an address of that kind can sign, the usual one first."""
    return _FORMATS[kind]


class MessageVerdict(Enum):
    VALID = "valid"
    INVALID = "invalid"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class MessageCheck:
    """What the check of a signature found, with one sentence for a person.

    `lock_time` and `sequence` are the "time T and age S" of BIP322; 0 for all but FULL.
    """

    verdict: MessageVerdict
    sentence: str
    lock_time: int = 0
    sequence: int = 0


# --- what is signed


def encoded(message: str) -> bytes:
    """Return the bytes that are signed (UTF-8, nothing changed). Raises ParseError."""
    try:
        return message.encode()
    except UnicodeEncodeError:
        raise ParseError("The message has characters that are not valid Unicode.") from None


def legacy_digest(message: str) -> bytes:
    """Return the digest (32 bytes) of BIP137. Source: Core common/signmessage.cpp MessageHash."""
    return sha256d(var_bytes(_MAGIC) + var_bytes(encoded(message)))


def message_hash(message: str) -> bytes:
    """Return the tagged hash (32 bytes) of BIP322."""
    return tagged_hash(_TAG, encoded(message))


def to_spend(message: str, script_pubkey: bytes) -> Transaction:
    """Return the virtual transaction whose output the signature spends (BIP322)."""
    script_sig = bytes((script.OP_0,)) + script.push(message_hash(message))
    spent = TxIn(_NULL, script_sig, sequence=0)
    return Transaction(0, (spent,), (TxOut(0, script_pubkey),), 0)


def to_sign(spent: Transaction) -> Transaction:
    """Return the virtual transaction that is signed, without its signature (BIP322)."""
    return Transaction(0, (TxIn(OutPoint(spent.txid, 0), sequence=0),), _OUTPUTS, 0)


# --- how it is written


def write_legacy(kind: DescriptorType, recovery_id: int, compact: bytes) -> str:
    """Write a recoverable signature of a compressed key, with the header byte of BIP137."""
    first = {DescriptorType.PKH: 31, DescriptorType.SH_WPKH: 35, DescriptorType.WPKH: 39}[kind]
    return base64.b64encode(bytes((first + recovery_id,)) + compact).decode()


def write_simple(tx: Transaction) -> str:
    """Write the witness of the signed virtual transaction."""
    witness = tx.inputs[0].witness
    data = compact_size(len(witness)) + b"".join(map(var_bytes, witness))
    return _SIMPLE + base64.b64encode(data).decode()


def write_full(tx: Transaction) -> str:
    """Write the whole signed virtual transaction."""
    return _FULL + base64.b64encode(tx.serialize()).decode()


# --- whether it holds


def verify(address: str, message: str, signature: str, params: ChainParams) -> MessageCheck:
    """Judge a signature in any of the formats; blanks and line ends around it are forgiven.

    Raises ParseError with a sentence for an address that is none of this network, and for a
    message or signature that is too long to be one.
    """
    script_pubkey = script_from_address(address.strip(), params)
    if len(message) > MAX_CHECKED:
        raise ParseError("This message is too long to be checked.")
    text = "".join(signature.split())
    if not text:
        raise ParseError("The signature is missing.")
    if len(text) > MAX_SIGNATURE:
        raise ParseError("This is too long to be the signature of a message.")
    try:
        return _judged(script_pubkey, message, text)
    except ParseError as error:
        return _invalid(f"This is not a signature of a message. {error}")


def _judged(script_pubkey: bytes, message: str, text: str) -> MessageCheck:
    prefix, rest = text[:3], text[3:]
    if prefix == _SIMPLE:
        return _check_simple(script_pubkey, message, _read_witness(_from_base64(rest)))
    if prefix == _FULL:
        return _check_full(script_pubkey, message, Transaction.parse(_from_base64(rest)))
    if prefix == _FUNDS:
        return _check_funds(script_pubkey, message, Psbt.parse(rest))
    data = _from_base64(text)
    if len(data) == _RECOVERABLE_SIZE and _FIRST_HEADER <= data[0] <= _LAST_HEADER:
        return _check_legacy(script_pubkey, message, data)
    # Before 2.0.0 nothing told the two forms of BIP322 apart.
    try:
        witness = _read_witness(data)
    except ParseError:
        return _check_full(script_pubkey, message, Transaction.parse(data))
    return _check_simple(script_pubkey, message, witness)


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ParseError("It is not complete, or not base64; copy it again.") from None


def _read_witness(data: bytes) -> tuple[bytes, ...]:
    witness, position = bounded_read(read_witness, data, 0)
    if position != len(data):
        raise ParseError("Its length does not fit what it says.")
    return witness


def _check_legacy(script_pubkey: bytes, message: str, data: bytes) -> MessageCheck:
    header, compact = data[0], data[1:]
    kind = script.classify(script_pubkey)
    if kind not in {ScriptType.P2PKH, ScriptType.P2SH, ScriptType.P2WPKH}:
        return _invalid(
            "Signatures of this kind (BIP137) are for addresses of a single key that begin with 1, "
            "3 or bc1q; ask for one by BIP322."
        )
    try:
        key = ecdsa_recover(legacy_digest(message), (header - _FIRST_HEADER) & 3, compact)
    except CurveError:
        return _invalid()
    candidates = _legacy_scripts(header, key)
    if script_pubkey in candidates:
        return MessageCheck(MessageVerdict.VALID, _VALID)
    if kind is ScriptType.P2SH and header < 39 and header > 30:
        return _invalid(_NOT_EXACT + " An address of several keys cannot sign like this at all.")
    return _invalid()


def _legacy_scripts(header: int, key: bytes) -> tuple[bytes, ...]:
    """Return the scripts for which a header byte may stand, with the key that was recovered.

    27 to 30: uncompressed. 31 to 34: compressed, and what Core, Electrum and Trezor write for
    addresses of segwit too. 35 to 38 and 39 to 42: those of BIP137, one for each kind.
    """
    key_hash = hash160(key)
    program = script.p2wpkh(key_hash)
    nested = script.p2sh(hash160(program))
    if header < 31:
        return (script.p2pkh(hash160(uncompressed(key))),)
    if header < 35:
        return (script.p2pkh(key_hash), nested, program)
    return (nested,) if header < 39 else (program,)


def _check_simple(script_pubkey: bytes, message: str, witness: tuple[bytes, ...]) -> MessageCheck:
    spent = to_spend(message, script_pubkey)
    unsigned = to_sign(spent)
    script_sig = b""
    if script.classify(script_pubkey) is ScriptType.P2SH and witness:
        # The first versions of BIP322 left out what follows from the witness.
        is_one_key = len(witness) == 2 and script.parse_multisig(witness[-1]) is None
        program = (
            script.p2wpkh(hash160(witness[1])) if is_one_key else script.p2wsh(sha256(witness[-1]))
        )
        script_sig = script.push(program)
    signed = TxIn(unsigned.inputs[0].prevout, script_sig, 0, witness)
    tx = Transaction(0, (signed,), unsigned.outputs, 0)
    return _check_transaction(tx, spent.outputs)


def _check_full(script_pubkey: bytes, message: str, tx: Transaction) -> MessageCheck:
    spent = to_spend(message, script_pubkey)
    if not _belongs(tx, spent):
        return _invalid()
    unknown = [None] * (len(tx.inputs) - 1)
    return _check_transaction(tx, [*spent.outputs, *unknown])


def _check_funds(script_pubkey: bytes, message: str, psbt: Psbt) -> MessageCheck:
    spent = to_spend(message, script_pubkey)
    tx = psbt.extract()
    if not _belongs(tx, spent):
        return _invalid()
    coins: list[TxOut | None] = [*spent.outputs]
    for index, psbt_input in enumerate(psbt.inputs[1:], start=1):
        coin = psbt.utxo(index) if psbt_input.has_utxo else None
        # Signatures of old inputs do not commit to the amount: only the transaction itself tells.
        is_old = psbt_input.final_script_witness is None
        coins.append(None if is_old and psbt_input.non_witness_utxo is None else coin)
    return _check_transaction(tx, coins)


def _belongs(tx: Transaction, spent: Transaction) -> bool:
    """Whether it has the form that BIP322 asks for, and is about this message and address."""
    tx.check_sanity()
    if tx.outputs != _OUTPUTS:
        raise ParseError("It pays somebody, which a signature of a message never does.")
    return tx.inputs[0].prevout == OutPoint(spent.txid, 0)


def _check_transaction(tx: Transaction, spent: Sequence[TxOut | None]) -> MessageCheck:
    verdicts = [check_input(tx, index, spent) for index in range(len(tx.inputs))]
    if Verdict.INVALID in verdicts or not all(map(_keeps_rules, tx.inputs, verdicts)):
        return _invalid()
    locks = tx.lock_time, tx.inputs[0].sequence
    if verdicts[0] is Verdict.UNKNOWN:
        sentence = (
            "This address has conditions of its own, which this program does not evaluate. Check "
            "the signature with the program that made it."
        )
        return MessageCheck(MessageVerdict.INCONCLUSIVE, sentence, *locks)
    if tx.version not in {0, 2}:
        sentence = "The signature is of a newer kind; check it with a newer program."
        return MessageCheck(MessageVerdict.INCONCLUSIVE, sentence, *locks)
    bound = _locks_text(tx)
    if len(tx.inputs) > 1:
        coins = len(tx.inputs) - 1
        what = "another coin" if coins == 1 else f"{coins} other coins"
        judged = "" if Verdict.UNKNOWN in verdicts else ", signed for as well"
        sentence = (
            f"The address signed this message. Besides, the proof names {what}{judged}; whether "
            f"they exist and are unspent cannot be told here.{bound}"
        )
        return MessageCheck(MessageVerdict.INCONCLUSIVE, sentence, *locks)
    return MessageCheck(MessageVerdict.VALID, f"{_VALID}{bound}", *locks)


def _keeps_rules(tx_in: TxIn, verdict: Verdict) -> bool:
    """Apply the required rules of BIP322 that consensus does not have."""
    if verdict is Verdict.UNKNOWN:
        return True
    pushed = script.parse_pushes(tx_in.script_sig)
    is_minimal = b"".join(map(script.push, pushed)) == tx_in.script_sig
    return is_minimal and set(hash_types(tx_in)) <= _ACCEPTED


_VALID: Final = "The signature is valid: whoever made it can spend from this address."
_NOT_EXACT: Final = (
    "The signature is not valid for this message and this address. Every letter, blank and line "
    "end of the message counts; ask for all three again."
)


def _invalid(sentence: str = "") -> MessageCheck:
    return MessageCheck(MessageVerdict.INVALID, sentence or _NOT_EXACT)


def _locks_text(tx: Transaction) -> str:
    """Say "valid at time T and age S" in words; "" when nothing is locked."""
    parts = []
    if tx.lock_time >= _TIME_LOCKS_FROM:
        when = datetime.fromtimestamp(tx.lock_time, UTC)
        parts.append(f"{when:%d %B %Y %H:%M} UTC")
    elif tx.lock_time:
        parts.append(f"block {tx.lock_time:,}")
    sequence = tx.inputs[0].sequence
    age = sequence & _SEQUENCE_MASK
    words = f" It counts from {parts[0]} on." if parts else ""
    if tx.version >= 2 and age and not sequence & _SEQUENCE_OFF:
        span = f"{age * 512:,} seconds" if sequence & _SEQUENCE_SECONDS else f"{age:,} blocks"
        words += f" It counts for coins that are at least {span} old."
    return words
