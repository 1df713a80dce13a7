"""`ChainSync` with scripted peers, memory for stores and a clock that a test turns: no I/O at all.

Messages take the way they take in life, through `PeerProtocol` and the wire's bytes.
"""

import random
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.functional.p2p_wallet import ScriptWallet
from tests.hostile.fake_peer import FakeNode, HangUp, decode
from wallet_gui.chain.backend import (
    BackendWarning,
    BlockMatched,
    BlockRef,
    ChainEvent,
    Reorganized,
    Scanned,
    StoredFilters,
)
from wallet_gui.chain.checkpoints import NONE, Checkpoints
from wallet_gui.chain.filters import ScalarEngine
from wallet_gui.chain.p2p.audit import Audit
from wallet_gui.chain.p2p.chain_start import earliest_height, open_chains
from wallet_gui.chain.p2p.protocol import PeerProtocol, Ready
from wallet_gui.chain.p2p.sync import ChainSync
from wallet_gui.chain.p2p.sync_state import Action, Ban, Disconnect, Instant, Send, Work
from wallet_gui.chain.p2p.transport import ProtocolViolation, V1Transport
from wallet_gui.primitives.params import REGTEST, ChainParams

START = 1000.0


class MemoryStore:
    """A `HeaderStore` or `FilterHeaderStore` that refuses gaps as the real one does."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.start = 0
        self.raw = b""

    def load(self) -> tuple[int, bytes]:
        return self.start, self.raw

    def append(self, height: int, raw: bytes) -> None:
        if self.raw and height != self.start + len(self.raw) // self._size:
            raise ValueError(f"{height} is not the next height")
        if not self.raw:
            self.start = height
        self.raw += raw

    def prepend(self, height: int, raw: bytes) -> None:
        if self.raw and height + len(raw) // self._size != self.start:
            raise ValueError(f"{height} does not end below the first height")
        self.start = height
        self.raw = raw + self.raw

    def truncate(self, height: int) -> None:
        self.raw = self.raw[: max(0, height + 1 - self.start) * self._size]


class MemoryFilters:
    """A `FilterStore` that forgets nothing, or everything."""

    def __init__(self, *, forgets: bool = False) -> None:
        self.filters: dict[bytes, bytes] = {}
        self._forgets = forgets

    def get_runs(self, height: int, hashes: bytes) -> list[StoredFilters]:
        runs: list[StoredFilters] = []
        for index in range(len(hashes) // 32):
            block_hash = hashes[32 * index : 32 * index + 32]
            data = self.filters.get(block_hash)
            if data is not None:
                ends = array("Q", [len(data)])
                runs.append((height + index, block_hash, data, array("Q", [0]), ends))
        return runs

    def put_runs(self, runs: Sequence[StoredFilters]) -> None:
        if self._forgets:
            return
        for _, hashes, data, starts, ends in runs:
            for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
                self.filters[hashes[32 * index : 32 * index + 32]] = bytes(data[start:end])


class MemoryStores:
    def __init__(self, *, forgets: bool = False, is_new: bool = False) -> None:
        self.headers = MemoryStore(80)
        self.filter_headers = MemoryStore(32)
        self.filters = MemoryFilters(forgets=forgets)
        if not is_new:
            self.headers.append(0, REGTEST.genesis_header)


@dataclass
class _Link:
    node: FakeNode
    protocol: PeerProtocol
    server: V1Transport
    client: V1Transport
    netgroup: bytes
    is_own: bool


@dataclass
class Network:
    """A client among fake nodes. `shuffle` lets messages and work finish in any order."""

    wallets: list[ScriptWallet]
    stores: MemoryStores = field(default_factory=MemoryStores)
    shuffle: random.Random | None = None
    now: float = START
    unix_time: int = 4_000_000_000
    events: list[ChainEvent] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    farewells: list[str] = field(default_factory=list)
    bans: list[tuple[FakeNode, Ban]] = field(default_factory=list)
    params: ChainParams = REGTEST
    checkpoints: Checkpoints = NONE
    audit_chance: Callable[[], float] = lambda: 1.0  # no audits
    packaged: dict[int, bytes] = field(default_factory=dict)  # filter headers known beforehand

    def __post_init__(self) -> None:
        self._links: dict[int, _Link] = {}
        self._todo: deque[tuple[str, object]] = deque()
        self._numbers = 0
        self.open()

    def open(self) -> None:
        """Start the client anew, from its stores."""
        wallets = [(w.scripts, w.checkpoints, w.birthday_time) for w in self.wallets]
        earliest = earliest_height(self.params, self.checkpoints, wallets)
        headers, filter_headers = open_chains(self.params, self.stores, self.checkpoints, earliest)
        self._links.clear()
        self._todo.clear()
        self.sync = ChainSync(
            self.params,
            self.stores,
            headers,
            filter_headers,
            ScalarEngine(),
            self.packaged or None,
            self.checkpoints,
        )
        self.sync.audit = Audit(self.audit_chance)
        for wallet in self.wallets:
            actions = self.sync.watch(
                wallet.name, wallet.scripts, wallet.checkpoints, wallet.birthday_time, self.instant
            )
            self._perform(actions)

    def describe(self) -> str:
        """Tell where the sync stands, for a test that fails."""
        state = self.sync.state
        lines = [
            (
                f"headers {state.headers.height}, filter headers {state.filter_headers.height}, "
                f"wanted {self.sync.filters.lowest_wanted()}, blocks {self.sync.blocks.wanted()}"
            ),
            f"farewells {self.farewells}, events {self.events[-5:]}",
            f"requests {self.sync.filter_headers._requests} {self.sync.filters._ranges._requests}",
        ]
        lines += [f"{w.wallet_id}: mark {w.scan and w.scan.mark}" for w in self.sync.watches]
        lines += [str(peer) for peer in state.peers.values()]
        return "\n".join(lines)

    @property
    def warnings(self) -> list[str]:
        return [event.sentence for event in self.events if isinstance(event, BackendWarning)]

    @property
    def banned(self) -> list[FakeNode]:
        return [node for node, _ in self.bans]

    @property
    def connected(self) -> list[FakeNode]:
        return [link.node for link in self._links.values()]

    @property
    def instant(self) -> Instant:
        return Instant(self.now, self.unix_time + int(self.now - START))

    def connect(
        self, node: FakeNode, netgroup: bytes | None = None, *, is_own: bool = False
    ) -> int:
        """Connect to a node; without a netgroup it is alone in one."""
        self._numbers += 1
        number = self._numbers
        netgroup = f"net{number}".encode() if netgroup is None else netgroup
        client = V1Transport(REGTEST.magic)
        protocol = PeerProtocol(client, nonce=number, unix_time=0)
        link = _Link(node, protocol, V1Transport(REGTEST.magic), client, netgroup, is_own)
        self._links[number] = link
        self._exchange(number)
        return number

    def disconnect(self, number: int) -> None:
        if self._links.pop(number, None) is not None:
            self._perform(self.sync.disconnected(number, self.instant))

    def announce(self, node: FakeNode) -> None:
        """Let a node send its newest header, unasked."""
        raw = node.chain.blocks[-1].header.serialize()
        for number, link in list(self._links.items()):
            if link.node is node:
                self._receive(number, link.server.frame("headers", b"\x01" + raw + b"\0"))

    def suspect(self, height: int) -> None:
        self._perform(self.sync.suspect_block(height, self.instant))

    def run(self, seconds: float = 0.0) -> None:
        """Let everything happen, and time pass."""
        self._settle()
        end = self.now + seconds
        while self.now < end:
            self.now += 0.5
            self._perform(self.sync.tick(self.instant))
            self._settle()

    def step(self, count: int) -> None:
        """Let some of what is due happen, and stop in the middle."""
        for _ in range(count):
            if not self._step():
                return

    def _settle(self) -> None:
        for _ in range(20_000):
            if not self._step():
                return
        raise AssertionError("the sync does not come to rest")

    def _step(self) -> bool:
        if not self._todo:
            return self._deliver()
        if self.shuffle is not None:
            self._todo.rotate(self.shuffle.randrange(len(self._todo)))
        kind, item = self._todo.popleft()
        if kind == "exchange":
            assert isinstance(item, int)
            self._exchange(item)
        else:
            assert isinstance(item, Work)
            outcome = item.run()
            self._perform(self.sync.work_done(item, outcome, self.instant))
        return True

    def _deliver(self) -> bool:
        event = self.sync.next_event(self.instant)
        if event is None:
            return False
        self.events.append(event)
        wallet = next((w for w in self.wallets if w.name == getattr(event, "wallet_id", "")), None)
        match event:
            case BlockMatched() if wallet is not None:
                new = wallet.apply(event)
                if new:
                    self._perform(self.sync.extend_watch(wallet.name, new, self.instant))
            case Reorganized(_, height) if wallet is not None:
                wallet.rewind(height)
            case Scanned() if wallet is not None:
                wallet.mark(event)
            case _:
                pass
        self._perform(self.sync.delivered(event, self.instant))
        return True

    def _perform(self, actions: list[Action]) -> None:
        todo = deque(actions)
        while todo:
            match todo.popleft():
                case Send(number, message):
                    if number in self._links:
                        self._links[number].protocol.send(message)
                        self._todo.append(("exchange", number))
                case Disconnect(number, reason, is_fault, ban):
                    link = self._links.pop(number, None)
                    if link is not None:
                        if ban is not Ban.NOBODY:
                            self.bans.append((link.node, ban))
                        (self.faults if is_fault else self.farewells).append(reason)
                        todo.extend(self.sync.disconnected(number, self.instant))
                case Work() as work:
                    if self.shuffle is None:
                        self._todo.append(("work", work))
                    else:
                        self._queue_in_lane(work)

    def _queue_in_lane(self, work: Work) -> None:
        # Lanes keep their order even where everything else is shuffled: do it at once.
        outcome = work.run()
        finished = Work(work.lane, lambda: outcome, work.done)
        self._todo.append(("work", finished))

    def _exchange(self, number: int) -> None:
        """Carry what the client wrote to the node, and back what that answers."""
        link = self._links.get(number)
        if link is None:
            return
        data = link.protocol.data_to_send()
        try:
            answers = [
                answer
                for message in decode(link.server, data)
                for answer in (link.node.greet(message) or link.node.answer(message))
            ]
        except HangUp:
            self.disconnect(number)
            self.farewells.append("the node hung up")
            return
        raw = b"".join(link.server.frame(a.command, a.serialize()) for a in answers)
        if raw:
            self._receive(number, raw)

    def _receive(self, number: int, raw: bytes) -> None:
        link = self._links[number]
        try:
            events = link.protocol.receive_data(raw)
        except ProtocolViolation as error:
            self.faults.append(str(error))
            self.disconnect(number)
            return
        for event in events:
            if number not in self._links:
                return
            if isinstance(event, Ready):
                link = self._links[number]
                actions = self.sync.connected(
                    number,
                    f"fake{number}",
                    event,
                    self.instant,
                    netgroup=link.netgroup,
                    is_own=link.is_own,
                )
            else:
                actions = self.sync.ahead(number, event, self.instant)
                actions += self.sync.handle(number, event, self.instant)
            self._perform(actions)
        if number in self._links and link.protocol._outgoing:
            self._todo.append(("exchange", number))


def tip_ref(node: FakeNode) -> BlockRef:
    return BlockRef(node.chain.height, node.chain.tip)
