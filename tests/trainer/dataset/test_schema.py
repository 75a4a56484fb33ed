from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf_trainer.dataset import SCHEMA
from eacf_trainer.dataset.schema import (
    address_of,
    address_text,
    connection_number,
    escaped,
    same_columns,
    unescaped,
)


@given(st.binary(max_size=40))
def test_a_server_name_comes_back_whatever_its_bytes(raw: bytes) -> None:
    name = raw.decode("utf-8", "surrogateescape")
    text = escaped(name)
    text.encode("utf-8")
    assert unescaped(text) == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("www.example.org", "www.example.org"),
        ("bücher.example", "bücher.example"),
        ("caf\udcc3", "caf\\xc3"),
        ("a\\xc3", "a\\\\xc3"),
        ("", ""),
    ],
)
def test_how_a_server_name_is_written(name: str, text: str) -> None:
    assert (escaped(name), unescaped(text)) == (text, name)


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6), st.ip_addresses(v=4, network="0.0.0.0/8")))
def test_an_address_comes_back(address: IPv4Address | IPv6Address) -> None:
    assert address_of(address_text(address)) == address


def test_a_mapped_address_stays_one_of_ipv6() -> None:
    mapped = IPv6Address("::ffff:192.0.2.1")
    assert address_text(mapped) == "::ffff:192.0.2.1"
    assert address_of(address_text(mapped)) == mapped
    assert address_of("192.0.2.1") == IPv4Address("192.0.2.1")


def test_the_number_of_a_connection_is_fixed_for_good() -> None:
    """Another number would make other datasets of the same captures."""
    ends = ("192.0.2.1", 40_000, "198.51.100.7", 443)
    number = connection_number("a/x.pcap", *ends, 1_700_000_000_000_000_000)
    assert number == NUMBER
    assert number != connection_number("a/y.pcap", *ends, 1_700_000_000_000_000_000)
    assert number != connection_number("a/x.pcap", *ends, 1_700_000_000_000_000_001)


NUMBER = -6241698976989582735


def test_a_file_is_ours_by_version_and_columns() -> None:
    assert same_columns(SCHEMA)
    assert not same_columns(SCHEMA.remove_metadata())
    assert not same_columns(SCHEMA.with_metadata({b"eacf_dataset": b"2"}))
    assert not same_columns(SCHEMA.remove(0))
    assert not same_columns(SCHEMA.set(2, pa.field("capture", pa.int64())))
