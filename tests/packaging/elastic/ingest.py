"""Runs an Elasticsearch ingest pipeline, as far as ours go: the processors and conditions that packaging/elastic uses, by Elastic's
documentation of them, and an error for all else. No Elasticsearch is behind it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

Doc = dict[str, Any]
_TERM = re.compile(r"ctx((?:\??\.\w+)+?)(?: (==|!=) (null|'[^']*')|\.contains\('([^']*)'\))")
_FIELD = re.compile(r"\{\{\{([\w.@]+)\}\}\}")


class IngestError(Exception):
    """A processor failed."""


def get(doc: Doc, path: str) -> Any:
    """The value of a dotted field; None where it is not there."""
    found: Any = doc
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            return None
        found = found[part]
    return found


def put(doc: Doc, path: str, value: Any) -> None:
    """Set a dotted field."""
    *folders, last = path.split(".")
    for part in folders:
        doc = doc.setdefault(part, {})
        if not isinstance(doc, dict):
            raise IngestError(f"cannot set [{path}]: [{part}] is no object")
    doc[last] = value


def take(doc: Doc, path: str) -> Any:
    """Remove a dotted field and return it."""
    *folders, last = path.split(".")
    for part in folders:
        doc = doc[part]
    return doc.pop(last)


def holds(condition: str, doc: Doc) -> bool:
    """A condition of painless, as far as ours go: terms joined by && and ||, with parentheses."""
    expression = _TERM.sub(lambda term: str(_term(term, doc)), condition)
    if re.fullmatch(r"[TrueFals&|() ]+", expression) is None:
        raise NotImplementedError(f"condition {condition!r}")
    return bool(eval(expression.replace("&&", " and ").replace("||", " or "), {}, {}))


def _term(term: re.Match[str], doc: Doc) -> bool:
    value = get(doc, term[1].replace("?", "").lstrip("."))
    if term[4] is not None:
        return term[4] in value
    wanted = None if term[3] == "null" else term[3].strip("'")
    return (value == wanted) == (term[2] == "==")


def _rendered(value: Any, doc: Doc) -> Any:
    return _FIELD.sub(lambda found: str(get(doc, found[1])), value) if isinstance(value, str) else value


def _json(doc: Doc, of: Mapping[str, Any]) -> None:
    try:
        put(doc, of["target_field"], json.loads(get(doc, of["field"])))
    except (ValueError, TypeError) as error:
        raise IngestError(f"Unrecognized token: {error}") from None


def _rename(doc: Doc, of: Mapping[str, Any]) -> None:
    value = get(doc, of["field"])
    if value is None:
        if of.get("ignore_missing"):
            return
        raise IngestError(f"field [{of['field']}] doesn't exist")
    if get(doc, of["target_field"]) is not None:
        raise IngestError(f"field [{of['target_field']}] already exists")
    put(doc, of["target_field"], take(doc, of["field"]))


def _set(doc: Doc, of: Mapping[str, Any]) -> None:
    value = get(doc, of["copy_from"]) if "copy_from" in of else _rendered(of["value"], doc)
    if value is None and of.get("ignore_empty_value"):
        return
    put(doc, of["field"], value)


def _append(doc: Doc, of: Mapping[str, Any]) -> None:
    value, values = _rendered(of["value"], doc), get(doc, of["field"])
    values = [] if values is None else values if isinstance(values, list) else [values]
    if of.get("allow_duplicates", True) or value not in values:
        values = [*values, value]
    put(doc, of["field"], values)


def _date(doc: Doc, of: Mapping[str, Any]) -> None:
    value = get(doc, of["field"])
    assert of["formats"] == ["UNIX"]
    if not isinstance(value, int | float):
        raise IngestError(f"unable to parse date [{value}]")
    moment = datetime.fromtimestamp(value, UTC)
    put(doc, of.get("target_field", "@timestamp"), moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"))


def _dot_expander(doc: Doc, of: Mapping[str, Any]) -> None:
    parent = get(doc, of["path"])
    if of["field"] in parent:
        put(parent, of["field"], parent.pop(of["field"]))


def _convert(doc: Doc, of: Mapping[str, Any]) -> None:
    value = get(doc, of["field"])
    assert of["type"] == "ip"
    if value is None:
        raise IngestError(f"field [{of['field']}] not present as part of path")
    try:
        ip_address(value)
    except ValueError:
        raise IngestError(f"'{value}' is not an IP string literal.") from None
    put(doc, of["target_field"], value)


def _remove(doc: Doc, of: Mapping[str, Any]) -> None:
    for field in of["field"] if isinstance(of["field"], list) else [of["field"]]:
        if get(doc, field) is not None:
            take(doc, field)
        elif not (of.get("ignore_missing") or of.get("ignore_failure")):
            raise IngestError(f"field [{field}] not present as part of path [{field}]")


def _community_id(doc: Doc, of: Mapping[str, Any]) -> None:
    """Version 1, seed 0, of its specification (github.com/corelight/community-id-spec), for TCP."""
    ends = [(ip_address(get(doc, f"{end}.ip")).packed, get(doc, f"{end}.port")) for end in ("source", "destination")]
    (first, first_port), (second, second_port) = sorted(ends)
    digest = hashlib.sha1(struct.pack(">H", 0) + first + second + struct.pack(">BBHH", 6, 0, first_port, second_port))
    put(doc, "network.community_id", "1:" + base64.b64encode(digest.digest()).decode())


PROCESSORS: dict[str, Callable[[Doc, Mapping[str, Any]], None]] = {
    "json": _json,
    "rename": _rename,
    "set": _set,
    "append": _append,
    "date": _date,
    "dot_expander": _dot_expander,
    "convert": _convert,
    "remove": _remove,
    "community_id": _community_id,
}


def run(pipeline: Mapping[str, Any], doc: Doc, others: Mapping[str, Mapping[str, Any]] | None = None) -> Doc:
    """The document after the pipeline. `others`: pipelines that it calls, by name."""
    doc["_ingest"] = {"timestamp": "2026-01-01T00:00:00.000Z"}
    try:
        _all(pipeline["processors"], doc, others or {})
    except IngestError as error:
        kind, words = error.args[0].split(": ", 1)
        doc["_ingest"] |= {"on_failure_processor_type": kind, "on_failure_message": words}
        _all(pipeline.get("on_failure", []), doc, others or {})
    del doc["_ingest"]
    return doc


def _all(processors: list[Mapping[str, Any]], doc: Doc, others: Mapping[str, Mapping[str, Any]]) -> None:
    for processor in processors:
        ((kind, of),) = processor.items()
        if "if" in of and not holds(of["if"], doc):
            continue
        if kind == "pipeline":
            _all(others[of["name"]]["processors"], doc, others)
            continue
        try:
            PROCESSORS[kind](doc, of)
        except IngestError as error:
            if not of.get("ignore_failure"):
                raise IngestError(f"{kind}: {error}") from None
