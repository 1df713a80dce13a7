"""PsbtDesk: all that a person does online with PSBTs of one open wallet, without a window.

What comes from outside is judged in a worker thread. Whatever was signed here or is asked for is
kept in the wallet file before anybody is told of it (`psbt_waiting`).
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wallet_gui.app import psbt_files
from wallet_gui.app.psbt_waiting import Waiting, WaitingList
from wallet_gui.chain.backend import BroadcastResult
from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.wallet import psbt_roles, psbt_signers, review
from wallet_gui.wallet.changes import ChainKey
from wallet_gui.wallet.draft import SpendPlan
from wallet_gui.wallet.errors import WalletError, WrongSignedPsbt
from wallet_gui.wallet.keychain import ScriptPlace
from wallet_gui.wallet.psbt_return import returned
from wallet_gui.wallet.psbt_signers import Signatures, Signer
from wallet_gui.wallet.psbt_update import update
from wallet_gui.wallet.review import ALREADY_SIGNED, Review
from wallet_gui.wallet.spend import Recipient

if TYPE_CHECKING:
    from wallet_gui.app.online import Online
    from wallet_gui.app.session import WalletSession

NOTHING_HERE = "None of the coins that this payment spends is of this wallet."


class NotComplete(WalletError):
    """Signatures are missing; the sentence says whose."""


@dataclass(frozen=True, slots=True)
class PsbtLook:
    """What a PSBT is for this wallet.

    `review` is None where its amounts are not known, then `why_not` says why. `problem` is a
    sentence on a signature that is not valid, or "". `is_asked`: this wallet made it. `is_waiting`:
    it is on the list, since `created` (Unix time); `is_kept`: it is in the wallet file, too.
    `is_known`: its finished transaction is in the wallet already, sent or not. `spent_by`: another
    payment took one of its coins (txid); `shares_coins`: another one that waits wants to.
    """

    psbt: Psbt
    signatures: Signatures
    review: Review | None = None
    why_not: str = ""
    problem: str = ""
    is_asked: bool = False
    is_waiting: bool = False
    is_kept: bool = False
    created: int = 0
    has_keys: bool = False
    is_known: bool = False
    spent_by: bytes | None = None
    shares_coins: bool = False

    @property
    def txid(self) -> bytes:
        return self.psbt.tx.txid

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of the review, without the one that the list of signers says better."""
        found = () if self.review is None else self.review.warnings
        return tuple(sentence for sentence in found if sentence != ALREADY_SIGNED)

    @property
    def is_complete(self) -> bool:
        return self.review is not None and not self.problem and self.signatures.is_complete

    @property
    def own_signers(self) -> tuple[Signer, ...]:
        return tuple(signer for signer in self.signatures.signers if signer.is_own)

    @property
    def can_sign(self) -> bool:
        return not self.why_not_sign

    @property
    def why_not_sign(self) -> str:
        """Why the vault of this wallet has nothing to do; "" when it can sign."""
        if not self.has_keys:
            return "This wallet only watches: its keys are somewhere else. Sign where they are."
        if self.review is None:
            return self.why_not
        if not self.own_signers:
            return NOTHING_HERE
        if all(signer.has_signed for signer in self.own_signers):
            return "This wallet has signed it already."
        return "" if not self.signatures.is_complete else "It has all its signatures already."

    @property
    def why_not_send(self) -> str:
        """What keeps it from being sent; "" when nothing does."""
        return self.why_not or self.problem or self.signatures.missing_words()


class PsbtDesk:
    """The PSBTs of one open wallet. Every method is called on the engine's loop."""

    def __init__(
        self,
        online: "Online",
        wallet_id: str,
        *,
        clock: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        """Raises VaultError when the wallet was locked meanwhile."""
        self._online = online
        self._wallet_id = wallet_id
        self._clock = clock
        self._waiting = WaitingList(online.session(wallet_id))

    @property
    def _session(self) -> "WalletSession":
        return self._online.session(self._wallet_id)

    # --- looking

    async def read(self, data: bytes | str | Path) -> PsbtLook:
        """Look at what came from a file, the clipboard or codes.

        Of a payment that waits here already the signatures are taken over (`returned`). Raises
        ParseError, WalletError, PsbtFileError.
        """
        psbt = await _parsed(data)
        waiting = self._waiting.get(psbt.tx.txid)
        if waiting is not None:
            known = waiting.psbt
            return await (self.add(known, psbt) if _is_signed(psbt) else self.look(known))
        return await self.look(update(self._session.wallet, psbt))

    async def look(self, psbt: Psbt) -> PsbtLook:
        """Work out what a PSBT does and who has signed it."""
        wallet = self._session.wallet
        own = wallet.description.fingerprint if wallet.description.has_secrets else ""
        look, txid = await asyncio.to_thread(
            _judged, psbt, wallet.descriptors, wallet.params, wallet.known_indexes(), own
        )
        signers = tuple(
            replace(signer, name=wallet.label("xpub", signer.key)) if signer.key else signer
            for signer in look.signatures.signers
        )
        waiting = self._waiting.get(look.txid)
        return replace(
            look,
            signatures=replace(look.signatures, signers=signers),
            is_asked=waiting is not None and waiting.is_asked,
            is_waiting=waiting is not None,
            is_kept=waiting is not None and waiting.is_kept,
            created=0 if waiting is None else waiting.created,
            has_keys=wallet.description.has_secrets,
            is_known=txid in wallet.graph and wallet.graph.counts(txid),
            spent_by=self._spender(psbt, txid),
            shares_coins=self._shares_coins(psbt),
        )

    def _spender(self, psbt: Psbt, own: bytes) -> bytes | None:
        graph = self._session.wallet.graph
        for tx_in in psbt.tx.inputs:
            spender = graph.spender(tx_in.prevout)
            if spender is not None and spender != own:
                return spender
        return None

    def _shares_coins(self, psbt: Psbt) -> bool:
        coins = {tx_in.prevout for tx_in in psbt.tx.inputs}
        return any(
            not coins.isdisjoint(tx_in.prevout for tx_in in item.psbt.tx.inputs)
            for item in self.waiting()
            if item.txid != psbt.tx.txid
        )

    def waiting(self) -> tuple[Waiting, ...]:
        """List what was asked for or signed here and not sent yet, the newest first."""
        return self._waiting.items()

    async def looks(self) -> tuple[PsbtLook, ...]:
        """Look at all that waits. What the wallet holds as sent meanwhile is forgotten."""
        found = []
        for item in self.waiting():
            look = await self.look(item.psbt)
            if look.is_known:
                await self._waiting.drop(item.txid)
            else:
                found.append(look)
        return tuple(found)

    # --- asking

    async def ask(
        self,
        recipients: Sequence[Recipient],
        fee_rate: FeeRate,
        *,
        allow_high_fee: bool = False,
    ) -> PsbtLook:
        """Plan a payment that is signed elsewhere; it is kept before this returns.

        Raises WalletError, StorageError.
        """
        session = self._session
        plan = await session.plan_payment(recipients, fee_rate, allow_high_fee=allow_high_fee)
        look = await self._ask(plan)
        await session.label_recipients(recipients)
        return look

    async def ask_bump(
        self, txid: bytes, fee_rate: FeeRate | None = None, *, allow_high_fee: bool = False
    ) -> PsbtLook:
        """Plan the replacement of an unconfirmed payment by one with a higher fee."""
        session = self._session
        return await self._ask(
            await session.plan_bump(txid, fee_rate, allow_high_fee=allow_high_fee)
        )

    async def _ask(self, plan: SpendPlan) -> PsbtLook:
        await self._session.reserve(plan)
        await self._keep(plan.psbt, is_asked=True)
        return await self.look(plan.psbt)

    async def _keep(self, psbt: Psbt, *, is_asked: bool = False) -> None:
        known = self._waiting.get(psbt.tx.txid)
        created = self._clock() if known is None else known.created
        was_asked = known is not None and known.is_asked
        await self._waiting.put(Waiting(psbt, created, is_asked or was_asked))

    async def forget(self, txid: bytes) -> None:
        """Give up a payment that waits; whoever has it signed can still send it."""
        await self._waiting.drop(txid)

    # --- signing, here and elsewhere

    async def sign(self, psbt: Psbt) -> PsbtLook:
        """Let this wallet's vault review and sign; what it added is verified and kept.

        Raises VaultError, VaultCancelled, WrongSignedPsbt.
        """
        session = self._session
        # What is kept already must not be lost when this one lacks it.
        psbt = update(session.wallet, psbt)
        signed = await self._online.sign_psbt(session, psbt)
        merged = await asyncio.to_thread(returned, psbt, signed, session.params)
        await self._keep(merged)
        return await self.look(merged)

    async def add(self, asked: Psbt, back: bytes | str | Path | Psbt) -> PsbtLook:
        """Take the signatures of what came back over into what was asked; see `returned`."""
        theirs = back if isinstance(back, Psbt) else await _parsed(back)
        merged = await self.returned(asked, theirs)
        if self._waiting.get(merged.tx.txid) is not None:
            await self._keep(merged)
        return await self.look(merged)

    async def returned(self, asked: Psbt, back: Psbt) -> Psbt:
        """Compare and combine; raises WrongSignedPsbt with a sentence for each deviation."""
        return await asyncio.to_thread(returned, asked, back, self._session.params)

    async def combine(self, psbts: Sequence[Psbt]) -> PsbtLook:
        """Put together what several people signed of a payment that nobody asked here."""
        combined = await asyncio.to_thread(psbt_roles.combine, list(psbts))
        return await self.look(update(self._session.wallet, combined))

    # --- sending

    async def finalize(self, psbt: Psbt) -> Transaction:
        """Verify and finish; it is stored as this wallet's own before this returns.

        Raises NotComplete, WrongSignature, ParseError, StorageError.
        """
        look = await self.look(psbt)
        if look.why_not_send:
            raise NotComplete(look.why_not_send)
        tx = await asyncio.to_thread(_extracted, psbt)
        await self._session.accept_final(tx)
        # Only now: the wallet holds it, and sends it again until a block does.
        await self._waiting.drop(psbt.tx.txid)
        return tx

    async def broadcast(self, tx: Transaction) -> BroadcastResult:
        """Send what `finalize` gave. Raises ChainError when nobody can be asked."""
        return await self._session.broadcast(tx)

    # --- files

    async def save(self, psbt: Psbt, path: Path) -> None:
        """Write a file: base64 text for .txt and .b64, else the bytes. Raises PsbtFileError."""
        as_text = path.suffix.lower() in {".txt", ".b64", ".base64"}
        await asyncio.to_thread(psbt_files.save, path, psbt, as_text=as_text)


async def _parsed(data: bytes | str | Path) -> Psbt:
    def work() -> Psbt:
        return psbt_files.parse(psbt_files.read_file(data) if isinstance(data, Path) else data)

    return await asyncio.to_thread(work)


def _is_signed(psbt: Psbt) -> bool:
    return any(p.partial_sigs or p.tap_key_sig or p.is_final for p in psbt.inputs)


def _extracted(psbt: Psbt) -> Transaction:
    final = psbt_roles.finalize(psbt)
    unjudged = psbt_roles.unverified_inputs(final)
    if unjudged:
        raise WrongSignedPsbt(
            f"The signature of input {unjudged[0] + 1} is of a kind that cannot be verified here. "
            "It was not sent."
        )
    return psbt_roles.extract(final)


def _judged(
    psbt: Psbt,
    descriptors: Sequence[Descriptor],
    params: ChainParams,
    known: dict[ChainKey, int],
    own_fingerprint: str,
) -> tuple[PsbtLook, bytes]:
    """Look at a PSBT; the txid is the one that it has once signed, as far as that is known."""
    seen, why_not, problem = None, "", ""
    places: list[ScriptPlace | None] = [None] * len(psbt.inputs)
    try:
        seen = review.of(psbt, descriptors, params, known_indexes=known)
        places = [coin.place for coin in seen.inputs]
    except WalletError as error:
        why_not = str(error)
    try:
        signatures = psbt_signers.of(psbt, places, descriptors, own_fingerprint)
        psbt_roles.check_signatures(psbt)
    except (WalletError, ParseError) as error:
        problem = str(error)
        signatures = psbt_signers.of(
            Psbt.from_unsigned_tx(psbt.tx), places, descriptors, own_fingerprint
        )
    try:
        # Until it is signed, that of the unsigned one: with legacy coins another.
        txid = psbt.finalize().extract().txid
    except ParseError:
        txid = psbt.tx.txid
    return PsbtLook(psbt, signatures, seen, why_not, "" if why_not else problem), txid
