"""Samples in, verdicts out: a bundle, its features and a TensorFlow Lite runtime behind one class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eacf import bundle as bundles
from eacf.bundle import Bundle
from eacf.errors import SettingError
from eacf.flow import Sample
from eacf.inference import probing
from eacf.inference.network import MAX_BATCH, Network
from eacf.inference.runtime import choose
from eacf.verdict import Verdict

__all__ = ["MAX_BATCH", "Model", "load"]

CERTAIN = 1e-6
"""Probabilities are kept so far from 0 and 1 before their odds are taken, here as in calibration."""
ROW_NUMBERS = np.arange(MAX_BATCH)


class Model:
    """A bundle ready to serve. For one thread at a time; `threads` is how many the runtime itself may use."""

    bundle: Bundle
    runtime: str
    """Package and version, as in ``ai-edge-litert 2.3.0``."""

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        """Raises BundleError if the model is not what the manifest says or cannot run, SettingError without
        a runtime or threads."""
        if threads < 1:
            raise SettingError(f"threads is {threads}; allowed: 1 or more")
        runtime = choose()
        self.bundle, self.runtime = bundle, str(runtime)
        self._network = Network(bundle, runtime, threads)
        manifest = bundle.manifest
        self._thresholds = np.array(manifest.thresholds)
        # Softmax of quantised logits has 256 possible terms: e to the minus (how far below the row's greatest).
        self._terms = np.exp(-np.arange(256) * (manifest.output.scale / manifest.temperature))
        self._slope, self._offset = manifest.slope, manifest.offset
        self._known = None if manifest.known is None else np.array(manifest.known)
        self._rows = np.zeros((MAX_BATCH, *bundle.features.shape), np.uint8)

    @property
    def invoke_s(self) -> float:
        """Seconds that the runtime took so far, its trial at the start included."""
        return self._network.invoke_s

    def scores(self, samples: Sequence[Sample]) -> NDArray[np.float32]:
        """(n, labels), one more column last where the bundle has a background: probabilities, by softmax with the bundle's
        temperature. (A verdict's confidence may be calibrated further: `slope` and `offset` of the manifest.)

        What a sample lacks is not asked here (:meth:`verdicts` does): its row is scored as the features encode it.
        """
        parts = [self._probabilities(part) for part in _batches(samples)]
        empty = np.zeros((0, self.bundle.manifest.outputs))
        return np.concatenate([empty, *parts]).astype(np.float32)

    def verdicts(self, samples: Sequence[Sample]) -> list[Verdict]:
        """A verdict for each sample, in their order. Any number of samples; MAX_BATCH at once is cheapest."""
        lacks = self.bundle.features.lacks
        fit = [sample for sample in samples if lacks(sample) is None]
        answers = [verdict for part in _batches(fit) for verdict in self._answer(part)]
        if len(fit) == len(samples):
            return answers
        given = iter(answers)
        return [next(given) if lacks(sample) is None else self._refuse(sample) for sample in samples]

    def _answer(self, samples: Sequence[Sample]) -> list[Verdict]:
        probabilities = self._probabilities(samples)
        labels, model, sni_label = self.bundle.labels, self.bundle.id, self.bundle.manifest.label_map.label
        best = probabilities[:, : len(labels)].argmax(axis=1)
        greatest = probabilities[ROW_NUMBERS[: len(samples)], best]
        confidence = self._confidence(greatest)
        sure = confidence >= self._thresholds[best]
        if self._known is not None:
            sure &= self._rest(probabilities) >= self._known[best]
        elif self.bundle.manifest.background:
            sure &= greatest >= probabilities[:, -1]
        return [
            Verdict(sample.uid, labels[number], probability, model, None, sni_label(sample.server_name))
            if certain
            else Verdict(sample.uid, None, probability, model, "abstained", sni_label(sample.server_name))
            for sample, number, probability, certain in zip(
                samples, best.tolist(), confidence.tolist(), sure.tolist(), strict=True
            )
        ]

    def _rest(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) how probable it is that the flow is of some label; without a background output, the best label's probability."""
        if not self.bundle.manifest.background:
            best: NDArray[np.float64] = probabilities.max(axis=1)
            return best
        rest: NDArray[np.float64] = 1 - probabilities[:, -1]
        return rest

    def _confidence(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """logistic(slope * logit(p) + offset), as calibration chose them; p itself for 1 and 0."""
        if (self._slope, self._offset) == (1.0, 0.0):
            return probability
        kept = np.clip(probability, CERTAIN, 1 - CERTAIN)
        confidence: NDArray[np.float64] = 1 / (1 + np.exp(-self._offset) * (kept / (1 - kept)) ** -self._slope)
        return confidence

    def _refuse(self, sample: Sample) -> Verdict:
        return Verdict(sample.uid, None, 0.0, self.bundle.id, "refused", self.bundle.sni_label(sample.server_name))

    def _probabilities(self, samples: Sequence[Sample]) -> NDArray[np.float64]:
        """(n, outputs) for n up to MAX_BATCH."""
        rows = self.bundle.features.encode(samples, self._rows[: len(samples)])
        logits: NDArray[Any] = self._network.invoke(rows)
        # Modulo 256 the difference is right for int8 as well as for uint8.
        below = (logits.max(axis=1, keepdims=True) - logits).view(np.uint8)
        terms: NDArray[np.float64] = self._terms[below]
        terms /= terms.sum(axis=1, keepdims=True)
        return terms


def load(path: str | Path, *, threads: int = 1, probe: bool = False) -> Model:
    """Read a bundle, check it and make it ready to serve. Raises BundleError.

    `probe` has a process of its own try it first, for a worker that must outlive a model which crashes the runtime.
    """
    data = bundles.read_file(path)
    if probe:
        probing.probe(data, str(path))
    return Model(bundles.from_bytes(data, str(path)), threads=threads)


def _batches(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    return [samples[begin : begin + MAX_BATCH] for begin in range(0, len(samples), MAX_BATCH)]
