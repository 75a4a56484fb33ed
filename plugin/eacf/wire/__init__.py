"""What goes over the bus: contract v1 between Zeek, workers and taps, in Broker's binary format. Pure, no socket.

Reading order: `messages` (what is said), `topics` (where), `values`, `cursor` and `broker` (the format),
`fields`, `envelope` and `contract` (the general way), `runs`, `flows` and `verdicts` (the
fast one), `codec` (the way in).
"""

from __future__ import annotations

from eacf.wire.broker import MAX_BODY, decode, encode
from eacf.wire.codec import (
    decode_message,
    encode_flow,
    encode_flows,
    encode_hello,
    encode_status_reply,
    encode_status_request,
    encode_tap_ready,
    encode_tap_who,
    encode_verdicts,
    encode_who,
)
from eacf.wire.flows import count_flows
from eacf.wire.messages import (
    MAX_SAMPLES,
    MAX_VERDICTS,
    Flows,
    Hello,
    Message,
    StatusReply,
    StatusRequest,
    TapReady,
    TapWho,
    Verdicts,
    Who,
)
from eacf.wire.topics import (
    CONTROL_REQUEST_TOPIC,
    FORMAT,
    ZEEK_TOPIC,
    control_reply_topic,
    flow_topic,
    is_control_reply_topic,
    is_verdict_topic,
    tap_topic,
    verdict_topic,
)

__all__ = [
    "CONTROL_REQUEST_TOPIC",
    "FORMAT",
    "MAX_BODY",
    "MAX_SAMPLES",
    "MAX_VERDICTS",
    "ZEEK_TOPIC",
    "Flows",
    "Hello",
    "Message",
    "StatusReply",
    "StatusRequest",
    "TapReady",
    "TapWho",
    "Verdicts",
    "Who",
    "control_reply_topic",
    "count_flows",
    "decode",
    "decode_message",
    "encode",
    "encode_flow",
    "encode_flows",
    "encode_hello",
    "encode_status_reply",
    "encode_status_request",
    "encode_tap_ready",
    "encode_tap_who",
    "encode_verdicts",
    "encode_who",
    "flow_topic",
    "is_control_reply_topic",
    "is_verdict_topic",
    "tap_topic",
    "verdict_topic",
]
