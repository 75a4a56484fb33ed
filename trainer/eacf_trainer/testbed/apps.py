"""Eight made-up applications: who speaks, how much at once, and after how long a thought.

A profile is drawn in two steps. A *site* fixes what one deployment always does (protocol, size of headers and tokens, how its server
writes); a *connection* then varies around it. Sizes are plaintext bytes of one write, hence of one TLS record up to 16,384.
Ranges overlap between applications on purpose: most requests could be another application's, and only how lengths follow each other tells.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
    """One end writes."""

    is_orig: bool
    sizes: list[int]
    """Bytes of each write, one TLS record each."""
    think_s: float
    """Time since the other end's turn was over."""


@dataclass(frozen=True)
class Site:
    """One deployment of an application."""

    app: str
    domain: str
    hosts: tuple[str, ...]
    h2: bool
    header: int
    """Bytes of a request's usual headers."""
    answer: int
    """Bytes of an answer's headers."""
    write: int
    """How much its server writes at once."""
    tickets: int
    tls12_share: float
    seed: int


Turns = Iterator[Turn]
PREFACES = (64, 91, 97, 100)
"""What HTTP/2 clients begin with (RFC 9113, 3.4): preface, SETTINGS and WINDOW_UPDATE of common clients; all applications share them."""


def web(site: Site, rng: random.Random) -> Turns:
    """A page and what it embeds: requests with cookies, answers from tiny to large."""
    for number in range(rng.randint(2, 14)):
        think = rng.uniform(0.01, 0.3) if number else 0.0
        yield Turn(True, _request(site, site.header + rng.randint(0, 14) - 30 * min(number, 3)), think)
        yield Turn(False, _answer(site, int(rng.lognormvariate(9.2, 1.4))), rng.uniform(0.005, 0.12))


def video(site: Site, rng: random.Random) -> Turns:
    """Segments of some seconds: a long signed address each time, answers of hundreds of kilobytes."""
    token = site.header + rng.randint(0, 20)
    for number in range(rng.randint(3, 9)):
        yield Turn(True, _request(site, token + (8 if number > 9 else 0)), rng.uniform(0.3, 4) if number else 0.0)
        body = 1200 + rng.randint(0, 400) if number == 0 else int(rng.lognormvariate(12.0, 0.5))
        yield Turn(False, _answer(site, body), rng.uniform(0.002, 0.03))


def chat(site: Site, rng: random.Random) -> Turns:
    """A login token, then short messages either way with long pauses."""
    yield Turn(True, [site.header], 0.0)
    yield Turn(False, [site.answer], rng.uniform(0.01, 0.08))
    for _ in range(rng.randint(4, 40)):
        if rng.random() < 0.5:
            yield Turn(True, [2 + rng.randint(18, 120)], rng.uniform(0.5, 20))
            yield Turn(False, [rng.choice((9, 13, 17))], rng.uniform(0.01, 0.1))
        else:
            yield Turn(False, [2 + rng.randint(30, 300)], rng.uniform(0.5, 30))


def mail(site: Site, rng: random.Random) -> Turns:
    """IMAP: the server greets, commands of a line each, then message bodies (RFC 9051)."""
    yield Turn(False, [site.answer], rng.uniform(0.005, 0.05))
    yield Turn(True, [rng.choice((14, 15, 16))], 0.005)  # "a1 CAPABILITY"
    yield Turn(False, [site.answer + 74], rng.uniform(0.005, 0.05))
    yield Turn(True, [site.header // 4 + rng.randint(0, 24)], 0.01)  # LOGIN or AUTHENTICATE
    yield Turn(False, [site.answer + 30], rng.uniform(0.05, 0.3))
    for _ in range(rng.randint(2, 20)):
        yield Turn(True, [rng.randint(18, 70)], rng.uniform(0.005, 2))
        yield Turn(False, _writes(int(rng.lognormvariate(7.0, 1.7)) + 60, site.write), rng.uniform(0.01, 0.1))


def code(site: Site, rng: random.Random) -> Turns:
    """git over HTTPS: references, then what is wanted, then a pack."""
    yield Turn(True, _request(site, site.header + rng.randint(0, 10)), 0.0)
    yield Turn(False, [site.answer, *_writes(rng.randint(400, 60_000), site.write)], rng.uniform(0.05, 0.3))
    yield Turn(True, [site.header + 70 + rng.randint(0, 12), 120 + 50 * rng.randint(1, 12)], rng.uniform(0.01, 0.1))
    yield Turn(False, [site.answer, *[rng.randint(40, 90) for _ in range(3)]], rng.uniform(0.05, 0.5))
    yield Turn(False, _writes(int(rng.lognormvariate(11.5, 1.6)), 8196), rng.uniform(0.05, 0.5))


def api(site: Site, rng: random.Random) -> Turns:
    """The same question again and again, and a short answer in JSON."""
    fixed = site.header + rng.randint(0, 10)
    answer = rng.randint(150, 900)
    for number in range(rng.randint(3, 40)):
        think = rng.choice((1.0, 5.0, 10.0)) * rng.uniform(0.98, 1.02) if number else 0.0
        yield Turn(True, _request(site, fixed), think)
        yield Turn(False, [site.answer + answer + rng.randint(0, 24)], rng.uniform(0.003, 0.08))


def upload(site: Site, rng: random.Random) -> Turns:
    """A request with a large body: the client's records are full ones."""
    yield Turn(True, [site.header + rng.randint(0, 10)], 0.0)
    if rng.random() < 0.3:
        yield Turn(False, [25], rng.uniform(0.01, 0.1))  # 100 Continue
    yield Turn(True, _writes(int(rng.lognormvariate(12.0, 0.9)) + 16_384, site.write), rng.uniform(0.001, 0.02))
    yield Turn(False, [site.answer + rng.randint(0, 120)], rng.uniform(0.05, 0.5))


def doh(site: Site, rng: random.Random) -> Turns:
    """DNS over HTTPS (RFC 8484): small questions, often two at once, and answers below a kilobyte."""
    for number in range(rng.randint(1, 25)):
        question = [site.header // 4 + rng.randint(0, 24), 9 + rng.choice((33, 40, 47, 60, 128))]
        yield Turn(True, question * (2 if rng.random() < 0.4 else 1), rng.uniform(0.01, 6) if number else 0.0)
        yield Turn(False, [site.answer // 3 + rng.randint(0, 30), 9 + rng.randint(60, 480)], rng.uniform(0.005, 0.06))


def background(site: Site, rng: random.Random) -> Turns:
    """Of no application: lengths and sides at random over the whole range. For training and tests of abstention; never a label."""
    del site
    for _ in range(rng.randint(1, 14)):
        sizes = [min(16_384, int(rng.lognormvariate(6.0, 1.8)) + 1) for _ in range(rng.choice((1, 1, 1, 2, 4)))]
        yield Turn(rng.random() < 0.5, sizes, rng.expovariate(4))


APPS: dict[str, Callable[[Site, random.Random], Turns]] = {
    "web-page": web,
    "video": video,
    "chat": chat,
    "mail-sync": mail,
    "code-fetch": code,
    "api-polling": api,
    "bulk-upload": upload,
    "dns-over-https": doh,
}
"""The labels, and how each behaves."""
LABEL_MAP: dict[str, str] = {f".{app}.example": app for app in APPS}
"""Server names to labels, in the form of a bundle's label map: all names under the application's domain."""
BACKGROUND = "background"

HEADERS: dict[str, tuple[tuple[int, int], ...]] = {
    "web-page": ((340, 362), (486, 510), (620, 640)),
    "video": ((534, 556), (700, 735), (800, 860)),
    "chat": ((238, 256), (422, 440), (664, 684)),
    "mail-sync": ((160, 280),),
    "code-fetch": ((170, 186), (306, 320), (765, 780)),
    "api-polling": ((130, 150), (268, 286), (450, 466)),
    "bulk-upload": ((206, 218), (386, 402), (586, 600)),
    "dns-over-https": ((190, 420),),
    BACKGROUND: ((100, 900),),
}
"""Bytes of usual request headers, as the common clients of each application send them; a site has one of the ranges.

The ranges of different applications lie between each other, so that no mean tells them apart."""
UNUSUAL_SHARE = 0.04
"""Sites whose clients are none of the common ones: their headers may be of any size."""
H2_SHARE = {"web-page": 0.7, "video": 0.5, "api-polling": 0.5, "dns-over-https": 1.0}


def site(app: str, seed: int) -> Site:
    """The deployment number `seed` of an application."""
    rng = random.Random(f"site {app} {seed}")
    name = f"{rng.choice(('north', 'south', 'blue', 'river', 'amber', 'cloud'))}{seed % 10_000}"
    domain = f"{name}.{app}.example"
    hosts = tuple(f"{host}.{domain}" for host in ("www", "edge1", "edge-eu-2"))
    return Site(
        app,
        domain,
        hosts,
        rng.random() < H2_SHARE.get(app, 0.0),
        rng.randint(*(HEADERS[BACKGROUND][0] if rng.random() < UNUSUAL_SHARE else rng.choice(HEADERS[app]))),
        rng.randint(60, 320),
        rng.choice((1370, 4096, 8192, 16_384)),
        rng.choice((0, 1, 2, 2)),
        rng.choice((0.1, 0.3, 0.6)),
        seed,
    )


def _request(site: Site, size: int) -> list[int]:
    return [max(size, 40)]


def _answer(site: Site, body: int) -> list[int]:
    """Headers and body; small answers go out as one write by some servers."""
    if not site.h2 and body < 1200 and site.seed % 2:
        return [site.answer + body]
    return [site.answer // (3 if site.h2 else 1), *_writes(body, site.write)]


def _writes(size: int, write: int) -> list[int]:
    whole, rest = divmod(max(size, 1), write)
    return [write] * whole + ([rest] if rest else [])


__all__ = ["APPS", "BACKGROUND", "LABEL_MAP", "PREFACES", "Site", "Turn", "background", "site"]
