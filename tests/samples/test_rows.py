"""A sample goes into a row and comes out of it as it was, through SQLite itself."""

from __future__ import annotations

import sqlite3
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.flow import Chunk, Sample
from eacf.samples.rows import COLUMNS, bytes_of, client_of, name_value, row_of, stored_of
from eacf.samples.schema import MIGRATIONS

NAMES = st.one_of(st.none(), st.binary(max_size=120).map(lambda raw: raw.decode("utf-8", "surrogateescape")))
ADDRESSES = st.one_of(
    st.integers(0, 2**32 - 1).map(IPv4Address),
    st.integers(0, 2**128 - 1).map(IPv6Address),
    st.integers(0, 2**32 - 1).map(lambda number: IPv6Address(0xFFFF << 32 | number)),
)
SAMPLES = st.builds(
    Sample,
    st.text("abcC019", min_size=1, max_size=64),
    st.integers(-(2**63), 2**63 - 1),
    ADDRESSES,
    st.integers(0, 65_535),
    ADDRESSES,
    st.integers(0, 65_535),
    NAMES,
    st.binary(max_size=60),
    st.lists(st.builds(Chunk, st.integers(1, 2**31 - 1), st.booleans(), st.integers(-(2**63), 2**63 - 1)), max_size=9),
    st.lists(st.integers(-65_535, 65_535), max_size=20),
)


def through(sample: Sample) -> tuple[Sample, str]:
    db = sqlite3.connect(":memory:")
    db.executescript(MIGRATIONS[0])
    row = row_of(7, "label", client_of(sample.orig_h), "zeek", 5, sample)
    db.execute(f"INSERT INTO samples ({COLUMNS}) VALUES ({', '.join('?' * 16)})", row)
    stored = stored_of(db.execute(f"SELECT {COLUMNS} FROM samples").fetchone())
    assert (stored.id, stored.label, stored.sensor, stored.arrived_ns) == (7, "label", "zeek", 5)
    assert stored.client == client_of(sample.orig_h)
    db.close()
    return stored.sample, stored.cut


@given(SAMPLES)
def test_there_and_back(sample: Sample) -> None:
    back, cut = through(sample)
    assert back == sample
    assert cut == ("stream" if sample.payload or sample.chunks else "records")


@pytest.mark.parametrize("name", ["\udcff\udc80.example.com", "a\0b.example", "ä.example", "x" * 255, ""])
def test_hostile_names_come_back(name: str) -> None:
    back, _ = through(Sample("C1", 0, IPv4Address(1), 1, IPv4Address(2), 2, name, b"", [], [1]))
    assert back.server_name == name


def test_a_name_that_no_host_has_is_not_kept() -> None:
    for name in ("x" * 256, "x" * 65_535, "\udcff" * 65_535, "ä" * 128):
        sample = Sample("C1", 0, IPv4Address(1), 1, IPv4Address(2), 2, name, b"", [], [1])
        assert name_value(name) is None
        assert through(sample)[0].server_name is None
        assert bytes_of(sample) < 1000


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ],
)
def test_whose_share_it_is(address: str, client: str) -> None:
    assert client_of(ip_address(address)) == client
