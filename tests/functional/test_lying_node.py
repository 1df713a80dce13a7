"""A node that lies: nothing it makes up is accepted or shown, and what it hides is found."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.functional.bitcoind import Node
from tests.functional.node_proxy import Edit, honest, lying
from tests.functional.node_wallet import DirectLink, NodeClient, running
from tests.functional.p2p_wallet import ScriptWallet, run
from tests.functional.test_p2p_backend import GENESIS_COINBASE
from wallet_gui.chain.backend import (
    BackendState,
    BlockMatched,
    CheckState,
    Phase,
    SyncProgress,
)
from wallet_gui.chain.bitcoind.node_chain import ScanMode
from wallet_gui.chain.bitcoind.problems import Code
from wallet_gui.primitives.address import script_from_address
from wallet_gui.primitives.block import Block
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

BTC = 100_000_000
GENESIS = REGTEST.genesis_header + b"\x01" + GENESIS_COINBASE


class BankWallet(ScriptWallet):
    """A wallet whose scripts are those of the node's own wallet, which can spend from them."""

    def __init__(self, node: Node, count: int = 5) -> None:
        self._addresses = [node.bank("getnewaddress", "", "bech32") for _ in range(count)]
        super().__init__("w", gap=count)

    def script(self, index: int) -> bytes:
        if index < len(self._addresses):
            return script_from_address(self._addresses[index], REGTEST)
        return super().script(index)

    def address(self, index: int) -> str:
        if index < len(self._addresses):
            return str(self._addresses[index])
        return super().address(index)


@pytest.fixture
def paid(node: Node) -> ScriptWallet:
    """A wallet with three payments, on a chain that is long enough for a scan."""
    wallet = ScriptWallet()
    node.mature()
    for index in range(3):
        node.fund(wallet.address(index), (index + 1) * BTC)
        node.mine(10)
    node.wait_for_filters()
    return wallet


def heights_of(node: Node, wallet: ScriptWallet) -> list[int]:
    addresses = [f"addr({wallet.address(i)})" for i in range(len(wallet.scripts))]
    found = node.rpc("scantxoutset", "start", addresses)["unspents"]
    return sorted({coin["height"] for coin in found})


async def problem_of(client: NodeClient, *codes: Code) -> None:
    """Wait until one of these problems is shown."""

    def is_there() -> bool:
        sync = client.backend._sync
        present = None if sync is None else sync.present_problem()
        known = {problem.code for problem in client.link.problems}
        return bool(known & set(codes)) or (present is not None and present.code in codes)

    await client.until(is_there)
    await client.until(lambda: any(isinstance(e, BackendState) and e.detail for e in client.events))


def fake_payment(to: bytes) -> Transaction:
    tx_input = TxIn(OutPoint(b"\x11" * 32, 0), b"", 0xFFFFFFFF, ())
    return Transaction(2, (tx_input,), (TxOut(5 * BTC, to),), 0)


# --- what is made up ------------------------------------------------------------------------------


def with_foreign_payment(wallet: ScriptWallet) -> Edit:
    def edit(method: str, params: list[Any], result: Any) -> Any:
        if method == "getblock" and params[1] == 0:
            block = Block.parse(bytes.fromhex(result))
            fake = fake_payment(wallet.script(4))
            return Block(block.header, (*block.transactions, fake)).serialize().hex()
        return result

    return edit


def with_larger_output(wallet: ScriptWallet) -> Edit:
    def edit(method: str, params: list[Any], result: Any) -> Any:
        if method == "getblock" and params[1] == 0:
            for index in range(3):
                script = wallet.script(index).hex()
                amount = ((index + 1) * BTC).to_bytes(8, "little").hex()
                more = ((index + 9) * BTC).to_bytes(8, "little").hex()
                result = result.replace(f"{amount}16{script}", f"{more}16{script}")
        return result

    return edit


def with_changed_witness(_wallet: ScriptWallet) -> Edit:
    def edit(method: str, params: list[Any], result: Any) -> Any:
        if method == "getblock" and params[1] == 0:
            block = Block.parse(bytes.fromhex(result))
            if len(block.transactions) > 1:
                raw = bytearray(block.serialize())
                raw[-20] ^= 1  # in the last transaction's witness
                return raw.hex()
        return result

    return edit


def with_another_block(_wallet: ScriptWallet) -> Edit:
    blocks: list[str] = []

    def edit(method: str, params: list[Any], result: Any) -> Any:
        if method == "getblock" and params[1] == 0:
            blocks.append(result)
            return blocks[0] if result != blocks[0] else GENESIS.hex()
        return result

    return edit


@pytest.mark.parametrize(
    "lie", [with_foreign_payment, with_larger_output, with_changed_witness, with_another_block]
)
@pytest.mark.parametrize("mode", ScanMode)
def test_altered_blocks_are_not_accepted(
    node: Node, paid: ScriptWallet, tmp_path: Path, lie: Any, mode: ScanMode
) -> None:
    wallet = paid

    async def scenario() -> None:
        async with lying(node, lie(wallet)) as proxy:
            link = DirectLink(node, mode, port=proxy.port)
            async with running(tmp_path, link, wallet) as client:
                await problem_of(client, Code.NODE_LIES, Code.BAD_REPLY)
                assert not client.backend.is_synced()
                delivered = [e for e in client.events if isinstance(e, BlockMatched)]
                honest_hashes = {bytes.fromhex(node.block_hash(e.height))[::-1] for e in delivered}
                assert {e.block.header.hash for e in delivered} == honest_hashes
                for event in delivered:
                    event.block.check()
                assert wallet.balance <= 6 * BTC
                assert client.checks.get("w") is not CheckState.AGREES
                # It was the proxy: without its edits all comes right by itself.
                proxy.edit = honest
                await client.until_checked(node)
                assert wallet.balance == 6 * BTC

    run(scenario)


def phases(client: NodeClient) -> list[Phase]:
    return [event.phase for event in client.events if isinstance(event, SyncProgress)]


def test_coins_in_the_set_that_no_block_holds(
    node: Node, paid: ScriptWallet, tmp_path: Path
) -> None:
    wallet = paid

    def edit(method: str, _params: list[Any], result: Any) -> Any:
        if method == "scantxoutset" and result is not None:
            fake = {
                **result["unspents"][0],
                "txid": "ab" * 32,
                "amount": 7,
                "height": result["height"] - 2,
            }
            result["unspents"].append(fake)
            result["total_amount"] += 7
        return result

    async def scenario() -> None:
        async with lying(node, edit) as proxy:
            link = DirectLink(node, port=proxy.port)
            async with running(tmp_path, link, wallet) as client:
                await client.until(lambda: client.checks.get("w") is CheckState.DIFFERS)
                assert not client.backend.is_synced()
                # Progress is told so many times a second: the next word of it says so.
                await client.until(lambda: phases(client)[-1] is not Phase.SYNCED)
                await asyncio.sleep(1)
                assert client.checks["w"] is CheckState.DIFFERS
                assert wallet.balance == 6 * BTC  # nothing of it became the wallet's
                proxy.edit = honest
                await client.until_checked(node)

    run(scenario)


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "NaN"},
        {"amount": -1},
        {"amount": True},
        {"amount": 0.123456789},
        {"amount": 22_000_000},
        {"height": -1},
        {"height": 10**9},
        {"vout": -1},
        {"txid": "zz" * 32},
        {"txid": None},
        {"scriptPubKey": "51"},
        {"scriptPubKey": "5" * 9},
    ],
    ids=str,
)
def test_a_coin_set_that_makes_no_sense(
    module_node: Node, tmp_path: Path, change: dict[str, Any]
) -> None:
    node = module_node
    wallet = ScriptWallet(hashlib.sha256(repr(change).encode()).hexdigest()[:8])
    node.mature()
    node.fund(wallet.address(0), BTC)
    node.mine(1)
    node.wait_for_filters()

    def edit(method: str, _params: list[Any], result: Any) -> Any:
        if method == "scantxoutset" and result is not None:
            result["unspents"][0] |= change
        return result

    async def scenario() -> None:
        async with lying(node, edit) as proxy:
            link = DirectLink(node, port=proxy.port)
            async with running(tmp_path, link, wallet) as client:
                await client.until(lambda: proxy.calls.count("scantxoutset") > 1)
                assert client.checks.get(wallet.name) is CheckState.CHECKING
                assert wallet.balance == BTC

    run(scenario)


def forged_header(raw: bytes) -> bytes:
    """Change the difficulty that a header claims, and do the work for it."""
    changed = bytearray(raw[:72] + (0x207FFFFE).to_bytes(4, "little") + raw[76:])
    digest = b"\xff" * 32
    nonce = 0
    while digest[31] >= 0x7F:
        nonce += 1
        changed[76:] = nonce.to_bytes(4, "little")
        digest = sha256d(bytes(changed))
    return bytes(changed)


def test_headers_that_break_a_rule(node: Node, paid: ScriptWallet, tmp_path: Path) -> None:
    """Their hashes are what the node says, and their work is what regtest asks for."""
    wallet = paid
    tip, height = node.tip, node.height
    raw = forged_header(bytes.fromhex(node.rpc("getblockheader", tip, False)))
    forged = sha256d(raw)[::-1].hex()

    def edit(method: str, params: list[Any], result: Any) -> Any:
        if method == "getblockheader" and params[0] == forged:
            return raw.hex()
        if method == "getblockchaininfo":
            result["bestblockhash"] = forged
        return forged if result == tip else result

    async def scenario() -> None:
        async with lying(node, edit) as proxy:
            link = DirectLink(node, port=proxy.port)
            async with running(tmp_path, link, wallet) as client:
                await problem_of(client, Code.NODE_LIES)
                found = client.backend.tip()
                assert found is not None
                assert found.height < height
                assert not client.backend.is_synced()

    run(scenario)


def test_a_node_of_another_chain(node: Node, paid: ScriptWallet, tmp_path: Path) -> None:
    wallet = paid

    def edit(method: str, params: list[Any], result: Any) -> Any:
        if method == "getblockhash" and params[0] == 0:
            return "00" * 32
        if method == "getblockchaininfo":
            result["bestblockhash"] = "77" * 32
        if method == "getblockhash":
            return "66" * 32
        return result

    async def scenario() -> None:
        async with lying(node, edit) as proxy:
            link = DirectLink(node, port=proxy.port)
            async with running(tmp_path, link, wallet) as client:
                await problem_of(client, Code.NODE_LIES)
                assert client.backend.tip() is not None
                assert wallet.heights == []
                assert not client.backend.is_synced()

    run(scenario)


# --- what is hidden -------------------------------------------------------------------------------


def hiding(node: Node, hidden: set[str]) -> Edit:
    """Hide blocks from scans; the set of coins is left as it is."""

    def edit(method: str, params: list[Any], result: Any) -> Any:
        if method == "scanblocks" and params[0] in {"start", "status"} and result:
            kept = [h for h in result.get("relevant_blocks", []) if h not in hidden]
            result["relevant_blocks"] = kept
        return result

    return edit


def test_payments_that_a_scan_hides_are_found(
    node: Node, paid: ScriptWallet, tmp_path: Path
) -> None:
    wallet = paid
    hidden = {node.block_hash(height) for height in heights_of(node, wallet)[:2]}

    async def scenario() -> None:
        async with lying(node, hiding(node, hidden)) as proxy:
            link = DirectLink(node, port=proxy.port)
            async with running(tmp_path, link, wallet) as client:
                told: list[int] = []
                client.on_event = lambda _event: (
                    told.append(wallet.balance)
                    if client.checks.get("w") is CheckState.AGREES
                    else None
                )
                await client.until_checked(node)
                assert wallet.balance == 6 * BTC
                assert set(told) <= {6 * BTC}, "a wrong balance was called checked"

    run(scenario)


def forged_filters(node: Node, block: str) -> dict[str, dict[str, str]]:
    """Leave everything out of the filter of a block, and make all filter headers fit that."""
    height = node.rpc("getblockheader", block)["height"]
    header = bytes.fromhex(node.rpc("getblockfilter", node.block_hash(height - 1))["header"])[::-1]
    forged = {}
    for each in range(height, node.height + 1):
        name = node.block_hash(each)
        data = b"\x00" if name == block else filter_of(node, name)
        header = sha256d(sha256d(data) + header)
        forged[name] = {"filter": data.hex(), "header": header[::-1].hex()}
    return forged


def filter_of(node: Node, block: str) -> bytes:
    return bytes.fromhex(node.rpc("getblockfilter", block)["filter"])


@pytest.mark.parametrize("hides", ["in scans", "one filter", "the filter chain"])
def test_spends_that_a_node_hides_are_found(node: Node, tmp_path: Path, hides: str) -> None:
    node.mature()
    wallet = BankWallet(node)
    txid = node.fund(wallet.address(0), BTC)
    node.mine(20)
    vout = next(
        output["n"]
        for output in node.rpc("getrawtransaction", txid, 2)["vout"]
        if output["value"] == 1
    )
    away = ScriptWallet("elsewhere").address(0)
    unsigned = node.rpc("createrawtransaction", [{"txid": txid, "vout": vout}], {away: "0.999"})
    signed = node.bank("signrawtransactionwithwallet", unsigned)["hex"]
    spending = node.mine_with([signed])
    node.mine(20)
    node.wait_for_filters()
    forged: dict[str, dict[str, str]] = {}
    if hides == "one filter":
        forged[spending] = {**node.rpc("getblockfilter", spending), "filter": "00"}
    if hides == "the filter chain":
        forged = forged_filters(node, spending)

    def edit(method: str, params: list[Any], result: Any) -> Any:
        if method == "getblockfilter":
            return forged.get(params[0], result)
        return hiding(node, {spending})(method, params, result)

    async def scenario() -> None:
        async with lying(node, edit) as proxy:
            link = DirectLink(node, port=proxy.port)
            async with running(tmp_path, link, wallet) as client:
                await client.until_checked(node)
                assert wallet.balance == 0
                sync = client.backend._sync
                assert sync is not None
                assert sync.check.repairs > 0

    run(scenario)


def test_a_coin_that_the_set_hides_is_never_called_checked(
    node: Node, paid: ScriptWallet, tmp_path: Path
) -> None:
    wallet = paid

    def edit(method: str, _params: list[Any], result: Any) -> Any:
        if method == "scantxoutset" and result is not None:
            gone = result["unspents"].pop()
            result["total_amount"] -= gone["amount"]
        return result

    async def scenario() -> None:
        async with lying(node, edit) as proxy:
            link = DirectLink(node, port=proxy.port)
            async with running(tmp_path, link, wallet) as client:
                await client.until(lambda: proxy.calls.count("scantxoutset") > 2)
                assert client.checks["w"] is CheckState.DIFFERS
                assert not client.backend.is_synced()
                assert wallet.balance == 6 * BTC

    run(scenario)
