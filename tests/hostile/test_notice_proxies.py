"""The fetch of the update notice through proxies, and that nothing ever goes past one."""

import ssl

import pytest

from tests.hostile.notice_rig import BODY, Rig, run
from tests.hostile.notice_server import HOST, PATH, Authority, notice_server
from tests.hostile.socks_server import Fault, SocksServer, forbid_leaks, socks_server
from wallet_gui.chain.notice import NoticeFailed, NoticePlace, fetch, route_to
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse
from wallet_gui.chain.reports import Route

ONION = "a2" * 28 + ".onion"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def rig(authority: Authority) -> Rig:
    return Rig(authority)


def through(proxy: SocksServer, use: ProxyUse, *, is_tor: bool = True) -> P2POptions:
    address = PeerAddress("127.0.0.1", proxy.port)
    return P2POptions(proxy=address, is_tor=is_tor, proxy_use=use)


@pytest.mark.parametrize("use", [ProxyUse.EVERYTHING, ProxyUse.ONION_AND_PAYMENTS])
@pytest.mark.parametrize("is_tor", [True, False])
def test_a_proxy_is_asked_by_name_and_nothing_goes_past_it(
    rig: Rig,
    monkeypatch: pytest.MonkeyPatch,
    use: ProxyUse,
    is_tor: bool,  # noqa: FBT001
) -> None:
    async def attempt() -> bytes:
        context = rig.authority.server_context(HOST)
        async with notice_server(rig.server, context), socks_server() as proxy:
            proxy.hosts[HOST] = rig.server.port
            leaks = forbid_leaks(monkeypatch, proxy)
            options = through(proxy, use, is_tor=is_tor)
            url = rig.server.url(HOST)
            data = await fetch(url, options, rig.notes.append, trust=rig.authority.client_context)
            assert leaks == []
            assert [(each.host, each.kind) for each in proxy.requests] == [(HOST, 3)]
            assert proxy.requests[0].user  # a circuit of its own
            return data

    assert run(attempt()) == BODY
    assert rig.notes[0].route is (Route.TOR if is_tor else Route.PROXY)


def test_each_check_takes_another_circuit(rig: Rig) -> None:
    async def attempt() -> None:
        context = rig.authority.server_context(HOST)
        async with notice_server(rig.server, context), socks_server() as proxy:
            proxy.hosts[HOST] = rig.server.port
            options = through(proxy, ProxyUse.EVERYTHING)
            for _ in range(2):
                url = rig.server.url(HOST)
                await fetch(url, options, rig.notes.append, trust=rig.authority.client_context)
            assert len({request.user for request in proxy.requests}) == 2

    run(attempt())


@pytest.mark.parametrize("fault", sorted(set(Fault) - {Fault.NONE, Fault.NO_ISOLATION}, key=str))
def test_a_proxy_that_fails_is_no_reason_to_go_past_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    async def attempt() -> None:
        context = rig.authority.server_context(HOST)
        async with (
            notice_server(rig.server, context),
            socks_server(SocksServer(fault=fault)) as proxy,
        ):
            proxy.hosts[HOST] = rig.server.port
            leaks = forbid_leaks(monkeypatch, proxy)
            options = through(proxy, ProxyUse.ONION_AND_PAYMENTS)
            with pytest.raises(NoticeFailed) as caught:
                await fetch(
                    rig.server.url(HOST),
                    options,
                    rig.notes.append,
                    trust=rig.authority.client_context,
                    seconds=0.7,
                )
            assert str(caught.value).endswith(".")
            assert leaks == []

    run(attempt())
    assert rig.server.connections == 0
    assert rig.notes[0].route is Route.TOR


def test_a_proxy_that_is_not_there_is_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def attempt() -> str:
        async with socks_server() as gone:
            pass
        leaks = forbid_leaks(monkeypatch, gone)
        options = through(gone, ProxyUse.EVERYTHING)
        with pytest.raises(NoticeFailed) as caught:
            await fetch(
                f"https://{HOST}/n", options, rig.notes.append, trust=rig.authority.client_context
            )
        assert leaks == []
        return str(caught.value)

    assert "Tor does not answer" in run(attempt())


def test_an_onion_service_needs_no_certificate(rig: Rig) -> None:
    async def attempt() -> bytes:
        async with notice_server(rig.server, None), socks_server() as proxy:
            proxy.hosts[ONION] = rig.server.port
            options = through(proxy, ProxyUse.ONION_AND_PAYMENTS)
            return await fetch(f"http://{ONION}{PATH}", options, rig.notes.append)

    assert run(attempt()) == BODY
    assert (rig.notes[0].host, rig.notes[0].transport) == (f"{ONION}:80", "Tor")


def test_words_before_the_request_are_no_answer(rig: Rig) -> None:
    async def attempt() -> None:
        early = SocksServer(early=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")
        async with notice_server(rig.server, None), socks_server(early) as proxy:
            proxy.hosts[HOST] = rig.server.port
            options = through(proxy, ProxyUse.EVERYTHING)
            await fetch(
                rig.server.url(HOST),
                options,
                rig.notes.append,
                trust=rig.authority.client_context,
            )

    with pytest.raises(NoticeFailed, match="No encrypted connection"):
        run(attempt())


TOR = PeerAddress("127.0.0.1", 9050)


@pytest.mark.parametrize(
    ("host", "options", "expected"),
    [
        (HOST, P2POptions(), Route.DIRECT),
        (HOST, P2POptions(proxy=TOR), Route.DIRECT),  # known, and not to be used
        (HOST, P2POptions(proxy=TOR, proxy_use=ProxyUse.EVERYTHING), Route.TOR),
        (HOST, P2POptions(proxy=TOR, proxy_use=ProxyUse.ONION_AND_PAYMENTS), Route.TOR),
        (
            HOST,
            P2POptions(proxy=TOR, is_tor=False, proxy_use=ProxyUse.ONION_AND_PAYMENTS),
            Route.PROXY,
        ),
        (HOST, P2POptions(proxy_use=ProxyUse.EVERYTHING), None),
        (HOST, P2POptions(proxy_use=ProxyUse.ONION_AND_PAYMENTS), None),
        (ONION, P2POptions(), None),
        (ONION, P2POptions(proxy=TOR), None),
        (ONION, P2POptions(proxy=TOR, is_tor=False, proxy_use=ProxyUse.EVERYTHING), None),
        (ONION, P2POptions(proxy=TOR, proxy_use=ProxyUse.EVERYTHING), Route.TOR),
    ],
)
def test_the_way_is_the_one_that_was_chosen(
    host: str, options: P2POptions, expected: Route | None
) -> None:
    place = NoticePlace.parse(f"https://{host}/n")
    if expected is None:
        with pytest.raises(NoticeFailed):
            route_to(place, options)
    else:
        assert route_to(place, options) is expected


def test_a_proxy_that_is_a_name_is_not_looked_up(rig: Rig) -> None:
    options = P2POptions(proxy=PeerAddress("tor.example", 9050), proxy_use=ProxyUse.EVERYTHING)
    with pytest.raises(NoticeFailed, match="not looked up"):
        run(fetch(f"https://{HOST}/n", options, rig.notes.append, trust=ssl.create_default_context))
