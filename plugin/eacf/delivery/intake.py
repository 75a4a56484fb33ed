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
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eacf.delivery.answers import Answers
from eacf.delivery.incoming import Incoming
from eacf.delivery.offers import Known, Offered, check, name_of, replayed
from eacf.delivery.outcome import Letter, Outcome
from eacf.delivery.transfer import IDLE_S, STALL_S, Transfer
from eacf.errors import BundleError, SettingError, WireError
from eacf.keys import Trusted
from eacf.models import orders
from eacf.wire import (
    FORMAT,
    MAX_MANIFEST,
    ModelChunk,
    ModelOffer,
    ModelOrder,
    decode_message,
    is_control_reply_topic,
)

PAUSE_S = 0.05
"""One offer or order in this time is looked at: a manifest and a signature take a few milliseconds."""
MAX_WAITING = 8
"""Offers and orders that wait to be looked at, the last of each asker; one more is dropped, and comes again by itself."""
MAX_ASKERS = 16
"""Pushers that wait for one transfer."""
MAX_ORDERS = 8
"""Orders that wait to be carried out."""
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
    errand: str
    """Hash of the order's bytes."""


Task = Arrived | Ordered


class Intake:
    """See the module."""

    def __init__(self, worker: str, trusted: Trusted, incoming: Incoming, known: Callable[[], Known]) -> None:
        """`worker`: our id. `trusted` may be replaced at any time. `known` reads the store's state; it is asked for each
        offer and order that a trusted key signed."""
        self.trusted = trusted
        self.counts: Counter[str] = Counter()
        """Since the start: offers, orders, taken, refused, bytes; and what was dropped, by reason."""
        self._incoming = incoming
        self._known = known
        self._answers = Answers(worker)
        self._waiting: dict[str, ModelOffer | ModelOrder] = {}
        self._free_at = float("-inf")
        self._refusals: list[str] = []
        self._transfer: Transfer | None = None
        self._arrived: Arrived | None = None
        self._orders: deque[Ordered] = deque()
        self._obeying: Ordered | None = None
        self._closed = False

    def receive(self, frames: Sequence[bytes], now: float) -> None:
        """Take one message of the model topic."""
        if self._closed:
            return
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
                case ModelOffer() | ModelOrder() if is_control_reply_topic(message.reply_to):
                    self._wait(message)
                case _:
                    raise WireError("event", f"{type(message).__name__} is not for this topic, or names no reply topic")
        except WireError:
            self.counts["malformed"] += 1

    def due(self, now: float) -> list[Letter]:
        """What is to be sent now."""
        if self._waiting and now >= self._free_at:
            self._free_at = now + PAUSE_S
            message = self._waiting.pop(next(iter(self._waiting)))
            if isinstance(message, ModelOffer):
                self._offer(message, now)
            else:
                self._order(message)
        transfer = self._transfer
        if transfer is not None and not transfer.trying:
            if transfer.idle(now):
                self.counts["idle"] += 1
                self._end(Outcome("refused", f"nothing came for {IDLE_S:g} s; push again, it goes on where it was cut"))
            elif transfer.stalled(now):
                self.counts["stalls"] += 1
                transfer.rotate()
                self._want(transfer, *transfer.again(now))
        return self._answers.leave()

    def next_deadline(self) -> float | None:
        """When :meth:`due` has something to say unless a message comes; None: never."""
        times = [float("-inf")] if self._answers.waiting else []
        if self._waiting:
            times.append(self._free_at)
        if self._transfer is not None and not self._transfer.trying:
            times.append(self._transfer.deadline())
        return min(times, default=None)

    def take(self) -> Task | None:
        """The next thing to be done, if there is one; :meth:`finished` must follow before another is asked for."""
        if self._arrived is not None:
            arrived, self._arrived = self._arrived, None
            return arrived
        if self._orders:
            self._obeying = self._orders.popleft()
        return self._obeying

    def finished(self, task: Task, outcome: Outcome, now: float, *, sha256: str = "", damaged: bool = False) -> None:
        """Tell all who asked. `sha256`: what the file turned out to have; `damaged`: its bytes are not those that were
        signed, so that one which was gone on with is worth another try from its begin, if it could be removed."""
        if isinstance(task, Ordered):
            self._obeying = None
            self._tell_order(task.reply_to, task.errand, outcome)
            return
        transfer = self._transfer
        if transfer is None:
            return
        gone = transfer.partial.discard()
        if damaged and transfer.partial.resumed and gone:
            self.counts["started_over"] += 1
            self._begin(transfer.offered, transfer.askers, now)
            return
        self._end(outcome, sha256)

    def status(self) -> dict[str, Any]:
        """For status reports. Changes nothing, so that another thread may ask."""
        transfer = self._transfer
        coming = None
        if transfer is not None:
            offered = transfer.offered
            coming = {"bundle": offered.model, "have": transfer.partial.have, "bytes": offered.size}
        return {"counts": dict(self.counts), "incoming": coming}

    def refusals(self) -> list[str]:
        """Why something was not taken, since the last call; for the log."""
        reasons, self._refusals = self._refusals, []
        return reasons

    def not_sent(self) -> None:
        """The bus would not take a letter; whoever waits for it asks again."""
        self.counts["unsent"] += 1

    def close(self) -> None:
        """Leave what has come in part for another time, and take no more. What is being tried may still be finished."""
        self._closed = True
        self._waiting.clear()
        if self._transfer is not None and not self._transfer.trying:
            self._transfer.partial.close()
            self._transfer = None

    def _wait(self, message: ModelOffer | ModelOrder) -> None:
        if message.reply_to not in self._waiting and len(self._waiting) >= MAX_WAITING:
            self.counts["dropped"] += 1
            return
        self._waiting[message.reply_to] = message

    # Offers

    def _offer(self, offer: ModelOffer, now: float) -> None:
        """Answer an offer: a transfer begins, goes on or has to wait, or the offer is refused."""
        self.counts["offers"] += 1
        name = name_of(offer.manifest)
        transfer = self._transfer
        if self._answers.again(offer.reply_to, name):
            return
        if transfer is not None and (transfer.offered.name, transfer.offered.size) == (name, offer.size):
            self._join(transfer, offer, now)
        else:
            self._consider(offer, name, now)

    def _join(self, transfer: Transfer, offer: ModelOffer, now: float) -> None:
        """One more who has the bundle that is coming in, or the same one again: it heard nothing for a while."""
        if offer.reply_to not in transfer.askers and len(transfer.askers) >= MAX_ASKERS:
            self.counts["dropped"] += 1
            return
        transfer.askers.setdefault(offer.reply_to, offer.sha256)
        if not transfer.trying and now >= transfer.heard + STALL_S:
            transfer.prefer(offer.reply_to)
            self._want(transfer, *transfer.again(now))
        else:
            self._answers.want(offer.reply_to, transfer.offered.model, transfer.partial.have, 0)

    def _consider(self, offer: ModelOffer, name: str, now: float) -> None:
        """An offer of another bundle than what is coming in."""
        try:
            offered = check(offer, self.trusted)
            known = self._known()
        except (BundleError, SettingError) as error:
            self._tell(offer.reply_to, name, "unknown", Outcome("refused", str(error)))
            return
        signature = offered.signature
        what, place = ("shadow", known.shadow) if signature.purpose == "shadow" else ("serving", known.serving)
        if place == offered.model:
            self._tell(offer.reply_to, name, offered.model, Outcome(what, "it had it already"))
        elif (why := self._refusal(offered, known)) is not None:
            why = f"bundle {offered.model} ({offered.title}): {why}"
            self._tell(offer.reply_to, name, offered.model, Outcome("refused", why))
        elif self._transfer is not None and self._transfer.trying:
            self._answers.want(offer.reply_to, offered.model, 0, 0)  # it offers again by itself
        else:
            if self._transfer is not None:
                self._transfer.partial.discard()
                later = f"bundle {offered.model} with the higher serial {signature.serial} took its place"
                self._end(Outcome("refused", later))
            self._begin(offered, {offer.reply_to: offer.sha256}, now)

    def _refusal(self, offered: Offered, known: Known) -> str | None:
        """Why a rightly signed offer is not taken: it is old, or a later one is coming in."""
        signature = offered.signature
        if (old := replayed(signature.key, signature.serial, known)) is not None:
            return old
        if self._transfer is None or signature.serial > self._transfer.offered.signature.serial:
            return None
        other = self._transfer.offered
        return (
            f"bundle {other.model} is coming in, with serial {other.signature.serial}, which is not below "
            f"{signature.serial}; sign it again, or leave it"
        )

    def _begin(self, offered: Offered, askers: dict[str, str], now: float) -> None:
        try:
            partial = self._incoming.open(offered.name, offered.size)
        except OSError as error:
            self._transfer = None
            for reply_to in askers:
                self._tell(reply_to, offered.name, offered.model, _disk(error, self._incoming.folder))
            return
        self._transfer = Transfer(offered, partial, now, askers)
        self._go_on(self._transfer, now)

    # Parts

    def _chunk(self, chunk: ModelChunk, now: float) -> None:
        transfer = self._transfer
        if transfer is None:
            return
        try:
            stray = transfer.take(chunk, now)
        except OSError as error:
            transfer.partial.discard()
            self._end(_disk(error, transfer.partial.path))
            return
        if stray is not None:
            self.counts[stray] += 1
            return
        self.counts["bytes"] += len(chunk.data)
        self._go_on(transfer, now)

    def _go_on(self, transfer: Transfer, now: float) -> None:
        """Ask for more, or hand it on where it is whole."""
        if transfer.whole:
            transfer.partial.close()
            transfer.trying = True
            self._arrived = Arrived(transfer.partial.path, transfer.offered, frozenset(transfer.askers.values()))
            for reply_to in transfer.askers:
                self._answers.want(reply_to, transfer.offered.model, transfer.partial.have, 0)
        elif not transfer.granted:
            self._want(transfer, *transfer.again(now))
        elif (more := transfer.more(now)) is not None:
            self._want(transfer, *more)

    def _want(self, transfer: Transfer, offset: int, room: int) -> None:
        self._answers.want(transfer.source, transfer.offered.model, offset, room)

    # Answers

    def _end(self, outcome: Outcome, sha256: str | None = None) -> None:
        """The transfer is over, whatever came of it. `sha256`: of the file that was taken."""
        transfer, self._transfer = self._transfer, None
        if transfer is None:
            return
        transfer.partial.close()
        other = Outcome("refused", f"the file that was taken has SHA-256 {sha256}, this offer said another")
        for reply_to, promised in transfer.askers.items():
            fits = not outcome.taken or sha256 is None or promised == sha256
            self._tell(reply_to, transfer.offered.name, transfer.offered.model, outcome if fits else other)

    def _tell(self, reply_to: str, errand: str, model: str, outcome: Outcome) -> None:
        self.counts["taken" if outcome.taken else "refused"] += 1
        self._note(outcome)
        self._answers.done(reply_to, errand, model, outcome)

    def _note(self, outcome: Outcome) -> None:
        if not outcome.taken and len(self._refusals) < MAX_WAITING:
            self._refusals.append(outcome.reason)

    # Orders

    def _order(self, message: ModelOrder) -> None:
        errand = hashlib.sha256(message.order).hexdigest()
        waiting = [*self._orders, *([self._obeying] if self._obeying else [])]
        if self._answers.again(message.reply_to, errand):
            return
        if any((each.reply_to, each.errand) == (message.reply_to, errand) for each in waiting):
            return
        self.counts["orders"] += 1
        try:
            order = orders.verify(message.order, self.trusted)
            old = replayed(order.key, order.serial, self._known())
        except (BundleError, SettingError) as error:
            self._tell_order(message.reply_to, errand, Outcome("refused", str(error)))
            return
        if old is not None or any(each.errand == errand for each in waiting):
            self._tell_order(message.reply_to, errand, Outcome("refused", f"order: {old or 'it was sent again'}"))
        elif len(waiting) >= MAX_ORDERS:
            self._tell_order(message.reply_to, errand, Outcome("refused", f"{MAX_ORDERS} orders wait; give it again"))
        else:
            self._orders.append(Ordered(order, message.reply_to, errand))

    def _tell_order(self, reply_to: str, errand: str, outcome: Outcome) -> None:
        self.counts["orders_done" if outcome.taken else "orders_refused"] += 1
        self._note(outcome)
        self._answers.ordered(reply_to, errand, outcome)


def _disk(error: OSError, path: Path) -> Outcome:
    return Outcome("refused", f"the worker cannot write {path} ({error.strerror}); make room there, then push again")
