"""Topics of the bus, as contract v1 names them.

Topics are matched by prefix, so every id in one either has a fixed length or is followed by a dot.
"""

from __future__ import annotations

import re

from eacf.errors import WireError

FORMAT = b"broker-bin-v1"
"""Third frame of every message."""
ZEEK_TOPIC = b"eacf.zeek."
"""Every Zeek process listens."""
CONTROL_REQUEST_TOPIC = b"eacf.control.request."
"""Every worker listens."""
MODEL_PREFIX = b"eacf.control.model."
"""Every worker that takes models listens to one that begins so."""

ENFORCE_PREFIX = b"eacf.enforce."
"""Every agent on a gateway listens to one that begins so."""

MAX_TOPIC = 255
"""Bytes of a topic that a peer may name as `reply_to`."""

_WORKER = re.compile(r"[0-9a-f]{12}")
_NODE = re.compile(r"[!-\-/-~]+")  # printable ASCII without space and dot
_VERDICT = re.compile(r"eacf\.verdict\.[!-\-/-~]+\.")
_ENFORCED = re.compile(r"eacf\.enforced\.[0-9a-f]{12}\.")
_CONTROL_REPLY = re.compile(r"eacf\.control\.reply\.[0-9a-f]{12}\.")


def flow_topic(worker: str) -> bytes:
    """Where a worker of that id (12 lower-case hex digits) hears of flows."""
    return b"eacf.flow." + _hex_id(worker, "worker")


def tap_topic(tap: str) -> bytes:
    """Where a listener of that id gets copies of flows; it is not a worker and is never waited for."""
    return b"eacf.tap." + _hex_id(tap, "tap")


def model_topic(worker: str) -> bytes:
    """Where a worker of that id hears of models for it; no worker listens there that takes none."""
    return MODEL_PREFIX + _hex_id(worker, "worker")


def enforce_topic(agent: str) -> bytes:
    """Where an agent of that id hears of acts; it is found by its subscription, as workers are."""
    return ENFORCE_PREFIX + _hex_id(agent, "agent")


def enforced_topic(node: str) -> bytes:
    """Where the Zeek process of that id (12 lower-case hex digits) hears what became of its acts."""
    return b"eacf.enforced." + _hex_id(node, "node") + b"."


def verdict_topic(node: str) -> bytes:
    """Where the Zeek process of that node id hears verdicts: what its `reply_to` must be."""
    if not _NODE.fullmatch(node) or len(node) > MAX_TOPIC - len("eacf.verdict.."):
        raise WireError("value", f"node id {node!r} must be printable ASCII without space and dot, not empty, not long")
    return b"eacf.verdict." + node.encode() + b"."


def control_reply_topic(asker: str) -> bytes:
    """Where the asker of that id hears the answers to a status request, an offer or an order."""
    return b"eacf.control.reply." + _hex_id(asker, "asker") + b"."


def is_verdict_topic(reply_to: str) -> bool:
    """Whether verdicts may be sent there: a worker must not be made to speak on any other topic."""
    return len(reply_to) <= MAX_TOPIC and _VERDICT.fullmatch(reply_to) is not None


def is_enforced_topic(reply_to: str) -> bool:
    """Whether an agent may answer there."""
    return _ENFORCED.fullmatch(reply_to) is not None


def is_control_reply_topic(reply_to: str) -> bool:
    """Whether the answer to a status request, an offer or an order may be sent there."""
    return _CONTROL_REPLY.fullmatch(reply_to) is not None


def _hex_id(text: str, what: str) -> bytes:
    if not _WORKER.fullmatch(text):
        raise WireError("value", f"{what} id {text!r} must be 12 lower-case hex digits")
    return text.encode()
