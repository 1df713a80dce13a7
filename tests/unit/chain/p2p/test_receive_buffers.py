"""Buffers are used again, but never while anybody looks into them."""

from wallet_gui.chain.p2p.receive_buffers import CAPACITY, MAX_FREE, ReceiveBuffers


def test_a_buffer_whose_view_is_gone_is_lent_again() -> None:
    buffers = ReceiveBuffers()
    view = buffers.take()
    assert len(view) == CAPACITY
    view[:3] = b"one"
    del view
    assert bytes(buffers.take()[:3]) == b"one"


def test_a_buffer_that_is_lent_is_not_lent_twice() -> None:
    buffers = ReceiveBuffers()
    one, other = buffers.take(), buffers.take()
    one[0], other[0] = 1, 2
    assert (one[0], other[0]) == (1, 2)


def test_a_part_that_somebody_holds_keeps_its_bytes() -> None:
    buffers = ReceiveBuffers()
    view = buffers.take()
    view[10:13] = b"old"
    part = view[10:13]
    del view
    buffers.take()[10:13] = b"new"
    assert bytes(part) == b"old"


def test_no_more_are_kept_than_a_scan_needs() -> None:
    buffers = ReceiveBuffers()
    views = [buffers.take() for _ in range(MAX_FREE + 3)]
    for number, view in enumerate(views):
        view[0] = number + 1
    del view
    views.clear()
    again = [buffers.take() for _ in range(MAX_FREE + 3)]
    assert sum(bool(view[0]) for view in again) == MAX_FREE


def test_clearing_gives_all_back() -> None:
    buffers = ReceiveBuffers()
    view = buffers.take()
    view[0] = 1
    del view
    buffers.clear()
    assert buffers.take()[0] == 0
