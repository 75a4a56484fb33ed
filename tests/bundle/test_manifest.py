from __future__ import annotations

import copy
import re
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eacf.bundle import document
from eacf.bundle.manifest import read
from eacf.errors import BundleError
from eacf.features import from_spec

Manifest = dict[str, Any]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.integers(1 << 60, 1 << 70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def whole(manifest: Manifest) -> Manifest:
    """The manifest as it stands in a file, but for its id."""
    needs = asdict(from_spec(manifest["features"]).needs)
    members = {"model.tflite": {"sha256": "0" * 64, "bytes": 5}}
    return manifest | {"format": 1, "needs": needs, "members": members}


def signed(content: Manifest) -> Manifest:
    return content | {"id": document.identity(content)}


def put(content: Manifest, path: str, value: object) -> Manifest:
    changed = copy.deepcopy(content)
    place: Any = changed
    *parents, last = path.split("/")
    for each in parents:
        place = place[int(each) if isinstance(place, list) else each]
    place[int(last) if isinstance(place, list) else last] = value
    return changed


def test_a_whole_one(whole: Manifest) -> None:
    made = read(signed(whole), strict=True)
    assert made.created == "2025-01-31T12:00:00Z"
    assert made.training == {"samples": 10}
    without = {key: value for key, value in whole.items() if key != "golden"}
    assert read(signed(without), strict=True).golden is None


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("format", 3, "manifest.format: is 3, this eacf reads 1 to 2; update eacf"),
        ("format", "1", "manifest.format: must be a whole number"),
        ("name", "Two Words", "manifest.name: 'Two Words' does not fit"),
        ("name", "../etc", "manifest.name: '../etc' does not fit"),
        ("version", "", "manifest.version: must be a printable text of 1 to 40"),
        ("version", "1\n", "manifest.version: must be a printable text"),
        ("created", "2025-02-30T12:00:00Z", "manifest.created: 2025-02-30T12:00:00Z is no time"),
        ("created", "yesterday", "manifest.created: 'yesterday' does not fit"),
        ("labels", "web", "manifest.labels: must be a list"),
        ("labels", ["web", "web"], "manifest.labels: holds a label twice"),
        ("labels/1", " mail", r"manifest.labels\[1\]: must be a printable text"),
        ("labels/1", "\ud800", r"manifest.labels\[1\]: must be a printable text"),
        ("labels", ["web"] * 2000, "manifest.labels: must be a list of at most 1024"),
        ("background", 1, "manifest.background: must be true or false, is 1"),
        ("features/name", "x", "features.name: 'x'; this eacf knows"),
        ("needs/records", 3, "manifest.needs: is not what features 'shape' need"),
        ("needs/surplus", 3, "manifest.needs.surplus: is unknown"),
        ("label_map", {"a.b": 1}, "manifest.label_map.a.b: must be a printable text of 1 to 64 characters, is 1"),
        ("label_map", {"a..b": "web"}, r"manifest.label_map\['a..b'\]: is neither a server name"),
        ("label_map", {"a.b": "web", "A.b.": "web"}, r"manifest.label_map\['A.b.'\]: claims the same names as 'a.b'"),
        ("calibration/temperature", 0, "manifest.calibration.temperature: must be a number from 0.01 to 100, is 0"),
        ("calibration/temperature", True, "manifest.calibration.temperature: must be a number"),
        ("calibration/bias", 0, "manifest.calibration.bias: is unknown; known: temperature"),
        ("thresholds", {"web": 0.5}, "manifest.thresholds.mail: is missing"),
        ("thresholds/mail", 1.01, "manifest.thresholds.mail: must be a number from 0 to 1, is 1.01"),
        ("thresholds/chat", 0.5, "manifest.thresholds.chat: is unknown"),
        ("quantisation/input/scale", 0.0, "manifest.quantisation.input.scale: must be a number"),
        ("quantisation/input/zero_point", -1, "manifest.quantisation.input.zero_point: must be a whole number from 0"),
        ("quantisation/output", None, "manifest.quantisation.output: must be an object, is null"),
        ("training", [], "manifest.training: must be an object, is a list"),
        ("members/model.tflite/sha256", "00", "manifest.members.model.tflite.sha256: '00' does not fit"),
        ("members/model.tflite/bytes", -1, "manifest.members.model.tflite.bytes: must be a whole number"),
        ("golden/inputs/0", "????", r"manifest.golden.inputs\[0\]: is not base64"),
        ("golden/inputs/0", "AAAA", r"manifest.golden.inputs\[0\]: must be 16 bytes"),
        ("golden/inputs/0", 5, r"manifest.golden.inputs\[0\]: must be 16 bytes"),
        ("golden/outputs", [], "manifest.golden: must hold as many outputs as inputs"),
        ("golden/outputs/0", [1, 2], r"manifest.golden.outputs\[0\]: must be a list of 3"),
        ("golden/outputs/0", [1, 2, 300], r"manifest.golden.outputs\[0\]: must be a whole number from -128 to 255"),
        ("golden/tolerance", 100, "manifest.golden.tolerance: must be a whole number from 0 to 64"),
    ],
)
def test_a_bad_value_is_told_by_field_and_remedy(whole: Manifest, path: str, value: object, problem: str) -> None:
    with pytest.raises(BundleError, match=f"^{problem}") as caught:
        read(signed(put(whole, path, value)))
    assert re.search("; .*(build|update)", str(caught.value))


def test_every_field_must_be_there(whole: Manifest) -> None:
    for key in set(whole) - {"golden"}:
        with pytest.raises(BundleError, match=key):
            read(signed({name: value for name, value in whole.items() if name != key}))


def test_the_id_is_checked(whole: Manifest) -> None:
    with pytest.raises(
        BundleError, match=r"manifest.id: is 000000000000, its content has [0-9a-f]{12}: it was changed"
    ):
        read(whole | {"id": "000000000000"})


def test_background_is_an_output_but_no_label(whole: Manifest) -> None:
    assert read(signed(whole)).outputs == 3
    alone = put(put(put(whole, "labels", ["web"]), "thresholds", {"web": 0.5}), "golden/outputs/0", [1, 2])
    assert read(signed(alone)).outputs == 2
    with pytest.raises(BundleError, match="a model needs two outputs"):
        read(signed(put(alone, "background", False)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_manifests_raise_nothing_but_bundle_errors(whole: Manifest, data: st.DataObject) -> None:
    changed: Manifest = copy.deepcopy(whole)
    for _ in range(data.draw(st.integers(1, 2))):
        place: Any = changed
        while True:
            keys = list(range(len(place))) if isinstance(place, list) else sorted(place)
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and data.draw(st.booleans()):
                place = place[key]
                continue
            place[key] = data.draw(ANYTHING)
            break
    try:
        read(signed(changed))
    except BundleError as error:
        assert len(str(error)) < 500  # noqa: PT017 - both ways are fine, this one has a bound


def test_format_2_calibrates_the_confidence(whole: Manifest) -> None:
    known = dict.fromkeys(whole["labels"], 0.125)
    calibration = {"temperature": 1.0, "slope": 1.25, "offset": -0.5, "known": known}
    made = read(signed(whole | {"format": 2, "calibration": calibration}))
    assert (made.slope, made.offset, made.known) == (1.25, -0.5, (0.125,) * len(known))
    plain = read(signed(whole))
    assert (plain.slope, plain.offset, plain.known) == (1.0, 0.0, None)
    with pytest.raises(BundleError, match=r"manifest\.calibration\.slope: is missing"):
        read(signed(whole | {"format": 2}))
    with pytest.raises(BundleError, match=r"manifest\.calibration\.slope: must be a number from 0.01 to 100"):
        read(signed(whole | {"format": 2, "calibration": calibration | {"slope": -1}}))
    with pytest.raises(BundleError, match=r"manifest\.calibration\.offset: is unknown"):
        read(signed(whole | {"calibration": {"temperature": 1.0, "offset": 0.5}}))
    with pytest.raises(BundleError, match=r"manifest\.calibration\.known\.nobody: is unknown"):
        read(signed(whole | {"format": 2, "calibration": calibration | {"known": known | {"nobody": 0.5}}}))
