"""A peer that asks without end and reads nothing: its answers must not pile up in memory."""

import asyncio
import socket
from pathlib import Path

from tests.functional.p2p_wallet import ScriptWallet, run, running
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_peer import FakeNode, Wire, serve
from wallet_gui.chain.p2p.messages import Ping
from wallet_gui.chain.p2p.peer import MOST_UNSENT


def test_a_peer_that_pings_and_never_reads(tmp_path: Path) -> None:
    chain = FakeChain()
    chain.mine_empty(5)
    node = FakeNode(chain)
    poured = [0]
    ended = asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(v2=False)
        try:
            while not node.greeted:
                received = wire.read(await reader.read(65536))
                writer.write(wire.opening())
                for message in received:
                    for answer in node.greet(message):
                        writer.write(wire.frame(answer))
            flood = b"".join(wire.frame(Ping(number)) for number in range(2000))
            while True:  # and from here on nothing is read
                writer.write(flood)
                poured[0] += len(flood)
                await writer.drain()
        except ConnectionError:
            ended.set()
        finally:
            writer.transport.abort()

    async def scenario() -> None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        listening.bind(("127.0.0.1", 0))
        server = await asyncio.start_server(pour, sock=listening, limit=16_384)
        port = server.sockets[0].getsockname()[1]
        wallet = ScriptWallet()
        async with serve(FakeNode(chain)) as good, running(tmp_path, [port, good], wallet) as it:
            await it.until(ended.is_set)
            assert poured[0] < 10 * MOST_UNSENT
            await it.until_synced(chain.height, chain.tip[::-1].hex())
            contact = [e for e in it.backend.ledger() if str(port) in str(e)]
            assert any("does not read" in str(entry) for entry in contact), contact
        server.close()
        await server.wait_closed()

    run(scenario)
