"""eacf.log against Zeek 8.0.10's own writer: its test baselines, its escaping code, and the way zeek-cut reads."""

from __future__ import annotations

import io
import json
import re
import time
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.logs import FIELDS, JsonLog, TsvLog, json_line, json_string, tsv_line, tsv_string
from eacf.verdict import Info

INFO = Info(
    ts_ns=1_425_568_657_003_141_000,
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


def written(log: type[TsvLog] | type[JsonLog], *infos: Info) -> bytes:
    out = io.BytesIO()
    with log(out) as it:
        for info in infos:
            it.write(info)
    return out.getvalue()


def cut(text: str, *names: str) -> list[list[str]]:
    """What zeek-cut does: learn the separator and the columns from the header, then pick."""
    separator, columns, rows = "\t", [], []
    for line in text.splitlines():
        if line.startswith("#separator "):
            separator = line.split(" ", 1)[1].encode().decode("unicode_escape")
        elif line.startswith("#fields"):
            columns = line.split(separator)[1:]
        elif not line.startswith("#"):
            cells = line.split(separator)
            assert len(cells) == len(columns)
            rows.append([cells[columns.index(name)] for name in names])
    return rows


def as_double(value: float, form: str) -> str:
    info = replace(INFO, confidence=value)
    if form == "tsv":
        return tsv_line(info).split("\t")[8]
    found = re.search(r'"confidence":([^,]+),', json_line(info))
    assert found
    return found.group(1)


def test_tsv_is_zeeks_to_the_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.localtime", time.gmtime)
    out = io.BytesIO()
    with TsvLog(out, clock=lambda: 1_425_568_700.9) as log:
        log.write(INFO)
        log.write(BARE)
    assert out.getvalue().decode() == (
        "#separator \\x09\n"
        "#set_separator\t,\n"
        "#empty_field\t(empty)\n"
        "#unset_field\t-\n"
        "#path\teacf\n"
        "#open\t2015-03-05-15-18-20\n"
        "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tserver_name\tlabel\tconfidence\treason\tmodel"
        "\tworker\tsni_label\tlatency\tpayload_bytes\tchunks\trecords\n"
        "#types\ttime\tstring\taddr\tport\taddr\tport\tstring\tstring\tdouble\tstring\tstring"
        "\tstring\tstring\tinterval\tcount\tcount\tcount\n"
        "1425568657.003141\tCHhAvVGS1DHFjwGM9\t192.168.6.64\t50541\t2001:db8::1\t443\twww.example.com\tweb\t0.972656\t-"
        "\t0123456789ab\tba9876543210\t-\t0.001250\t3000\t4\t18\n"
        "1425568657.003141\tCHhAvVGS1DHFjwGM9\t192.168.6.64\t50541\t2001:db8::1\t443\t-\t-\t-\ttimeout"
        "\t-\t-\t-\t-\t3000\t4\t18\n"
        "#close\t2015-03-05-15-18-20\n"
    )


def test_json_is_zeeks_to_the_byte() -> None:
    assert written(JsonLog, INFO, BARE).decode() == (
        '{"ts":1425568657.003141,"uid":"CHhAvVGS1DHFjwGM9","id.orig_h":"192.168.6.64","id.orig_p":50541,'
        '"id.resp_h":"2001:db8::1","id.resp_p":443,"server_name":"www.example.com","label":"web",'
        '"confidence":0.97265625,"model":"0123456789ab","worker":"ba9876543210","latency":0.00125,'
        '"payload_bytes":3000,"chunks":4,"records":18}\n'
        '{"ts":1425568657.003141,"uid":"CHhAvVGS1DHFjwGM9","id.orig_h":"192.168.6.64","id.orig_p":50541,'
        '"id.resp_h":"2001:db8::1","id.resp_p":443,"reason":"timeout",'
        '"payload_bytes":3000,"chunks":4,"records":18}\n'
    )


def test_columns_are_the_contracts() -> None:
    flat = [name.removeprefix("id.") for name, _, _ in FIELDS]
    of_info = [name.removesuffix("_ns") for name in Info.__slots__]
    assert flat == of_info


def test_zeek_cut_reads_it() -> None:
    text = written(TsvLog, INFO, BARE, replace(INFO, server_name="a\tb")).decode()
    assert cut(text, "id.orig_h", "server_name", "reason") == [
        ["192.168.6.64", "www.example.com", "-"],
        ["192.168.6.64", "-", "timeout"],
        ["192.168.6.64", "a\\x09b", "-"],
    ]


# Zeek's baseline scripts.base.frameworks.logging.ascii-double, both forms
DOUBLES = [
    (2153226000.0, "2153226000.0", "2153226000.0"),
    (2153226000.1, "2153226000.1", "2153226000.1"),
    (2153226000.123457, "2153226000.123457", "2153226000.123457"),
    (1.0, "1.0", "1.0"),
    (1.123456789, "1.123457", "1.123456789"),
    (-1.123456789, "-1.123457", "-1.123456789"),
    (0.1234, "0.1234", "0.1234"),
    (5e4, "50000.0", "50000.0"),
    (-3.14e15, "-3140000000000000.0", "-3140000000000000.0"),
    (1.23456789e-5, "0.000012", "0.0000123456789"),
    (2.23e-308, "0.0", "2.23e-308"),
    (-2.23e-308, "-0.0", "-2.23e-308"),
    (float("inf"), "inf", "null"),
    (float("-inf"), "-inf", "null"),
    (float("nan"), "nan", "null"),
    (0.9999996, "1", "0.9999996"),  # Desc.cc adds ".0" only to what is whole within 1e-9
    (0.0, "0.0", "0.0"),
    (1e-6, "0.000001", "0.000001"),
    (1e-7, "0", "1e-7"),
]


@pytest.mark.parametrize(("value", "tsv", "in_json"), DOUBLES)
def test_doubles(value: float, tsv: str, in_json: str) -> None:
    assert as_double(value, "tsv") == tsv
    assert as_double(value, "json") == in_json


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_json_doubles_read_back_the_same(value: float) -> None:
    assert json.loads(as_double(value, "json")) == value


# Zeek's baselines ascii-escape-*, ascii-utf8-enabled-*, ascii-json-utf8, and the cases of json_escape_utf8 in util.cc
STRINGS = [
    (b"", "(empty)", '""'),
    (b"-", "\\x2d", '"-"'),
    (b"(empty)", "\\x28empty)", '"(empty)"'),
    (b"--", "--", '"--"'),
    (b"AB\\xffCD\0", "AB\\\\xffCD\\x00", '"AB\\\\xffCD\\\\x00"'),
    (b"foo \n\t\0 bar", "foo \\x0a\\x09\\x00 bar", '"foo \\n\\t\\\\x00 bar"'),
    (b"\x08\f\n\r\t\0\x15", "\\x08\\x0c\\x0a\\x0d\\x09\\x00\\x15", '"\\b\\f\\n\\r\\t\\\\x00\\\\x15"'),
    ("foo ® bar".encode(), "foo ® bar", '"foo ® bar"'),
    ("hello 𠜎".encode(), "hello 𠜎", '"hello 𠜎"'),
    (b"\xc3\x28", "\\xc3(", '"\\\\xc3("'),
    (b"\xed\xa0\xa1", "\\xed\\xa0\\xa1", '"\\\\xed\\\\xa0\\\\xa1"'),
    (b"\xf4\x90\x8c\xbc", "\\xf4\\x90\\x8c\\xbc", '"\\\\xf4\\\\x90\\\\x8c\\\\xbc"'),
    (b"\xee\x8b\xa0", "\\xee\\x8b\\xa0", '"\\\\xee\\\\x8b\\\\xa0"'),
    (b"\xc3\xb1\xc0\x81", "\\xc3\\xb1\\xc0\\x81", '"\\\\xc3\\\\xb1\\\\xc0\\\\x81"'),
    (b"\xc3\xb1\\\xc0\x81", "ñ\\\\\\xc0\\x81", '"\\\\xc3\\\\xb1\\\\\\\\xc0\\\\x81"'),
    (b'a"b/c', 'a"b/c', '"a\\"b/c"'),
    (b"\x1b[31m", "\\x1b[31m", '"\\\\x1b[31m"'),
]


@pytest.mark.parametrize(("raw", "tsv", "in_json"), STRINGS)
def test_strings(raw: bytes, tsv: str, in_json: str) -> None:
    value = raw.decode("utf-8", "surrogateescape")
    assert tsv_string(value) == tsv
    assert json_string(value) == in_json


def escape_utf8(raw: bytes, keep: bytes) -> bytes:
    """Zeek's json_escape_utf8, line by line as the C++ has it."""
    good, escaped, bad, index = b"", b"", False, 0
    while index < len(raw):
        byte = raw[index : index + 1]
        if 32 <= byte[0] < 127 or byte in keep:
            good, escaped, index = good + byte, escaped + byte, index + 1
            continue
        size = next(n for n, top in ((1, 0xC0), (2, 0xE0), (3, 0xF0), (4, 0xF8), (6, 0x100)) if byte[0] < top)
        piece = raw[index : index + size]
        try:
            code = -1 if bad or len(piece) < size else ord(piece.decode())
        except UnicodeDecodeError:
            code = -1
        if code < 0xA0 or 0xE000 <= code <= 0xF8FF or 0xFFF0 <= code <= 0xFFFF:
            bad, escaped, index = True, escaped + b"\\x%02x" % byte[0], index + 1
        else:
            good, index = good + piece, index + size
            escaped += b"".join(b"\\x%02x" % each for each in piece)
    return escaped if bad else good


RAW = st.binary(max_size=24) | st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace"))


@given(RAW)
def test_escaping_is_zeeks_loop(raw: bytes) -> None:
    value = raw.decode("utf-8", "surrogateescape")
    if raw not in (b"", b"-", b"(empty)"):
        runs = [[escape_utf8(each, b"") for each in run.split(b"\t")] for run in raw.split(b"\\")]
        assert tsv_string(value).encode() == b"\\\\".join(b"\\x09".join(run) for run in runs)
    assert json.loads(json_string(value)) == escape_utf8(raw, b"\b\f\n\r\t").decode()


@given(RAW)
def test_tsv_strings_can_be_read_back(raw: bytes) -> None:
    cell = tsv_string(raw.decode("utf-8", "surrogateescape"))
    assert not set(cell) & set("\t\n")
    assert cell != "-"
    back = (
        b""
        if cell == "(empty)"
        else re.sub(
            rb"\\(?:x([0-9a-f]{2})|\\)",
            lambda found: bytes.fromhex(found[1].decode()) if found[1] else b"\\",
            cell.encode(),
        )
    )
    assert back == raw


@pytest.mark.parametrize("log", [TsvLog, JsonLog])
def test_a_log_can_be_followed_while_it_grows(log: type[TsvLog] | type[JsonLog], tmp_path: Path) -> None:
    path = tmp_path / "eacf.log"
    path.write_text("what an earlier run left\n")
    with log(path) as it:
        with path.open("rb") as tail:
            assert b"earlier" not in tail.read()
            for _ in range(3):
                it.write(INFO)
                assert tail.read().count(b"\n") == 1
        before = path.stat().st_size
    it.close()
    assert path.stat().st_size - before == (0 if log is JsonLog else len("#close\t2015-03-05-15-18-20\n"))


def test_a_folder_that_is_missing_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        TsvLog(tmp_path / "none" / "eacf.log")
