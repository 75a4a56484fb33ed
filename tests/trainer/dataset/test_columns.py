from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from eacf.collector import Collected
from eacf_trainer.dataset import SCHEMA
from eacf_trainer.dataset.columns import GROUP_BYTES, GROUP_ROWS, Columns, Digest


def table_of(found: Sequence[Collected], *, keep_payload: bool = True) -> pa.Table:
    columns = Columns(keep_payload=keep_payload)
    for each in found:
        columns.add(
            each.sample,
            cut="records" if each.also else "stream",
            capture="a/b.pcap",
            complete_ns=each.time_ns,
            tls_version=each.tls_version,
        )
    return columns.take()


def digest_of(*tables: pa.Table) -> str:
    digest = Digest()
    for table in tables:
        digest.update(table)
    return digest.hexdigest()


def test_a_digest_tells_rows_apart_and_not_how_they_are_grouped(collected: list[Collected]) -> None:
    table = table_of(collected)
    assert table.schema.equals(SCHEMA, check_metadata=True)
    whole = digest_of(table)
    assert digest_of(table.slice(0, 7), table.slice(7, 1), table.slice(8)) == whole
    assert digest_of(table_of(collected[:9]), table_of(collected[9:])) == whole
    assert digest_of(pa.concat_tables([table.slice(0, 5), table.slice(5)])) == whole
    assert digest_of(table.slice(1)) != whole
    assert digest_of(table.take(list(range(len(table)))[::-1])) != whole


def test_every_column_is_in_the_digest(collected: list[Collected]) -> None:
    table = table_of(collected)
    digests = {digest_of(table)}
    for place, name in enumerate(SCHEMA.names):
        values = table.column(name).to_pylist()
        turned = [*values[1:], values[0]]
        if turned == values:  # one value in all rows
            turned = [{"cut": "stream", "capture": "x", "sensor": "s"}[name], *values[1:]]
        digests.add(digest_of(table.set_column(place, SCHEMA.field(name), pa.array(turned, SCHEMA.field(name).type))))
    assert len(digests) == 1 + len(SCHEMA.names)


def test_nothing_and_null_differ_in_the_digest(collected: list[Collected]) -> None:
    kept = table_of([each for each in collected if each.also])
    assert set(kept.column("payload").to_pylist()) == {b""}
    dropped = table_of([each for each in collected if each.also], keep_payload=False)
    assert set(dropped.column("payload").to_pylist()) == {None}
    assert digest_of(kept) != digest_of(dropped)


def test_a_group_is_full_by_rows_or_by_bytes(collected: list[Collected]) -> None:
    (small, *_) = [each.sample for each in collected if each.also]
    columns = Columns()
    for _ in range(GROUP_ROWS - 1):
        columns.add(small, cut="records", capture="a")
    assert not columns.full
    columns.add(small, cut="records", capture="a")
    assert columns.full
    assert len(columns.take()) == GROUP_ROWS
    assert not columns.full
    small.payload = bytes(65_536)
    while not columns.full:
        columns.add(small, cut="stream", capture="a")
    small.payload = b""
    assert len(columns) <= GROUP_BYTES // 65_536


def test_no_rows_are_a_table_too() -> None:
    assert Columns().take().schema.equals(SCHEMA)
    assert len(Columns().take()) == 0
