from __future__ import annotations

import io
import itertools
import struct
import tracemalloc
import warnings
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.bundle.archive import LOCAL, MANIFEST, MAX_BYTES, MODEL, pack, unpack
from eacf.errors import BundleError

MEMBERS = {MANIFEST: b'{"a":1}', MODEL: b"model" * 50}


def zipped(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members:
            warnings.simplefilter("ignore", UserWarning)  # zipfile's, of a name twice
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, method)
    return file.getvalue()


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_there_and_back(manifest: bytes, model: bytes) -> None:
    members = {MANIFEST: manifest, MODEL: model}
    assert unpack(pack(members)) == members


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "manifest.json: the file ends before it"),
        (b"x" * 100, "manifest.json: the file is not a bundle"),
        (b"#!" + pack(MEMBERS), "manifest.json: the file is not a bundle"),
        (pack(MEMBERS) + b"\0", "file: holds more than its members"),
        (pack(MEMBERS)[:-1], "file: holds more than its members, or was packed by another tool"),
        (pack(MEMBERS)[:100], "model.tflite: the file ends within it"),
        (pack(MEMBERS)[:45], "manifest.json: the file ends within it"),
        (zipped([(MODEL, b"m"), (MANIFEST, b"{}")]), "manifest.json: another member stands where it must be"),
        (zipped([(MANIFEST, b"{}")] * 2), "model.tflite: another member stands"),
        (zipped([("../" + MANIFEST, b"{}")]), "manifest.json: another member stands"),
        (zipped([(MANIFEST, b"{}")]), "model.tflite: is not where it must be"),
        (zipped([*MEMBERS.items(), ("more", b"")]), "file: holds more than its members"),
        (zipped(list(MEMBERS.items()), zipfile.ZIP_DEFLATED), "manifest.json: is compressed or encrypted"),
        (b"\0" * (MAX_BYTES + 1), "file: has more than the"),
    ],
    ids=itertools.count(),
)
def test_anything_else_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(BundleError) as caught:
        unpack(data)
    assert str(caught.value).startswith(problem)


def test_a_bomb_is_not_inflated() -> None:
    bomb = zipped([(MANIFEST, b" " * (200 << 20)), (MODEL, b"")], zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    with pytest.raises(BundleError, match="is compressed"):
        unpack(bomb)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_damage_is_told_by_member() -> None:
    data = bytearray(pack(MEMBERS))
    data[LOCAL.size + len(MANIFEST)] ^= 1
    with pytest.raises(BundleError, match=r"manifest.json: is damaged \(its CRC-32"):
        unpack(bytes(data))


@pytest.mark.parametrize("size", [(1 << 20) + 1, 0xFFFFFFFF])
def test_a_size_beyond_the_limit_is_refused_unread(size: int) -> None:
    data = bytearray(pack(MEMBERS))
    struct.pack_into("<II", data, 18, size, size)
    with pytest.raises(BundleError, match=f"manifest.json: has {size} bytes, at most 1048576 are allowed"):
        unpack(bytes(data))
