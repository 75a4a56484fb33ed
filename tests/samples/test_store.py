"""What is removed, and that it is gone from the files; what others do beside a collector."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from eacf.errors import SettingError
from eacf.samples import Busy, Keeper, Limits, Store
from eacf.samples.store import claim, is_claimed

from .conftest import NOW, sample

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("what", "gone"),
    [
        ({"label": "a"}, 100),
        ({"label": "nothing"}, 0),
        ({"background": True}, 100),
        ({"client": "192.0.2.1"}, 100),
        ({"client": "203.0.113.7"}, 1),
        ({"client": "203.0.113.64/26"}, 36),
        ({"client": "2001:db8::1"}, 0),
        ({"older_than_ns": NOW + 100 * SECOND}, 30),
        ({"client": "203.0.113.0/24", "older_than_ns": NOW + 100 * SECOND}, 10),
        ({"label": "a", "client": "203.0.113.7"}, 0),
    ],
)
def test_purge(what: dict[str, object], gone: int, filled: Path) -> None:
    with Store.open(filled) as store:
        assert store.purge(**what) == gone  # type: ignore[arg-type]
        assert len(list(store.read())) == 300 - gone
        assert store.purge(**what) == 0  # type: ignore[arg-type]


def test_an_ipv6_client_is_its_network(path: Path) -> None:
    keeper = Keeper.begin(path, Limits())
    for client in ("2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:3::1"):
        flow = sample(1)
        flow.orig_h = ip_address(client)
        keeper.add(flow, label="a", sensor="zeek", mono_ns=NOW)
    keeper.commit(NOW, NOW)
    assert keeper.purge(client="2001:db8:1:2::77") == 2
    assert keeper.purge(client="2001:db8::/32") == 1
    keeper.close()


def test_a_purge_of_nothing_said_is_a_mistake(filled: Path) -> None:
    with Store.open(filled) as store:
        with pytest.raises(SettingError, match="name a client, a label or an age"):
            store.purge()
        with pytest.raises(SettingError, match="client 'printer': is no address"):
            store.purge(client="printer")
        assert len(list(store.read())) == 300


def bytes_of(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir() if file.name.startswith(path.name))


def test_what_was_removed_is_in_no_file(path: Path) -> None:
    """Payload, names and addresses: neither in the database nor in its log, while a collector has both open."""
    keeper = Keeper.begin(path, Limits(client_share=1, rows_per_label=100))
    for number in range(400):  # three of four go by the reservoir
        flow = sample(number, client="192.0.2.77" if number % 2 else "192.0.2.1", payload=0)
        flow.payload = (b"SECRET-ONE!" if number % 2 else b"secret-two?") * 300
        flow.server_name = "hidden.example" if number % 2 else "www.example.com"
        keeper.add(flow, label="a", sensor="zeek", mono_ns=NOW)
        if number % 50 == 49:
            keeper.commit(NOW, NOW)
    with Store.open(path) as store:
        assert store.purge(client="192.0.2.77") > 10
        assert store.wipe()
        data = bytes_of(path)
        for gone in (b"SECRET-ONE!", b"hidden.example", b"192.0.2.77"):
            assert gone not in data
        assert b"secret-two?" in data
        kept = sum(each.sample.payload.count(b"secret-two?") for each in store.read())
        assert kept <= data.count(b"secret-two?") <= kept + 50  # cut by pages; of the replaced ones nothing is left
        before = path.stat().st_size
        store.shrink()
        assert path.stat().st_size < before
    assert keeper.rows == 100
    keeper.add(sample(1), label="a", sensor="zeek", mono_ns=NOW)
    keeper.commit(NOW, NOW)
    assert keeper.rows < 100  # it has seen that others removed some
    keeper.close()


@pytest.mark.usefixtures("impatient")
def test_while_somebody_reads_the_log_cannot_be_emptied_and_that_is_said(filled: Path) -> None:
    reader = sqlite3.connect(filled, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM samples").fetchone()
    with Store.open(filled) as store:
        store.purge(label="a")
        assert not store.wipe()
        reader.close()
        assert store.wipe()


def test_forget(filled: Path) -> None:
    with Store.open(filled) as store:
        assert store.forget([1, 2, 3, 3, 999]) == 3
        assert store.forget([]) == 0
        assert store.forget(range(1, 2000)) == 297
        assert store.last_id() == 300  # ids are never used again
    keeper = Keeper.begin(filled, Limits())
    keeper.add(sample(1), label="a", sensor="zeek", mono_ns=NOW)
    keeper.commit(NOW, NOW)
    assert [each.id for each in keeper.read()] == [301]
    assert keeper.forget([301]) == 1
    keeper.commit(NOW, NOW)
    assert keeper.rows == 0
    keeper.close()


@pytest.mark.usefixtures("impatient")
def test_a_transaction_of_others_is_waited_for_and_then_busy(filled: Path) -> None:
    other = sqlite3.connect(filled, isolation_level=None)
    with Store.open(filled) as store:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy):
            store.forget([1])
        other.execute("ROLLBACK")
        assert store.forget([1]) == 1
    other.close()


def test_one_collector_at_a_time_also_after_a_kill(filled: Path) -> None:
    assert not is_claimed(filled)
    program = f"import sys, time; from pathlib import Path; from eacf.samples.store import claim; claim(Path({str(filled)!r}));"
    program += "print('has it', flush=True); time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "has it\n"
    assert is_claimed(filled)
    with pytest.raises(SettingError, match="another collector writes to it"):
        Keeper.begin(filled, Limits())
    Store.open(filled).close()  # others may write, too
    other.kill()
    other.communicate()
    assert not is_claimed(filled)
    os.close(claim(filled))


def test_the_time_is_the_collectors_while_one_runs(filled: Path) -> None:
    with Store.open(filled, readonly=True) as store:
        assert store.now_ns(NOW + 5) == NOW + 5
        keeper = Keeper.begin(filled, Limits())
        start = NOW + 2_000 * SECOND
        keeper.commit(start, 0)
        keeper.commit(start + 10**18, 5 * SECOND)  # the clock jumps by 31 years
        assert store.now_ns(start + 10**18) == start + 5 * SECOND
        keeper.close()
        assert store.now_ns(start + 10**18) == start + 10**18
