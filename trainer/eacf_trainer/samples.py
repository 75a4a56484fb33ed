"""Captures to labelled samples, with a recording (`eacf.recording`) between, gzipped.

One pass of the collector takes both cuts of each connection. A label is what the label map says of the server name, as the paper
labels by SNI (III-A-3), so a recording from a real sensor (``eacf record``) does as well.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from eacf.bundle.labelmap import LabelMap
from eacf.collector import collect
from eacf.flow import Needs, Sample
from eacf.recording import line
from eacf.wire import Flows, decode_message, flow_topic, verdict_topic
from eacf_trainer.config import Way

CUTS: Mapping[Way, Needs] = {"stream": Needs(), "records": Needs(payload_bytes=0, records=16, chunks=False)}
"""What each way asks of the collector: the contract's default, and its cheap way."""
TOPIC, SENDER = flow_topic("0" * 12), "eacf-trainer"
REPLY_TO = verdict_topic(SENDER).decode()
FAST = 1
"""gzip level: payload does not compress."""


@dataclass
class Labelled:
    """Samples and their labels, side by side."""

    samples: list[Sample] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    """None: the label map has no label for the server name, which makes it background traffic."""

    def __len__(self) -> int:
        return len(self.samples)

    def only(self, keep: Iterable[int]) -> Labelled:
        """Those of the given positions."""
        places = list(keep)
        return Labelled([self.samples[place] for place in places], [self.labels[place] for place in places])

    def known(self) -> Labelled:
        """Those with a label."""
        return self.only(place for place, label in enumerate(self.labels) if label is not None)

    def background(self) -> Labelled:
        """Those without."""
        return self.only(place for place, label in enumerate(self.labels) if label is None)


def record(capture: Path, out: Path) -> None:
    """Collect `capture` once; its samples of each cut go to ``out/<capture's stem>.<way>.jsonl.gz``."""
    gathered: dict[Way, list[Sample]] = {way: [] for way in get_args(Way)}
    for each in collect(capture, CUTS["stream"], also=CUTS["records"]):
        gathered["records" if each.also else "stream"].append(each.sample)
    out.mkdir(parents=True, exist_ok=True)
    for way, samples in gathered.items():
        write(recording(out, capture, way), samples)


def recording(out: Path, capture: Path, way: Way) -> Path:
    """Where the samples of a capture lie."""
    return out / f"{capture.stem}.{way}.jsonl.gz"


def write(path: Path, samples: Iterable[Sample]) -> None:
    """Write a recording: beside `path` first, so that a kill leaves no half of one."""
    beside = path.with_name(f".{path.name}")
    with beside.open("wb") as raw, gzip.GzipFile("", "wb", FAST, raw, mtime=0) as file:
        for sample in samples:
            file.write(line(TOPIC, SENDER, REPLY_TO, sample))
    beside.replace(path)


def read(paths: Iterable[Path], label_map: Mapping[str, str]) -> Labelled:
    """The samples of recordings (ours, a replay's or a tap's), in order, labelled by `label_map` (rules as in a bundle).

    A sample without server name is left out: it may be of any label, so it is no background traffic.
    """
    rules = LabelMap(dict(label_map), "label_map")
    result = Labelled()
    for path in paths:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="ascii") as lines:
            for each in lines:
                message = decode_message(bytes.fromhex(json.loads(each)["body_hex"]))
                if isinstance(message, Flows):
                    named = [sample for sample in message.samples if sample.server_name is not None]
                    result.samples += named
                    result.labels += [rules.label(sample.server_name) for sample in named]
    return result


def joined(parts: Sequence[Labelled]) -> Labelled:
    """All of `parts`, one after the other."""
    result = Labelled()
    for part in parts:
        result.samples += part.samples
        result.labels += part.labels
    return result


def ways(needs: Needs) -> list[Way]:
    """The cuts that a model with these needs can work with."""
    return ["records", "stream"] if needs.records_only else ["stream"]
