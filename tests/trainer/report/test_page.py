"""What the page says in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eacf_trainer.report import headline
from eacf_trainer.report.card import Card, period
from eacf_trainer.report.charts import Table
from eacf_trainer.report.folder import PROTOCOLS, Run, read
from eacf_trainer.report.page import page
from eacf_trainer.report.worst import of

SPACE = "\u00a0"


def figures(macro_f1: float | None = 0.6, at_95: float | None = 0.5) -> dict[str, Any]:
    return {
        "flows": 1000,
        "accuracy": None if macro_f1 is None else macro_f1 + 0.1,
        "macro_f1": macro_f1,
        "labels": {"a": {"flows": 1000, "precision": 1, "recall": 1, "f1": 1}, "b": {"flows": 0}},
        "coverage": {"at_95": at_95},
    }


def run(protocols: dict[str, Any], **parts: Any) -> Run:
    return Run(Path("x"), {}, protocols=protocols, **parts)


def test_headline() -> None:
    assert headline.headline(run({"grouped": figures()})) == (
        f"Judged on captures that it did not learn from, the model names 70{SPACE}% of 1{SPACE}000 flows rightly, over 1 labels "
        f"(macro-F1{SPACE}60.0). If it answers only where it is surest, 95{SPACE}% of its answers are right on 50{SPACE}% of the flows."
    )


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_split_has_words(name: str) -> None:
    told = page(run({name: figures()}))
    assert told.headline.startswith("Judged ")
    assert told.protocols[0].reason.endswith(".")
    assert told.charts["splits"] is not None


def test_a_run_gives_its_own_reasons() -> None:
    told = page(
        run({"time": figures(), "random": figures()}, splits={"time": {"reason": "what it gives tomorrow", "folds": 1}})
    )
    assert told.protocols[0].reason == "What it gives tomorrow."
    assert [each.figures[-1] for each in told.protocols] == ["–", "–"]
    assert told.main == "by time"


def test_the_split_of_the_recipe_comes_first(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"recipe": {"split": {"by": "time"}}}))
    (tmp_path / "figures.json").write_text(json.dumps({name: figures() for name in PROTOCOLS}))
    assert list(read(tmp_path).protocols) == ["time", "grouped", "environment", "client", "random"]


def test_other_models_beside_this_one() -> None:
    spread = {"macro_f1": {"mean": 0.6, "sd": 0.012, "values": [0.6, 0.6]}}
    told = run(
        {"grouped": figures(), "random": figures()},
        seeds={"grouped": spread},
        compare={"x.Tree(3)": {"random": spread}},
    )
    assert page(told).compare == Table(
        ("model", "macro-F1, grouped", "macro-F1, random"),
        [("x (this recipe)", "60.0 ± 1.2", "–"), ("x.Tree(3)", "–", "60.0 ± 1.2")],
    )


def test_headline_of_a_model_that_is_never_sure() -> None:
    assert "There is no confidence from which" in headline.headline(run({"grouped": figures(at_95=0.001)}))


def test_headline_of_nothing() -> None:
    assert "No split" in headline.headline(run({}))
    assert "No flow" in headline.headline(run({"grouped": figures(None)}))


def test_caveat() -> None:
    assert "20.0 points more" in headline.caveat(run({"grouped": figures(0.6), "random": figures(0.8)}))
    assert "no more" in headline.caveat(run({"grouped": figures(0.6), "random": figures(0.6)}))
    assert "Only a random split" in headline.caveat(run({"random": figures()}))
    assert headline.caveat(run({"grouped": figures()})) == ""


def test_tiles_are_what_was_measured() -> None:
    seeds = {"grouped": {"macro_f1": {"mean": 0.61, "sd": 0.012, "values": [0.6, 0.62, 0.61]}}}
    made = page(run({"grouped": figures()}, seeds=seeds, model={"size_kb": 106}, openset={"refused_at_5": 0.5}))
    assert {tile.name: (tile.value, tile.unit) for tile in made.tiles} == {
        "macro-F1": ("60.0", ""),
        "right": ("70.0", "%"),
        "answered": ("50.0", "%"),
        "unknown refused": ("50.0", "%"),
        "size": ("106", "KB"),
    }
    assert made.tiles[0].note == "61.0 ± 1.2 over 3 seeds"
    assert made.seeds == 3
    assert made.spread is not None
    assert made.spread.rows == [("grouped", "61.0 ± 1.2", "–", "–", "–")]


def test_what_a_model_asks_of_a_sensor() -> None:
    needs = {"payload_bytes": 3000, "window_bytes": 3000, "records": 4, "chunks": True}
    assert page(run({}, model={"needs": needs})).model == [
        ("asks of a sensor", f"3{SPACE}000 bytes of payload of a window of 3{SPACE}000, up to 4 records")
    ]


def test_a_card_of_what_is_told() -> None:
    card = Card.of({"captures": 3, "tls_versions": {"0x303": 5, "0x304": 9}, "labels": {"a": {"flows": 2}}})
    assert card.facts == [
        ("captures", "3"),
        ("TLS versions", "TLS 1.3: 9, TLS 1.2: 5"),
        ("labels", "1 learned, 0 refused"),
    ]
    assert card.labels is not None
    assert card.labels.rows == [("a", "–", "2", "–", "–", "–", "–")]
    assert card.refused is None
    assert period(0, 10**9) == "1970-01-01"
    assert period(None, 1) is None


def test_a_worst_flow() -> None:
    flow = {"wanted": "a", "best": "b", "confidence": 0.9, "said": True, "records": [16, -16384, *([100] * 20)]}
    worst = of(flow)
    assert worst.server_name is None
    assert len(worst.bars) == 16
    assert (worst.bars[0].height, worst.bars[0].up) == (0.091, True)
    assert (worst.bars[1].height, worst.bars[1].up) == (1.0, False)
    assert worst.lengths.startswith("+16 −16384 +100")
    assert worst.lengths.endswith("…")
    assert of({**flow, "records": [10**9]}).bars[0].height == 1.0
