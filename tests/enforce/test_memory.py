"""What outlives a restart, on a real disk, full ones and damaged ones among them."""

from __future__ import annotations

import multiprocessing
import sqlite3
from pathlib import Path

import pytest

from eacf.enforce import memory as module
from eacf.enforce.ledger import Ledger
from eacf.enforce.memory import FILE, Memory
from eacf.errors import SettingError
from tests.enforce.conftest import NODE, Ask, MakePolicy


@pytest.fixture
def ledger(policy: MakePolicy) -> Ledger:
    return Ledger(policy(), 0.0)


def save(memory: Memory, ledger: Ledger, now: float, wall: float) -> None:
    memory.write(*ledger.unsaved(), ledger.rules.values(), now, wall)


def test_acts_come_back_as_they_were_with_the_time_that_is_left(tmp_path: Path, ledger: Ledger, ask: Ask) -> None:
    acts = [
        ask(1, dscp=34, rate=5_000_000, key='label "vidéo a"'),
        ask(2, "drop", protocol="udp", orig_h="2001:db8::1", resp_h="2001:db8::2"),
        ask(3, "drop_host", orig_h="10.9.0.0", width=24, lasts_s=5.0),
    ]
    for act in acts:
        ledger.ask(act, NODE, 100.0)
    with Memory(tmp_path / "made" / "here") as memory:
        save(memory, ledger, 100.0, 1_000_000.0)
    with Memory(tmp_path / "made" / "here") as memory:
        kept = list(memory.kept(1_000_010.0))
    assert [each.act for each in kept] == acts[:2]
    assert [(each.reply_to, each.left_s) for each in kept] == [(NODE, 50.0)] * 2


def test_what_went_is_struck_out(tmp_path: Path, ledger: Ledger, ask: Ask) -> None:
    with Memory(tmp_path) as memory:
        for number in range(4):
            ledger.ask(ask(number), NODE, 0.0)
        save(memory, ledger, 0.0, 0.0)
        ledger.take_away(ask(1).id, NODE)
        ledger.take_away(ask(2).id, NODE)
        save(memory, ledger, 0.0, 0.0)
        assert [each.act.id for each in memory.kept(1.0)] == [ask(0).id, ask(3).id]
        memory.rewrite([ledger.rules[ask(3).id]], 0.0, 0.0)
        assert [each.act.id for each in memory.kept(1.0)] == [ask(3).id]


def test_a_clock_that_was_set_back_prolongs_nothing(tmp_path: Path, ledger: Ledger, ask: Ask) -> None:
    with Memory(tmp_path) as memory:
        ledger.ask(ask(1, lasts_s=60.0), NODE, 0.0)
        save(memory, ledger, 0.0, 1_000_000.0)
        assert [each.left_s for each in memory.kept(900_000.0)] == [60.0]


def test_killed_in_the_middle_of_writing(tmp_path: Path, policy: MakePolicy, ask: Ask) -> None:
    made = policy()

    def write() -> None:
        memory, ledger = Memory(tmp_path), Ledger(made, 0.0)
        for number in range(1, 10_000):
            ledger.ask(ask(number), NODE, float(number))
            memory.write(*ledger.unsaved(), ledger.rules.values(), 0.0, 0.0)

    process = multiprocessing.get_context("fork").Process(target=write)
    process.start()
    log = tmp_path / f"{FILE}-wal"
    while not log.exists() or log.stat().st_size < 1_000_000:
        assert process.is_alive()
    process.kill()
    process.join()
    with Memory(tmp_path) as memory:
        numbers = [int(each.act.id.split(".")[1]) for each in memory.kept(0.0)]
    assert len(numbers) > 10
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_damaged_file_is_put_aside(
    tmp_path: Path, ledger: Ledger, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(b"no database" * 1000)
    with Memory(tmp_path) as memory:
        assert list(memory.kept(0.0)) == []
        ledger.ask(ask(1), NODE, 0.0)
        save(memory, ledger, 0.0, 0.0)
        assert len(list(memory.kept(0.0))) == 1
    assert (tmp_path / f"{FILE}.damaged").read_bytes().startswith(b"no database")
    assert "put aside" in caplog.text


def test_a_file_of_another_version_is_put_aside(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with Memory(tmp_path) as memory:
        assert list(memory.kept(0.0)) == []
    assert (tmp_path / f"{FILE}.damaged").exists()


@pytest.mark.parametrize("change", ["orig_h = 'x'", "width = 'x'", "lasts = 'x'", "until = NULL"])
def test_a_row_that_says_nothing_is_passed_over(tmp_path: Path, ledger: Ledger, ask: Ask, change: str) -> None:
    with Memory(tmp_path) as memory:
        for number in range(2):
            ledger.ask(ask(number), NODE, 0.0)
        save(memory, ledger, 0.0, 0.0)
    db = sqlite3.connect(tmp_path / FILE)
    if "NULL" not in change:
        db.execute(f"UPDATE acts SET {change} WHERE id LIKE '%.0'")
    else:
        db.execute("DELETE FROM acts WHERE id LIKE '%.0'")
    db.commit()
    db.close()
    with Memory(tmp_path) as memory:
        assert [each.act.id for each in memory.kept(1.0)] == [ask(1).id]


def test_a_full_disk_costs_the_memory_alone_and_it_comes_back(
    tmp_path: Path, ledger: Ledger, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    with Memory(tmp_path) as memory:
        ledger.ask(ask(1), NODE, 0.0)
        save(memory, ledger, 0.0, 0.0)
        assert memory._db is not None
        pages = memory._db.execute("PRAGMA page_count").fetchone()[0]
        memory._db.execute(f"PRAGMA max_page_count = {pages}")  # what SQLite says where the disk is full
        for number in range(2, 200):
            ledger.ask(ask(number), NODE, 0.0)
        save(memory, ledger, 0.0, 10.0)
        assert memory.errors == 1
        assert "is full" in caplog.text
        memory._db.execute("PRAGMA max_page_count = 100000")
        ledger.take_away(ask(1).id, NODE)
        save(memory, ledger, 0.0, 10.0 + module.RETRY_S / 2)
        assert [each.act.id for each in memory.kept(0.0)] == [ask(1).id]
        ledger.ask(ask(200), NODE, 0.0)
        save(memory, ledger, 0.0, 10.0 + module.RETRY_S)
        assert len(list(memory.kept(0.0))) == len(ledger.rules) == 199


def test_one_agent_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEGIN_S", 0.05)
    with Memory(tmp_path), pytest.raises(SettingError, match="another `eacf enforce` uses it"):
        Memory(tmp_path)
    Memory(tmp_path).close()


def test_a_folder_that_cannot_be_is_an_operators_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match=r"--state .*file/state"):
        Memory(tmp_path / "file" / "state")


def test_without_a_folder_nothing_is_kept(ledger: Ledger, ask: Ask) -> None:
    with Memory(None) as memory:
        ledger.ask(ask(1), NODE, 0.0)
        save(memory, ledger, 0.0, 0.0)
        assert list(memory.kept(0.0)) == []
