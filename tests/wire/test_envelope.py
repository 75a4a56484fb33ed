"""The start of a body, as bytes and as a value. What is refused is in test_contract.py."""

from __future__ import annotations

import pytest

from eacf.wire import broker, envelope


@pytest.mark.parametrize("metadata", [False, True])
def test_a_prefix_is_how_such_a_body_starts(metadata: bool) -> None:
    value = envelope.wrap("EACF::flows", b"topic", ())
    if metadata:
        value = (*value[:2], (*value[2], ()))
    start = envelope.prefix("EACF::flows", 2, metadata=metadata)
    assert broker.encode(value).startswith(start + b"\x05\x05topic")


def test_name_and_arguments() -> None:
    assert envelope.unwrap(envelope.wrap("EACF::x", 1, None)) == ("EACF::x", (1, None))
