"""Testbed captures and their samples, kept as files and made again only when what makes them has changed."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from eacf import collector, tls
from eacf_trainer import samples, testbed
from eacf_trainer.config import CaptureSet, Plan, Way
from eacf_trainer.samples import Labelled

PURPOSES = ("training", "validation", "evaluation")
Say = Callable[[str], None]


def prepare(plan: Plan, folder: Path, say: Say) -> dict[str, list[Path]]:
    """Generate and collect whatever of `plan` is not in `folder` yet; the captures' paths by purpose.

    Samples lie in a folder named by :func:`source_hash`, so that old ones are never taken for new ones.
    """
    home = folder / source_hash()
    home.mkdir(parents=True, exist_ok=True)
    return {purpose: _prepared(getattr(plan, purpose), home, purpose, say) for purpose in PURPOSES}


def _prepared(wanted: CaptureSet, home: Path, purpose: str, say: Say) -> list[Path]:
    captures = []
    for number, seed in enumerate(wanted.seeds):
        conditions = wanted.conditions[number % len(wanted.conditions)]
        sites = wanted.sites[number % len(wanted.sites)]
        share = wanted.background_share
        capture = home / f"{seed}-{conditions}-{sites}-{wanted.connections}-{share:g}.pcap"
        captures.append(capture)
        if all(samples.recording(home, capture, way).exists() for way in get_args(Way)):
            continue
        say(f"{purpose}: capture {number + 1} of {len(wanted.seeds)} (seed {seed}, path {conditions}, sites {sites})")
        testbed.generate(
            capture,
            seed=seed,
            connections=wanted.connections,
            conditions=conditions,
            sites=sites,
            background_share=share,
        )
        samples.record(capture, home)
        capture.unlink()  # samples are a hundredth of it
    return captures


def read(captures: Mapping[str, list[Path]], label_map: Mapping[str, str]) -> dict[str, dict[Way, Labelled]]:
    """Samples by purpose and cut."""
    return {
        purpose: {
            way: samples.read((samples.recording(path.parent, path, way) for path in paths), label_map)
            for way in get_args(Way)
        }
        for purpose, paths in captures.items()
    }


def source_hash() -> str:
    """12 hex digits of what decides a sample: the source of testbed and collector, file by file, and OpenSSL's version."""
    digest = hashlib.sha256(ssl.OPENSSL_VERSION.encode())
    packages = (Path(testbed.__file__).parent, Path(collector.__file__).parent)
    for path in (Path(tls.__file__), *(path for package in packages for path in sorted(package.rglob("*.py")))):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def summary(plan: Plan, read: Mapping[str, Mapping[Way, Labelled]]) -> dict[str, Any]:
    """What a manifest says of the captures: where from, how many flows of each purpose."""
    described: dict[str, Any] = json.loads(json.dumps(asdict(plan)))
    for purpose, ways in read.items():
        described[purpose]["flows"] = {way: len(flows.known()) for way, flows in ways.items()}
        described[purpose]["background_flows"] = {way: len(flows.background()) for way, flows in ways.items()}
    return {"data": "testbed (made-up applications)", "captures": described}
