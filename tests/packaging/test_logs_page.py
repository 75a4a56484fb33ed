"""docs/logs.md has every field of every log that the scripts write, in their order, with its type."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ID = [("id.orig_h", "addr"), ("id.orig_p", "port"), ("id.resp_h", "addr"), ("id.resp_p", "port")]


def fields_of_page(text: str, log: str) -> list[tuple[str, str]]:
    """Names and types of the table under that heading; the types of a row are one for all, or one for each in turn."""
    section = re.split(r"^# ", text, flags=re.MULTILINE)
    (part,) = [each for each in section if each.startswith(f"{log}\n")]
    table = part.split("| field | type | meaning |\n|---|---|---|\n")[1].split("\n\n")[0]
    found = []
    for row in table.splitlines():
        names, types = (re.findall(r"[\w.]+", cell) for cell in row.split("|")[1:3])
        found += [(name, types[at % len(types)]) for at, name in enumerate(names)]
    return found


def fields_of_record(text: str, record: str) -> list[tuple[str, str]]:
    """Names and types of what a record of Zeek logs."""
    body = re.search(rf"(?:type {record}: record|redef record {record} \+=) \{{(.*?)\n\t?\}};", text, re.DOTALL)
    assert body is not None, record
    found: list[tuple[str, str]] = []
    for name, kind in re.findall(r"^\s*(\w+): (\w+) [^;]*&log", body[1], re.MULTILINE):
        found += ID if kind == "conn_id" else [(name, kind)]
    return found


@pytest.mark.parametrize(
    ("log", "script", "record"),
    [
        ("eacf.log", "flow", "Info"),
        ("eacf_actions.log", "act", "ActionInfo"),
        ("eacf_stats.log", "account", "Stats"),
        ("conn.log", "flow", "Conn::Info"),
    ],
)
def test_every_field_is_there(repository: Path, log: str, script: str, record: str) -> None:
    page, text = (repository / "docs" / "logs.md").read_text(), (repository / "zeek" / f"{script}.zeek").read_text()
    fields = fields_of_record(text, record)
    assert len(fields) >= 2
    assert fields_of_page(page, log) == fields
