"""The shape of a flow, without any payload byte: lengths of its first records, sizes of its first chunks, gaps.

Each value becomes one byte of 255 among zeros (one-hot over bins learnt from data), which a dense layer sees as finely
as the bins are, and which int8 quantisation does not harm: with input scale 1/255 and zero point 0 the network sees
exactly 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from eacf.errors import SettingError
from eacf.features import bins as binning
from eacf.features.base import MAX_WIDTH, Features, only, whole
from eacf.features.bins import MAX_BINS, MAX_VALUES, MIN_BINS, Binner, append, check_all
from eacf.flow import Chunk, Needs, Sample

OCTAVE = 16  # steps of the log scale for one doubling of a gap
NS_PER_US = 1_000
KEYS = ("bins", "record_bins", "chunk_bins", "gap_bins", "window_bytes")


class Shape(Features):
    """One-hot, `bins` bytes a value: records, then chunks, then gaps. Row: (values * bins,).

    `record_bins`, `chunk_bins` and `gap_bins` hold the edges of each value; their lengths say how many values are used.
    A record is its signed length, a chunk its signed size (+ from the originator), a gap :func:`log_step` of the
    second chunk's and those after it. A longer sample's beginning is used, whatever it was cut for.
    """

    name = "shape"
    version = 1

    def __init__(
        self,
        record_bins: Sequence[Sequence[int]],
        chunk_bins: Sequence[Sequence[int]] = (),
        gap_bins: Sequence[Sequence[int]] = (),
        *,
        bins: int = 64,
        window_bytes: int = 3000,
    ) -> None:
        """`window_bytes`: payload that a sensor waits for; it means nothing while records alone are asked for."""
        self.bins = whole("bins", bins, MIN_BINS, MAX_BINS)
        self.window_bytes = whole("window_bytes", window_bytes, 1, MAX_WIDTH)
        self.record_bins = check_all("record_bins", record_bins, bins)
        self.chunk_bins = check_all("chunk_bins", chunk_bins, bins)
        self.gap_bins = check_all("gap_bins", gap_bins, bins)
        self.records, self.chunks, self.gaps = len(record_bins), len(chunk_bins), len(gap_bins)
        values = self.records + self.chunks + self.gaps
        if not 1 <= values <= MAX_VALUES:
            raise SettingError(
                f"shape has {values} values; allowed: 1 to {MAX_VALUES} records, chunks and gaps together"
            )
        self.shape = (values * bins,)
        if self.chunks or self.gaps:
            self.needs = Needs(payload_bytes=0, window_bytes=window_bytes, records=0, chunks=True)
        else:
            self.needs = Needs(payload_bytes=0, window_bytes=window_bytes, records=self.records, chunks=False)
        self._binner = Binner((*self.record_bins, *self.chunk_bins, *self.gap_bins), self.bins)

    @classmethod
    def fit(
        cls,
        samples: Iterable[Sample],
        *,
        records: int = 8,
        chunks: int = 0,
        gaps: int = 0,
        bins: int = 64,
        window_bytes: int = 3000,
    ) -> Self:
        """Learn the bins of the first `records` records, `chunks` chunks and `gaps` gaps from `samples`."""
        columns: list[list[int]] = [[] for _ in range(records + chunks + gaps)]
        for sample in samples:
            for number, value in enumerate(sample.records[:records]):
                columns[number].append(value)
            for number, value in enumerate(map(signed, sample.chunks[:chunks]), records):
                columns[number].append(value)
            for number, chunk in enumerate(sample.chunks[1 : gaps + 1], records + chunks):
                columns[number].append(log_step(chunk.gap_ns))
        learnt = [binning.learn(column, bins) for column in columns]
        return cls(
            learnt[:records],
            learnt[records : records + chunks],
            learnt[records + chunks :],
            bins=bins,
            window_bytes=window_bytes,
        )

    def parameters(self) -> dict[str, object]:
        return {
            "bins": self.bins,
            "record_bins": [list(edges) for edges in self.record_bins],
            "chunk_bins": [list(edges) for edges in self.chunk_bins],
            "gap_bins": [list(edges) for edges in self.gap_bins],
            "window_bytes": self.window_bytes,
        }

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, object]) -> Self:
        only(parameters, KEYS)
        bins = whole("bins", parameters["bins"], MIN_BINS, MAX_BINS)
        record_bins, chunk_bins, gap_bins = (check_all(key, parameters[key], bins) for key in KEYS[1:4])
        window_bytes = whole("window_bytes", parameters["window_bytes"], 1, MAX_WIDTH)
        return cls(record_bins, chunk_bins, gap_bins, bins=bins, window_bytes=window_bytes)

    def lacks(self, sample: Sample) -> str | None:
        if self.records and not sample.records:
            return "records"
        if (self.chunks or self.gaps) and not sample.chunks:
            return "chunks"
        return None

    def fill(self, samples: Sequence[Sample], out: NDArray[np.uint8]) -> None:
        self._binner.fill(self._values(samples), out)

    def _values(self, samples: Sequence[Sample]) -> NDArray[np.int64]:
        """(n, values): what each position holds, ABSENT where a sample ends before."""
        flat: list[int] = []
        records, chunks, gaps = self.records, self.chunks, self.gaps
        for sample in samples:
            append(flat, sample.records, records)
            if chunks:
                append(flat, [signed(chunk) for chunk in sample.chunks[:chunks]], chunks)
            if gaps:
                append(flat, [log_step(chunk.gap_ns) for chunk in sample.chunks[1 : gaps + 1]], gaps)
        return binning.table(flat, records + chunks + gaps)


def signed(chunk: Chunk) -> int:
    """Size of a chunk, positive from the originator."""
    return chunk.length if chunk.is_orig else -chunk.length


def log_step(gap_ns: int) -> int:
    """A gap on a log scale: 16 steps for each doubling of 1 + its microseconds, so 4.4 % a step; 0 for none."""
    return int(math.log2(1 + max(gap_ns, 0) / NS_PER_US) * OCTAVE)
