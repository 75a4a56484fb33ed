"""Does payload say anything beyond its number of bytes? Each control takes something out of the flows; what is left, a model may use.

Every control keeps the number of payload bytes of each flow and the lengths of its chunks, so that padding begins where it began and
gaps stand where they stood; all but :func:`sizes` keep the gaps' values, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from eacf.flow import Sample

CONSTANT = 128
"""The middle of what a byte can be: neither padding (0) nor telling."""
NONCE = re.compile(rb"\0{6,}[^\0]")
"""A counter's bytes: at least six zeros, and the first that is none."""
ORIGINAL, LABELS = "original", "labels"
"""Nothing taken out; and the labels of the training flows shuffled, which leaves chance."""


def random(samples: Sequence[Sample], rng: np.random.Generator) -> list[Sample]:
    """Each payload replaced by as many random bytes: what ciphertext without any structure would be."""
    return [replace(sample, payload=rng.bytes(len(sample.payload))) for sample in samples]


def nonces(samples: Sequence[Sample], rng: np.random.Generator) -> list[Sample]:
    """As :func:`random`, but what looks like an explicit nonce of TLS 1.2 stays (RFC 5288, section 3).

    AES-GCM sends 8 bytes before the ciphertext of each record, in the clear; most implementations count there. So they show where
    records begin. Random bytes look like that once in 2^48 places.
    """
    taken = []
    for original, sample in zip(samples, random(samples, rng), strict=True):
        payload = bytearray(sample.payload)
        for found in NONCE.finditer(original.payload):
            payload[found.start() : found.end()] = found[0]
        taken.append(replace(sample, payload=bytes(payload)))
    return taken


def shuffled(samples: Sequence[Sample], rng: np.random.Generator) -> list[Sample]:
    """Each payload replaced by real ciphertext of other flows of whatever label, cut to the length.

    Flows stand in a random ring; each takes the payload of the next, and where that is too short, goes on with those after it.
    """
    ring = rng.permutation(len(samples))
    taken = list(samples)
    for place, row in enumerate(ring):
        length = len(samples[row].payload)
        parts: list[bytes] = []
        held = step = 0
        while held < length:
            step += 1
            other = ring[(place + step) % len(ring)]
            if other == row and not held:
                parts.append(bytes(length))  # a whole ring without a byte: only where no other flow has payload
                break
            if other != row:
                parts.append(samples[other].payload)
                held += len(parts[-1])
        taken[row] = replace(samples[row], payload=b"".join(parts)[:length])
    return taken


def constant(samples: Sequence[Sample], rng: np.random.Generator) -> list[Sample]:
    """Every payload byte the same: what is seen is where gaps stand (so how long chunks are) and where padding begins."""
    return [replace(sample, payload=bytes([CONSTANT]) * len(sample.payload)) for sample in samples]


def sizes(samples: Sequence[Sample], rng: np.random.Generator) -> list[Sample]:
    """As :func:`constant`, and every gap 0: how long chunks are, and nothing else."""
    return [
        replace(sample, chunks=[replace(chunk, gap_ns=0) for chunk in sample.chunks])
        for sample in constant(samples, rng)
    ]


CONTROLS: dict[str, Callable[[Sequence[Sample], np.random.Generator], list[Sample]]] = {
    "random": random,
    "nonces": nonces,
    "shuffled": shuffled,
    "constant": constant,
    "sizes": sizes,
}


def apply(name: str, samples: Sequence[Sample], seed: int) -> list[Sample]:
    """The samples under a control; ORIGINAL and LABELS leave them as they are."""
    if name in (ORIGINAL, LABELS):
        return list(samples)
    return CONTROLS[name](samples, np.random.default_rng((seed, 1 << 33)))
