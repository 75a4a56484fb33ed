"""`python capture.py OUT.pcap`: the capture of the CPU figures, TLS and nothing else, made from the testbed.

Each connection is a TLS session of its own between two real OpenSSL ends, over one of the testbed's simulated paths. How much it
carries is log-normal: many of some kilobytes, a few of megabytes. Addresses and ports are such that no two connections share them.

Connections begin evenly at random within SPREAD_S of packet time. A sensor gathers samples for 5 ms of packet time at most, so how
many share a message, which is what costs most, follows from how dense the packets lie. Zeek needs about 1.0 to 1.3 s of one core for
these packets: spread over that time they are the most that one core bears on a live interface. Spread thinner, Zeek would have
idle time to spend on more and smaller messages; spread closer, no live Zeek could keep up. Connections overlap by hundreds.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from eacf_trainer import testbed
from eacf_trainer.testbed import packets, path, pki, tls
from eacf_trainer.testbed.capture import START_S, Wire

SPREAD_S = 1.15
SIGMA = 1.3
"""Of the logarithm of a connection's bytes: the largest of 3,000 has about a hundred times the median."""
TLS12_SHARE = 0.4
UPLOAD_SHARE = 0.1
"""Connections that carry most of their bytes from the client."""
IPV6_SHARE = 0.2
PATHS = ("lan", "fibre")
"""Near servers: on a slower path the connections would outlast the spread many times, each on its own."""
WRITES = (1370, 4096, 8192, 16_384)
"""How much a server writes at once."""
MOST_EXCHANGES = 4


@dataclass(frozen=True)
class Shape:
    """What the capture is like. The defaults give about 250 MB in 250,000 to 300,000 packets."""

    connections: int = 3000
    megabytes: float = 216.0
    """Plaintext of all connections."""
    spread_s: float = SPREAD_S
    """Within which all of them begin."""
    seed: int = 1


def kept(folder: Path, shape: Shape) -> Path:
    """The capture of that shape, made once and kept in `folder` until what makes it changes."""
    sources = [Path(__file__), *sorted(Path(testbed.__file__).parent.glob("*.py"))]
    digest = hashlib.sha256(repr(shape).encode() + b"".join(each.read_bytes() for each in sources)).hexdigest()
    target = folder / f"tls-{shape.connections}-{digest[:12]}.pcap"
    if not target.exists():
        beside = target.with_suffix(".partial")
        make(beside, shape)
        beside.replace(target)
    return target


def make(target: Path, shape: Shape) -> None:
    """Write it, packets in order of time."""
    rng = random.Random(f"zeek load {shape.seed}")
    drawn = [rng.lognormvariate(0, SIGMA) for _ in range(shape.connections)]
    scale = shape.megabytes * 1e6 / sum(drawn)
    flows = distinct(rng)
    written: list[packets.Timed] = []
    for size in drawn:
        begin = START_S + rng.uniform(0, shape.spread_s)
        written += next(flows).packets(segments(rng, max(200, int(size * scale)), begin))
    written.sort(key=lambda each: each[0])
    packets.write(target, written)


def distinct(rng: random.Random) -> Iterator[packets.Flow]:
    """Addresses and ports, no pair of ends twice."""
    seen = set()
    while True:
        flow = packets.Flow.draw(rng, rng.random() < IPV6_SHARE, 443, rng.randrange(60_000))
        ends = (flow.orig, flow.orig_p, flow.resp)
        if ends not in seen:
            seen.add(ends)
            yield flow


def segments(rng: random.Random, size: int, begin: float) -> list[path.Segment]:
    """One connection that carries `size` bytes of plaintext and begins at `begin`."""
    version: tls.Version = "1.2" if rng.random() < TLS12_SHARE else "1.3"
    identity = rng.randrange(pki.IDENTITIES)
    alpn = rng.choice(("h2", "http/1.1", ""))
    ends = tls.Connection(
        tls.Peer(version, alpn, f"www.site{rng.randrange(500)}.example", identity, rng.choice((0, 1, 2)))
    )
    stream = path.Stream(path.draw(rng.choice(PATHS), rng), rng)
    wire = Wire(stream, stream.open(begin))
    for is_orig, flight in ends.handshake():
        wire.send(is_orig, flight, rng.uniform(0.0002, 0.002))
    write = rng.choice(WRITES)
    uploads = rng.random() < UPLOAD_SHARE
    for body in parts(rng, size):
        small = rng.randint(120, 700)
        for is_orig in (True, False):
            sizes = cut(body, write) if is_orig is uploads else [small]
            wire.send(is_orig, ends.send(is_orig, sizes), rng.uniform(0.001, 0.02))
    stream.close(wire.now + rng.uniform(0.001, 0.02))
    return stream.segments


def parts(rng: random.Random, size: int) -> list[int]:
    """`size` divided among some exchanges, each of which carries a byte at least."""
    count = min(rng.randint(1, MOST_EXCHANGES), size)
    cuts = sorted(rng.sample(range(1, size), count - 1)) if count > 1 else []
    return [end - start for start, end in pairwise([0, *cuts, size])]


def cut(size: int, write: int) -> list[int]:
    """Writes of `write` bytes, the last one of what is left."""
    whole, rest = divmod(size, write)
    return [write] * whole + ([rest] if rest else [])


def main() -> int:
    default = Shape()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--connections", type=int, default=default.connections, help="default: %(default)s")
    parser.add_argument(
        "--megabytes", type=float, default=default.megabytes, help="of plaintext (default: %(default)s)"
    )
    parser.add_argument("--spread", type=float, default=default.spread_s, help="seconds (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=default.seed, help="default: %(default)s")
    options = parser.parse_args()
    make(options.out, Shape(options.connections, options.megabytes, options.spread, options.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
