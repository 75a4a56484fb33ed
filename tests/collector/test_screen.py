"""Packets of idle connections are dropped a block at a time, and only those."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eacf.collector import Collector
from eacf.collector.files import Batch
from eacf.collector.screen import ALIVE_SECONDS, sides


def batch(packets: list[tuple[float, bytes]]) -> Batch:
    buffer = b"".join(data for _, data in packets)
    rows, at = [], 0
    for time, data in packets:
        rows.append((time, at, len(data), len(data)))
        at += len(data)
    return Batch.of(1, buffer, rows)


def complete(make: SimpleNamespace) -> tuple[Collector, SimpleNamespace]:
    """A connection whose sample is complete, and which goes on."""
    talk = make.Talk().shake().hello().say(False, make.record(23, bytes(4000)))
    collector = Collector()
    collector.feed_batch(batch(talk.packets))
    assert len(collector.take()) == 1
    talk.packets.clear()
    return collector, talk


def looked_at(collector: Collector, packets: list[tuple[float, bytes]]) -> int:
    return len(list(collector.table.screen.rows(batch(packets), collector.table.network_time)))


def test_they_are_dropped_and_keep_the_connection_alive(make: SimpleNamespace) -> None:
    collector, talk = complete(make)
    talk.say(False, bytes(30_000))
    assert looked_at(collector, talk.packets) == 0
    (conn,) = collector.table.open.values()
    assert collector.table.screen.last_time(conn) == talk.packets[-1][0]


def test_those_of_others_are_not(make: SimpleNamespace) -> None:
    collector, talk = complete(make)
    talk.say(False, bytes(3000))
    other = make.Talk(sport=40001).shake()
    assert looked_at(collector, talk.packets + other.packets) == 3


def test_a_control_packet_brings_all_of_its_connection_back(make: SimpleNamespace) -> None:
    collector, talk = complete(make)
    talk.say(False, bytes(3000)).close()
    assert looked_at(collector, talk.packets) == len(talk.packets)
    collector.feed_batch(batch(talk.packets))
    (conn,) = collector.table.open.values()
    assert conn.slot == -1
    assert conn.orig.did_close


def test_after_a_silence_they_are_looked_at(make: SimpleNamespace) -> None:
    collector, talk = complete(make)
    talk.time += ALIVE_SECONDS + 1
    talk.say(False, bytes(1000))
    assert looked_at(collector, talk.packets[:1]) == 1


def test_a_port_used_again_within_a_block_is_another_connection(make: SimpleNamespace) -> None:
    collector, talk = complete(make)
    talk.say(False, bytes(3000))
    again = make.typical(time=talk.time, numbers=[5, 6])
    collector.feed_batch(batch(talk.packets + again.packets))
    collector.finish()
    assert len(collector.take()) == 1


@given(st.binary(min_size=12, max_size=12))
def test_both_directions_have_one_place(key: bytes) -> None:
    back = key[4:8] + key[0:4] + key[10:12] + key[8:10]
    assert sides(key) == sides(back)
    assert sides(key)[0] <= sides(key)[1] < 2**48


def test_an_empty_table_drops_nothing(make: SimpleNamespace) -> None:
    packets = [(1.0, make.ethernet(make.ipv4(bytes(40), bytes(4), bytes(4))))]
    rows = list(Collector().table.screen.rows(batch(packets), 0.0))
    assert len(rows) == 1
    assert np.isfinite(rows[0][0])
