"""What an honest bitcoind of some version answers about a `FakeChain` and a mempool.

Shapes as of Core 25, 28 and 29 (src/rpc/{blockchain,mempool,rawtransaction,mining,fees}.cpp).
"""

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.hostile.fake_chain import FakeChain
from wallet_gui.primitives.hashes import hash_from_hex, hash_to_hex
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import OutPoint, Transaction

COIN = Decimal(100_000_000)
INDEX = "basic block filter index"


class Refusal(Exception):
    """An error of the node."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number
        self.message = message


@dataclass
class ChainAnswers:
    """The node's state besides its chain; every member may be changed by a test."""

    chain: FakeChain
    version: int = 290000
    subversion: str = "/Satoshi:29.0.0/"
    network: str = "regtest"
    prune_height: int | None = None
    index_height: int | None = None  # None: at the tip; -1: no filter index
    headers: int | None = None
    is_ibd: bool = False
    warnings: list[str] = field(default_factory=list)
    mempool: dict[str, Transaction] = field(default_factory=dict)  # txid as displayed
    min_relay: Decimal = Decimal("0.00001000")
    mempool_min: Decimal = Decimal("0.00001000")
    estimates: dict[int, Decimal] = field(default_factory=dict)
    scan_seconds: float = 0.0
    is_scanning: bool = False
    was_aborted: bool = False
    new_block: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, method: str, params: list[Any]) -> Any:
        handler: Callable[..., Any] | None = getattr(self, f"_{method}", None)
        if handler is None or (method == "getdescriptoractivity" and self.version < 290000):
            raise Refusal(-32601, "Method not found")
        try:
            inspect.signature(handler).bind(*params)
        except TypeError:
            raise Refusal(-1, f"{method} ...\n\nArguments:\n") from None
        try:
            result = handler(*params)
        except ParseError:
            raise Refusal(-8, "blockhash must be of length 64 (not 0, for '')") from None
        return await result if asyncio.iscoroutine(result) else result

    def notify(self) -> None:
        """Wake whoever waits for a new block."""
        self.new_block.set()
        self.new_block = asyncio.Event()

    # The chain

    def _getblockchaininfo(self) -> Any:
        info: dict[str, Any] = {
            "chain": self.network,
            "blocks": self.chain.height,
            "headers": self.chain.height if self.headers is None else self.headers,
            "bestblockhash": hash_to_hex(self.chain.tip),
            "difficulty": Decimal("4.656542373906925e-10"),
            "time": self.chain.blocks[-1].header.time,
            "mediantime": self.chain.blocks[-1].header.time,
            "verificationprogress": Decimal("0.5") if self.is_ibd else 1,
            "initialblockdownload": self.is_ibd,
            "chainwork": "0" * 64,
            "size_on_disk": 293,
            "pruned": self.prune_height is not None,
            "warnings": self.warnings if self.version >= 280000 else " ".join(self.warnings),
        }
        if self.prune_height is not None:
            info["pruneheight"] = self.prune_height
        return info

    def _getnetworkinfo(self) -> Any:
        return {
            "version": self.version,
            "subversion": self.subversion,
            "protocolversion": 70016,
            "relayfee": self.min_relay,
            "incrementalfee": Decimal("0.00001000"),
            "warnings": self.warnings if self.version >= 280000 else " ".join(self.warnings),
        }

    def _getindexinfo(self, *_: Any) -> Any:
        if self.index_height == -1:
            return {}
        height = self.chain.height if self.index_height is None else self.index_height
        return {INDEX: {"synced": height == self.chain.height, "best_block_height": height}}

    def _uptime(self) -> int:
        return 1234

    def _getblockhash(self, height: int) -> str:
        if not 0 <= height <= self.chain.height:
            raise Refusal(-8, "Block height out of range")
        return hash_to_hex(self.chain.blocks[height].header.hash)

    def _height(self, block_hash: str) -> int:
        height = self.chain.height_of(hash_from_hex(block_hash))
        if height is None:
            raise Refusal(-5, "Block not found")
        return height

    def _getblockheader(self, block_hash: str, verbose: bool = True) -> Any:  # noqa: FBT001,FBT002
        height = self._height(block_hash)
        header = self.chain.blocks[height].header
        if not verbose:
            return header.serialize().hex()
        return {"hash": block_hash, "height": height, "time": header.time, "confirmations": 1}

    def _getblock(self, block_hash: str, verbosity: int = 1) -> Any:
        height = self._height(block_hash)
        self._refuse_pruned(height)
        if verbosity != 0:
            raise Refusal(-8, "not scripted")
        return self.chain.blocks[height].serialize().hex()

    def _refuse_pruned(self, height: int) -> None:
        if self.prune_height is not None and 0 < height < self.prune_height:
            raise Refusal(-1, "Block not available (pruned data)")

    def _getblockfilter(self, block_hash: str, kind: str = "basic") -> Any:
        if self.index_height == -1:
            raise Refusal(-1, f"Index is not enabled for filtertype {kind}")
        height = self._height(block_hash)
        return {
            "filter": self.chain.filters[height].data.hex(),
            "header": hash_to_hex(self.chain.filter_headers[height]),
        }

    async def _waitfornewblock(self, milliseconds: Any = 0, *_: Any) -> Any:
        if not isinstance(milliseconds, int):
            raise Refusal(-3, "JSON value of type string is not of expected type number")
        event = self.new_block
        try:
            async with asyncio.timeout(milliseconds / 1000 or None):
                await event.wait()
        except TimeoutError:
            pass
        return {"hash": hash_to_hex(self.chain.tip), "height": self.chain.height}

    # Scans

    async def _scanblocks(
        self,
        action: str,
        objects: list[Any] | None = None,
        start: int = 0,
        stop: int | None = None,
        *_: Any,
    ) -> Any:
        if action == "status":
            return {"progress": 50, "current_height": 1} if self.is_scanning else None
        if action == "abort":
            self.was_aborted = self.is_scanning
            return self.is_scanning
        if self.is_scanning:
            raise Refusal(-8, 'Scan already in progress, use action "abort" or "status"')
        if self.index_height == -1:
            raise Refusal(-1, "Index is not enabled for filtertype basic")
        self.is_scanning, self.was_aborted = True, False
        try:
            await asyncio.sleep(self.scan_seconds)
        finally:
            self.is_scanning = False
        last = self.chain.height if stop is None else stop
        scripts = scripts_of(objects or [])
        relevant = [
            hash_to_hex(self.chain.blocks[height].header.hash)
            for height in range(start, last + 1)
            if any(self.touches(height, script) for script in scripts)
        ]
        return {
            "from_height": start,
            "to_height": last,
            "relevant_blocks": relevant,
            "completed": not self.was_aborted,
        }

    def touches(self, height: int, script: bytes) -> bool:
        """Whether a block pays to a script or spends from it."""
        for tx in self.chain.blocks[height].transactions:
            if any(output.script_pubkey == script for output in tx.outputs):
                return True
            if any(self.chain.scripts.get(each.prevout) == script for each in tx.inputs):
                return True
        return False

    def _getdescriptoractivity(
        self,
        blocks: list[str],
        objects: list[Any],
        include_mempool: bool = True,  # noqa: FBT001,FBT002
    ) -> Any:
        scripts = scripts_of(objects)
        activity: list[dict[str, Any]] = []
        for block_hash in blocks:
            height = self._height(block_hash)
            self._refuse_pruned(height)
            for tx in self.chain.blocks[height].transactions:
                activity += self._activity_of(tx, scripts, block_hash, height)
        if include_mempool:
            for tx in self.mempool.values():
                activity += self._activity_of(tx, scripts, "", -1)
        return {"activity": activity}

    def _activity_of(
        self, tx: Transaction, scripts: set[bytes], block_hash: str, height: int
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        place = {"blockhash": block_hash, "height": height} if block_hash else {}
        for vin, each in enumerate(tx.inputs):
            if self._script_of(each.prevout) in scripts:
                found.append(
                    {
                        "type": "spend",
                        "amount": Decimal(self._value_of(each.prevout)) / COIN,
                        **place,
                        "spend_txid": hash_to_hex(tx.txid),
                        "spend_vin": vin,
                        "prevout_txid": hash_to_hex(each.prevout.txid),
                        "prevout_vout": each.prevout.vout,
                    }
                )
        for vout, output in enumerate(tx.outputs):
            if output.script_pubkey in scripts:
                found.append(
                    {
                        "type": "receive",
                        "amount": Decimal(output.value_sat) / COIN,
                        **place,
                        "txid": hash_to_hex(tx.txid),
                        "vout": vout,
                    }
                )
        return found

    def _script_of(self, coin: OutPoint) -> bytes | None:
        parent = self.mempool.get(hash_to_hex(coin.txid))
        if parent is not None and coin.vout < len(parent.outputs):
            return parent.outputs[coin.vout].script_pubkey
        return self.chain.scripts.get(coin)

    def _value_of(self, coin: OutPoint) -> int:
        parent = self._find(coin.txid)
        return parent.outputs[coin.vout].value_sat if parent is not None else 0

    def _find(self, txid: bytes) -> Transaction | None:
        if (found := self.mempool.get(hash_to_hex(txid))) is not None:
            return found
        for block in self.chain.blocks:
            for tx in block.transactions:
                if tx.txid == txid:
                    return tx
        return None

    def utxos(self) -> dict[OutPoint, tuple[int, bytes, int, bool]]:
        """The confirmed unspent coins: amount, script, height, whether it is a coinbase's."""
        coins: dict[OutPoint, tuple[int, bytes, int, bool]] = {}
        for height, block in enumerate(self.chain.blocks[1:], 1):
            for number, tx in enumerate(block.transactions):
                for each in tx.inputs:
                    coins.pop(each.prevout, None)
                for vout, output in enumerate(tx.outputs):
                    coin = OutPoint(tx.txid, vout)
                    coins[coin] = (output.value_sat, output.script_pubkey, height, not number)
        return coins

    async def _scantxoutset(self, action: str, objects: list[Any] | None = None) -> Any:
        if action == "status":
            return {"progress": 50} if self.is_scanning else None
        if action == "abort":
            return self.is_scanning
        if self.is_scanning:
            raise Refusal(-8, 'Scan already in progress, use action "abort" or "status"')
        self.is_scanning = True
        try:
            await asyncio.sleep(self.scan_seconds)
        finally:
            self.is_scanning = False
        scripts = scripts_of(objects or [])
        unspents: list[dict[str, Any]] = [
            {
                "txid": hash_to_hex(coin.txid),
                "vout": coin.vout,
                "scriptPubKey": script.hex(),
                "amount": Decimal(value) / COIN,
                "coinbase": is_coinbase,
                "height": height,
                "blockhash": hash_to_hex(self.chain.blocks[height].header.hash),
                "confirmations": self.chain.height - height + 1,
            }
            for coin, (value, script, height, is_coinbase) in self.utxos().items()
            if script in scripts
        ]
        return {
            "success": True,
            "txouts": len(self.utxos()),
            "height": self.chain.height,
            "bestblock": hash_to_hex(self.chain.tip),
            "unspents": unspents,
            "total_amount": sum((each["amount"] for each in unspents), Decimal(0)),
        }

    def _gettxout(self, txid: str, vout: int, *_: Any) -> Any:
        coin = OutPoint(hash_from_hex(txid), vout)
        found = self.utxos().get(coin)
        if found is None:
            return None
        return {"bestblock": hash_to_hex(self.chain.tip), "value": Decimal(found[0]) / COIN}

    # The mempool

    def _getmempoolinfo(self) -> Any:
        return {
            "loaded": True,
            "size": len(self.mempool),
            "mempoolminfee": self.mempool_min,
            "minrelaytxfee": self.min_relay,
        }

    def _getrawmempool(self, *_: Any) -> Any:
        return list(self.mempool)

    def _getmempoolentry(self, txid: str) -> Any:
        if txid not in self.mempool:
            raise Refusal(-5, "Transaction not in mempool")
        tx = self.mempool[txid]
        return {"vsize": tx.vsize, "weight": tx.weight, "time": 1, "fees": {"base": Decimal(0)}}

    def _getrawtransaction(self, txid: str, *_: Any) -> Any:
        tx = self.mempool.get(txid)
        if tx is None:
            raise Refusal(-5, "No such mempool transaction. Use -txindex")
        return tx.serialize().hex()

    def _gettxspendingprevout(self, outputs: list[dict[str, Any]]) -> Any:
        spenders = {
            (hash_to_hex(each.prevout.txid), each.prevout.vout): txid
            for txid, tx in self.mempool.items()
            for each in tx.inputs
        }
        found = []
        for output in outputs:
            answer = dict(output)
            if (spender := spenders.get((output["txid"], output["vout"]))) is not None:
                answer["spendingtxid"] = spender
            found.append(answer)
        return found

    def _estimatesmartfee(self, target: int, *_: Any) -> Any:
        if target not in self.estimates:
            return {"errors": ["Insufficient data or no feerate found"], "blocks": target}
        return {"feerate": self.estimates[target], "blocks": target}

    def _testmempoolaccept(self, raws: list[str], *_: Any) -> Any:
        answers = []
        for raw in raws:
            tx = decoded(raw)
            answers.append(
                {
                    "txid": hash_to_hex(tx.txid),
                    "wtxid": hash_to_hex(tx.wtxid),
                    "allowed": True,
                    "vsize": tx.vsize,
                    "fees": {"base": Decimal("0.00001")},
                }
            )
        return answers

    def _sendrawtransaction(self, raw: str, *_: Any) -> str:
        tx = decoded(raw)
        txid = hash_to_hex(tx.txid)
        self.mempool[txid] = tx
        return txid

    def _submitpackage(self, raws: list[str], *_: Any) -> Any:
        if self.version < 280000 and self.network != "regtest":
            raise Refusal(-32601, "Method not found")
        results = {}
        for raw in raws:
            tx = decoded(raw)
            self.mempool[hash_to_hex(tx.txid)] = tx
            results[hash_to_hex(tx.wtxid)] = {"txid": hash_to_hex(tx.txid), "vsize": tx.vsize}
        return {"package_msg": "success", "tx-results": results, "replaced-transactions": []}


def scripts_of(objects: list[Any]) -> set[bytes]:
    """Read `raw(hex)` scan objects; anything else is a leak of more than a script."""
    scripts = set()
    for each in objects:
        text = each["desc"] if isinstance(each, dict) else each
        assert text.startswith("raw("), text
        scripts.add(bytes.fromhex(text[4 : text.index(")")]))
    return scripts


def decoded(raw: str) -> Transaction:
    try:
        return Transaction.parse(bytes.fromhex(raw))
    except (ValueError, ParseError):
        raise Refusal(-22, "TX decode failed. Make sure the tx has at least one input.") from None
