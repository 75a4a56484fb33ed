"""The sensor's side of the bus, for a replay: finds the worker, sends flows as there is room, hears verdicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from eacf.bus import Peer
from eacf.errors import WireError, WorkerError
from eacf.flow import Sample
from eacf.replay.ledger import Ledger
from eacf.replay.process import WorkerProcess
from eacf.verdict import Info
from eacf.wire import FORMAT, Hello, Verdicts, decode_message, encode_flow, encode_flows, encode_who, flow_topic

START_S = 60.0
"""A worker has so long from its start to its hello; loading LiteRT on a busy machine takes seconds."""
ASK_S = 0.5
"""`who` is said again after so long without a hello."""
STALL_S = 30.0
"""With flows sent and nothing heard for so long, the worker is taken to hang, and the replay ends."""
LOOK_S = 0.25
"""A wait is cut into pieces of this, to see whether the worker still lives."""
FLOW_PREFIX = b"eacf.flow."
RECEIVE_LIMIT = 1000
"""Messages taken from the socket in one go."""


class Publisher:
    """See the module. Not for more than one thread."""

    def __init__(
        self,
        peer: Peer,
        process: WorkerProcess,
        ledger: Ledger,
        *,
        reply_to: str,
        on_info: Callable[[Info], None],
        stall_s: float = STALL_S,
    ) -> None:
        """`peer` listens to `reply_to` and the topic of all sensors, and watches subscriptions."""
        self._peer = peer
        self._process = process
        self._ledger = ledger
        self._reply_to = reply_to
        self._on_info = on_info
        self._stall_s = stall_s
        self._silent_since: float | None = None  # None: all that was asked is answered
        self.topic = b""
        """Of the worker, once it was found."""

    def greet(self, timeout_s: float = START_S) -> Hello:
        """Wait for the worker's subscription, then for its hello. :class:`WorkerError` if it does not come."""
        until = time.monotonic() + timeout_s
        ask_at = 0.0
        while (now := time.monotonic()) < until:
            self._process.check()
            for added, topic in self._peer.subscriptions():
                if added and topic.startswith(FLOW_PREFIX):
                    self.topic = topic
            if self.topic and now >= ask_at:
                self._peer.send(self.topic, encode_who())
                ask_at = now + ASK_S
            self._peer.wait(LOOK_S)
            for message in self._messages():
                if isinstance(message, Hello) and flow_topic(message.worker) == self.topic:
                    return message
        heard = "it never subscribed" if not self.topic else "it did not answer who"
        raise WorkerError(f"the worker was not ready within {timeout_s:g} s: {heard}{self._process.last_words()}")

    def publish(self, samples: Sequence[Sample]) -> None:
        """Wait for room, then send one message; takes the verdicts that are there meanwhile."""
        if not samples:
            return
        while not self._ledger.fits(samples):
            self.pump(LOOK_S)
        one = len(samples) == 1
        body = encode_flow(self._reply_to, samples[0]) if one else encode_flows(self._reply_to, samples)
        if self._peer.send(self.topic, body):
            now = time.monotonic()
            self._ledger.send(samples, now)
            if self._silent_since is None:
                self._silent_since = now
        else:
            for info in self._ledger.drop(samples):
                self._on_info(info)
        self.pump(0.0)

    def drain(self) -> None:
        """Wait until every flow is settled."""
        while self._ledger.unanswered:
            self.pump(LOOK_S)

    def pump(self, wait_s: float) -> None:
        """Take the verdicts that are there or come within `wait_s`; give up on flows that are overdue."""
        deadline = self._ledger.next_deadline()
        if wait_s and deadline is not None:
            wait_s = min(wait_s, max(0.0, deadline - time.monotonic()))
        if self._peer.wait(wait_s):
            self._peer.subscriptions()  # of no interest now; left alone, they would end every wait at once
            for message in self._messages():
                if isinstance(message, Verdicts):
                    self._settle(message)
        now = time.monotonic()
        for info in self._ledger.overdue(now):
            self._on_info(info)
        self._process.check()
        if self._silent_since is not None and now - self._silent_since > self._stall_s:
            raise WorkerError(f"the worker has not answered for {self._stall_s:g} s{self._process.last_words()}")

    def _settle(self, message: Verdicts) -> None:
        now = time.monotonic()
        for info in self._ledger.answer(message.worker, message.verdicts, now):
            self._on_info(info)
        self._silent_since = now if self._ledger.unanswered else None

    def _messages(self) -> Iterable[object]:
        """What is there, decoded; what cannot be read is counted and passed over, as Zeek would."""
        for frames in self._peer.receive(RECEIVE_LIMIT):
            try:
                if len(frames) != 4 or frames[2] != FORMAT:
                    raise WireError("format", f"a message of {len(frames)} frames is not one of the contract's")
                yield decode_message(frames[3])
            except WireError:
                self._ledger.counts.malformed += 1
