"""Workers in so far as the bus goes: they say hello with the needs that a test gives them, keep what comes, and answer as it says."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from eacf.bus import Endpoints, Peer
from eacf.flow import Needs, Sample
from eacf.verdict import Verdict
from eacf.wire import MAX_VERDICTS, ZEEK_TOPIC, Flows, Who, decode_message, encode_hello, encode_verdicts, flow_topic

MODEL = "0" * 12
LOOK_S = 0.02
AT_ONCE = 512
LIMIT_S = 100.0


@dataclass
class Pretender:
    """One worker. Answers each sample with a label unless told otherwise."""

    needs: Needs
    label: str | None = "video"
    """None: never a word after the hello."""
    delay_s: float = 0.0
    """Verdicts go out so long after their samples came in."""
    bodies: Callable[[str, list[Sample]], list[bytes]] | None = None
    """Makes the answers, given the worker's own id, in place of `label`."""
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    samples: list[Sample] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    """Bodies as they came."""
    waiting: deque[tuple[float, bytes, bytes]] = field(default_factory=deque)
    """Answers: when they are due, their topic, their body."""

    def hear(self, body: bytes, now: float) -> bool:
        """Take a message; True where it asks for a hello."""
        message = decode_message(body)
        if isinstance(message, Flows):
            self.messages.append(body)
            self.samples += message.samples
            for answer in self._answers(message.samples):
                self.waiting.append((now + self.delay_s, message.reply_to.encode(), answer))
        return isinstance(message, Who)

    def _answers(self, samples: list[Sample]) -> list[bytes]:
        if self.bodies is not None:
            return self.bodies(self.id, samples)
        if self.label is None:
            return []
        verdicts = [Verdict(each.uid, self.label, 0.75, MODEL) for each in samples]
        return [
            encode_verdicts(self.id, verdicts[at : at + MAX_VERDICTS]) for at in range(0, len(verdicts), MAX_VERDICTS)
        ]


def serve(
    endpoints: Endpoints,
    zeek: subprocess.Popen[bytes],
    workers: Sequence[Pretender],
    until: Callable[[], object] = lambda: False,
) -> None:
    """Be these workers until Zeek has ended, or something is true."""
    over = time.monotonic() + LIMIT_S
    with ExitStack() as stack:
        peers = [
            stack.enter_context(Peer(endpoints, f"eacf-worker-{each.id}", [flow_topic(each.id)], watch=True))
            for each in workers
        ]
        while zeek.poll() is None and not until():
            if time.monotonic() > over:
                raise TimeoutError(f"not within {LIMIT_S:g} s")
            for worker, peer in zip(workers, peers, strict=True):
                peer.wait(LOOK_S / len(peers))
                asked = any(added and ZEEK_TOPIC.startswith(topic) for added, topic in peer.subscriptions())
                for frames in peer.receive(AT_ONCE):
                    asked |= worker.hear(frames[3], time.monotonic())
                if asked:
                    peer.send(ZEEK_TOPIC, encode_hello(worker.id, MODEL, worker.needs))
                while worker.waiting and worker.waiting[0][0] <= time.monotonic():
                    _, topic, body = worker.waiting.popleft()
                    peer.send(topic, body)
