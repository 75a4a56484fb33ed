"""Where a worker's models come from, without a bus: the settings, the store, and what leaves both as they were."""

from __future__ import annotations

import hashlib
import logging
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eacf import bundle, keys
from eacf.bundle import from_bytes, signing
from eacf.bundle.archive import MANIFEST, unpack
from eacf.delivery.intake import Arrived, Ordered
from eacf.delivery.offers import check
from eacf.errors import BundleError
from eacf.models import Store, orders
from eacf.settings import Settings
from eacf.wire import ModelOffer
from eacf.worker.shelf import Shelf, Used

if TYPE_CHECKING:
    from tests.worker.conftest import Signed

SHIPPED = bundle.load(bundle.default_path()).id


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "models")


@pytest.fixture
def shelf(store: Store) -> Shelf:
    return Shelf(Settings(), store)


@pytest.fixture
def arrive(key: keys.PrivateKey, tmp_path: Path) -> Callable[..., Arrived]:
    """What the intake hands over for a signed bundle."""

    def make(data: bytes, sha256: str | None = None) -> Arrived:
        path = tmp_path / "arrived.part"
        path.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest() if sha256 is None else sha256
        offer = ModelOffer("", unpack(data)[MANIFEST], len(data), digest)
        return Arrived(path, check(offer, keys.Trusted([key.public])), frozenset([digest]))

    return make


def trusted(key: keys.PrivateKey) -> keys.Trusted:
    return keys.Trusted([key.public])


def order(action: str, model: str | None, key: keys.PrivateKey, serial: int) -> Ordered:
    return Ordered(orders.verify(orders.sign(action, model, key, serial), trusted(key)), "", "")


def test_the_bundle_of_the_settings_serves_and_is_kept_for_a_rollback(
    shelf: Shelf,
    store: Store,
    signed: Signed,
    arrive: Callable[..., Arrived],
    key: keys.PrivateKey,
) -> None:
    model, shadow = shelf.first()
    assert (model.bundle.id, shadow) == (SHIPPED, None)
    assert store.state().serving is None
    assert store.path(SHIPPED).exists()
    used = Used(SHIPPED, None)
    with pytest.raises(BundleError, match="no model served before"):
        shelf.ordered(order("rollback", None, key, 1), used)
    data = signed("next")
    change = shelf.arrived(arrive(data), trusted(key), used)
    assert change.serve is not None
    assert change.serve.bundle.id == from_bytes(data, "it").id == store.state().serving
    back = shelf.ordered(order("rollback", None, key, 5000), Used(change.serve.bundle.id, None))
    assert back.serve is not None
    assert back.serve.bundle.id == SHIPPED == store.state().serving
    assert shelf.report["serving"] == SHIPPED
    again = Shelf(Settings(), store)
    assert again.first()[0].bundle.id == SHIPPED


def test_what_is_refused_leaves_the_store_as_it_was(
    shelf: Shelf, store: Store, signed: Signed, arrive: Callable[..., Arrived], key: keys.PrivateKey, tmp_path: Path
) -> None:
    shelf.first()
    used = Used(SHIPPED, None)
    before = store.state()
    data = signed("it", serial=10)
    other = shelf.arrived(arrive(data, sha256="0" * 64), trusted(key), used)
    assert (other.outcome.what, other.damaged) == ("refused", True)
    task = arrive(data)
    task.path.write_bytes(signed("another", serial=10))
    another = Arrived(task.path, task.offered, frozenset([hashlib.sha256(task.path.read_bytes()).hexdigest()]))
    with pytest.raises(BundleError, match="what came in is another one"):
        shelf.arrived(another, trusted(key), used)
    with pytest.raises(BundleError, match="which is not trusted"):
        shelf.arrived(arrive(data), keys.Trusted(), used)  # a key that was taken away meanwhile
    with pytest.raises(BundleError, match=r"model\.tflite"):
        shelf.arrived(arrive(signed("broken", model=b"\0\0\0\0TFL3" + bytes(500))), trusted(key), used)
    assert store.state() == before
    store.serve(SHIPPED, by=None, why="by hand", now=time.time())
    same = arrive(signing.sign(bundle.default_path().read_bytes(), key, serial=11, purpose="shadow"))
    with pytest.raises(BundleError, match="only another one can score"):
        shelf.arrived(same, trusted(key), used)
    assert store.state().serving == SHIPPED


def test_an_order_for_a_model_whose_file_is_gone_changes_nothing(
    shelf: Shelf, store: Store, signed: Signed, key: keys.PrivateKey
) -> None:
    shelf.first()
    kept = store.keep(signed("kept"), signature=None, now=time.time())
    store.path(kept).unlink()
    before = store.state()
    for action in ("promote", "shadow"):
        with pytest.raises(BundleError, match="cannot be read"):
            shelf.ordered(order(action, kept, key, 1), Used(SHIPPED, None))
    assert store.state() == before


def test_a_shadow_that_is_promoted_scores_no_more(
    shelf: Shelf, store: Store, signed: Signed, key: keys.PrivateKey, arrive: Callable[..., Arrived]
) -> None:
    shelf.first()
    beside = signed("beside", serial=1, purpose="shadow")
    change = shelf.arrived(arrive(beside), trusted(key), Used(SHIPPED, None))
    assert (change.outcome.what, change.serve, change.shadow_changes) == ("shadow", None, True)
    assert change.shadow is not None
    model = change.shadow.bundle.id
    assert store.state().shadow == model
    promoted = shelf.ordered(order("promote", model, key, 2), Used(SHIPPED, model))
    assert promoted.serve is not None
    assert (promoted.serve.bundle.id, promoted.shadow, promoted.shadow_changes) == (model, None, True)
    assert store.state().shadow is None


def test_a_full_disk_at_the_start_costs_the_rollback_alone(
    shelf: Shelf, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with caplog.at_level(logging.WARNING):
            model, _ = shelf.first()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert model.bundle.id == SHIPPED
    assert "no rollback will find it" in caplog.text
    assert store.state().kept == ()


def test_without_a_store_there_is_the_setting_alone() -> None:
    shelf = Shelf(Settings(bundle=Path("testbed"), shadow=Path("public")), None)
    model, shadow = shelf.first()
    assert shadow is not None
    assert (model.bundle.name, shadow.bundle.id) == (bundle.load(bundle.find("testbed")).name, SHIPPED)
    assert shelf.report == {}
    same = Shelf(Settings(shadow=Path("public")), None)
    assert same.first()[1] is None  # what serves need not score, too


def test_what_is_in_use_is_not_loaded_again(shelf: Shelf, store: Store, signed: Signed) -> None:
    shelf.first()
    same = shelf.again(Used(SHIPPED, None))
    assert (same.outcome.what, same.serve, same.shadow_changes) == ("serving", None, False)
    beside = store.keep(signed("beside"), signature=None, now=time.time())
    store.shadow(beside, by=None, why="by hand", now=time.time())
    change = shelf.again(Used(SHIPPED, None))
    assert change.shadow is not None
    assert (change.serve, change.shadow.bundle.id, change.shadow_changes) == (None, beside, True)
    assert not shelf.again(Used(SHIPPED, beside)).shadow_changes
    store.shadow(None, by=None, why="by hand", now=time.time())
    gone = shelf.again(Used(SHIPPED, beside))
    assert (gone.shadow, gone.shadow_changes) == (None, True)


def test_what_serves_by_the_settings_does_not_score_beside_itself(
    shelf: Shelf, store: Store, key: keys.PrivateKey, arrive: Callable[..., Arrived]
) -> None:
    """The store does not know what serves then, and after a restart nothing would score."""
    shelf.first()
    before = store.state()
    same = arrive(signing.sign(bundle.default_path().read_bytes(), key, serial=11, purpose="shadow"))
    with pytest.raises(BundleError, match="only another one can score"):
        shelf.arrived(same, trusted(key), Used(SHIPPED, None))
    with pytest.raises(BundleError, match="only another one can score"):
        shelf.ordered(order("shadow", SHIPPED, key, 12), Used(SHIPPED, None))
    assert store.state() == before


def test_a_damaged_shadow_stops_neither_a_start_nor_a_change(
    shelf: Shelf, store: Store, signed: Signed, caplog: pytest.LogCaptureFixture
) -> None:
    beside, other = (store.keep(signed(name), signature=None, now=time.time()) for name in ("beside", "other"))
    store.shadow(beside, by=None, why="by hand", now=time.time())
    store.path(beside).write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        model, shadow = shelf.first()
    assert (model.bundle.id, shadow) == (SHIPPED, None)
    assert "nothing scores beside the model that serves" in caplog.text
    store.serve(other, by=None, why="by hand", now=time.time())
    change = shelf.again(Used(SHIPPED, None))
    assert change.serve is not None
    assert (change.serve.bundle.id, change.shadow_changes) == (other, False)


def test_what_the_store_says_and_nobody_uses_is_not_known(shelf: Shelf, store: Store, signed: Signed) -> None:
    """Else an offer of it were answered that it serves."""
    shelf.first()
    one, two = (store.keep(signed(name), signature=None, now=time.time()) for name in ("one", "two"))
    store.serve(one, by=None, why="by hand", now=time.time())
    store.shadow(two, by=None, why="by hand", now=time.time())
    for used in (Used(one, two), Used(SHIPPED, two), Used(one, None)):
        known = shelf.known(used)
        assert known.serving == (one if used.serving == one else None)
        assert known.shadow == used.shadow


def test_an_order_to_end_the_shadow_leaves_what_a_restart_would(
    store: Store, signed: Signed, key: keys.PrivateKey
) -> None:
    """The shadow of the settings, which no order takes out of them."""
    shelf = Shelf(Settings(shadow=Path("testbed")), store)
    _, shadow = shelf.first()
    assert shadow is not None
    setting = shadow.bundle.id
    beside = store.keep(signed("beside"), signature=None, now=time.time())
    scores = shelf.ordered(order("shadow", beside, key, 1), Used(SHIPPED, setting))
    assert (scores.outcome.what, scores.shadow_changes) == ("shadow", True)
    back = shelf.ordered(order("shadow", None, key, 2), Used(SHIPPED, beside))
    assert back.shadow is not None
    assert (back.outcome.what, back.shadow.bundle.id, back.shadow_changes) == ("shadow", setting, True)
    stays = shelf.ordered(order("shadow", None, key, 3), Used(SHIPPED, setting))
    assert (stays.outcome.what, setting in stays.outcome.reason, stays.shadow_changes) == ("shadow", True, False)
    assert not shelf.again(Used(SHIPPED, setting)).shadow_changes
    itself = Shelf(Settings(shadow=Path("public")), store)
    gone = itself.ordered(order("shadow", None, key, 4), Used(SHIPPED, beside))
    assert (gone.outcome.what, gone.shadow, gone.shadow_changes) == ("off", None, True)
