"""Throws changed messages at the codec: ``python tests/wire/fuzz.py [--seed N] [--count N] [--recordings FOLDER]``.

Starts from one good body of each kind (and recorded ones where told to), changes bytes, cuts, doubles and joins
pieces, or changes the value inside and encodes it again, and holds for every one of them:

- nothing but WireError is raised, by any function that takes bytes;
- the fast way of flows says what the general way says;
- a body that decodes encodes to the same bytes; a message that decodes encodes and decodes to itself;
- none takes longer than `SLOWEST_S`, and the process does not grow by more than `GROWTH_MB`.

The same seed makes the same bodies. A body that breaks a rule is printed in hex, with its number.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path

from eacf import wire
from eacf.errors import WireError
from eacf.flow import Chunk, Needs, Sample
from eacf.verdict import Verdict
from eacf.wire import broker
from eacf.wire.codec import decode_general
from eacf.wire.flows import read_flows
from eacf.wire.values import Count, EnumName, Interval, Port, Set, Table, Time, Value

SLOWEST_S = 2.0
GROWTH_MB = 64

_SCALARS: tuple[Value, ...] = (
    None,
    True,
    Count(0),
    Count(2**64 - 1),
    -1,
    2**63 - 1,
    0.5,
    float("nan"),
    b"",
    b"\xff\x00",
    b"EACF::flow",
    IPv4Address("192.0.2.1"),
    IPv6Address("2001:db8::1"),
    IPv4Network("192.0.2.0/24"),
    Port(443, "tcp"),
    Port(443, "udp"),
    Time(-1),
    Interval(-1),
    EnumName("Zoo::GREEN"),
    (),
    Set((b"a",)),
    Table(((b"a", Count(1)),)),
)
_LENGTHS = (b"\x00", b"\x01", b"\x7f", b"\x80\x01", b"\x80\x00", b"\xff\xff\xff\xff\x0f", b"\xff" * 9 + b"\x01")


_MODELS = (
    wire.ModelOffer("eacf.control.reply.0123456789ab.", b'{"id":"x"}', 1000, "0f" * 32),
    wire.ModelWant("0123456789ab", "ba9876543210", 32_768, 262_144),
    wire.ModelChunk("ba9876543210", 32_768, bytes(range(100))),
    wire.ModelDone("0123456789ab", "ba9876543210", "serving", ""),
    wire.ModelOrder("eacf.control.reply.0123456789ab.", b'{"action":"rollback"}'),
    wire.ModelOrdered("0123456789ab", "refused", "why"),
)


def seeds() -> list[bytes]:
    """One good body of every kind, small enough that a change seldom falls into payload."""
    sample = Sample(
        "CHhAvVGS1DHFjwGM9",
        1_700_000_000_000_000_001,
        IPv4Address("192.0.2.1"),
        50000,
        IPv6Address("2001:db8::1"),
        443,
        "www.example.com",
        bytes(140),
        [Chunk(100, True, 0), Chunk(40, False, 1_000_000)],
        [100, -40, 0],
    )
    bare = Sample("C1", 1, IPv4Address("192.0.2.1"), 1, IPv4Address("192.0.2.2"), 443, None, b"", [], [1, -2])
    verdict = Verdict("C1", "web", 0.75, "0123456789ab", None, "mail")
    bodies = [
        wire.encode_flow("eacf.verdict.zeek.", sample),
        wire.encode_flows("eacf.verdict.zeek.", [sample, bare]),
        wire.encode_flows("eacf.verdict.zeek.", [bare] * 4),
        wire.encode_who(),
        wire.encode_hello("0123456789ab", "ba9876543210", Needs()),
        wire.encode_verdicts("0123456789ab", [verdict, verdict]),
        wire.encode_tap_who("eacf.verdict.zeek."),
        wire.encode_tap_ready("0123456789ab", Needs(), 0.25, 1_000_000, 256),
        wire.encode_status_request("eacf.control.reply.0123456789ab."),
        wire.encode_status_reply("0123456789ab", '{"uptime": 1}'),
        wire.encode_alarm("0123456789ab", "ba9876543210", "accuracy", "31 % after 8 %"),
        wire.encode((Count(1), Count(1), (b"Zoo::one", _SCALARS))),
        *map(wire.encode_model, _MODELS),
    ]
    version, kind, (name, arguments) = wire.decode(bodies[1])
    bodies.append(wire.encode((version, kind, (name, arguments, ((Count(1), Time(5)),)))))
    return bodies


def recordings(folder: Path) -> list[bytes]:
    """Recorded bodies below `folder`."""
    bodies = []
    for path in sorted(folder.rglob("*.jsonl.gz")):
        with gzip.open(path, "rt") as lines:
            bodies += [bytes.fromhex(json.loads(line)["body_hex"]) for line in lines]
    return bodies


def mutants(bodies: list[bytes], seed: int, count: int) -> Iterator[bytes]:
    """`count` changed bodies."""
    rng = random.Random(seed)
    for _ in range(count):
        body = rng.choice(bodies)
        if rng.random() < 0.3:
            yield _changed_value(rng, body)
            continue
        data = bytearray(body)
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            _change(rng, data, bodies)
        yield bytes(data)


def _change(rng: random.Random, data: bytearray, bodies: list[bytes]) -> None:
    """One change of some bytes."""
    at = rng.randrange(len(data)) if data else 0
    match rng.randrange(8):
        case 0:
            data[at : at + 1] = bytes((rng.randrange(256),))
        case 1:
            data[at : at + 1] = bytes((data[at] ^ 1 << rng.randrange(8),)) if data else b""
        case 2:
            del data[at:]
        case 3:
            del data[at : at + rng.randrange(1, 40)]
        case 4:
            data[at:at] = data[at : at + rng.randrange(1, 40)]
        case 5:
            other = rng.choice(bodies)
            data[at:] = other[rng.randrange(len(other)) :]
        case 6:
            data[at : at + 1] = rng.choice(_LENGTHS)
        case _:
            data += rng.randbytes(rng.randrange(1, 5))


def _changed_value(rng: random.Random, body: bytes) -> bytes:
    """`body` with a part of its value taken out, doubled or put in place of another."""
    try:
        return wire.encode(_changed(rng, wire.decode(body)))
    except WireError:
        return body


def _changed(rng: random.Random, value: Value) -> Value:
    if not isinstance(value, tuple) or not value or rng.random() < 0.1:
        return rng.choice(_SCALARS)
    at = rng.randrange(len(value))
    choice = rng.random()
    if choice < 0.1:
        return value[:at] + value[at + 1 :]
    if choice < 0.2:
        return (*value[:at], value[at], *value[at:])
    if choice < 0.25:
        return (*value, rng.choice(_SCALARS))
    return (*value[:at], _changed(rng, value[at]), *value[at + 1 :])


def check(body: bytes) -> str:
    """Raises AssertionError (or whatever slips out) where a rule does not hold; else a word on what came of `body`."""
    try:
        value = broker.decode(body)
    except WireError:
        value = None
    else:
        assert broker.encode(value) == body
    fast, counted = read_flows(body), wire.count_flows(body)
    message, general = _outcome(decode_general, body)
    same_message, either = _outcome(wire.decode_message, body)
    assert either == general
    if message is None:
        assert fast is None
        return general.partition(":")[0]
    # By their text, since a NaN is not equal to itself and text tells types apart.
    assert fast is None or repr(fast) == repr(message)
    assert repr(same_message) == repr(message)
    if isinstance(message, wire.Flows):
        assert counted == len(message.samples)
        assert wire.decode_message(wire.encode_flows(message.reply_to, message.samples)) == message
    elif isinstance(message, wire.Verdicts):
        assert wire.decode_message(wire.encode_verdicts(message.worker, message.verdicts)) == message
    elif isinstance(message, wire.TapReady):
        said = (message.tap, message.needs, message.share, message.received, message.window)
        assert wire.decode_message(wire.encode_tap_ready(*said)) == message
    return type(message).__name__


def _outcome(read: Callable[[bytes], wire.Message], body: bytes) -> tuple[wire.Message | None, str]:
    """The message, or None and the kind and text of the error."""
    try:
        return read(body), ""
    except WireError as error:
        return None, f"{error.kind}: {error}"


def run(bodies: list[bytes], seed: int, count: int) -> tuple[Counter[str], float]:
    """Checks `count` changed bodies; what came of them, and the seconds that the slowest took."""
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, body in enumerate(mutants(bodies, seed, count)):
        started = time.perf_counter()
        try:
            outcomes[check(body)] += 1
        except BaseException:
            print(f"seed {seed}, number {number}: {body.hex()}")
            raise
        slowest = max(slowest, time.perf_counter() - started)
    assert slowest < SLOWEST_S, f"one body took {slowest:.1f} s"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < GROWTH_MB, f"the process grew by {grown:.0f} MB"
    return outcomes, slowest


def main() -> None:
    """Runs from the command line."""
    parser = argparse.ArgumentParser(description="Throws changed messages at the codec of eacf.wire.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100_000, help="number of changed bodies (default 100,000)")
    parser.add_argument("--recordings", type=Path, help="folder of recorded flows (*.jsonl.gz) to start from as well")
    arguments = parser.parse_args()
    bodies = seeds() + (recordings(arguments.recordings) if arguments.recordings else [])
    started = time.perf_counter()
    outcomes, slowest = run(bodies, arguments.seed, arguments.count)
    print(f"{arguments.count} bodies in {time.perf_counter() - started:.1f} s, the slowest {slowest * 1000:.1f} ms")
    for outcome, number in outcomes.most_common():
        print(f"{number:8} {outcome}")


if __name__ == "__main__":
    main()
