"""What no worker can do without: receive a flow message, copy its body, publish a reply. Arguments: the endpoints."""

from __future__ import annotations

import secrets
import sys

import zmq

from eacf.flow import Sample
from eacf.verdict import Verdict
from eacf.wire import FORMAT, Flows, decode_message, encode_verdicts, flow_topic

REPLY_UID = "C00000000000000000"


def main() -> None:
    context = zmq.Context()
    source, target = context.socket(zmq.SUB), context.socket(zmq.PUB)
    source.setsockopt(zmq.RCVHWM, 10_000)
    source.connect(sys.argv[1])
    target.connect(sys.argv[2])
    source.subscribe(flow_topic(secrets.token_hex(6)))
    body = encode_verdicts("0" * 12, [Verdict(REPLY_UID, "web", 0.9, "0" * 12)])
    buffer = bytearray(1 << 20)
    first: Sample | None = None
    reply_to = b""
    while True:
        source.poll()
        try:
            while True:
                frames = source.recv_multipart(zmq.DONTWAIT)
                if first is None:
                    message = decode_message(frames[3])
                    assert isinstance(message, Flows)
                    first, reply_to = message.samples[0], message.reply_to.encode()
                buffer[: len(frames[3])] = frames[3]
                target.send_multipart((reply_to, b"bare", FORMAT, body), zmq.DONTWAIT)
        except zmq.Again:
            pass


if __name__ == "__main__":
    main()
