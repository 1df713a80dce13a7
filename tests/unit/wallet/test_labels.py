import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.wallet.changes import ViewChange
from wallet_gui.wallet.labels import MAX_LABEL_LENGTH, TYPES, Labels, export_lines, import_lines
from wallet_gui.wallet.lookalike import find_lookalike

TXID = "f91d0a8a78462bc59398f2c5d7a84fcff491c26ba54c4833478b202796c8aafd"


def test_lines_of_bip329_are_read() -> None:
    # The records that BIP329 gives as examples, shortened.
    lines = [
        json.dumps({"type": "tx", "ref": TXID, "label": "Transaction", "origin": "wpkh([d34d])"}),
        json.dumps({"type": "addr", "ref": "bc1q34aq5drpuwy3wgl9lhup9892qp6svr8ldzyy7c"}),
        json.dumps({"type": "pubkey", "ref": "0283409659355b6d", "label": "Public Key"}),
        json.dumps({"type": "input", "ref": f"{TXID}:0", "label": "Input"}),
        json.dumps({"type": "output", "ref": f"{TXID}:1", "label": "Output", "spendable": False}),
        json.dumps({"type": "xpub", "ref": "xpub661My", "label": "Extended Public Key"}),
        "",
    ]
    result = import_lines(lines)
    assert result.refused_lines == ()
    assert result.labels["tx", TXID] == "Transaction"
    assert result.spendable == {f"{TXID}:1": False}
    assert len(result.labels) == 5


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "1",
        '{"type":"tx"}',
        '{"type":"peer","ref":"x"}',
        '{"type":"tx","ref":""}',
        '{"type":"tx","ref":5}',
        '{"type":"tx","ref":"a\\u202eb"}',
        '{"type":"tx","ref":"a","label":7}',
        '{"type":["tx"],"ref":"a"}',
        '{"type":"tx","ref":"' + "a" * 300 + '"}',
        "[" * 5_000,
        '{"type":"tx","ref":"a","label":"' + "x" * 20_000 + '"}',
    ],
)
def test_unreadable_lines_are_told_by_number(line: str) -> None:
    good = '{"type":"tx","ref":"a","label":"b"}'
    result = import_lines([good, line, good])
    assert result.refused_lines == (2,)
    assert result.labels == {("tx", "a"): "b"}


@settings(deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(TYPES), st.text("abc:0", min_size=1, max_size=9)), st.text()
    )
)
def test_labels_survive_export_and_import(texts: dict[tuple[str, str], str]) -> None:
    labels = Labels(ViewChange(), {})
    for (kind, ref), text in texts.items():
        labels.set(kind, ref, text)
    assert import_lines(export_lines(labels.items())).labels == labels.items()


@settings(deadline=None)
@given(st.lists(st.text()))
def test_any_lines_are_read_or_refused(lines: list[str]) -> None:
    result = import_lines(lines)
    assert len(result.refused_lines) <= len(lines)


def test_labels_are_staged_only_when_they_change() -> None:
    staged = ViewChange()
    labels = Labels(staged, {("tx", "a"): "old"})
    assert not labels.set("tx", "a", "old")
    assert staged.is_empty
    assert labels.set("tx", "a", "n\u200bew\n" + "x" * 999)
    assert len(labels.get("tx", "a")) == MAX_LABEL_LENGTH
    assert labels.set("tx", "a", "")
    assert (labels.get("tx", "a"), staged.labels) == ("", {("tx", "a"): ""})
    with pytest.raises(ValueError, match="no labels of type"):
        labels.set("peer", "a", "x")


def test_exported_transactions_name_their_origin() -> None:
    coin, tx = export_lines({("tx", "a"): "x"}, frozen=["b:1"], origin="wpkh([f])")
    assert json.loads(tx) == {"type": "tx", "ref": "a", "label": "x", "origin": "wpkh([f])"}
    assert json.loads(coin) == {"type": "output", "ref": "b:1", "spendable": False}


def test_lookalikes_share_both_ends_behind_the_fixed_prefix() -> None:
    known = ["bc1qabcdXXXXXXXXwxyz", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"]
    assert find_lookalike("bc1qabcdYYYYYYYYYYwxyz", known) == known[0]
    assert find_lookalike("BC1QABCDYYYYWXYZ", known) == known[0]
    assert find_lookalike("bc1pabcdYYYYYYYYYYwxyz", known) is None
    assert find_lookalike("bc1qabceYYYYYYYYYYwxyz", known) is None
    assert find_lookalike("1BoaxxxxxxxxxxxxxxtpyT", known) == known[1]
    assert find_lookalike(known[1], known) is None
    assert find_lookalike("1boaxxxxxxxxxxxxxxtpyT", known) is None
