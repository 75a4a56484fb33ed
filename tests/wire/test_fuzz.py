"""100,000 changed bodies, the same every time; tests/wire/fuzz.py runs with other seeds and counts by hand."""

from __future__ import annotations

from types import ModuleType

import pytest

from eacf.wire import codec


def test_a_hundred_thousand_changed_bodies(fuzz: ModuleType) -> None:
    outcomes, _ = fuzz.run(fuzz.seeds(), 1, 100_000)
    assert outcomes.total() == 100_000
    # The changes reach every kind of refusal and leave some bodies of every kind whole.
    refused = {"truncated", "trailing", "tag", "value", "limit", "type", "fields", "text", "envelope", "event"}
    taken = {"Flows", "Who", "Hello", "Verdicts", "TapWho", "TapReady", "StatusRequest", "StatusReply", "Alarm"}
    taken |= {"ModelOffer", "ModelWant", "ModelChunk", "ModelDone", "ModelOrder", "ModelOrdered"}
    assert outcomes.keys() == refused | taken | {"arguments"}
    assert min(outcomes.values()) > 25, outcomes


def test_changed_recordings(fuzz: ModuleType, recorded: list[bytes]) -> None:
    outcomes, _ = fuzz.run(recorded[::30], 2, 5_000)
    assert outcomes["Flows"] > 300


def test_the_fuzzer_finds_a_fast_way_that_takes_too_much(fuzz: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only that the fuzzer itself can fail: the reader of the fast way forgets that bodies end."""
    seen = codec.flows.read_flows

    def careless(body: bytes) -> object:
        return seen(body) or seen(body[:-1])

    monkeypatch.setattr(fuzz, "read_flows", careless)
    with pytest.raises(AssertionError):
        fuzz.run(fuzz.seeds(), 1, 5_000)
