"""The metrics of a relay, read from :meth:`eacf.relay.account.Account.report`."""

from __future__ import annotations

from eacf.metrics import Family
from eacf.metrics.family import counter, counters, gauge

_R = "eacf_relay_"

RELAY: tuple[Family, ...] = (
    gauge(f"{_R}uptime_seconds", "seconds", "Time since the start.", "uptime_s"),
    gauge(f"{_R}clients", "keys", "Public keys that are let in.", "clients"),
    gauge(f"{_R}connections", "connections", "Connections of clients, two each.", "connections"),
    gauge(f"{_R}topics", "topics", "Topics with an id that clients hear.", "topics"),
    counter(f"{_R}messages_out", "messages", "Messages of the bus for clients.", "out"),
    counter(f"{_R}bytes_out", "bytes", "Bytes of their bodies.", "out_bytes"),
    counter(
        f"{_R}cut_messages_out",
        "messages",
        "Of these such as one client at least had no room for and missed.",
        "out_cut",
    ),
    counter(f"{_R}messages_in", "messages", "Messages of clients.", "taken"),
    counter(f"{_R}bytes_in", "bytes", "Bytes of their bodies.", "taken_bytes"),
    counters(
        f"{_R}dropped_messages_in",
        "messages",
        "Messages of clients that were not passed on. full: the bus had no room; form, event, topic: not allowed; key: no longer "
        "let in.",
        "reason",
        "dropped",
        known=("full", "form", "event", "topic", "key"),
    ),
    counter(f"{_R}refused_topics", "subscriptions", "Subscriptions that were not granted.", "refused_topics"),
    counters(f"{_R}handshakes", "handshakes", "Handshakes that let a client in, by its name.", "client", "admitted"),
    counters(
        f"{_R}refused_handshakes",
        "handshakes",
        "Handshakes that failed. key: not let in; handshake: no CURVE, or a wrong key of ours.",
        "reason",
        "refused",
        known=("key", "handshake"),
    ),
    counters(
        f"{_R}client_reloads",
        "times",
        "Times that the folder of clients was read again, by result.",
        "result",
        "reloads",
        known=("done", "refused"),
    ),
    counter(
        f"{_R}cuts",
        "times",
        "Times that all connections were closed: a key was taken away, or clients asked for too much.",
        "cuts",
    ),
    counter(f"{_R}cpu_seconds", "seconds", "CPU time of the process.", "process", "cpu_s"),
    gauge(f"{_R}memory_bytes", "bytes", "Resident memory of the process.", "process", "memory_bytes"),
)
