"""A TCP connection over a simulated path, as a tap near the client sees it: round-trip time, jitter, loss, reordering, retransmission.

Simulated is what shapes a capture: segments of at most one MSS, a window that starts at ten segments and doubles each round trip
(RFC 6928, RFC 5681), an acknowledgement for every second segment (RFC 5681, 4.2), and what is lost is sent again. It is no TCP stack:
windows never shrink, and there is no selective acknowledgement. Times are seconds as floats, since none is read from a clock.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

INITIAL_WINDOW = 10
SYN, ACK, PSH, FIN = 0x02, 0x10, 0x08, 0x01
MOST_SEGMENTS_A_WINDOW = 256


@dataclass(frozen=True)
class Path:
    """Conditions between one client and one server."""

    rtt_s: float
    near_share: float
    """Part of the round trip that lies between the client and the tap."""
    jitter_s: float
    bytes_per_s: float
    mss: int
    loss: float
    """Chance that a segment is lost, half the time before the tap."""
    reorder: float
    """Chance that a segment is overtaken by the next."""


KINDS: dict[str, tuple[tuple[float, float], float, tuple[float, float], tuple[int, ...], float, float]] = {
    # round trip, jitter as a share of it, bytes a second, MSS, loss, reordering
    "lan": ((0.0005, 0.003), 0.05, (5e7, 1e8), (1460,), 0.0, 0.0),
    "fibre": ((0.004, 0.03), 0.05, (5e6, 5e7), (1460, 1448), 0.0005, 0.0005),
    "dsl": ((0.015, 0.06), 0.1, (5e5, 4e6), (1452, 1440), 0.002, 0.001),
    "mobile": ((0.03, 0.15), 0.4, (3e5, 5e6), (1358, 1400, 1410), 0.005, 0.004),
    "satellite": ((0.5, 0.7), 0.03, (5e5, 5e6), (1460, 1360), 0.004, 0.0),
    "lossy": ((0.02, 0.3), 0.3, (2e5, 3e6), (1460, 1380), 0.03, 0.02),
}
"""Kinds of path by name; "mixed" draws one for each connection."""


def draw(kind: str, rng: random.Random) -> Path:
    """A path of the kind named. `kind` is a key of KINDS or "mixed"."""
    if kind == "mixed":
        kind = rng.choice(sorted(KINDS))
    rtt, jitter, rate, sizes, loss, reorder = KINDS[kind]
    round_trip = rng.uniform(*rtt)
    return Path(round_trip, 0.1, jitter * round_trip, rng.uniform(*rate), rng.choice(sizes), loss, reorder)


@dataclass(slots=True)
class Segment:
    """One TCP packet as the tap sees it. Sequence numbers count from 0 at the SYN of its side."""

    time_s: float
    is_orig: bool
    sequence: int
    acknowledged: int
    flags: int
    payload: bytes = b""


@dataclass
class _Side:
    sent: int = 0
    received: int = 0
    """What this side has acknowledged of the other's stream."""
    window: int = INITIAL_WINDOW


@dataclass
class Stream:
    """Both directions of one connection; each call adds to `segments` and returns when the other end has it all."""

    path: Path
    rng: random.Random
    segments: list[Segment] = field(default_factory=list)
    _sides: dict[bool, _Side] = field(default_factory=lambda: {True: _Side(), False: _Side()})

    def open(self, now: float) -> float:
        """The three-way handshake, begun by the client at `now`. Returns when the client may send."""
        near, far = self._legs(True)
        self._add(now + near, True, SYN)
        self._sides[True].sent = 1
        self._sides[False].received = 1
        at_server = now + near + far
        self._add(at_server + far, False, SYN | ACK)
        self._sides[False].sent = 1
        self._sides[True].received = 1
        at_client = at_server + far + near
        self._add(at_client + near, True, ACK)
        return at_client

    def send(self, is_orig: bool, data: bytes, now: float) -> float:
        """Send `data` at `now`. Returns when the receiver has all of it in order."""
        path, rng = self.path, self.rng
        side = self._sides[is_orig]
        after = self._legs(is_orig)[1]
        clock, arrived, in_window, unacknowledged = now, now, 0, 0
        for start in range(0, len(data), path.mss):
            piece = data[start : start + path.mss]
            if in_window == side.window:  # wait for the acknowledgements of this window
                clock = max(clock, arrived + path.rtt_s / 2)
                side.window = min(side.window * 2, MOST_SEGMENTS_A_WINDOW)
                in_window = 0
            in_window += 1
            clock += len(piece) / path.bytes_per_s
            last = start + path.mss >= len(data)
            here = self._deliver(is_orig, piece, clock, PSH | ACK if last else ACK)
            side.sent += len(piece)
            arrived = max(arrived, here)
            unacknowledged += 1
            if unacknowledged == 2 or last:
                unacknowledged = 0
                self._acknowledge(not is_orig, side.sent, arrived + after + rng.random() * 1e-4)
        return arrived

    def close(self, now: float) -> None:
        """Both sides end, the client first."""
        near, far = self._legs(True)
        self._add(now + near, True, FIN | ACK)
        self._sides[True].sent += 1
        self._sides[False].received = self._sides[True].sent
        self._add(now + near + 2 * far, False, FIN | ACK)
        self._sides[False].sent += 1
        self._sides[True].received = self._sides[False].sent
        self._add(now + near + 2 * far + 2 * near, True, ACK)

    def _deliver(self, is_orig: bool, piece: bytes, now: float, flags: int) -> float:
        """One segment with what may befall it. Returns when the receiver has it."""
        path, rng = self.path, self.rng
        before, after = self._legs(is_orig)
        wait = rng.random() * path.jitter_s * 0.02
        if rng.random() < path.reorder:
            wait += rng.uniform(0.5, 3) * path.mss / path.bytes_per_s
        while rng.random() < path.loss:
            if rng.random() < 0.5:  # lost behind the tap, which sees it twice
                self._add(now + before + wait, is_orig, flags, piece)
            now += max(path.rtt_s * rng.uniform(1.1, 1.6), 0.005)
        self._add(now + before + wait, is_orig, flags, piece)
        return now + before + after + wait

    def _acknowledge(self, is_orig: bool, upto: int, now: float) -> None:
        """An empty segment of `is_orig`'s side; `now` is when the tap sees it."""
        self._sides[is_orig].received = max(self._sides[is_orig].received, upto)
        self._add(now, is_orig, ACK)

    def _legs(self, is_orig: bool) -> tuple[float, float]:
        """One-way delays from the sender to the tap and from there to the receiver."""
        near = self.path.rtt_s / 2 * self.path.near_share
        far = self.path.rtt_s / 2 - near
        return (near, far) if is_orig else (far, near)

    def _add(self, time_s: float, is_orig: bool, flags: int, payload: bytes = b"") -> None:
        side = self._sides[is_orig]
        self.segments.append(Segment(time_s, is_orig, side.sent, side.received, flags, payload))
