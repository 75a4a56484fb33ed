"""The store's time by plain numbers: what a wall clock does, and when it is believed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eacf.samples.clock import HOLD_NS, SECOND_NS, SLACK_NS, Clock

NOW = 1_700_000_000 * SECOND_NS
YEAR = 365 * 86_400 * SECOND_NS


def test_a_clock_that_goes_right_is_followed() -> None:
    clock = Clock(NOW, 0)
    for second in range(0, 10_000, 7):
        slewed = second * SECOND_NS + second * SECOND_NS // 2000  # a time server that slews, 500 ppm
        assert clock.read(NOW + slewed, second * SECOND_NS) == NOW + slewed
    assert clock.jumps == 0
    assert clock.moved_ns == 0


def test_a_jump_that_goes_back_within_the_hour_changes_nothing() -> None:
    for jump in (YEAR, -YEAR, 10 * YEAR, -NOW):
        clock = Clock(NOW, 0)
        for second in range(3000):
            assert clock.read(NOW + jump + second * SECOND_NS, second * SECOND_NS) == NOW + second * SECOND_NS
        assert clock.doubtful
        assert clock.read(NOW + 3000 * SECOND_NS, 3000 * SECOND_NS) == NOW + 3000 * SECOND_NS
        assert not clock.doubtful
        assert (clock.jumps, clock.moved_ns) == (2, 0)


def test_a_jump_that_stays_is_believed_after_an_hour_and_told() -> None:
    for jump in (YEAR, -YEAR):
        clock = Clock(NOW, 0)
        clock.read(NOW + jump, 0)
        assert clock.read(NOW + jump + HOLD_NS - 1, HOLD_NS - 1) == NOW + HOLD_NS - 1
        assert clock.moved_ns == 0
        assert clock.read(NOW + jump + HOLD_NS, HOLD_NS) == NOW + jump + HOLD_NS
        assert clock.moved_ns == jump


def test_a_clock_that_jumps_about_is_never_believed() -> None:
    clock = Clock(NOW, 0)
    for second in range(0, 20_000, 100):
        wild = (second // 100 % 7 - 3 or 1) * YEAR
        assert clock.read(NOW + wild + second * SECOND_NS, second * SECOND_NS) == NOW + second * SECOND_NS


@given(st.lists(st.tuples(st.integers(1, 600 * SECOND_NS), st.integers(-YEAR, YEAR)), max_size=60))
def test_between_two_readings_it_goes_on_as_the_monotonic_clock_but_for_what_is_told(
    steps: list[tuple[int, int]],
) -> None:
    clock, mono = Clock(NOW, 0), 0
    last = NOW
    for passed, jump in steps:
        mono += passed
        moved = clock.moved_ns
        now = clock.read(NOW + mono + jump, mono)
        assert abs(now - last - passed - (clock.moved_ns - moved)) <= SLACK_NS
        last = now
