"""The paper's representation (section III-A) and the halves that its Fig. 5 compares: payload alone, gaps alone.

The paper says that the time between two packets becomes "decimal values in a fixed size (e.g., 4 bytes)" after the
payload and leaves the rest open. Here a gap is 4 bytes: whole microseconds (rounded down), big-endian, saturating at
2^32 - 1. Microseconds, because that is what most captures resolve: milliseconds would turn nearly every gap within a
burst into 0, and nanoseconds would saturate at 4.3 s, where microseconds reach 71 minutes. Big-endian, as numbers in
network protocols are. Saturating, because a long gap that wrapped would look like a short one.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from eacf.features.base import MAX_WIDTH, Features, only, whole
from eacf.flow import Needs, Sample

GAP_BYTES = 4
GAP_MOST = (1 << 32) - 1
NS_PER_US = 1_000


class Paper(Features):
    """Each chunk's payload bytes, then its gap; cut, or filled up with zeros, to `len_bytes`. Row: (len_bytes,).

    The first chunk's gap is 0 by the contract and takes its 4 bytes like any other. Where chunks tell of more bytes
    than the payload holds (it was cut), the bytes end early and the gaps stay; bytes beyond the last chunk follow
    its gap.
    """

    name = "paper"
    version = 1

    def __init__(self, len_bytes: int = 3000) -> None:
        self.len_bytes = whole("len_bytes", len_bytes, 1, MAX_WIDTH)
        self.shape = (len_bytes,)
        # One chunk may fill the whole row, so no less payload than the row is long can be asked for.
        self.needs = Needs(payload_bytes=len_bytes, window_bytes=len_bytes, records=0, chunks=True)

    def parameters(self) -> dict[str, object]:
        return {"len_bytes": self.len_bytes}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, object]) -> Self:
        only(parameters, ["len_bytes"])
        return cls(whole("len_bytes", parameters["len_bytes"], 1, MAX_WIDTH))

    def lacks(self, sample: Sample) -> str | None:
        if not sample.chunks:
            return "chunks"
        held = len(sample.payload)
        if held < self.len_bytes and sum(chunk.length for chunk in sample.chunks) > held:
            return "payload"
        return None

    def fill(self, samples: Sequence[Sample], out: NDArray[np.uint8]) -> None:
        rows = b"".join([self._row(sample) for sample in samples])
        out[:] = np.frombuffer(rows, np.uint8).reshape(out.shape)

    def _row(self, sample: Sample) -> bytes:
        payload, room = sample.payload, self.len_bytes
        parts: list[bytes] = []
        at = length = 0
        for chunk in sample.chunks:
            end = at + chunk.length
            part = payload[at:end]
            micros = chunk.gap_ns // NS_PER_US
            if not 0 <= micros <= GAP_MOST:
                micros = 0 if micros < 0 else GAP_MOST
            parts += (part, micros.to_bytes(GAP_BYTES, "big"))
            at = end
            length += len(part) + GAP_BYTES
            if length >= room:
                break
        else:
            parts.append(payload[at : at + room])
        return b"".join(parts)[:room].ljust(room, b"\0")


class PayloadOnly(Features):
    """The first `len_bytes` payload bytes, filled up with zeros. Row: (len_bytes,)."""

    name = "payload"
    version = 1

    def __init__(self, len_bytes: int = 3000) -> None:
        self.len_bytes = whole("len_bytes", len_bytes, 1, MAX_WIDTH)
        self.shape = (len_bytes,)
        # Chunks would be shipped for nothing. This is not "records only", which takes payload_bytes 0 as well.
        self.needs = Needs(payload_bytes=len_bytes, window_bytes=len_bytes, records=0, chunks=False)

    def parameters(self) -> dict[str, object]:
        return {"len_bytes": self.len_bytes}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, object]) -> Self:
        only(parameters, ["len_bytes"])
        return cls(whole("len_bytes", parameters["len_bytes"], 1, MAX_WIDTH))

    def lacks(self, sample: Sample) -> str | None:
        held = len(sample.payload)
        if held == 0 or (held < self.len_bytes and sum(chunk.length for chunk in sample.chunks) > held):
            return "payload"
        return None

    def fill(self, samples: Sequence[Sample], out: NDArray[np.uint8]) -> None:
        room = self.len_bytes
        rows = b"".join([sample.payload[:room].ljust(room, b"\0") for sample in samples])
        out[:] = np.frombuffer(rows, np.uint8).reshape(out.shape)


class GapsOnly(Features):
    """The first `count` gaps, each as in :class:`Paper`, filled up with zeros. Row: (4 * count,).

    The first chunk has no chunk before it, so the first gap is the second chunk's. No end of a sample counts chunks;
    `window_bytes` is how much payload a sensor waits for before it lets the sample go.
    """

    name = "gaps"
    version = 1

    def __init__(self, count: int = 16, window_bytes: int = 3000) -> None:
        self.count = whole("count", count, 1, MAX_WIDTH // GAP_BYTES)
        self.window_bytes = whole("window_bytes", window_bytes, 1, MAX_WIDTH)
        self.shape = (count * GAP_BYTES,)
        self.needs = Needs(payload_bytes=0, window_bytes=window_bytes, records=0, chunks=True)

    def parameters(self) -> dict[str, object]:
        return {"count": self.count, "window_bytes": self.window_bytes}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, object]) -> Self:
        only(parameters, ["count", "window_bytes"])
        return cls(
            whole("count", parameters["count"], 1, MAX_WIDTH // GAP_BYTES),
            whole("window_bytes", parameters["window_bytes"], 1, MAX_WIDTH),
        )

    def lacks(self, sample: Sample) -> str | None:
        return None if sample.chunks else "chunks"

    def fill(self, samples: Sequence[Sample], out: NDArray[np.uint8]) -> None:
        flat: list[int] = []
        most = GAP_MOST * NS_PER_US
        for sample in samples:
            gaps = [min(max(chunk.gap_ns, 0), most) // NS_PER_US for chunk in sample.chunks[1 : self.count + 1]]
            flat += gaps
            if len(gaps) < self.count:
                flat += [0] * (self.count - len(gaps))
        packed = struct.pack(f">{len(flat)}I", *flat)
        out[:] = np.frombuffer(packed, np.uint8).reshape(out.shape)
