"""The RPC client against a node that fails in every way there is."""

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.hostile.fake_node import COOKIE, HTML_MESSAGE, FakeNode, Fault, NextAnswers, running_node
from tests.hostile.fake_node_answers import Refusal
from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind import rpc as rpc_module
from wallet_gui.chain.bitcoind.credentials import CookieCredentials, Credentials, UserPassword
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem, RpcError
from wallet_gui.chain.bitcoind.rpc import NodeRpc

OTHER_COOKIE = "__cookie__:" + "0f" * 32


class Stream:
    """A plain socket as a channel."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def read(self, count: int) -> bytes:
        return await self.reader.read(count)

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def drain(self) -> None:
        await self.writer.drain()

    def abort(self) -> None:
        self.writer.transport.abort()


class Files:
    """The node's machine: where the cookie lies, and what the forced command prints."""

    def __init__(self, files: dict[str, str | Exception], forced: bytes = b"") -> None:
        self.files = files
        self.forced = forced
        self.reads: list[str] = []

    async def read_file(self, path: str, limit: int = 65536) -> bytes:
        assert limit >= 75
        self.reads.append(path)
        found = self.files.get(path)
        if found is None:
            raise FileNotFoundError(path)
        if isinstance(found, Exception):
            raise found
        return found.encode()

    async def forced_output(self, limit: int = 4096) -> bytes:
        assert limit >= 75
        self.reads.append("forced")
        return self.forced


def opener(port: int) -> Callable[[], Awaitable[Stream]]:
    async def open_channel() -> Stream:
        return Stream(*await asyncio.open_connection("127.0.0.1", port))

    return open_channel


def client(node: FakeNode, login: Credentials | None = None, **options: Any) -> NodeRpc:
    user, _, password = COOKIE.partition(":")
    return NodeRpc(opener(node.port), login or UserPassword(user, password), **options)


def run(
    script: Callable[[FakeNode, NodeRpc], Awaitable[None]],
    login: Credentials | None = None,
    **settings: Any,
) -> None:
    async def go() -> None:
        async with asyncio.timeout(PATIENCE), running_node(**settings) as node:
            rpc = client(node, login)
            try:
                await script(node, rpc)
            finally:
                await rpc.close()

    asyncio.run(go())


async def problem_of(call: Awaitable[Any]) -> NodeProblem:
    with pytest.raises(NodeProblem) as raised:
        await call
    return raised.value


def test_calls_and_batches() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        node.chain.mine_empty(30)
        node.answers["getmempoolinfo"] = {"mempoolminfee": Decimal("0.00001234")}
        assert await rpc.call("uptime") == 1234
        assert (await rpc.call("getmempoolinfo"))["mempoolminfee"] == Decimal("0.00001234")
        first, second, third = await rpc.batch(
            [("getblockhash", [1]), ("getblockhash", [99]), ("getblockhash", [2])]
        )
        assert isinstance(second, RpcError)
        assert first != third
        hashes = await rpc.bulk("getblockhash", [[height] for height in range(31)])
        assert hashes[1:3] == [first, third]
        assert await rpc.batch([]) == []
        assert node.connections == 1
        received, sent = rpc.inbound_bytes, rpc.outbound_bytes
        assert received > 31 * 64
        assert sent > 1000
        node.drop_connections()
        await rpc.call("uptime")
        assert rpc.inbound_bytes > received
        assert rpc.outbound_bytes > sent
        await rpc.close()
        assert rpc.inbound_bytes > received

    run(script)


@pytest.mark.parametrize("method", ["stop", "dumpprivkey", "createwallet", "getwalletinfo", ""])
def test_other_calls_cannot_be_sent(method: str) -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        for call in (
            rpc.call(method),
            rpc.batch([("uptime", []), (method, [])]),
            rpc.bulk(method, [[]]),
        ):
            with pytest.raises(ValueError, match="not a call"):
                await call
        assert node.connections == 0

    run(script)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.WEB_PAGE, Code.BAD_REPLY),
        (Fault.NOT_FOUND, Code.NOT_A_NODE),
        (Fault.BAD_REQUEST, Code.REQUEST_TOO_BIG),
        (Fault.RANDOM_BYTES, Code.BAD_REPLY),
        (Fault.CUT_OFF, Code.BAD_REPLY),
        (Fault.HANGS_UP, Code.CONNECTION_LOST),
        (Fault.ENDLESS_HEADER, Code.BAD_REPLY),
        (Fault.HUGE, Code.REPLY_TOO_BIG),
        (Fault.HUGE_CHUNKS, Code.REPLY_TOO_BIG),
        (Fault.TWO_LENGTHS, Code.BAD_REPLY),
        (Fault.WRONG_ID, Code.BAD_REPLY),
        (Fault.NO_ID, Code.BAD_REPLY),
        (Fault.NAN, Code.BAD_REPLY),
        (Fault.INFINITE, Code.BAD_REPLY),
        (Fault.LONG_NUMBER, Code.BAD_REPLY),
        (Fault.DEEP, Code.BAD_REPLY),
        (Fault.KEY_TWICE, Code.BAD_REPLY),
        (Fault.NOT_JSON, Code.BAD_REPLY),
        (Fault.NOT_UTF8, Code.BAD_REPLY),
        (Fault.ERROR_NO_OBJECT, Code.BAD_REPLY),
        (Fault.EMPTY, Code.BAD_REPLY),
        (Fault.FORBIDDEN, Code.RPC_FORBIDDEN),
        (Fault.UNAUTHORIZED, Code.RPC_AUTH),
        (Fault.WARMING_UP, Code.WARMING_UP),
        (Fault.HTML_ERROR, Code.RPC_ERROR),
    ],
)
def test_a_spoiled_answer_is_a_problem_and_the_next_call_works(fault: Fault, code: Code) -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        node.fault = fault
        problem = await problem_of(rpc.call("uptime", limit=1_000_000))
        assert problem.code is code
        for text in (str(problem), problem.detail, repr(problem)):
            assert "\x1b" not in text
            assert "\u202e" not in text
            assert "\n" not in text
        node.fault = Fault.NONE
        assert await rpc.call("uptime") == 1234

    run(script)


@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.CHUNKED, Fault.UNTIL_END, Fault.LAST])
def test_unusual_framing_is_read(fault: Fault) -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        node.fault = fault
        for _ in range(3):
            assert await rpc.call("uptime") == 1234
        if fault is not Fault.UNTIL_END:  # closing on unread requests may lose what was sent
            assert await asyncio.gather(*(rpc.call("uptime") for _ in range(6))) == [1234] * 6

    run(script)


def test_an_unasked_answer_is_not_taken_for_the_next() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        node.faults.append(Fault.TWICE)
        node.answers["getblockhash"] = [NextAnswers(["first", "second"])]
        assert await rpc.call("getblockhash", 1) == "first"
        await asyncio.sleep(0.01)
        assert await rpc.call("getblockhash", 2) == "second"

    run(script)


def test_html_of_the_node_stays_one_line_of_text() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        node.answers["uptime"] = Refusal(-1, HTML_MESSAGE)
        problem = await problem_of(rpc.call("uptime"))
        assert isinstance(problem, RpcError)
        assert problem.message == '<b>bold</b><img src="x"> [31m next'

    run(script)


def test_waits_while_the_queue_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_module, "BUSY_PAUSES", (0.02, 0.04, 0.08))

    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        node.faults.extend([Fault.QUEUE_FULL] * 2)
        began = time.monotonic()
        assert await rpc.call("uptime") == 1234
        assert time.monotonic() - began >= 0.06
        node.fault = Fault.QUEUE_FULL
        assert (await problem_of(rpc.call("uptime", seconds=60))).code is Code.BUSY

    run(script)


def test_never_more_than_four_in_flight() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        running = most = 0

        async def slow(_params: list[Any]) -> int:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1
            return 1

        node.answers["uptime"] = slow
        assert await asyncio.gather(*(rpc.call("uptime") for _ in range(20))) == [1] * 20
        assert node.connections <= 2
        assert most <= 2

    run(script)


def test_a_dead_idle_connection_is_replaced_unseen() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        assert await rpc.call("uptime") == 1234
        node.drop_connections()  # and the next call is sent before anybody hears of it
        assert await rpc.call("uptime") == 1234
        await asyncio.sleep(0.02)
        node.faults.append(Fault.HANGS_UP)
        assert await rpc.call("uptime") == 1234
        node.faults.extend([Fault.HANGS_UP] * 2)
        assert (await problem_of(rpc.call("uptime"))).code is Code.CONNECTION_LOST

    run(script)


def test_an_idle_connection_is_left_before_the_node_closes_it() -> None:
    now = 0.0

    async def go() -> None:
        nonlocal now
        async with running_node() as node:
            rpc = client(node, clock=lambda: now)
            await rpc.call("uptime")
            now = 24.0
            await rpc.call("uptime")
            assert node.connections == 1
            now = 50.0
            await rpc.call("uptime")
            assert node.connections == 2
            await rpc.close()

    asyncio.run(go())


def test_a_late_answer_is_given_up_and_others_go_on() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        node.delays["getrawmempool"] = 60
        late = asyncio.create_task(rpc.call("getrawmempool", seconds=0.2))
        await asyncio.sleep(0.05)
        others = [rpc.call("getblockhash", 0), rpc.call("uptime"), rpc.call("uptime")]
        assert (await asyncio.gather(*others))[1:] == [1234, 1234]
        problem = await problem_of(late)
        assert problem.code is Code.NODE_SILENT
        assert "getrawmempool" in problem.title
        assert await rpc.call("uptime") == 1234

    run(script)


def test_cancelled_calls_leave_the_pipeline_in_step() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        node.chain.mine_empty(40)
        right = [await rpc.call("getblockhash", height) for height in range(41)]
        node.delays["getblockhash"] = 0.001
        for turn in range(30):
            tasks = [asyncio.create_task(rpc.call("getblockhash", h)) for h in range(8)]
            await asyncio.sleep(0.0005 * (turn % 7))
            for index in range(turn % 3, 8, 3):
                tasks[index].cancel()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            for height, answer in enumerate(found):
                assert answer == right[height] or isinstance(answer, asyncio.CancelledError)
        assert await rpc.call("getblockhash", 7) == right[7]

    run(script)


def test_closing_ends_calls_in_flight() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        node.delays["uptime"] = 60
        tasks = [asyncio.create_task(rpc.call("uptime")) for _ in range(6)]
        await asyncio.sleep(0.05)
        await rpc.close()
        for task in tasks:
            assert (await problem_of(task)).code is Code.CONNECTION_LOST
        assert (await problem_of(rpc.call("uptime"))).code is Code.CONNECTION_LOST

    run(script)


def test_a_request_of_more_than_32_mib_is_not_sent() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        problem = await problem_of(rpc.call("testmempoolaccept", ["00" * 17_000_000]))
        assert problem.code is Code.REQUEST_TOO_BIG
        assert node.connections == 0

    run(script)


# Logging in


def test_the_remembered_cookie_is_tried_first_and_no_file_read() -> None:
    files = Files({".bitcoin/.cookie": OTHER_COOKIE})

    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        assert await rpc.call("uptime") == 1234
        assert files.reads == []

    run(script, CookieCredentials(files, [".bitcoin/.cookie"], COOKIE))


def test_a_new_cookie_is_read_after_a_restart_by_one_of_many_calls() -> None:
    files = Files({".bitcoin/.cookie": COOKIE})
    remembered: list[str] = []

    async def remember(cookie: str) -> None:
        remembered.append(cookie)

    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        await rpc.call("uptime")
        node.cookie = files.files[".bitcoin/.cookie"] = OTHER_COOKIE
        node.drop_connections()
        assert await asyncio.gather(*(rpc.call("uptime") for _ in range(4))) == [1234] * 4
        assert remembered == [COOKIE, OTHER_COOKIE]
        assert files.reads == [".bitcoin/.cookie"] * 2

    run(script, CookieCredentials(files, [".bitcoin/.cookie"], remember=remember))


def test_a_stale_cookie_of_another_node_is_passed_over() -> None:
    files = Files({"a": OTHER_COOKIE, "b": "no cookie", "c": PermissionError("c"), "d": COOKIE})

    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        assert await rpc.call("uptime") == 1234

    run(script, CookieCredentials(files, ["x", "a", "b", "c", "d"]))


def test_the_forced_command_gives_the_cookie() -> None:
    files = Files({".cookie": PermissionError(".cookie")}, forced=COOKIE.encode() + b"\n")

    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        assert await rpc.call("uptime") == 1234
        assert files.reads == ["forced"]

    run(script, CookieCredentials(files, [".cookie"], forced_first=True))
    files.reads.clear()

    async def other(node: FakeNode, rpc: NodeRpc) -> None:
        assert await rpc.call("uptime") == 1234
        assert files.reads == [".cookie", "forced"]

    run(other, CookieCredentials(files, [".cookie"]))


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, Code.COOKIE_MISSING),
        ({".cookie": PermissionError(".cookie")}, Code.COOKIE_UNREADABLE),
        ({".cookie": OTHER_COOKIE}, Code.RPC_AUTH),
        ({".cookie": "Welcome to Ubuntu 24.04"}, Code.COOKIE_MISSING),
    ],
)
def test_without_a_good_cookie_there_is_one_sentence(
    files: dict[str, str | Exception], code: Code
) -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        problem = await problem_of(rpc.call("uptime"))
        assert problem.code is code
        assert problem.is_final
        files[".cookie"] = COOKIE
        assert await rpc.call("uptime") == 1234

    run(script, CookieCredentials(Files(files), [".cookie"]))


def test_a_wrong_password_names_the_user() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        problem = await problem_of(rpc.call("uptime"))
        assert problem.code is Code.RPC_AUTH
        assert "alice" in problem.title

    run(script, UserPassword("alice", "wrong"))


def test_a_whitelist_names_the_missing_call() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        problem = await problem_of(rpc.call("scanblocks", "status"))
        assert problem.code is Code.RPC_WHITELIST
        assert "scanblocks" in problem.title
        assert await rpc.call("uptime") == 1234
        problem = await problem_of(rpc.batch([("uptime", []), ("getblockhash", [0])]))
        assert problem.code is Code.RPC_WHITELIST
        assert problem.fix is not None
        assert problem.fix.line.startswith("rpcwhitelist=__cookie__:")

    run(script, whitelist=frozenset({"uptime"}))


def test_no_secret_reaches_a_log_or_a_traceback(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc_module, "BUSY_PAUSES", (0.001,))
    password = "correct-horse-battery"
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []

    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        asyncio.get_running_loop().set_debug(True)
        logins: list[Credentials] = [
            UserPassword("alice", password),
            CookieCredentials(Files({".cookie": COOKIE}), [".cookie"]),
        ]
        for login in logins:
            texts.append(repr(login))
            for fault in Fault:
                if fault is Fault.SILENT:
                    continue
                node.fault = fault
                node.cookie = COOKIE if fault is not Fault.UNAUTHORIZED else OTHER_COOKIE
                other = client(node, login)
                try:
                    await other.call("scantxoutset", "start", [f"raw({'ab' * 22})"], seconds=5)
                except NodeProblem as problem:
                    texts.append("".join(traceback.format_exception(problem)))
                    texts.append(f"{problem.detail}{problem!r}{problem.__dict__}")
                await other.close()
                texts.append(repr(other))

    run(script)
    everything = "".join(texts) + caplog.text
    assert len(texts) > 60
    for secret in (password, COOKIE[11:], OTHER_COOKIE[11:], "Basic ", "ab" * 22):
        assert secret not in everything
