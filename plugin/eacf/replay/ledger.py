"""The accounting of a replay, without I/O: which samples go out together, which flows wait, what came of each.

Law: a sample that is added comes out of :class:`Gatherer` once and in order; a flow that is sent comes out of
:class:`Ledger` as one Info, answered, timed out or dropped. Time is an argument everywhere (`now`: seconds of any
steady clock; `time_ns`: packet time).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from eacf.flow import Sample
from eacf.verdict import Info, Verdict

BATCH_FLOWS = 32
"""Samples in one message at most (contract v1)."""
HOLD_NS = 5_000_000
"""Packet time for which a sample waits for company at most (contract v1)."""
ROOM_FLOWS = 512
"""Flows sent and not yet answered at most. The publisher waits for room, so no queue on the way fills: it is well
under the bus's 1,000 messages a peer, should each flow go alone, and under the worker's own queue."""
ANSWERS = ("abstained", "refused")
"""Reasons that a worker gives; the others are the sensor's own."""
VERDICT_TIMEOUT_S = 10.0
"""A flow without an answer for so long gets the reason "timeout"."""


class Gatherer:
    """Samples on their way into one message: up to `batch` of them, none held longer than `hold_ns` of packet time."""

    def __init__(self, *, batch: int = BATCH_FLOWS, hold_ns: int = HOLD_NS) -> None:
        self._batch = batch
        self._hold_ns = hold_ns
        self._held: list[Sample] = []
        self._since_ns = 0

    def add(self, time_ns: int, sample: Sample) -> Iterator[list[Sample]]:
        """Take a sample that was complete at `time_ns`; yields the messages that are due now, none or one or two.

        Time that runs backwards (the next capture, a capture out of order) ends the message too.
        """
        if self._held and not 0 <= time_ns - self._since_ns < self._hold_ns:
            yield self.take()
        if not self._held:
            self._since_ns = time_ns
        self._held.append(sample)
        if len(self._held) >= self._batch:
            yield self.take()

    def take(self) -> list[Sample]:
        """All that is held, at the end of a capture; may be empty."""
        held, self._held = self._held, []
        return held


@dataclass(slots=True)
class Counts:
    """What came of the flows: ``flows == verdicts + timed_out + dropped`` once a replay is over."""

    flows: int = 0
    verdicts: int = 0
    """Answers of any kind: labelled + abstained + refused."""
    labelled: int = 0
    abstained: int = 0
    refused: int = 0
    timed_out: int = 0
    dropped: int = 0
    """Not taken by the bus: 0, since the publisher waits for room. With a real Zeek: shed, or without a worker."""
    strays: int = 0
    """Verdicts on no flow that waits: late, twice, or of another sensor."""
    malformed: int = 0
    """Messages that could not be read."""
    named: int = 0
    """Labelled flows whose server name the bundle knows."""
    right: int = 0
    """Of those, the ones where label and server name agree."""

    @property
    def accuracy(self) -> float | None:
        """Share of `right` in `named`; None where no labelled flow has a server name that the bundle knows."""
        return self.right / self.named if self.named else None

    @property
    def complete(self) -> bool:
        """Every flow got its answer."""
        return self.verdicts == self.flows

    def answered(self, info: Info) -> None:
        """Count a flow that got an answer; as a flow it was counted when it was sent."""
        self.verdicts += 1
        if info.label is not None:
            self.labelled += 1
            if info.sni_label is not None:
                self.named += 1
                self.right += info.label == info.sni_label
        elif info.reason == "refused":
            self.refused += 1
        else:
            self.abstained += 1

    def logged(self, info: Info) -> None:
        """Count a flow by its line in the log of a sensor."""
        self.flows += 1
        if info.label is not None or info.reason in ANSWERS:
            self.answered(info)
        elif info.reason == "timeout":
            self.timed_out += 1
        else:
            self.dropped += 1


class Ledger:
    """The flows that wait for a verdict, oldest first, at most `room` of them."""

    def __init__(self, *, room: int = ROOM_FLOWS, timeout_s: float = VERDICT_TIMEOUT_S) -> None:
        self.counts = Counts()
        self._room = room
        self._timeout_s = timeout_s
        self._waiting: dict[str, tuple[float, Info]] = {}

    @property
    def unanswered(self) -> int:
        """Flows that wait."""
        return len(self._waiting)

    def fits(self, samples: Sequence[Sample]) -> bool:
        """Whether these can go out now: there is room, and no flow of the same uid waits.

        The collector gives a connection the same uid each time it reads it, so two captures may share some. A message
        larger than all the room fits where nothing waits.
        """
        waiting = self._waiting
        if waiting and len(waiting) + len(samples) > self._room:
            return False
        return not any(sample.uid in waiting for sample in samples)

    def send(self, samples: Iterable[Sample], now: float) -> None:
        """Note that these samples went out; they fit (:meth:`fits`)."""
        for sample in samples:
            self.counts.flows += 1
            self._waiting[sample.uid] = (now, _info(sample))

    def drop(self, samples: Iterable[Sample]) -> list[Info]:
        """Note that the bus did not take these samples; they are logged as shed."""
        infos = [_info(sample) for sample in samples]
        for info in infos:
            info.reason = "shed"
        self.counts.flows += len(infos)
        self.counts.dropped += len(infos)
        return infos

    def answer(self, worker: str, verdicts: Iterable[Verdict], now: float) -> Iterator[Info]:
        """Match verdicts to the flows that wait; yields the line of each flow that is settled by it."""
        for verdict in verdicts:
            sent, info = self._waiting.pop(verdict.uid, (now, None))
            if info is None:
                self.counts.strays += 1
                continue
            info.label = verdict.label
            info.confidence = verdict.confidence
            info.reason = verdict.reason
            info.model = verdict.model
            info.worker = worker
            info.sni_label = verdict.sni_label
            info.latency_ns = round((now - sent) * 1e9)
            self.counts.answered(info)
            yield info

    def overdue(self, now: float) -> Iterator[Info]:
        """Give up on flows that waited too long; yields their lines, with the reason "timeout"."""
        while self._waiting:
            uid, (sent, info) = next(iter(self._waiting.items()))
            if now - sent < self._timeout_s:
                return
            del self._waiting[uid]
            info.reason = "timeout"
            self.counts.timed_out += 1
            yield info

    def next_deadline(self) -> float | None:
        """When :meth:`overdue` has something to say unless an answer comes; None where nothing waits."""
        for sent, _ in self._waiting.values():
            return sent + self._timeout_s
        return None


def _info(sample: Sample) -> Info:
    """The line of a flow about which nobody has said anything yet."""
    return Info(
        ts_ns=sample.start_ns,
        uid=sample.uid,
        orig_h=sample.orig_h,
        orig_p=sample.orig_p,
        resp_h=sample.resp_h,
        resp_p=sample.resp_p,
        server_name=sample.server_name,
        label=None,
        confidence=None,
        reason=None,
        model=None,
        worker=None,
        sni_label=None,
        latency_ns=None,
        payload_bytes=len(sample.payload),
        chunks=len(sample.chunks),
        records=len(sample.records),
    )
