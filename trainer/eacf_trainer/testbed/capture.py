"""From a seed to a capture: connections of made-up applications, mixed in time, as packets in a pcap file."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from eacf.errors import SettingError
from eacf_trainer.testbed import apps, packets, path, pki, tls
from eacf_trainer.testbed.apps import Site, Turns

START_S = 1_767_225_600
"""When captures begin unless told otherwise: 2026-01-01, UTC."""
SITES_PER_APP = 16
RESUMED_SHARE = 0.25
NAMELESS_SHARE = 0.02
IPV6_SHARE = 0.2
SPACING_S = 0.25
"""Mean time between two connections' starts."""
APPLICATION_DATA = 23


class World(Protocol):
    """Which applications there are, and how they behave."""

    @property
    def apps(self) -> tuple[str, ...]: ...

    def site(self, app: str, seed: int) -> Site: ...

    def turns(self, site: Site, rng: random.Random) -> Turns: ...


class Usual:
    """The world of :mod:`eacf_trainer.testbed.apps`."""

    apps = tuple(apps.APPS)

    def site(self, app: str, seed: int) -> Site:
        return apps.site(app, seed)

    def turns(self, site: Site, rng: random.Random) -> Turns:
        return (apps.APPS.get(site.app) or apps.background)(site, rng)


@dataclass(frozen=True, slots=True)
class Truth:
    """What one connection of a capture was."""

    app: str
    orig_h: str
    orig_p: int
    resp_h: str
    resp_p: int
    start_s: float
    server_name: str | None
    version: tls.Version
    resumed: bool
    records: tuple[int, ...]
    """Signed lengths of its application-data records in the order that they were written."""


def generate(
    target: Path,
    *,
    seed: int,
    connections: int = 0,
    packet_limit: int = 0,
    kinds: Sequence[str] = (),
    conditions: str = "mixed",
    sites: str = "training",
    background_share: float = 0.0,
    cut_bytes: int = 24_000,
    start_s: float = START_S,
    world: World | None = None,
) -> list[Truth]:
    """Write a capture to `target`; the same arguments give the same lengths and times.

    Either `connections` says how many, or `packet_limit` how many packets exactly. `kinds` are applications (none: all of `world`, by
    default the usual one), `conditions` a kind of path, `sites` which deployments are played (each name has its own), `background_share`
    the part of connections that are of no application. A connection ends after `cut_bytes` of plaintext, 0: when it is done. Keys, and
    with them every payload byte, are new each time.
    """
    world = world or Usual()
    unknown = [kind for kind in kinds if kind not in world.apps]
    if unknown or (conditions != "mixed" and conditions not in path.KINDS):
        raise SettingError(
            f"no such application or path: {[*unknown, conditions]}; applications are {', '.join(world.apps)}, "
            f"paths are mixed, {', '.join(path.KINDS)}"
        )
    if (connections > 0) == (packet_limit > 0):
        raise SettingError("say either how many connections or how many packets a capture shall have, and at least 1")
    maker = Maker(random.Random(f"capture {seed}"), sites, conditions, cut_bytes, world)
    truths: list[Truth] = []
    written: list[packets.Timed] = []
    now = start_s
    while len(truths) < connections or len(written) < packet_limit:
        now += maker.rng.expovariate(1 / SPACING_S)
        app = apps.BACKGROUND if maker.rng.random() < background_share else maker.rng.choice(list(kinds or world.apps))
        truth, timed = maker.connection(app, now)
        truths.append(truth)
        written += timed
        if packet_limit:
            written += packets.noise(maker.rng, now)
    written.sort(key=lambda each: each[0])
    packets.write(target, written[: packet_limit or None])
    return truths


class Maker:
    """Makes connections one after the other; remembers sessions that can be resumed."""

    def __init__(
        self, rng: random.Random, sites: str, conditions: str, cut_bytes: int, world: World | None = None
    ) -> None:
        self.rng = rng
        self._world = world or Usual()
        self._conditions = conditions
        self._cut = cut_bytes
        base = random.Random(f"sites {sites}").randrange(10**6) * 1000
        self._sites = {
            app: [self._world.site(app, base + number) for number in range(SITES_PER_APP * 12)]
            for app in (*self._world.apps, apps.BACKGROUND)
        }
        for app, known in self._sites.items():  # each capture meets some of them
            self._sites[app] = rng.sample(known, SITES_PER_APP)
        self._sessions: dict[tuple[str, tls.Version], tuple[object, tls.Peer]] = {}

    def connection(self, app: str, now: float) -> tuple[Truth, list[packets.Timed]]:
        """One connection of `app` that begins at `now` (seconds since the epoch)."""
        rng = self.rng
        site = rng.choice(self._sites[app])
        host = rng.choice(site.hosts)
        version: tls.Version = "1.2" if rng.random() < site.tls12_share else "1.3"
        alpn = "h2" if site.h2 else rng.choice(("http/1.1", ""))
        name = None if rng.random() < NAMELESS_SHARE else host
        peer = tls.Peer(version, alpn, name, random.Random(host).randrange(pki.IDENTITIES), site.tickets)
        session, resumed = None, False
        kept = self._sessions.get((host, version))
        if kept is not None and name and kept[1] == peer and rng.random() < RESUMED_SHARE:
            session, resumed = kept[0], True
        stream = path.Stream(path.draw(self._conditions, rng), rng)
        ends = tls.Connection(peer, session)  # type: ignore[arg-type]
        wire = Wire(stream, stream.open(now))
        flights = ends.handshake()
        tickets = flights.pop() if version == "1.3" and not flights[-1][0] else None
        for is_orig, flight in flights:
            wire.send(is_orig, flight, rng.uniform(0.0002, 0.002))
        left = self._cut or 1 << 40
        for number, turn in enumerate(self._turns(site)):
            if tickets and (number > 1 or not turn.is_orig):  # a client does not wait for them with its first words
                wire.send(*tickets, 0.0)
                tickets = None
            sizes = turn.sizes
            if sum(sizes) > left:
                sizes = [max(1, min(sizes[0], left))]
            wire.send(turn.is_orig, ends.send(turn.is_orig, sizes), turn.think_s)
            left -= sum(turn.sizes)
            if left <= 0:
                break
        stream.close(wire.now + rng.uniform(0.001, 0.5))
        if (fresh := ends.session) is not None and name:
            self._sessions[host, version] = (fresh, peer)
        flow = packets.Flow.draw(rng, rng.random() < IPV6_SHARE, 993 if app == "mail-sync" else 443, site.seed)
        truth = Truth(
            app,
            str(flow.orig),
            flow.orig_p,
            str(flow.resp),
            flow.resp_p,
            now,
            name,
            version,
            resumed,
            tuple(wire.records),
        )
        return truth, flow.packets(stream.segments)

    def _turns(self, site: Site) -> Turns:
        turns = self._world.turns(site, self.rng)
        # The client's preface goes out with its first request, the server's settings before its first answer.
        if site.h2:
            first = next(turns)
            yield apps.Turn(True, [self.rng.choice(apps.PREFACES), *first.sizes], 0.0)
            yield apps.Turn(False, [self.rng.choice((31, 37, 50, 62))], 0.001)
        yield from turns


class Wire:
    """Puts flights on a stream and notes the application-data records in them."""

    def __init__(self, stream: path.Stream, now: float) -> None:
        self.now = now
        self.records: list[int] = []
        self._stream = stream

    def send(self, is_orig: bool, flight: bytes, think_s: float) -> None:
        """The other end answers when it has all, after a thought."""
        self.now = self._stream.send(is_orig, flight, self.now + think_s)
        offset = 0
        while offset < len(flight):
            kind, _, length = struct.unpack_from("!BHH", flight, offset)
            if kind == APPLICATION_DATA:
                self.records.append(length if is_orig else -length)
            offset += 5 + length
