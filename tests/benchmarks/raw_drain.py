"""The floor: reads all filters from a node as fast as the socket gives them, looking at nothing.

    python -m tests.benchmarks.raw_drain PORT HEIGHT

Prints one line of JSON: seconds of wall and CPU from the first request to the last byte.
"""

import json
import socket
import struct
import sys
import time
from hashlib import sha256

from wallet_gui.primitives.params import REGTEST


def _message(command: bytes, payload: bytes) -> bytes:
    checksum = sha256(sha256(payload).digest()).digest()[:4]
    head = struct.pack("<4s12sI4s", REGTEST.magic, command, len(payload), checksum)
    return head + payload


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = connection.recv(count)
        if not part:
            raise ConnectionError("the node hung up")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _next(connection: socket.socket) -> tuple[bytes, bytes]:
    head = _exactly(connection, 24)
    name, size = struct.unpack_from("<12sI", head, 4)
    return name.rstrip(b"\0"), _exactly(connection, size)


def _headers(connection: socket.socket) -> list[bytes]:
    """Fetch all headers; the hashes by height, genesis included."""
    hashes = [sha256(sha256(REGTEST.genesis_header).digest()).digest()]
    while True:
        request = struct.pack("<IB", 70016, 1) + hashes[-1] + bytes(32)
        connection.sendall(_message(b"getheaders", request))
        name, payload = _next(connection)
        while name != b"headers":
            name, payload = _next(connection)
        start = 1 if payload[0] < 253 else 3
        raw = [payload[i : i + 80] for i in range(start, len(payload), 81)]
        hashes += [sha256(sha256(header).digest()).digest() for header in raw]
        if len(raw) < 2000:
            return hashes


def drain(port: int) -> dict[str, float]:
    """Ask for everything at once, eight ranges ahead, and count bytes."""
    connection = socket.create_connection(("127.0.0.1", port))
    version = struct.pack("<iQq", 70016, 0, int(time.time())) + bytes(52)
    version += struct.pack("<Q", 1) + b"\0" + struct.pack("<i", 0) + b"\0"
    connection.sendall(_message(b"version", version))
    while _next(connection)[0] != b"verack":
        pass
    connection.sendall(_message(b"verack", b""))
    began, busy = time.perf_counter(), time.process_time()
    hashes = _headers(connection)
    ranges = [(i, hashes[min(i + 499, len(hashes) - 1)]) for i in range(0, len(hashes), 500)]
    total = 0
    buffer = bytearray(8 << 20)
    sentinel = _message(b"ping", struct.pack("<Q", 77))
    waiting = sum(1 for _ in ranges)
    # The answer to the ping comes after the last filter.
    for start, stop in ranges:
        connection.sendall(_message(b"getcfilters", struct.pack("<BI", 0, start) + stop))
    connection.sendall(sentinel)
    end = b"pong".ljust(12, b"\0")
    tail = b""
    while True:
        count = connection.recv_into(buffer)
        if not count:
            raise ConnectionError("the node hung up")
        total += count
        tail = (tail + bytes(buffer[max(0, count - 64) : count]))[-64:]
        if end in tail:
            break
    return {
        "wall": time.perf_counter() - began,
        "cpu": time.process_time() - busy,
        "bytes": total,
        "ranges": waiting,
    }


if __name__ == "__main__":
    print(json.dumps(drain(int(sys.argv[1]))))
