"""The node's own set of unspent outputs, asked for some scripts (`scantxoutset`).

A node makes one such scan at a time, for whoever asks: another one's is waited for, and one of
ours that a lost connection left behind is, too.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from wallet_gui.chain.bitcoind import node_replies as replies
from wallet_gui.chain.bitcoind.money import sats
from wallet_gui.chain.bitcoind.node_session import Rpc
from wallet_gui.chain.bitcoind.problems import Code, RpcError, bad_reply
from wallet_gui.chain.bitcoind.scan_problems import scan_lost
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import OutPoint

MAX_SCRIPT: Final = 10_000
MAX_REPLY: Final = 64_000_000
BUSY_PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
SURELY_OURS: Final = 2.0  # seconds
LONGEST: Final = 3600.0  # seconds; a slow machine reads ten minutes and more
MAX_VOUT: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class UnspentCoin:
    """An output nobody spent: what it pays, the amount in sat, and where it was mined."""

    script: bytes
    value_sat: int
    height: int


@dataclass(frozen=True, slots=True)
class UnspentSet:
    """The unspent outputs to some scripts as of the block `block_hash` at `height`."""

    height: int
    block_hash: bytes
    coins: dict[OutPoint, UnspentCoin]


def descriptors(scripts: Collection[bytes]) -> list[str]:
    """Write scripts as the node takes them: nothing of the wallet's keys is in there."""
    return [f"raw({script.hex()})" for script in scripts]


class CoinScan:
    """Asks for unspent outputs; can be ended while it goes on, nobody else's ever is."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._since: float | None = None

    async def run(self, rpc: Rpc, scripts: Collection[bytes]) -> UnspentSet:
        """Ask for all unspent outputs to these scripts; takes minutes on a large chain.

        Raises NodeProblem: BAD_REPLY for amounts or scripts that cannot be right, SCAN_LOST when
        it was ended.
        """
        wanted = descriptors(scripts)
        pauses = iter(BUSY_PAUSES)
        while True:
            self._since = self._monotonic()
            try:
                found = await rpc.call(
                    "scantxoutset", "start", wanted, seconds=LONGEST, limit=MAX_REPLY
                )
            except RpcError as error:
                if error.code is not Code.SCAN_BUSY:
                    raise
            else:
                return _read(found, frozenset(scripts))
            finally:
                self._since = None
            await asyncio.sleep(next(pauses, BUSY_PAUSES[-1]))

    async def give_way(self, rpc: Rpc) -> None:
        """End the scan, if there is one: something else is wanted of the node first.

        A refusal comes at once, so that what was asked for a while ago is what runs.
        """
        if self._since is not None and self._monotonic() - self._since > SURELY_OURS:
            await rpc.call("scantxoutset", "abort")


async def unspent_of(rpc: Rpc, scripts: Collection[bytes]) -> UnspentSet:
    """Ask for all unspent outputs to these scripts; see `CoinScan.run`."""
    return await CoinScan().run(rpc, scripts)


def _read(found: Any, scripts: frozenset[bytes]) -> UnspentSet:
    if replies.field(found, "success") is not True:
        raise scan_lost()
    height = replies.height(replies.field(found, "height"))
    block_hash = replies.block_hash(replies.field(found, "bestblock"), "bestblock")
    coins: dict[OutPoint, UnspentCoin] = {}
    for entry in replies.entries(replies.field(found, "unspents"), "unspents"):
        txid = replies.block_hash(replies.field(entry, "txid"), "txid")
        vout = replies.field(entry, "vout")
        if isinstance(vout, bool) or not isinstance(vout, int) or not 0 <= vout <= MAX_VOUT:
            raise bad_reply("an output has no number")
        script = replies.raw_bytes(replies.field(entry, "scriptPubKey"), "scriptPubKey", MAX_SCRIPT)
        if script not in scripts:
            raise bad_reply("a coin pays a script that was not asked for")
        mined = replies.height(replies.field(entry, "height"))
        if mined > height:
            raise bad_reply("a coin was mined above the tip")
        outpoint = OutPoint(txid, vout)
        if outpoint in coins:
            raise bad_reply("a coin is listed twice")
        coins[outpoint] = UnspentCoin(script, _sats(replies.field(entry, "amount")), mined)
    total = _sats(replies.field(found, "total_amount"))
    if total != sum(coin.value_sat for coin in coins.values()):
        raise bad_reply("the total is not the sum of the coins")
    return UnspentSet(height, block_hash, coins)


def _sats(amount: Any) -> int:
    try:
        value = sats(amount)
    except ParseError as error:
        raise bad_reply(str(error)) from error
    if value < 0:
        raise bad_reply("an amount is negative")
    return value
