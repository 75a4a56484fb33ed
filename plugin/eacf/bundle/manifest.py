"""The manifest: JSON that says what the model is and how to use it, checked field by field."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eacf.bundle.archive import COPY
from eacf.bundle.document import identity
from eacf.bundle.fields import REBUILD, Table, text, whole
from eacf.bundle.labelmap import LabelMap
from eacf.errors import BundleError
from eacf.features import Features, from_spec
from eacf.flow import Needs

FORMATS = (1, 2)
"""What is read. Format 2 adds `slope`, `offset` and `known` to `calibration`; a bundle without them is written as format 1."""
LATER = ("slope", "offset", "known")
OPTIONAL = ("golden", "signature")
MAX_LABELS = 1024
MAX_GOLDEN = 16
NEEDS_MOST = 1 << 20
MAX_SERIAL = (1 << 53) - 1
"""Every JSON reader keeps a whole number up to this one."""
PURPOSES = ("serve", "shadow")


@dataclass(frozen=True, slots=True)
class Scale:
    """A tensor's quantisation: real value = scale * (byte - zero_point)."""

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class Golden:
    """Rows whose outputs are known: a model that answers otherwise runs on a runtime that computes wrongly."""

    inputs: tuple[bytes, ...]
    """Each a row of the features, flattened."""
    outputs: tuple[tuple[int, ...], ...]
    """The quantised outputs of each row."""
    tolerance: int
    """How far an output may be off: runtimes without XNNPACK round differently."""


@dataclass(frozen=True, slots=True)
class Member:
    """What the manifest says of another member of the file."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Signature:
    """Who answers for the bundle, and for what. Only read here; :func:`eacf.bundle.signing.verify` holds it against keys."""

    key: str
    """Id of the key: 16 hex digits."""
    serial: int
    """Above that of all that this key signed before: what is old is known by it."""
    purpose: str
    """What a worker is to do with it: "serve", or "shadow" (only score)."""
    value: str
    """64 bytes in base64."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """`document` is the JSON object as read; the rest is what it says, checked."""

    id: str
    """12 hex digits: SHA-256 of the canonical document without `id` and `signature`."""
    name: str
    version: str
    created: str
    """UTC, as in 2025-01-31T12:00:00Z."""
    labels: tuple[str, ...]
    background: bool
    """The model's last output is "none of these"; it is never a label."""
    features: Features
    needs: Needs
    label_map: LabelMap
    temperature: float
    """Logits are divided by it before softmax."""
    slope: float
    offset: float
    """Confidence is logistic(slope * logit(p) + offset) of the best label's probability p; 1 and 0, which change nothing, in format 1."""
    known: tuple[float, ...] | None
    """For each of `labels`, where it is the best one: below this probability of not being background the model abstains.
    None (format 1): background must not be more probable than the label."""
    thresholds: tuple[float, ...]
    """For each of `labels`: below this confidence the model abstains."""
    input: Scale
    output: Scale
    training: Mapping[str, Any]
    figures: Mapping[str, Any]
    libraries: Mapping[str, Any]
    members: Mapping[str, Member]
    golden: Golden | None
    signature: Signature | None
    document: Mapping[str, Any]

    @property
    def outputs(self) -> int:
        """How many outputs the model has."""
        return len(self.labels) + self.background


def read(document: dict[str, Any], *, strict: bool = False) -> Manifest:
    """Check `document` whole. `strict` refuses keys that the format does not know, which a reader must tolerate."""
    top = Table(document, "manifest")
    if (number := whole(top.get("format"), "manifest.format", 1, 1 << 31)) not in FORMATS:
        raise BundleError(f"manifest.format: is {number}, this eacf reads {FORMATS[0]} to {FORMATS[-1]}; update eacf")
    if (said := top.text("id", pattern="[0-9a-f]{12}")) != (real := identity(document)):
        raise BundleError(f"manifest.id: is {said}, its content has {real}: it was changed; {COPY}")
    labels = _labels(top)
    features = from_spec(top.get("features"))
    background = top.flag("background")
    calibration, quantisation = top.table("calibration"), top.table("quantisation")
    made = Manifest(
        id=said,
        name=top.text("name", pattern="[a-z0-9][a-z0-9._-]{0,63}"),
        version=top.text("version", most=40),
        created=_created(top),
        labels=labels,
        background=background,
        features=features,
        needs=_needs(top.table("needs"), features),
        label_map=_label_map(top),
        temperature=calibration.number("temperature", 0.01, 100),
        slope=calibration.number("slope", 0.01, 100) if number > 1 else 1.0,
        offset=calibration.number("offset", -100, 100) if number > 1 else 0.0,
        known=_by_label(calibration.table("known"), labels) if number > 1 else None,
        thresholds=_by_label(top.table("thresholds"), labels),
        input=_scale(quantisation.table("input"), 0, 255),
        output=_scale(quantisation.table("output"), -128, 255),
        training=top.table("training").value,
        figures=top.table("figures").value,
        libraries=top.table("libraries").value,
        members=_members(top.table("members")),
        golden=_golden(top.table("golden"), features, len(labels) + background) if "golden" in document else None,
        signature=_signature(top.table("signature")) if "signature" in document else None,
        document=document,
    )
    calibration.done()
    quantisation.done()
    top.asked.update(OPTIONAL)
    if strict:
        top.done()
    return made


def _labels(top: Table) -> tuple[str, ...]:
    where = top.at("labels")
    labels = tuple(
        text(label, f"{where}[{number}]", most=64) for number, label in enumerate(top.list("labels", MAX_LABELS))
    )
    if len(set(labels)) != len(labels):
        raise BundleError(f"{where}: holds a label twice; {REBUILD}")
    if len(labels) + top.flag("background") < 2:
        raise BundleError(f"{where}: a model needs two outputs at least; {REBUILD}")
    if not labels:
        raise BundleError(f"{where}: is empty; {REBUILD}")
    return labels


def _created(top: Table) -> str:
    created = top.text("created", pattern=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
    try:
        datetime.fromisoformat(created)
    except ValueError as error:
        raise BundleError(f"{top.at('created')}: {created} is no time; {REBUILD}") from error
    return created


def _needs(table: Table, features: Features) -> Needs:
    needs = Needs(
        payload_bytes=table.whole("payload_bytes", 0, NEEDS_MOST),
        window_bytes=table.whole("window_bytes", 0, NEEDS_MOST),
        records=table.whole("records", 0, NEEDS_MOST),
        chunks=table.flag("chunks"),
    )
    table.done()
    if needs != features.needs:
        raise BundleError(f"{table.where}: is not what features {features.name!r} need ({features.needs}); {REBUILD}")
    return needs


def _label_map(top: Table) -> LabelMap:
    table = top.table("label_map")
    rules = {rule: table.text(rule, most=64) for rule in table.value}
    return LabelMap(rules, table.where)


def _by_label(table: Table, labels: tuple[str, ...]) -> tuple[float, ...]:
    numbers = tuple(table.number(label, 0, 1) for label in labels)
    table.done()
    return numbers


def _scale(table: Table, least: int, most: int) -> Scale:
    scale = Scale(table.number("scale", 1e-12, 1e6), table.whole("zero_point", least, most))
    table.done()
    return scale


def _members(table: Table) -> dict[str, Member]:
    members = {}
    for name in table.value:
        entry = table.table(name)
        members[name] = Member(entry.text("sha256", pattern="[0-9a-f]{64}"), entry.whole("bytes", 0, 1 << 40))
        entry.done()
    return members


def _golden(table: Table, features: Features, outputs: int) -> Golden:
    rows = []
    for number, row in enumerate(table.list("inputs", MAX_GOLDEN)):
        where = f"{table.at('inputs')}[{number}]"
        try:
            rows.append(base64.b64decode(row, validate=True) if isinstance(row, str) else b"")
        except (binascii.Error, ValueError) as error:
            raise BundleError(f"{where}: is not base64; {REBUILD}") from error
        if len(rows[-1]) != math.prod(features.shape):
            raise BundleError(f"{where}: must be {math.prod(features.shape)} bytes in base64; {REBUILD}")
    answers = []
    for number, row in enumerate(table.list("outputs", MAX_GOLDEN)):
        where = f"{table.at('outputs')}[{number}]"
        if not isinstance(row, list) or len(row) != outputs:
            raise BundleError(f"{where}: must be a list of {outputs} numbers; {REBUILD}")
        answers.append(tuple(whole(value, where, -128, 255) for value in row))
    if len(rows) != len(answers) or not rows:
        raise BundleError(f"{table.where}: must hold as many outputs as inputs, one at least; {REBUILD}")
    tolerance = table.whole("tolerance", 0, 64)
    table.done()
    return Golden(tuple(rows), tuple(answers), tolerance)


def _signature(table: Table) -> Signature:
    """Keys beside these are left for a later eacf; the signature covers them."""
    return Signature(
        key=table.text("key", pattern="[0-9a-f]{16}"),
        serial=table.whole("serial", 1, MAX_SERIAL),
        purpose=table.text("purpose", pattern="|".join(PURPOSES)),
        value=table.text("value", pattern="[A-Za-z0-9+/]{86}=="),  # 64 bytes
    )
