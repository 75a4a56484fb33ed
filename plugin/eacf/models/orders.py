"""Orders that come over the bus: promote, roll back, shadow; signed, and each good once (its serial only goes up).

An order is the canonical JSON of ``{"action", "model", "serial", "key", "value"}``; `value` is an Ed25519 signature in
base64 over ``b"eacf order 1\\n"`` and the canonical JSON without it.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from eacf.bundle.document import canonical, parse
from eacf.bundle.fields import Table
from eacf.bundle.manifest import MAX_SERIAL
from eacf.errors import BundleError
from eacf.keys import PrivateKey, Trusted
from eacf.models.state import State
from eacf.models.store import Store

ACTIONS = ("promote", "rollback", "shadow")
MAX_ORDER = 1024
"""Bytes of an order."""
PREFIX = b"eacf order 1\n"
"""Nothing else that a key signs begins so."""
_ID = "[0-9a-f]{12}"


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants whose key is trusted."""

    action: str
    """One of ACTIONS."""
    model: str | None
    """None: for a rollback the one before, for a shadow none."""
    serial: int
    key: str

    @property
    def why(self) -> str:
        """For the history."""
        return f"order to {self.action}"


def sign(action: str, model: str | None, key: PrivateKey, serial: int) -> bytes:
    """An order as it goes over the bus. `serial` is from :func:`eacf.keys.next_serial`. BundleError for one that cannot be."""
    unsigned = {"action": action, "model": model, "serial": serial, "key": key.id}
    value = base64.b64encode(key.sign(PREFIX + canonical(unsigned))).decode()
    order = canonical(unsigned | {"value": value})
    _read(order)
    return order


def verify(data: bytes, trusted: Trusted) -> Order:
    """Check an order. BundleError: it is none, or not of a key that is trusted. Its serial is checked as it is obeyed."""
    order, signed, value = _read(data)
    key = trusted.get(order.key)
    if key is None:
        raise BundleError(
            f"order: signed by key {order.key}, which is not trusted; add its .pub to the worker's trusted_keys"
        )
    if not key.verifies(value, signed):
        raise BundleError(f"order: its signature is not that of key {order.key}: it was changed; sign it again")
    return order


def target(order: Order, state: State) -> str | None:
    """The model that is to serve (or, for a shadow, to score) by `order`; BundleError where it is not in the store."""
    if order.action == "rollback":
        return state.rollback_target(order.model)
    return None if order.model is None else state.rollback_target(order.model)


def obey(store: Store, order: Order, *, now: float) -> State:
    """Write what `order` wants, in one step. BundleError (an old serial, no such model), SettingError, OSError."""
    by = (order.key, order.serial)
    if order.action == "shadow":
        return store.shadow(order.model, by=by, why=order.why, now=now)
    if order.action == "promote" and order.model is not None:
        return store.serve(order.model, by=by, why=order.why, now=now)
    return store.rollback(order.model, by=by, why=order.why, now=now)


def _read(data: bytes) -> tuple[Order, bytes, bytes]:
    """The order, what is signed, and the signature."""
    if len(data) > MAX_ORDER:
        raise BundleError(f"order: has {len(data)} bytes, at most {MAX_ORDER} are allowed")
    table = Table(parse(data), "order")
    action = table.text("action", pattern="|".join(ACTIONS))
    model = None if table.get("model") is None else table.text("model", pattern=_ID)
    order = Order(action, model, table.whole("serial", 1, MAX_SERIAL), table.text("key", pattern="[0-9a-f]{16}"))
    value = table.text("value", pattern=re.compile("[A-Za-z0-9+/]{86}==").pattern)
    table.done()
    if action == "promote" and model is None:
        raise BundleError("order: to promote, a model must be named")
    unsigned = {name: each for name, each in table.value.items() if name != "value"}
    return order, PREFIX + canonical(unsigned), base64.b64decode(value)
