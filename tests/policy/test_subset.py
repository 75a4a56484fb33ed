"""The part of TOML that both readers take: what is read here `tomllib` reads as the same, and damage is told with its line."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eacf.policy.subset import MAX_LINES, Document, scan

NAMES = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True), st.text("a \"\\#=[],.é'", min_size=1, max_size=6)
)
BARE = st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True)
STRINGS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=[chr(n) for n in [*range(32), 127]]), max_size=8
)
SPACE = st.text(" \t", max_size=2)
COMMENT = st.one_of(st.just(""), st.text('a #"[]=,é\t', max_size=8).map(lambda text: "#" + text))


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@st.composite
def values(draw: st.DrawFn) -> tuple[str, object]:
    """A value as it is written, and what it is."""
    kind = draw(st.sampled_from(["string", "integer", "float", "flag", "array"]))
    if kind == "string":
        text = draw(STRINGS)
        return quoted(text), text
    if kind == "integer":
        number = draw(st.integers(-(10**14), 10**14))
        return str(number), number
    if kind == "float":
        written = f"{draw(st.integers(-999, 999))}.{draw(st.from_regex('[0-9]{1,6}', fullmatch=True))}"
        return written, float(written)
    if kind == "flag":
        flag = draw(st.booleans())
        return str(flag).lower(), flag
    items = draw(st.lists(STRINGS, max_size=4))
    gap = st.tuples(SPACE, st.sampled_from(["", "\n", "\r\n", "#,]\n"])).map("".join)
    written = "[" + draw(gap)
    for number, item in enumerate(items):
        last = number == len(items) - 1
        written += quoted(item) + draw(gap) + ("," if not last or draw(st.booleans()) else "") + draw(gap)
    return written + "]", items


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[tuple[str, str | None], dict[str, object]]]:
    """A file of the part that both readers take, and what is in it by table."""
    text, expected = "", {("", None): {}}
    end = st.tuples(SPACE, COMMENT, st.sampled_from(["\n", "\r\n"])).map("".join)
    for number in range(draw(st.integers(0, 4))):
        if number:
            name = f"t{draw(BARE)}"
            key = draw(st.none() | NAMES)
            # In TOML a table that has parts may not come with entries of its own after them.
            if any(name == other for other, _ in expected):
                continue
            plain = key is None or (
                draw(st.booleans()) and key.isascii() and key.replace("_", "").replace("-", "").isalnum()
            )
            text += f"[{name}{'' if key is None else '.' + (key if plain else quoted(key))}]" + draw(end)
            expected[name, key] = {}
        at = list(expected)[-1]
        for key in draw(st.lists(BARE, max_size=4, unique=True)):
            written, value = draw(values())
            # What stands before the first table must not be called as one.
            text += f"{draw(SPACE)}{key}{draw(SPACE)}={draw(SPACE)}{written}{draw(end)}{draw(st.sampled_from(['', draw(end)]))}"
            expected[at][key] = value
    return text, expected


def found_in(document: Document) -> dict[tuple[str, str | None], dict[str, object]]:
    return {
        (section.name, section.key): {key: entry.value for key, entry in section.entries.items()}
        for section in document.sections
    }


@given(documents())
def test_what_was_written_is_read(written: tuple[str, dict[tuple[str, str | None], dict[str, object]]]) -> None:
    text, expected = written
    document = scan(text)
    assert document.faults == []
    assert found_in(document) == expected
    for section in document.sections:
        for entry in section.entries.values():
            assert text.split("\n")[entry.line - 1].lstrip(" \t").startswith(entry.key)


@given(documents(), st.data())
@example(("", {}), None)
def test_what_is_read_without_a_fault_tomllib_reads_as_the_same(
    written: tuple[str, dict[tuple[str, str | None], dict[str, object]]], data: st.DataObject | None
) -> None:
    text = written[0]
    if text and data is not None:  # damage
        at = data.draw(st.integers(0, len(text) - 1))
        text = (
            text[:at] + data.draw(st.text("[]\"'\\#=,.\n ax01", max_size=2)) + text[at + data.draw(st.integers(0, 2)) :]
        )
    document = scan(text)
    if document.faults:
        assert all(1 <= line <= text.count("\n") + 1 for line, _ in document.faults)
        return
    try:
        whole = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # eacf.policy.reading asks tomllib as well
    for (name, key), entries in found_in(document).items():
        table = whole if not name else whole[name] if key is None else whole[name][key]
        assert {each: table[each] for each in entries} == entries


@given(st.text())
def test_any_text_is_read_or_has_faults(text: str) -> None:
    scan(text)


def test_many_lines() -> None:
    assert scan("\n" * MAX_LINES).faults == []
    assert scan("\n" * MAX_LINES + "a = 1").faults == [(MAX_LINES + 1, "a policy has at most 10,000 lines")]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a b\nc = 1\nd = x\n", [1, 3]),
        ("[a\nb = 1\n[c]\nb = \n", [1, 4]),
        ("[a.b.c]\nx = 1\n", [1]),
        ("a = [\n1,\n]\nb = 'x'", [3, 4]),
        ("a = [ # )\n", [1]),
    ],
)
def test_each_fault_is_told_once(text: str, lines: list[int]) -> None:
    assert [line for line, _ in scan(text).faults] == lines


def test_a_fault_shows_nothing_that_a_terminal_obeys() -> None:
    ((_, words),) = scan("\x1b[2J" + "x" * 500).faults
    assert "\x1b" not in words
    assert len(words) < 400
