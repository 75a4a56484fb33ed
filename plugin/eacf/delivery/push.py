"""The sender's side of a push: who takes models is seen on the bus, each is sent what it asks for, when it asks."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from eacf.bundle.archive import MANIFEST, unpack
from eacf.bundle.signing import read_manifest
from eacf.bus import Endpoints, Peer
from eacf.delivery.outcome import Letter, Outcome, heard
from eacf.errors import BundleError, WireError
from eacf.wire import (
    MAX_PART,
    MODEL_PREFIX,
    Message,
    ModelChunk,
    ModelDone,
    ModelOffer,
    ModelOrder,
    ModelOrdered,
    ModelWant,
    control_reply_topic,
    decode_message,
    encode_model,
    model_topic,
)

FLOW_PREFIX = b"eacf.flow."
AGAIN_S = 1.0
"""A worker that said nothing for so long is asked again: it may have missed us, or have started anew."""
TURN_MESSAGES = 1000
MAX_ROOM = 64 * MAX_PART
"""Bytes sent at one request at most, whatever the worker asks for."""


class Progress(NamedTuple):
    """How far one worker is."""

    worker: str
    have: int
    """Bytes that it has."""
    size: int
    outcome: Outcome | None
    """None: it is still at it."""


class Errand(Protocol):
    """What is to be said to each worker, and what its answers mean. Pure: no clock, no socket."""

    def ask(self, worker: str, reply_to: str) -> Letter:
        """The message that begins it, or reminds of it."""

    def hear(self, message: Message) -> tuple[str, list[Letter], Outcome | None] | None:
        """Whose answer this is, what to send back, and the outcome where it is one; None: it is not for us."""


@dataclass
class Push:
    """A bundle for all: the errand of :func:`push`."""

    data: bytes
    model: str
    manifest: bytes
    tell: Callable[[Progress], None]
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        self.sha256 = hashlib.sha256(self.data).hexdigest()

    def ask(self, worker: str, reply_to: str) -> Letter:
        return Letter(
            model_topic(worker), encode_model(ModelOffer(reply_to, self.manifest, len(self.data), self.sha256))
        )

    def hear(self, message: Message) -> tuple[str, list[Letter], Outcome | None] | None:
        size = len(self.data)
        match message:
            case ModelWant(worker, model, offset, room) if model == self.model and offset <= size:
                self.tell(Progress(worker, offset, size, None))
                end = min(size, offset + min(room, MAX_ROOM))
                return worker, [self._part(worker, at, end) for at in range(offset, end, MAX_PART)], None
            case ModelDone(worker, model, what, reason) if model in (self.model, "unknown"):
                outcome = heard(what, reason)
                self.tell(Progress(worker, size if outcome.taken else 0, size, outcome))
                return worker, [], outcome
        return None

    def _part(self, worker: str, at: int, end: int) -> Letter:
        data = self.data[at : min(end, at + MAX_PART)]
        return Letter(model_topic(worker), encode_model(ModelChunk(self.model, at, data)))


@dataclass
class Command:
    """A signed order for all: the errand of :func:`send_order`."""

    order: bytes

    def ask(self, worker: str, reply_to: str) -> Letter:
        return Letter(model_topic(worker), encode_model(ModelOrder(reply_to, self.order)))

    def hear(self, message: Message) -> tuple[str, list[Letter], Outcome | None] | None:
        if isinstance(message, ModelOrdered):
            return message.worker, [], heard(message.outcome, message.reason)
        return None


def push(
    endpoints: Endpoints,
    data: bytes,
    *,
    wait_s: float,
    tell: Callable[[Progress], None] = lambda _: None,
    turn: Callable[[], None] = lambda: None,
) -> dict[str, Outcome]:
    """Send a signed bundle to every worker on the bus that takes models; what each made of it, by worker.

    `wait_s`: how long nothing may be heard of a worker, or no worker be there. A worker that leaves meanwhile has as long
    to come back, under another id, where it goes on. `turn` is called at least once a second. Raises BundleError where `data` is
    no signed bundle, BusError where no bus is there.
    """
    manifest = unpack(data)[MANIFEST]
    read = read_manifest(manifest)
    if read.signature is None:
        raise BundleError(f"bundle {read.id}: is not signed, and no worker takes it so; give --key NAME.key")
    return run_errand(endpoints, Push(data, read.id, manifest, tell), wait_s, turn)


def send_order(endpoints: Endpoints, order: bytes, *, wait_s: float) -> dict[str, Outcome]:
    """Send a signed order (`eacf.models.orders`) to every worker that takes models; as :func:`push`."""
    return run_errand(endpoints, Command(order), wait_s)


def run_errand(
    endpoints: Endpoints, errand: Errand, wait_s: float, turn: Callable[[], None] = lambda: None
) -> dict[str, Outcome]:
    """Ask every worker and answer it until each is done or silent for `wait_s`."""
    asker = secrets.token_hex(6)
    reply_to = control_reply_topic(asker)
    with Peer(endpoints, f"eacf-push-{asker}", [reply_to], watch=True) as peer:
        clerk = Clerk(errand, reply_to, wait_s, time.monotonic())
        while not clerk.over(now := time.monotonic()):
            turn()
            for letter in clerk.due(now):
                peer.send(letter.topic, letter.body)  # one that does not fit is asked for again
            peer.wait(max(0.0, min(clerk.next_deadline() - time.monotonic(), AGAIN_S)))
            now = time.monotonic()
            for added, topic in peer.subscriptions():
                clerk.subscription(added, topic, now)
            for frames in peer.receive(TURN_MESSAGES):
                for letter in clerk.receive(frames[-1], now):
                    peer.send(letter.topic, letter.body)
    if not clerk.on_the_bus:
        raise peer.absence()
    return clerk.outcomes()


@dataclass(slots=True)
class _Worker:
    heard: float
    """When it last said something, or came up."""
    ask_at: float
    outcome: Outcome | None = None


class Clerk:
    """Who is there, who was asked, who is done. Pure: time is an argument."""

    def __init__(self, errand: Errand, reply_to: bytes, wait_s: float, now: float) -> None:
        self.on_the_bus = False
        """Our own subscription came round: answers will find us, and all others are known."""
        self._errand = errand
        self._reply_to = reply_to
        self._wait_s = wait_s
        self._until = now + wait_s  # for a first worker, or for one in the place of one that left
        self._workers: dict[str, _Worker] = {}
        self._serving: set[str] = set()
        self._returned = 0  # workers that came up after we did

    def subscription(self, added: bool, topic: bytes, now: float) -> None:
        """A change of who listens to what."""
        if topic == self._reply_to and added:
            self.on_the_bus = True
        elif topic.startswith(FLOW_PREFIX):
            if name := _name(topic, FLOW_PREFIX):
                (self._serving.add if added else self._serving.discard)(name)
        elif topic.startswith(MODEL_PREFIX) and (name := _name(topic, MODEL_PREFIX)):
            known = self._workers.get(name)
            if added and known is None:
                self._returned += self.on_the_bus
                self._workers[name] = _Worker(now, now)
            elif not added and known is not None and known.outcome is None:
                known.outcome = Outcome("gone", "it left the bus before it was done")
                self._until = now + self._wait_s

    def receive(self, body: bytes, now: float) -> list[Letter]:
        """What came on our topic; what is to be answered."""
        try:
            heard = self._errand.hear(decode_message(body))
        except WireError:
            return []
        if heard is None or (worker := self._workers.get(heard[0])) is None:
            return []
        if worker.outcome is not None and (worker.outcome.what != "gone" or heard[2] is None):
            return []  # one that left may still say how it ended
        worker.heard = now
        worker.ask_at = now + AGAIN_S
        worker.outcome = heard[2]
        return heard[1]

    def due(self, now: float) -> list[Letter]:
        """What is to be sent now."""
        letters = []
        for name, worker in self._workers.items():
            if worker.outcome is not None:
                continue
            if now >= worker.heard + self._wait_s:
                worker.outcome = Outcome("silent", f"it listens, and said nothing for {self._wait_s:g} s")
            elif self.on_the_bus and now >= worker.ask_at:
                worker.ask_at = now + AGAIN_S
                letters.append(self._errand.ask(name, self._reply_to.decode()))
        return letters

    def next_deadline(self) -> float:
        """When :meth:`due` or :meth:`over` may have changed its mind."""
        waiting = [min(each.ask_at, each.heard + self._wait_s) for each in self._workers.values() if not each.outcome]
        return min(waiting, default=self._until)

    def over(self, now: float) -> bool:
        """Whether every worker is done, and none is still awaited."""
        if any(each.outcome is None for each in self._workers.values()):
            return False
        return (bool(self._workers) and self._gone() <= self._returned) or now >= self._until

    def outcomes(self) -> dict[str, Outcome]:
        """By worker. One that left, and in whose place another came, is not told of."""
        found = {name: each.outcome or Outcome("silent") for name, each in sorted(self._workers.items())}
        replaced = [name for name, outcome in found.items() if outcome.what == "gone"][: self._returned]
        deaf = Outcome("deaf", "it takes no models: set model_store and trusted_keys there")
        found |= dict.fromkeys(sorted(self._serving - found.keys()), deaf)
        return {name: outcome for name, outcome in found.items() if name not in replaced}

    def _gone(self) -> int:
        return sum(each.outcome is not None and each.outcome.what == "gone" for each in self._workers.values())


def _name(topic: bytes, prefix: bytes) -> str:
    """The worker's id; empty where it is none."""
    name = topic[len(prefix) :].decode("ascii", "replace")
    return name if len(name) == 12 and all(digit in "0123456789abcdef" for digit in name) else ""
