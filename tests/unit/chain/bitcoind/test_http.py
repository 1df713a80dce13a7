import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.fake_node import chunked, response
from wallet_gui.chain.bitcoind.http import (
    HEADER_LIMIT,
    HttpViolation,
    NotHttp,
    ReplyTooLong,
    Response,
    ResponseReader,
    post,
)


def read(data: bytes, *limits: int, pieces: list[int] | None = None) -> list[Response]:
    reader = ResponseReader()
    for limit in limits or (1000,):
        reader.expect(limit)
    cuts = sorted({min(cut, len(data)) for cut in pieces or []} | {0, len(data)})
    found: list[Response] = []
    for start, end in itertools.pairwise(cuts):
        found += reader.receive(data[start:end])
    last = reader.end()
    return found if last is None else [*found, last]


bodies = st.binary(max_size=300)
framed = st.one_of(
    st.builds(lambda body: (response(200, body), body), bodies),
    st.builds(lambda body, size: (chunked(body, size), body), bodies, st.integers(1, 50)),
    st.builds(lambda body: (response(500, body, extra="X-Y: z\r\n"), body), bodies),
)


@settings(deadline=None)
@given(st.lists(framed, min_size=1, max_size=5), st.lists(st.integers(0, 3000)))
def test_any_split_gives_the_same_answers(
    answers: list[tuple[bytes, bytes]], pieces: list[int]
) -> None:
    data = b"".join(raw for raw, _ in answers)
    found = read(data, *[1000] * len(answers), pieces=pieces)
    assert [each.body for each in found] == [body for _, body in answers]
    assert found == read(data, *[1000] * len(answers))


@settings(deadline=None)
@given(st.binary(max_size=500), st.lists(st.integers(0, 500)))
def test_any_bytes_are_answers_or_a_violation(data: bytes, pieces: list[int]) -> None:
    try:
        read(data, 100, 100, pieces=pieces)
    except HttpViolation:
        return


@settings(deadline=None)
@given(
    st.sampled_from([response(200, b"[1]"), chunked(b"[1,2]", 2)]),
    st.integers(0, 200),
    st.binary(min_size=1, max_size=3),
)
def test_any_damage_is_an_answer_or_a_violation(raw: bytes, at: int, other: bytes) -> None:
    try:
        read(raw[:at] + other + raw[at + len(other) :], 100)
    except HttpViolation:
        return


def test_request_has_the_login_and_its_length() -> None:
    raw = post("127.0.0.1", b"Basic abc", b"{}")
    assert raw.startswith(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    assert b"\r\nAuthorization: Basic abc\r\n" in raw
    assert raw.endswith(b"Content-Length: 2\r\n\r\n{}")


@pytest.mark.parametrize("first", [b"SSH-2.0-OpenSSH_9.2\r\n", bytes(range(64)), b"\r\n", b"HTTQ"])
def test_other_protocols_show_at_once(first: bytes) -> None:
    reader = ResponseReader()
    reader.expect(10)
    with pytest.raises(NotHttp):
        list(reader.receive(first))


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/2 200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip",
        b"HTTP/1.1 200 OK\r\n folded: yes",
        b"HTTP/1.1 200 OK\r\nno colon",
        b"HTTP/1.1 200 OK" + b"\r\nA: b" * 65,
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * HEADER_LIMIT,
    ],
)
def test_malformed_heads_are_refused(head: bytes) -> None:
    with pytest.raises(HttpViolation):
        read(head + b"\r\n\r\n12345")


@pytest.mark.parametrize(
    "coded",
    [b"g\r\n", b"-1\r\n", b"123456789\r\n", b"2\r\nabc\r\n", b"0\r\nbad\r\n\r\n", b"1" * 999],
)
def test_malformed_chunks_are_refused(coded: bytes) -> None:
    with pytest.raises(HttpViolation):
        read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + coded + b"\r\n\r\n")


def test_long_bodies_are_refused_before_they_come() -> None:
    with pytest.raises(ReplyTooLong):
        read(response(200, b"", length=101), 100)
    with pytest.raises(ReplyTooLong):
        read(chunked(b"x" * 101, 50), 100)
    with pytest.raises(ReplyTooLong):
        read(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101, 100)
    assert read(response(200, b"x" * 100), 100)[0].body == b"x" * 100


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    (found,) = read(b"HTTP/1.1 200 OK\r\n\r\nabc")
    assert (found.body, found.is_last) == (b"abc", True)


def test_more_answers_than_questions_are_refused() -> None:
    with pytest.raises(HttpViolation):
        read(response(200, b"1") * 2, 10)


def test_nothing_follows_the_last_answer() -> None:
    last = response(200, b"1", extra="Connection: close\r\n")
    assert read(last, 10)[0].is_last
    with pytest.raises(HttpViolation):
        read(last + response(200, b"2"), 10, 10)


@pytest.mark.parametrize("cut", [3, 30, 60])
def test_a_cut_answer_is_refused(cut: int) -> None:
    with pytest.raises(HttpViolation, match="cut off"):
        read(response(200, b"x" * 50)[:cut], 100)


def test_old_http_closes_unless_it_says_otherwise() -> None:
    old = b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n%s\r\n1"
    assert read(old % b"")[0].is_last
    assert not read(old % b"Connection: keep-alive\r\n")[0].is_last
    assert read(b"HTTP/1.1 204 No Content\r\n\r\n")[0].body == b""
