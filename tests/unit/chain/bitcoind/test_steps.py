import string

from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.bitcoind.problems import Code, Fix, NodeProblem, node_refused
from wallet_gui.chain.bitcoind.report import Particulars
from wallet_gui.chain.bitcoind.rungs import Choice, Rung
from wallet_gui.chain.bitcoind.steps import STEPS, Report, Status, StepResult, first_failure

HEX = string.digits + "abcdef"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

text = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20)
host = st.text(string.ascii_lowercase, min_size=6, max_size=12).map(lambda name: f"q{name}.local")
user = st.text(string.ascii_lowercase, min_size=6, max_size=12).map(lambda name: f"z{name}")
cookie = st.text(HEX, min_size=64, max_size=64)
xpub = st.text(BASE58, min_size=107, max_size=107).map(lambda key: f"xpub{key}")
fingerprint = st.text(string.ascii_letters + string.digits, min_size=43, max_size=43)
address = st.text("qpzry9x8gf2tvdw0s3jn54khce6mua7l", min_size=39, max_size=39).map(
    lambda data: f"bc1{data}"
)
ip = st.tuples(*[st.integers(128, 255)] * 4).map(lambda four: ".".join(map(str, four)))


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_secrets_planted_anywhere_never_come_out_of_the_report(data: st.DataObject) -> None:
    own_host, own_user = data.draw(host), data.draw(user)
    secrets = [
        own_host,
        own_user,
        data.draw(cookie),
        data.draw(xpub),
        f"SHA256:{data.draw(fingerprint)}",
        data.draw(address),
        data.draw(ip),
    ]

    def planted() -> str:
        """Any text with any of them in it."""
        parts = [data.draw(text), data.draw(st.sampled_from(secrets)), data.draw(text)]
        return "".join(parts)

    results = []
    for step in STEPS:
        problem = None
        if data.draw(st.booleans()):
            problem = NodeProblem(
                Code.BAD_REPLY,
                planted(),
                planted(),
                fix=Fix(planted(), planted()),
                detail=planted(),
            )
        status = data.draw(st.sampled_from([Status.OK, Status.WARN, Status.FAIL, Status.SKIPPED]))
        if status is Status.FAIL:
            problem = problem or node_refused(own_host, 8332, planted())
        results.append(StepResult(step, status, planted(), 5, problem))
    choice = Choice(Rung.SCAN, needs_public_blocks=False, sentence=planted())
    private = Particulars(hosts=frozenset({own_host}), users=frozenset({own_user}))
    report = Report(tuple(results), choice, "regtest", private)
    shared = report.redacted_text()
    assert [secret for secret in secrets if secret in shared] == []
    kept = report.redacted_text(keep_host=True)
    assert [secret for secret in secrets[2:] if secret in kept] == []
    assert "private" not in repr(report)
    # What makes it worth sharing is still in it.
    for step in STEPS:
        assert step.name in shared
    assert "5 ms" in shared or all(result.status is Status.SKIPPED for result in results)


def test_the_sentence_of_a_report() -> None:
    choice = Choice(Rung.ACTIVITY, needs_public_blocks=False, sentence="Very quickly.")
    fine = tuple(StepResult(step, Status.OK) for step in STEPS)
    assert Report(fine, choice, "regtest").sentence == (
        "Ready \u2013 fast & private mode. Very quickly."
    )
    nothing_told = Choice(
        Rung.P2P, needs_public_blocks=False, sentence="Here.", tells_scripts=False
    )
    assert "most private" in Report(fine, nothing_told, "regtest").sentence
    problem = node_refused("127.0.0.1", 8332)
    broken = (*fine[:5], StepResult(STEPS[5], Status.FAIL, "", 1, problem))
    report = Report(broken, None, "regtest")
    assert report.sentence == str(problem)
    assert not report.is_ready
    assert first_failure(broken) == broken[5]
    assert not Report(fine, None, "regtest").is_ready
