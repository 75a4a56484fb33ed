"""Verdict bodies the fast way are the general way's, byte by byte."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.errors import WireError
from eacf.verdict import Verdict
from eacf.wire import broker, contract, decode_message, encode_verdicts
from eacf.wire.messages import MAX_VERDICTS, Verdicts
from eacf.wire.verdicts import write_verdicts

VERDICT = Verdict("CHhAvVGS1DHFjwGM9", "web", 0.75, "0123456789ab", None, "mail")
IDS = st.one_of(st.text("0123456789abcXYZ", min_size=1, max_size=64), st.text("!~:-", min_size=1, max_size=5))
TEXTS = st.one_of(st.none(), st.text(max_size=60), st.just("x" * 255))
VERDICTS = st.builds(Verdict, IDS, TEXTS, st.floats(0, 1), IDS, TEXTS, TEXTS)


@given(IDS, st.lists(VERDICTS, max_size=5))
def test_verdicts_both_ways(worker: str, verdicts: list[Verdict]) -> None:
    body = encode_verdicts(worker, verdicts)
    assert body == broker.encode(contract.verdicts_value(worker, verdicts))
    assert decode_message(body) == Verdicts(worker, verdicts)
    usual = all(text.isalnum() for text in [worker, *[v.uid for v in verdicts], *[v.model for v in verdicts]])
    assert (write_verdicts(worker, verdicts) is not None) == usual


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"uid": ""}, "v[1].uid"),
        ({"uid": "x" * 65}, "v[1].uid"),
        ({"uid": "ä"}, "v[1].uid"),
        ({"label": "x" * 256}, "v[1].label"),
        ({"label": "\ud800"}, "v[1].label"),
        ({"confidence": 1.5}, "v[1].confidence"),
        ({"confidence": -0.1}, "v[1].confidence"),
        ({"confidence": float("nan")}, "v[1].confidence"),
        ({"model": ""}, "v[1].model"),
        ({"model": "x" * 65}, "v[1].model"),
        ({"reason": "\udce9"}, "v[1].reason"),
        ({"sni_label": "ä" * 128}, "v[1].sni_label"),
    ],
)
def test_what_no_reader_takes_is_not_written(change: dict[str, object], where: str) -> None:
    verdicts = [VERDICT, replace(VERDICT, **change)]
    assert write_verdicts("0123456789ab", verdicts) is None
    with pytest.raises(WireError) as caught:
        encode_verdicts("0123456789ab", verdicts)
    assert where in str(caught.value)


def test_limits_of_a_message() -> None:
    body = encode_verdicts("w", [VERDICT] * MAX_VERDICTS)
    assert decode_message(body) == Verdicts("w", [VERDICT] * MAX_VERDICTS)
    assert write_verdicts("w", [VERDICT] * MAX_VERDICTS) == body
    with pytest.raises(WireError, match="257 elements"):
        encode_verdicts("w", [VERDICT] * (MAX_VERDICTS + 1))
    with pytest.raises(WireError, match="worker"):
        encode_verdicts("w w", [VERDICT])
