"""What a block says about a filter that somebody served for it.

Some scripts are in a block's filter for certain: those of its outputs, of coins made in the same
block, of coins that we know, and of nested segwit coins, whose input script is the hashed program
itself. A filter that lacks one of them, or holds a number of items that cannot be, is a lie and
the block proves it. For other inputs the coin's script can be worked out as whoever spends it in
a usual way would reveal it (P2WPKH, P2WSH, P2PKH, P2SH, taproot script path). That is likely but
no proof: a coin of a witness version that has no rules yet may be spent with anything, so a
miner's friend could make any honest filter look as if it lacked something. What is likely decides
whom to follow, never whom to ban.

Sources: BIP158 (what a filter holds), BIP141 and BIP16 (witness and script hash programs), BIP341
(control blocks); design notes on conflicts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from wallet_gui.chain import gcs_scalar
from wallet_gui.chain.gcs_scalar import MalformedFilter
from wallet_gui.curve import CurveError, taproot_output_key
from wallet_gui.primitives.block import Block
from wallet_gui.primitives.hashes import hash160, sha256, tagged_hash
from wallet_gui.primitives.script import (
    OP_CHECKMULTISIG,
    OP_CHECKSIG,
    OP_CHECKSIGADD,
    OP_RETURN,
    iterate,
    p2pkh,
    p2sh,
    p2tr,
    p2wpkh,
    p2wsh,
    parse_pushes,
    parse_witness_program,
)
from wallet_gui.primitives.serialize import ParseError, compact_size
from wallet_gui.primitives.transaction import OutPoint, TxIn

_ANNEX: Final = 0x50
_CONTROL_SIZE: Final = 33  # and 32 for each step of the path
_MAX_PATH: Final = 128
_TAPSCRIPT: Final = 0xC0
_LEAF_VERSIONS: Final = frozenset(
    {0x66, 0x7E, 0x80, 0x84, 0x96, 0x98, 0xBA, 0xBB, 0xBC, 0xBE, *range(0xC0, 0x100, 2)}
)
"""Those that BIP341 leaves to the future: none of them begins a script that can be run."""
_SIGNATURES: Final = frozenset(range(OP_CHECKSIG, OP_CHECKMULTISIG + 2)) | {OP_CHECKSIGADD}


class Finding(Enum):
    """What a block says of a filter. Those of `PROOFS` cannot be said of an honest one."""

    MALFORMED = "malformed"  # no block has such a filter
    OMISSION = "omission"  # it lacks a script that the block has for certain
    TOO_FEW = "too few"  # items, for the scripts that the block has for certain
    TOO_MANY = "too many"  # items, even if every unknown coin had a script of its own
    UNLIKELY = "unlikely"  # it lacks what an input shows if its coin is of a usual kind
    POSSIBLE = "possible"
    EXACT = "exact"  # every coin is known: the block can have no other filter


PROOFS: Final = frozenset({Finding.MALFORMED, Finding.OMISSION, Finding.TOO_FEW, Finding.TOO_MANY})


@dataclass(frozen=True, slots=True)
class BlockScripts:
    """What a block's filter holds, as far as the block tells.

    `certain` are scripts it holds; each of `likely` is held unless its coin is of an odd kind;
    `unknown` counts the coins spent whose script is not certain, `hidden` those of them of which
    nothing is even likely.
    """

    certain: frozenset[bytes]
    likely: frozenset[bytes]
    unknown: int
    hidden: int


def scripts_of(block: Block, known: Mapping[OutPoint, bytes] | None = None) -> BlockScripts:
    """Collect the scripts that a block pays to and spends from.

    `known` are scripts of coins from earlier blocks that are certain, such as our own.
    """
    made: dict[OutPoint, bytes] = {}
    certain: set[bytes] = set()
    for transaction in block.transactions:
        for vout, output in enumerate(transaction.outputs):
            script = output.script_pubkey
            made[OutPoint(transaction.txid, vout)] = script
            if script and script[0] != OP_RETURN:
                certain.add(script)
    likely: set[bytes] = set()
    unknown = hidden = 0
    spends = [i for transaction in block.transactions[1:] for i in transaction.inputs]
    for tx_input in spends:  # a coinbase spends nothing
        spent = made.get(tx_input.prevout)
        if spent is None:
            spent = (known or {}).get(tx_input.prevout, nested_script(tx_input))
        if spent is None:
            guess = likely_script(tx_input)
            unknown += 1
            hidden += guess is None
            likely.add(guess or b"")
        else:
            certain.add(spent)
    certain.discard(b"")  # no filter holds an empty script
    likely.discard(b"")
    return BlockScripts(frozenset(certain), frozenset(likely - certain), unknown, hidden)


def judge(data: bytes, block: Block, scripts: BlockScripts) -> Finding:
    """Say what a block proves, or suggests, about a serialized filter that was served for it.

    That the filter belongs to a filter hash somebody claimed is not looked at here.
    """
    try:
        values = frozenset(gcs_scalar.decode(data))
    except MalformedFilter:
        return Finding.MALFORMED
    count, _ = gcs_scalar.split(data)
    block_hash = block.header.hash

    def lacks_any(wanted: frozenset[bytes]) -> bool:
        return not values.issuperset(gcs_scalar.hash_items(block_hash, wanted, count))

    certain = len(scripts.certain)
    if count < certain or count > certain + scripts.unknown:
        return Finding.TOO_FEW if count < certain else Finding.TOO_MANY
    if lacks_any(scripts.certain):
        return Finding.OMISSION
    if not scripts.unknown:
        return Finding.EXACT
    if count > certain + len(scripts.likely) + scripts.hidden or lacks_any(scripts.likely):
        return Finding.UNLIKELY
    return Finding.POSSIBLE


# --- the script of a coin, from how it is spent ---------------------------------------------------


def nested_script(tx_input: TxIn) -> bytes | None:
    """Return the script hash of a nested segwit coin; None for any other.

    With a witness and an input script that is one push of a witness program the coin can be
    nothing else: a native program must have no input script, and nothing else a witness.
    """
    pushed = tx_input.script_sig
    if not tx_input.witness or len(pushed) < 2 or pushed[0] != len(pushed) - 1:
        return None
    return p2sh(hash160(pushed[1:])) if parse_witness_program(pushed[1:]) else None


def likely_script(tx_input: TxIn) -> bytes | None:
    """Work out the script of a coin that was spent in a usual way; None where nothing shows it."""
    if not tx_input.script_sig:
        return _from_witness(tx_input.witness)
    if tx_input.witness:
        return nested_script(tx_input)
    try:
        pushes = parse_pushes(tx_input.script_sig)
    except ParseError:
        return None
    if len(pushes) == 2 and _is_signature(pushes[0]) and _is_key(pushes[1]):
        return p2pkh(hash160(pushes[1]))
    return p2sh(hash160(pushes[-1])) if _is_redeem_script(pushes[-1]) else None


def _from_witness(witness: tuple[bytes, ...]) -> bytes | None:
    if len(witness) == 2 and _is_signature(witness[0]) and _is_key(witness[1]):
        return p2wpkh(hash160(witness[1])) if len(witness[1]) == 33 else None
    items = witness
    if len(items) >= 2 and items[-1][:1] == bytes((_ANNEX,)):
        items = items[:-1]
    if not items or (len(items) == 1 and len(items[0]) in {64, 65}):
        return None  # a taproot key path, which shows no key
    if len(items) >= 2 and _is_control_block(items[-1]):
        # Only leaves of this version are known to be meant as scripts.
        return _script_path(items[-2], items[-1]) if items[-1][0] & 0xFE == _TAPSCRIPT else None
    return None if items is not witness else p2wsh(sha256(witness[-1]))


def _is_control_block(item: bytes) -> bool:
    steps, rest = divmod(len(item) - _CONTROL_SIZE, 32)
    return not rest and 0 <= steps <= _MAX_PATH and item[0] & 0xFE in _LEAF_VERSIONS


def _script_path(leaf: bytes, control: bytes) -> bytes | None:
    version = bytes((control[0] & 0xFE,))
    node = tagged_hash("TapLeaf", version + compact_size(len(leaf)) + leaf)
    for offset in range(_CONTROL_SIZE, len(control), 32):
        step = control[offset : offset + 32]
        node = tagged_hash("TapBranch", min(node, step) + max(node, step))
    try:
        output_key, parity = taproot_output_key(control[1:_CONTROL_SIZE], node)
    except CurveError:
        return None
    return p2tr(output_key) if parity == control[0] & 1 else None


def _is_signature(item: bytes) -> bool:
    """Tell whether this looks like a DER signature with its hash type."""
    return 9 <= len(item) <= 73 and item[0] == 0x30 and item[1] == len(item) - 3


def _is_key(item: bytes) -> bool:
    if len(item) == 33:
        return item[0] in {2, 3}
    return len(item) == 65 and item[0] == 4


def _is_redeem_script(item: bytes) -> bool:
    """Tell whether this reads as a script that asks for a signature, or as a key, not as data.

    Bare coins of odd kinds are spent with pushes too; what is pushed last is then no script.
    """
    if not item or _is_signature(item) or _is_key(item):
        return False
    try:
        opcodes = [opcode for opcode, _ in iterate(item)]
    except ParseError:
        return False
    return not _SIGNATURES.isdisjoint(opcodes)
