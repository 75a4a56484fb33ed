"""``eacf bundle show``: what a bundle says of itself."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from eacf.errors import SettingError
from eacf.logs import tsv_string

if TYPE_CHECKING:
    from eacf.bundle import Bundle

DESCRIPTION = """\
Check a bundle whole (hashes, shapes, limits) and show what it says of itself. Without FILE: the bundle
that a worker serves unless told otherwise."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    bundle = commands.add_parser("bundle", help="look into a bundle", description="A model with its manifest.")
    actions = bundle.add_subparsers(title="actions", metavar="ACTION", required=True)
    show = actions.add_parser(
        "show",
        help="check a bundle and show its manifest",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    show.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="a bundle (.eacf), or a shipped one: public, testbed"
    )
    show.add_argument("--json", action="store_true", help="the manifest as JSON, as it lies in the bundle")
    show.set_defaults(run=run_show)


def run_show(options: argparse.Namespace) -> int:
    """Load, which checks, and print."""
    import eacf.bundle

    path = eacf.bundle.find(options.file)
    if not path.exists():
        shipped = ", ".join(eacf.bundle.shipped())
        raise SettingError(f"{path}: no such file; name a bundle (.eacf), or a shipped one: {shipped}")
    bundle = eacf.bundle.load(path)
    if options.json:
        print(json.dumps(bundle.manifest.document, indent=2))
        return 0
    rows = list(_rows(bundle))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
    return 0


def _rows(bundle: Bundle) -> Iterator[tuple[str, str]]:
    manifest = bundle.manifest
    needs = manifest.needs
    yield "file", bundle.source
    yield "id", manifest.id
    yield "name", f"{manifest.name} {manifest.version}"
    yield "created", manifest.created
    yield "labels", ", ".join(manifest.labels) + (" (or none of these)" if manifest.background else "")
    yield "features", _features(bundle)
    if needs.records_only:
        yield "needs", f"lengths of the first {needs.records or 8} records, no payload"
    else:
        records = f", up to {needs.records} records" if needs.records else ""
        yield "needs", f"{needs.payload_bytes} bytes of payload of a window of {needs.window_bytes}{records}"
    yield (
        "thresholds",
        ", ".join(
            f"{label} {threshold:.2f}" for label, threshold in zip(manifest.labels, manifest.thresholds, strict=True)
        ),
    )
    yield "model", f"{len(bundle.model):,} bytes, int8"
    for name, table in (
        ("trained on", manifest.training),
        ("figures", manifest.figures),
        ("made with", manifest.libraries),
    ):
        if table:
            yield name, ", ".join(f"{tsv_string(key)} {_short(value)}" for key, value in table.items())


def _features(bundle: Bundle) -> str:
    features = bundle.features
    shape = " x ".join(str(size) for size in features.shape)
    return f"{features.name} version {features.version}, {shape} bytes a flow"


def _short(value: object) -> str:
    """A value of a table that nobody checks, on one line; what is nested is left to --json."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict | list):
        return f"({len(value)}, see --json)"
    return tsv_string(str(value))
