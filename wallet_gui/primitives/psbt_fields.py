"""The maps of a PSBT: the tables of what each record type means, and what holds their values.

Sources: BIP174, BIP370 (version 2), BIP371 (taproot fields), Core `psbt.h` (order).
"""

from dataclasses import dataclass, field
from typing import Final

from wallet_gui.primitives.amount import check_money
from wallet_gui.primitives.psbt_records import (
    ECDSA,
    HASH,
    KEY_PATH,
    NUMBER,
    OUTPUT,
    SCHNORR,
    SCRIPT,
    TAP_LEAF,
    TAP_ORIGIN,
    TAP_TREE,
    TRANSACTION,
    WITNESS,
    Field,
    KeyPath,
    by_key_hash,
    by_leaf,
    by_origin,
    check_control_block,
    check_depth,
    check_public_key,
    check_xpub,
    sized,
)
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import Transaction, TxOut

# The order of these tables is the order of serialization: Core's.
GLOBAL_FIELDS: Final = (
    Field(0x01, "xpubs", KEY_PATH, check_xpub, order=by_origin, check_pair=check_depth),
)
INPUT_FIELDS: Final = (
    # Two copies may differ in their witness, which the txid does not cover.
    Field(0x00, "non_witness_utxo", TRANSACTION, may_differ=True),
    Field(0x01, "witness_utxo", OUTPUT),
    Field(0x02, "partial_sigs", ECDSA, check_public_key, order=by_key_hash),
    Field(0x03, "sighash_type", NUMBER),
    Field(0x04, "redeem_script", SCRIPT),
    Field(0x05, "witness_script", SCRIPT),
    Field(0x06, "bip32_derivations", KEY_PATH, check_public_key),
    Field(0x0A, "ripemd160_preimages", SCRIPT, sized(20)),
    Field(0x0B, "sha256_preimages", SCRIPT, sized(32)),
    Field(0x0C, "hash160_preimages", SCRIPT, sized(20)),
    Field(0x0D, "hash256_preimages", SCRIPT, sized(32)),
    Field(0x13, "tap_key_sig", SCHNORR),
    Field(0x14, "tap_script_sigs", SCHNORR, sized(64)),
    Field(0x15, "tap_leaf_scripts", TAP_LEAF, check_control_block, order=by_leaf),
    Field(0x16, "tap_bip32_derivations", TAP_ORIGIN, sized(32)),
    Field(0x17, "tap_internal_key", HASH),
    Field(0x18, "tap_merkle_root", HASH),
    Field(0x07, "final_script_sig", SCRIPT),
    Field(0x08, "final_script_witness", WITNESS),
)
OUTPUT_FIELDS: Final = (
    Field(0x00, "redeem_script", SCRIPT),
    Field(0x01, "witness_script", SCRIPT),
    Field(0x02, "bip32_derivations", KEY_PATH, check_public_key),
    Field(0x05, "tap_internal_key", HASH),
    Field(0x06, "tap_tree", TAP_TREE),
    Field(0x07, "tap_bip32_derivations", TAP_ORIGIN, sized(32)),
)

TapOrigin = tuple[tuple[bytes, ...], KeyPath]


@dataclass(slots=True)
class PsbtInput:
    """What is known about one input. Keys of the mappings are the records' raw key data.

    `tap_leaf_scripts` maps control blocks to the script followed by its leaf version;
    `tap_script_sigs` has x-only key and leaf hash (32 bytes each) as key; `unknown` holds whole
    keys, with their type, and the proprietary records too, in the order in which they came.

    The rest is of version 2 (BIP370): the lock times that the input needs (Unix time, height), and
    whether its final sequence number is written out although it need not be.
    """

    non_witness_utxo: Transaction | None = None
    witness_utxo: TxOut | None = None
    partial_sigs: dict[bytes, bytes] = field(default_factory=dict)
    sighash_type: int | None = None
    redeem_script: bytes | None = None
    witness_script: bytes | None = None
    bip32_derivations: dict[bytes, KeyPath] = field(default_factory=dict)
    ripemd160_preimages: dict[bytes, bytes] = field(default_factory=dict)
    sha256_preimages: dict[bytes, bytes] = field(default_factory=dict)
    hash160_preimages: dict[bytes, bytes] = field(default_factory=dict)
    hash256_preimages: dict[bytes, bytes] = field(default_factory=dict)
    final_script_sig: bytes | None = None
    final_script_witness: tuple[bytes, ...] | None = None
    tap_key_sig: bytes | None = None
    tap_script_sigs: dict[bytes, bytes] = field(default_factory=dict)
    tap_leaf_scripts: dict[bytes, bytes] = field(default_factory=dict)
    tap_bip32_derivations: dict[bytes, TapOrigin] = field(default_factory=dict)
    tap_internal_key: bytes | None = None
    tap_merkle_root: bytes | None = None
    required_time: int | None = None
    required_height: int | None = None
    states_sequence: bool = False
    unknown: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        return self.final_script_sig is not None or self.final_script_witness is not None

    @property
    def has_utxo(self) -> bool:
        return self.non_witness_utxo is not None or self.witness_utxo is not None

    def without_signing_data(self) -> "PsbtInput":
        """Return what BIP174 keeps of a final input: what it spends and unknown records."""
        return PsbtInput(
            non_witness_utxo=self.non_witness_utxo,
            witness_utxo=self.witness_utxo,
            final_script_sig=self.final_script_sig,
            final_script_witness=self.final_script_witness,
            required_time=self.required_time,
            required_height=self.required_height,
            states_sequence=self.states_sequence,
            unknown=dict(self.unknown),
        )

    def spent_output(self, outpoint_index: int) -> TxOut:
        """Return the output that is spent, checked as far as the records allow; or ParseError."""
        spent = self.witness_utxo
        if self.non_witness_utxo is not None:
            outputs = self.non_witness_utxo.outputs
            if outpoint_index >= len(outputs):
                raise ParseError("The spent transaction has no such output.")
            if spent is not None and spent != outputs[outpoint_index]:
                raise ParseError("The two statements about the spent output contradict each other.")
            spent = outputs[outpoint_index]
        if spent is None:
            raise ParseError("The PSBT does not say what the input spends.")
        check_money(spent.value_sat)
        return spent


@dataclass(slots=True)
class PsbtOutput:
    """What is known about one output; `tap_tree` lists (depth, leaf version, script)."""

    redeem_script: bytes | None = None
    witness_script: bytes | None = None
    bip32_derivations: dict[bytes, KeyPath] = field(default_factory=dict)
    tap_internal_key: bytes | None = None
    tap_tree: tuple[tuple[int, int, bytes], ...] | None = None
    tap_bip32_derivations: dict[bytes, TapOrigin] = field(default_factory=dict)
    unknown: dict[bytes, bytes] = field(default_factory=dict)
