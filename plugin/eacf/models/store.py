"""The folder in which one worker keeps the models that were pushed to it.

``state.json`` is the only truth about what serves; ``<id>.eacf`` are the bundles, ``worker.lock`` is held by the worker,
``state.lock`` by whoever changes something, ``incoming/`` has what is only half here. Law: at every instant, also after
a kill or a power cut, ``state.json`` is whole, and the bundle of every model that it names is there, whole.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eacf import bundle as bundles
from eacf.bundle import Bundle, Signature
from eacf.errors import BundleError, SettingError
from eacf.files import hand_over, lock, locked, replace, sync_folder
from eacf.models.lineage import lineage
from eacf.models.reading import read
from eacf.models.state import By, Kept, State, utc

KEEP_MODELS = 10
CHANGE_S = 5.0
"""How long a change waits for another one to end; none takes longer than the disk does."""
CLAIM_S = 1.0
"""How long a worker waits for one that is just ending, or for a command that looks who is there."""
MAX_STATE = 4 << 20
_OURS = re.compile(r"[0-9a-f]{12}\.eacf|\.([0-9a-f]{12}\.eacf|state\.json)\.[0-9a-f]{12}")


class Store:
    """One such folder. Any process may look and change; only one worker serves from it (:meth:`claim`).

    Whatever changes something raises BundleError (it is not to be: no such model, an old serial), SettingError (the folder
    or its state.json are not fit, or stay locked) or OSError (disk full); the state is then as it was.
    """

    def __init__(self, folder: Path, keep_models: int) -> None:
        self.folder, self._keep_models = folder, keep_models

    @classmethod
    def open(cls, folder: Path, *, keep_models: int = KEEP_MODELS, create: bool = True) -> Store:
        """The store in `folder`; a new one where there is nothing and `create` is said. SettingError."""
        store = cls(folder, keep_models)
        try:
            if create:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = folder.stat().st_mode
            if mode & 0o022:
                raise SettingError(f"{folder}: others can write here, and so choose the model; chmod 700 {folder}")
            if not store._state_file.exists():
                store._begin(create)
            store.incoming.mkdir(mode=0o700, exist_ok=True)
            with store._opened(store.incoming, os.O_RDONLY) as descriptor:
                hand_over(descriptor, folder)
        except OSError as error:
            raise SettingError(
                f"{folder}: is no model store that can be used ({error.strerror}); name a folder of the worker's own"
            ) from None
        store.state()
        return store

    def _begin(self, create: bool) -> None:
        if not create:
            raise SettingError(f"{self.folder}: is no model store (no state.json); name the worker's model_store")
        with self._changing():
            if self._state_file.exists():
                return
            if any(self.folder.glob("*.eacf")):
                raise SettingError(
                    f"{self._state_file}: is missing, though there are bundles: what serves is not known; {self._remedy}"
                )
            replace(self._state_file, State().document(), 0o600, for_owner=True)

    # What is there

    @property
    def _state_file(self) -> Path:
        return self.folder / "state.json"

    @property
    def incoming(self) -> Path:
        """Folder for what is not whole yet."""
        return self.folder / "incoming"

    def path(self, model_id: str) -> Path:
        """The bundle of a model that is kept."""
        return self.folder / f"{model_id}.eacf"

    def state(self) -> State:
        """As it is on disk now. SettingError where it cannot be read or is damaged."""
        try:
            with self._state_file.open("rb") as file:
                return read(file.read(MAX_STATE))
        except OSError as error:
            raise SettingError(f"{self._state_file}: cannot be read ({error.strerror}); {self._remedy}") from None
        except (ValueError, RecursionError) as error:
            raise SettingError(f"{self._state_file}: is damaged ({str(error)[:200]}); {self._remedy}") from None

    @property
    def _remedy(self) -> str:
        return (
            f"put a copy of it back, or begin anew: move {self.folder} away, then `eacf model promote "
            f"MOVED/<id>.eacf --store {self.folder}` (docs/models.md)"
        )

    # Changes

    def keep(self, data: bytes, *, signature: Signature | None, now: float, setting: bool = False) -> str:
        """Put a bundle's file into the store, as the newest; its id. Does not make it serve. The same again changes nothing.

        `signature`: as :func:`eacf.bundle.signing.verify` gave it; None for a file of this machine. `now`: seconds since the
        epoch. `setting`: it is what the worker serves by its settings. BundleError where it is no bundle, or one that is
        older than what was taken of its key.
        """
        bundle = bundles.from_bytes(data, "bundle")
        with self._changing():
            state = self.state()
            entry = _entry(bundle, signature, now)
            there = next((each for each in state.kept if each.id == bundle.id), None)
            same = there is not None and (signature is None or (there.key, there.serial) == (entry.key, entry.serial))
            after = state
            if not same or not self._whole(bundle.id):
                if signature is not None and not same:
                    state.check_serial((signature.key, signature.serial))
                replace(self.path(bundle.id), data, 0o600, for_owner=True)
                after = state.add(entry, self._keep_models)
            if setting:
                after = after.with_setting(bundle.id)
            if after != state:
                replace(self._state_file, after.document(), 0o600, for_owner=True)
            self._sweep(after)
        return bundle.id

    def serve(self, model_id: str, *, by: By | None, why: str, now: float) -> State:
        """Have a model that is kept serve from now on, in one step; the new state. `by`: whose wish; None: the operator's."""
        return self._change(lambda state: state.serve(model_id, by, why, now))

    def rollback(self, model_id: str | None = None, *, by: By | None, why: str, now: float) -> State:
        """Have an older one serve again: that one, or the one before."""
        return self._change(lambda state: state.rollback(model_id, by, why, now))

    def shadow(self, model_id: str | None, *, by: By | None, why: str, now: float) -> State:
        """Have a model score beside the one that serves; None: none."""
        return self._change(lambda state: state.score(model_id, by, why, now))

    def _change(self, change: Callable[[State], State]) -> State:
        with self._changing():
            before = self.state()
            after = change(before)
            if after != before:
                replace(self._state_file, after.document(), 0o600, for_owner=True)
            return after

    def _whole(self, model_id: str) -> bool:
        """Whether that model's file is there and as it should be."""
        try:
            return bundles.load(self.path(model_id)).id == model_id
        except BundleError:
            return False

    def _sweep(self, state: State) -> None:
        """Take away bundles that the state does not name, and what a killed process left half written."""
        named = {self.path(each.id).name for each in state.kept}
        stale = [each for each in self.folder.iterdir() if _OURS.fullmatch(each.name) and each.name not in named]
        for each in stale:
            each.unlink(missing_ok=True)
        if stale:
            sync_folder(self.folder)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Nobody else changes anything meanwhile."""
        with self._opened(self.folder / "state.lock", os.O_RDWR | os.O_CREAT) as descriptor:
            hand_over(descriptor, self.folder)
            try:
                lock(descriptor, CHANGE_S)
            except BlockingIOError:
                raise SettingError(
                    f"{self.folder}: another process has been changing it for {CHANGE_S:g} s; end that one"
                ) from None
            yield

    # Who serves from it

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Be the worker of this store until the end of the block, or of the process. SettingError where there is one."""
        with self._opened(self._lock_file, os.O_RDWR | os.O_CREAT) as descriptor:
            hand_over(descriptor, self.folder)
            try:
                lock(descriptor, CLAIM_S)
            except BlockingIOError:
                other = _pid(descriptor)
                raise SettingError(
                    f"{self.folder}: the worker with process number {other} serves from it; give each worker its own "
                    "model_store"
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield

    def holder(self) -> int | None:
        """Process number of the worker that serves from here; None: no worker does."""
        try:
            with self._opened(self._lock_file, os.O_RDONLY) as descriptor:
                try:
                    with locked(descriptor, 0, fcntl.LOCK_SH):
                        return None
                except BlockingIOError:
                    return _pid(descriptor)
        except FileNotFoundError:
            return None

    def tell_holder(self) -> bool:
        """Have the worker that serves from here read the state again (SIGHUP). False: no worker does.

        SettingError where it cannot be told: it is another user's, or lives where its process number means another.
        """
        holder = self.holder()
        if holder is None:
            return False
        remedy = "the change is kept: send that worker SIGHUP, or start it again"
        if not _holds(holder, self._lock_file):
            raise SettingError(f"{self.folder}: process {holder} is not seen here as its worker; {remedy}")
        try:
            os.kill(holder, signal.SIGHUP)
        except ProcessLookupError:
            return False
        except PermissionError:
            raise SettingError(f"{self.folder}: worker {holder} belongs to another user; {remedy}") from None
        return True

    @property
    def _lock_file(self) -> Path:
        return self.folder / "worker.lock"

    @staticmethod
    @contextmanager
    def _opened(path: Path, flags: int) -> Iterator[int]:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _entry(bundle: Bundle, signature: Signature | None, now: float) -> Kept:
    key, serial = (None, None) if signature is None else (signature.key, signature.serial)
    found = lineage(bundle.manifest.training.get("lineage"))
    return Kept(bundle.id, bundle.name, bundle.version, utc(now), key, serial, found)


def _pid(descriptor: int) -> int:
    """What the lock's file says; 0 in the moment before it does."""
    text = os.pread(descriptor, 20, 0).strip()
    return int(text) if text.isdigit() else 0


def _holds(pid: int, path: Path) -> bool:
    """Whether process `pid` has `path` open, as far as that can be seen; True where it cannot be looked at."""
    open_files = Path(f"/proc/{pid}/fd")
    if pid <= 0 or (Path("/proc/self").exists() and not open_files.exists()):
        return False
    try:
        return any(each.exists() and each.samefile(path) for each in open_files.iterdir())
    except OSError:
        return True
