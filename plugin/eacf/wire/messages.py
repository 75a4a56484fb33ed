"""The messages of contract v1 that a worker or tap hears or says, and the limits of what they hold."""

from __future__ import annotations

from dataclasses import dataclass

from eacf.flow import Needs, Sample
from eacf.verdict import Verdict

MAX_ID = 64
"""Bytes of a uid, worker or model id: printable ASCII without space, not empty."""
MAX_TEXT = 255
"""Bytes of a label, a reason or a topic."""
MAX_SERVER_NAME = 65_535
"""Bytes of a server name: RFC 6066 section 3 gives its length 16 bits."""
MAX_REPORT = 1024 * 1024
"""Bytes of a status report."""
MAX_PAYLOAD = 65_536
"""Payload bytes of a sample."""
MAX_CHUNKS = 65_536
"""Chunks of a sample: one for each payload byte at most."""
MAX_CHUNK = 2**31 - 1
"""Bytes of a chunk; more than the payload where a model asks for a smaller payload than window."""
MAX_RECORDS = 65_536
"""Records of a sample."""
MAX_RECORD = 65_535
"""Length of a TLS record either way: RFC 8446 section 5.1 gives it 16 bits."""
MAX_NEED = 2**32 - 1
"""Largest number that a model may ask for, where the sample's own limits are not smaller."""
MAX_SAMPLES = 256
"""Samples in one message; a sensor gathers up to 32."""
MAX_VERDICTS = 256
"""Verdicts in one message."""
MAX_RECEIVED = 2**63 - 1
"""Flows that a tap may say it has received."""
MAX_WINDOW = 65_536
"""Flows that a tap may ask to have on their way."""


@dataclass(slots=True)
class Flows:
    """``EACF::flow`` or ``EACF::flows``: samples, and the topic on which their verdicts are awaited.

    Whether `reply_to` may be answered is for the worker to say (`is_verdict_topic`).
    """

    reply_to: str
    samples: list[Sample]


@dataclass(slots=True)
class Who:
    """``EACF::who``: Zeek asks a worker that it discovered for its hello."""


@dataclass(slots=True)
class Hello:
    """``EACF::hello``: a worker says who it is, the id of its bundle and what that needs."""

    worker: str
    model: str
    needs: Needs


@dataclass(slots=True)
class Verdicts:
    """``EACF::verdicts``: what a worker says of flows."""

    worker: str
    verdicts: list[Verdict]


@dataclass(slots=True)
class TapWho:
    """``EACF::tap_who``: a sensor process tells a tap that it discovered where it listens.

    Whether the tap may speak there is for the tap to say (`is_verdict_topic`).
    """

    reply_to: str


@dataclass(slots=True)
class TapReady:
    """``EACF::tap_ready``: a tap says what it wants of a sensor process, and what it has got so far."""

    tap: str
    needs: Needs
    share: float
    """Of all flows, above 0 and at most 1; the sensor chooses which."""
    received: int
    """Flows received from that sensor since the tap's start."""
    window: int
    """Flows that may be on their way to the tap at most."""


@dataclass(slots=True)
class StatusRequest:
    """``EACF::status_request``: asks every worker for a report, to be sent to the topic `reply_to`."""

    reply_to: str


@dataclass(slots=True)
class StatusReply:
    """``EACF::status_reply``: a worker's report, JSON text."""

    worker: str
    report: str


Message = Flows | Who | Hello | Verdicts | TapWho | TapReady | StatusRequest | StatusReply
