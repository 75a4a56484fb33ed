from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eacf import bundle
from eacf.errors import BundleError
from eacf.flow import Needs

Manifest = dict[str, Any]
SHARED_FIXTURES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_written_and_read_again(tmp_path: Path, manifest: Manifest, model: bytes) -> None:
    path = tmp_path / "tiny.eacf"
    written = bundle.write(path, manifest, model)
    read = bundle.load(path)
    assert read.manifest.document == written.manifest.document
    assert (read.model, read.id, read.name, read.version) == (model, written.id, "tiny", "1.0")
    assert read.labels == ("web", "mail")
    assert read.needs == read.features.needs == Needs(0, 3000, 2, False)
    assert read.sni_label("Www.Example.com.") == "web"
    assert read.sni_label(None) is None
    assert (read.manifest.temperature, read.manifest.thresholds) == (1.5, (0.5, 0.75))
    assert read.manifest.golden == bundle.Golden((b"\xff" + bytes(14) + b"\xff",), ((1, -2, 3),), 4)
    assert read.manifest.outputs == 3
    assert [each.name for each in tmp_path.iterdir()] == ["tiny.eacf"]


def test_the_same_content_gives_the_same_bytes(tmp_path: Path, manifest: Manifest, model: bytes) -> None:
    bundle.write(tmp_path / "a", manifest, model)
    backwards = dict(reversed(list(manifest.items()))) | {"id": "000000000000", "members": {}, "format": 9}
    bundle.write(tmp_path / "b", backwards, model)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_any_unzip_reads_it(tmp_path: Path, manifest: Manifest, model: bytes) -> None:
    bundle.write(tmp_path / "a", manifest, model)
    with zipfile.ZipFile(tmp_path / "a") as file:
        assert file.testzip() is None
        assert [each.filename for each in file.infolist()] == ["manifest.json", "model.tflite"]
        assert {each.compress_type for each in file.infolist()} == {zipfile.ZIP_STORED}
        assert {each.date_time for each in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert file.read("model.tflite") == model


SIGNATURE = {"key": "0" * 16, "serial": 1, "purpose": "serve", "value": "A" * 86 + "=="}

CHANGES: list[Manifest] = [
    {"name": "other"},
    {"version": "1.1"},
    {"created": "2025-01-31T12:00:01Z"},
    {"labels": ["mail", "web"]},
    {"background": False, "golden": {"inputs": ["/wAAAAAAAAAAAAAAAAAA/w=="], "outputs": [[1, 2]], "tolerance": 4}},
    {"label_map": {}},
    {"calibration": {"temperature": 1.6}},
    {"thresholds": {"web": 0.5, "mail": 0.76}},
    {"quantisation": {"input": {"scale": 1 / 255, "zero_point": 1}, "output": {"scale": 0.25, "zero_point": -3}}},
    {"training": {}},
    {"figures": {"accuracy": 0.6}},
    {"libraries": {}},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_every_field_is_in_the_id(tmp_path: Path, manifest: Manifest, model: bytes, change: Manifest) -> None:
    before = bundle.write(tmp_path / "a", manifest, model)
    assert bundle.write(tmp_path / "a", manifest | change, model).id != before.id


def test_the_model_is_in_the_id_and_the_signature_is_not(tmp_path: Path, manifest: Manifest, model: bytes) -> None:
    before = bundle.write(tmp_path / "a", manifest, model)
    assert bundle.write(tmp_path / "a", manifest, model + b"\0").id != before.id
    assert bundle.write(tmp_path / "a", manifest | {"signature": SIGNATURE}, model).id == before.id


def test_what_a_reader_would_refuse_is_not_written(tmp_path: Path, manifest: Manifest, model: bytes) -> None:
    path = tmp_path / "a"
    bundle.write(path, manifest, model)
    before = path.read_bytes()
    bad: list[tuple[Manifest, bytes, str]] = [
        (manifest | {"labels": []}, model, "manifest.labels: a model needs two outputs"),
        (manifest | {"figures": {"accuracy": float("nan")}}, model, "cannot be written as JSON"),
        (manifest | {"figures": {"accuracy": np.float32(0.5)}}, model, "cannot be written as JSON"),
        (manifest | {"goldn": {}}, model, "manifest.goldn: is unknown"),
        (manifest, b"no flatbuffer", "model.tflite: is not a TensorFlow Lite flatbuffer"),
    ]
    for content, data, problem in bad:
        with pytest.raises(BundleError, match=problem):
            bundle.write(path, content, data)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_a_file_in_use_keeps_its_content(tmp_path: Path, manifest: Manifest, model: bytes) -> None:
    path = tmp_path / "a"
    bundle.write(path, manifest, model)
    with path.open("rb") as reader:
        bundle.write(path, manifest | {"version": "2"}, model)
        assert bundle.from_bytes(reader.read(), "old").version == "1.0"
    assert bundle.load(path).version == "2"


def test_written_with_the_permissions_of_any_file(tmp_path: Path, manifest: Manifest, model: bytes) -> None:
    (tmp_path / "plain").write_bytes(b"")
    bundle.write(tmp_path / "a", manifest, model)
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, problem in (
        ("absent", "cannot be read (No such file"),
        ("", "is not a regular file"),
        ("pipe", "is not a regular file"),
    ):
        with pytest.raises(BundleError) as caught:
            bundle.load(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: {problem}")


def test_an_unknown_key_is_for_a_later_eacf(
    tmp_path: Path, manifest: Manifest, model: bytes, forge: Callable[..., bytes]
) -> None:
    document = dict(bundle.write(tmp_path / "a", manifest, model).manifest.document)
    assert bundle.from_bytes(forge(document | {"licence": "none"}, model), "later").name == "tiny"


def test_another_model_than_the_manifest_tells_of(
    tmp_path: Path, manifest: Manifest, model: bytes, forge: Callable[..., bytes]
) -> None:
    document = dict(bundle.write(tmp_path / "a", manifest, model).manifest.document)
    with pytest.raises(BundleError, match=r"^here: model.tflite: is not the one that the manifest tells of"):
        bundle.from_bytes(forge(document, model[:-1] + b"\xff"), "here")
    with pytest.raises(BundleError, match=r"^here: manifest.members: must tell of model.tflite"):
        bundle.from_bytes(forge(document | {"members": {}}, model), "here")


@SHARED_FIXTURES
@given(st.data())
def test_mutated_files_raise_nothing_but_bundle_errors(
    tmp_path: Path, manifest: Manifest, model: bytes, data: st.DataObject
) -> None:
    path = tmp_path / "a"
    if not path.exists():
        bundle.write(path, manifest, model)
    whole = path.read_bytes()
    mutated = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(mutated)))
        cut = data.draw(st.sampled_from([0, 1, 1, 1, 4, 1000]))
        mutated[at : at + cut] = data.draw(st.binary(max_size=4))
    if mutated != whole:
        with pytest.raises(BundleError) as caught:
            bundle.from_bytes(bytes(mutated), "FILE")
        assert str(caught.value).startswith("FILE: ")


def test_every_single_bit_counts(tmp_path: Path, manifest: Manifest, model: bytes) -> None:
    bundle.write(tmp_path / "a", manifest, model)
    whole = (tmp_path / "a").read_bytes()
    for at in range(len(whole)):
        mutated = bytearray(whole)
        mutated[at] ^= 1 << at % 8
        with pytest.raises(BundleError):
            bundle.from_bytes(bytes(mutated), "FILE")


def test_golden_rows(tmp_path: Path, manifest: Manifest, model: bytes) -> None:
    inputs = np.arange(32, dtype=np.uint8).reshape(2, 16)
    rows = bundle.golden(inputs, np.array([[1, 2, 3], [-4, 5, 6]], np.int8), tolerance=2)
    known = bundle.write(tmp_path / "a", manifest | {"golden": rows}, model).manifest.golden
    assert known == bundle.Golden((bytes(range(16)), bytes(range(16, 32))), ((1, 2, 3), (-4, 5, 6)), 2)
    with pytest.raises(ValueError, match="16 at most"):
        bundle.golden(np.zeros((17, 16), np.uint8), np.zeros((17, 3)))
