from __future__ import annotations

from dataclasses import fields
from itertools import combinations

import pytest

from eacf import bundle
from eacf_trainer import recipes, runs
from eacf_trainer.config import CaptureSet
from eacf_trainer.samples import ways
from eacf_trainer.testbed import path

PURPOSES = {
    "training": recipes.PLAN.training,
    "validation": recipes.PLAN.validation,
    "evaluation": recipes.PLAN.evaluation,
}


@pytest.mark.parametrize("pair", list(combinations(PURPOSES, 2)), ids="-".join)
def test_no_two_purposes_share_a_seed_or_a_site(pair: tuple[str, str]) -> None:
    one, other = (PURPOSES[name] for name in pair)
    assert not set(one.seeds) & set(other.seeds)
    assert not set(one.sites) & set(other.sites)


def test_seeds_and_sites_are_those_set_aside() -> None:
    """docs/testbed.md: below 1,000 to train, below 2,000 to judge, from 9,000 on the demo, whose sites are "demo"."""
    assert max(PURPOSES["training"].seeds + PURPOSES["validation"].seeds) < 1_000
    assert all(1_000 <= seed < 2_000 for seed in PURPOSES["evaluation"].seeds)
    assert all("demo" not in wanted.sites for wanted in PURPOSES.values())


@pytest.mark.parametrize("wanted", PURPOSES.values(), ids=PURPOSES)
def test_every_kind_of_path_and_site_is_used(wanted: CaptureSet) -> None:
    assert len(set(wanted.seeds)) == len(wanted.seeds) >= max(len(wanted.conditions), len(wanted.sites))
    assert set(wanted.conditions) <= {*path.KINDS, "mixed"}


def test_two_kinds_of_path_are_new_at_the_end() -> None:
    known = {*PURPOSES["training"].conditions, *PURPOSES["validation"].conditions}
    assert set(PURPOSES["evaluation"].conditions) - known == {"satellite", "lossy", "mixed"}


def test_lighter_is_the_papers_but_for_what_it_says() -> None:
    full, light = recipes.PAPER, recipes.PAPER_LIGHTER
    other = {field.name for field in fields(full) if getattr(full, field.name) != getattr(light, field.name)}
    assert other == {"epochs", "flows_per_label", "lighter"}
    assert light.lighter == (
        f"{light.epochs} epochs instead of {full.epochs}, "
        f"{light.flows_per_label} flows a label instead of {full.flows_per_label}"
    )


def test_the_papers_recipe_is_the_papers() -> None:
    """IV-A and IV-B: 700 flows a label, 3,000 bytes, batches of 64, 100 epochs, Adam at 0.0005, no outliers."""
    paper = recipes.PAPER
    assert (paper.flows_per_label, paper.len_bytes, paper.batch, paper.epochs, paper.learning_rate) == (
        700,
        3000,
        64,
        100,
        0.0005,
    )
    assert paper.outliers.share == 0


def test_the_shipped_bundle_is_of_the_recipe_that_is_here() -> None:
    shipped = bundle.load(bundle.default_path())
    assert shipped.manifest.document["training"]["recipe"] == runs.plain(recipes.DEFAULT)
    assert shipped.needs.records_only
    assert ways(shipped.needs) == list(recipes.DEFAULT.ways)
