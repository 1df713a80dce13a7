"""Scan marks: blocks up to which everything was matched against every watched script.

They thin out with their age. Those above a fallen mark are only set aside: once the scripts that
joined were matched up to them, they hold again.
"""

from collections.abc import Mapping

from wallet_gui.wallet.changes import BlockRef

KEPT_MARKS = 100
"""So many newest scan marks are kept one by one; older ones thin out with their age."""
_HASH = 32  # bytes of a block hash


class ScanMarks:
    """The marks of one wallet. Changes go to `staged`, None for one that left.

    Both hold by height the block's hash, followed by the filter header where that is known.
    """

    def __init__(self, staged: dict[int, bytes | None], stored: Mapping[int, bytes | None]) -> None:
        self._staged = staged
        self._marks = {height: ref for height, ref in stored.items() if ref is not None}
        self._suspended: dict[int, bytes] = {}

    @property
    def newest(self) -> BlockRef | None:
        return max((_ref(*mark) for mark in self._marks.items()), default=None)

    def newest_first(self) -> list[BlockRef]:
        return sorted((_ref(*mark) for mark in self._marks.items()), reverse=True)

    def contradicts(self, ref: BlockRef) -> bool:
        """Tell whether another block of this height is marked."""
        return self._marks.get(ref.height, ref.hash)[:_HASH] != ref.hash

    def set(self, ref: BlockRef) -> None:
        """Everything up to `ref`, and nothing above, was matched."""
        self.suspend(ref.height)
        for height in [height for height in self._suspended if height < ref.height]:
            self._add(height, self._suspended.pop(height))
        self._suspended.pop(ref.height, None)
        mark = ref.hash + ref.filter_header
        if self._marks.get(ref.height) == mark:
            return
        self._add(ref.height, mark)
        heights = sorted(self._marks)
        for older, height, newer in zip(heights, heights[1:], heights[2:], strict=False):
            # Beyond the newest hundred, neighbours may lie apart a tenth of their age.
            age = heights[-1] - height
            if age >= KEPT_MARKS and older in self._marks and newer - older <= age // 10:
                self._drop(height)

    def suspend(self, height: int) -> None:
        """Take the marks above `height` back until `set` comes there again.

        They leave in the same change as the reason, so that no crash can part the two.
        """
        for mark in [mark for mark in self._marks if mark > height]:
            self._suspended[mark] = self._marks[mark]
            self._drop(mark)

    def forget(self, height: int) -> None:
        """Drop the marks above `height`: their blocks left the active chain."""
        for mark in [mark for mark in self._marks if mark > height]:
            self._drop(mark)
        self._suspended = {h: ref for h, ref in self._suspended.items() if h <= height}

    def _add(self, height: int, mark: bytes) -> None:
        self._marks[height] = mark
        self._staged[height] = mark

    def _drop(self, height: int) -> None:
        del self._marks[height]
        self._staged[height] = None


def _ref(height: int, mark: bytes) -> BlockRef:
    return BlockRef(height, mark[:_HASH], mark[_HASH:])
