"""Orders a worker to serve one model, then the other, as fast as it does; every twentieth change is a push of a new bundle.

KEY TOLD COUNT ID ID SUBSCRIBE PUBLISH: writes when each was ordered and done (seconds of the monotonic clock) to the file TOLD.
"""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
import time
from pathlib import Path

from swaps import serial, version

from eacf import keys
from eacf.bundle import signing
from eacf.bus import Endpoints, Peer
from eacf.delivery import push
from eacf.models import orders
from eacf.wire import (
    MODEL_PREFIX,
    ModelOrder,
    ModelOrdered,
    control_reply_topic,
    decode_message,
    encode_model,
)

EVERY = 20
WAIT_S = 30.0


def main() -> None:
    key, told, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    ids, endpoints = sys.argv[4:6], Endpoints(*sys.argv[6:8])
    private = keys.PrivateKey.read(key)
    reply_to = control_reply_topic(secrets.token_hex(6))
    swaps: list[tuple[float, float]] = []
    with Peer(endpoints, "orderer", [reply_to], watch=True) as peer, tempfile.TemporaryDirectory() as folder:
        topic = None
        while topic is None:
            peer.wait(1)
            topic = next(
                (each for added, each in peer.subscriptions() if added and each.startswith(MODEL_PREFIX)), None
            )
        for number in range(count):
            if number % EVERY == EVERY - 1:
                data = version(Path(folder), f"swap-{number}").read_bytes()
                signed = signing.sign(data, private, serial=serial(key))
                begun = time.perf_counter()
                outcomes = push(endpoints, signed, wait_s=WAIT_S)
                good = [outcome.what for outcome in outcomes.values()] == ["serving"]
            else:
                order = orders.sign("promote", ids[number % 2], private, serial(key))
                begun = time.perf_counter()
                peer.send(topic, encode_model(ModelOrder(reply_to.decode(), order)))
                outcomes = answer(peer)
                good = outcomes == "serving"
            if not good:
                sys.exit(f"swap {number}: {outcomes}")
            swaps.append((begun, time.perf_counter()))
    told.write_text(json.dumps(swaps))


def answer(peer: Peer) -> str:
    """What the worker made of the order."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        peer.wait(1)
        peer.subscriptions()
        for frames in peer.receive(10):
            message = decode_message(frames[3])
            if isinstance(message, ModelOrdered):
                return message.outcome if message.outcome != "refused" else message.reason
    return "no answer"


if __name__ == "__main__":
    main()
