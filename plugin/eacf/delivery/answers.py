"""What a worker says to those who push: letters that wait to leave, and the last ones kept for who missed them."""

from __future__ import annotations

from collections import OrderedDict

from eacf.delivery.outcome import Letter, Outcome, said
from eacf.wire import ModelDone, ModelOrdered, ModelWant, encode_model

MAX_TOLD = 64
"""Answers kept."""


class Answers:
    """See the module. An errand is known by who asked and a hash of what was asked."""

    def __init__(self, worker: str) -> None:
        self.waiting: list[Letter] = []
        self._worker = worker
        self._told: OrderedDict[tuple[str, str], Letter] = OrderedDict()

    def leave(self) -> list[Letter]:
        """All that wait."""
        letters, self.waiting = self.waiting, []
        return letters

    def want(self, reply_to: str, model: str, offset: int, room: int) -> None:
        """Ask for bytes; without room: tell that the offer was heard."""
        body = encode_model(ModelWant(self._worker, model, offset, room))
        self.waiting.append(Letter(reply_to.encode(), body))

    def done(self, reply_to: str, errand: str, model: str, outcome: Outcome) -> None:
        """Tell what became of an offer."""
        body = encode_model(ModelDone(self._worker, model, outcome.what, said(outcome.reason)))
        self._tell(reply_to, errand, body)

    def ordered(self, reply_to: str, errand: str, outcome: Outcome) -> None:
        """Tell what became of an order."""
        self._tell(reply_to, errand, encode_model(ModelOrdered(self._worker, outcome.what, said(outcome.reason))))

    def again(self, reply_to: str, errand: str) -> bool:
        """Say once more what was told of this errand; False where nothing was."""
        letter = self._told.get((reply_to, errand))
        if letter is not None:
            self.waiting.append(letter)
        return letter is not None

    def _tell(self, reply_to: str, errand: str, body: bytes) -> None:
        letter = Letter(reply_to.encode(), body)
        self.waiting.append(letter)
        self._told[reply_to, errand] = letter
        if len(self._told) > MAX_TOLD:
            self._told.popitem(last=False)
