"""Who stays: the bounds of the store, decided on a small picture of it in memory (ids, labels, clients, sizes).

A new sample always gets in. A label that is full gives up one of its own at random, so that it stays a sample of its past
that forgets slowly (a biased reservoir, Aggarwal 2006); a label with few rows loses none to one with many. Of each label a
client may hold a share: one that has it gives up one of its own. Where the file is full, the label that takes most of it
gives; a client that already holds its share of all only replaces what it has.

Law: pure; chance is an argument. Nothing here is on the disk, so a failed write is undone by reading the table again.
"""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

FAIR_ROWS: Final = 50
"""From so many rows on a client's share of a label is bounded."""
MAX_LABELS: Final = 10_000
"""Labels at most. For one more, one of those with the fewest rows goes, the oldest of them first."""
AGAIN: Final = 256
"""The largest and the smallest labels are looked for once in so many removals, since each look is at all of them."""


@dataclass(frozen=True)
class Limits:
    """The bounds of a store."""

    rows_per_label: int = 2000
    background: int = 2000
    """Rows without a label."""
    bytes: int = 512 << 20
    """Of the file."""
    age_ns: int = 30 * 86_400 * 1_000_000_000
    client_share: float = 0.2
    """Of a label's rows, and of all bytes where the file is full; 1: no bound."""
    labels: int = MAX_LABELS


class Group:
    """The rows of one label."""

    def __init__(self) -> None:
        self.ids = array("q")
        self.sizes = array("I")
        self.clients: list[str] = []
        self.counts: Counter[str] = Counter()
        self.bytes = 0
        self._heavy: str | None = None
        self._unsure = True  # whether a client may be over its share that is not known yet

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, number: int, client: str, size: int) -> None:
        """A row more."""
        self.ids.append(number)
        self.sizes.append(size)
        self.clients.append(client)
        self.counts[client] += 1
        self.bytes += size

    def remove(self, at: int) -> tuple[int, str, int]:
        """The row at a place; id, client and size. The last one takes its place."""
        number, client, size = self.ids[at], self.clients[at], self.sizes[at]
        last, last_client, last_size = self.ids.pop(), self.clients.pop(), self.sizes.pop()
        if at < len(self.ids):
            self.ids[at], self.clients[at], self.sizes[at] = last, last_client, last_size
        self.counts[client] -= 1
        if not self.counts[client]:
            del self.counts[client]
        self.bytes -= size
        self._unsure = True
        return number, client, size

    def of(self, client: str, chance: Random) -> int:
        """The place of a row of this client, which has one."""
        start = chance.randrange(len(self.clients))
        try:
            return self.clients.index(client, start)
        except ValueError:
            return self.clients.index(client)

    def heavy(self, share: float) -> str | None:
        """A client that holds more than its share and one row; None: nobody."""
        most = share * len(self.ids) + 1
        if self._heavy is not None and self.counts[self._heavy] <= most:
            self._heavy, self._unsure = None, True
        if self._heavy is None and self._unsure:
            self._unsure = False
            client, rows = self.counts.most_common(1)[0]
            self._heavy = client if rows > most else None
        return self._heavy

    def swap(self, at: int, number: int, client: str, size: int) -> tuple[int, str, int]:
        """A row in the place of another one; what that was. The number of rows stays, so nobody's bound moves."""
        old = self.ids[at], self.clients[at], self.sizes[at]
        self.ids[at], self.clients[at], self.sizes[at] = number, client, size
        self.counts[client] += 1
        self.counts[old[1]] -= 1
        if not self.counts[old[1]]:
            del self.counts[old[1]]
        self.bytes += size - old[2]
        return old


class Index:
    """See the module."""

    def __init__(self, limits: Limits, chance: Random) -> None:
        self.limits = limits
        self.groups: dict[str | None, Group] = {}
        self.rows = 0
        self.bytes = 0
        """By the estimate of each row (`rows.bytes_of`)."""
        self._chance = chance
        self._clients: Counter[str] = Counter()  # bytes
        self._largest: str | None = None
        self._look_in = 0
        self._small: list[tuple[int, str]] = []

    def load(self, number: int, label: str | None, client: str, size: int) -> None:
        """A row that is there."""
        group = self.groups.get(label)
        if group is None:
            group = self.groups[label] = Group()
        group.add(number, client, size)
        self._account(client, size, 1)

    def place(self, number: int, label: str | None, client: str, size: int) -> list[int] | None:
        """Take a row in; the ids of those that go for it. None: it is not taken, its client holds its share of a full file."""
        limits = self.limits
        group = self.groups.get(label)
        rows = len(group) if group is not None else 0
        limit = limits.background if label is None else limits.rows_per_label
        if limit < 1:
            return None
        at: int | None = None
        fair = limits.client_share < 1 and rows >= min(FAIR_ROWS, limit)
        if group is not None and fair and group.counts[client] >= limits.client_share * rows:
            if group.counts[client]:
                at = group.of(client, self._chance)
        elif group is not None and fair and (heavy := group.heavy(limits.client_share)) is not None:
            at = group.of(heavy, self._chance)
        elif rows >= limit:
            at = self._chance.randrange(rows)
        if at is None and self.bytes + size > limits.bytes and self._holds_its_share(client):
            if group is None or not group.counts[client]:
                return None
            at = group.of(client, self._chance)
        if group is not None and at is not None:
            gone, other, freed = group.swap(at, number, client, size)
            self._account(other, -freed, -1)
            self._account(client, size, 1)
            return [gone]
        dropped = [] if group is not None else self._room_for_a_label()
        self.load(number, label, client, size)
        if self.bytes > limits.bytes:
            dropped += self.shrink(self.bytes - limits.bytes)
        return dropped

    def shrink(self, size: int) -> list[int]:
        """Free so many bytes, from the label that takes most, at random; the ids of the rows that go."""
        gone = []
        until = self.bytes - size
        while self.bytes > until and self.rows:
            label = self._largest_label()
            group = self.groups[label]
            gone.append(self._remove(label, self._chance.randrange(len(group))))
        return gone

    def trim(self) -> list[int]:
        """Bring what was loaded within bounds that were wider before; the ids of the rows that go."""
        gone = []
        for label, group in list(self.groups.items()):
            limit = self.limits.background if label is None else self.limits.rows_per_label
            for _ in range(len(group) - limit):
                gone.append(self._remove(label, self._chance.randrange(len(group))))
        return gone + self.shrink(max(0, self.bytes - self.limits.bytes))

    def forget(self, number: int, label: str | None) -> None:
        """A row that is there goes."""
        self._remove(label, self.groups[label].ids.index(number))

    def _holds_its_share(self, client: str) -> bool:
        limits = self.limits
        return limits.client_share < 1 and self._clients[client] > limits.client_share * self.bytes

    def _largest_label(self) -> str | None:
        if self._look_in <= 0 or self._largest not in self.groups:
            self._largest = max(self.groups, key=lambda label: self.groups[label].bytes)
            self._look_in = AGAIN if self.groups[self._largest].bytes > 1 << 20 else 1
        self._look_in -= 1
        return self._largest

    def _room_for_a_label(self) -> list[int]:
        """Ids of the rows of the label that goes for a new one."""
        if len(self.groups) - (None in self.groups) < self.limits.labels:
            return []
        while True:
            if not self._small:
                sizes = ((len(group), label) for label, group in self.groups.items() if label is not None)
                small = heapq.nsmallest(AGAIN, sizes, key=lambda each: each[0])
                self._small = [each for each in small if each[0] == small[0][0]][::-1]
            rows, label = self._small.pop()
            if label in self.groups and len(self.groups[label]) <= rows:
                return list(self._remove_all(label))

    def _remove_all(self, label: str) -> Iterator[int]:
        for _ in range(len(self.groups[label])):
            yield self._remove(label, 0)

    def _remove(self, label: str | None, at: int) -> int:
        group = self.groups[label]
        number, client, size = group.remove(at)
        if not group:
            del self.groups[label]
        self._account(client, -size, -1)
        return number

    def _account(self, client: str, size: int, rows: int) -> None:
        self.rows += rows
        self.bytes += size
        self._clients[client] += size
        if self._clients[client] <= 0:
            del self._clients[client]
