"""The testbed's captures: what teaches and what judges have nothing in common."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eacf_trainer import plan
from eacf_trainer.plan import CaptureSet, Plan
from eacf_trainer.testbed import path

PURPOSES = {"training": Plan().training, "evaluation": Plan().evaluation}


def test_no_two_purposes_share_a_seed_or_a_site() -> None:
    one, other = PURPOSES.values()
    assert not set(one.seeds) & set(other.seeds)
    assert not set(one.sites) & set(other.sites)


def test_seeds_and_sites_are_those_set_aside() -> None:
    """docs/testbed.md: below 1,000 to train, below 2,000 to judge, from 9,000 on the demo, whose sites are "demo"."""
    assert max(PURPOSES["training"].seeds) < 1_000
    assert all(1_000 <= seed < 2_000 for seed in PURPOSES["evaluation"].seeds)
    assert all("demo" not in wanted.sites for wanted in PURPOSES.values())


@pytest.mark.parametrize("wanted", PURPOSES.values(), ids=PURPOSES)
def test_every_kind_of_path_and_site_is_used(wanted: CaptureSet) -> None:
    assert len(set(wanted.seeds)) == len(wanted.seeds) >= max(len(wanted.conditions), len(wanted.sites))
    assert set(wanted.conditions) <= {*path.KINDS, "mixed"}


def test_kinds_of_path_are_new_at_the_end() -> None:
    assert not set(PURPOSES["evaluation"].conditions) & set(PURPOSES["training"].conditions)


def test_captures_lie_in_folders_of_their_sites_and_are_made_once(tmp_path: Path) -> None:
    wanted = CaptureSet((1, 2), 4, ("lan",), ("x", "y"))
    said: list[str] = []
    assert plan.generate(wanted, tmp_path / "captures", said.append) == tmp_path / "captures"
    files = sorted(tmp_path.rglob("*.pcap"))
    assert [str(file.relative_to(tmp_path)) for file in files] == [
        "captures/x/1-lan-4-0.15.pcap",
        "captures/y/2-lan-4-0.15.pcap",
    ]
    assert len(said) == 2
    files[0].write_bytes(b"kept")
    plan.generate(wanted, tmp_path / "captures", said.append)
    assert (files[0].read_bytes(), len(said)) == (b"kept", 2)
    plan.generate(replace(wanted, connections=5), tmp_path / "captures", said.append)
    assert len(list(tmp_path.rglob("captures/**/*.pcap"))) == 4
