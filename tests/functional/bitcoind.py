"""A real bitcoind on regtest for tests: its own data directory, free ports, RPC over plain HTTP."""

import base64
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from tests.patience import PATIENCE

COIN = 100_000_000
SCAN_BUSY = -8
START_SECONDS = PATIENCE
STOP_SECONDS = PATIENCE
# The name of the wallet inside bitcoind that mines and pays.
BANK = "bank"
_PORT_TAKEN = re.compile(
    r"Unable to bind|Failed to listen|Unable to start HTTP server|Address already in use",
    re.IGNORECASE,
)


class RpcError(Exception):
    """bitcoind answered with an error; `code` is its number (rpc/protocol.h)."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.code = code
        self.message = message


class NodeFailed(Exception):
    """bitcoind ended, or did not come up in time; the text ends with its last log lines."""


class Node:
    """One regtest bitcoind, serving compact filters on 127.0.0.1:`p2p_port`.

    The first `fund` or `mature` gives its own wallet spendable coins. Calls block; each opens its
    own connection, so that any thread may call. `network` may be "signet", too.
    """

    network = "regtest"

    def __init__(self, binary: Path, directory: Path, arguments: Sequence[str] = ()) -> None:
        self.binary = binary
        self.directory = directory
        self.arguments = tuple(arguments)
        self.host = "127.0.0.1"
        self.p2p_port = 0
        self.rpc_port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Running

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers; a restart keeps data directory and ports."""
        assert not self.is_running
        self.directory.mkdir(parents=True, exist_ok=True)
        for _ in range(5):
            if not self.p2p_port:
                self.p2p_port, self.rpc_port = _free_ports(2)
            self._launch()
            try:
                self._wait_until_answering()
            except NodeFailed as failed:
                # Somebody else took the port between our look and bitcoind's bind.
                if not _PORT_TAKEN.search(str(failed)):
                    raise
                self.p2p_port = 0
            else:
                return
        raise NodeFailed("no free port")

    def _launch(self) -> None:
        # In a file, where Core only warns of what it does not know. By chance, one payment in a
        # thousand on a young chain has lock time 21, which Knots takes for an overlay protocol.
        (self.directory / "bitcoin.conf").write_text(f"[{self.network}]\nrejectparasites=0\n")
        with (self.directory / "output.txt").open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *_with_parent(),
                    self.binary,
                    f"-{self.network}",
                    f"-datadir={self.directory}",
                    "-server=1",
                    f"-bind={self.host}:{self.p2p_port}",
                    f"-rpcbind={self.host}:{self.rpc_port}",
                    f"-rpcport={self.rpc_port}",
                    "-rpcallowip=127.0.0.1",
                    "-blockfilterindex=1",
                    "-peerblockfilters=1",
                    "-txindex=1",
                    "-listenonion=0",
                    "-discover=0",
                    "-dnsseed=0",
                    "-fixedseeds=0",
                    # Announces transactions at once, where other peers wait about five seconds.
                    "-whitelist=noban@127.0.0.1",
                    "-fallbackfee=0.00002",
                    # The wallet database need not reach the disk: only the process is ever killed.
                    "-unsafesqlitesync=1",
                    "-dbcache=32",
                    "-keypool=10",
                    "-printtoconsole=0",
                    *self.arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Its own group: a Ctrl-C for the tests leaves the stopping to the fixture.
                start_new_session=True,
            )

    def _wait_until_answering(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.is_running:
                raise NodeFailed(f"bitcoind ended at once\n{self.log_tail()}")
            try:
                self.rpc("getblockchaininfo")
            except (OSError, http.client.HTTPException, RpcError):
                time.sleep(0.02)
            else:
                return
        self.kill()
        raise NodeFailed(f"bitcoind did not answer in {START_SECONDS} s\n{self.log_tail()}")

    def stop(self) -> None:
        """Stop it in order, and by force if it does not listen."""
        if self._process is None:
            return
        if self.is_running:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold the process still: its connections stay open and nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def log_tail(self, lines: int = 20) -> str:
        texts = [self.directory / "output.txt", self.directory / self.network / "debug.log"]
        found = [path.read_text(errors="replace") for path in texts if path.exists()]
        return "\n".join("\n".join(found).splitlines()[-lines:])

    # RPC

    def rpc(self, method: str, *params: Any, wallet: str | None = None) -> Any:
        """Call `method`; numbers with a point come back as Decimal.

        Raises RpcError for bitcoind's own errors, OSError when it cannot be reached.
        """
        cookie = (self.directory / self.network / ".cookie").read_bytes()
        connection = http.client.HTTPConnection(self.host, self.rpc_port, timeout=120)
        with contextlib.closing(connection):
            connection.request(
                "POST",
                f"/wallet/{wallet}" if wallet is not None else "/",
                json.dumps({"id": 0, "method": method, "params": params}),
                {
                    "Authorization": "Basic " + base64.b64encode(cookie).decode("ascii"),
                    "Content-Type": "application/json",
                },
            )
            response = connection.getresponse()
            body = response.read()
        if not body.startswith(b"{"):
            raise http.client.HTTPException(f"{response.status} {response.reason}")
        answer = json.loads(body, parse_float=Decimal)
        if answer["error"] is not None:
            raise RpcError(method, answer["error"]["code"], answer["error"]["message"])
        return answer["result"]

    def bank(self, method: str, *params: Any) -> Any:
        """Call `method` on bitcoind's own wallet, made at first use."""
        if BANK not in self.rpc("listwallets"):
            try:
                self.rpc("loadwallet", BANK)
            except RpcError:
                self.rpc("createwallet", BANK)
        return self.rpc(method, *params, wallet=BANK)

    # The chain

    @property
    def height(self) -> int:
        return int(self.rpc("getblockcount"))

    @property
    def tip(self) -> str:
        """The best block's hash as displayed."""
        return str(self.rpc("getbestblockhash"))

    def block_hash(self, height: int) -> str:
        return str(self.rpc("getblockhash", height))

    def mine(self, count: int = 1, address: str | None = None) -> list[str]:
        """Mine blocks, by default to bitcoind's own wallet; returns their hashes as displayed."""
        to = address if address is not None else self.bank("getnewaddress")
        return [str(block) for block in self.rpc("generatetoaddress", count, to)]

    def mine_with(self, transactions: Sequence[str], address: str | None = None) -> str:
        """Mine one block of exactly these (txids in the mempool or raw hex); returns its hash."""
        to = address if address is not None else self.bank("getnewaddress")
        return str(self.rpc("generateblock", to, list(transactions))["hash"])

    def mature(self) -> None:
        """Mine until bitcoind's own wallet has coins that it may spend."""
        while self.bank_balance() == 0:
            missing = 101 - self.height
            self.mine(missing if missing > 0 else 1)

    def invalidate(self, block_hash: str) -> None:
        self.rpc("invalidateblock", block_hash)

    def reconsider(self, block_hash: str) -> None:
        self.rpc("reconsiderblock", block_hash)

    def reorganize(self, depth: int, *, address: str | None = None) -> list[str]:
        """Replace the last `depth` blocks by `depth` + 1 empty ones; returns the new hashes.

        The transactions of the blocks that left are in the mempool again afterwards.
        """
        to = address if address is not None else self.bank("getnewaddress")
        self.invalidate(self.block_hash(self.height - depth + 1))
        return [self.mine_with([], to) for _ in range(depth + 1)]

    def wait_for_filters(self, seconds: float = PATIENCE) -> None:
        """Wait until the filter index has caught up with the tip (it works in the background)."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            index = self.rpc("getindexinfo", "basic block filter index")
            state = index["basic block filter index"]
            if state["synced"] and state["best_block_height"] == self.height:
                return
            time.sleep(0.02)
        raise NodeFailed("the filter index did not catch up")

    # Money

    def bank_balance(self) -> int:
        return to_sat(self.bank("getbalance"))

    def fund(self, address: str, amount_sat: int, *, sat_per_vb: int | None = None) -> str:
        """Pay `amount_sat` to `address` from bitcoind's own wallet; returns the txid as displayed.

        The payment is in the mempool; `mine` confirms it. It can be replaced (BIP125).
        """
        if self.bank_balance() < amount_sat + COIN:
            self.mature()
        while self.bank_balance() < amount_sat + COIN:
            self.mine(10)
        options: dict[str, object] = {"replaceable": True}
        if sat_per_vb is not None:
            options["fee_rate"] = sat_per_vb
        return str(
            self.bank("send", {address: to_btc(amount_sat)}, None, "unset", None, options)["txid"]
        )

    def scan_balance(self, scripts: Sequence[str]) -> int:
        """Sum the unspent outputs of these addresses or descriptors, from the UTXO set itself."""
        objects = [text if "(" in text else f"addr({text})" for text in scripts]
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return to_sat(self.rpc("scantxoutset", "start", objects)["total_amount"])
            except RpcError as error:
                # One at a time: the wallet under test may be asking for the same.
                if error.code != SCAN_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def mempool(self) -> set[str]:
        """The txids (as displayed) that wait for a block."""
        return set(self.rpc("getrawmempool"))

    def wait_for_mempool(self, txid: str, seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while txid not in self.mempool():
            if time.monotonic() > deadline:
                raise NodeFailed(f"{txid} did not reach the mempool")
            time.sleep(0.02)

    # Other nodes

    def connect_to(self, other: "Node", seconds: float = PATIENCE) -> None:
        """Connect to another node and wait until both have the same tip."""
        self.rpc("addnode", f"{other.host}:{other.p2p_port}", "onetry")
        deadline = time.monotonic() + seconds
        while self.rpc("getconnectioncount") == 0 or self.tip != other.tip:
            if time.monotonic() > deadline:
                raise NodeFailed("the two nodes did not agree on a tip")
            time.sleep(0.05)

    def disconnect_all(self) -> None:
        for peer in self.rpc("getpeerinfo"):
            with contextlib.suppress(RpcError):  # it may have left by itself
                self.rpc("disconnectnode", "", peer["id"])


class NodeFactory:
    """Makes nodes under one folder; stops them and removes their data at the end."""

    def __init__(self, binary: Path, directory: Path) -> None:
        self._binary = binary
        self._directory = directory
        self._nodes: list[Node] = []

    def __call__(self, *arguments: str) -> Node:
        """Start one more node with these further bitcoind options."""
        node = Node(self._binary, self._directory / f"node{len(self._nodes)}", arguments)
        self._nodes.append(node)
        node.start()
        return node

    def close(self) -> None:
        for node in self._nodes:
            node.stop()
            shutil.rmtree(node.directory, ignore_errors=True)


def to_sat(amount_btc: Decimal) -> int:
    """Return an amount from bitcoind in satoshis, exactly."""
    sat = amount_btc * COIN
    assert sat == sat.to_integral_value()
    return int(sat)


def to_btc(amount_sat: int) -> str:
    """Return satoshis as the decimal text that bitcoind's calls accept."""
    assert amount_sat >= 0
    return f"{amount_sat // COIN}.{amount_sat % COIN:08d}"


def _with_parent() -> list[str]:
    """Return a prefix that ends bitcoind with the thread that starts it, where there is such."""
    tool = shutil.which("setpriv")  # util-linux; replaces itself, so the process id stays
    return [tool, "--pdeathsig", "TERM"] if tool else []


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
