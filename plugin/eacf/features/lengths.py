"""What the lengths of a flow's first records say, whatever their order: by place, by side, the large ones, and sums.

Where in a flow a record stands depends on tickets, acknowledgements and who happened to speak first; that the client's first large
record has 1,203 bytes does not. Each value becomes one byte of 255 among zeros, as in :mod:`eacf.features.shape`. No payload byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from eacf.errors import SettingError
from eacf.features import bins
from eacf.features.base import Features, only, whole
from eacf.features.bins import ABSENT, MAX_BINS, MAX_VALUES, MIN_BINS, MOST, Binner, append, check_all
from eacf.flow import Needs, Sample

MAX_RECORDS = 64
LIMIT = MAX_RECORDS << 16
"""No edge lies beyond: it is more than all records of a sample can hold together."""
TOTALS = 6


@dataclass(frozen=True)
class Layout:
    """Which values are taken of the first `records` lengths, in this order; a length is positive from the originator."""

    records: int = 8
    """Records that are looked at."""
    places: int = 4
    """Lengths of the first so many."""
    sides: int = 3
    """Lengths of the first so many from the originator, then of as many from the responder."""
    large: int = 2
    """Lengths of the first so many above `large_bytes` from the originator, then of as many from the responder."""
    large_bytes: int = 100
    """Acknowledgements, settings and tickets are shorter."""
    totals: bool = True
    """Bytes of all records of the originator, of the responder; how many; the longest of each. 0 where there are none."""

    def __post_init__(self) -> None:
        """Raises SettingError."""
        whole("records", self.records, 1, MAX_RECORDS)
        for name in ("places", "sides", "large"):
            whole(name, getattr(self, name), 0, self.records)
        whole("large_bytes", self.large_bytes, 0, 1 << 16)
        if not isinstance(self.totals, bool):
            raise SettingError(f"parameter 'totals' is {type(self.totals).__name__}; allowed: true, false")
        if not 1 <= self.values <= MAX_VALUES:
            raise SettingError(f"lengths has {self.values} values; allowed: 1 to {MAX_VALUES}")

    @property
    def values(self) -> int:
        """How many there are."""
        return self.places + 2 * self.sides + 2 * self.large + TOTALS * self.totals

    def of(self, table: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n, values) of a table (n, records) of signed lengths, ABSENT beyond the end of a flow."""
        orig, resp = table > 0, (table < 0) & (table != ABSENT)
        parts = [table[:, : self.places]]
        if self.sides:
            parts.append(first(table, np.stack((orig, resp)), self.sides))
        if self.large:
            large = np.stack((table > self.large_bytes, (table < -self.large_bytes) & resp))
            parts.append(first(table, large, self.large))
        if self.totals:
            own = np.stack((np.where(orig, table, 0), np.where(resp, -table, 0)))
            totals = np.stack((own.sum(axis=2), np.count_nonzero(own, axis=2), own.max(axis=2)))
            parts.append(totals.reshape(TOTALS, len(table)).T)
        return np.concatenate(parts, axis=1)


def first(table: NDArray[np.int64], chosen: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """(n, k * count) for each of k choices (k, n, records) the first `count` of a row that it has, ABSENT where there are fewer."""
    order = np.argsort(~chosen, axis=2, kind="stable")[:, :, :count]
    values = np.take_along_axis(table[None], order, axis=2)
    values[np.arange(count) >= np.count_nonzero(chosen, axis=2)[:, :, None]] = ABSENT
    flat: NDArray[np.int64] = values.transpose(1, 0, 2).reshape(len(table), len(chosen) * values.shape[2])
    return flat


def tabulated(flows: Sequence[Sequence[int]], records: int) -> NDArray[np.int64]:
    """(n, records) signed lengths of flows, ABSENT beyond the end of one."""
    flat: list[int] = []
    for lengths in flows:
        append(flat, lengths, records)
    values = bins.table(flat, records)
    return np.clip(values, ABSENT, MOST, out=values)


class Lengths(Features):
    """One-hot, `bins` bytes a value, in the order of :class:`Layout`. Row: (values * bins,). `edges`: those of each value."""

    name = "lengths"
    version = 1

    def __init__(self, layout: Layout, edges: Sequence[Sequence[int]], *, bins: int = 64) -> None:
        self.layout = layout
        self.bins = whole("bins", bins, MIN_BINS, MAX_BINS)
        self.edges = check_all("edges", edges, bins, LIMIT)
        if len(self.edges) != layout.values:
            raise SettingError(f"parameter 'edges' has {len(self.edges)} lists; the layout has {layout.values} values")
        self.shape = (layout.values * bins,)
        self.needs = Needs(payload_bytes=0, records=layout.records, chunks=False)
        self._binner = Binner(self.edges, bins)

    def parameters(self) -> dict[str, object]:
        return {**asdict(self.layout), "bins": self.bins, "edges": [list(each) for each in self.edges]}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, object]) -> Self:
        layout = [field.name for field in fields(Layout)]
        only(parameters, (*layout, "bins", "edges"))
        count = whole("bins", parameters["bins"], MIN_BINS, MAX_BINS)
        given: dict[str, Any] = {name: parameters[name] for name in layout}  # Layout checks what they are
        return cls(Layout(**given), check_all("edges", parameters["edges"], count, LIMIT), bins=count)

    def lacks(self, sample: Sample) -> str | None:
        return None if sample.records else "records"

    def fill(self, samples: Sequence[Sample], out: NDArray[np.uint8]) -> None:
        self.fill_table(tabulated([sample.records for sample in samples], self.layout.records), out)

    def fill_table(self, table: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
        """The same from a table (n, records) of lengths, as a trainer holds them."""
        self.fill_values(self.layout.of(table), out)

    def fill_values(self, values: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
        """The same from (n, values) of :meth:`Layout.of`, which are overwritten."""
        self._binner.fill(values, out)
