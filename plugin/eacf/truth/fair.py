"""The last so many things, of which no client holds more than its share.

A server name is what a client says. So one client, whatever it says and however often, moves a figure by its share alone:
where it has that, each further thing of it takes the place of its own oldest one.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from ipaddress import IPv4Address
from typing import Generic, TypeVar

from eacf.flow import Address

SHARE = 5
"""One part in so many is what a client may hold."""
_V6 = 1 << 64

T = TypeVar("T")


def client_of(address: Address) -> int:
    """Whom an originator's address stands for: itself, or, with IPv6, its /64, since one host has all of that to choose from."""
    number = int(address)
    return number if isinstance(address, IPv4Address) else _V6 | number >> 64


class Fair(Generic[T]):
    """See the module. Everything here takes the same time however much is held."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.share = max(1, room // SHARE)
        """Things that one client may hold."""
        self._next = 0
        self._held: OrderedDict[int, tuple[int, T]] = OrderedDict()
        """By number, oldest first: client and thing."""
        self._of: dict[int, deque[int]] = {}
        """By client: numbers of what it holds, oldest first."""

    def __len__(self) -> int:
        return len(self._held)

    @property
    def clients(self) -> int:
        """That hold something."""
        return len(self._of)

    @property
    def oldest(self) -> T | None:
        """None where nothing is held."""
        return next(iter(self._held.values()))[1] if self._held else None

    def push(self, client: int, thing: T) -> T | None:
        """Hold one more; returns what had to go for it."""
        own = self._of.get(client)
        if own is None:
            own = self._of[client] = deque()
        gone = None
        if len(own) >= self.share:
            gone = self._held.pop(own.popleft())[1]
        elif len(self._held) >= self.room:
            _, (other, gone) = self._held.popitem(last=False)
            numbers = self._of[other]
            numbers.popleft()
            if not numbers and other != client:
                del self._of[other]
        self._held[self._next] = client, thing
        own.append(self._next)
        self._next += 1
        return gone

    def things(self) -> list[T]:
        """Oldest first. Not for another thread."""
        return [thing for _, thing in self._held.values()]
