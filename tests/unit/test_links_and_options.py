"""What the entry makes of its arguments before anything else happens (CVE-2021-3401)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_gui.__main__ import WITH_VALUE, is_command_line, is_offline, main, refusal

LINK = "bitcoin:bcrt1qexample?amount=1"
HOSTILE = (
    ["-platformpluginpath", "/media/evil"],
    ["-platform", "offscreen:/media/evil"],
    ["-stylesheet", "/media/evil.qss"],
    ["-qmljsdebugger=port:1"],
    ["--vault", "--headless", "--pipe", "0,1"],
    ["--draw-sheet", "A4"],
    ["--offline"],
    ["--smoke-test"],
    ["--playground"],
    ["--data-dir", "/media/evil"],
    ["--data-dir=/media/evil"],
    ["--peer", "203.0.113.7:8333"],
    ["--network", "mainnet"],
    ["--version"],
    ["--help"],
    ["send", "bc1qevil", "1"],
    [LINK],
    ["--", LINK],
    [""],
)


@pytest.mark.parametrize("after", HOSTILE, ids=lambda after: " ".join(after)[:30])
@pytest.mark.parametrize("opened", [LINK, LINK.upper(), "/home/me/pay.psbt", "file:///pay.PSBT"])
@pytest.mark.parametrize("before", [[], ["--network", "regtest"], ["--"]])
def test_nothing_follows_a_link_or_a_file(
    capsys: pytest.CaptureFixture[str], before: list[str], opened: str, after: list[str]
) -> None:
    # The whole of the entry: nothing else of the program was started, or this would not return.
    assert main([*before, opened, *after]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "evil" not in said.err
    assert LINK not in said.err


@given(st.lists(st.text(max_size=12) | st.sampled_from(sorted(WITH_VALUE)), min_size=1))
def test_whatever_follows_is_refused(after: list[str]) -> None:
    assert refusal([LINK, *after])
    assert refusal(["--network", "regtest", LINK, *after])
    assert refusal(["--", LINK, *after])


@given(st.text())
def test_one_link_is_never_an_option(rest: str) -> None:
    """Whatever a web page writes behind bitcoin: is one argument, and stays one."""
    link = f"bitcoin:{rest}"
    for arguments in ([link], ["--", link], ["--network", "regtest", link]):
        assert refusal(arguments) == ""
        assert not is_command_line(arguments)
        assert not is_offline(arguments)


@pytest.mark.parametrize(
    "arguments", [["--", "--vault"], ["--", "create"], ["--", "-stylesheet"], ["--", ""]]
)
def test_behind_two_dashes_stands_a_link_or_a_file(arguments: list[str]) -> None:
    assert "one bitcoin: link or one .psbt file" in refusal(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--"],
        ["--", LINK],
        ["--", "--strange-name.psbt"],
        ["--network", "signet"],
        # Commands take links and options in any order, and their words are theirs.
        ["send", LINK, "--fee-rate", "3"],
        ["--network", "regtest", "send", LINK, "--json"],
        ["psbt", "sign", "pay.psbt", "--offline"],
        ["message", "sign", "bcrt1q", "--", "--text"],
    ],
)
def test_what_is_meant_is_not_refused(arguments: list[str]) -> None:
    assert refusal(arguments) == ""


@pytest.mark.parametrize("mode", ["--vault", "--draw-sheet"])
def test_a_mode_of_another_process_counts_in_the_first_place_only(
    capsys: pytest.CaptureFixture[str], mode: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--network", "regtest", mode])
    assert ended.value.code == 2
    assert f"unrecognized arguments: {mode}" in capsys.readouterr().err
