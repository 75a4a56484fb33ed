"""A worker's side of a push: offers checked, parts asked for and put together, orders handed on.

Law: as for the engine, nothing here reads a clock or a socket, and no message of a peer makes it raise or grow. The loop
calls :meth:`Intake.receive` for each message on the model topic, sends what :meth:`Intake.due` gives, does what
:meth:`Intake.take` hands out (elsewhere: it takes seconds), and says with :meth:`Intake.finished` what came of it.
Only a file's bytes touch the disk here, a part at a time.

An offer is checked before a byte is asked for, so only what a trusted key signed is ever stored. A part that was not
asked for, or is not the next one, is counted and dropped.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eacf.delivery.incoming import Incoming, Partial
from eacf.delivery.offers import Known, Offered, check, name_of, replayed
from eacf.delivery.outcome import Letter, Outcome, said
from eacf.errors import BundleError, SettingError, WireError
from eacf.keys import Trusted
from eacf.models import orders
from eacf.wire import (
    FORMAT,
    MAX_MANIFEST,
    MAX_PART,
    ModelChunk,
    ModelDone,
    ModelOffer,
    ModelOrder,
    ModelOrdered,
    ModelWant,
    decode_message,
    encode_model,
    is_control_reply_topic,
)

WINDOW = 8 * MAX_PART
"""Bytes that may be on their way to us."""
STALL_S = 1.0
"""Nothing came for so long: what is missing is asked for again, of the next one that has it."""
IDLE_S = 30.0
"""Nothing came for so long: the transfer is given up. Its file stays; the next push of the same bundle goes on there."""
OFFER_PAUSE_S = 0.05
"""One offer in this time is looked at, since its manifest takes a few milliseconds."""
MAX_OFFERS = 4
"""Offers that wait to be looked at, the last of each asker; one more is dropped, and comes again by itself."""
MAX_ASKERS = 16
"""Pushers that wait for one transfer."""
MAX_ORDERS = 8
"""Orders that wait to be carried out."""
MAX_TOLD = 64
"""Answers kept, for askers who missed them."""
MAX_BODY = MAX_MANIFEST + 4096
"""Bytes of a body that is looked at."""
CHUNK_EVENT = b"EACF::model_chunk"


@dataclass(frozen=True, slots=True)
class Arrived:
    """To be done: a bundle's file is whole; try it, keep it, serve it."""

    path: Path
    offered: Offered
    sha256: frozenset[str]
    """What those who offered it say of the file; one of these it must have."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """To be done: an order of somebody whom we trust, with a number that counts."""

    order: orders.Order
    reply_to: str


Task = Arrived | Ordered


@dataclass(slots=True)
class _Transfer:
    """The bundle that is coming in, or being tried."""

    offered: Offered
    partial: Partial
    heard: float
    """When the last part came that was of use, or the transfer began."""
    askers: dict[str, str] = field(default_factory=dict)
    """By reply_to the SHA-256 of the offer; the first one is asked for parts."""
    granted: int = 0
    """Bytes asked for, from the file's begin."""
    asked: float = 0.0
    trying: bool = False


class Intake:
    """See the module."""

    def __init__(self, worker: str, trusted: Trusted, incoming: Incoming, known: Callable[[], Known]) -> None:
        """`worker`: our id. `trusted` may be replaced at any time. `known` reads the store's state; called once an offer
        or order that was signed by somebody trusted."""
        self.worker = worker
        self.trusted = trusted
        self.counts: Counter[str] = Counter()
        """Since the start: offers, taken, refused, orders, bytes; and what was dropped, by reason."""
        self._incoming = incoming
        self._known = known
        self._offers: dict[str, ModelOffer] = {}
        self._offers_free_at = float("-inf")
        self._transfer: _Transfer | None = None
        self._orders: deque[tuple[str, Ordered]] = deque()
        self._ordered: tuple[str, Ordered] | None = None
        self._arrived: Arrived | None = None
        self._told: OrderedDict[tuple[str, str], Letter] = OrderedDict()
        self._letters: list[Letter] = []

    def receive(self, frames: Sequence[bytes], now: float) -> None:
        """Take one message of the model topic."""
        body = frames[3] if len(frames) == 4 and frames[2] == FORMAT else b""
        if not body or len(body) > MAX_BODY:
            self.counts["malformed"] += 1
            return
        if CHUNK_EVENT in body[:64] and (self._transfer is None or self._transfer.trying):
            self.counts["chunks_unasked"] += 1
            return
        try:
            message = decode_message(body)
            match message:
                case ModelChunk():
                    self._chunk(message, now)
                case ModelOffer() if is_control_reply_topic(message.reply_to):
                    self._queue(message)
                case ModelOrder() if is_control_reply_topic(message.reply_to):
                    self._order(message)
                case _:
                    raise WireError("event", f"{type(message).__name__} is not for this topic, or names no reply topic")
        except WireError:
            self.counts["malformed"] += 1

    def due(self, now: float) -> list[Letter]:
        """What is to be sent now."""
        if self._offers and now >= self._offers_free_at:
            self._offers_free_at = now + OFFER_PAUSE_S
            self._look(self._offers.pop(next(iter(self._offers))), now)
        transfer = self._transfer
        if transfer is not None and not transfer.trying:
            if now >= transfer.heard + IDLE_S:
                self.counts["idle"] += 1
                self._end(Outcome("refused", f"nothing came for {IDLE_S:g} s; push again, it goes on where it was cut"))
            elif now >= max(transfer.heard, transfer.asked) + STALL_S:
                self.counts["stalls"] += 1
                first = next(iter(transfer.askers))
                transfer.askers[first] = transfer.askers.pop(first)  # to the end of the line
                self._ask(transfer, now)
        letters, self._letters = self._letters, []
        return letters

    def next_deadline(self) -> float | None:
        """When :meth:`due` has something to do unless a message comes; None: never."""
        times = [float("-inf")] if self._letters else []
        if self._offers:
            times.append(self._offers_free_at)
        if self._transfer is not None and not self._transfer.trying:
            transfer = self._transfer
            times.append(min(max(transfer.heard, transfer.asked) + STALL_S, transfer.heard + IDLE_S))
        return min(times, default=None)

    def take(self) -> Task | None:
        """The next thing to be done, if there is one; :meth:`finished` must follow before another is asked for."""
        if self._arrived is not None:
            arrived, self._arrived = self._arrived, None
            return arrived
        if self._orders:
            self._ordered = self._orders.popleft()
            return self._ordered[1]
        return None

    def finished(self, task: Task, outcome: Outcome, now: float, *, sha256: str = "", damaged: bool = False) -> None:
        """Tell all who asked. `sha256`: what the file turned out to have; `damaged`: its bytes are not those that were
        signed, so that one which was gone on with is worth another try from its begin."""
        if isinstance(task, Ordered):
            if self._ordered is not None:
                self._tell_order(self._ordered[0], task.reply_to, outcome)
            self._ordered = None
            return
        transfer = self._transfer
        if transfer is None:
            return
        transfer.partial.discard()
        if damaged and transfer.partial.resumed:
            self.counts["started_over"] += 1
            self._begin(transfer.offered, transfer.askers, now)
            return
        if outcome.taken:
            for reply_to, promised in list(transfer.askers.items()):
                if promised != sha256:
                    del transfer.askers[reply_to]
                    other = Outcome("refused", f"the file that was taken has SHA-256 {sha256}, this offer said another")
                    self._tell(reply_to, transfer.offered, other)
        self._end(outcome)

    def status(self) -> dict[str, Any]:
        """For status reports. Changes nothing, so that another thread may ask."""
        transfer = self._transfer
        coming = None
        if transfer is not None:
            offered = transfer.offered
            coming = {"bundle": offered.model, "have": transfer.partial.have, "bytes": offered.size}
        return {"counts": dict(self.counts), "incoming": coming}

    def not_sent(self) -> None:
        """The bus would not take a letter; whoever waits for it asks again."""
        self.counts["unsent"] += 1

    def close(self) -> None:
        """Leave what has come in part for another time."""
        if self._transfer is not None:
            self._transfer.partial.close()

    # Offers

    def _queue(self, offer: ModelOffer) -> None:
        if offer.reply_to not in self._offers and len(self._offers) >= MAX_OFFERS:
            self.counts["offers_dropped"] += 1
            return
        self._offers[offer.reply_to] = offer

    def _look(self, offer: ModelOffer, now: float) -> None:
        """Answer an offer: a transfer begins, goes on or has to wait, or the offer is refused."""
        self.counts["offers"] += 1
        name = name_of(offer.manifest)
        transfer = self._transfer
        if (letter := self._told.get((offer.reply_to, name))) is not None:
            self._letters.append(letter)
        elif transfer is not None and transfer.offered.name == name and transfer.offered.size == offer.size:
            self._join(transfer, offer, now)
        else:
            self._consider(offer, now)

    def _join(self, transfer: _Transfer, offer: ModelOffer, now: float) -> None:
        """One more who has the bundle that is coming in, or the same one again: it heard nothing for a while."""
        if offer.reply_to not in transfer.askers:
            if len(transfer.askers) >= MAX_ASKERS:
                self.counts["offers_dropped"] += 1
                return
            transfer.askers[offer.reply_to] = offer.sha256
        if not transfer.trying and now >= transfer.heard + STALL_S:
            transfer.askers = {offer.reply_to: transfer.askers.pop(offer.reply_to), **transfer.askers}
            self._ask(transfer, now)
        else:
            self._want(offer.reply_to, transfer.offered.model, transfer.partial.have, 0)

    def _consider(self, offer: ModelOffer, now: float) -> None:
        try:
            offered = check(offer, self.trusted)
            known = self._known()
        except (BundleError, SettingError) as error:
            self._refuse(offer, str(error))
            return
        signature = offered.signature
        place = known.shadow if signature.purpose == "shadow" else known.serving
        old = replayed(signature.key, signature.serial, known)
        transfer = self._transfer
        if place == offered.model:
            what = "shadow" if signature.purpose == "shadow" else "serving"
            self._tell(offer.reply_to, offered, Outcome(what, "it had it already"))
        elif old is not None:
            self._refuse(offer, f"bundle {offered.model} ({offered.title}): {old}", offered)
        elif transfer is not None and signature.serial <= transfer.offered.signature.serial:
            other = f"bundle {transfer.offered.model} with serial {transfer.offered.signature.serial}"
            self._refuse(offer, f"{other}, which is not below {signature.serial}, is coming in; push again", offered)
        elif transfer is not None and transfer.trying:
            self._want(offer.reply_to, offered.model, 0, 0)  # it offers again by itself
        else:
            if transfer is not None:
                transfer.partial.discard()
                later = f"bundle {offered.model} with the higher serial {signature.serial} took its place"
                self._end(Outcome("refused", later))
            self._begin(offered, {offer.reply_to: offer.sha256}, now)

    def _begin(self, offered: Offered, askers: dict[str, str], now: float) -> None:
        partial = self._open(offered)
        if isinstance(partial, Partial):
            self._transfer = _Transfer(offered, partial, now, askers)
            self._go_on(self._transfer, now)
            return
        self._transfer = None
        for reply_to in askers:
            self._tell(reply_to, offered, partial)

    def _open(self, offered: Offered) -> Partial | Outcome:
        try:
            return self._incoming.open(offered.name, offered.size)
        except OSError as error:
            return _disk(error, self._incoming.folder)

    # Parts

    def _chunk(self, chunk: ModelChunk, now: float) -> None:
        transfer = self._transfer
        if transfer is None or transfer.trying or chunk.model != transfer.offered.model or not chunk.data:
            self.counts["chunks_unasked"] += 1
            return
        partial = transfer.partial
        if chunk.offset != partial.have:
            self.counts["chunks_out_of_order"] += 1
            return
        if chunk.offset + len(chunk.data) > transfer.granted:
            self.counts["chunks_unasked"] += 1
            return
        try:
            partial.add(chunk.data)
        except OSError as error:
            partial.discard()
            self._end(_disk(error, partial.path))
            return
        self.counts["bytes"] += len(chunk.data)
        transfer.heard = now
        self._go_on(transfer, now)

    def _go_on(self, transfer: _Transfer, now: float) -> None:
        """Ask for more, or hand it on where it is whole."""
        partial = transfer.partial
        if partial.have >= transfer.offered.size:
            partial.close()
            transfer.trying = True
            self._arrived = Arrived(partial.path, transfer.offered, frozenset(transfer.askers.values()))
            for reply_to in transfer.askers:
                self._want(reply_to, transfer.offered.model, partial.have, 0)
        elif not transfer.granted:
            self._ask(transfer, now)
        elif transfer.granted - partial.have <= WINDOW // 2 and transfer.granted < transfer.offered.size:
            begin, transfer.granted = transfer.granted, min(transfer.offered.size, partial.have + WINDOW)
            transfer.asked = now
            self._want(next(iter(transfer.askers)), transfer.offered.model, begin, transfer.granted - begin)

    def _ask(self, transfer: _Transfer, now: float) -> None:
        """For all that may be on its way, from the first byte that is missing on."""
        have = transfer.partial.have
        transfer.granted = min(transfer.offered.size, have + WINDOW)
        transfer.asked = now
        self._want(next(iter(transfer.askers)), transfer.offered.model, have, transfer.granted - have)

    def _want(self, reply_to: str, model: str, offset: int, room: int) -> None:
        self._letters.append(Letter(reply_to.encode(), encode_model(ModelWant(self.worker, model, offset, room))))

    # Answers

    def _end(self, outcome: Outcome) -> None:
        """The transfer is over, whatever came of it."""
        transfer, self._transfer = self._transfer, None
        if transfer is not None:
            transfer.partial.close()
            for reply_to in transfer.askers:
                self._tell(reply_to, transfer.offered, outcome)

    def _refuse(self, offer: ModelOffer, reason: str, offered: Offered | None = None) -> None:
        model = "unknown" if offered is None else offered.model
        self._answer(offer.reply_to, name_of(offer.manifest), model, Outcome("refused", reason))

    def _tell(self, reply_to: str, offered: Offered, outcome: Outcome) -> None:
        self._answer(reply_to, offered.name, offered.model, outcome)

    def _answer(self, reply_to: str, name: str, model: str, outcome: Outcome) -> None:
        self.counts["taken" if outcome.taken else "refused"] += 1
        body = encode_model(ModelDone(self.worker, model, outcome.what, said(outcome.reason)))
        self._remember((reply_to, name), Letter(reply_to.encode(), body))

    def _remember(self, what: tuple[str, str], letter: Letter) -> None:
        self._letters.append(letter)
        self._told[what] = letter
        if len(self._told) > MAX_TOLD:
            self._told.popitem(last=False)

    # Orders

    def _order(self, message: ModelOrder) -> None:
        digest = hashlib.sha256(message.order).hexdigest()
        if (letter := self._told.get((message.reply_to, digest))) is not None:
            self._letters.append(letter)
            return
        waiting = [*self._orders, *([self._ordered] if self._ordered else [])]
        if any(each[0] == digest and each[1].reply_to == message.reply_to for each in waiting):
            return
        self.counts["orders"] += 1
        try:
            order = orders.verify(message.order, self.trusted)
            old = replayed(order.key, order.serial, self._known())
        except (BundleError, SettingError) as error:
            self._tell_order(digest, message.reply_to, Outcome("refused", str(error)))
            return
        if old is not None or any(each[0] == digest for each in waiting):
            self._tell_order(digest, message.reply_to, Outcome("refused", f"order: {old or 'it was sent again'}"))
        elif len(waiting) >= MAX_ORDERS:
            self._tell_order(digest, message.reply_to, Outcome("refused", f"{MAX_ORDERS} orders wait; give it again"))
        else:
            self._orders.append((digest, Ordered(order, message.reply_to)))

    def _tell_order(self, digest: str, reply_to: str, outcome: Outcome) -> None:
        self.counts["taken" if outcome.taken else "refused"] += 1
        body = encode_model(ModelOrdered(self.worker, outcome.what, said(outcome.reason)))
        self._remember((reply_to, digest), Letter(reply_to.encode(), body))


def _disk(error: OSError, path: Path) -> Outcome:
    return Outcome("refused", f"the worker cannot write {path} ({error.strerror}); make room there, then push again")
