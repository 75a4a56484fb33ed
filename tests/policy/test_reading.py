"""From a file to a policy: any policy that is written is read, faults are told all at once, files that are none are refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.errors import SettingError
from eacf.policy import Bounds, Class, Policy, Table, faults_of, parse, read, units
from eacf.policy.reading import MAX_BYTES

CONFIDENCES = st.integers(0, 1000).map(lambda number: number / 1000)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(units.is_name)
DSCP = [*units.DSCP, *range(64)]
ODD = {
    "mode": ['"live"', "1", "true"],
    "confidence": ["1.1", "-0.5", '"0.5"'],
    "priority": ['"urgent"', "1"],
    "dscp": ["64", '"af44"', "1.0"],
    "rate": ['"5"', "5"],
    "for": ['"8d"', "60"],
    "block": ["1", '"yes"'],
    "blok": ["true"],
}


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@st.composite
def policies(draw: st.DrawFn) -> tuple[str, Policy]:
    """A policy, written and as it is to be read."""
    mode = draw(st.sampled_from(["dry-run", "act"]))
    confidence = draw(CONFIDENCES)
    lines = [f'mode = "{mode}"', f"confidence = {confidence}"]
    classes = {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
        mark, tc = draw(st.none() | st.integers(1, 0x7FFFFFFF)), draw(st.none() | st.integers(0, 0xFFFFFFFF))
        tc = 0x10010 if mark is None and tc is None else tc
        classes[name] = Class(mark, tc)
        lines.append(f"[classes.{quoted(name)}]")
        lines += [] if mark is None else [f"mark = {mark}"]
        lines += [] if tc is None else [f'tc = "{tc >> 16:x}:{tc & 0xFFFF:x}"']

    def table(name: str, usual: float, *, may_be_sure: bool = True) -> Table:
        said = {"confidence": usual}
        if may_be_sure and draw(st.booleans()):
            said["confidence"] = draw(CONFIDENCES)
            lines.append(f"confidence = {said['confidence']}")
        unit, number = draw(st.sampled_from("smh")), draw(st.integers(1, 168))
        lines.append(f'for = "{number}{unit}"')
        lasts = float(number * units.TIMES[unit])
        if draw(st.booleans()):
            lines.append("block = true")
            return Table(name, block=True, lasts_s=lasts, **said)
        priority, dscp = draw(st.sampled_from(sorted(classes))), draw(st.sampled_from(DSCP))
        rate, shunt = draw(st.none() | st.integers(8, 10**6)), draw(st.booleans())
        lines.extend([f"priority = {quoted(priority)}", f"dscp = {dscp if isinstance(dscp, int) else quoted(dscp)}"])
        lines.extend([f"shunt = {str(shunt).lower()}"] + ([] if rate is None else [f'rate = "{rate}kbit"']))
        point = dscp if isinstance(dscp, int) else units.DSCP[dscp]
        return Table(
            name, said["confidence"], priority, point, None if rate is None else rate * 1000, False, shunt, lasts
        )

    labels = {}
    names = draw(st.lists(NAMES, max_size=6, unique=True))
    for number, label in enumerate(names[2:]):
        lines += [f"[group.{number}]", f"labels = [{quoted(label)}]"]
        labels[label] = table(f"group {number}", confidence)
    for label in names[:3]:
        lines.append(f"[label.{quoted(label)}]")
        labels[label] = table(f"label {label}", confidence)
    unknown = contradicted = None
    if draw(st.booleans()):
        lines.append("[unknown]")
        unknown = table("unknown", 0.0, may_be_sure=False)
    if draw(st.booleans()):
        lines.append('["server name contradicted"]')
        contradicted = table("server name contradicted", 0.95)
    policy = Policy(mode, confidence, (), Bounds(), classes, labels, unknown, contradicted)
    return "\n".join(lines) + "\n", policy


@given(policies())
def test_what_was_written_is_read(written: tuple[str, Policy]) -> None:
    text, policy = written
    assert parse(text.encode(), "x") == policy


@given(policies(), st.data())
def test_a_line_that_is_wrong_is_told_with_its_number(written: tuple[str, Policy], data: st.DataObject) -> None:
    lines = written[0].splitlines()
    at = data.draw(st.sampled_from([n for n, line in enumerate(lines) if line.split(" ")[0] in ODD]))
    key = lines[at].split(" ")[0]
    lines[at] = f"{key} = {data.draw(st.sampled_from(ODD[key]))}"
    _, faults = faults_of("\n".join(lines).encode())
    assert at + 1 in {line for line, _ in faults}


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    _, faults = faults_of(data)
    assert all(0 <= line <= data.count(b"\n") + 1 for line, _ in faults)


def test_all_faults_at_once() -> None:
    text = b'mode = "live"\n[label.a]\nblok = true\n[label.b]\npriority = "urgent"\nrate = "5 mbit"\n[classes]\n[unknown]\n'
    with pytest.raises(SettingError) as refused:
        parse(text, "p.toml")
    assert [line.split(": ")[:2] for line in str(refused.value).splitlines()] == [
        ["p.toml", f"line {number}"] for number in (1, 2, 3, 5, 6, 7, 8)
    ]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    with pytest.raises(SettingError, match=re.escape(f"{file}: cannot be read (No such file or directory)")):
        read(file)
    with pytest.raises(SettingError, match=re.escape(f"{tmp_path}: cannot be read (Is a directory)")):
        read(tmp_path)


def test_a_file_that_is_no_policy(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(SettingError, match="that is no policy"):
        read(file)
    file.write_bytes(b"# fine\n# \xff\n")
    with pytest.raises(SettingError, match="line 2: not UTF-8"):
        read(file)


def test_what_a_whole_toml_reader_refuses_is_refused(tmp_path: Path) -> None:
    # [label.a] after [label.b] is fine; a table and a key of the same name are not TOML.
    for text in (b"label = 1\n[label.a]\nblock = true\n", b'unknown = "x"\n[unknown]\nblock = true\n'):
        with pytest.raises(SettingError):
            parse(text, "x")
