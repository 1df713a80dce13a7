from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.vault.samples import (
    PASSWORD,
    TINY,
    TINY_COST,
    SampleWallet,
    make_wallet,
    read_state,
)
from wallet_gui.keys.errors import PasswordWrong, PolicyRefused
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.sealing import VIEW, new_salt, seal_box
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import KnownIndex
from wallet_gui.vault import signing
from wallet_gui.vault.errors import BadRequest, PassphraseWrong, ReviewDiffers, WatchOnly
from wallet_gui.vault.plain_review import review_text
from wallet_gui.vault.signing import FeeConcern, Keyring, Payment
from wallet_gui.wallet import signed
from wallet_gui.wallet.draft import SpendPlan


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleWallet:
    return make_wallet(tmp_path_factory.mktemp("wallet"))


@pytest.fixture(scope="module")
def keys(sample: SampleWallet) -> Keyring:
    return signing.keyring(signing.open_payload(sample.path, PASSWORD, TINY_COST))


def _payment(sample: SampleWallet, keys: Keyring, plan: SpendPlan) -> Payment:
    request = sample.request(plan)
    return signing.review_payment(request, signing.read_payment(request), keys)


def test_descriptors_come_from_the_seed_in_the_order_of_the_wallet(
    sample: SampleWallet, keys: Keyring
) -> None:
    texts = tuple(descriptor.to_string() for descriptor in keys.descriptors)
    assert texts == sample.wallet.description.descriptors
    assert keys.params is REGTEST
    assert repr(keys) == "<Keyring>"


def test_what_is_signed_is_a_valid_transaction(sample: SampleWallet, keys: Keyring) -> None:
    plan = sample.plan()
    payment = _payment(sample, keys, plan)
    assert payment.fee_concern is FeeConcern.NONE
    assert payment.fee_question == ""
    reply = signing.sign(payment, keys)
    tx = signed.finish(plan.psbt, Psbt.parse(reply.psbt_base64))
    assert tx.txid == plan.psbt.tx.txid


def test_wrong_password_and_watch_only_are_said(sample: SampleWallet) -> None:
    with pytest.raises(PasswordWrong, match="Caps Lock"):
        signing.open_payload(sample.path, "not this one", TINY_COST)


def test_a_watch_only_file_cannot_sign(sample: SampleWallet, tmp_path: Path) -> None:
    state = read_state(sample.path, sample.view_key)
    state = replace(state, description=replace(state.description, has_secrets=False))
    view_box = seal_box(sample.view_key, VIEW, TINY, new_salt(), state.encode(), minimum=TINY)
    path = tmp_path / "watch.wallet"
    WalletFile.create(path, view_box, None, view_key=sample.view_key, minimum=TINY)
    with pytest.raises(WatchOnly, match="only watches"):
        signing.open_payload(path, PASSWORD, TINY_COST)


def test_a_wrong_passphrase_is_noticed(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path, passphrase="quiet harbour")
    payload = signing.open_payload(sample.path, PASSWORD, TINY_COST)
    assert payload.needs_passphrase
    for wrong in ("", "Quiet harbour", "quiet harbour "):
        with pytest.raises(PassphraseWrong, match="another wallet"):
            signing.keyring(payload, wrong)
    right = signing.keyring(payload, "quiet harbour")
    assert right.root.fingerprint.hex() == sample.wallet.description.fingerprint
    plan = sample.plan()
    reply = signing.sign(_payment(sample, right, plan), right)
    assert signed.finish(plan.psbt, Psbt.parse(reply.psbt_base64)).txid == plan.psbt.tx.txid


def test_another_payment_than_the_window_showed_is_refused(
    sample: SampleWallet, keys: Keyring
) -> None:
    honest = sample.request(sample.plan())
    other = sample.request(sample.plan(amount_sat=41_000_000))
    swapped = replace(honest, psbt_base64=other.psbt_base64)
    with pytest.raises(ReviewDiffers, match="another payment"):
        signing.review_payment(swapped, signing.read_payment(swapped), keys)


def test_a_psbt_changed_after_the_review_is_not_signed(sample: SampleWallet, keys: Keyring) -> None:
    payment = _payment(sample, keys, sample.plan())
    other = sample.plan(amount_sat=41_000_000).psbt
    with pytest.raises(PolicyRefused, match="not the transaction that was shown"):
        signing.sign(replace(payment, psbt=other), keys)


def test_claimed_indexes_cannot_turn_a_payment_into_change(
    sample: SampleWallet, keys: Keyring
) -> None:
    plan = sample.plan()
    request = sample.request(plan)
    everything = tuple(KnownIndex(n, chain, 1 << 30) for n in (0, 1) for chain in (0, 1))
    lied = replace(request, known_indexes=everything)
    payment = signing.review_payment(lied, signing.read_payment(lied), keys)
    assert [o.amount_sat for o in payment.review.outgoing] == [40_000_000]
    assert payment.review.digest == request.request_digest


@pytest.mark.parametrize("text", ["", "cHNidP8=", "not base64"])
def test_nonsense_is_refused_with_a_sentence(sample: SampleWallet, text: str) -> None:
    request = replace(sample.request(sample.plan()), psbt_base64=text)
    with pytest.raises(BadRequest, match="no payment"):
        signing.read_payment(request)


def test_unusual_fees_are_confirmed_apart(sample: SampleWallet, keys: Keyring) -> None:
    plan = sample.plan(amount_sat=50_000, fee_rate="10")
    payment = _payment(sample, keys, plan)
    assert payment.fee_concern is FeeConcern.UNUSUAL
    assert "2.82 %" in payment.fee_question
    with pytest.raises(PolicyRefused, match="more than usual"):
        signing.sign(payment, keys)
    reply = signing.sign(payment, keys, fee_confirmed=True)
    assert signed.finish(plan.psbt, Psbt.parse(reply.psbt_base64)).txid == plan.psbt.tx.txid


def test_extreme_fees_are_signed_only_when_confirmed(sample: SampleWallet, keys: Keyring) -> None:
    plan = sample.plan(amount_sat=1_000, fee_rate="100")
    payment = _payment(sample, keys, plan)
    assert payment.fee_concern is FeeConcern.EXTREME
    with pytest.raises(PolicyRefused, match="much more than usual"):
        signing.sign(payment, keys)
    assert signing.sign(payment, keys, fee_confirmed=True).psbt_base64


def test_a_high_rate_alone_is_unusual(sample: SampleWallet, keys: Keyring) -> None:
    payment = _payment(sample, keys, sample.plan(amount_sat=90_000_000, fee_rate="600"))
    assert payment.fee_concern is FeeConcern.UNUSUAL


def test_the_text_of_a_review_says_everything(sample: SampleWallet, keys: Keyring) -> None:
    text = review_text(_payment(sample, keys, sample.plan()), keys.params)
    assert "play money" in text
    assert "0.40000000 BTC" in text
    assert "bcrt 1qqu rswp c8qu rswp c8qu rswp c8qu rswp c8dx m0gk" in text
    assert "0.59999295 BTC" in text
    assert "705 sat, 5 sat/vB, 0.01 % of the amount" in text
    assert "Spends 1 coin of this wallet, 1.00000000 BTC in all" in text
