"""A bundle's card: what a person should know before they serve it, in Markdown, from its manifest alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from eacf.bundle import Bundle

SPLITS = {
    "grouped": "on captures that it had not seen",
    "environment": "on folders of captures (about one device and setup each, of the testbed: sites) that it had not seen",
    "random": "under a random split, which has near copies on both sides and flatters",
}


def written(bundle: Bundle) -> str:
    """The card."""
    return "\n".join(_lines(bundle)) + "\n"


def _lines(bundle: Bundle) -> Iterator[str]:
    document = bundle.manifest.document
    training, figures = document["training"], document["figures"]
    card, needs = training["dataset"], bundle.needs
    yield f"# Bundle `{bundle.name}`, version {bundle.version}, {bundle.id}"
    yield ""
    yield f"{training['recipe']['about']} Recipe `{training['recipe']['name']}`, seed {training['seed']}."
    yield ""
    yield (
        f"- Asks the sensor for the lengths of the first {needs.records} records, no payload."
        if needs.records_only
        else (f"- Asks the sensor for {needs.payload_bytes} bytes of payload.")
    )
    yield f"- Learnt from {card['flows']:,} flows of {len(bundle.labels)} labels, {card['captures']} captures, {_years(card)}."
    yield f"- Model: {figures['model']['size_kb']} KB, int8, {figures['model']['parameters']:,} parameters."
    yield f"- Knows nothing else. What it does not know it should abstain on; {_unknown(figures)}"
    yield ""
    yield "## What it is worth"
    yield ""
    yield "Every flow was judged by a model that had learnt from the other folds. Accuracy and macro-F1 take the best label of every"
    yield "flow; answered is the share that gets a label."
    yield ""
    yield "| | flows | accuracy | macro-F1 | answered | of these right | answered if 95 % must be right |"
    yield "|---|---|---|---|---|---|---|"
    for name, why in SPLITS.items():
        if name in figures:
            told = figures[name]
            calibrated = name == training["recipe"]["split"]["by"]
            cells = [_percent(told["coverage"]), _percent(told["accuracy_said"])] if calibrated else ["", ""]
            cells = [_percent(told["accuracy"]), _percent(told["macro_f1"]), *cells, _percent(told["coverage_at_95"])]
            yield f"| {why} | {told['flows']:,} | {' | '.join(cells)} |"
    if "evaluation" in figures:
        yield from _evaluation(figures["evaluation"])
    yield ""
    yield "## Labels"
    yield ""
    yield "| label | kind | flows | captures | seen | precision | recall | F1 |"
    yield "|---|---|---|---|---|---|---|---|"
    told = figures[training["recipe"]["split"]["by"]]["labels"]
    for label in bundle.labels:
        about, own = card["labels"][label], told[label]
        numbers = " | ".join(_percent(own[key]) for key in ("precision", "recall", "f1"))
        yield f"| `{label}` | {about['kind']} | {about['flows']} | {about['captures']} | {_years(about)} | {numbers} |"
    if "sources" in training:
        yield from _sources(training["sources"])


def _evaluation(told: Mapping[str, Any]) -> Iterator[str]:
    known, unknown = told["known"], told["unknown"]
    yield ""
    said = known["thresholds"]
    yield f"This very bundle, on {known['flows']:,} flows of captures made for that alone (other seeds, sites and paths):"
    yield f"accuracy {_percent(known['accuracy'])}, answered {_percent(said['coverage'])}, of these {_percent(said['accuracy'])} right;"
    yield f"silent on {_percent(unknown['silent'])} of {unknown['flows']:,} flows of no label."


def _unknown(figures: Mapping[str, Any]) -> str:
    if "openset" not in figures:
        return "that was not measured."
    told = figures["openset"]
    return (
        f"of flows of a label that was held out of training {_percent(told['said'])} got a label all the same, **and a wrong one** "
        f"(where 5 % of known flows are refused, {_percent(told['refused_at_5'])} of such flows are; AUROC {told['auroc']:.2f})."
    )


def _sources(sources: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield ""
    yield "## Where it comes from"
    yield ""
    yield 'Public captures, which are not part of eacf. Labels not learnt served as "none of these".'
    yield ""
    yield "| repository | licence | captures | connections |"
    yield "|---|---|---|---|"
    for name, source in sources.items():
        where = source.get("repository", name)
        yield f"| {where} | {source['licence']} | {source['captures']} | {source['flows']} |"


def _years(about: Mapping[str, Any]) -> str:
    first, last = (datetime.fromtimestamp(about[key] / 1e9, UTC).year for key in ("first_ns", "last_ns"))
    return str(first) if first == last else f"{first} to {last}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"
