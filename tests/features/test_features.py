from __future__ import annotations

import contextlib
import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.errors import BundleError
from eacf.features import Features, GapsOnly, Paper, PayloadOnly, Shape, from_spec

ALL = [Paper(50), PayloadOnly(60), GapsOnly(7, 400), Shape([[0, 5], [-3]], [[1]], [[2, 9]], bins=8, window_bytes=99)]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("features", ALL, ids=lambda features: features.name)
def test_a_spec_makes_the_same_features(features: Features) -> None:
    again = from_spec(json.loads(json.dumps(features.spec())))
    assert type(again) is type(features)
    assert again.spec() == features.spec()
    assert (again.shape, again.needs) == (features.shape, features.needs)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": "papyrus"}, "features.name: 'papyrus'; this eacf knows gaps, lengths, paper, payload, shape"),
        ({"name": 5}, "features.name: not a text"),
        ({"version": 2}, "features.version: this eacf makes version 1 of 'paper'"),
        ({"version": True}, "features.version"),
        ({"parameters": []}, "features.parameters: must be an object"),
        ({"parameters": {}}, "features.parameters: parameter 'len_bytes' is missing"),
        ({"parameters": {"len_bytes": 10, "colour": 1}}, "parameter 'colour' is unknown; allowed: len_bytes"),
        ({"parameters": {"len_bytes": 1 << 40}}, "allowed: a whole number from 1 to 65536"),
        ({"surplus": 1}, "must be an object of name, version and parameters"),
    ],
)
def test_a_bad_spec_is_refused_by_field(change: dict, problem: str) -> None:
    with pytest.raises(BundleError, match=problem):
        from_spec(Paper(50).spec() | change)


@given(st.sampled_from(ALL), st.data())
def test_mutated_specs_raise_nothing_else(features: Features, data: st.DataObject) -> None:
    spec: dict = copy.deepcopy(features.spec())
    place = data.draw(st.sampled_from([spec, spec["parameters"]]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(ANYTHING)
    with contextlib.suppress(BundleError):
        assert from_spec(spec).shape[0] <= 65536


@given(ANYTHING)
def test_anything_else_is_refused(spec: object) -> None:
    with pytest.raises(BundleError):
        from_spec(spec)
