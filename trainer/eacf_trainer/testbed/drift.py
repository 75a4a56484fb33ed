"""The testbed in motion: what its applications become week by week, in steps and slowly.

Nothing of it is what a model has learnt in the weeks before: sizes grow, timing changes, TLS 1.2 dies out, one application is replaced by
another one under the same name, one is new. Week 0 is the testbed as :mod:`eacf_trainer.testbed.apps` has it, for any server that follows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from eacf_trainer.testbed import apps
from eacf_trainer.testbed.apps import Site, Turn, Turns

NEW = "game"
"""The application that is new from week NEW_FROM on; its names are under ``.game.example``."""
NEW_FROM = 4
REPLACED = "mail-sync"
"""The application whose servers speak another protocol from week REPLACED_FROM on."""
REPLACED_FROM = 3
GROWTH = {"web-page": 1.05, "video": 0.96, "code-fetch": 1.03, "dns-over-https": 1.04}
"""By how much the usual headers of an application grow each week."""
TLS12_LEFT = 0.7
"""Part of a site's TLS 1.2 connections that is left after each week."""
STEPS: dict[str, tuple[int, int, bool]] = {
    "api-polling": (2, 140, True),
    "bulk-upload": (5, 90, False),
    "chat": (6, -60, False),
}
"""Application: from which week on its headers are so many bytes larger, and whether it speaks HTTP/2 from then on."""
HASTE = {"video": (5, 0.3)}
"""Application: from which week on its ends think for so much of the time."""


def sync(site: Site, rng: random.Random) -> Turns:
    """What takes the place of mail over IMAP: JSON over HTTP, batches of methods and long polling (RFC 8620)."""
    yield Turn(True, [site.header + 60 + rng.randint(0, 30)], 0.0)
    yield Turn(False, [site.answer + 700 + rng.randint(0, 90)], rng.uniform(0.02, 0.2))
    for _ in range(rng.randint(2, 12)):
        yield Turn(True, [site.header + rng.randint(40, 220)], rng.uniform(0.01, 1))
        body = int(rng.lognormvariate(7.6, 1.1)) + 200
        yield Turn(False, [site.answer, *[min(body, 16_384)]], rng.uniform(0.01, 0.2))


def game(site: Site, rng: random.Random) -> Turns:
    """A login, then states of a few dozen bytes many times a second, the server's larger than the client's."""
    yield Turn(True, [site.header // 2 + 24], 0.0)
    yield Turn(False, [site.answer + 190], rng.uniform(0.01, 0.05))
    for _ in range(rng.randint(12, 60)):
        yield Turn(True, [rng.randint(24, 44)], rng.uniform(0.02, 0.1))
        yield Turn(False, [rng.randint(70, 180)], rng.uniform(0.005, 0.03))


@dataclass(frozen=True)
class Week:
    """The world of one simulated week; what :class:`eacf_trainer.testbed.capture.Maker` asks of one."""

    number: int

    @property
    def apps(self) -> tuple[str, ...]:
        """The applications of this week."""
        return (*apps.APPS, NEW) if self.number >= NEW_FROM else tuple(apps.APPS)

    def site(self, app: str, seed: int) -> Site:
        """A deployment as it is this week."""
        site = new_site(seed) if app == NEW else apps.site(app, seed)
        header = round(site.header * GROWTH.get(app, 1.0) ** self.number)
        h2 = site.h2
        begin, more, to_h2 = STEPS.get(app, (0, 0, False))
        if app in STEPS and self.number >= begin:
            header, h2 = header + more, h2 or to_h2
        return replace(site, header=header, h2=h2, tls12_share=site.tls12_share * TLS12_LEFT**self.number)

    def turns(self, site: Site, rng: random.Random) -> Turns:
        """What one connection of a site says."""
        begin, share = HASTE.get(site.app, (0, 1.0))
        haste = share if site.app in HASTE and self.number >= begin else 1.0
        return hastened(self._behaviour(site.app)(site, rng), haste)

    def _behaviour(self, app: str) -> Callable[[Site, random.Random], Turns]:
        if app == REPLACED and self.number >= REPLACED_FROM:
            return sync
        return game if app == NEW else apps.APPS.get(app) or apps.background


def new_site(seed: int) -> Site:
    """A deployment of the new application: as those of chat, under names of its own."""
    like = apps.site("chat", seed)
    domain, *hosts = (name.replace(".chat.example", f".{NEW}.example") for name in (like.domain, *like.hosts))
    return replace(like, app=NEW, domain=domain, hosts=tuple(hosts))


def hastened(turns: Turns, share: float) -> Iterator[Turn]:
    """The same turns after so much of the thought."""
    for turn in turns:
        yield turn if share == 1.0 else replace(turn, think_s=turn.think_s * share)
