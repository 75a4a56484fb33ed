"""The tap's side of the protocol: which sensors there are, what each is told, and what is recorded of what they send.

A sensor that finds the tap says ``tap_who``; the tap says ``tap_ready`` to it, again whenever half the window was received
since, and every second. A sensor never has more flows on their way than the window, so a tap that hangs costs it nothing.

Law: nothing here reads a clock, a socket or a file, and no message of a peer makes it raise. The loop calls
:meth:`Tap.receive` for each message and :meth:`Tap.due` for what is to be sent, at :meth:`Tap.next_deadline` at the latest.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from eacf.errors import WireError
from eacf.flow import Chunk, Needs, Sample
from eacf.wire import (
    FORMAT,
    Flows,
    TapWho,
    decode_message,
    encode_tap_ready,
    is_verdict_topic,
    tap_topic,
)

WINDOW_FLOWS = 256
"""Flows on their way from one sensor at most."""
HEARTBEAT_S = 1.0
"""Every sensor is told so often; one that hears nothing for 10 s sends no more."""
MAX_SENSORS = 1000
"""Sensors known at a time. One more takes the place of the one that has been silent longest among those that no longer listen;
where all listen, it is refused and counted as malformed, kind "sensors"."""
MAX_TOPICS = 10_000
"""Topics of which it is remembered that somebody listens there."""
VERDICT_PREFIX = b"eacf.verdict."

WITHOUT_PAYLOAD = Needs(payload_bytes=0)
"""Chunks and records as ever, but no payload."""
RECORDS_ONLY = Needs(payload_bytes=0, window_bytes=0, records=16, chunks=False)
"""Lengths of the first records; not looking at the stream costs a sensor least."""

_SENDER = re.compile(rb"[!-~]{1,128}")


class Outgoing(NamedTuple):
    """A message for the bus."""

    topic: bytes
    body: bytes


class Heard(NamedTuple):
    """Flows of one message, cut to what the tap asked for."""

    sender: str
    """Node id of the Zeek process; printable ASCII without space."""
    reply_to: str
    samples: list[Sample]


@dataclass(slots=True)
class Sensor:
    """One Zeek process, by the topic on which it listens."""

    received: int = 0
    """Flows from it, so far."""
    said: int = 0
    """What it was told of that last."""


class Tap:
    """See the module."""

    def __init__(
        self, tap: str, *, started: float, needs: Needs, share: float, limit: int | None, window: int = WINDOW_FLOWS
    ) -> None:
        """`tap`: 12 lower-case hex digits. `share` of all flows that is wanted, in (0, 1]. `limit`: flows after which
        the recording is complete; None: never."""
        self.topic = tap_topic(tap)
        self.recorded = 0
        self.sensors_seen = 0
        self.malformed: Counter[str] = Counter()
        """Messages that say what the contract does not allow, by kind."""
        self._tap = tap
        self._needs = needs
        self._share = share
        self._limit = limit
        self._window = window
        self._heartbeat_at = started + HEARTBEAT_S
        self._sensors: OrderedDict[str, Sensor] = OrderedDict()  # by topic; the one that spoke last is last
        self._waiting: dict[str, None] = {}  # those to be told without delay
        self._listening: set[str] = set()  # topics

    @property
    def complete(self) -> bool:
        """Whether all flows that were wanted are recorded."""
        return self._limit is not None and self.recorded >= self._limit

    def receive(self, frames: Sequence[bytes]) -> Heard | None:
        """Take one message as it came from the bus; the flows that it holds, if it is one with flows."""
        try:
            return self._take(frames)
        except WireError as error:
            self.malformed[error.kind] += 1
            return None

    def _take(self, frames: Sequence[bytes]) -> Heard | None:
        if len(frames) != 4:
            raise WireError("frames", f"{len(frames)} frames, a message has 4")
        topic, sender, format_, body = frames
        if format_ != FORMAT:
            raise WireError("format", "not Broker's binary format")
        if topic != self.topic:
            raise WireError("topic", "the topic only begins like ours")
        message = decode_message(body)
        match message:
            case TapWho():
                self._sensor(message.reply_to)
                return None
            case Flows():
                if not _SENDER.fullmatch(sender):
                    raise WireError("sender", "a node id must be printable ASCII without space")
                return self._record(sender.decode("ascii"), message)
        raise WireError("event", f"{type(message).__name__} is not for a tap")

    def _sensor(self, reply_to: str) -> Sensor:
        """The sensor that listens there. One that was not known is told at once; to one that was, the next heartbeat
        says it, so that nobody can make us repeat ourselves."""
        if not is_verdict_topic(reply_to):
            raise WireError("reply_to", f"a tap may not speak on {reply_to!r}")
        sensor = self._sensors.get(reply_to)
        if sensor is None:
            if len(self._sensors) >= MAX_SENSORS:
                self._forget_one()
            sensor = self._sensors[reply_to] = Sensor()
            self._waiting[reply_to] = None
            self.sensors_seen += 1
        self._sensors.move_to_end(reply_to)
        return sensor

    def _forget_one(self) -> None:
        gone = next((topic for topic in self._sensors if topic not in self._listening), None)
        if gone is None:
            raise WireError("sensors", f"more than {MAX_SENSORS} sensors")
        del self._sensors[gone]
        self._waiting.pop(gone, None)

    def _record(self, sender: str, message: Flows) -> Heard:
        sensor = self._sensor(message.reply_to)
        sensor.received += len(message.samples)
        if sensor.received - sensor.said >= self._window // 2:
            self._waiting[message.reply_to] = None
        room = len(message.samples) if self._limit is None else self._limit - self.recorded
        samples = message.samples[:room]
        self.recorded += len(samples)
        return Heard(sender, message.reply_to, [beginning(sample, self._needs) for sample in samples])

    def subscription(self, added: bool, topic: bytes) -> None:
        """Somebody began (or the last one ended) to listen on a topic."""
        if not topic.startswith(VERDICT_PREFIX):
            return
        name = topic.decode("ascii", "replace")
        if not added:
            self._listening.discard(name)
            return
        if len(self._listening) < MAX_TOPICS:
            self._listening.add(name)
        if name in self._sensors:
            self._waiting[name] = None  # what it was told before may not have reached it

    def due(self, now: float) -> Iterator[Outgoing]:
        """What is to be sent now."""
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + HEARTBEAT_S
            self._waiting = dict.fromkeys(self._sensors)
        waiting, self._waiting = self._waiting, {}
        for reply_to in waiting:
            sensor = self._sensors[reply_to]
            sensor.said = sensor.received
            yield Outgoing(
                reply_to.encode("ascii"),
                encode_tap_ready(self._tap, self._needs, self._share, sensor.received, self._window),
            )

    def next_deadline(self) -> float:
        """When there is something to send unless a message comes; in the past where there is already."""
        return float("-inf") if self._waiting else self._heartbeat_at


def beginning(sample: Sample, needs: Needs) -> Sample:
    """What a sample holds that was collected for other needs, too, as far as `needs` go.

    A sensor collects the most that any model or tap asks for. What nobody asked us to keep is not kept: that goes for
    payload first of all.
    """
    if needs.records_only:
        return replace(sample, payload=b"", chunks=[], records=sample.records[: needs.records])
    chunks: list[Chunk] = []
    left = needs.window_bytes
    for chunk in sample.chunks:
        if left <= 0:
            break
        chunks.append(chunk if chunk.length <= left else replace(chunk, length=left))
        left -= chunk.length
    return replace(sample, payload=sample.payload[: min(needs.payload_bytes, needs.window_bytes)], chunks=chunks)
