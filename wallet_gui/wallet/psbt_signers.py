"""Who has signed a PSBT, and who is missing: per input and per key of the wallet.

Only signatures that were verified here count (`psbt_roles.signing_keys`). Which keys an input asks
for is derived from our own descriptors where the coin is ours; for others the PSBT's claims stand
in, and are shown as what they are: a fingerprint that somebody wrote down.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.primitives import script
from wallet_gui.primitives.psbt import KeyPath, Psbt, PsbtInput
from wallet_gui.primitives.script import ScriptType
from wallet_gui.primitives.transaction import TxOut
from wallet_gui.wallet.changes import WalletDescription
from wallet_gui.wallet.keychain import ScriptPlace
from wallet_gui.wallet.psbt_roles import signing_keys
from wallet_gui.wallet.snapshot import Signing

MAX_SIGNERS = 100
"""Rows that are told apart; more than any script of ours has keys."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that is asked for a signature, of one cosigner or of the wallet itself.

    `fingerprint` is that of its master key (8 hex digits), `key` the extended public key or "" when
    only the PSBT names it. `inputs` are those that ask for it, `signed` those that it signed.
    """

    fingerprint: str
    key: str = ""
    number: int = 0
    inputs: int = 0
    signed: int = 0
    is_own: bool = False
    name: str = ""

    @property
    def has_signed(self) -> bool:
        return self.inputs == self.signed

    @property
    def title(self) -> str:
        """What the person calls it, or its fingerprint."""
        return f"{self.name} [{self.fingerprint}]" if self.name else f"[{self.fingerprint}]"


@dataclass(frozen=True, slots=True)
class InputSignatures:
    """How one input stands; `required` is None for a script of a kind that is not known here."""

    required: int | None
    present: int
    is_final: bool
    is_ours: bool

    @property
    def missing(self) -> int:
        """How many signatures it still takes; of an unknown script at least one."""
        if self.is_final:
            return 0
        return 1 if self.required is None else max(0, self.required - self.present)


@dataclass(frozen=True, slots=True)
class Signatures:
    """All inputs in order, and all signers in the order of the descriptor's keys."""

    inputs: tuple[InputSignatures, ...]
    signers: tuple[Signer, ...]

    @property
    def is_complete(self) -> bool:
        return not any(item.missing for item in self.inputs)

    @property
    def missing(self) -> int:
        """How many signatures the input that lacks the most still takes."""
        return max((item.missing for item in self.inputs), default=0)

    @property
    def required(self) -> int:
        return max((item.required or 1 for item in self.inputs), default=0)

    @property
    def present(self) -> int:
        """How many signatures the input with the fewest has, of those it takes."""
        return self.required - self.missing

    @property
    def unsigned(self) -> tuple[Signer, ...]:
        return tuple(signer for signer in self.signers if not signer.has_signed)

    @property
    def is_shared(self) -> bool:
        """Whether a script asks for the keys of several signers."""
        return len(self.signers) > 1

    def missing_words(self) -> str:
        """What is still needed, as one sentence; "" when nothing is."""
        if not self.missing:
            return ""
        if any(item.missing and not item.is_ours for item in self.inputs):
            return "A coin that is not of this wallet is not signed yet: its owner must sign it."
        count = "One more signature is" if self.missing == 1 else f"{self.missing} signatures are"
        if not self.is_shared:
            return "It is not signed yet."
        names = [signer.title for signer in self.unsigned[:15]]
        who = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
        return f"{count} needed, from {who}." if names else f"{count} needed."


def signing_of(description: WalletDescription, descriptors: Sequence[Descriptor]) -> Signing:
    """Tell whether the keys of a wallet complete a payment."""
    if not description.has_secrets:
        return Signing.ELSEWHERE
    for descriptor in descriptors:
        own = sum(key.fingerprint.hex() == description.fingerprint for key in descriptor.keys)
        # A key without its origin has its own fingerprint; of one key it is ours all the same.
        if descriptor.is_multisig and own < descriptor.required:
            return Signing.TOGETHER
    return Signing.HERE


def of(
    psbt: Psbt,
    places: Sequence[ScriptPlace | None],
    descriptors: Sequence[Descriptor],
    own_fingerprint: str,
) -> Signatures:
    """Judge each input; `places` are those of the coins as `review.of` found them.

    `own_fingerprint` is that of the keys that this wallet's vault holds, "" for none.
    """
    inputs = []
    signers: dict[tuple[str, int], Signer] = {}
    for index, place in enumerate(places):
        signed = signing_keys(psbt, index)
        psbt_input = psbt.inputs[index]
        coin = psbt.utxo(index) if psbt_input.has_utxo else None
        if place is None:
            required = None if coin is None else _required(psbt_input, coin)
            asked = _claimed(psbt_input)
        else:
            descriptor = descriptors[place.descriptor_index]
            required = descriptor.required
            asked = _of_descriptor(descriptor, place)
        is_final = psbt_input.is_final and (bool(signed) or place is None)
        inputs.append(InputSignatures(required, len(signed), is_final, place is not None))
        for public_key, signer in asked:
            # Taproot signs with the output key, of which there is one.
            has_signed = public_key in signed or (len(asked) == 1 and bool(signed))
            identity = signer.fingerprint, signer.number
            if identity not in signers and len(signers) >= MAX_SIGNERS:
                continue
            known = signers.get(identity, signer)
            signers[identity] = replace(
                known,
                inputs=known.inputs + 1,
                signed=known.signed + has_signed,
                is_own=bool(own_fingerprint) and own_fingerprint == signer.fingerprint,
            )
    return Signatures(tuple(inputs), tuple(signers.values()))


def _of_descriptor(descriptor: Descriptor, place: ScriptPlace) -> list[tuple[bytes, Signer]]:
    derived = descriptor.derive(place.index, place.keychain)
    return [
        (
            public_key,
            Signer(
                expression.fingerprint.hex(),
                "" if isinstance(expression.key, bytes) else expression.key.serialize(),
                number,
            ),
        )
        for number, ((public_key, _), expression) in enumerate(
            zip(derived.keys, descriptor.keys, strict=True)
        )
    ]


def _claimed(psbt_input: PsbtInput) -> list[tuple[bytes, Signer]]:
    claims: list[tuple[bytes, KeyPath]] = [*psbt_input.bip32_derivations.items()]
    claims += [(key, path) for key, (_, path) in psbt_input.tap_bip32_derivations.items()]
    return [(key, Signer(path.fingerprint.hex())) for key, path in claims[:MAX_SIGNERS]]


def _required(psbt_input: PsbtInput, coin: TxOut) -> int | None:
    kind = script.classify(coin.script_pubkey)
    inner = psbt_input.witness_script or psbt_input.redeem_script
    if inner is not None and (asked := script.parse_multisig(inner)) is not None:
        return asked[0]
    nested = inner is not None and script.classify(inner) is ScriptType.P2WPKH
    single = kind in (ScriptType.P2PKH, ScriptType.P2WPKH, ScriptType.P2TR)
    return 1 if single or nested else None
