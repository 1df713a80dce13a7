import random

from wallet_gui.chain.bitcoind.retry_delay import RetryDelay
from wallet_gui.chain.bitcoind.sleep_watch import SleepWatch


def test_sleep_shows_in_either_clock() -> None:
    watch = SleepWatch(100.0, 5000.0)
    assert not watch.has_slept(102.0, 5002.0)
    assert watch.has_slept(104.0, 8600.0)  # Linux, macOS
    assert not watch.has_slept(106.0, 8602.0)
    assert watch.has_slept(3700.0, 12_200.0)  # Windows
    assert watch.has_slept(3702.0, 9000.0)  # somebody set the clock: looking again does no harm
    assert not watch.has_slept(3704.0, 9002.0)


def test_the_pauses_grow_to_thirty_seconds_with_chance() -> None:
    delay = RetryDelay(random.Random(5))
    found = [delay.next() for _ in range(40)]
    assert 0.5 <= found[0] <= 0.625
    assert all(0.5 * 2**n <= found[n] <= 0.625 * 2**n for n in range(6))
    assert found[10:] == [30.0] * 30
    delay.reset()
    assert delay.next() < 1
    assert RetryDelay(random.Random(1)).next() != RetryDelay(random.Random(2)).next()
