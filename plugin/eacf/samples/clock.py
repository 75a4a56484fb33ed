"""The store's clock: the machine's, but for jumps, which it follows only once they have lasted.

A sample's age and its quarantine are differences of two times. A clock that is wrong for some minutes (no battery, a bad
time server, a typing error) must not make all samples old at once, nor release one that came a moment ago. So between two
readings the store's time goes on as the monotonic clock does; where the wall clock differs by more than a minute from that,
it has jumped, and is believed after an hour at its new place. Then all that was stored since the start moves with it: the
monotonic clock knows how old that is.

Law: pure; both clocks are arguments, whole nanoseconds.
"""

from __future__ import annotations

from typing import Final

SECOND_NS: Final = 1_000_000_000
SLACK_NS: Final = 60 * SECOND_NS
"""By so much the clocks may differ between two readings: time servers slew, machines sleep a little."""
HOLD_NS: Final = 3600 * SECOND_NS
"""So long a jump must last."""


class Clock:
    """See the module."""

    def __init__(self, wall_ns: int, mono_ns: int) -> None:
        self.jumps = 0
        """How often the wall clock was somewhere else than expected, its returns included."""
        self.moved_ns = 0
        """By how much samples of this process must be moved, since a jump is believed; whoever moves them sets it to 0."""
        self._offset = wall_ns - mono_ns
        self._other: int | None = None  # where the wall clock is instead
        self._since = 0

    @property
    def doubtful(self) -> bool:
        """Whether the wall clock is elsewhere at the moment."""
        return self._other is not None

    def read(self, wall_ns: int, mono_ns: int) -> int:
        """The store's time."""
        offset = wall_ns - mono_ns
        if abs(offset - self._offset) <= SLACK_NS:
            if self._other is not None:
                self.jumps += 1
            self._offset, self._other = offset, None
        elif self._other is None or abs(offset - self._other) > SLACK_NS:
            self.jumps += 1
            self._other, self._since = offset, mono_ns
        elif mono_ns - self._since >= HOLD_NS:
            self.moved_ns += offset - self._offset
            self._offset, self._other = offset, None
        return mono_ns + self._offset
