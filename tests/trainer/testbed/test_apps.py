"""What the applications say, before any TLS."""

from __future__ import annotations

import random

import pytest

from eacf.bundle.labelmap import LabelMap
from eacf_trainer.testbed import apps

SEEDS = range(150)


def turns(app: str, seed: int) -> list[apps.Turn]:
    play = apps.APPS.get(app, apps.background)
    return list(play(apps.site(app, seed), random.Random(seed)))


@pytest.mark.parametrize("app", [*apps.APPS, apps.BACKGROUND])
def test_turns_are_words_that_can_be_sent(app: str) -> None:
    for seed in SEEDS:
        played = turns(app, seed)
        assert played
        for turn in played:
            assert turn.sizes
            assert min(turn.sizes) >= 1
            assert 0 <= turn.think_s < 60
        assert all(size <= 16_384 for turn in played for size in turn.sizes)
        assert played == turns(app, seed)
    assert turns(app, 1) != turns(app, 2)


@pytest.mark.parametrize("app", apps.APPS)
def test_who_speaks_first_is_a_trait_of_the_application(app: str) -> None:
    assert {turns(app, seed)[0].is_orig for seed in SEEDS} == {app != "mail-sync"}


@pytest.mark.parametrize("app", apps.APPS)
def test_the_same_site_varies_from_connection_to_connection(app: str) -> None:
    site = apps.site(app, 3)
    played = [str(list(apps.APPS[app](site, random.Random(seed)))) for seed in range(20)]
    assert len(set(played)) == 20
    assert apps.site(app, 3) == site


def test_an_upload_goes_up_and_a_video_comes_down() -> None:
    for seed in SEEDS:
        for app, mostly in (("bulk-upload", True), ("video", False)):
            sums = {
                side: sum(sum(turn.sizes) for turn in turns(app, seed) if turn.is_orig is side)
                for side in (True, False)
            }
            assert sums[mostly] > 3 * sums[not mostly]


def test_a_sites_names_are_its_applications() -> None:
    rules = LabelMap(dict(apps.LABEL_MAP), "label_map")
    for app in apps.APPS:
        assert {rules.label(host) for seed in SEEDS for host in apps.site(app, seed).hosts} == {app}
    assert {rules.label(host) for seed in SEEDS for host in apps.site(apps.BACKGROUND, seed).hosts} == {None}


def test_few_sites_have_unusual_headers_and_usual_ones_overlap_no_mean() -> None:
    for app in apps.APPS:
        usual = [
            any(low <= apps.site(app, seed).header <= high for low, high in apps.HEADERS[app]) for seed in range(1000)
        ]
        assert 1 - 2 * apps.UNUSUAL_SHARE < sum(usual) / 1000 < 1
    means = {app: sum(low + high for low, high in ranges) / 2 / len(ranges) for app, ranges in apps.HEADERS.items()}
    between = [
        app
        for app, mean in means.items()
        if any(low <= mean <= high for other, ranges in apps.HEADERS.items() if other != app for low, high in ranges)
    ]
    assert len(between) >= 5  # a mean lies within what another application sends
