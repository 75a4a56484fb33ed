"""What the page says, from what the run folder holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eacf_trainer.report import headline, worst
from eacf_trainer.report.card import Card
from eacf_trainer.report.charts import Chart, Table, certainty, labels, learning, parts, splits, unknown
from eacf_trainer.report.folder import Run
from eacf_trainer.report.text import NOT_MEASURED, SPACE, count, flat, number, percent, points

SPREAD = {
    "macro_f1": "macro-F1",
    "accuracy": "accuracy",
    "coverage_at_95": "answered",
    "calibration_error": "calibration error",
}
"""Figures whose spread over seeds is told, in points."""


@dataclass(frozen=True)
class Tile:
    """A headline figure."""

    name: str
    value: str
    unit: str
    note: str


@dataclass(frozen=True)
class Protocol:
    """A row of the splits' table."""

    name: str
    reason: str
    own: str
    """What the run folder says of it."""
    figures: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """All of the report."""

    name: str
    bundle: str | None
    main: str | None
    headline: str
    caveat: str
    tiles: Sequence[Tile]
    protocols: Sequence[Protocol]
    charts: Mapping[str, Chart | None]
    learning: Sequence[Chart]
    confusion: labels.Confusion | None
    card: Card | None
    thresholds: Sequence[tuple[str, str]]
    refused: Table | None
    """Known flows without a label, fold by fold."""
    spread: Table | None
    seeds: int
    """Of the split that was run with most of them."""
    compare: Table | None
    """Other estimators on the same splits."""
    model: Sequence[tuple[str, str]]
    worst: Sequence[worst.Worst]
    described: bool
    """Whether the worst flows tell server names."""
    recipe: Sequence[tuple[str, str]]
    versions: Sequence[tuple[str, str]]
    origin: Sequence[tuple[str, str]]


def page(run: Run) -> Page:
    """Everything in words and pictures."""
    main = run.protocols[run.main] if run.main else {}
    needs = (run.model or {}).get("needs") or {}
    return Page(
        name=run.name,
        bundle=run.config.get("bundle"),
        main=splits.NAMES[run.main] if run.main else None,
        headline=headline.headline(run),
        caveat=headline.caveat(run),
        tiles=_tiles(run),
        protocols=[_protocol(run, name) for name in run.protocols],
        charts={
            "splits": splits.chart(run.protocols, run.seeds),
            "labels": labels.chart(main),
            "reliability": certainty.reliability(main),
            "coverage": certainty.coverage(run.protocols),
            "roc": unknown.roc(run.openset),
            "heldout": unknown.held_out(run.openset),
            "versions": parts.versions(main),
            "early": parts.early(run.early, needs.get("records")),
        },
        learning=learning.charts(run.history, run.main),
        confusion=labels.confusion(main),
        card=Card.of(run.dataset) if run.dataset else None,
        thresholds=_thresholds(main),
        refused=_refused(main),
        spread=_spread(run),
        compare=_compare(run),
        seeds=max((_seeds(run.seeds, name) for name in run.seeds), default=0),
        model=_model(run.model),
        worst=[worst.of(flow) for flow in main.get("worst", ())],
        described=any("server_name" in flow for flow in main.get("worst", ())),
        recipe=list(flat(run.config.get("recipe", {}))),
        versions=list(flat(run.versions)),
        origin=_origin(run.config),
    )


def _tiles(run: Run) -> list[Tile]:
    figures = run.protocols[run.main] if run.main else {}
    seeds = run.seeds.get(run.main or "", {})
    tiles = []

    def tile(name: str, value: float | None, unit: str, note: str, digits: int = 1) -> None:
        if value is not None:
            tiles.append(Tile(name, points(value, digits), unit, note))

    tile("macro-F1", figures.get("macro_f1"), "", _over_seeds(seeds.get("macro_f1")) or "mean over the labels")
    tile("right", figures.get("accuracy"), "%", _over_seeds(seeds.get("accuracy")) or "best label of every flow")
    tile("answered", figures.get("coverage", {}).get("at_95"), "%", f"with 95{SPACE}% of the answers right")
    tile("calibration error", figures.get("calibration_error"), "points", "confidence against accuracy, ten bins")
    tile(
        "unknown refused",
        (run.openset or {}).get("refused_at_5"),
        "%",
        f"where 5{SPACE}% of the known flows are refused",
    )
    model = run.model or {}
    if model.get("size_kb") is not None:
        tiles.append(Tile("size", number(model["size_kb"], 0), "KB", "int8 model"))
    if model.get("us_per_flow_int8") is not None:
        tiles.append(Tile("time", number(model["us_per_flow_int8"]), "µs", "a flow, int8, one thread"))
    return tiles


def _over_seeds(spread: Mapping[str, Any] | None) -> str:
    if not spread or spread.get("sd") is None:
        return ""
    return f"{points(spread['mean'])} ± {points(spread['sd'])} over {len(spread['values'])} seeds"


def _protocol(run: Run, name: str) -> Protocol:
    figures, described = run.protocols[name], run.splits.get(name, {})
    reason = str(described.get("reason") or splits.REASONS[name])
    return Protocol(
        splits.NAMES[name],
        f"{reason[0].upper()}{reason[1:].rstrip('.')}.",
        f"{described['folds']} folds" if described.get("folds", 0) > 1 else "",
        (
            count(figures.get("flows")),
            points(figures.get("macro_f1")),
            percent(figures.get("accuracy")),
            percent(figures.get("coverage", {}).get("at_95")),
            points(figures.get("calibration_error")) if name == run.main else NOT_MEASURED,
        ),
    )


def _thresholds(figures: Mapping[str, Any]) -> list[tuple[str, str]]:
    told = figures.get("thresholds")
    if not told or told["coverage"] is None:
        return []
    refused = told["known_refused"]
    pairs = [
        ("flows that get a label", percent(told["coverage"])),
        ("right of those", percent(told["accuracy"])),
        ("no label, fold by fold", f"{percent(refused['least'])} to {percent(refused['worst'])}"),
    ]
    if told.get("unknown_said") is not None:
        pairs.append(("unknown flows that get a label", percent(told["unknown_said"])))
    return pairs


def _refused(figures: Mapping[str, Any]) -> Table | None:
    folds = figures.get("thresholds", {}).get("known_refused", {}).get("folds")
    if not folds:
        return None
    return Table(("fold", "get no label"), [(fold, percent(share)) for fold, share in folds.items()])


def _spread(run: Run) -> Table | None:
    rows = [
        (
            splits.NAMES[name],
            *(_mean(run.seeds[name].get(key)) if _told(run, name, key) else NOT_MEASURED for key in SPREAD),
        )
        for name in run.protocols
        if _seeds(run.seeds, name) > 1
    ]
    return Table(("split", *SPREAD.values()), rows) if rows else None


def _told(run: Run, name: str, figure: str) -> bool:
    """Only the split that the recipe is for is calibrated."""
    return figure != "calibration_error" or name == run.main


def _seeds(seeds: Mapping[str, Mapping[str, Any]], name: str) -> int:
    return max((len(each.get("values", ())) for each in seeds.get(name, {}).values()), default=0)


def _compare(run: Run) -> Table | None:
    if not run.compare or not run.protocols:
        return None
    lines = {f"{run.name} (this recipe)": run.seeds, **run.compare}
    rows = [
        (line, *(_mean(told.get(name, {}).get("macro_f1")) for name in run.protocols)) for line, told in lines.items()
    ]
    return Table(("model", *(f"macro-F1, {splits.NAMES[name]}" for name in run.protocols)), rows)


def _mean(spread: Mapping[str, Any] | None) -> str:
    if not spread:
        return NOT_MEASURED
    return points(spread["mean"]) if spread.get("sd") is None else f"{points(spread['mean'])} ± {points(spread['sd'])}"


def _model(model: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if not model:
        return []
    needs = model.get("needs") or {}
    pairs = [
        ("size, int8", f"{number(model['size_kb'])}{SPACE}KB" if model.get("size_kb") is not None else None),
        ("parameters", count(model["parameters"]) if model.get("parameters") is not None else None),
        ("time a flow, int8", _time(model.get("us_per_flow_int8"))),
        ("time a flow, float32", _time(model.get("us_per_flow_float32"))),
        ("asks of a sensor", _needs(needs) if needs else None),
    ]
    return [(name, value) for name, value in pairs if value is not None]


def _time(value: float | None) -> str | None:
    return None if value is None else f"{number(value)}{SPACE}µs"


def _needs(needs: Mapping[str, Any]) -> str:
    records, payload = needs.get("records", 0), needs.get("payload_bytes", 0)
    if not payload and not needs.get("chunks", True):
        return f"lengths of the first {records or 8} records, no payload"
    text = f"{count(payload)} bytes of payload of a window of {count(needs.get('window_bytes', 0))}"
    return f"{text}, up to {records} records" if records else text


def _origin(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    dataset, label_map = config.get("dataset") or {}, config.get("label_map") or {}
    pairs = [
        ("dataset", dataset.get("id")),
        ("rows of the dataset", count(dataset["rows"]) if "rows" in dataset else None),
        ("label map", " ".join(str(label_map[key]) for key in ("name", "id") if key in label_map) or None),
        ("seed", config.get("seed")),
        ("bundle", config.get("bundle")),
    ]
    return [(name, str(value)) for name, value in pairs if value is not None]
