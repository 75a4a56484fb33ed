"""The worker's engine: what arrives, what is served, what goes out.

Law: nothing here reads a clock or a socket, and no message of a peer makes it raise. The loop around it calls
:meth:`Engine.receive` for each message, :meth:`Engine.serve` for a batch, :meth:`Engine.due` for what is to be sent,
and sleeps until :meth:`Engine.next_deadline` where nothing is queued.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import eacf
from eacf.engine.account import Counts, Latency
from eacf.engine.notices import Notices
from eacf.engine.outbox import Outbox, Part
from eacf.engine.queue import Entry, FlowQueue
from eacf.engine.shadow import Shadow
from eacf.errors import WireError
from eacf.flow import joined
from eacf.inference import Model
from eacf.truth import Examiner
from eacf.verdict import Verdict
from eacf.wire import (
    CONTROL_REQUEST_TOPIC,
    FORMAT,
    ZEEK_TOPIC,
    Flows,
    StatusRequest,
    Who,
    count_flows,
    decode_message,
    encode_alarm,
    encode_hello,
    encode_status_reply,
    encode_verdicts,
    flow_topic,
    is_control_reply_topic,
    is_verdict_topic,
)

CONTROL_BYTES = 256
"""A body on the worker's own topic that is no longer than this and holds no flow is looked at when it arrives."""
CONTROL_PAUSE_S = 0.05
"""Hello and status are said so often at most, however often they are asked for."""
MAX_ASKERS = 16
"""Status requests that wait for an answer; one more is counted as malformed, kind "askers"."""
MAX_SENDER = 64
"""Bytes of a sender's node id that are put into a log line."""


class Outgoing(NamedTuple):
    """A message for the bus."""

    topic: bytes
    body: bytes
    flows: int = 0
    """Verdicts in it."""


class Engine:
    """See the module."""

    def __init__(
        self,
        model: Model,
        *,
        worker: str,
        started: float,
        queue_flows: int = 4096,
        queue_bytes: int = 64_000_000,
        batch_flows: int = 32,
        hold_s: float = 0.002,
        process: Callable[[], Mapping[str, float]] = dict,
        models: Callable[[], Mapping[str, Any]] = dict,
        truth_flows: int = 2000,
        drift_alarms: bool = False,
    ) -> None:
        """`worker`: 12 lower-case hex digits. `started`: the clock that all other times are of. `process` tells of the
        process, `models` of the store of models for status reports (empty: there is none); each is called at most once
        every `CONTROL_PAUSE_S`, and by whoever else asks for :meth:`status`, from any thread.
        `truth_flows`: exams over which live accuracy is told. `drift_alarms`: whether a drift is looked for and told to
        Zeek, which imports river.
        """
        self.model = model
        self.worker = worker
        self.counts = Counts()
        self._started = started
        self._now = started  # when the flows that were served last had come
        self._topic = flow_topic(worker)
        self._queue = FlowQueue(queue_flows, queue_bytes)
        self._in_hand = (
            0  # flows off the queue and not with the outbox: what another thread sees while the model is asked
        )
        self._batch_flows = batch_flows
        self._outbox = Outbox(hold_s)
        self._latency = Latency(started)
        self._notices = Notices()
        self._process = process
        self._models = models
        self._truth_flows = truth_flows
        self._truth = Examiner(model.bundle.labels, model.bundle.id, flows=truth_flows, drift=drift_alarms, now=started)
        self._shadow: Shadow | None = None
        self._invoke_s = -model.invoke_s  # of the models before, less what this one took before it was ours
        self._hello_wanted = False
        self._askers: set[str] = set()
        self._control_free_at = started

    @property
    def queued(self) -> int:
        """Messages that wait for :meth:`serve`."""
        return len(self._queue)

    def receive(self, frames: Sequence[bytes], now: float) -> None:
        """Take one message as it came from the bus. Cheap: a flow message is only counted and queued."""
        self.counts.messages += 1
        if len(frames) != 4 or frames[2] != FORMAT:
            self._refuse_frames(frames)
            return
        topic, sender, _, body = frames
        if topic == self._topic:
            flows = count_flows(body)
            if flows or len(body) > CONTROL_BYTES:
                self._enqueue(Entry(now, flows, sender, body))
                return
        self._control(topic, sender, body, now)

    def _enqueue(self, entry: Entry) -> None:
        self.counts.flows += entry.flows
        dropped = self._queue.put(entry)
        if dropped:
            self._drop("queue", dropped, "the queue is full, the oldest flows went")

    def _control(self, topic: bytes, sender: bytes, body: bytes, now: float) -> None:
        """A message that is not to wait behind flows."""
        try:
            message = decode_message(body)
            match message:
                case Who() if topic == self._topic:
                    self._hello_wanted = True
                case Flows() if topic == self._topic:
                    self._enqueue(Entry(now, len(message.samples), sender, body))
                case StatusRequest() if topic.startswith(CONTROL_REQUEST_TOPIC):
                    self._ask(message.reply_to)
                case _:
                    raise WireError("event", f"{type(message).__name__} is not for this topic")
        except WireError as error:
            self._refuse(sender, error)

    def _ask(self, reply_to: str) -> None:
        if not is_control_reply_topic(reply_to):
            raise WireError("reply_to", f"no status report may be sent to {reply_to!r}")
        if len(self._askers) >= MAX_ASKERS and reply_to not in self._askers:
            raise WireError("askers", f"more than {MAX_ASKERS} status requests wait")
        self._askers.add(reply_to)

    def serve(self) -> None:
        """Take one batch from the queue, ask the model, and keep the verdicts for :meth:`due`."""
        messages = list(self._take())
        samples = [sample for _, message in messages for sample in message.samples]
        verdicts: list[Verdict] = []
        for at in range(0, len(samples), self._batch_flows):
            batch = samples[at : at + self._batch_flows]
            verdicts += self.model.verdicts(batch)
            self.counts.batches.add(len(batch))
        if messages:
            self._now = messages[-1][0]
            self._truth.take(samples, verdicts, self._now)
        if self._shadow is not None:
            self._shadow.offer(samples, verdicts)
        for verdict in verdicts:
            if verdict.reason == "abstained":
                self.counts.abstained += 1
            elif verdict.reason == "refused":
                self.counts.refused += 1
            elif verdict.label is not None:
                self.counts.add_label(verdict.label)
        at = 0
        for received, message in messages:
            end = at + len(message.samples)
            self._outbox.add(message.reply_to, Part(received, verdicts[at:end]))
            at = end
        self._in_hand = 0

    def _take(self) -> Iterator[tuple[float, Flows]]:
        """Decoded messages off the queue: one, or as many as make a batch together."""
        room = self._batch_flows
        while (flows := self._queue.next_flows()) is not None:
            if max(1, flows) > room and room < self._batch_flows:
                return
            entry = self._queue.take()
            message = self._decode(entry)
            if message is not None:
                self._in_hand += len(message.samples)
                yield entry.received, message
            room -= max(1, len(message.samples) if message else 0)  # what cannot be read takes time, too

    def _decode(self, entry: Entry) -> Flows | None:
        """The flows of a message, if it has any that may be answered."""
        try:
            message = decode_message(entry.body)
            if not isinstance(message, Flows):
                raise WireError("event", f"{type(message).__name__} is not for this topic")
        except WireError as error:
            self.counts.flows -= entry.flows
            self._refuse(entry.sender, error)
            return None
        self.counts.flows += len(message.samples) - entry.flows
        if not is_verdict_topic(message.reply_to):
            self.counts.dropped["reply_to"] += len(message.samples)
            self._refuse(entry.sender, WireError("reply_to", f"no verdict may be sent to {message.reply_to!r}"))
            return None
        return message

    def due(self, now: float, *, everything: bool = False) -> list[Outgoing]:
        """What is to be sent now; `everything`: all that is held, for an end in order."""
        out: list[Outgoing] = []
        if (self._hello_wanted or self._askers) and now >= self._control_free_at:
            out += self._answers(now)
        for alarm in self._truth.look(now):
            self._notices.note(f"drift ({alarm.kind})", f"model {self.model.bundle.id}: {alarm.text}")
            body = encode_alarm(self.worker, self.model.bundle.id, alarm.kind, alarm.text)
            out.append(Outgoing(ZEEK_TOPIC, body))
        for topic, parts in self._outbox.due(now, everything=everything):
            verdicts = parts[0].verdicts if len(parts) == 1 else [v for part in parts for v in part.verdicts]
            for part in parts:
                self._latency.add(now - part.received, len(part.verdicts), now)
            self.counts.answered += len(verdicts)
            out.append(Outgoing(topic.encode(), encode_verdicts(self.worker, verdicts), len(verdicts)))
        return out

    def _answers(self, now: float) -> Iterator[Outgoing]:
        """To who and to status requests."""
        self._control_free_at = now + CONTROL_PAUSE_S
        if self._hello_wanted:
            self._hello_wanted = False
            yield self.hello()
        if self._askers:
            body = encode_status_reply(self.worker, json.dumps(self.status(now)))
            for reply_to in self._askers:
                yield Outgoing(reply_to.encode(), body)
            self._askers.clear()

    def not_sent(self, message: Outgoing) -> None:
        """The bus would not take this message."""
        if message.flows:
            self.counts.answered -= message.flows
            self._drop("send", message.flows, "the bus does not take verdicts")
        else:
            self.counts.unsent += 1
            self._notices.note("messages not sent", f"{message.topic.decode(errors='replace')}")

    def abandon(self) -> None:
        """Drop what is queued: the time to drain is over."""
        while self._queue:
            self._drop("drain", self._queue.take().flows, "the time to drain was over")

    def hello(self) -> Outgoing:
        """Who we are and what the model needs, for every Zeek process."""
        bundle = self.model.bundle
        needs = [bundle.needs] if self._shadow is None else [bundle.needs, self._shadow.model.bundle.needs]
        return Outgoing(ZEEK_TOPIC, encode_hello(self.worker, bundle.id, joined(needs)))

    def greet(self) -> None:
        """Say hello, for whoever has just come."""
        self._hello_wanted = True

    def swap(self, model: Model) -> None:
        """Serve with another model from the next batch on, and say so."""
        self._invoke_s += self.model.invoke_s - model.invoke_s
        self.model = model
        self._truth.swap(model.bundle.labels, model.bundle.id, self._now)
        if self._shadow is not None:
            self.set_shadow(self._shadow.model)  # what it is held against is another one
        self.counts.reloads += 1
        self._hello_wanted = True

    def set_shadow(self, model: Model | None) -> None:
        """Have another model score a sample of the flows from the next batch on, whose verdicts go nowhere; None: no
        longer. Says hello, since the sensors are to collect what this one needs, too."""
        self._shadow = None if model is None else Shadow(model, self.model, self._batch_flows, self._truth_flows)
        self._hello_wanted = True

    def idle(self) -> bool:
        """Do one small piece (a batch) of the work that may wait, while there is nothing else to do; True if there is more."""
        self._truth.idle()
        return self._shadow is not None and self._shadow.step(self._now)

    def keep(self) -> None:
        """Count a bundle that could not take the place of this one."""
        self.counts.failed_reloads += 1

    def notices(self, now: float) -> list[str]:
        """Lines that are to be logged now."""
        return self._notices.due(now)

    def next_deadline(self) -> float | None:
        """When there is something to do unless a message comes; in the past where flows are queued; None: never."""
        if self._queue:
            return float("-inf")
        times = [self._outbox.next_deadline(), self._notices.next_deadline(), self._truth.next_look()]
        if self._hello_wanted or self._askers:
            times.append(self._control_free_at)
        return min((time for time in times if time is not None), default=None)

    def status(self, now: float) -> dict[str, Any]:
        """The account, as ``eacf status --json`` shows it. Changes nothing, so that another thread may ask."""
        counts, bundle, queue = self.counts, self.model.bundle, self._queue
        batches = counts.batches.counts.copy()
        return {
            "worker": self.worker,
            "version": eacf.__version__,
            "uptime_s": round(now - self._started, 3),
            "bundle": {"id": bundle.id, "name": bundle.name, "version": bundle.version},
            "runtime": self.model.runtime,
            "reloads": {"done": counts.reloads, "failed": counts.failed_reloads},
            "messages_in": counts.messages,
            "flows_in": counts.flows,
            "verdicts_out": counts.answered,
            "abstained": counts.abstained,
            "refused": counts.refused,
            "labels": dict(counts.labels),
            "dropped": dict(counts.dropped),
            "malformed": dict(counts.malformed),
            "unsent": counts.unsent,
            "queue": {
                "flows": queue.flows,
                "messages": len(queue),
                "bytes": queue.bytes,
                "limit_flows": queue.limit_flows,
                "limit_bytes": queue.limit_bytes,
            },
            "in_hand": self._in_hand,
            "held_verdicts": self._outbox.flows,
            "topic_overflows": self._outbox.overflows,
            "latency_ms": self._latency.report(now),
            "batches": {
                "sizes": {str(bound): count for bound, count in zip(counts.batches.bounds, batches, strict=False)},
                "flows": int(counts.batches.total),
            },
            "invoke_s": round(self._invoke_s + self.model.invoke_s, 6),
            "process": dict(self._process()),
            "models": dict(self._models()) or None,
            "truth": self._truth.report(now),
            "shadow": None if self._shadow is None else self._shadow.report(),
        }

    def _drop(self, reason: str, flows: int, why: str) -> None:
        self.counts.dropped[reason] += flows
        self._notices.note(f"flows dropped ({reason})", f"{flows} flows, {why}", flows)

    def _refuse_frames(self, frames: Sequence[bytes]) -> None:
        sender = frames[1] if len(frames) > 1 else b""
        if len(frames) != 4:
            self._refuse(sender, WireError("frames", f"{len(frames)} frames, a message has 4"))
        else:
            self._refuse(sender, WireError("format", f"format {frames[2][:MAX_SENDER]!r}, expected {FORMAT!r}"))

    def _refuse(self, sender: bytes, error: WireError) -> None:
        self.counts.malformed[error.kind] += 1
        self._notices.note("malformed messages", f"{error.kind} from {sender[:MAX_SENDER]!r}: {error}")
