"""Signs the inputs of a PSBT that are ours: ECDSA, also as a cosigner, and the taproot key path."""

from collections.abc import Sequence
from typing import Final

from wallet_gui.curve import (
    CurveError,
    ecdsa_sign,
    ecdsa_verify,
    public_key,
    schnorr_sign,
    schnorr_verify,
    taproot_output_key,
    taproot_secret,
)
from wallet_gui.descriptors.descriptor import (
    DerivedKey,
    Descriptor,
    DescriptorType,
    MultisigType,
)
from wallet_gui.keys.accounts import own_keys
from wallet_gui.keys.errors import PolicyRefused, SigningFailed
from wallet_gui.keys.imported import AccountKey, Root
from wallet_gui.keys.ownership import OwnScript
from wallet_gui.keys.policy import Limits, assess
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives import script, sighash
from wallet_gui.primitives.hashes import hash160
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.psbt import KeyPath, Psbt
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import TxOut

# Everything but the questions that only a person can answer holds here again.
_LIMITS: Final = Limits(fee_confirmed=True, allow_foreign_inputs=True)
_UNRELIABLE: Final = (
    "A new signature does not verify: this computer makes mistakes. Nothing was signed; restart it "
    "and try again."
)


def sign(psbt: Psbt, root: Root, descriptors: Sequence[Descriptor], params: ChainParams) -> Psbt:
    """Return a copy of `psbt` with a signature on each input that is ours.

    `root` is the master key from which `descriptors` come, or an account's in its place. Key
    paths in the PSBT are hints only: inputs are ours if their script is derived from a descriptor.
    Fields that are not understood are kept. Every rule of policy.assess but the fee limits and
    foreign inputs is enforced again; the caller checks those first. Before anything is returned,
    the signed PSBT is read back from its bytes and each signature verified against the public
    descriptor.

    Raises PolicyRefused, or SigningFailed.
    """
    _check_root(root, descriptors, params)
    assessment = assess(psbt, descriptors, params, _LIMITS)
    signed = psbt.copy()
    keys = _Keys(root)
    try:
        for index, own in enumerate(assessment.inputs):
            if own is not None and not signed.inputs[index].is_final:
                kind = descriptors[own.descriptor_index].type
                _check_cosignatures(signed, index, own, kind, assessment.spent, keys)
                _sign_input(signed, index, own, kind, assessment.spent, keys)
        again = Psbt.parse(signed.serialize())
        checked = assess(again, descriptors, params, _LIMITS)
        for index, own in enumerate(checked.inputs):
            if own is not None and not again.inputs[index].is_final:
                kind = descriptors[own.descriptor_index].type
                if not _verifies(again, index, own, kind, checked.spent, keys):
                    raise SigningFailed(_UNRELIABLE)
    except (CurveError, ParseError) as error:
        raise SigningFailed(f"The transaction could not be signed. {error}") from error
    return signed


class _Keys:
    """Derives secrets below `root`, keeping the branches that inputs share."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._fingerprint = root.fingerprint
        self._branches: dict[tuple[int, ...], ExtendedPrivateKey] = {}

    def secret(self, path: tuple[int, ...]) -> bytes:
        branch = self._branches.get(path[:-1])
        if branch is None:
            branch = self._branches[path[:-1]] = self._root.derive(path[:-1])
        return branch.derive(path[-1:]).secret

    def own(self, derived: DerivedKey) -> list[tuple[bytes, KeyPath]]:
        """Return those of a script's keys that are ours, not the cosigners'."""
        return [(key, path) for key, path in derived.keys if path.fingerprint == self._fingerprint]


def _check_root(root: Root, descriptors: Sequence[Descriptor], params: ChainParams) -> None:
    is_master = isinstance(root, AccountKey) or root.depth == 0
    if not is_master or root.version != params.xprv_version:
        raise SigningFailed(f"This is not a master key for {params.name}.")
    for descriptor in descriptors:
        # For multisig one of the keys is ours, or several; none may pass for ours that is not.
        if not own_keys(root, descriptor):
            raise SigningFailed("The wallet's descriptors do not come from these keys.")


def _sign_input(
    psbt: Psbt,
    index: int,
    own: OwnScript,
    kind: DescriptorType | MultisigType,
    spent: Sequence[TxOut],
    keys: _Keys,
) -> None:
    psbt_input = psbt.inputs[index]
    derived = own.derived
    digest = _digest(psbt, index, own, kind, spent)
    for own_key, path in keys.own(derived):
        secret = keys.secret(path.path)
        if public_key(secret) != own_key:
            raise SigningFailed("The wallet's descriptors do not come from these keys.")
        if derived.tap_internal_key is not None:
            signature = schnorr_sign(taproot_secret(secret), digest)
            if psbt_input.sighash_type == sighash.ALL:
                signature += bytes([sighash.ALL])
            psbt_input.tap_key_sig = signature
            psbt.record_signature(psbt_input.sighash_type or sighash.DEFAULT)
        else:
            psbt_input.partial_sigs[own_key] = ecdsa_sign(secret, digest) + bytes([sighash.ALL])
            psbt.record_signature(sighash.ALL)
    if derived.tap_internal_key is not None:
        psbt_input.tap_internal_key = derived.tap_internal_key
        psbt_input.tap_bip32_derivations.setdefault(
            derived.tap_internal_key, ((), derived.key_path)
        )
        return
    for any_key, path in derived.keys:
        psbt_input.bip32_derivations.setdefault(any_key, path)
    if derived.redeem_script is not None:
        psbt_input.redeem_script = derived.redeem_script
    if derived.witness_script is not None:
        psbt_input.witness_script = derived.witness_script


def _digest(
    psbt: Psbt,
    index: int,
    own: OwnScript,
    kind: DescriptorType | MultisigType,
    spent: Sequence[TxOut],
) -> bytes:
    if kind is DescriptorType.TR:
        hash_type = psbt.inputs[index].sighash_type or sighash.DEFAULT
        return sighash.taproot(psbt.tx, index, spent, hash_type)
    shared = own.derived.multisig_script
    script_code = script.p2pkh(hash160(own.derived.public_key)) if shared is None else shared
    if kind in (DescriptorType.PKH, MultisigType.SH):
        return sighash.legacy(psbt.tx, index, script_code, sighash.ALL)
    return sighash.segwit_v0(psbt.tx, index, script_code, spent[index].value_sat, sighash.ALL)


def _check_cosignatures(
    psbt: Psbt,
    index: int,
    own: OwnScript,
    kind: DescriptorType | MultisigType,
    spent: Sequence[TxOut],
    keys: _Keys,
) -> None:
    """Refuse to add a signature to one that is worth nothing: the payment would never be valid."""
    signatures = psbt.inputs[index].partial_sigs
    own_script_keys = {key for key, _ in keys.own(own.derived)}
    others = [
        key for key, _ in own.derived.keys if key in signatures and key not in own_script_keys
    ]
    if not others:
        return
    digest = _digest(psbt, index, own, kind, spent)
    if not all(ecdsa_verify(key, digest, signatures[key][:-1]) for key in others):
        raise PolicyRefused(
            f"Input {index + 1} carries a signature of a cosigner that is not valid. Ask for it "
            "again; nothing was signed."
        )


def _verifies(
    psbt: Psbt,
    index: int,
    own: OwnScript,
    kind: DescriptorType | MultisigType,
    spent: Sequence[TxOut],
    keys: _Keys,
) -> bool:
    digest = _digest(psbt, index, own, kind, spent)
    if own.derived.tap_internal_key is not None:
        signature = psbt.inputs[index].tap_key_sig or b""
        key, _ = taproot_output_key(own.derived.tap_internal_key)
        return schnorr_verify(key, digest, signature[:64])
    signatures = psbt.inputs[index].partial_sigs
    signed = [key for key, _ in keys.own(own.derived)]
    return bool(signed) and all(
        ecdsa_verify(key, digest, signatures.get(key, b"")[:-1]) for key in signed
    )
