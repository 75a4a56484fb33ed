"""What `eacf-train watch` says of mistakes, before anything begins; it is run whole in tests/trainer/watch."""

from __future__ import annotations

from pathlib import Path

import pytest

from eacf.samples import Store
from eacf_trainer.cli import main
from eacf_trainer.cli.watch import told
from eacf_trainer.watch.home import Home


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    Store.open(tmp_path / "samples.db").close()
    return [
        "watch",
        str(tmp_path / "home"),
        "--db",
        str(tmp_path / "samples.db"),
        "--no-bus",
        "--once",
        "--from",
        "testbed",
    ]


def test_without_samples_there_is_nothing_to_do(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert capsys.readouterr().out == "nothing to do: no new sample is released\n"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--db", "none.db"], "none.db"),
        (["--key", "none.key"], "none.key"),
        (["--from", "nowhere"], "nowhere: no run folder of a finished model"),
        (["--go-back", "0123456789ab"], "--go-back 0123456789ab: no run folder"),
        (["--settings", "none.toml"], "--settings|--config none.toml"),
        (["--quarantine", "-1"], "samples.quarantine_s"),
    ],
)
def test_a_mistake_is_told(
    arguments: list[str],
    more: list[str],
    told: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, *more]) == 2
    assert any(each in capsys.readouterr().err for each in told.split("|"))


def test_one_watcher_at_a_time(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Home.open(tmp_path / "home"):
        assert main(arguments) == 2
    assert "another watcher works there" in capsys.readouterr().err


def test_going_back_is_a_line_in_the_log(arguments: list[str], tmp_path: Path) -> None:
    assert main(arguments) == 0
    with Home.open(tmp_path / "home") as home:
        serving = home.state.serving
        assert serving is not None
        home.say({"kind": "begin", "bundle": "0123456789ab"})
    assert main([*arguments, "--go-back", serving]) == 0
    with Home.open(tmp_path / "home") as home:
        assert home.state.serving == serving


def test_lines_of_the_log_in_words() -> None:
    judgement = {"serving": {"macro_f1": 0.5}, "candidate": {"macro_f1": 0.875}, "judged": 200, "p": 0.001}
    line = {
        "kind": "update",
        "turn": 3,
        "reason": "drift",
        "outcome": "rejected",
        "bundle": "abc",
        "judgement": judgement,
    }
    assert told(line | {"why": ["too slow"]}) == (
        "update 3 (drift): rejected abc, macro-F1 50.0 -> 87.5 on 200 samples (p 0.001)\n  too slow"
    )
    failed = {"kind": "update", "turn": 4, "reason": "once", "outcome": "failed", "bundle": None, "why": ["no sample"]}
    assert told(failed) == "update 4 (once): failed\n  no sample"
    push = {"kind": "push", "bundle": "abc", "serial": 7, "workers": {"w": ["refused", "why not"]}, "file": None}
    assert told(push) == "bundle abc, serial 7: w refused why not"
    assert told(push | {"workers": {}}) == "bundle abc, serial 7: no worker is there"
    assert told(push | {"workers": None, "file": "out.eacf"}) == "bundle abc: not pushed, lies in out.eacf"
