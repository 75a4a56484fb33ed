from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf import keys
from eacf.bundle.document import canonical
from eacf.errors import BundleError
from eacf.models import Store, orders

A = "a" * 12


@pytest.fixture
def trusted(key: keys.PrivateKey) -> keys.Trusted:
    return keys.Trusted([key.public])


@pytest.mark.parametrize(
    ("action", "model"), [("promote", A), ("rollback", None), ("rollback", A), ("shadow", A), ("shadow", None)]
)
def test_signed_and_read(key: keys.PrivateKey, trusted: keys.Trusted, action: str, model: str | None) -> None:
    data = orders.sign(action, model, key, 7)
    assert orders.verify(data, trusted) == orders.Order(action, model, 7, key.id)
    assert len(data) <= orders.MAX_ORDER


def test_orders_that_cannot_be(key: keys.PrivateKey) -> None:
    for action, model, serial, problem in (
        ("promote", None, 7, "a model must be named"),
        ("remove", A, 7, "order.action"),
        ("promote", "../x", 7, "order.model"),
        ("promote", A, 0, "order.serial"),
    ):
        with pytest.raises(BundleError, match=problem):
            orders.sign(action, model, key, serial)


def test_what_is_not_signed_by_one_who_is_trusted(tmp_path: Path, key: keys.PrivateKey, trusted: keys.Trusted) -> None:
    other, _ = keys.new(tmp_path / "other")
    with pytest.raises(BundleError, match=f"signed by key {other.id}, which is not trusted"):
        orders.verify(orders.sign("rollback", None, other, 7), trusted)
    order = json.loads(orders.sign("rollback", None, key, 7))
    for change in ({"serial": 8}, {"action": "shadow"}, {"model": A}):
        with pytest.raises(BundleError, match="its signature is not that of key"):
            orders.verify(canonical(order | change), trusted)
    for data, problem in (
        (canonical(order | {"more": 1}), "order.more: is unknown"),
        (b" " * 1025, "order: has 1025 bytes, at most 1024"),
        (b"[]", "must be an object"),
    ):
        with pytest.raises(BundleError, match=problem):
            orders.verify(data, trusted)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_anything_is_a_bundle_error(data: bytes) -> None:
    with pytest.raises(BundleError):
        orders.verify(data, keys.Trusted())


def test_obeyed_once_and_in_order(
    store: Store, key: keys.PrivateKey, trusted: keys.Trusted, three: list[bytes], push: Callable[[bytes, int], str]
) -> None:
    first, second, third = (push(data, number) for number, data in enumerate(three, 1))

    def give(action: str, model: str | None, serial: int) -> tuple[str | None, str | None]:
        order = orders.verify(orders.sign(action, model, key, serial), trusted)
        wanted = orders.target(order, store.state())
        state = orders.obey(store, order, now=0)
        assert wanted == (state.shadow if action == "shadow" else state.serving)
        return state.serving, state.shadow

    assert give("rollback", None, 4) == (second, None)
    assert give("rollback", None, 5) == (first, None)
    assert give("promote", third, 6) == (third, None)
    assert give("shadow", second, 7) == (third, second)
    assert give("shadow", None, 8) == (third, None)
    assert give("rollback", first, 9) == (first, None)
    assert give("rollback", first, 9) == (first, None)  # asked again, since the answer was lost
    for serial in (5, 8):
        with pytest.raises(BundleError, match=f"serial {serial} of key {key.id} is not above 9"):
            give("promote", second, serial)
    with pytest.raises(BundleError, match="is not in the store"):
        give("promote", "f" * 12, 10)
    assert store.state().serials == {key.id: 9}
    assert [step.why for step in store.state().history[:2]] == ["order to rollback", "order to shadow"]


def test_a_pushed_bundle_that_an_order_rolled_back_does_not_come_back_by_itself(
    store: Store, key: keys.PrivateKey, trusted: keys.Trusted, three: list[bytes], push: Callable[[bytes, int], str]
) -> None:
    first, second = push(three[0], 1), push(three[1], 2)
    orders.obey(store, orders.verify(orders.sign("rollback", None, key, 3), trusted), now=0)
    with pytest.raises(BundleError, match="is not above 3"):
        push(three[1], 2)  # a stranger sends again what was signed once
    assert store.state().serving == first
    assert push(three[1], 4) == second
    assert store.state().serving == second
