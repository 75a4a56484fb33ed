"""A dataset's connections, labelled: which of them a fit may use, and for what.

One row here is one connection, whatever cuts the dataset has of it. Labels come from a label map; those with too few flows or captures
are not learnt, and it is said why.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from eacf.errors import EacfError
from eacf.labels import LabelRules
from eacf_trainer import splits
from eacf_trainer.dataset import Dataset
from eacf_trainer.predictions import UNKNOWN
from eacf_trainer.recipe import Cut, Labels, Protocol

COLUMNS = (
    "cut",
    "connection",
    "capture",
    "start_ns",
    "orig_h",
    "orig_p",
    "resp_h",
    "resp_p",
    "server_name",
    "tls_version",
)
ABSENT = -1
"""Row of a connection that the dataset does not have in a cut."""
TELLING_BYTES = 256
"""Of payload: what two captures share if they hold copies of one connection. Ciphertext does not repeat by chance."""
LEAST_LABELS = 2


class FlowsError(EacfError, ValueError):
    """A dataset that nothing can be learnt from. The message says what is missing and the remedy."""


@dataclass(frozen=True)
class Flows:
    """Connections that a fit looks at, in the dataset's order. All arrays and tuples without other word are (n,)."""

    labels: tuple[str, ...]
    """(labels,) those that are learnt, sorted."""
    refused: Mapping[str, str]
    """Labels that are not, and why."""
    wanted: NDArray[np.int64]
    """Number of the label; UNKNOWN: a label that is not learnt, or a server name that has none."""
    names: tuple[str | None, ...]
    """Label, learnt or not."""
    rows: Mapping[Cut, NDArray[np.int64]]
    """Row of the dataset in each cut, or ABSENT."""
    connection: NDArray[np.int64]
    """The dataset's number of it."""
    captures: tuple[str, ...]
    clients: tuple[str, ...]
    server_names: tuple[str, ...]
    tls_versions: tuple[int | None, ...]
    start_ns: NDArray[np.int64]
    copies: NDArray[np.int64]
    """Group of captures: those that hold copies of one connection are one."""

    def __len__(self) -> int:
        return len(self.wanted)

    @property
    def known(self) -> NDArray[np.bool_]:
        """The label is learnt."""
        known: NDArray[np.bool_] = self.wanted != UNKNOWN
        return known

    def groups(self, protocol: Protocol) -> NDArray[np.int64]:
        """What `protocol` keeps whole, by number."""
        if protocol == "grouped":
            return self.copies
        if protocol == "environment":
            return numbered([splits.environment(capture) for capture in self.captures])
        if protocol == "client":
            return numbered(self.clients)
        return np.arange(len(self))

    def folds(self, protocol: Protocol, count: int, seed: int, test_share: float) -> NDArray[np.int64]:
        """Fold of each connection. What is unknown counts as one more label, so that every fold has background, too."""
        if protocol == "random":
            return splits.random_folds(self.wanted, count, seed)
        if protocol == "time":
            return splits.time_folds(self.start_ns, test_share)
        return splits.grouped_folds(self.wanted, self.groups(protocol), count, seed)


def read(dataset: Dataset, rules: LabelRules, settings: Labels) -> Flows:
    """The connections of `dataset` that have a server name. Raises FlowsError if fewer than two labels can be learnt.

    A connection without a server name may be of any label, so it is no background traffic either: it is left out.
    """
    table = dataset.table(COLUMNS)
    columns: dict[str, list[Any]] = {name: table.column(name).to_pylist() for name in COLUMNS}
    first, rows = _connections(columns)
    if not first:
        raise FlowsError(
            f"{dataset.folder}: has no connection with a server name ({dataset.rows} rows); build it from captures that "
            "hold the beginning of TLS connections"
        )
    server_names = tuple(columns["server_name"][row] for row in first)
    names = tuple(rules.label(name) for name in server_names)
    captures = tuple(columns["capture"][row] for row in first)
    copies = splits.merged_groups(numbered(captures), _telling(dataset, columns, first, rows["stream"]))
    labels, refused = chosen(names, copies, rules, settings)
    if len(labels) < LEAST_LABELS:
        raise FlowsError(_too_few(dataset, labels, refused))
    place = {label: number for number, label in enumerate(labels)}
    return Flows(
        labels=labels,
        refused=refused,
        wanted=np.array([UNKNOWN if name is None else place.get(name, UNKNOWN) for name in names], np.int64),
        names=names,
        rows=rows,
        connection=np.array([columns["connection"][row] for row in first], np.int64),
        captures=captures,
        clients=tuple(columns["orig_h"][row] for row in first),
        server_names=server_names,
        tls_versions=tuple(columns["tls_version"][row] for row in first),
        start_ns=np.array([columns["start_ns"][row] for row in first], np.int64),
        copies=copies,
    )


def _connections(columns: Mapping[str, Sequence[Any]]) -> tuple[list[int], dict[Cut, NDArray[np.int64]]]:
    """The first row of each connection that has a server name, and its row in each cut."""
    cuts: tuple[Cut, ...] = get_args(Cut)
    place: dict[int, int] = {}
    first: list[int] = []
    rows: dict[Cut, list[int]] = {cut: [] for cut in cuts}
    for row, (connection, cut, name) in enumerate(
        zip(columns["connection"], columns["cut"], columns["server_name"], strict=True)
    ):
        if name is None:
            continue
        if connection not in place:
            place[connection] = len(first)
            first.append(row)
            for each in rows.values():
                each.append(ABSENT)
        rows[cut][place[connection]] = row
    return first, {cut: np.array(places, np.int64) for cut, places in rows.items()}


def _telling(
    dataset: Dataset, columns: Mapping[str, Sequence[Any]], first: Sequence[int], stream: NDArray[np.int64]
) -> list[Hashable]:
    """What copies of one connection share: the beginning of the payload, else ends and start."""
    digests: dict[int, bytes] = {}
    for begin, table in dataset.batches(["payload"]):
        for row, payload in enumerate(table.column("payload"), begin):
            if data := payload.as_py():
                digests[row] = hashlib.blake2b(data[:TELLING_BYTES], digest_size=12).digest()
    keys: list[Hashable] = []
    for row, streamed in zip(first, stream.tolist(), strict=True):
        ends = tuple(columns[name][row] for name in ("orig_h", "orig_p", "resp_h", "resp_p", "start_ns"))
        keys.append(digests.get(streamed, ends))
    return keys


def chosen(
    names: Sequence[str | None], copies: NDArray[np.int64], rules: LabelRules, settings: Labels
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Labels to learn, sorted, and why not each of the others."""
    flows = Counter(name for name in names if name is not None)
    captures: dict[str, set[int]] = {}
    for name, group in zip(names, copies.tolist(), strict=True):
        if name is not None:
            captures.setdefault(name, set()).add(group)
    labels, refused = [], {}
    for name in sorted(flows):
        if (kind := rules.kind(name)) not in settings.kinds:
            refused[name] = f"is of kind {kind}, which the recipe leaves out (labels.kinds)"
        elif flows[name] < settings.least_flows:
            refused[name] = f"has {flows[name]} flows, labels.least_flows is {settings.least_flows}"
        elif len(captures[name]) < settings.least_captures:
            refused[name] = (
                f"is in {len(captures[name])} captures (copies counted once), labels.least_captures is "
                f"{settings.least_captures}: no split could tell it from the capture"
            )
        else:
            labels.append(name)
    return tuple(labels), refused


def _too_few(dataset: Dataset, labels: Sequence[str], refused: Mapping[str, str]) -> str:
    few = f"only {labels[0]} can be learnt" if labels else "no label can be learnt"
    shown = [f"{name} {reason}" for name, reason in list(refused.items())[:3]]
    more = f" ({len(refused)} labels are refused)" if len(refused) > len(shown) else ""
    return (
        f"{dataset.folder}: {few}, {LEAST_LABELS} at least are needed{': ' if shown else ''}{'; '.join(shown)}{more}; "
        "add captures, another label map (--labels), or lower labels.least_flows and labels.least_captures in the recipe"
    )


def card(flows: Flows, dataset: Dataset, rules: LabelRules) -> dict[str, Any]:
    """The dataset card: what a run folder's dataset.json says."""
    described = {}
    for label in flows.labels:
        places = [place for place, name in enumerate(flows.names) if name == label]
        described[label] = {
            "kind": rules.kind(label),
            "flows": len(places),
            "captures": len(set(flows.copies[places].tolist())),
            "clients": len({flows.clients[place] for place in places}),
            "first_ns": int(flows.start_ns[places].min()),
            "last_ns": int(flows.start_ns[places].max()),
        }
    versions = Counter("unknown" if version is None else f"{version:#06x}" for version in flows.tls_versions)
    return {
        "id": dataset.id,
        "flows": int(flows.known.sum()),
        "connections": len(flows),
        "captures": len(set(flows.captures)),
        "captures_without_copies": len(set(flows.copies.tolist())),
        "environments": len(set(flows.groups("environment").tolist())),
        "clients": len(set(flows.clients)),
        "first_ns": int(flows.start_ns.min()),
        "last_ns": int(flows.start_ns.max()),
        "tls_versions": dict(sorted(versions.items())),
        "cuts": {cut: int((rows != ABSENT).sum()) for cut, rows in flows.rows.items()},
        "labels": described,
        "refused": dict(flows.refused),
        "unlabelled": sum(name is None for name in flows.names),
    }


def numbered(values: Sequence[Hashable]) -> NDArray[np.int64]:
    """(n,) a number for each value, the same for equal ones, in the order in which they come."""
    number: dict[Hashable, int] = {}
    return np.array([number.setdefault(value, len(number)) for value in values], np.int64)
