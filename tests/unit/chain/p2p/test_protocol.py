import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.filter_runs import filters_of
from wallet_gui.chain.p2p import messages as codec
from wallet_gui.chain.p2p.filter_messages import CFilter
from wallet_gui.chain.p2p.messages import (
    Inv,
    Message,
    Ping,
    Pong,
    RawBlock,
    SendAddrV2,
    SendHeaders,
    Services,
    Unknown,
    Verack,
    Version,
    WtxidRelay,
)
from wallet_gui.chain.p2p.protocol import (
    USER_AGENT,
    Event,
    FilterRun,
    OldPeer,
    PeerProtocol,
    Ready,
    SelfConnection,
)
from wallet_gui.chain.p2p.transport import Frame, ProtocolViolation, V1Transport
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.params import MAINNET, REGTEST

SERVICES = Services.NETWORK | Services.WITNESS | Services.COMPACT_FILTERS
THEIRS = Version(70016, SERVICES, 1_700_000_000, 99, "/Satoshi:28.1.0/", 100, True)


def client(nonce: int = 7) -> PeerProtocol:
    return PeerProtocol(V1Transport(REGTEST.magic), nonce=nonce, unix_time=1_700_000_000)


def wire(*messages: Message) -> bytes:
    transport = V1Transport(REGTEST.magic)
    return b"".join(transport.frame(m.command, m.serialize()) for m in messages)


def read(data: bytes) -> list[Message]:
    """Parse what the client sent, with the same codec from the other side."""
    seen: list[Message] = []
    transport = V1Transport(REGTEST.magic)
    view = memoryview(data)
    while view:
        room = transport.get_buffer()
        count = min(len(room), len(view))
        room[:count] = view[:count]
        view = view[count:]
        for frame in transport.received(count):
            assert isinstance(frame, Frame)
            payload = bytes(transport.buffer[frame.start : frame.end])
            seen.append(codec.parse(frame.command, payload))
    return seen


def ready() -> PeerProtocol:
    protocol = client()
    protocol.receive_data(wire(THEIRS, WtxidRelay(), SendAddrV2(), Verack()))
    protocol.data_to_send()
    return protocol


def test_the_handshake_in_the_order_that_core_wants() -> None:
    protocol = client()
    (version,) = read(protocol.data_to_send())
    assert isinstance(version, Version)
    assert (version.protocol, version.services, version.user_agent) == (70016, 0, USER_AGENT)
    assert (version.nonce, version.start_height, version.relay) == (7, 0, True)
    assert protocol.receive_data(wire(THEIRS)) == []
    before: list[Message] = [WtxidRelay(), SendAddrV2(), Verack()]
    assert protocol.state.name == "AWAITING_VERACK"
    assert read(protocol.data_to_send()) == before
    assert protocol.receive_data(wire(WtxidRelay(), SendAddrV2())) == []
    assert protocol.receive_data(wire(Verack())) == [Ready(THEIRS)]
    assert protocol.state.name == "READY"
    assert read(protocol.data_to_send()) == [SendHeaders()]


def test_pings_are_answered() -> None:
    protocol = ready()
    assert protocol.receive_data(wire(Ping(5))) == [Ping(5)]
    assert read(protocol.data_to_send()) == [Pong(5)]


def test_connection_to_ourselves() -> None:
    with pytest.raises(SelfConnection):
        client(nonce=99).receive_data(wire(THEIRS))
    other = PeerProtocol(V1Transport(REGTEST.magic), nonce=7, own_nonces={7, 99}, unix_time=0)
    with pytest.raises(SelfConnection):
        other.receive_data(wire(THEIRS))


def test_old_peers_are_refused() -> None:
    old = Version(70015, SERVICES, 0, 9, "/Satoshi:0.18.0/", 0, True)
    with pytest.raises(OldPeer, match="70015"):
        client().receive_data(wire(old))


@pytest.mark.parametrize(
    "messages",
    [
        (THEIRS, THEIRS),
        (Verack(),),
        (THEIRS, Verack(), Verack()),
        (THEIRS, Verack(), WtxidRelay()),
        (THEIRS, Verack(), SendAddrV2()),
        (CFilter(bytes(32), b"\0"),),
        (THEIRS, *[WtxidRelay()] * 40),
        (THEIRS, *[Inv(())] * 40),
    ],
)
def test_messages_out_of_order(messages: tuple[Message, ...]) -> None:
    with pytest.raises(ProtocolViolation):
        client().receive_data(wire(*messages))


def test_unknown_messages_are_skipped() -> None:
    transport = V1Transport(REGTEST.magic)
    protocol = ready()
    assert protocol.receive_data(transport.frame("sendcmpct", bytes(9)) + wire(Ping(1))) == [
        Ping(1)
    ]
    assert Unknown("sendcmpct", 9).command == "sendcmpct"


def test_filters_that_follow_one_another_are_one_event() -> None:
    filters = [CFilter(bytes([i]) * 32, bytes([i]) * i) for i in range(1, 200)]
    (run,) = ready().receive_data(wire(*filters))
    assert isinstance(run, FilterRun)
    assert filters_in(run) == [(each.block_hash, each.data) for each in filters]


def filters_in(run: FilterRun) -> list[tuple[bytes, bytes]]:
    return filters_of(run.data, run.hashes, run.starts, run.ends)


def flatten(events: list[Event]) -> list[object]:
    """Filters one by one: how they are grouped depends on how the bytes arrive."""
    flat: list[object] = []
    for event in events:
        if isinstance(event, FilterRun):
            flat += filters_in(event)
        else:
            flat.append(event)
    return flat


STREAM = wire(
    THEIRS,
    WtxidRelay(),
    SendAddrV2(),
    Verack(),
    Ping(1),
    *[CFilter(bytes([i]) * 32, bytes(range(i))) for i in range(30)],
    Inv(((5, b"\x05" * 32),)),
    *[CFilter(bytes([i]) * 32, bytes(i * 300)) for i in range(30)],
    RawBlock(bytes(range(250)) * 1000),
    Ping(2),
)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_events_do_not_depend_on_how_the_bytes_are_split(data: st.DataObject) -> None:
    whole = client()
    expected = flatten(whole.receive_data(STREAM))
    cuts = data.draw(st.lists(st.integers(0, len(STREAM)), max_size=30).map(sorted))
    protocol = client()
    events: list[Event] = []
    for start, stop in zip([0, *cuts], [*cuts, len(STREAM)], strict=True):
        events += protocol.receive_data(STREAM[start:stop])
    assert flatten(events) == expected
    assert protocol.data_to_send() == whole.data_to_send()


def test_one_byte_at_a_time() -> None:
    protocol = client()
    stream = STREAM[:6000]
    events = [e for i in range(len(stream)) for e in protocol.receive_data(stream[i : i + 1])]
    assert flatten(events) == flatten(client().receive_data(stream))


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_garbage_is_a_violation_or_silence(garbage: bytes) -> None:
    for protocol in (client(), ready()):
        try:
            events = protocol.receive_data(garbage)
        except ProtocolViolation:
            continue
        assert events == []


@settings(deadline=None)
@given(st.integers(0, len(STREAM) - 1), st.integers(1, 255))
def test_one_wrong_byte_never_does_more_than_hang_up(position: int, change: int) -> None:
    damaged = bytearray(STREAM)
    damaged[position] ^= change
    protocol = client()
    try:
        protocol.receive_data(bytes(damaged))
    except ProtocolViolation:
        return
    assert protocol.version is not None


def test_another_network_is_noticed_at_the_first_byte() -> None:
    for data in (b"\xf9", MAINNET.magic, b"HTTP/1.1 200 OK", b"\xfa\xbf\xb5\x00"):
        with pytest.raises(ProtocolViolation, match="another network"):
            client().receive_data(data)


def test_a_wrong_checksum_hangs_up() -> None:
    frame = bytearray(wire(Ping(1)))
    frame[20] ^= 1
    with pytest.raises(ProtocolViolation, match="checksum"):
        ready().receive_data(bytes(frame))


@pytest.mark.parametrize(
    ("command", "size"),
    [
        ("ping", 9),
        ("headers", 200_000),
        ("block", 4_000_001),
        ("cfilter", 1_100_000),
        ("addrv2", 2_000_000),
        ("nonsense", 0xFFFFFFFF),
    ],
)
def test_huge_messages_are_refused_before_memory_is_taken(command: str, size: int) -> None:
    protocol = ready()
    header = REGTEST.magic + command.encode().ljust(12, b"\0") + size.to_bytes(4, "little")
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolViolation, match="announced"):
            protocol.receive_data(header + bytes(4))
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


def test_the_longest_block_is_read_and_the_buffer_stays_bounded() -> None:
    block = RawBlock(bytes(4_000_000))
    protocol = ready()
    for _ in range(3):
        assert protocol.receive_data(wire(block, Ping(3))) == [block, Ping(3)]
    assert len(protocol.get_buffer()) <= 5_000_000


def test_malformed_payloads_name_the_message() -> None:
    transport = V1Transport(REGTEST.magic)
    with pytest.raises(ProtocolViolation, match="malformed inv"):
        ready().receive_data(transport.frame("inv", b"\x01"))
    with pytest.raises(ProtocolViolation, match="malformed filter"):
        ready().receive_data(transport.frame("cfilter", b"\x01"))


def test_command_names_are_ascii() -> None:
    for name in (b"pi\0ng", b"\xff", b"", b"a b"):
        raw = REGTEST.magic + name.ljust(12, b"\0") + bytes(4) + sha256d(b"")[:4]
        with pytest.raises(ProtocolViolation):
            ready().receive_data(raw)


def test_part_of_a_message_has_a_name() -> None:
    protocol = ready()
    data = wire(RawBlock(bytes(1000)))
    assert protocol.partial() is None
    protocol.receive_data(data[:500])
    assert protocol.partial() == "block"
    protocol.receive_data(data[500:])
    assert protocol.partial() is None
