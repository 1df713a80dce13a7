"""Sending through the person's own node: tried out first, sent, and looked for afterwards.

Every step may be repeated: what is in the mempool already gives its txid again, what is in a block
gives -27, and both mean that it was sent. So after a lost connection the whole is done once more.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

from wallet_gui.chain.backend import BroadcastResult, BroadcastStage
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem, RpcError, bad_reply
from wallet_gui.chain.bitcoind.send_problems import refusal, txid_differs
from wallet_gui.primitives.amount import COIN, format_btc
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.transaction import Transaction

MAX_RATE: Final = COIN // 10
"""sat/kvB: Core's own limit for a fee that cannot be meant, and this wallet's."""

MOST_IN_PACKAGE: Final = 25

# The second: with another witness, perhaps from another signer; the payment is the same.
_IS_THERE: Final = ("txn-already-in-mempool", "txn-same-nonwitness-data-in-mempool")

HELD: Final = "Your node has it and passes it on."
PASSED_ON: Final = "Your node has it, and another node has asked it for it."
MINED: Final = "It is in a block already."
TAKEN: Final = "Your node took it. Whether others have it shows when a block holds it."

OnStage = Callable[[BroadcastStage], Awaitable[None]]


class SendRpc(Protocol):
    """What is needed of a `NodeRpc`."""

    async def call(self, method: str, /, *params: Any) -> Any: ...


class NodeBroadcast:
    """Sends transactions through one node."""

    def __init__(self, *, has_package_relay: bool) -> None:
        self._has_package_relay = has_package_relay

    async def send(
        self,
        rpc: SendRpc,
        tx: Transaction,
        parents: Sequence[Transaction] = (),
        *,
        max_rate: int = MAX_RATE,
        on_stage: OnStage | None = None,
    ) -> BroadcastResult:
        """Send a transaction, and before it those of its `parents` that the node lacks.

        `max_rate` is in sat/kvB. What the node refuses ends in `FAILED` with a sentence; raises
        NodeProblem when the node cannot be asked: then nothing is known, and sending again is safe.
        """
        tell = on_stage or _tell_nobody
        try:
            was_missing = await self._try_out(rpc, tx, parents, max_rate)
            if was_missing:
                await self._send(rpc, tx, parents, max_rate)
            await tell(BroadcastStage.SENT)
            stage, detail = await _look_for(rpc, tx)
        except _Refused as refused:
            if refused.problem.code is Code.ALREADY_MINED:
                await tell(BroadcastStage.ECHOED)
                return BroadcastResult(tx.txid, BroadcastStage.ECHOED, 1, MINED)
            await tell(BroadcastStage.FAILED)
            return BroadcastResult(tx.txid, BroadcastStage.FAILED, 0, str(refused.problem))
        await tell(stage)
        return BroadcastResult(tx.txid, stage, 1, detail, was_missing)

    async def _try_out(
        self, rpc: SendRpc, tx: Transaction, parents: Sequence[Transaction], max_rate: int
    ) -> bool:
        """Ask whether the node would take it; return whether it lacks it. Raises _Refused."""
        reason = await _reason(rpc, tx, max_rate)
        if not reason:
            return True
        if any(words in reason for words in _IS_THERE):
            return False
        problem = refusal(reason)
        if problem.code is Code.COINS_GONE and parents:
            return True  # the parents may be what is missing: sending all tells
        raise _Refused(problem)

    async def _send(
        self, rpc: SendRpc, tx: Transaction, parents: Sequence[Transaction], max_rate: int
    ) -> None:
        lacking = [parent for parent in parents if not await _is_there(rpc, parent)]
        package = [*lacking, tx]
        is_package = self._has_package_relay and 1 < len(package) <= MOST_IN_PACKAGE
        if is_package and await _send_package(rpc, package, max_rate):
            return
        for each in package:
            await _send_one(rpc, each, max_rate)


class _Refused(Exception):
    """The node does not take it."""

    def __init__(self, problem: NodeProblem) -> None:
        super().__init__(problem.title)
        self.problem = problem


async def _tell_nobody(_stage: BroadcastStage) -> None:
    return


def _raw(tx: Transaction) -> str:
    return tx.serialize().hex()


async def _reason(rpc: SendRpc, tx: Transaction, max_rate: int) -> str:
    """Ask why the node would not take a transaction; "" when it would."""
    try:
        answers = await rpc.call("testmempoolaccept", [_raw(tx)], format_btc(max_rate))
    except RpcError as error:
        raise _Refused(_explained(error)) from None
    if not isinstance(answers, list) or len(answers) != 1 or not isinstance(answers[0], dict):
        raise bad_reply("testmempoolaccept")
    answer = answers[0]
    if answer.get("txid") != hash_to_hex(tx.txid):
        raise _Refused(txid_differs())
    if answer.get("allowed") is True:
        return ""
    reason, details = answer.get("reject-reason"), answer.get("reject-details", "")
    if not isinstance(reason, str) or not isinstance(details, str):
        raise bad_reply("testmempoolaccept")
    return f"{reason} {details}" if details and details != reason else reason or "refused"


async def _is_there(rpc: SendRpc, tx: Transaction) -> bool:
    """Whether the node has a transaction, in its mempool or (with coins left) in a block."""
    try:
        await rpc.call("getmempoolentry", hash_to_hex(tx.txid))
    except RpcError as error:
        if not _is_missing(error):
            raise
    else:
        return True
    txid = hash_to_hex(tx.txid)
    for vout in range(min(len(tx.outputs), 8)):
        if await rpc.call("gettxout", txid, vout) is not None:
            return True
    return False


async def _send_one(rpc: SendRpc, tx: Transaction, max_rate: int) -> None:
    try:
        echo = await rpc.call("sendrawtransaction", _raw(tx), format_btc(max_rate))
    except RpcError as error:
        raise _Refused(_explained(error)) from None
    if echo != hash_to_hex(tx.txid):
        raise _Refused(txid_differs())


async def _send_package(rpc: SendRpc, package: Sequence[Transaction], max_rate: int) -> bool:
    """Send parents and child as one; whether the node could be asked so (Core 28.0).

    Parents below the least fee are taken for the child's sake.
    """
    try:
        answer = await rpc.call(
            "submitpackage", [_raw(each) for each in package], format_btc(max_rate)
        )
    except RpcError:
        return False  # not of the shape that packages must have: one by one, then
    results = answer.get("tx-results") if isinstance(answer, dict) else None
    if not isinstance(results, dict):
        raise bad_reply("submitpackage")
    for each in package:
        result = results.get(hash_to_hex(each.wtxid))
        if not isinstance(result, dict):
            raise bad_reply("submitpackage")
        error = result.get("error")
        if isinstance(error, str):
            problem = refusal(error)
            if problem.code is not Code.ALREADY_MINED:
                raise _Refused(problem)
        elif result.get("txid") != hash_to_hex(each.txid):
            raise _Refused(txid_differs())
    return True


async def _look_for(rpc: SendRpc, tx: Transaction) -> tuple[BroadcastStage, str]:
    """Look whether the node has it now: what it says and what it holds are two things."""
    try:
        entry = await rpc.call("getmempoolentry", hash_to_hex(tx.txid))
    except RpcError as error:
        if not _is_missing(error):
            raise
        # A block may have taken it in this moment; else this brings it back.
        await _send_one(rpc, tx, MAX_RATE)
        return BroadcastStage.REQUESTED, TAKEN
    if not isinstance(entry, dict):
        raise bad_reply("getmempoolentry")
    is_alone = entry.get("unbroadcast") is not False
    return BroadcastStage.ECHOED, HELD if is_alone else PASSED_ON


def _is_missing(error: RpcError) -> bool:
    return error.number == -5


def _explained(error: RpcError) -> NodeProblem:
    """Put an error of sending into words; errors that are not about the payment stay."""
    if error.code is not Code.RPC_ERROR:
        raise error
    return refusal(error.message, error.number)
