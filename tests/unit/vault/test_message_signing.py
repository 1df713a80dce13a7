from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.vault.samples import PASSWORD, make_wallet
from tests.unit.vault.test_headless import ALL_STDIN, ask
from wallet_gui.primitives.params import REGTEST
from wallet_gui.transfer.message_json import from_json, to_json
from wallet_gui.transfer.messages import (
    MAX_MESSAGE,
    REPLIES,
    REQUESTS,
    Cancelled,
    MessageSigned,
    Reply,
    Request,
    SignMessage,
)
from wallet_gui.vault import message_signing
from wallet_gui.vault.errors import BadRequest, PassphraseWrong, ReviewDiffers
from wallet_gui.wallet.messages import MessageVerdict, verify
from wallet_gui.wallet.wallet import Wallet

TEXT = "I agree.\nAnna"


def request_for(path: Path, wallet: Wallet, number: int = 0, **changes: object) -> SignMessage:
    return replace(
        SignMessage(str(path), TEXT, wallet.descriptors[number].address(3), number, 0, 3),
        **changes,  # type: ignore[arg-type]
    )


@pytest.fixture
def request_of_sample(tmp_path: Path) -> SignMessage:
    sample = make_wallet(tmp_path)
    return request_for(sample.path, sample.wallet)


def is_valid(request: SignMessage, reply: Reply) -> bool:
    assert isinstance(reply, MessageSigned)
    check = verify(request.address, request.message, reply.signature, REGTEST)
    return check.verdict is MessageVerdict.VALID


def test_the_terminal_shows_the_message_before_it_asks_for_the_password(
    request_of_sample: SignMessage,
) -> None:
    request = replace(request_of_sample, message=TEXT + "\u202e")
    reply, terminal, _ = ask(request, "yes", PASSWORD)
    assert is_valid(request, reply)
    shown = terminal.written
    assert "[U+202E]" in shown
    assert "\u202e" not in shown
    assert shown.index("I agree.") < shown.index("Type yes") < shown.index("Password")
    assert message_signing.shown_address(request) in shown


def test_whoever_does_not_say_yes_is_not_asked_for_the_password(
    request_of_sample: SignMessage,
) -> None:
    reply, terminal, _ = ask(request_of_sample, "no")
    assert reply == Cancelled()
    assert "Password" not in terminal.written


def test_yes_can_be_said_beforehand(request_of_sample: SignMessage) -> None:
    options = replace(ALL_STDIN, assume_yes=True)
    reply, _, notes = ask(request_of_sample, stdin=f"{PASSWORD}\n", options=options)
    assert is_valid(request_of_sample, reply)
    assert "I agree." in notes


def test_each_kind_of_address_and_format(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path, script_types=("wpkh", "tr", "sh_wpkh", "pkh"))
    options = replace(ALL_STDIN, assume_yes=True)
    for number, forms in enumerate(
        (("", "simple", "legacy", "full"), ("simple", "full"), ("legacy",), ("", "full"))
    ):
        for form in forms:
            request = request_for(sample.path, sample.wallet, number, format=form)
            reply, _, _ = ask(request, stdin=f"{PASSWORD}\n", options=options)
            assert is_valid(request, reply)


def test_an_address_that_the_keys_do_not_give_is_refused(request_of_sample: SignMessage) -> None:
    other = replace(request_of_sample, index=4)
    with pytest.raises(ReviewDiffers, match="another address"):
        ask(other, "yes", PASSWORD)


@pytest.mark.parametrize(
    "changes", [{"message": ""}, {"message": "x" * (MAX_MESSAGE + 1)}, {"format": "bip999"}]
)
def test_what_cannot_be_signed_is_refused_before_the_password(
    request_of_sample: SignMessage, changes: dict[str, str]
) -> None:
    with pytest.raises(BadRequest):
        ask(replace(request_of_sample, **changes))  # type: ignore[arg-type]


def test_a_wrong_passphrase_signs_nothing(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path, passphrase="right")
    request = request_for(sample.path, sample.wallet)
    with pytest.raises(PassphraseWrong):
        ask(request, "yes", PASSWORD, "wrong")
    reply, _, _ = ask(request, "yes", PASSWORD, "right")
    assert is_valid(request, reply)


def test_the_wallet_file_is_only_read(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    before = sample.path.read_bytes()
    ask(request_for(sample.path, sample.wallet), "yes", PASSWORD)
    assert sample.path.read_bytes() == before


def test_request_and_reply_cross_the_pipe(request_of_sample: SignMessage) -> None:
    messages: tuple[Request | Reply, ...] = (request_of_sample, MessageSigned("smpAA==", "x"))
    for message in messages:
        kinds = REQUESTS if isinstance(message, SignMessage) else REPLIES
        assert from_json(to_json(message), kinds) == message
