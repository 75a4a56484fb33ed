"""The messages of contract v1 that a worker or tap hears or says, and the limits of what they hold."""

from __future__ import annotations

from dataclasses import dataclass

from eacf.flow import Address, Needs, Sample
from eacf.verdict import Verdict
from eacf.wire.values import Protocol

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
MAX_MANIFEST = 1024 * 1024
"""Bytes of the manifest in an offer: those that a bundle's may have."""
MAX_PART = 32_768
"""Bytes of a bundle in one message."""
MAX_SIZE = 2**63 - 1
"""Size of a bundle that an offer may say, and bytes that may be asked for; whether a bundle may be that large, others say."""
MAX_ACTS = 64
"""Acts, ids or answers in one message."""
MAX_ACT_REASON = 255
"""Bytes of the reason why an act is not, or no longer, in place."""
MAX_RATE = 2**63 - 1
"""Bits a second that an act may say; whether that makes sense, the agent says."""
MAX_ORDER = 4096
"""Bytes of a signed order."""
MAX_REASON = 1000
"""Bytes of the reason why a worker did not take a model or an order."""


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
class Alarm:
    """``EACF::alarm``: a worker says that its model and the traffic have come apart."""

    worker: str
    model: str
    kind: str
    """"accuracy" or "inputs"."""
    text: str
    """For people."""


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


@dataclass(slots=True)
class ModelOffer:
    """``EACF::model_offer``: somebody has a bundle for the worker on whose topic this is said."""

    reply_to: str
    """Where the worker answers; whether it may is for the worker to say (`is_control_reply_topic`)."""
    manifest: bytes
    """The bundle's manifest, signed, as it stands in the file."""
    size: int
    """Bytes of the file."""
    sha256: str
    """Of the file, 64 lower-case hex digits."""


@dataclass(slots=True)
class ModelWant:
    """``EACF::model_want``: a worker asks for the bytes of a bundle from `offset` on, `room` at most.

    0 `room`: nothing now; the offer was heard, and what there is waits its turn or is being tried.
    """

    worker: str
    model: str
    offset: int
    room: int


@dataclass(slots=True)
class ModelChunk:
    """``EACF::model_chunk``: bytes of a bundle that a worker asked for."""

    model: str
    offset: int
    data: bytes


@dataclass(slots=True)
class ModelDone:
    """``EACF::model_done``: what became of an offer."""

    worker: str
    model: str
    outcome: str
    """``serving``, ``shadow``, ``kept`` or ``refused``."""
    reason: str


@dataclass(slots=True)
class ModelOrder:
    """``EACF::model_order``: a signed order about models that the worker has (`eacf.models.orders`)."""

    reply_to: str
    order: bytes


@dataclass(slots=True)
class ModelOrdered:
    """``EACF::model_ordered``: what became of an order."""

    worker: str
    outcome: str
    """``serving``, ``shadow``, ``off`` or ``refused``."""
    reason: str


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that is to be done to a connection, or to a host's packets."""

    id: str
    """1 to 32 of 0-9, a-z and dot; unique while the Zeek process lives that asks."""
    kind: str
    """``drop`` or ``qos`` (a connection), ``drop_host`` (an address or subnet); another one comes from a newer sender."""
    orig_h: Address
    """``drop_host``: the subnet's address."""
    orig_p: int
    resp_h: Address
    """``drop_host``: as `orig_h`."""
    resp_p: int
    protocol: Protocol
    """Of both ports."""
    width: int
    """``drop_host``: the subnet's width; else 0."""
    key: str
    """The policy's table in words; empty where another script of that Zeek asks. Acts with the same key share the rate."""
    priority: str | None
    """A class of the policy."""
    dscp: int | None
    rate: int | None
    """Bits a second."""
    lasts_s: float
    """Above 0."""


@dataclass(slots=True)
class Acts:
    """``EACF::acts``: acts, and the topic on which the answers are awaited.

    Whether `reply_to` may be answered is for the agent to say (`is_enforced_topic`).
    """

    reply_to: str
    acts: list[Act]


@dataclass(slots=True)
class Unacts:
    """``EACF::unacts``: ids of acts that are to end before their time."""

    reply_to: str
    ids: list[str]


@dataclass(frozen=True, slots=True)
class Acted:
    """What became of an act."""

    id: str
    outcome: str
    """``in place``, ``exists``, ``refused`` or ``gone``."""
    why: str | None = None


@dataclass(slots=True)
class ActedReply:
    """``EACF::acted``: an agent's answers."""

    agent: str
    answers: list[Acted]


Message = (
    Flows
    | Who
    | Hello
    | Verdicts
    | TapWho
    | TapReady
    | StatusRequest
    | StatusReply
    | Alarm
    | ModelOffer
    | ModelWant
    | ModelChunk
    | ModelDone
    | ModelOrder
    | ModelOrdered
    | Acts
    | Unacts
    | ActedReply
)
