import tracemalloc
from collections.abc import Iterable
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wallet_gui import curve
from wallet_gui.chain.filter_runs import filters_of
from wallet_gui.chain.p2p.bip324 import Session
from wallet_gui.chain.p2p.filter_messages import CFilter
from wallet_gui.chain.p2p.messages import (
    Inv,
    Message,
    Ping,
    RawBlock,
    SendAddrV2,
    Services,
    Verack,
    Version,
    WtxidRelay,
    payload_limit,
)
from wallet_gui.chain.p2p.protocol import Event, FilterRun, PeerProtocol, Ready
from wallet_gui.chain.p2p.transport import (
    LARGEST_CAPACITY,
    Frame,
    ProtocolViolation,
    Transport,
    V1Transport,
)
from wallet_gui.chain.p2p.transport_v2 import MAX_DECOYS, SHORT_IDS, V2Transport
from wallet_gui.primitives.params import MAINNET, REGTEST

MAGIC = REGTEST.magic
OUR_SECRET, THEIR_SECRET = (21).to_bytes(32, "big"), (22).to_bytes(32, "big")
OURS = OUR_SECRET, curve.ellswift_create(OUR_SECRET, bytes(32))
THEIRS = THEIR_SECRET, curve.ellswift_create(THEIR_SECRET, bytes(32))
VERSION = Version(
    70016, Services.NETWORK | Services.WITNESS, 1_700_000_000, 99, "/Satoshi:29.5.0/", 100, True
)
GARBAGE: Final = b"whatever they like to send" * 20

Received = list[tuple[str, bytes]]


def feed(transport: Transport, data: bytes) -> Received:
    found: Received = []
    view = memoryview(data)
    while view:
        room = transport.get_buffer()
        count = min(len(room), len(view))
        room[:count] = view[:count]
        view = view[count:]
        for each in transport.received(count):
            if isinstance(each, Frame):
                found.append((each.command, bytes(transport.buffer[each.start : each.end])))
            else:
                run = filters_of(each.data, each.hashes, each.starts, each.ends)
                found += [("cfilter", CFilter(*parts).serialize()) for parts in run]
    return found


def initiator(garbage: bytes = b"ours") -> V2Transport:
    return V2Transport(MAGIC, keys=OURS, garbage=garbage)


def responder(garbage: bytes = GARBAGE) -> V2Transport:
    return V2Transport(MAGIC, is_initiator=False, keys=THEIRS, garbage=garbage)


def connected(
    ours: V2Transport | None = None, theirs: V2Transport | None = None
) -> tuple[V2Transport, V2Transport]:
    """Let both sides come to the end of the handshake."""
    ours = ours or initiator()
    theirs = theirs or responder()
    assert feed(theirs, ours.data_to_send()) == []
    assert feed(ours, theirs.data_to_send()) == []
    assert feed(theirs, ours.data_to_send()) == []
    assert ours.is_established
    assert theirs.is_established
    return ours, theirs


# The handshake


@pytest.mark.parametrize("garbage", [b"", b"x", bytes(4095)])
def test_handshake(garbage: bytes) -> None:
    ours, theirs = initiator(garbage), responder(garbage)
    assert (ours.is_established, ours.session_id) == (False, b"")
    connected(ours, theirs)
    assert ours.session_id == theirs.session_id
    assert len(ours.session_id) == 32
    assert ours.data_to_send() == theirs.data_to_send() == b""


def test_keys_and_garbage_are_fresh() -> None:
    first = {V2Transport(MAGIC).data_to_send()[:64] for _ in range(20)}
    assert len(first) == 20
    sizes = {len(V2Transport(MAGIC).data_to_send()) for _ in range(20)}
    assert len(sizes) > 10, "the length of the garbage tells what this is"
    assert all(64 <= size <= 64 + 4095 for size in sizes)


def test_messages_wait_for_the_keys() -> None:
    ours, theirs = initiator(), responder()
    assert ours.frame("version", b"first") == b""
    assert ours.frame("ping", b"12345678") == b""
    feed(theirs, ours.data_to_send())
    feed(ours, theirs.data_to_send())
    late = ours.frame("verack", b"")
    opening = ours.data_to_send()
    assert feed(theirs, opening + late) == [
        ("version", b"first"),
        ("ping", b"12345678"),
        ("verack", b""),
    ]


def test_the_queue_before_the_keys_is_bounded() -> None:
    ours = initiator()
    for _ in range(100):
        assert ours.frame("ping", b"12345678") == b""
    with pytest.raises(ProtocolViolation):
        ours.frame("ping", b"12345678")


def test_another_network_has_other_keys() -> None:
    ours = V2Transport(MAINNET.magic, keys=OURS, garbage=b"")
    theirs = responder()
    feed(theirs, ours.data_to_send())
    with pytest.raises(ProtocolViolation, match="does not speak the encrypted"):
        feed(ours, theirs.data_to_send() + bytes(5000))


def test_no_terminator_within_the_longest_garbage() -> None:
    ours = initiator()
    assert feed(ours, THEIRS[1] + bytes(4095 + 15)) == []
    with pytest.raises(ProtocolViolation, match="does not speak the encrypted"):
        feed(ours, b"\0")


def test_a_version_1_node_or_a_web_server_answers() -> None:
    for answer in (V1Transport(MAGIC).frame("version", bytes(100)), b"HTTP/1.1 400 Bad Request"):
        ours = initiator()
        with pytest.raises(ProtocolViolation):
            feed(ours, answer + bytes(5000))
        assert not ours.is_established


# Decoys, versions to come, names


def their_session() -> tuple[V2Transport, Session, bytes]:
    """Our side, the other side's cipher for made-up packets, and its first bytes."""
    session = Session(THEIR_SECRET, THEIRS[1], OURS[1], MAGIC, is_initiator=False)
    return initiator(), session, THEIRS[1] + GARBAGE + session.send_terminator


def test_decoys_are_ignored_everywhere() -> None:
    ours, session, opening = their_session()
    stream = opening
    stream += session.encrypt(b"decoy", aad=GARBAGE, decoy=True)
    stream += session.encrypt(bytes(3000), decoy=True)
    stream += session.encrypt(b"what a later version has to say")
    stream += session.encrypt(b"\x12" + b"12345678")
    stream += session.encrypt(b"\x12" + bytes(500), decoy=True)
    stream += session.encrypt(b"", decoy=True)
    stream += session.encrypt(b"\x13" + b"87654321")
    assert feed(ours, stream) == [("ping", b"12345678"), ("pong", b"87654321")]


def test_decoys_for_ever() -> None:
    ours, session, opening = their_session()
    feed(ours, opening + session.encrypt(b"", aad=GARBAGE))
    for _ in range(2):
        decoys = b"".join(session.encrypt(b"", decoy=True) for _ in range(MAX_DECOYS))
        ping = session.encrypt(b"\x12" + b"12345678")
        assert feed(ours, decoys + ping) == [("ping", b"12345678")]
    decoys = b"".join(session.encrypt(b"", decoy=True) for _ in range(MAX_DECOYS))
    assert feed(ours, decoys) == []
    with pytest.raises(ProtocolViolation, match="nothing but decoys"):
        feed(ours, session.encrypt(b"", decoy=True))


def test_garbage_is_proved_by_the_first_packet_only() -> None:
    for first, second in ((b"", b""), (b"x", b""), (GARBAGE, GARBAGE)):
        ours, session, opening = their_session()
        stream = opening + session.encrypt(b"", aad=first) + session.encrypt(b"\x12", aad=second)
        with pytest.raises(ProtocolViolation, match="changed on the way"):
            feed(ours, stream)


def test_every_short_id() -> None:
    assert len(SHORT_IDS) == 28
    assert (SHORT_IDS[1], SHORT_IDS[14], SHORT_IDS[23], SHORT_IDS[28]) == (
        *("addr", "inv", "cfilter", "addrv2"),
    )
    ours, theirs = connected()
    for command in SHORT_IDS.values():
        packet = theirs.frame(command, b"12345678")
        assert len(packet) == 20 + 1 + 8
        assert feed(ours, packet) == [(command, b"12345678")]


def test_written_out_names() -> None:
    ours, theirs = connected()
    for command in ("version", "verack", "wtxidrelay", "sendaddrv2", "sendheaders", "twelve-chars"):
        packet = theirs.frame(command, b"")
        assert len(packet) == 20 + 13
        assert feed(ours, packet) == [(command, b"")]
    # What has a short name may be written out, too.
    _, session, opening = their_session()
    ours = initiator()
    stream = opening + session.encrypt(b"", aad=GARBAGE)
    stream += session.encrypt(b"\0" + b"ping".ljust(12, b"\0") + b"12345678")
    assert feed(ours, stream) == [("ping", b"12345678")]


def test_names_that_nobody_knows_are_skipped() -> None:
    ours, session, opening = their_session()
    stream = opening + session.encrypt(b"", aad=GARBAGE)
    for contents in (b"", b"\x1d", b"\xff" + bytes(50), b"\0", b"\0short", b"\0" + b"\xff" * 12):
        stream += session.encrypt(contents)
    stream += session.encrypt(b"\0" + b"pi\0ng".ljust(12, b"\0")) + session.encrypt(bytes(13))
    stream += session.encrypt(b"\x12" + b"12345678")
    assert feed(ours, stream) == [("ping", b"12345678")]


# Sizes


@pytest.mark.parametrize(
    ("command", "size"), [("ping", 9), ("headers", 200_000), ("cfilter", 1_100_000), ("verack", 1)]
)
def test_messages_over_their_limit(command: str, size: int) -> None:
    assert size > payload_limit(command)
    ours, theirs = connected()
    packet = theirs.frame(command, bytes(size))
    tracemalloc.start()
    try:
        # The first bytes are enough: no memory is set aside for the rest.
        with pytest.raises(ProtocolViolation, match=f"{command} message of {size} bytes"):
            feed(ours, packet[:40])
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_messages_longer_than_any() -> None:
    ours, session, opening = their_session()
    stream = opening + session.encrypt(b"", aad=GARBAGE)
    feed(ours, stream)
    packet = session.encrypt(bytes(4_000_014))
    with pytest.raises(ProtocolViolation, match="4000014 bytes"):
        feed(ours, packet[:3])


def test_the_longest_block_and_a_bounded_buffer() -> None:
    ours, theirs = connected()
    block = bytes(4_000_000)
    for _ in range(3):
        packet = theirs.frame("block", block) + theirs.frame("ping", b"12345678")
        assert feed(ours, packet) == [("block", block), ("ping", b"12345678")]
    assert len(ours.get_buffer()) <= LARGEST_CAPACITY


def test_part_of_a_message_has_a_name() -> None:
    ours, theirs = connected()
    packet = theirs.frame("block", bytes(100_000))
    assert ours.partial() is None
    feed(ours, packet[:10])
    assert ours.partial() is None, "too little to say"
    feed(ours, packet[10:50_000])
    assert ours.partial() == "block"
    assert feed(ours, packet[50_000:]) == [("block", bytes(100_000))]
    assert ours.partial() is None
    long_name = theirs.frame("sendheaders", b"")
    feed(ours, long_name[:20])
    assert ours.partial() == "sendheaders"


# The whole conversation


def protocol() -> PeerProtocol:
    return PeerProtocol(initiator(), nonce=7, unix_time=1_700_000_000)


def their_stream(messages: Iterable[Message]) -> bytes:
    """Everything a node sends, encrypted: the same bytes at every call."""
    theirs = responder()
    feed(theirs, OURS[1] + b"ours" + b"")
    stream = theirs.data_to_send()
    return stream + b"".join(theirs.frame(m.command, m.serialize()) for m in messages)


MESSAGES: Final[tuple[Message, ...]] = (
    *(VERSION, WtxidRelay(), SendAddrV2(), Verack(), Ping(1)),
    *(CFilter(bytes([i]) * 32, bytes(range(i))) for i in range(30)),
    Inv(((5, b"\x05" * 32),)),
    *(CFilter(bytes([i]) * 32, bytes(i * 300)) for i in range(230)),
    RawBlock(bytes(range(250)) * 1000),
    Ping(2),
)
STREAM: Final = their_stream(MESSAGES)
SHORT: Final = their_stream((VERSION, Verack(), Ping(1), CFilter(bytes(32), b"\0"), Ping(2)))


def flatten(events: list[Event]) -> list[object]:
    """Filters one by one: how they are grouped depends on how the bytes arrive."""
    flat: list[object] = []
    for event in events:
        if isinstance(event, FilterRun):
            flat += filters_of(event.data, event.hashes, event.starts, event.ends)
        else:
            flat.append(event)
    return flat


def test_the_same_events_as_in_clear() -> None:
    clear = V1Transport(MAGIC)
    plain = PeerProtocol(V1Transport(MAGIC), nonce=7, unix_time=1_700_000_000)
    wire = b"".join(clear.frame(m.command, m.serialize()) for m in MESSAGES)
    expected = flatten(plain.receive_data(wire))
    assert expected[0] == Ready(VERSION)
    assert len(expected) == 2 + 30 + 1 + 230 + 2
    assert flatten(protocol().receive_data(STREAM)) == expected


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_events_do_not_depend_on_how_the_bytes_are_split(data: st.DataObject) -> None:
    whole = protocol()
    expected = flatten(whole.receive_data(STREAM))
    cuts = data.draw(st.lists(st.integers(0, len(STREAM)), max_size=30).map(sorted))
    split = protocol()
    events: list[Event] = []
    for start, stop in zip([0, *cuts], [*cuts, len(STREAM)], strict=True):
        events += split.receive_data(STREAM[start:stop])
    assert flatten(events) == expected
    assert split.data_to_send() == whole.data_to_send()


def test_one_byte_at_a_time() -> None:
    split = protocol()
    events = [e for i in range(8000) for e in split.receive_data(STREAM[i : i + 1])]
    assert flatten(events) == flatten(protocol().receive_data(STREAM[:8000]))
    assert len(events) > 10


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 8 * len(SHORT) - 1))
@example(0)
@example(8 * len(SHORT) - 1)
def test_a_changed_bit_is_never_delivered(bit: int) -> None:
    expected = flatten(protocol().receive_data(SHORT))
    assert len(expected) == 4
    damaged = bytearray(SHORT)
    damaged[bit // 8] ^= 1 << bit % 8
    ours = protocol()
    events: list[Event] = []
    violation = False
    try:
        # A changed length waits for more than comes: enough follows to complete any packet.
        for start in range(0, len(damaged), 50):
            events += ours.receive_data(bytes(damaged[start : start + 50]))
        for _ in range(80):
            events += ours.receive_data(bytes(65_536))
    except ProtocolViolation:
        violation = True
    assert violation, "nobody noticed"
    told = flatten(events)
    assert told == expected[: len(told)], "something else was delivered"
    assert len(told) < len(expected)


@settings(deadline=None)
@given(st.binary(max_size=6000), st.booleans())
def test_garbage_is_a_violation_or_silence(garbage: bytes, is_initiator: bool) -> None:  # noqa: FBT001
    transport = V2Transport(MAGIC, is_initiator=is_initiator)
    try:
        assert feed(transport, garbage) == []
    except ProtocolViolation:
        pass
    assert not transport.is_established


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=400))
def test_garbage_after_the_handshake_is_a_violation_or_silence(garbage: bytes) -> None:
    ours, _ = connected()
    try:
        assert feed(ours, garbage) == []
    except ProtocolViolation:
        pass


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.binary(max_size=300), st.booleans()), max_size=20))
def test_any_contents_are_messages_or_nothing(packets: list[tuple[bytes, bool]]) -> None:
    ours, session, opening = their_session()
    stream = opening + session.encrypt(b"", aad=GARBAGE)
    for contents, decoy in packets:
        stream += session.encrypt(contents, decoy=decoy)
    try:
        found = feed(ours, stream)
    except ProtocolViolation:
        return  # longer than such a message may be
    shown = [contents for contents, decoy in packets if not decoy]
    assert len(found) <= len(shown)
    for command, payload in found:
        assert command.isascii()
        assert any(contents.endswith(payload) for contents in shown)
