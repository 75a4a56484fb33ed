"""Captures of very many small TLS connections, for memory: a few real sessions, replayed under other addresses.

Their checksums are those of the sessions that were copied, so they are for `zeek -C`.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import capture
import numpy as np

from eacf_trainer.testbed import packets
from eacf_trainer.testbed.capture import START_S
from eacf_trainer.testbed.path import ACK, PSH, SYN, Segment

SESSIONS = 64
PLAINTEXT = 1500
CONNECTIONS, A_SECOND = 100_000, 1000
HALF_OPEN, OPENED_WITHIN_S = 50_000, 60.0
MINUTES = 10
ENDS = struct.Struct("!4s4sHH")
ENDS_AT = 26
"""Addresses and ports of an IPv4 packet without options in an Ethernet frame."""
RECORD = b"\x17\x03\x03\x40\x00"
"""Header of an application-data record of 16,384 bytes."""

Session = list[packets.Timed]
"""Frames with seconds since the first one, in order."""


def short(target: Path) -> None:
    """CONNECTIONS whole sessions of some kilobytes, A_SECOND of them begin in a second."""
    rng = random.Random("crowd")
    sessions = [frames(capture.segments(rng, PLAINTEXT, 0.0)) for _ in range(SESSIONS)]
    begins = [START_S + number / A_SECOND for number in range(CONNECTIONS)]
    write(target, sessions, begins)


def half_open(target: Path) -> None:
    """HALF_OPEN connections at once, each a whole ClientHello that nobody answers and then an application-data record, a byte a minute.

    That is what costs most of what an attacker can do with a byte a minute: all that is kept of a connection exists, and each byte is
    a delivery of its own. All are still open when the capture ends.
    """
    rng = random.Random("half open")
    sessions = [frames(trickle(rng)) for _ in range(SESSIONS)]
    begins = sorted(START_S + rng.uniform(0, OPENED_WITHIN_S) for _ in range(HALF_OPEN))
    write(target, sessions, begins)


def trickle(rng: random.Random) -> list[Segment]:
    """Handshake of TCP, a ClientHello as it was sent in a whole session, then RECORD and zeros, one byte a minute."""
    whole = capture.segments(rng, PLAINTEXT, 0.0)
    hello = next(each.payload for each in whole if each.payload)
    made = [
        Segment(0.0, True, 0, 0, SYN),
        Segment(0.01, False, 0, 1, SYN | ACK),
        Segment(0.02, True, 1, 1, ACK),
        Segment(0.03, True, 1, 1, PSH | ACK, hello),
    ]
    for minute in range(MINUTES):
        byte = RECORD[minute : minute + 1] or b"\0"
        made.append(Segment(60.0 * (minute + 1), True, 1 + len(hello) + minute, 1, PSH | ACK, byte))
    return made


def frames(segments: Iterable[Segment]) -> Session:
    """Of one session between ends that will be replaced."""
    flow = packets.Flow.draw(random.Random(1), v6=False, port=443, site=1)
    return sorted(flow.packets(segments), key=lambda each: each[0])


def write(target: Path, sessions: list[Session], begins: list[float]) -> None:
    """Session number n % len(sessions) for the n-th of `begins`, each between ends of its own; in order of time."""
    counts = np.array([len(sessions[number % len(sessions)]) for number in range(len(begins))])
    owners = np.repeat(np.arange(len(begins)), counts)
    places = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    times = np.concatenate(
        [[begin + time for time, _ in sessions[number % len(sessions)]] for number, begin in enumerate(begins)]
    )
    order = np.argsort(times, kind="stable")
    chosen = zip(owners[order].tolist(), places[order].tolist(), times[order].tolist(), strict=True)
    packets.write(target, _Frames(_addressed(sessions, chosen)))  # type: ignore[arg-type]


class _Frames:
    """Frames for a writer that goes through them once: a gigabyte of them need not be in memory."""

    def __init__(self, frames: Iterator[packets.Timed]) -> None:
        self._frames = frames

    def __iter__(self) -> Iterator[packets.Timed]:
        return self._frames


def _addressed(sessions: list[Session], chosen: Iterable[tuple[int, int, float]]) -> Iterator[packets.Timed]:
    """(connection, frame of its session, time) to frames."""
    for number, place, time in chosen:
        data = sessions[number % len(sessions)][place][1]
        client = struct.pack("!I", (198 << 24) + (18 << 16) + number % 65_536), 32_768 + number // 65_536
        server = struct.pack("!I", (198 << 24) + (19 << 16) + number % 251), 443
        (source, source_p), (target, target_p) = (
            (client, server) if data[:6] == packets.SERVER_MAC else (server, client)
        )
        yield time, data[:ENDS_AT] + ENDS.pack(source, target, source_p, target_p) + data[ENDS_AT + ENDS.size :]
