from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.features import Paper
from eacf.flow import Sample
from eacf_trainer.experiments import controls
from eacf_trainer.experiments.controls import CONTROLS, LABELS, ORIGINAL
from eacf_trainer.experiments.data import Flows

from .conftest import made

SIZE = 128


@pytest.mark.parametrize("name", CONTROLS)
@given(lengths=st.lists(st.integers(0, 200), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_lengths_chunks_and_padding_stay(name: str, lengths: list[int], seed: int) -> None:
    samples = [
        made(bytes([7 + number]) * length, [length // 2, length - length // 2]) for number, length in enumerate(lengths)
    ]
    changed = controls.apply(name, samples, seed)
    assert [len(sample.payload) for sample in changed] == lengths
    if name == "sizes":
        samples = [replace(sample, chunks=[replace(chunk, gap_ns=0) for chunk in sample.chunks]) for sample in samples]
    assert [sample.chunks for sample in changed] == [sample.chunks for sample in samples]
    before, after = Paper(SIZE).encode(samples), Paper(SIZE).encode(changed)
    payload = _payload_places(samples)
    assert (before[~payload] == after[~payload]).all()  # gaps and padding


def _payload_places(samples: list[Sample]) -> np.ndarray:
    """(n, SIZE) where a row holds payload."""
    marked = [made(b"\xff" * len(sample.payload), [chunk.length for chunk in sample.chunks]) for sample in samples]
    return Paper(SIZE).encode(marked) == 0xFF


def test_random_bytes_are_new_for_each_seed_and_the_same_for_one(flows: Flows) -> None:
    one, same, other = (controls.apply("random", flows.samples, seed) for seed in (1, 1, 2))
    assert [each.payload for each in one] == [each.payload for each in same]
    assert [each.payload for each in one] != [each.payload for each in other]
    assert [each.payload for each in one] != [each.payload for each in flows.samples]


def test_shuffled_ciphertext_is_others_and_each_begins_one_flow(flows: Flows) -> None:
    changed = controls.apply("shuffled", flows.samples, 1)
    begin = {sample.payload[:30]: row for row, sample in enumerate(flows.samples)}
    donors = [begin[sample.payload[:30]] for sample in changed]
    assert all(donor != row for row, donor in enumerate(donors))
    assert Counter(donors) == dict.fromkeys(range(len(donors)), 1)


def test_constant_leaves_one_value(flows: Flows) -> None:
    assert {byte for sample in controls.apply("constant", flows.samples, 1) for byte in sample.payload} == {
        controls.CONSTANT
    }


@pytest.mark.parametrize("name", [ORIGINAL, LABELS])
def test_the_original_stays(name: str, flows: Flows) -> None:
    assert controls.apply(name, flows.samples, 1) == flows.samples


def test_nonces_stay_where_they_are_and_the_rest_is_random() -> None:
    cipher = np.random.default_rng(0).bytes(40)
    payload = bytes(7) + b"\x01" + cipher + bytes(6) + b"\x01\x05" + cipher
    (changed,) = controls.apply("nonces", [made(payload, [len(payload)])], 1)
    assert changed.payload[:8] == payload[:8]
    assert changed.payload[48:55] == payload[48:55]
    assert changed.payload[8:48] != cipher
    assert changed.payload[56:] != cipher
