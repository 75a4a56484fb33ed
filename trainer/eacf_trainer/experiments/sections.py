"""Finished cells as tables: for each figure of the paper what it says, what came out here, and what it did not show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eacf_trainer.experiments import inputs, paper
from eacf_trainer.experiments.controls import LABELS, ORIGINAL
from eacf_trainer.experiments.plan import CNN, CONTROLLED, GROUPED, MODELS, MOST_FREQUENT, RANDOM, SPLITS
from eacf_trainer.experiments.results import Results, Score, Setup
from eacf_trainer.experiments.settings import Settings

NAMES = {
    CNN: "1D-CNN",
    "dt": "DT",
    "svm": "SVM",
    "knn": "KNN",
    "lr": "LR",
    "nb": "NB",
    MOST_FREQUENT: "most frequent label",
}
MISSING = "–"
CONTROL_NAMES = (
    (inputs.BOTH, ORIGINAL, "original"),
    (inputs.BOTH, "random", "random bytes of the same length, gaps and padding kept"),
    (inputs.BOTH, "nonces", "the same, but what looks like a nonce of TLS 1.2 stays"),
    (inputs.BOTH, "shuffled", "ciphertext of other flows, same length, gaps and padding kept"),
    (inputs.BOTH, "constant", "every payload byte the same: gaps, and how long chunks are"),
    (inputs.BOTH, "sizes", "that with every gap 0: how long chunks are"),
    (inputs.PAYLOAD, "constant", "that without gaps: the number of payload bytes alone"),
    (inputs.BOTH, LABELS, "labels of the training flows shuffled"),
)
TLS = {0: "unknown", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}


@dataclass(frozen=True)
class Table:
    """Text in rows, as a reader sees it."""

    caption: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True)
class Section:
    """One figure."""

    name: str
    title: str
    says: tuple[str, ...]
    """What the paper's text says."""
    tables: list[Table]
    records: list[dict[str, Any]]
    """The same numbers for a CSV file, shares from 0 to 1."""
    notes: list[str] = field(default_factory=list)


def fig3(results: Results, settings: Settings) -> Section:
    """Accuracy against input size."""
    tables = []
    records: list[dict[str, Any]] = []
    notes = []
    for split in SPLITS:
        rows = []
        for size in settings.sizes:
            scores = {model: results.score(Setup(model, inputs.BOTH, size, split)) for model in MODELS}
            rows.append((f"{size:,}", *(percent(score) for score in scores.values())))
            for model, score in scores.items():
                records += record(score, model=model, input=inputs.BOTH, size=size, split=split)
                if score:
                    notes += [f"{NAMES[model]}, {size:,} bytes, {split} split: {note}." for note in score.notes]
        head = ("bytes", *(NAMES[model] for model in MODELS))
        tables.append(Table(f"Accuracy in %, {split} split", head, rows))
    tables.append(_side_by_side(results, settings))
    return Section("fig3", "Fig. 3: accuracy against input size", paper.SAYS["fig3"], tables, records, notes)


def _side_by_side(results: Results, settings: Settings) -> Table:
    rows = []
    for model in (*MODELS, MOST_FREQUENT):
        both = [results.score(Setup(model, inputs.BOTH, settings.main, split)) for split in SPLITS]
        cells = [text for score in both for text in (percent(score), f1(score))]
        learnt = MISSING if both[1] is None else both[1].train_accuracy.percent()
        rows.append((NAMES[model], *cells, learnt))
    head = ("model", "random: accuracy", "macro-F1", "grouped: accuracy", "macro-F1", "on its training flows")
    return Table(f"Both splits side by side at {settings.main:,} bytes, in %", head, rows)


def fig4(results: Results, settings: Settings) -> Section:
    """Precision, recall and F1 a label; float and int8."""
    setups = [Setup(CNN, inputs.BOTH, settings.main, split) for split in SPLITS]
    figures = [results.per_label(setup) for setup in setups]
    rows: list[tuple[str, ...]] = []
    records: list[dict[str, Any]] = []
    for number, label in enumerate(results.flows.labels):
        flows = int((results.flows.wanted == number).sum())
        captures = len(set(results.flows.groups[results.flows.wanted == number].tolist()))
        cells: list[str] = []
        for split, each in zip(SPLITS, figures, strict=True):
            cells += [value.percent() for value in each[label]] if each else [MISSING] * 3
            if each:
                line: dict[str, Any] = {"label": label, "flows": flows, "captures": captures, "split": split}
                for name, value in zip(("precision", "recall", "f1"), each[label], strict=True):
                    line |= {name: digits(value.mean), f"{name}_sd": digits(value.sd)}
                records.append(line)
        rows.append((label, str(flows), str(captures), *cells))
    head = (
        "label",
        "flows",
        "captures",
        *(f"{split}: {name}" for split in SPLITS for name in ("precision", "recall", "F1")),
    )
    labels = Table(f"1D-CNN at {settings.main:,} bytes, in %", head, rows)
    both = []
    for name, int8 in (("float32", False), ("int8", True)):
        scores = [results.score(setup, int8=int8) for setup in setups]
        both.append((name, *(text for score in scores for text in (percent(score), f1(score)))))
    head = ("1D-CNN as", "random: accuracy", "macro-F1", "grouped: accuracy", "macro-F1")
    return Section(
        "fig4",
        "Fig. 4: precision, recall and F1 of each label",
        paper.SAYS["fig4"],
        [labels, Table("What int8 costs, in %", head, both)],
        records,
    )


def fig5(results: Results, settings: Settings) -> Section:
    """Payload, gaps, both."""
    inner: list[tuple[str, str, int, str]] = [
        *(("payload", inputs.PAYLOAD, size, f"{size:,} bytes") for size in settings.sizes),
        *(("gaps", inputs.GAPS, count, f"{count} gap" + "s" * (count > 1)) for count in settings.gap_counts),
        *(("both", inputs.BOTH, size, f"{size:,} bytes") for size in settings.sizes),
    ]
    rows: list[tuple[str, ...]] = []
    records: list[dict[str, Any]] = []
    for name, kind, size, shown in inner:
        scores = [results.score(Setup(CNN, kind, size, split)) for split in SPLITS]
        rows.append((name, shown, *(text for score in scores for text in (percent(score), f1(score)))))
        for split, score in zip(SPLITS, scores, strict=True):
            records += record(score, model=CNN, input=kind, size=size, split=split)
    head = ("input", "size", "random: accuracy", "macro-F1", "grouped: accuracy", "macro-F1")
    return Section(
        "fig5",
        "Fig. 5: payload only, gaps only, both",
        paper.SAYS["fig5"],
        [Table("1D-CNN, in %", head, rows)],
        records,
    )


def controls(results: Results, settings: Settings) -> Section:
    """What is left when payload is taken away."""
    tables = [_controls_of(results, settings, model) for model in CONTROLLED]
    records = [
        line
        for model in CONTROLLED
        for kind, control, _ in CONTROL_NAMES
        for split in SPLITS
        for line in record(
            results.score(Setup(model, kind, settings.main, split, control), most=seeds_of(settings, model, split)),
            model=model,
            input=kind,
            size=settings.main,
            split=split,
            control=control,
        )
    ]
    versions = [int(version) for version in np.unique(results.flows.tls)]
    if len(versions) > 1:
        tables += [_by_tls(results, settings, model, versions) for model in CONTROLLED]
    return Section(
        "controls", "Controls: what do payload bytes say beyond their number?", paper.SAYS["controls"], tables, records
    )


def _controls_of(results: Results, settings: Settings, model: str) -> Table:
    rows = []
    for kind, control, shown in CONTROL_NAMES:
        texts = []
        for split in SPLITS:
            setup = Setup(model, kind, settings.main, split, control)
            score = results.score(setup, most=seeds_of(settings, model, split))
            texts += [percent(score), f1(score)]
        rows.append((shown, *texts))
    chance = [results.score(Setup(MOST_FREQUENT, inputs.BOTH, settings.main, split)) for split in SPLITS]
    rows.append(("always the most frequent label", *(text for score in chance for text in (percent(score), f1(score)))))
    head = ("payload", "random: accuracy", "macro-F1", "grouped: accuracy", "macro-F1")
    return Table(f"{NAMES[model]} at {settings.main:,} bytes, in %", head, rows)


def _by_tls(results: Results, settings: Settings, model: str, versions: Sequence[int]) -> Table:
    rows = []
    for kind, control, shown in CONTROL_NAMES:
        texts = []
        for split in SPLITS:
            setup = Setup(model, kind, settings.main, split, control)
            for version in versions:
                accuracy = results.accuracy_where(setup, results.flows.tls == version, seeds_of(settings, model, split))
                texts.append(MISSING if accuracy is None else accuracy.percent())
        rows.append((shown, *texts))
    counts = {version: int((results.flows.tls == version).sum()) for version in versions}
    names = [f"{TLS.get(version, f'0x{version:04x}')} ({counts[version]:,} flows)" for version in versions]
    head = ("payload", *(f"{split}: {name}" for split in SPLITS for name in names))
    return Table(f"{NAMES[model]}: accuracy in % by TLS version", head, rows)


def time(measured: dict[str, Any] | None, settings: Settings) -> Section:
    """Time a flow."""
    if measured is None:
        return Section("time", "Time per flow", paper.SAYS["time"], [], [])
    rows: list[tuple[str, ...]] = []
    records: list[dict[str, Any]] = []
    for name, (first, middle, third) in measured["us"].items():
        shown = "samples to rows of bytes" if name == "encode" else name
        size = measured["bytes"].get(name.partition(",")[0])
        median = f"{middle:.0f}" if middle >= 10 else f"{middle:.1f}"
        rows.append((shown, median, f"{first:.1f} to {third:.1f}", f"{size / 1e6:.1f} MB" if size else ""))
        records.append(
            {
                "what": name,
                "us": middle,
                "us_first_quartile": first,
                "us_third_quartile": third,
                "bytes": size or "",
                "paper_us": paper.TIME_US,
                "cpu": measured["cpu"],
                "load": measured["load"],
            }
        )
    notes = [
        f"{measured['cpu']}; processor time of one thread; {measured['runtime']}; medians of {measured['rounds']} rounds in turns; "
        f"{measured['parameters']:,} parameters; load average at the beginning {measured['load']}."
    ]
    table = Table(f"1D-CNN at {settings.main:,} bytes, µs a flow", ("", "median", "quartiles", "file"), rows)
    return Section("time", "Time per flow", paper.SAYS["time"], [table], records, notes)


def seeds_of(settings: Settings, model: str, split: str) -> int:
    """Seeds that a control has: the original is compared on the same ones."""
    return settings.grouped_seeds if (model, split) == (CNN, GROUPED) else settings.seeds


def record(score: Score | None, **what: Any) -> Iterator[dict[str, Any]]:
    """A line of a CSV file; none where there is nothing yet."""
    if score is None:
        return
    mark = next((each for each in paper.FIG3 if _is(each, what)), None)
    yield {
        **what,
        "seeds": len(score.accuracy.values),
        "accuracy": digits(score.accuracy.mean),
        "accuracy_sd": digits(score.accuracy.sd),
        "macro_f1": digits(score.macro_f1.mean),
        "macro_f1_sd": digits(score.macro_f1.sd),
        "train_accuracy": digits(score.train_accuracy.mean),
        "paper_accuracy": mark.text if mark else "",
    }


def _is(mark: paper.Mark, what: dict[str, Any]) -> bool:
    same = mark.model == what["model"] and mark.holds(what["size"])
    return (
        same and what["split"] == RANDOM and what["input"] == inputs.BOTH and what.get("control", ORIGINAL) == ORIGINAL
    )


def percent(score: Score | None) -> str:
    """Accuracy."""
    return MISSING if score is None else score.accuracy.percent()


def f1(score: Score | None) -> str:
    """Macro-F1."""
    return MISSING if score is None else score.macro_f1.percent()


def digits(value: float | None) -> float | str:
    """For a CSV file."""
    return "" if value is None else round(value, 4)
