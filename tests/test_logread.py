"""eacf.log read back: what our writer makes of a line (the tests of `logs` hold that against Zeek's), and what is none."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eacf import logread
from eacf.errors import CaptureError
from eacf.logs import JsonLog, json_line
from eacf.verdict import Info

INFO = Info(
    ts_ns=int(1_425_568_657.003141 * 1e9),
    uid="CHhAvVGS1DHFjwGM9",
    orig_h=IPv4Address("192.168.6.64"),
    orig_p=50541,
    resp_h=IPv6Address("2001:db8::1"),
    resp_p=443,
    server_name="www.example.com",
    label="web",
    confidence=0.97265625,
    reason=None,
    model="0123456789ab",
    worker="ba9876543210",
    sni_label=None,
    latency_ns=1_250_000,
    payload_bytes=3000,
    chunks=4,
    records=18,
)
BARE = replace(
    INFO, server_name=None, label=None, confidence=None, reason="timeout", model=None, worker=None, latency_ns=None
)


def test_a_log_that_was_written_comes_back() -> None:
    out = io.BytesIO()
    with JsonLog(out) as log:
        log.write(INFO)
        log.write(BARE)
    assert list(logread.read(io.BytesIO(out.getvalue()), "eacf.log")) == [INFO, BARE]


@given(
    # What is on the wire: any bytes. A backslash is left out, since it reads like the start of an escaped byte.
    st.binary(max_size=20).filter(lambda data: b"\\" not in data),
    st.floats(0, 1),
    st.integers(0, 4_000_000_000_000_000).map(lambda microseconds: int(microseconds / 1e6 * 1e9)),
    st.ip_addresses(),
)
@example("ä".encode() + b"\xff", 0.5, 0, ip_address("::"))
@example(b"\x00\x1b\t\n\x7f\x80", 1e-7, 1, ip_address("::ffff:192.0.2.1"))
def test_any_line_comes_back(name: bytes, confidence: float, time_ns: int, host: IPv4Address | IPv6Address) -> None:
    if isinstance(host, IPv6Address) and host.ipv4_mapped is not None:
        host = host.ipv4_mapped  # an address that Zeek shows as IPv4 is one
    text = name.decode("utf-8", "surrogateescape")
    info = replace(INFO, server_name=text, confidence=confidence, ts_ns=time_ns, orig_h=host)
    back = logread.info_of(json_line(info).encode())
    assert abs(back.ts_ns - time_ns) <= 1
    assert replace(back, ts_ns=time_ns) == info


def test_a_backslash_of_its_own_stays() -> None:
    for name in (r"a\b", r"\x41", r"\xzz", "\\"):
        assert logread.info_of(json_line(replace(INFO, server_name=name)).encode()).server_name == name


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("ts", "now"),
        ("ts", None),
        ("ts", 1e400),
        ("uid", 3),
        ("id.orig_h", "nowhere"),
        ("id.orig_p", -1),
        ("id.orig_p", True),
        ("confidence", "high"),
        ("reason", "tired"),
        ("payload_bytes", 1.5),
        ("server_name", ["a"]),
    ],
)
def test_a_line_that_is_none_is_named(member: str, value: object) -> None:
    good = json_line(INFO)
    bad = json.dumps({**json.loads(good), member: value})
    with pytest.raises(CaptureError, match=r"/var/eacf\.log: line 2 is not one of eacf\.log"):
        list(logread.read([good.encode(), bad.encode()], "/var/eacf.log"))


@pytest.mark.parametrize("line", [b"", b"#fields\tts", b"[1]", b"{}", b'{"ts":1', b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_none(line: bytes) -> None:
    with pytest.raises(CaptureError, match="line 1"):
        list(logread.read([line], "eacf.log"))
