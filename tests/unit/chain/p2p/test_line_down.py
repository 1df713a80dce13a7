"""Who is dialled and asked while this computer's own line is down, and right after."""

from tests.unit.chain.p2p.test_connections import World


def test_seeds_that_tell_nothing_are_asked_again_ever_more_rarely() -> None:
    """Who starts the program before the line is up does not wait for an hour."""
    world = World()
    for pause in (60, 120, 240):
        assert world.connections.wants_seeds(world.now)
        world.connections.begin_seeds(world.now)
        world.connections.on_seeds([], world.now)
        world.wait(pause - 1)
        assert not world.connections.wants_seeds(world.now)
        world.wait(1)


def test_a_line_that_is_down_is_tried_again_soon() -> None:
    world = World()
    world.know(range(40))
    (link, *_) = world.plan()
    world.connections.on_failed(link, world.now, was_reached=False, has_no_route=True)
    world.wait(1)
    assert world.plan() == []
    world.wait(10)
    assert world.plan()
