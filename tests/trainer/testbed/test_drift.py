"""Weeks in which applications change."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest

from eacf_trainer.testbed import APPS, apps, generate
from eacf_trainer.testbed.drift import NEW, NEW_FROM, REPLACED, REPLACED_FROM, Week


def first_sizes(week: int, app: str, turns: int = 6) -> list[int]:
    """What a deployment's first turns write that week."""
    world = Week(week)
    said = world.turns(world.site(app, 7), random.Random(1))
    return [sum(turn.sizes) for turn in islice(said, turns)]


def test_week_0_is_the_testbed_as_it_is() -> None:
    world = Week(0)
    assert world.apps == tuple(APPS)
    for app in APPS:
        assert world.site(app, 3) == apps.site(app, 3)
        usual = APPS[app](apps.site(app, 3), random.Random(2))
        assert list(world.turns(world.site(app, 3), random.Random(2))) == list(usual)


def test_sizes_grow_slowly_and_old_tls_dies_out() -> None:
    headers = [Week(week).site("web-page", 5).header for week in range(8)]
    assert headers == sorted(headers)
    assert headers[7] > 1.3 * headers[0]
    shares = [Week(week).site("chat", 5).tls12_share for week in range(8)]
    assert shares[7] < 0.1 * shares[0]


@pytest.mark.parametrize("app", ["api-polling", "bulk-upload", "chat"])
def test_some_change_in_one_step(app: str) -> None:
    headers = [Week(week).site(app, 5).header for week in range(8)]
    assert len(set(headers)) == 2


def test_one_application_is_replaced_under_its_name() -> None:
    before, after = (Week(week).site(REPLACED, 4) for week in (REPLACED_FROM - 1, REPLACED_FROM))
    assert before.domain == after.domain
    turn = next(iter(Week(REPLACED_FROM - 1).turns(before, random.Random(1))))
    assert not turn.is_orig  # in IMAP the server speaks first
    assert next(iter(Week(REPLACED_FROM).turns(after, random.Random(1)))).is_orig
    assert first_sizes(REPLACED_FROM - 1, REPLACED) != first_sizes(REPLACED_FROM, REPLACED)


def test_one_application_is_new(tmp_path: Path) -> None:
    assert NEW not in Week(NEW_FROM - 1).apps
    truths = generate(tmp_path / "new.pcap", seed=1, connections=20, kinds=(NEW,), world=Week(NEW_FROM))
    names = {truth.server_name for truth in truths if truth.server_name}
    assert names
    assert all(name.endswith(f".{NEW}.example") for name in names)


def test_the_ends_of_video_become_hasty() -> None:
    def thought(week: int) -> float:
        world = Week(week)
        return sum(turn.think_s for turn in world.turns(world.site("video", 2), random.Random(3)))

    assert thought(5) == pytest.approx(0.3 * thought(4))
