"""One bundle that is coming in: what is asked for, of whom and when; and that no stranger's parts get beside it."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eacf.bundle import Signature
from eacf.delivery.incoming import Partial
from eacf.delivery.offers import Offered
from eacf.delivery.transfer import IDLE_S, STALL_S, WINDOW, Transfer
from eacf.wire import MAX_PART, ModelChunk

MODEL, OTHER = "0123456789ab", "ba9876543210"
SIGNATURE = Signature("0123456789abcdef", 1, "serve", "")
SIZE = 2 * WINDOW + 1000
TRUE = bytes(range(256)) * (SIZE // 256 + 1)
"""What the whole file begins with."""


def transfer_in(folder: Path, size: int = SIZE, *askers: str) -> Transfer:
    offered = Offered("0" * 32, MODEL, "a model 1", size, SIGNATURE)
    return Transfer(offered, Partial(folder / "it.part", size), 0.0, dict.fromkeys(askers or ("a",), "0" * 64))


@pytest.fixture
def transfer(tmp_path: Path) -> Transfer:
    return transfer_in(tmp_path, SIZE, "a", "b", "c")


def part(offset: int, size: int, model: str = MODEL) -> ModelChunk:
    return ModelChunk(model, offset, TRUE[offset : offset + size])


def test_what_is_asked_for_never_exceeds_a_window_and_adds_up_to_the_file(transfer: Transfer) -> None:
    wants, at = [transfer.again(0.0)], 0
    while not transfer.whole:
        size = min(MAX_PART, SIZE - at)
        assert transfer.take(part(at, size), 0.0) is None
        at += size
        assert transfer.granted - at <= WINDOW
        if (more := transfer.more(0.0)) is not None:
            wants.append(more)
    assert [offset for offset, _ in wants] == [0, *(offset + room for offset, room in wants[:-1])]
    assert sum(room for _, room in wants) == SIZE
    assert all(room > 0 for _, room in wants)
    assert transfer.more(0.0) is None


def test_more_is_asked_for_at_half_a_window_not_before(transfer: Transfer) -> None:
    assert transfer.again(0.0) == (0, WINDOW)
    transfer.take(part(0, WINDOW // 2 - 1), 0.0)
    assert transfer.more(0.0) is None
    transfer.take(part(WINDOW // 2 - 1, 1), 0.0)
    assert transfer.more(0.0) == (WINDOW, WINDOW // 2)
    assert transfer.more(0.0) is None  # that was asked for just now


def test_what_is_missing_is_asked_for_from_there_on(transfer: Transfer) -> None:
    transfer.again(0.0)
    transfer.take(part(0, 100), 0.0)
    assert transfer.again(1.0) == (100, WINDOW)
    assert transfer.again(2.0) == (100, WINDOW)
    transfer.take(part(100, WINDOW), 2.0)
    assert transfer.again(3.0) == (100 + WINDOW, WINDOW)
    transfer.take(part(100 + WINDOW, WINDOW), 3.0)
    assert transfer.again(4.0) == (100 + 2 * WINDOW, SIZE - 100 - 2 * WINDOW)


def test_the_last_byte_that_was_granted_is_taken_and_none_behind_it(transfer: Transfer) -> None:
    transfer.again(0.0)
    assert transfer.take(part(0, WINDOW + 1), 0.0) == "chunks_unasked"
    assert transfer.partial.have == 0
    assert transfer.take(part(0, WINDOW), 0.0) is None
    assert transfer.take(part(WINDOW, 1), 0.0) == "chunks_unasked"
    assert transfer.partial.path.read_bytes() == TRUE[:WINDOW]


def test_nothing_is_taken_that_was_not_asked_for_or_once_it_is_tried(transfer: Transfer) -> None:
    assert transfer.take(part(0, 1), 0.0) == "chunks_unasked"
    transfer.again(0.0)
    transfer.trying = True
    assert transfer.take(part(0, 1), 0.0) == "chunks_unasked"
    assert transfer.partial.have == 0


def test_only_a_part_of_use_keeps_it_alive(transfer: Transfer) -> None:
    transfer.again(0.0)
    assert transfer.deadline() == STALL_S
    for second in range(1, int(IDLE_S)):
        assert transfer.take(part(MAX_PART, 1), second) == "chunks_out_of_order"
        assert transfer.stalled(second)
        transfer.again(second)
        assert not transfer.stalled(second)
        assert not transfer.idle(second)
        assert transfer.deadline() == min(second + STALL_S, IDLE_S)
    assert transfer.idle(IDLE_S)
    transfer.take(part(0, 1), IDLE_S - 0.5)
    assert not transfer.idle(IDLE_S)
    assert transfer.deadline() == IDLE_S - 0.5 + STALL_S


def test_each_asker_has_its_turn(transfer: Transfer) -> None:
    seen = []
    for _ in range(4):
        seen.append(transfer.source)
        transfer.rotate()
    assert seen == ["a", "b", "c", "a"]
    transfer.prefer("a")
    assert list(transfer.askers) == ["a", "b", "c"]
    transfer.prefer("c")
    assert list(transfer.askers) == ["c", "a", "b"]
    alone = Transfer(transfer.offered, transfer.partial, 0.0, {"a": ""})
    alone.rotate()
    assert alone.source == "a"


def test_a_file_that_is_there_already_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "it.part").write_bytes(TRUE[:5000])
    resumed = transfer_in(tmp_path)
    assert resumed.again(0.0) == (5000, WINDOW)
    assert resumed.take(part(0, 5000), 0.0) == "chunks_out_of_order"
    assert resumed.take(part(5000, 10), 0.0) is None
    assert transfer_in(tmp_path, 5010).whole


near = st.integers(-3, 3)
step = st.one_of(
    st.tuples(st.just("chunk"), near, st.sampled_from([0, 1, 2, 1000, MAX_PART]), st.just(MODEL)),
    st.tuples(st.just("chunk"), st.integers(-SIZE, SIZE), st.integers(0, MAX_PART), st.sampled_from([MODEL, OTHER])),
    st.tuples(st.just("next"), st.just(0), st.integers(1, MAX_PART), st.just(MODEL)),
    st.tuples(st.sampled_from(["more", "again"]), st.just(0), st.just(0), st.just(MODEL)),
)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, SIZE), st.lists(step, max_size=60))
def test_whatever_a_stranger_sends_the_file_is_a_prefix_of_the_true_one(
    size: int, steps: list[tuple[str, int, int, str]]
) -> None:
    """Parts in any order, again, that overlap, that are too long; of the true file, as far as their bytes go.

    Nothing behind what was asked for is written, and each part is either in the file or named by a counter.
    """
    with tempfile.TemporaryDirectory() as folder:
        transfer = transfer_in(Path(folder), size)
        counts: Counter[str] = Counter()
        sent = taken = granted = 0
        for now, (what, by, length, model) in enumerate(steps):
            before = transfer.partial.have
            if what == "more" and (more := transfer.more(now)) is not None:
                granted = max(granted, sum(more))
            elif what == "again":
                granted = max(granted, sum(transfer.again(now)))
            elif what in ("chunk", "next"):
                chunk = part(max(0, before + by), length, model)  # by: how far from where the next one must begin
                sent += 1
                stray = transfer.take(chunk, now)
                counts.update([stray] if stray is not None else [])
                taken += stray is None
                fits = 0 < len(chunk.data) <= transfer.granted - before and chunk.model == MODEL
                assert (stray is None) == (fits and chunk.offset == before)
                assert transfer.partial.have == before + (len(chunk.data) if stray is None else 0)
                assert (transfer.heard == now) or stray is not None
            assert transfer.partial.have <= transfer.granted <= min(size, transfer.partial.have + WINDOW)
            assert transfer.granted <= granted <= size
        assert set(counts) <= {"chunks_unasked", "chunks_out_of_order"}
        assert taken + counts.total() == sent
        written = transfer.partial.path.read_bytes()
        assert written == TRUE[: transfer.partial.have]
        assert transfer.whole == (len(written) == size)
        transfer.partial.close()
