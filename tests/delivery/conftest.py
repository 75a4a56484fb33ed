"""Signed bundles, and a worker's intake whose clock the test holds."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from eacf import bundle, keys
from eacf.bundle import signing
from eacf.bundle.archive import MANIFEST, unpack
from eacf.delivery.incoming import Incoming
from eacf.delivery.intake import Intake
from eacf.models import State
from eacf.wire import (
    FORMAT,
    MAX_PART,
    Message,
    ModelChunk,
    ModelOffer,
    ModelWant,
    control_reply_topic,
    decode_message,
    encode_model,
    model_topic,
)

WORKER = "0123456789ab"


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> keys.PrivateKey:
    return keys.new(tmp_path_factory.mktemp("keys") / "ops")[0]


Signed = Callable[..., bytes]


@pytest.fixture(scope="session")
def signed(key: keys.PrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Signed:
    """Bundles that differ from the shipped one in their version, signed with this or the next number."""
    folder = tmp_path_factory.mktemp("made")
    shipped = bundle.load(bundle.default_path())
    serials = itertools.count(1000)

    def make(version: str, serial: int | None = None, purpose: str = "serve", by: keys.PrivateKey = key) -> bytes:
        path = folder / f"{version}.eacf"
        bundle.write(path, dict(shipped.manifest.document) | {"version": version}, shipped.model)
        number = next(serials) if serial is None else serial
        return signing.sign(path.read_bytes(), by, serial=number, purpose=purpose)

    return make


def offer_of(data: bytes, asker: str, **fields: Any) -> ModelOffer:
    """What a pusher of `data` says first."""
    said: dict[str, Any] = {
        "manifest": unpack(data)[MANIFEST],
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return ModelOffer(control_reply_topic(asker).decode(), **said | fields)


@dataclass
class Desk:
    """An intake, its clock, and what it said, by asker."""

    intake: Intake
    now: float = 100.0
    state: State = State()  # noqa: RUF009 - frozen
    said: dict[str, list[Message]] = field(default_factory=dict)

    def say(self, message: Any) -> None:
        """One message on the model topic, then what is to be sent."""
        self.intake.receive([model_topic(WORKER), b"pusher", FORMAT, encode_model(message)], self.now)
        self.step()

    def step(self, seconds: float = 0.0) -> None:
        """Let so much time go by."""
        self.now += seconds
        for letter in self.intake.due(self.now):
            self.said.setdefault(letter.topic.decode()[-13:-1], []).append(decode_message(letter.body))

    def offer(self, data: bytes, asker: str = "aaaaaaaaaaaa", **fields: Any) -> Message:
        """Offer it; the answer."""
        number = len(self.said.get(asker, []))
        self.step(0.1)
        self.say(offer_of(data, asker, **fields))
        self.step(0.1)
        return self.said[asker][number]

    def last(self, asker: str = "aaaaaaaaaaaa") -> Message:
        return self.said[asker][-1]

    def serve(self, data: bytes, asker: str = "aaaaaaaaaaaa", limit: int = 1 << 30) -> int:
        """Send parts as an honest pusher does, up to `limit` bytes; how many went."""
        sent, read = 0, 0
        while read < len(self.said[asker]):
            want = self.said[asker][read]
            read += 1
            if not isinstance(want, ModelWant):
                continue
            for at in range(want.offset, want.offset + want.room, MAX_PART):
                part = data[at : min(at + MAX_PART, want.offset + want.room)]
                if sent + len(part) > limit:
                    return sent
                self.say(ModelChunk(want.model, at, part))
                sent += len(part)
        return sent


@pytest.fixture
def desk(key: keys.PrivateKey, tmp_path: Path) -> Desk:
    made = Desk(Intake(WORKER, keys.Trusted([key.public]), Incoming(tmp_path / "incoming"), lambda: made.state))
    return made
