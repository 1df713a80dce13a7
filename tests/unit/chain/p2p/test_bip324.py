import csv
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.chain.facts import REPOSITORY, shared
from wallet_gui import curve
from wallet_gui.chain.p2p.bip324 import REKEY_INTERVAL, PacketCipher, Session
from wallet_gui.chain.p2p.packet_sizes import DECOY, EXPANSION, HEADER_SIZE, LENGTH_SIZE, TAG_SIZE
from wallet_gui.primitives.params import MAINNET


def vectors(*, official: bool) -> list[dict[str, str]]:
    if not official:
        found: list[dict[str, str]] = json.loads(
            (REPOSITORY / "tests/vectors/bip324.json").read_text()
        )["packets"]
        return found
    path = shared("vectors/bip-0324/packet_encoding_test_vectors.csv")
    with path.open(encoding="ascii", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("official", [False, True])
def test_packets_of_the_bip(*, official: bool) -> None:
    found = vectors(official=official)
    assert len(found) >= 3
    for row in found:
        session = Session(
            bytes.fromhex(row["in_priv_ours"]),
            bytes.fromhex(row["in_ellswift_ours"]),
            bytes.fromhex(row["in_ellswift_theirs"]),
            MAINNET.magic,
            is_initiator=row["in_initiating"] == "1",
        )
        assert session.id.hex() == row["out_session_id"]
        assert session.send_terminator.hex() == row["mid_send_garbage_terminator"]
        assert session.receive_terminator.hex() == row["mid_recv_garbage_terminator"]
        for _ in range(int(row["in_idx"])):
            session.encrypt(b"")
        packet = session.encrypt(
            bytes.fromhex(row["in_contents"]) * int(row["in_multiply"]),
            aad=bytes.fromhex(row["in_aad"]),
            decoy=row["in_ignore"] == "1",
        ).hex()
        assert packet == row["out_ciphertext"] or not row["out_ciphertext"]
        assert packet.endswith(row["out_ciphertext_endswith"])


def pair() -> tuple[Session, Session]:
    one, other = (3).to_bytes(32, "big"), (5).to_bytes(32, "big")
    ours, theirs = curve.ellswift_create(one), curve.ellswift_create(other)
    return (
        Session(one, ours, theirs, MAINNET.magic, is_initiator=True),
        Session(other, theirs, ours, MAINNET.magic, is_initiator=False),
    )


def open_packet(session: Session, packet: bytes, aad: bytes = b"") -> tuple[int, bytes] | None:
    """Decrypt one whole packet: header and contents."""
    length = session.receive_length.apply(int.from_bytes(packet[:LENGTH_SIZE], "little"))
    assert len(packet) == EXPANSION + length
    plain = bytearray(HEADER_SIZE + length)
    encrypted = memoryview(packet)[LENGTH_SIZE:]
    if not session.receive_packet.decrypt(encrypted, memoryview(plain), aad):
        return None
    return plain[0], bytes(plain[1:])


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.binary(max_size=50), st.binary(max_size=20), st.booleans())))
def test_round_trip_both_ways(packets: list[tuple[bytes, bytes, bool]]) -> None:
    ours, theirs = pair()
    for sender, receiver in ((ours, theirs), (theirs, ours)):
        for contents, aad, decoy in packets:
            packet = sender.encrypt(contents, aad=aad, decoy=decoy)
            assert open_packet(receiver, packet, aad) == (DECOY if decoy else 0, contents)


def test_keys_change_every_224_packets() -> None:
    ours, theirs = pair()
    seen = set()
    for number in range(3 * REKEY_INTERVAL + 5):
        contents = number.to_bytes(3, "big")
        packet = ours.encrypt(contents)
        seen.add(packet)
        assert open_packet(theirs, packet) == (0, contents)
    assert len(seen) == 3 * REKEY_INTERVAL + 5


def test_the_aad_belongs_to_the_packet() -> None:
    ours, theirs = pair()
    assert open_packet(theirs, ours.encrypt(b"x", aad=b"garbage"), b"garbagE") is None


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 8 * (HEADER_SIZE + 30 + TAG_SIZE) - 1))
def test_any_changed_bit_is_noticed(bit: int) -> None:
    ours, theirs = pair()
    packet = bytearray(ours.encrypt(bytes(30)))
    packet[LENGTH_SIZE + bit // 8] ^= 1 << bit % 8
    assert open_packet(theirs, bytes(packet)) is None


def test_a_look_at_the_beginning_proves_nothing_and_changes_nothing() -> None:
    key = bytes(range(32))
    sender, receiver = PacketCipher(key), PacketCipher(key)
    for _ in range(REKEY_INTERVAL + 3):
        packet = sender.encrypt(0, b"contents of this packet")
        assert receiver.peek(memoryview(packet)[:9]) == b"\0contents"
        plain = bytearray(24)
        assert receiver.decrypt(memoryview(packet), memoryview(plain))
        assert plain == b"\0contents of this packet"
