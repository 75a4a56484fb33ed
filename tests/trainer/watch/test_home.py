from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from eacf import bundle
from eacf.errors import SettingError
from eacf_trainer.watch.home import RESULT, RUN, SHIPPED, Home, State, folded

TESTBED = bundle.load(bundle.find("testbed")).id
PUBLIC = bundle.load(bundle.find("public")).id


def update(turn: int, outcome: str, **more: Any) -> dict[str, Any]:
    return {"kind": "update", "turn": turn, "outcome": outcome, "at_s": 1000.0 + turn} | more


def test_the_state_follows_from_the_log() -> None:
    lines = [
        {"kind": "begin", "bundle": "a"},
        update(1, "rejected", up_to=100),
        update(2, "failed"),
        update(3, "failed"),
    ]
    assert folded(lines) == State(turn=3, serving="a", tried=100, tried_at=1003.0, failures=2)
    lines += [update(4, "accepted", up_to=200, learnt_up_to=160, bundle="b")]
    accepted = State(turn=4, serving="b", accepted=200, learnt=160, tried=200, tried_at=1004.0, pending="b")
    assert folded(lines) == accepted
    assert folded([*lines, {"kind": "push", "bundle": "b", "done": False}]) == accepted
    assert folded([*lines, {"kind": "push", "bundle": "a", "done": True}]) == accepted
    assert folded([*lines, {"kind": "push", "bundle": "b", "done": True}]).pending is None
    assert folded([*lines, {"kind": "begin", "bundle": "a"}]).serving == "a"
    assert folded([*lines, {"kind": "of a later eacf"}, {"no": "kind"}]) == accepted


def test_a_home_begins_with_a_run_and_finds_it_again(tmp_path: Path) -> None:
    with Home.open(tmp_path / "home") as home:
        assert home.state == State()
        assert home.begin(SHIPPED / "testbed", "now") == TESTBED
        assert bundle.load(home.bundle(TESTBED)).id == TESTBED
    with Home.open(tmp_path / "home") as home:
        assert home.state.serving == TESTBED


def test_one_watcher_at_a_time(tmp_path: Path) -> None:
    with Home.open(tmp_path), pytest.raises(SettingError, match="another watcher"):
        Home.open(tmp_path)
    Home.open(tmp_path).close()


def test_what_is_no_run_or_not_whole_is_told(tmp_path: Path) -> None:
    with Home.open(tmp_path / "home") as home:
        with pytest.raises(SettingError, match="no run folder"):
            home.begin(tmp_path, "now")
        torn = tmp_path / "torn"
        shutil.copytree(SHIPPED / "testbed", torn)
        (torn / "weights.npz").unlink()
        with pytest.raises(SettingError, match=r"not whole \(weights.npz"):
            home.begin(torn, "now")
        shutil.copy(bundle.find("public"), torn / "testbed.eacf")
        with pytest.raises(SettingError, match=f"put the run's own into {torn}"):
            home.begin(torn, "now")
        assert home.state.serving is None
        with pytest.raises(SettingError, match="holds no bundle"):
            home.bundle("0123456789ab")


def test_a_turn_has_no_result_until_it_has_one(tmp_path: Path) -> None:
    with Home.open(tmp_path) as home:
        assert home.result() is None
        work = home.order({"turn": 1})
        assert home.result() is None
        (work / RESULT).write_text(json.dumps({"turn": 1}))
        assert home.result() == {"turn": 1}
        (work / RUN).mkdir()
        (work / RUN / "config.json").write_text("{}")
        home.keep_run("abc", accepted=False, turn=1)
        home.keep_run("abc", accepted=False, turn=1)
        assert (tmp_path / "failed" / "1-abc" / "config.json").exists()
        (work / RESULT).write_text("{")
        with pytest.raises(SettingError, match="remove"):
            home.result()
        home.drop_work()
        assert not work.exists()


def test_the_serving_model_and_its_parent_are_never_pruned(tmp_path: Path) -> None:
    with Home.open(tmp_path) as home:
        for number in range(6):
            folder = home.run(f"{number}")
            folder.mkdir()
            (folder / "config.json").write_text(json.dumps({"lineage": {"parent": "0"} if number == 1 else None}))
        for number in range(4):
            (tmp_path / "failed" / f"{number}-x").mkdir()
        home.say({"kind": "begin", "bundle": "1"})
        home.prune(2, 1)
        left = {folder.name for folder in (tmp_path / "runs").iterdir()}
        assert {"0", "1"} <= left
        assert len(left) <= 4
        assert len(list((tmp_path / "failed").iterdir())) == 1
