import pytest

from wallet_gui.chain.p2p.throughput import ASSUMED_SPEED, LEAST_DUE, MOST_DUE, SLOW, Throughput


def feed(throughput: Throughput, number: int, speed: float, start: float, seconds: float) -> float:
    now = start
    while now < start + seconds:
        now += 0.25
        throughput.received(number, int(speed / 4), now)
    return now


def test_a_speed_is_measured_while_something_is_due() -> None:
    throughput = Throughput()
    assert throughput.speed(1) == ASSUMED_SPEED
    throughput.asked(1, 100.0)
    now = feed(throughput, 1, 1e6, 100.0, 3)
    assert throughput.speed(1) == pytest.approx(1e6)
    assert throughput.total(now) == pytest.approx(1e6, rel=0.2)
    throughput.idle(1)
    throughput.asked(1, now + 60)
    feed(throughput, 1, 1e6, now + 60, 1)
    assert throughput.speed(1) == pytest.approx(1e6), "waiting for us made it slow"
    assert throughput.total(now + 100) == 0


def test_a_new_peer_is_taken_to_be_as_fast_as_the_others() -> None:
    throughput = Throughput()
    for number, speed in ((1, 1e6), (2, 3e6)):
        throughput.asked(number, 0.0)
        feed(throughput, number, speed, 0.0, 2)
    assert throughput.speed(3) == pytest.approx(2e6)


def test_who_is_faster_is_asked_for_more() -> None:
    throughput = Throughput()
    for number, speed in ((1, 1e6), (2, 4e6), (3, 1e3), (4, 100e6)):
        throughput.asked(number, 0.0)
        feed(throughput, number, speed, 0.0, 3)
    assert throughput.most_due(1, [1], 32_000_000, 3) == pytest.approx(3e6)
    assert throughput.most_due(1, [1, 2], 5_000_000, 3) == pytest.approx(1e6, rel=0.01)
    assert throughput.most_due(2, [1, 2], 5_000_000, 3) == pytest.approx(4e6, rel=0.01)
    assert throughput.most_due(3, [3], 32_000_000, 3) == LEAST_DUE
    assert throughput.most_due(4, [4], 32_000_000, 3) == MOST_DUE
    assert throughput.most_due(1, [1], 32_000_000, 0.5) == pytest.approx(0.5e6)


def test_who_is_slow_is_named_only_while_others_are_faster() -> None:
    throughput = Throughput()
    for number in (1, 2):
        throughput.asked(number, 0.0)
    now = feed(throughput, 1, 1e6, 0.0, 9)
    assert throughput.judge([1, 2], now) == []
    now = feed(throughput, 1, 1e6, 9.0, 2)
    assert throughput.judge([1, 2], now) == [2]
    assert throughput.silence(2, now) == 11
    assert throughput.silence(1, now) == 0


def test_where_all_are_slow_nobody_is_blamed_and_less_is_asked_for() -> None:
    throughput = Throughput()
    for number in (1, 2):
        throughput.asked(number, 0.0)
        feed(throughput, number, SLOW / 4, 0.0, 12)
    before = throughput.most_due(1, [1, 2], 32_000_000, 3)
    assert throughput.judge([1, 2], 12.0) == []
    assert throughput.most_due(1, [1, 2], 32_000_000, 3) == before // 2
    assert throughput.judge([1, 2], 13.0) == []
    assert throughput.most_due(1, [1, 2], 32_000_000, 3) == before // 2
    for _ in range(9):
        feed(throughput, 1, 1e6, 13.0, 11)
    assert throughput.judge([1], 24.0) == []
    assert throughput.most_due(1, [1], 32_000_000, 3) > before


def test_only_a_measured_line_is_slow() -> None:
    throughput = Throughput()
    assert throughput.is_fast(1)  # nothing is known: nobody waits on its account
    throughput.asked(1, 0.0)
    throughput.received(1, 500_000, 0.01)
    assert throughput.is_fast(1)  # the time until the first bytes come is no speed
    throughput.received(1, 500_000, 0.25)
    assert not throughput.is_fast(1)
    throughput.asked(2, 0.0)
    throughput.received(2, 20_000_000, 0.25)
    assert throughput.is_fast(2)
