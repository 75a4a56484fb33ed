from __future__ import annotations

import hashlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.bundle.document import canonical, identity, parse
from eacf.errors import BundleError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_the_canonical_form_is_read_back_and_stays(document: dict) -> None:
    data = canonical(document)
    assert parse(data) == document
    assert canonical(parse(data)) == data


def test_canonical_form_and_id_written_out() -> None:
    document = {"b": [1, 0.5, None], "a": "é", "id": "000000000000", "signature": {"by": "me"}}
    data = b'{"a":"\\u00e9","b":[1,0.5,null]}'
    assert canonical({"b": [1, 0.5, None], "a": "é"}) == data
    assert identity(document) == hashlib.sha256(data).hexdigest()[:12]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff{}", "is not JSON"),
        ("{}".encode("utf-16"), "is not JSON"),
        (b"[]", "must be an object, is a list"),
        (b'{"a":1,"a":2}', "says one of its keys twice"),
        (b'{"a":NaN}', "not finite"),
        (b'{"a":-Infinity}', "not finite"),
        (b'{"a":1e999}', "not finite"),
        (b'{"a":' + b"9" * 5000 + b"}", "is not JSON"),
        (b"[" * 500_000, "is not JSON"),
        (b'{"a":' * 100_000, "is not JSON"),
    ],
)
def test_bad_json(data: bytes, problem: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(BundleError, match=f"^manifest: .*{problem}"):
        parse(data)
    assert time.perf_counter() - begun < 2


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:01eE.-\\ua', max_size=60).map(str.encode))
def test_any_bytes_parse_or_raise_a_bundle_error(data: bytes) -> None:
    try:
        assert isinstance(parse(data), dict)
    except BundleError as error:
        assert str(error).startswith("manifest: ")  # noqa: PT017 - both ways are fine, this one has a form
