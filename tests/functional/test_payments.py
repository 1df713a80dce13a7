"""Payments among real nodes: how they spread, who refuses them, and that none is lost."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from tests.functional.bitcoind import COIN, Node, NodeFactory, to_btc
from tests.functional.live_wallet import Keys, Live, online_at
from tests.functional.p2p_wallet import Client, ScriptWallet, run, running
from tests.patience import PATIENCE
from wallet_gui.app import rebroadcast
from wallet_gui.app.published import PendingReport, SessionUpdate
from wallet_gui.app.session import WalletSession
from wallet_gui.chain.backend import BroadcastProgress, BroadcastStage
from wallet_gui.chain.p2p import broadcast_verdicts as verdicts
from wallet_gui.chain.p2p.backend import system_clock
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.chain.reports import SeenBy
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.hashes import hash_from_hex, hash_to_hex
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.script import p2wpkh
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.wallet.changes import Evidence
from wallet_gui.wallet.snapshot import Balance
from wallet_gui.wallet.spend import Recipient

PAYEE = p2wpkh(b"p" * 20)


def signed(node: Node, inputs: list[dict[str, object]], outputs: dict[str, int]) -> Transaction:
    """A transaction of the node's own wallet with exactly these inputs and outputs in sat."""
    raw = node.rpc("createrawtransaction", inputs, {a: to_btc(v) for a, v in outputs.items()})
    made = node.bank("signrawtransactionwithwallet", raw)
    assert made["complete"]
    return Transaction.parse(bytes.fromhex(made["hex"]))


def bank_coin(node: Node) -> tuple[dict[str, object], int]:
    """A confirmed coin of the node's wallet and its value in sat."""
    coin = max(node.bank("listunspent", 1), key=lambda c: c["amount"])
    spent: dict[str, object] = {"txid": coin["txid"], "vout": coin["vout"], "sequence": 0xFFFFFFFD}
    return spent, int(coin["amount"] * COIN)


def one_payment(node: Node, fee_sat: int) -> Transaction:
    spent, value = bank_coin(node)
    return signed(node, [spent], {node.bank("getnewaddress"): value - fee_sat})


def hasty_clock() -> Instant:
    """Six times as fast as the real one: nodes announce to us at once (-whitelist)."""
    now = system_clock()
    return now._replace(monotonic=6 * now.monotonic)


def stages(client: Client, tx: Transaction) -> list[BroadcastStage]:
    told = [e for e in client.events if isinstance(e, BroadcastProgress)]
    return [e.stage for e in told if e.txid == tx.txid]


async def all_connected(client: Client, *nodes: Node) -> None:
    await client.until(lambda: len(client.backend.peers()) == len(nodes))
    await client.until_synced(nodes[0].height, nodes[0].tip)


# --- the ladder -----------------------------------------------------------------------------------


def test_a_payment_is_seen_to_spread(node_factory: NodeFactory, tmp_path: Path) -> None:
    first, second, third = nodes = [node_factory() for _ in range(3)]
    first.mature()
    for other in (second, third):
        other.connect_to(first)
        other.wait_for_filters()
    third.connect_to(second)

    async def scenario() -> None:
        ports = [node.p2p_port for node in nodes]
        async with running(tmp_path, ports, ScriptWallet()) as client:
            await all_connected(client, *nodes)
            tx = one_payment(first, 1000)
            result = await client.backend.broadcast(tx)
            assert result.stage is BroadcastStage.SPREAD
            assert result.peers == 2
            assert result.detail == verdicts.SPREAD.format(networks=2)
            await client.until(lambda: BroadcastStage.SPREAD in stages(client, tx))
            assert stages(client, tx) == [
                BroadcastStage.SENT,
                BroadcastStage.REQUESTED,
                BroadcastStage.ECHOED,
                BroadcastStage.SPREAD,
            ]
            for node in nodes:
                assert hash_to_hex(tx.txid) in node.mempool()
            assert client.backend.seen_by(tx.txid) == SeenBy(2, 3)
            # Once more: everybody has it, so nobody is told.
            client.events.clear()
            again = await client.backend.broadcast(tx)
            assert again.is_accepted
            assert BroadcastStage.SENT not in stages(client, tx)

    run(scenario)


def test_a_fee_that_nobody_takes_is_a_failure_with_its_cause(
    node_factory: NodeFactory, tmp_path: Path
) -> None:
    node = node_factory("-minrelaytxfee=0.0002")  # 20 sat/vB
    node.mature()

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], ScriptWallet(), clock=hasty_clock) as client:
            await all_connected(client, node)
            await client.until(lambda: client.backend.minimum_fee_rates() != [])
            assert client.backend.minimum_fee_rates()[0] >= 20_000
            tx = one_payment(node, 300)
            result = await client.backend.broadcast(tx)
            assert result.stage is BroadcastStage.FAILED
            assert "fee may be too low" in result.detail
            assert hash_to_hex(tx.txid) not in node.mempool()

    run(scenario)


def test_a_node_that_lacks_the_parent_gets_it(node: Node, tmp_path: Path) -> None:
    node.mature()
    spent, value = bank_coin(node)
    address = node.bank("getnewaddress")
    parent = signed(node, [spent], {address: value - 1000})
    previous = {
        "txid": hash_to_hex(parent.txid),
        "vout": 0,
        "scriptPubKey": parent.outputs[0].script_pubkey.hex(),
        "amount": to_btc(value - 1000),
    }
    raw = node.rpc(
        "createrawtransaction",
        [{"txid": previous["txid"], "vout": 0}],
        {address: to_btc(value - 2000)},
    )
    made = node.bank("signrawtransactionwithwallet", raw, [previous])
    child = Transaction.parse(bytes.fromhex(made["hex"]))

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], ScriptWallet()) as client:
            await all_connected(client, node)
            result = await client.backend.broadcast(child, [parent])
            assert result.is_accepted
            assert node.mempool() == {hash_to_hex(tx.txid) for tx in (parent, child)}

    run(scenario)


# --- what comes in --------------------------------------------------------------------------------


def reported(live: Live, txid: bytes) -> PendingReport | None:
    """What the screens were told last about a payment."""
    updates = [p for p in live.published if isinstance(p, SessionUpdate)]
    return updates[-1].pending.get(txid) if updates else None


def test_a_payment_that_its_sender_takes_back_before_it_confirms(
    node: Node, tmp_path: Path
) -> None:
    node.mature()
    keys = Keys("double")
    path = keys.create_file(DataDirectory(tmp_path, REGTEST))

    async def scenario() -> None:
        async with online_at(node, tmp_path, keys) as live:
            session = await live.open(path)
            await live.in_sync()
            spent, value = bank_coin(node)
            ours = keys.active.address(0, 0)
            assert ours is not None
            first = signed(node, [spent], {ours: value - 2000})
            node.rpc("sendrawtransaction", first.serialize().hex())
            await live.until(lambda: session.wallet.balance().incoming == value - 2000)
            assert session.wallet.balance().spendable == 0
            await live.until(lambda: reported(live, first.txid) is not None)
            report = reported(live, first.txid)
            assert report is not None
            assert report.seen == SeenBy(1, 1)
            assert not report.is_below_minimum
            (entry,) = session.wallet.history()
            assert entry.signals_rbf

            rival = signed(node, [spent], {node.bank("getnewaddress"): value - 9000})
            node.rpc("sendrawtransaction", rival.serialize().hex())
            await live.until(lambda: session.wallet.balance().total == 0)
            (entry,) = session.wallet.history()
            assert not entry.is_live
            assert entry.replaced_by == rival.txid
            assert entry.conflicts == (rival.txid,)
            await live.until(
                lambda: (reported(live, first.txid) or PendingReport()).rival is not None
            )
            report = reported(live, first.txid)
            assert report is not None
            assert report.rival == SeenBy(1, 1)
            node.mine(1)
            await live.in_sync()
            assert session.wallet.balance() == Balance()
            (entry,) = session.wallet.history()
            assert entry.replaced_by == rival.txid

    asyncio.run(scenario())


# --- nothing is lost ------------------------------------------------------------------------------


async def funded(live: Live, node: Node, keys: Keys, path: Path) -> WalletSession:
    session = await live.open(path)
    ours = keys.active.address(0, 0)
    assert ours is not None
    await asyncio.to_thread(node.fund, ours, COIN)
    await asyncio.to_thread(node.mine, 1)
    node.wait_for_filters()
    await live.in_sync()
    return session


async def paid(live: Live, session: WalletSession) -> Transaction:
    """Sign a payment and store it; it is not sent."""
    recipients = [Recipient(PAYEE, COIN // 10)]
    return await live.online.pay(session.wallet_id, recipients, FeeRate(5_000))


async def in_mempool(live: Live, node: Node, txid: bytes, seconds: float = PATIENCE) -> None:
    await live.until(lambda: hash_to_hex(txid) in node.mempool(), seconds)


def test_a_payment_is_offered_again_when_the_node_lost_it(
    node_factory: NodeFactory, tmp_path: Path
) -> None:
    node = node_factory("-persistmempool=0")
    node.mature()
    keys = Keys("again")
    path = keys.create_file(DataDirectory(tmp_path, REGTEST))

    async def scenario() -> None:
        async with online_at(node, tmp_path, keys) as live:
            session = await funded(live, node, keys, path)
            tx = await paid(live, session)
            await live.online.broadcast(session.wallet_id, tx.txid)
            await in_mempool(live, node, tx.txid)
            await asyncio.to_thread(node.restart)
            assert node.mempool() == set()
            await live.in_sync(60)
            await asyncio.to_thread(node.mine, 1)
            await in_mempool(live, node, tx.txid)
            attempts = session.sending.attempts(tx.txid)
            assert attempts is not None
            await live.until(lambda: (session.sending.attempts(tx.txid) or attempts).count == 2)
            node.mine(1)
            node.wait_for_filters()
            await live.in_sync()
            assert session.unconfirmed_own() == []

    asyncio.run(scenario())


def test_a_payment_made_without_a_connection_goes_out_with_the_next_one(
    node: Node, tmp_path: Path
) -> None:
    node.mature()
    keys = Keys("later")
    path = keys.create_file(DataDirectory(tmp_path, REGTEST))

    async def scenario() -> None:
        async with online_at(node, tmp_path, keys) as live:
            session = await funded(live, node, keys, path)
            await asyncio.to_thread(node.stop)
            await live.until(lambda: not session._minimum_rates())
            tx = await paid(live, session)
            await asyncio.sleep(2 * rebroadcast.LOOK_EVERY)
            assert session.sending.attempts(tx.txid) is None
            await asyncio.to_thread(node.start)
            await in_mempool(live, node, tx.txid)
            await live.until(lambda: session.sending.attempts(tx.txid) is not None)

    asyncio.run(scenario())


PAYING = """
import asyncio, sys
from pathlib import Path
from tests.functional.live_wallet import Keys, online_at
from tests.functional.test_payments import PAYEE
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.wallet.spend import Recipient

class Named:
    host, p2p_port = "127.0.0.1", int(sys.argv[2])

async def main():
    keys = Keys("killed")
    async with online_at(Named(), Path(sys.argv[1]), keys) as live:
        session = await live.open(Path(sys.argv[3]))
        while not live.online.selector.is_synced():
            await asyncio.sleep(0.05)
        recipients = [Recipient(PAYEE, 10_000_000)]
        tx = await live.online.pay(session.wallet_id, recipients, FeeRate(5_000))
        print(tx.txid[::-1].hex(), flush=True)
        sys.stdin.readline()
        sending = asyncio.create_task(live.online.broadcast(session.wallet_id, tx.txid))
        while not session.sending.is_sending(tx.txid):
            await asyncio.sleep(0)
        print("sending", flush=True)
        await sending

asyncio.run(main())
"""


def test_a_kill_in_the_middle_of_sending_loses_no_payment(node: Node, tmp_path: Path) -> None:
    node.mature()
    keys = Keys("killed")
    path = keys.create_file(DataDirectory(tmp_path, REGTEST))

    async def before() -> None:
        async with online_at(node, tmp_path, keys) as live:
            await funded(live, node, keys, path)

    asyncio.run(before())
    with subprocess.Popen(
        [sys.executable, "-c", PAYING, str(tmp_path), str(node.p2p_port), str(path)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        txid = program.stdout.readline().decode().strip()
        assert txid
        with node.frozen():  # it will not answer
            program.stdin.write(b"go\n")
            program.stdin.flush()
            assert program.stdout.readline() == b"sending\n"
            program.send_signal(signal.SIGKILL)
            program.wait()

    async def after() -> None:
        async with online_at(node, tmp_path, keys) as live:
            session = await live.open(path)
            await live.in_sync()
            assert [hash_to_hex(tx.txid) for tx in session.unconfirmed_own()] == [txid]
            await in_mempool(live, node, hash_from_hex(txid))
            await live.until(lambda: session.sending.attempts(hash_from_hex(txid)) is not None)
        async with online_at(node, tmp_path, keys, connect=False) as live:
            session = await live.open(path)
            attempts = session.sending.attempts(hash_from_hex(txid))
            assert attempts is not None
            assert attempts.evidence is Evidence.ECHOED
            assert attempts.due > attempts.last

    asyncio.run(after())


def test_a_payment_that_was_given_up_is_sent_no_more(node: Node, tmp_path: Path) -> None:
    node.mature()
    keys = Keys("abandoned")
    path = keys.create_file(DataDirectory(tmp_path, REGTEST))

    async def scenario() -> None:
        async with online_at(node, tmp_path, keys) as live:
            session = await funded(live, node, keys, path)
            await asyncio.to_thread(node.stop)
            tx = await paid(live, session)
            await live.online.abandon(session.wallet_id, tx.txid)
            await asyncio.to_thread(node.start)
            await live.in_sync(60)
            await asyncio.sleep(2 * rebroadcast.LOOK_EVERY)
            assert node.mempool() == set()
            assert session.wallet.balance().confirmed == COIN

    asyncio.run(scenario())
