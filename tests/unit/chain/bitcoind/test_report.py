import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.bitcoind.report import Particulars, redact

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "023456789acdefghjklmnpqrstuvwxyz"
BASE64 = string.ascii_letters + string.digits + "+/"
HEX = string.digits + "abcdef"

NOBODY = Particulars()
anything = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=60)
label = st.text(string.ascii_lowercase + string.digits, min_size=2, max_size=12)


def word(alphabet: str, least: int, most: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=least, max_size=most)


def ip(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


byte = st.integers(1, 255)
# Every kind of text by which a person, a machine, a wallet or a payment could be recognized.
LOOKS_PRIVATE = {
    "cookie": word(HEX, 64, 64).map(lambda text: f"__cookie__:{text}"),
    "part of a cookie": word(HEX, 64, 64),
    "extended key": word(BASE58, 107, 107).map(lambda text: f"xpub{text}"),
    "extended key of SegWit": word(BASE58, 107, 107).map(lambda text: f"zpub{text}"),
    "address": word(BECH32, 39, 59).map(lambda text: f"bc1{text}"),
    "address of regtest": word(BECH32, 39, 59).map(lambda text: f"bcrt1{text}"),
    "legacy address": word(BASE58, 32, 33).map(lambda text: f"1{text}7"),
    "txid": word(HEX, 64, 64),
    "script": word(HEX, 44, 44).map(lambda text: f"0014{text}"),
    "fingerprint": word(BASE64, 43, 43).map(lambda text: f"SHA256:{text}"),
    "old fingerprint": st.lists(word(HEX, 2, 2), min_size=16, max_size=16).map(":".join),
    "public key": word(BASE64, 64, 64).map(lambda text: f"AAAAC3NzaC1lZDI1NTE5AAAA{text}"),
    "IPv4": st.tuples(st.integers(128, 255), byte, byte, byte).map(ip),
    "IPv6": st.lists(word(HEX, 1, 4), min_size=8, max_size=8).map(":".join),
    "short IPv6": st.tuples(word(HEX, 4, 4), word(HEX, 4, 4)).map("::".join),
    "machine": st.tuples(label, label).map(lambda parts: f"m{parts[0]}.x{parts[1]}.org"),
    "onion service": word("abcdefghijklmnopqrstuvwxyz234567", 56, 56).map(
        lambda text: f"{text}.onion"
    ),
}


@pytest.mark.parametrize("kind", LOOKS_PRIVATE)
@settings(deadline=None, max_examples=60)
@given(data=st.data(), before=anything, after=anything)
def test_what_looks_private_never_comes_out(
    kind: str, data: st.DataObject, before: str, after: str
) -> None:
    secret = data.draw(LOOKS_PRIVATE[kind])
    assert secret not in redact(f"{before}{secret}{after}", NOBODY)


@settings(deadline=None, max_examples=300)
@given(
    secrets=st.tuples(*[word(string.ascii_lowercase + string.digits, 5, 20)] * 4),
    texts=st.lists(anything, min_size=6, max_size=6),
    order=st.permutations(range(4)),
)
def test_what_is_known_to_be_private_never_comes_out(
    secrets: tuple[str, str, str, str], texts: list[str], order: list[int]
) -> None:
    host, user, path, password = (
        f"{letter}{text}9" for letter, text in zip("huqz", secrets, strict=True)
    )
    values = [host, user, f"/{path}", password]
    known = Particulars(
        hosts=frozenset({host}),
        users=frozenset({user}),
        paths=frozenset({f"/{path}"}),
        secrets=frozenset({password}),
    )
    planted = "".join(f"{text}{values[number]}" for text, number in zip(texts, order, strict=False))
    shown = redact(planted + texts[-1], known)
    for value in values:
        assert value not in shown
        assert value.upper() not in redact(planted.upper(), known)


@settings(deadline=None, max_examples=200)
@given(text=anything, kind=st.sampled_from(sorted(LOOKS_PRIVATE)), data=st.data())
def test_two_secrets_that_touch_or_overlap_both_go(
    text: str, kind: str, data: st.DataObject
) -> None:
    secret = data.draw(LOOKS_PRIVATE[kind])
    # The person's host looks like a part of something else: no hole is torn into that.
    known = Particulars(hosts=frozenset({secret[3:12]}), users=frozenset({"bitcoin"}))
    shown = redact(f"{text}{secret}{secret}bitcoin{text}", known)
    assert secret not in shown
    assert secret[-20:] not in shown or len(secret) < 25


def test_names_of_the_person_go_and_ordinary_words_stay() -> None:
    known = Particulars(
        hosts=frozenset({"mynode", "mynode.local"}),
        users=frozenset({"bitcoin"}),
        paths=frozenset({"/mnt/ada/.cookie"}),
        secrets=frozenset({"hunter2"}),
    )
    assert (
        redact(
            "bitcoin@mynode.local lets us in, but bitcoind at MyNode reads bitcoin.conf in "
            "/home/bitcoin/.bitcoin and /mnt/ada/.cookie; hunter2",
            known,
        )
        == "USER@HOST lets us in, but bitcoind at HOST reads bitcoin.conf in "
        "/home/USER/.USER and PATH; HIDDEN"
    )


def test_the_own_host_stays_when_it_is_asked_for_and_nothing_else_does() -> None:
    known = Particulars(hosts=frozenset({"mynode.local"}), users=frozenset({"ada"}))
    shown = redact("ada@mynode.local, eve@mynode.local, eve@elsewhere.org", known, keep_host=True)
    assert shown == "ada@mynode.local, USER@mynode.local, USER@HOST"


@pytest.mark.parametrize(
    "harmless",
    [
        "OpenSSH_9.2p1 Debian-2+deb12u3",
        "/Satoshi:29.5.0/Knots:20260210/, block 912345 of 912345, 62 %",
        "bitcoind does not answer on 127.0.0.1:8332. Is it running, with server=1?",
        "rpcwhitelist=wallet:getblockchaininfo,getdescriptoractivity,gettxspendingprevout",
        "Add blockfilterindex=1 to bitcoin.conf. AllowTcpForwarding local in sshd_config.",
        "curve25519-sha256@libssh.org, aes128-gcm@openssh.com, ssh-ed25519",
        "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        "getnetworkinfo testmempoolaccept blockfilterheaders regtest testnet4",
        "Ready \u2013 fast & private mode.",
    ],
)
def test_what_says_nothing_about_a_person_stays(harmless: str) -> None:
    assert redact(harmless, NOBODY) == harmless


def test_private_values_are_in_no_repr() -> None:
    known = Particulars(secrets=frozenset({"hunter2"}), hosts=frozenset({"mynode"}))
    assert "hunter2" not in repr(known)
    assert "mynode" not in repr(known)
