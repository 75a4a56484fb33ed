"""``eacf bundle``: what one says of itself; sign one."""

from __future__ import annotations

import argparse
import json
import time
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

SIGN = """\
Write the bundle with a signature by this key; one that it had goes. Its id stays. Each signature has a serial
above all before it of the key, and a worker takes no older one: so the bundle that is signed last is pushed
last, and one that was overtaken must be signed again."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    bundle = commands.add_parser(
        "bundle", help="look into a bundle, or sign it", description="A model with its manifest."
    )
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
    show.add_argument(
        "--trusted-keys", type=Path, metavar="FILE", help="fail unless one of these public keys signed it (or a folder)"
    )
    show.set_defaults(run=run_show)
    sign = actions.add_parser(
        "sign",
        help="sign a bundle, so that workers take it",
        description=SIGN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sign.add_argument("file", metavar="FILE", help="a bundle (.eacf), or a shipped one: public, testbed")
    sign.add_argument("--key", type=Path, required=True, metavar="NAME.key", help="a private key of `eacf keys new`")
    sign.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the signed one goes; may be FILE")
    sign.add_argument(
        "--shadow", action="store_true", help="workers shall let it score beside what serves, not serve it"
    )
    sign.set_defaults(run=run_sign)


def run_show(options: argparse.Namespace) -> int:
    """Load, which checks, and print."""
    import eacf.bundle

    bundle = eacf.bundle.load(_found(options.file))
    if options.trusted_keys is not None:
        from eacf.bundle.signing import verify
        from eacf.keys import Trusted

        verify(bundle.manifest, Trusted.read(options.trusted_keys))
    if options.json:
        print(json.dumps(bundle.manifest.document, indent=2))
        return 0
    rows = list(_rows(bundle, checked=options.trusted_keys is not None))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
    return 0


def run_sign(options: argparse.Namespace) -> int:
    """Sign, write, and say by whom."""
    import eacf.bundle
    from eacf.bundle import signing
    from eacf.files import replace
    from eacf.keys import PrivateKey, next_serial

    path = _found(options.file)
    key = PrivateKey.read(options.key)
    data = eacf.bundle.read_file(path)
    made = eacf.bundle.from_bytes(data, str(path))  # before a serial is spent on it
    serial = next_serial(options.key, time.time())
    purpose = "shadow" if options.shadow else "serve"
    replace(options.out, signing.sign(data, key, serial=serial, purpose=purpose))
    print(f"{options.out}: bundle {made.id} ({made.name} {made.version}), key {key.id}, serial {serial}, to {purpose}")
    return 0


def _found(name: str | Path | None) -> Path:
    """The bundle's file; SettingError where there is none."""
    import eacf.bundle

    path = eacf.bundle.find(name)
    if not path.exists():
        shipped = ", ".join(eacf.bundle.shipped())
        raise SettingError(f"{path}: no such file; name a bundle (.eacf), or a shipped one: {shipped}")
    return path


def _rows(bundle: Bundle, *, checked: bool) -> Iterator[tuple[str, str]]:
    manifest = bundle.manifest
    needs = manifest.needs
    yield "file", bundle.source
    yield "id", manifest.id
    yield "name", f"{manifest.name} {manifest.version}"
    yield "created", manifest.created
    if (signature := manifest.signature) is not None:
        seen = "checked" if checked else "not checked here (--trusted-keys)"
        yield "signed", f"by key {signature.key}, serial {signature.serial}, to {signature.purpose}; {seen}"
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
