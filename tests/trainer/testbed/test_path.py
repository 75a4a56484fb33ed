"""The simulated path: order, loss, windows."""

from __future__ import annotations

import random
from dataclasses import replace

from eacf_trainer.testbed import path

PLAIN = path.Path(rtt_s=0.1, near_share=0.1, jitter_s=0.0, bytes_per_s=1e8, mss=1000, loss=0.0, reorder=0.0)


def sent(conditions: path.Path, size: int, seed: int = 1) -> tuple[list[path.Segment], float]:
    stream = path.Stream(conditions, random.Random(seed))
    ready = stream.open(100.0)
    stream.segments.clear()
    done = stream.send(True, random.Random(2).randbytes(size), ready)
    return sorted((each for each in stream.segments if each.payload), key=lambda each: each.time_s), done - ready


def test_segments_are_contiguous_and_at_most_one_mss() -> None:
    segments, _ = sent(PLAIN, 4_500)
    assert [len(each.payload) for each in segments] == [1000, 1000, 1000, 1000, 500]
    assert [each.sequence for each in segments] == [1, 1001, 2001, 3001, 4001]


def test_a_window_costs_a_round_trip() -> None:
    _, short = sent(PLAIN, 10_000)
    _, longer = sent(PLAIN, 11_000)
    assert longer - short > 0.9 * PLAIN.rtt_s / 2


def test_loss_shows_as_retransmission_or_as_late_data() -> None:
    segments, _ = sent(replace(PLAIN, loss=0.2), 60_000)
    sequences = [each.sequence for each in segments]
    assert len(sequences) > len(set(sequences))  # lost behind the tap: seen twice
    assert sequences != sorted(sequences)  # lost before it: seen late
    assert b"".join(dict(sorted((each.sequence, each.payload) for each in segments)).values()) == random.Random(
        2
    ).randbytes(60_000)


def test_reordering_changes_the_order() -> None:
    segments, _ = sent(replace(PLAIN, reorder=0.3, bytes_per_s=1e6), 60_000)
    sequences = [each.sequence for each in segments]
    assert sequences != sorted(sequences)
    assert len(sequences) == len(set(sequences))


def test_nothing_is_acknowledged_before_the_tap_has_seen_it() -> None:
    for seed in range(20):
        stream = path.Stream(path.draw("lossy", random.Random(seed)), random.Random(seed))
        stream.close(stream.send(False, bytes(50_000), stream.send(True, bytes(3_000), stream.open(0.0))))
        seen: dict[bool, set[int]] = {True: set(), False: set()}
        for each in sorted(stream.segments, key=lambda each: each.time_s):
            seen[each.is_orig].update(range(each.sequence, each.sequence + len(each.payload)))
            assert set(range(1, min(each.acknowledged, 50_001 if each.is_orig else 3_001))) <= seen[not each.is_orig]
