from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.app.fail_over import LEAST_STAY, FailOver, InUse, NodeNews

READY = NodeNews(is_ready=True)
GONE = NodeNews(problem="No answer from mynode.local in 10 s.")
REFUSED = NodeNews(problem="The identity of the server has changed.", is_final=True)
ASKING = NodeNews(is_asking=True)


def test_the_node_has_twenty_seconds_at_the_start() -> None:
    fail_over = FailOver(100.0)
    assert fail_over.look(119.9, GONE, direct_serves=False) is InUse.NODE
    assert fail_over.look(120.0, GONE, direct_serves=False) is InUse.DIRECT
    assert fail_over.reason == GONE.problem


def test_a_node_that_was_there_has_a_minute() -> None:
    fail_over = FailOver(0.0)
    fail_over.look(5.0, READY, direct_serves=False)
    assert fail_over.look(100.0, GONE, direct_serves=False) is InUse.NODE
    assert fail_over.look(159.0, GONE, direct_serves=False) is InUse.NODE
    assert fail_over.look(160.0, GONE, direct_serves=False) is InUse.DIRECT


def test_a_short_absence_changes_nothing_and_is_forgotten() -> None:
    fail_over = FailOver(0.0)
    for minute in range(0, 600, 60):
        assert fail_over.look(minute + 0.0, READY, direct_serves=False) is InUse.NODE
        assert fail_over.look(minute + 50.0, GONE, direct_serves=False) is InUse.NODE
    fail_over.look(600.0, READY, direct_serves=False)
    assert fail_over.reason == ""


def test_what_waiting_does_not_mend_changes_at_once_and_says_why() -> None:
    fail_over = FailOver(0.0)
    assert fail_over.look(0.5, REFUSED, direct_serves=False) is InUse.DIRECT
    assert fail_over.reason == REFUSED.problem


def test_a_person_who_is_asked_has_two_minutes() -> None:
    fail_over = FailOver(0.0)
    assert fail_over.look(119.0, ASKING, direct_serves=False) is InUse.NODE
    assert fail_over.look(120.0, ASKING, direct_serves=False) is InUse.DIRECT
    assert "answer of yours" in fail_over.reason


def test_peers_that_serve_are_used_for_five_minutes() -> None:
    fail_over = FailOver(0.0)
    fail_over.look(20.0, GONE, direct_serves=False)
    assert fail_over.look(21.0, READY, direct_serves=True) is InUse.DIRECT
    assert fail_over.seconds_until_back(21.0) == LEAST_STAY - 1
    assert fail_over.look(319.9, READY, direct_serves=True) is InUse.DIRECT
    assert fail_over.look(320.0, READY, direct_serves=True) is InUse.NODE
    assert fail_over.seconds_until_back(320.0) is None


def test_peers_that_do_not_serve_hold_nothing_up() -> None:
    fail_over = FailOver(0.0)
    fail_over.look(20.0, GONE, direct_serves=False)
    assert fail_over.look(25.0, READY, direct_serves=False) is InUse.NODE


def test_after_it_came_back_it_has_the_longer_patience() -> None:
    fail_over = FailOver(0.0)
    fail_over.look(20.0, GONE, direct_serves=False)
    fail_over.look(25.0, READY, direct_serves=False)
    assert fail_over.look(84.0, GONE, direct_serves=True) is InUse.NODE
    assert fail_over.look(85.0, GONE, direct_serves=True) is InUse.DIRECT


@given(
    st.lists(
        st.tuples(
            st.floats(0.1, 90.0), st.sampled_from([READY, GONE, REFUSED, ASKING]), st.just(True)
        ),
        max_size=60,
    )
)
@settings(deadline=None)
def test_serving_peers_are_never_left_early_whatever_happens(
    looks: list[tuple[float, NodeNews, bool]],
) -> None:
    now = 0.0
    fail_over = FailOver(now)
    since = 0.0
    before = InUse.NODE
    for step, news, serves in looks:
        now += step
        after = fail_over.look(now, news, direct_serves=serves)
        if before is InUse.DIRECT and after is InUse.NODE:
            assert now - since >= LEAST_STAY
            assert news.is_ready
        if before is InUse.NODE and after is InUse.DIRECT:
            assert fail_over.reason or not news.problem
        if after is not before:
            since = now
        before = after
