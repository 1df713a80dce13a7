import asyncio
import random
import socket
import threading
from collections.abc import Mapping

import pytest

from tests.patience import PATIENCE
from wallet_gui.chain.p2p import seeds
from wallet_gui.chain.p2p.seed_names import SeedAddress, seed_name
from wallet_gui.chain.p2p.seeds import MAX_PER_SEED, LookUp, ask_seeds

SHUFFLE = random.Random(1).shuffle


class FakeDns:
    """Answers from a table; a name that is not in it does not exist."""

    def __init__(self, table: Mapping[str, list[str]]) -> None:
        self.table = table
        self.asked: list[str] = []
        self.waiting = 0
        self.most_waiting = 0

    async def __call__(self, name: str) -> list[str]:
        self.asked.append(name)
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        await asyncio.sleep(0)
        self.waiting -= 1
        if name not in self.table:
            raise OSError(-2, "Name or service not known")
        return self.table[name]


def ask(dns: FakeDns, *names: str) -> tuple[list[SeedAddress], list[LookUp]]:
    told: list[LookUp] = []
    found = asyncio.run(ask_seeds(names, 8333, dns, told.append, SHUFFLE))
    return found, told


def hosts(net: int, count: int) -> list[str]:
    return [f"{net}.{n // 250}.{n % 250}.1" for n in range(count)]


def test_names() -> None:
    assert seed_name("seed.example", 0x849) == "x849.seed.example"
    assert seed_name("seed.example", 0) == "seed.example"


def test_filters_are_asked_for_first_and_of_all_at_once() -> None:
    dns = FakeDns({"x849.a": hosts(11, 30), "x49.b": hosts(12, 30)})
    found, told = ask(dns, "a", "b")
    assert sorted(dns.asked) == sorted(
        f"{prefix}.{seed}" for seed in "ab" for prefix in ("x849", "x49", "xc48", "x448")
    )
    assert dns.most_waiting == 8, "one after the other"
    assert len(found) == 60
    assert {item.services for item in found} == {0x849, 0x49}
    assert {item.address.port for item in found} == {8333}
    assert len(told) == 8
    assert sum(bool(item.failure) for item in told) == 6


def test_others_are_asked_for_when_those_are_few() -> None:
    dns = FakeDns({"x849.a": hosts(11, 10), "x9.b": hosts(12, 20), "b": hosts(13, 20)})
    found, _ = ask(dns, "a", "b")
    assert {"x9.a", "x9.b", "a", "b"} <= set(dns.asked)
    assert len(found) == 50
    assert sum(item.services == 0 for item in found) == 20


def test_no_seed_tells_more_than_its_share() -> None:
    dns = FakeDns({"x849.liar": hosts(66, 5000), "x849.a": hosts(11, 25), "x849.b": hosts(12, 25)})
    found, _ = ask(dns, "liar", "a", "b")
    by_seed = {seed: sum(item.seed == seed for item in found) for seed in ("liar", "a", "b")}
    assert by_seed == {"liar": MAX_PER_SEED, "a": 25, "b": 25}


def test_answers_that_are_no_addresses_are_left_out() -> None:
    dns = FakeDns({"x849.a": ["11.0.0.1", "nonsense", "", "11.0.0.1", "2a01:4f8::1"]})
    found, _ = ask(dns, "a")
    assert {item.address.host for item in found} == {"11.0.0.1", "2a01:4f8::1"}


def test_a_seed_that_never_answers_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(name: str) -> list[str]:
        if name.endswith("silent"):
            await asyncio.sleep(3600)
        return hosts(11, 50)

    told: list[LookUp] = []
    monkeypatch.setattr(seeds, "LOOK_UP_TIMEOUT", 0.05)
    found = asyncio.run(ask_seeds(("silent", "a"), 8333, silent, told.append, SHUFFLE))
    assert len(found) == 50
    assert {item.failure for item in told} == {"", "No answer came."}


def test_look_ups_that_nobody_answers_keep_no_thread_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()
    asked: list[str] = []

    def wait(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        release.wait(30)
        raise OSError(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", wait)

    async def run() -> str:
        names = [f"{number}.seed.example.org" for number in range(40)]
        look_ups = [asyncio.ensure_future(seeds.system_resolver(name)) for name in names]
        async with asyncio.timeout(PATIENCE):
            await asyncio.sleep(0)  # each has its thread from here on
            done = await asyncio.to_thread(lambda: "opened")
        look_ups.pop().cancel()
        release.set()
        answers = await asyncio.gather(*look_ups, return_exceptions=True)
        assert {type(answer) for answer in answers} == {OSError}
        return done

    assert asyncio.run(run()) == "opened"
    assert len(asked) == 40


def test_the_system_answers_with_addresses() -> None:
    assert asyncio.run(seeds.system_resolver("127.0.0.1")) == ["127.0.0.1"]


def test_one_seed_that_hangs_does_not_keep_the_others_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seeds, "PATIENCE", 0.1)
    monkeypatch.setattr(seeds, "LOOK_UP_TIMEOUT", 30.0)
    dns = FakeDns({"x849.a": hosts(11, 60)})
    told: list[LookUp] = []
    ended: list[str] = []

    async def resolve(name: str) -> list[str]:
        if name.endswith(".b"):
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(name)
        return await dns(name)

    async def scenario() -> list[SeedAddress]:
        async with asyncio.timeout(PATIENCE):
            return await ask_seeds(("a", "b"), 8333, resolve, told.append, SHUFFLE)

    found = asyncio.run(scenario())
    assert {item.seed for item in found} == {"a"}
    assert len(found) == MAX_PER_SEED or len(found) == 60
    assert len(ended) == 4, "nothing goes on in the background"
    late = [each for each in told if each.seed == "b"]
    assert len(late) == 4, "the ledger has every name that was asked"
    assert {each.failure for each in late} == {"Nobody waited for it any longer."}
