"""Every bound of the collector, and the counters that tell when one was met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Limits:
    """What the collector will hold at most. Where a limit is met, the policy stands beside it."""

    connections: int = 65_536
    """Connections tracked; a new one then pushes out the oldest, whose sample goes out as if it had ended."""
    endpoint_buffer_bytes: int = 10 * 1024 * 1024
    """Out-of-order data of one side; more, and that side is delivered no further
    (Zeek: tcp_excessive_data_without_further_acks)."""
    endpoint_buffer_blocks: int = 16_384
    """Out-of-order pieces of one side; same policy."""
    buffer_bytes: int = 256 * 1024 * 1024
    """Out-of-order data of all connections, 256 bytes added for each piece; same policy for the side at hand."""
    gathered_bytes: int = 256 * 1024 * 1024
    """Data delivered to connections whose samples are not complete, 200 bytes added for each delivery; more, and the
    oldest of them send what they have."""
    handshake_bytes: int = 262_144
    """Of one handshake message held until it is whole; longer, and the connection's TLS analysis ends."""
    fragmented_packets: int = 4_096
    """IP packets being put together; a new one then pushes out the oldest."""
    fragment_bytes: int = 32 * 1024 * 1024
    """Fragments held in all; same policy."""
    payload_bytes: int = 65_536
    """Payload of one sample, whatever a model asks for (the wire takes no more); the window ends there too."""
    chunks: int = 8_192
    """Chunks of one sample; the sample is complete then."""
    records: int = 4_096
    """Record lengths in one sample; the sample is complete then."""
    tunnel_depth: int = 4
    """Packets within packets; deeper ones are dropped (Zeek: Tunnel::max_depth)."""
    packet_bytes: int = 1 << 20
    """One packet of a capture file; a longer one means damage, and reading ends."""
    interfaces: int = 4_096
    """Interfaces of a pcapng section; packets of later ones are dropped."""


@dataclass(slots=True)
class Counters:
    """What happened. ``dict(counters)`` gives all of it."""

    packets: int = 0
    packet_bytes: int = 0
    connections: int = 0
    tls_connections: int = 0
    ignored_connections: int = 0
    """Left alone for a subnet or port that is to be ignored, TLS or not."""
    unsampled_connections: int = 0
    """Left alone by sampling, TLS or not."""
    flows: int = 0
    gaps: int = 0
    reused_connections: int = 0
    damaged_files: int = 0
    evicted_connections: int = 0
    evicted_fragmented_packets: int = 0
    dropped_no_ip: int = 0
    dropped_not_ip: int = 0
    dropped_not_tcp: int = 0
    dropped_truncated: int = 0
    dropped_too_deep: int = 0
    dropped_interfaces: int = 0
    dropped_endpoint_buffers: int = 0
    dropped_handshakes: int = 0
    cut_samples: int = 0

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return ((field.name, getattr(self, field.name)) for field in fields(self))
