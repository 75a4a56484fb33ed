from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eacf import bundle, keys
from eacf.bundle import signing
from eacf.errors import BundleError, SettingError
from eacf.models import State, Store

Push = Callable[[bytes, int], str]


def names(store: Store) -> set[str]:
    return {each.name for each in store.folder.iterdir()}


def consistent(store: Store) -> State:
    """The law: state.json is whole, and every model that it names is there, whole, under its own name."""
    state = store.state()
    for each in state.kept:
        assert bundle.load(store.path(each.id)).id == each.id
    return state


def test_a_new_store_is_its_owners_alone(tmp_path: Path, three: list[bytes]) -> None:
    old = os.umask(0)
    try:
        store = Store.open(tmp_path / "deep" / "store")
        store.keep(three[0], signature=None, now=0)
        with store.claim():
            pass
    finally:
        os.umask(old)
    modes = {each.name: each.stat().st_mode & 0o777 for each in (store.folder, *store.folder.iterdir())}
    assert {modes.pop("store"), modes.pop("incoming")} == {0o700}
    assert set(modes) == {"state.json", "state.lock", "worker.lock", f"{store.state().kept[0].id}.eacf"}
    assert set(modes.values()) == {0o600}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_root_changes_stays_the_workers(store: Store, three: list[bytes]) -> None:
    os.chown(store.folder, 12345, 12345)
    shutil.rmtree(store.incoming)
    for each in store.folder.iterdir():
        each.unlink()
    Store.open(store.folder).keep(three[0], signature=None, now=0)
    with store.claim():
        assert {each.stat().st_uid for each in store.folder.iterdir()} == {12345}


def test_kept_served_and_back(store: Store, three: list[bytes], push: Push, key: keys.PrivateKey) -> None:
    local = store.keep(three[0], signature=None, now=1e9, setting=True)
    assert store.keep(three[0], signature=None, now=1e9) == local
    assert (store.state().serving, store.state().setting) == (None, local)
    pushed = push(three[1], 5)
    state = consistent(Store.open(store.folder))
    assert (state.serving, state.before, state.serials) == (pushed, local, {key.id: 5})
    assert [(each.id, each.key, each.serial) for each in state.kept] == [(pushed, key.id, 5), (local, None, None)]
    assert state.kept[1].received == "2001-09-09T01:46:40Z"
    assert store.rollback(by=None, why="by hand", now=0).serving == local
    assert store.shadow(pushed, by=None, why="", now=0).shadow == pushed
    assert store.state().serving == local


def test_lineage_is_that_of_the_manifest(store: Store, make: Callable[..., bytes]) -> None:
    told = {"parent": "a" * 12, "window": {"first": "a", "last": "b", "samples": 3}, "gate": None}
    store.keep(make(training={"lineage": told}), signature=None, now=0)
    found = store.state().kept[0].lineage
    assert found is not None
    assert found.window is not None
    assert (found.parent, found.window.samples, found.gate) == ("a" * 12, 3, None)
    store.keep(make(training={"lineage": ["no"]}), signature=None, now=0)
    assert store.state().kept[0].lineage is None


def test_the_same_again_changes_nothing(store: Store, three: list[bytes], push: Push) -> None:
    pushed = push(three[0], 5)
    before = {each: each.stat().st_mtime_ns for each in store.folder.iterdir() if each.suffix != ".lock"}
    assert push(three[0], 5) == pushed
    assert store.keep(three[0], signature=None, now=9) == pushed  # nor does a file of the same id, without signature
    assert {each: each.stat().st_mtime_ns for each in store.folder.iterdir() if each.suffix != ".lock"} == before
    assert push(three[0], 6) == pushed
    assert [(each.id, each.serial) for each in store.state().kept] == [(pushed, 6)]


def test_a_damaged_file_is_mended_by_the_same_bundle(store: Store, three: list[bytes], push: Push) -> None:
    pushed = push(three[0], 5)
    store.path(pushed).write_bytes(b"torn")
    assert push(three[0], 5) == pushed
    consistent(store)


def test_an_old_serial_is_not_even_kept(store: Store, three: list[bytes], push: Push) -> None:
    push(three[0], 5)
    before = names(store), store.state()
    for serial in (4, 5):
        with pytest.raises(BundleError, match=f"serial {serial} of key .* is not above 5"):
            push(three[1], serial)
    assert (names(store), store.state()) == before


def test_the_clock_set_back_changes_no_order(store: Store, three: list[bytes]) -> None:
    ids = [store.keep(data, signature=None, now=now) for data, now in zip(three, (2e9, 1e9, 0), strict=True)]
    assert [each.id for each in store.state().kept] == ids[::-1]


def test_no_more_are_kept_than_said_and_none_that_is_needed_goes(tmp_path: Path, make: Callable[..., bytes]) -> None:
    store = Store.open(tmp_path / "few", keep_models=3)
    ids = []
    for number in range(8):
        ids.append(store.keep(make(version=str(number)), signature=None, now=0))
        if number < 2:
            store.serve(ids[-1], by=None, why="", now=0)
    assert [each.id for each in consistent(store).kept] == [ids[7], ids[1], ids[0]]
    assert {each.name for each in store.folder.glob("*.eacf")} == {f"{each}.eacf" for each in (ids[7], ids[1], ids[0])}


def test_what_a_killed_process_left_is_swept_and_a_strangers_file_stays(store: Store, three: list[bytes]) -> None:
    kept = store.keep(three[0], signature=None, now=0)
    ours = ["0123456789ab.eacf", ".0123456789ab.eacf.0123456789ab", ".state.json.0123456789ab"]
    strangers = ["office.eacf", "notes.txt", ".hidden"]
    for name in (*ours, *strangers):
        (store.folder / name).write_bytes(b"")
    store.keep(three[1], signature=None, now=0)
    assert set(strangers) <= names(store)
    assert not set(ours) & names(store)
    assert store.path(kept).exists()


def test_no_bundle_is_not_kept(store: Store, three: list[bytes]) -> None:
    before = names(store)
    for data in (b"", three[0][:-1], three[0] + b"x"):
        with pytest.raises(BundleError, match=r"^bundle: "):
            store.keep(data, signature=None, now=0)
    assert (names(store), store.state()) == (before, State())


# Folders that are not fit


@pytest.mark.parametrize("content", [b"", b"{", b"null", b'{"format": 1}', b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_state_is_told_with_its_remedy_and_never_passed_over(
    store: Store, three: list[bytes], content: bytes
) -> None:
    kept = store.keep(three[0], signature=None, now=0)
    (store.folder / "state.json").write_bytes(content)
    tries: list[Callable[[], Any]] = [
        store.state,
        lambda: Store.open(store.folder),
        lambda: store.keep(three[1], signature=None, now=0),
        lambda: store.serve(kept, by=None, why="", now=0),
    ]
    for each in tries:
        with pytest.raises(SettingError) as caught:
            each()
        assert str(caught.value).startswith(f"{store.folder / 'state.json'}: is damaged (")
        assert "put a copy of it back, or begin anew" in str(caught.value)
    assert (store.folder / "state.json").read_bytes() == content
    assert store.path(kept).exists()


def test_a_lost_state_beside_bundles_is_no_new_store(store: Store, three: list[bytes]) -> None:
    store.keep(three[0], signature=None, now=0)
    (store.folder / "state.json").unlink()
    with pytest.raises(SettingError, match=r"state.json: is missing, though there are bundles: .*; put a copy"):
        Store.open(store.folder)
    with pytest.raises(SettingError, match=r"cannot be read \(No such file"):
        store.keep(three[1], signature=None, now=0)


def test_folders_that_are_not_fit(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o770)
    (tmp_path / "empty").mkdir(mode=0o700)
    for name, create, problem in (
        ("file", True, "is no model store that can be used"),
        ("open", True, "others can write here, and so choose the model; chmod 700"),
        ("none", False, "is no model store that can be used"),
        ("empty", False, "is no model store"),
    ):
        with pytest.raises(SettingError, match=problem):
            Store.open(tmp_path / name, create=create)
    assert list((tmp_path / "empty").iterdir()) == []
    assert not (tmp_path / "none").exists()


# Faults


@contextmanager
def little_space(size: int) -> Iterator[None]:
    """Files cannot grow beyond `size`, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 50, 3000])
def test_a_full_disk_changes_nothing(store: Store, three: list[bytes], push: Push, size: int) -> None:
    pushed = push(three[0], 5)
    before = names(store), store.state()
    with little_space(size):
        with pytest.raises(OSError, match="File too large"):
            push(three[1], 6)
        if size < 3000:
            with pytest.raises(OSError, match="File too large"):
                store.serve(pushed, by=("1" * 16, 1), why="", now=0)
    assert (names(store), store.state()) == before
    push(three[1], 6)
    consistent(store)


def test_a_full_disk_between_file_and_state(store: Store, three: list[bytes], push: Push) -> None:
    """The bundle fits, state.json does not: the state is as it was, and the next one sweeps the file away."""
    pushed = push(three[0], 1)
    for serial in range(1, 60):  # state.json becomes longer than a bundle
        store.serve(pushed, by=("1" * 16, serial), why="x" * 200, now=0)
    before = store.state()
    size = max(map(len, three)) + 300
    assert (store.folder / "state.json").stat().st_size > size
    with little_space(size), pytest.raises(OSError, match="File too large"):
        push(three[1], 2)
    assert store.state() == before
    assert consistent(store).serving == pushed
    store.keep(three[2], signature=None, now=0)
    assert len(list(store.folder.glob("*.eacf"))) == 2


WORK = """
import sys
from pathlib import Path
from eacf import bundle
from eacf.models import Store
store = Store.open(Path(sys.argv[1]), keep_models=2)
bundles = [Path(name).read_bytes() for name in sys.argv[2:]]
print("ready", flush=True)
number = 0
while True:
    for data in bundles:
        number += 1
        model = store.keep(data, signature=None, now=number)
        store.serve(model, by=None, why=str(number), now=number)
        if number % 3 == 0:
            store.rollback(by=None, why="", now=number)
"""


@pytest.mark.slow
def test_killed_at_any_instant_exactly_one_model_serves(tmp_path: Path, three: list[bytes]) -> None:
    files = []
    for number, data in enumerate(three):
        files.append(tmp_path / f"{number}.eacf")
        files[-1].write_bytes(data)
    folder = tmp_path / "store"
    Store.open(folder)
    chance = random.Random(6)
    seen = 0
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "-c", WORK, folder, *files], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(chance.random() * 0.05)
        process.kill()
        process.wait()
        process.stdout.close()
        store = Store.open(folder, keep_models=2)
        state = consistent(store)
        seen += state.serving is not None
        store.keep(three[0], signature=None, now=0)
        left = {f"{each.id}.eacf" for each in store.state().kept}
        assert {each.name for each in folder.iterdir()} == left | {"state.json", "state.lock", "incoming"}
    assert seen >= 6


def test_processes_at_once_lose_no_change(store: Store, three: list[bytes], key: keys.PrivateKey) -> None:
    """Three change it without end, none waits in vain, and each step that was taken is told."""
    ids = [store.keep(data, signature=None, now=0) for data in three]
    program = (
        "import sys\nfrom pathlib import Path\nfrom eacf.models import Store\nstore = Store.open(Path(sys.argv[1]))\n"
        "for number in range(1, 21): store.serve(sys.argv[2], by=(sys.argv[3], number), why='', now=0)\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program, store.folder, model_id, str(number) * 16])
        for number, model_id in enumerate(ids)
    ]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    state = consistent(store)
    assert state.serials == {str(number) * 16: 20 for number in range(3)}
    assert len(state.history) == 60


def test_one_that_hangs_while_it_changes_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch, three: list[bytes]
) -> None:
    monkeypatch.setattr("eacf.models.store.CHANGE_S", 0.1)
    with store._changing(), pytest.raises(SettingError, match=r"another process has been changing it for 0.1 s"):
        Store.open(store.folder).keep(three[0], signature=None, now=0)


# The worker that serves from it


def test_one_worker_and_who_it_is(store: Store) -> None:
    assert store.holder() is None
    assert not store.tell_holder()
    with store.claim():
        assert store.holder() == os.getpid()
        other = Store.open(store.folder)
        with (
            pytest.raises(SettingError, match=rf"worker with process number {os.getpid()} serves from it"),
            other.claim(),
        ):
            pass
    assert store.holder() is None
    with store.claim():
        pass


HOLD = """
import signal, sys, time
from pathlib import Path
from eacf.models import Store
with Store.open(Path(sys.argv[1])).claim():
    signal.signal(signal.SIGHUP, lambda *_: print("told", flush=True))
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_worker_is_told_and_one_that_is_killed_holds_nothing(store: Store) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, store.folder], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert store.holder() == process.pid
    assert store.tell_holder()
    assert process.stdout.readline() == "told\n"
    process.kill()
    process.wait()
    process.stdout.close()
    assert store.holder() is None
    with store.claim():
        assert store.holder() == os.getpid()


def test_a_process_that_is_not_the_worker_is_never_signalled(store: Store) -> None:
    """The number in the lock's file means another process where the worker lives in a container."""
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with store.claim():
            for number in (bystander.pid, 0):
                (store.folder / "worker.lock").write_text(f"{number}\n")
                with pytest.raises(SettingError, match=r"is not seen here as its worker; the change is kept: send"):
                    store.tell_holder()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_whoever_looks_does_not_keep_a_worker_out(store: Store) -> None:
    """A look holds the lock for an instant; a worker that begins then waits for it."""
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            store.holder()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(200):
            with Store.open(store.folder).claim():
                pass
    finally:
        ended.set()
        thread.join()


def test_signed_for_a_shadow(store: Store, three: list[bytes], key: keys.PrivateKey) -> None:
    signed = signing.sign(three[0], key, serial=3, purpose="shadow")
    signature = signing.verify(bundle.from_bytes(signed, "a").manifest, keys.Trusted([key.public]))
    model_id = store.keep(signed, signature=signature, now=0)
    state = store.shadow(model_id, by=(signature.key, signature.serial), why="push", now=0)
    assert (state.serving, state.shadow, state.serials) == (None, model_id, {key.id: 3})
