import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.transfer.ur_vectors import vectors
from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.descriptors.xpub import ExtendedPublicKey
from wallet_gui.primitives.params import MAINNET
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer import cbor, ur, ur_keys
from wallet_gui.transfer.cbor import Tagged

XPUB = (
    "xpub6DiYrfRwNnjeX4vHsWMajJVFKrbEEnu8gAW9vDuQzgTWEsEHE16sGWeXXUV1LBWQE1yCTmeprSNcqZ3W74hqVdgDbt"
    "YHUv3eM4W2TEUhpan"
)


def cbor_of(text: str) -> bytes:
    code = ur.parse(text)
    assert isinstance(code, ur.Whole)
    return code.message


def as_written(descriptor: str) -> str:
    """Hardened steps as we write them."""
    return re.sub(r"(?<=[0-9])'", "h", descriptor)


@pytest.mark.parametrize("vector", vectors()["outputs"])
def test_official_outputs(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    assert cbor.dumps(ur_keys.output_value(vector["descriptor"])) == data
    if "ur" in vector:
        assert cbor_of(vector["ur"]) == data
    if not vector.get("written_only"):
        expected = vector.get("read", vector["descriptor"])
        assert ur_keys.output_text(cbor.loads(data)) == as_written(expected)


def test_output_whose_key_was_renumbered() -> None:
    # Its xpub says child 2147483646 hardened, and the origin of the same vector 0 hardened at a
    # depth that is not the path's: the format has no place for the former.
    vector = vectors()["outputs"][3]
    text = ur_keys.output_text(cbor.loads(bytes.fromhex(vector["hex"])))
    assert text.startswith("pkh([d34db33f/44h/0h/0h]xpub6E")
    assert text.endswith("/1/*)")
    read = Descriptor.parse(text, MAINNET)
    given_descriptor = Descriptor.parse(vector["descriptor"], MAINNET)
    assert read.first_address == given_descriptor.first_address
    assert read.xpub is not None
    assert read.xpub.depth == 4


@pytest.mark.parametrize("vector", vectors()["newer_outputs"])
def test_official_outputs_of_2023(vector: dict[str, str]) -> None:
    text = ur_keys.output_text(cbor.loads(bytes.fromhex(vector["hex"])))
    assert text == as_written(vector["descriptor"])


def test_official_key() -> None:
    vector = vectors()["hdkey"]
    assert cbor_of(vector["ur"]).hex() == vector["hex"]
    assert ur_keys.key_text(cbor.loads(bytes.fromhex(vector["hex"]))) == vector["xpub"]


def test_private_keys_are_refused() -> None:
    with pytest.raises(ParseError, match="vault"):
        ur_keys.key_text(cbor.loads(cbor_of(vectors()["hdkey"]["private_ur"])))
    with pytest.raises(ParseError, match="vault"):
        ur_keys.output_text(cbor.loads(bytes.fromhex(vectors()["newer_output_private"])))
    with pytest.raises(ParseError):
        ur_keys.output_value(
            "wpkh(xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5"
            "kejMRNNU3TGtRBeJgk33yuGBxrMPHi/0/*)"
        )


def test_official_account() -> None:
    vector = vectors()["account"]
    assert cbor_of(vector["ur"]).hex() == vector["hex"]
    lines = ur_keys.account_text(cbor.loads(bytes.fromhex(vector["hex"]))).split("\n")
    starts = [line[: line.index("xpub")] for line in lines]
    assert starts == [
        "pkh([37b5eed4/44h/0h/0h]",
        "sh(wpkh([37b5eed4/49h/0h/0h]",
        "wpkh([37b5eed4/84h/0h/0h]",
        "sh(cosigner([37b5eed4/45h]",
        "sh(wsh(cosigner([37b5eed4/48h/0h/0h/1h]",
        "wsh(cosigner([37b5eed4/48h/0h/0h/2h]",
        "tr([37b5eed4/86h/0h/0h]",
    ]
    # The single-signature ones can be taken as they are.
    parents = [Descriptor.parse(lines[n], MAINNET).xpub.parent_fingerprint for n in (0, 1, 2, 6)]
    assert [parent.hex() for parent in parents] == ["99f9cdf7", "a80f7cdb", "0d5de1d7", "cec7070c"]


def test_account_comes_back() -> None:
    lines = ur_keys.account_text(cbor.loads(bytes.fromhex(vectors()["account"]["hex"])))
    value = ur_keys.account_value(lines)
    assert ur_keys.account_text(value) == lines
    # The steps below an account do not belong into one.
    below = lines.replace(")", "/<0;1>/*)", 1)
    assert ur_keys.account_value(below) == value


def test_account_of_two_master_keys_is_refused() -> None:
    with pytest.raises(ParseError, match="one master key"):
        ur_keys.account_value(f"wpkh([11111111/84h]{XPUB})\ntr([22222222/86h]{XPUB})")
    with pytest.raises(ParseError, match="one master key"):
        ur_keys.account_value(f"wpkh({XPUB})")


@pytest.mark.parametrize(
    "text",
    [
        f"wpkh([dc567276/84h/0h/0h]{XPUB}/<0;1>/*)",
        f"sh(wpkh([dc567276/49h/0h/0h]{XPUB}/0/*))",
        f"tr([dc567276/86h/0h/0h]{XPUB}/7/<4;5>/*)",
        f"wsh(sortedmulti(1,[dc567276/48h/0h/0h/2h]{XPUB}/<0;1>/*,[dc567277/48h/1/0h/2h]{XPUB}))",
        f"sh(wsh(cosigner([dc567276/48h/0h/0h/1h]{XPUB})))",
    ],
)
def test_descriptors_come_back(text: str) -> None:
    value = ur_keys.output_value(text + "#abcdefgh")
    # The child number of this key is 2h, whatever the path says, so that is what comes back.
    read = ur_keys.output_text(cbor.loads(cbor.dumps(value)))
    keys = re.compile(r"xpub[0-9A-Za-z]+")
    assert keys.sub("X", read) == keys.sub("X", text)
    again = ur_keys.output_text(cbor.loads(cbor.dumps(ur_keys.output_value(read))))
    assert again == read
    points = {key.public_key for key in map(ExtendedPublicKey.parse, keys.findall(read))}
    assert points == {ExtendedPublicKey.parse(XPUB).public_key}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "wpkh",
        "wpkh()",
        "wpkh(xpub)",
        "tr(" + XPUB + ",{pk(a),pk(b)})",
        "wsh(or_d(pk(a),pk(b)))",
        f"wsh(multi(x,{XPUB}))",
        "wsh(multi(1))",
        f"wpkh({XPUB}/<0;1;2>/*)",
        f"wpkh({XPUB}/*h)",
        f"wpkh([zz]{XPUB})",
        f"wpkh([dc567276{XPUB})",
        "wpkh(" * 2000,
        f"wsh(multi(1{',' + XPUB * 1}{(',' + XPUB) * 20}))",
        "raw(00)",
    ],
)
def test_what_has_no_form_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        ur_keys.output_value(text)


KEY = vectors()["hdkey"]["hex"]


def changed(**fields: cbor.Value) -> Tagged:
    value = cbor.loads(bytes.fromhex(KEY))
    assert isinstance(value, dict)
    changes = {int(name[1:]): each for name, each in fields.items()}
    return Tagged(303, {**value, **changes})


@pytest.mark.parametrize(
    "value",
    [
        5,
        b"",
        [],
        {},
        Tagged(303, []),
        changed(_3=b"\x02" * 32),
        changed(_3=b"\x05" * 33),
        changed(_3="text"),
        changed(_4=b"\x02" * 31),
        changed(_5=Tagged(305, {1: 60})),
        changed(_5=Tagged(305, {2: 7})),
        changed(_5=Tagged(304, {})),
        changed(_6=Tagged(304, {1: [1]})),
        changed(_6=Tagged(304, {1: [True, True]})),
        changed(_6=Tagged(304, {1: [2**31, True]})),
        changed(_6=Tagged(304, {1: [[], False]})),
        changed(_6=Tagged(304, {1: [0, True] * 300})),
        changed(_6=Tagged(304, {1: [], 3: 256})),
        changed(_6=Tagged(304, {1: [1, True], 3: 0})),
        changed(_6=Tagged(304, {1: [1, True], 2: 2**32})),
        changed(_7=Tagged(304, {1: [[1, 2], False]})),
        changed(_7=Tagged(305, {})),
        changed(_8=-1),
        changed(_8=b"1234"),
    ],
)
def test_broken_keys_are_refused(value: cbor.Value) -> None:
    with pytest.raises(ParseError):
        ur_keys.key_text(value)


@pytest.mark.parametrize(
    "value",
    [
        5,
        Tagged(399, changed()),
        Tagged(404, 5),
        Tagged(406, {}),
        Tagged(406, {1: 3, 2: [changed()]}),
        Tagged(406, {1: 1, 2: [changed()] * 21}),
        Tagged(408, "text"),
        {1: 5},
        {1: "wpkh(@0)"},
        {1: "wpkh(@1)", 2: [changed()]},
        {1: "\u202ewpkh(@0)", 2: [changed()]},
        {1: "@0" * 21, 2: [changed()]},
        {1: "x" * 5001},
        {1: "wpkh(@0)", 2: [changed()] * 21},
    ],
)
def test_broken_outputs_are_refused(value: cbor.Value) -> None:
    with pytest.raises(ParseError):
        ur_keys.output_text(value)


@pytest.mark.parametrize(
    "value", [5, {}, {1: 5}, {1: 5, 2: []}, {1: -5, 2: [changed()]}, {1: 5, 2: [changed()] * 101}]
)
def test_broken_accounts_are_refused(value: cbor.Value) -> None:
    with pytest.raises(ParseError):
        ur_keys.account_text(value)


parts = st.sampled_from([0, 1, 2, True, False, b"\x02" * 33, b"\x00" * 32, "wpkh(@0)", 2**31])
tags = st.sampled_from([303, 304, 305, 306, 308, *range(400, 411), 40303, 40308])
trees = st.recursive(
    parts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(0, 9), inner, max_size=5)
        | st.builds(Tagged, tags, inner)
    ),
    max_leaves=12,
)


@given(trees)
@settings(deadline=None, max_examples=300)
def test_any_value_is_text_or_a_parse_error(value: cbor.Value) -> None:
    for read in (ur_keys.key_text, ur_keys.output_text, ur_keys.account_text):
        try:
            text = read(value)
        except ParseError:
            continue
        assert text.isascii()
