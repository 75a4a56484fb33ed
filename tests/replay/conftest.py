"""A capture made by code: TLS 1.2 connections, one packet a record, and bundles to ask about them."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eacf import bundle
from eacf.features import PayloadOnly
from eacf.inference.runtime import choose

MakeCapture = Callable[..., Path]

SYN, ACK, PUSH, FIN = 2, 16, 8, 1


def record(kind: int, body: bytes) -> bytes:
    return struct.pack(">BHH", kind, 0x0303, len(body)) + body


def handshake(kind: int, body: bytes) -> bytes:
    return record(22, struct.pack(">B", kind) + len(body).to_bytes(3, "big") + body)


def client_hello(name: str) -> bytes:
    entry = struct.pack(">BH", 0, len(name)) + name.encode()
    names = struct.pack(">H", len(entry)) + entry
    extensions = struct.pack(">HH", 0, len(names)) + names
    return handshake(
        1,
        struct.pack(">H", 0x0303)
        + bytes(32)
        + b"\0"
        + b"\0\2\xc0\x2f"
        + b"\1\0"
        + struct.pack(">H", len(extensions))
        + extensions,
    )


SERVER_HELLO = handshake(2, struct.pack(">H", 0x0303) + bytes(32) + b"\0" + b"\xc0\x2f" + b"\0" + b"\0\0")
FINISHED = record(20, b"\1") + record(22, bytes(40))


def packet(time: float, orig: tuple[int, int], is_orig: bool, flags: int, seq: int, ack: int, data: bytes) -> bytes:
    host, port = orig
    here, there = struct.pack(">BBH", 10, 0, host), bytes((192, 0, 2, 1))
    ends, ports = (here + there, (port, 443)) if is_orig else (there + here, (443, port))
    tcp = struct.pack(">HHIIBBHHH", *ports, seq, ack, 0x50, flags, 65535, 0, 0) + data
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + ends + tcp
    frame = bytes(12) + b"\x08\x00" + ip
    return struct.pack("<IIII", int(time), round(time % 1 * 1e6), len(frame), len(frame)) + frame


def connection(number: int, start: float, name: str) -> Iterator[bytes]:
    """Packets of one connection: handshake, then application data of 100 + `number` and 1,200 bytes in turns."""
    orig = (number, 20_000 + number % 40_000)
    seqs = {True: 1000, False: 9000}
    ticks = iter(range(1000))

    def send(is_orig: bool, flags: int, data: bytes = b"") -> bytes:
        seq, ack = seqs[is_orig], 0 if flags == SYN else seqs[not is_orig]
        seqs[is_orig] += len(data) + (flags & (SYN | FIN) != 0)
        return packet(start + next(ticks) * 0.001, orig, is_orig, flags, seq, ack, data)

    yield send(True, SYN)
    yield send(False, SYN | ACK)
    yield send(True, ACK)
    yield send(True, ACK | PUSH, client_hello(name))
    yield send(False, ACK | PUSH, SERVER_HELLO + handshake(14, b""))
    yield send(True, ACK | PUSH, handshake(16, bytes(66)) + FINISHED)
    yield send(False, ACK | PUSH, FINISHED)
    for _ in range(6):
        yield send(True, ACK | PUSH, record(23, bytes(100 + number % 1000)))
        yield send(False, ACK | PUSH, record(23, bytes(1200)))
    yield send(True, FIN | ACK)
    yield send(False, FIN | ACK)
    yield send(True, ACK)


@pytest.fixture
def make_capture(tmp_path: Path) -> MakeCapture:
    """Writes a pcap of so many connections, one after the other, and gives its path."""

    def make(
        connections: int = 5, *, name: str = "small.pcap", server: str = "www.example.com", begin: int = 0
    ) -> Path:
        header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
        numbers = range(begin, begin + connections)
        packets = (each for number in numbers for each in connection(number, 1_700_000_000 + number * 0.05, server))
        path = tmp_path / name
        path.write_bytes(header + b"".join(packets))
        return path

    return make


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle on 64 bytes of payload that takes every flow for "web", whatever is in it."""
    return write_bundle(tmp_path_factory.mktemp("bundle") / "tiny.eacf", 64)


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same on 2,000 bytes, which take several chunks of the captures here."""
    return write_bundle(tmp_path_factory.mktemp("bundle") / "wide.eacf", 2000)


def write_bundle(path: Path, size: int) -> Path:
    """A bundle on so many bytes of payload that takes every flow for "web"."""
    import numpy as np
    import tensorflow as tf

    network = tf.keras.Sequential([tf.keras.layers.Input((size,)), tf.keras.layers.Dense(2)])
    network.layers[0].set_weights([np.zeros((size, 2)), np.array([4.0, -4.0])])
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([np.full((1, size), byte, np.float32)] for byte in range(256))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type, converter.inference_output_type = tf.uint8, tf.int8
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs", UserWarning)
        model = converter.convert()
    interpreter = choose().interpreter(model_content=model)
    ends = {"input": interpreter.get_input_details()[0], "output": interpreter.get_output_details()[0]}
    manifest = {
        "name": path.stem,
        "version": "1",
        "created": "2025-01-31T12:00:00Z",
        "labels": ["web", "chat"],
        "background": False,
        "features": PayloadOnly(size).spec(),
        "label_map": {"*.example.com": "web", "*.example.net": "chat"},
        "calibration": {"temperature": 1.0},
        "thresholds": {"web": 0.5, "chat": 0.5},
        "quantisation": {
            end: {"scale": float(detail["quantization"][0]), "zero_point": int(detail["quantization"][1])}
            for end, detail in ends.items()
        },
        "training": {"captures": 0},
        "figures": {},
        "libraries": {"tensorflow": tf.__version__},
    }
    bundle.write(path, manifest, model)
    return path
