"""The relay between a bus and clients, over real sockets."""

from __future__ import annotations

import json
import random
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from eacf import handshake
from eacf.bus import EmbeddedBus, Endpoints, Peer
from eacf.flow import Needs, Sample
from eacf.relay import topics
from eacf.wire import (
    CONTROL_REQUEST_TOPIC,
    FORMAT,
    ZEEK_TOPIC,
    Verdicts,
    control_reply_topic,
    decode_message,
    encode,
    encode_flows,
    encode_hello,
    encode_status_request,
    encode_tap_ready,
    encode_verdicts,
    encode_who,
    envelope,
    flow_topic,
    tap_topic,
    verdict_topic,
)
from tests.relay.conftest import Site, heard

ONE, TWO = "a" * 12, "b" * 12
ZEEK = verdict_topic("zeek")
HELLO = encode_hello(ONE, "model", Needs(0, 0, 8, False))


def test_zeek_finds_a_client_and_both_hear_each_other(site: Site) -> None:
    with (
        Peer(site.bus.endpoints, "zeek", [ZEEK_TOPIC, ZEEK], watch=True) as zeek,
        Peer(site.admit("gpu", "worker"), "worker", [flow_topic(ONE)], watch=True) as worker,
    ):
        site.until(heard(zeek, flow_topic(ONE)), zeek, worker)
        site.until(heard(worker, ZEEK_TOPIC, ZEEK), zeek, worker)
        assert zeek.send(flow_topic(ONE), encode_who())
        site.until(lambda: worker.receive(1), worker)
        assert worker.send(ZEEK_TOPIC, HELLO)
        got: list[list[bytes]] = []
        site.until(lambda: got.extend(zeek.receive(1)) or got, zeek)
        assert got[0][0] == ZEEK_TOPIC
        assert got[0][3] == HELLO
        assert site.relay.account.admitted == {"gpu": 2}
        worker.close()
        gone: list[tuple[bool, bytes]] = []
        site.until(lambda: gone.extend(zeek.subscriptions()) or (False, flow_topic(ONE)) in gone, zeek)
        assert site.relay.topics == 0


def test_a_real_worker_answers_flows_through_it(site: Site) -> None:
    where = site.admit("gpu", "worker")
    command = [
        sys.executable,
        "-m",
        "eacf",
        "worker",
        "--subscribe-endpoint",
        where.subscribe,
        "--publish-endpoint",
        where.publish,
    ]
    command += ["--bus-key", str(site.folder / "gpu.curve"), "--bus-server-key", str(site.public_file)]
    home, away = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")
    samples = [
        Sample(f"C{number}", number, home, 50_000 + number, away, 443, "www.example", b"", [], [500, -1400] * 4)
        for number in range(20)
    ]
    with Peer(site.bus.endpoints, "zeek", [ZEEK], watch=True) as zeek:
        worker = subprocess.Popen(command, stderr=subprocess.PIPE)
        try:
            known: list[bytes] = []

            def found() -> bool:
                known.extend(t for added, t in zeek.subscriptions() if added and t.startswith(b"eacf.flow."))
                return bool(known)

            site.until(found, zeek)
            zeek.send(known[0], encode_flows(ZEEK.decode(), samples))
            answered: list[str] = []

            def answers() -> bool:
                for frames in zeek.receive(10):
                    message = decode_message(frames[3])
                    assert isinstance(message, Verdicts)
                    answered.extend(verdict.uid for verdict in message.verdicts)
                return len(answered) >= len(samples)

            site.until(answers, zeek)
            assert sorted(answered) == sorted(sample.uid for sample in samples)
        finally:
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(20) == 0


def test_a_stranger_hears_nothing_is_told_and_comes_in_once_it_may(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "RETRY_S", 0.2)
    where = site.stranger("new")
    with (
        Peer(site.bus.endpoints, "zeek", [ZEEK_TOPIC], watch=True) as zeek,
        Peer(where, "new", [flow_topic(ONE)], watch=True) as new,
    ):
        site.until(lambda: site.relay.account.refused["key"] >= 2 and new.problem, new)
        assert where.keys is not None
        assert f"does not let our key in (public key {where.keys.own.public})" in str(new.problem)
        assert flow_topic(ONE) not in {topic for _, topic in zeek.subscriptions()}
        assert new.subscriptions() == []
        site.allowed.joinpath("new.pub").write_bytes(site.folder.joinpath("new.curve.pub").read_bytes())
        site.until(heard(zeek, flow_topic(ONE)), new, zeek)
        site.until(lambda: new.problem is None, new)


def test_what_is_wrong_with_the_keys_is_said(site: Site) -> None:
    good = site.admit("gpu", "worker")
    assert good.keys is not None
    wrong = replace(good, keys=replace(good.keys, server=good.keys.own.public))
    for where, words in (
        (wrong, "bus_server_key is not its public key"),
        (Endpoints(good.subscribe, good.publish), "asks for keys: set bus_key and bus_server_key"),
        (Endpoints(site.bus.endpoints.subscribe, site.bus.endpoints.publish, good.keys), "a bus without keys"),
    ):
        with Peer(where, "new", [flow_topic(ONE)], watch=True) as peer:
            # Before its last word it may say that what listens there is no relay, which is so.
            site.until(lambda peer=peer, words=words: words in str(peer.problem), peer)  # type: ignore[misc]
            assert words in str(peer.absence())
    assert site.relay.account.refused["handshake"] > 0


def test_a_role_says_and_hears_its_part_alone(site: Site) -> None:
    with (
        Peer(site.bus.endpoints, "spy", [b""], watch=True) as spy,
        Peer(site.admit("gpu", "worker"), "worker", [flow_topic(ONE), CONTROL_REQUEST_TOPIC], watch=True) as worker,
        Peer(site.admit("ear", "collect"), "ear", [tap_topic(TWO), flow_topic(TWO), b"eacf.", b""], watch=True) as ear,
    ):
        site.until(heard(spy, flow_topic(ONE), tap_topic(TWO)), spy, worker, ear)
        site.until(lambda: site.relay.account.refused_topics == 3, ear)
        ear.subscribe(flow_topic(ONE))  # another's: nobody listens in
        site.until(lambda: site.relay.account.refused_topics == 4, ear)
        site.until(heard(worker, b""), worker)
        site.until(heard(ear, b""), ear)
        evil = encode(envelope.wrap("Cluster::experimental_stop"))
        worker.send(ZEEK_TOPIC, evil)
        worker.send(b"zeek.cluster.manager", HELLO)
        worker.send(ZEEK_TOPIC, b"no event")
        worker.send(ZEEK_TOPIC, encode_verdicts(ONE, []))
        worker.send(CONTROL_REQUEST_TOPIC, encode_status_request(control_reply_topic(ONE).decode()))
        ear.send(ZEEK, encode_verdicts(TWO, []))
        ear.send(ZEEK, encode_tap_ready(TWO, Needs(0, 0, 8, False), 1.0, 0, 100))
        worker.send(ZEEK, encode_verdicts(ONE, []))
        got: list[list[bytes]] = []
        site.until(lambda: got.extend(spy.receive(10)) or len(got) >= 2, spy)
        site.until(lambda: site.relay.account.taken == 8)
        assert [frames[0] for frames in got] == [ZEEK, ZEEK]
        assert site.relay.account.dropped == {"event": 3, "topic": 2, "form": 1}
        spy.send(flow_topic(ONE), encode_who())
        site.until(lambda: worker.receive(1), worker)
        assert ear.receive(10) == []


def test_one_that_goes_does_not_take_anothers_topic_with_it(site: Site) -> None:
    gpu, ear = site.admit("gpu", "worker"), site.admit("ear", "worker")
    with Peer(site.bus.endpoints, "zeek", watch=True) as zeek, Peer(gpu, "worker", [flow_topic(ONE)]) as worker:
        site.until(heard(zeek, flow_topic(ONE)), zeek)
        other = Peer(ear, "other", [flow_topic(ONE)])
        site.until(lambda: site.relay.account.refused_topics == 1, other)
        other.unsubscribe(flow_topic(ONE))
        other.subscribe(flow_topic(TWO))
        site.until(heard(zeek, flow_topic(TWO)), zeek, other)
        other.close()
        site.until(lambda: (False, flow_topic(TWO)) in zeek.subscriptions(), zeek)
        zeek.send(flow_topic(ONE), encode_who())
        site.until(lambda: worker.receive(1), worker)


def test_a_key_that_is_taken_away_is_cut_off_and_the_others_come_again(site: Site) -> None:
    good, bad = site.admit("good", "worker"), site.admit("bad", "worker")
    with (
        Peer(site.bus.endpoints, "zeek", [ZEEK_TOPIC], watch=True) as zeek,
        Peer(good, "good", [flow_topic(ONE)], watch=True) as here,
        Peer(bad, "bad", [flow_topic(TWO)], watch=True) as there,
    ):
        site.until(heard(zeek, flow_topic(ONE), flow_topic(TWO)), zeek)
        (site.allowed / "worker" / "bad.curve.pub").unlink()
        told: list[tuple[bool, bytes]] = []

        def both() -> bool:
            told.extend(zeek.subscriptions())
            return (False, flow_topic(TWO)) in told and told[-1] == (True, flow_topic(ONE))

        site.until(both, zeek, here, there)
        site.until(lambda: there.problem, there)
        here.send(ZEEK_TOPIC, HELLO)
        there.send(ZEEK_TOPIC, HELLO)
        got: list[list[bytes]] = []
        site.until(lambda: here.send(ZEEK_TOPIC, HELLO) and (got.extend(zeek.receive(10)) or got), zeek, here)
        assert {frames[1] for frames in got} == {b"good"}
        assert site.relay.account.cuts == 1


def test_a_folder_that_cannot_be_used_changes_nothing(site: Site) -> None:
    where = site.admit("gpu", "worker")
    (site.allowed / "boss").mkdir()
    (site.allowed / "boss" / "x.pub").write_text("x")
    site.until(lambda: site.relay.account.reloads["refused"])
    with Peer(site.bus.endpoints, "zeek", watch=True) as zeek, Peer(where, "worker", [flow_topic(ONE)]) as worker:
        site.until(heard(zeek, flow_topic(ONE)), zeek, worker)


def test_one_that_does_not_read_misses_messages_and_the_others_none(bus: EmbeddedBus, tmp_path: Path) -> None:
    site = Site(bus, tmp_path, queue_messages=10)
    try:
        with (
            Peer(bus.endpoints, "zeek", watch=True, send_hwm=0) as zeek,
            Peer(site.admit("gpu", "worker"), "worker", [flow_topic(ONE)]) as worker,
            Peer(site.admit("bad", "worker"), "sleeper", [flow_topic(TWO)], receive_hwm=1),
        ):
            site.until(heard(zeek, flow_topic(ONE), flow_topic(TWO)), zeek)
            body, number = bytes(100_000), 300
            for _ in range(number):
                zeek.send(flow_topic(TWO), body)
                zeek.send(flow_topic(ONE), b"small")
                assert worker.wait(5)
                assert len(worker.receive(2)) == 1
            assert 0 < site.relay.account.out_cut < number
            assert site.relay.account.out == 2 * number
    finally:
        site.close()


def test_one_that_asks_for_all_the_world_is_a_nuisance_and_no_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "MAX_TOPICS", 50)
    with (
        Peer(site.bus.endpoints, "zeek", watch=True) as zeek,
        Peer(site.admit("gpu", "worker"), "worker", [flow_topic(ONE)], watch=True) as worker,
        Peer(site.admit("bad", "status"), "bad", [b"%d" % number for number in range(60)]) as bad,
    ):
        site.until(heard(zeek, flow_topic(ONE)), zeek)
        site.until(lambda: site.relay.account.cuts, bad, worker, zeek)
        bad.close()
        told: list[tuple[bool, bytes]] = []
        site.until(lambda: told.extend(zeek.subscriptions()) or told[-1:] == [(True, flow_topic(ONE))], zeek, worker)
        zeek.send(flow_topic(ONE), encode_who())
        site.until(lambda: worker.receive(1), worker)


def test_whatever_frames_a_client_sends(site: Site) -> None:
    """What has no event that its role may say in it goes nowhere; whether the rest of a message fits is for the receiver to say."""
    where, rng = site.admit("bad", "worker"), random.Random(5)
    with Peer(where, "bad", [flow_topic(ONE)], watch=True) as bad, Peer(site.bus.endpoints, "spy", [b""]) as spy:
        site.until(heard(bad, b""), bad)
        for _ in range(300):
            frames = [rng.randbytes(rng.choice((0, 1, 24, 300))) for _ in range(rng.randrange(1, 7))]
            if rng.random() < 0.5 and len(frames) > 3:
                frames[0], frames[2], frames[3] = ZEEK_TOPIC, FORMAT, HELLO[: rng.randrange(30)]
            bad._pub.send_multipart(frames)
        site.until(lambda: site.relay.account.taken >= 300, bad)
        assert spy.receive(10) == []
        assert bad.send(ZEEK_TOPIC, HELLO)
        site.until(lambda: spy.receive(1), spy)


@contextmanager
def wiretap(target: str) -> Iterator[tuple[str, bytearray]]:
    """A TCP proxy before an endpoint, and what went through it."""
    host, _, port = target.removeprefix("tcp://").rpartition(":")
    server, heard_bytes, ended = socket.create_server(("127.0.0.1", 0)), bytearray(), threading.Event()

    def serve() -> None:
        ends: dict[socket.socket, socket.socket] = {}
        while not ended.is_set():
            for ready in select.select([server, *ends], [], [], 0.05)[0]:
                if ready is server:
                    near, far = server.accept()[0], socket.create_connection((host, int(port)))
                    ends |= {near: far, far: near}
                elif data := ready.recv(65536):
                    heard_bytes.extend(data)
                    ends[ready].sendall(data)
                else:
                    other = ends.pop(ready)
                    ends.pop(other, None)
                    ready.close()
                    other.close()
        for each in (server, *ends):
            each.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}", heard_bytes
    finally:
        ended.set()
        thread.join()


def test_on_the_wire_there_is_no_plain_text(site: Site) -> None:
    secret, topic = b"www.secret.example" * 3, flow_topic(ONE)
    where = site.admit("gpu", "worker")
    with wiretap(where.subscribe) as (tapped, out), wiretap(where.publish) as (tapped_in, taken):
        tapped_bus = replace(where, subscribe=tapped, publish=tapped_in)
        with (
            Peer(site.bus.endpoints, "zeek", [ZEEK], watch=True) as zeek,
            Peer(tapped_bus, "worker", [topic], watch=True) as worker,
        ):
            site.until(heard(zeek, topic), zeek, worker)
            site.until(heard(worker, ZEEK), zeek, worker)
            zeek.send(topic, secret)
            site.until(lambda: worker.receive(1), worker)
            worker.send(ZEEK, encode_verdicts("secretworker", []))
            site.until(lambda: zeek.receive(1), zeek)
    assert len(out) > 500
    assert len(taken) > 500
    for plain in (secret[:18], topic[5:], b"eacf.", b"secretworker", b"EACF::"):
        assert plain not in out
        assert plain not in taken


def test_the_same_tap_on_a_bus_without_keys_sees_it_all(tmp_path: Path) -> None:
    import zmq

    context = zmq.Context()
    publisher = context.socket(zmq.XPUB)
    publisher.bind_to_random_port("tcp://127.0.0.1")
    where = publisher.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()
    with wiretap(where) as (tapped, out), Peer(Endpoints(tapped, f"ipc://{tmp_path}/p"), "worker", [b"t"]) as worker:
        assert publisher.recv() == b"\1t"
        publisher.send_multipart([b"t", b"zeek", b"f", b"www.secret.example"])
        assert worker.wait(10)
    context.destroy(linger=0)
    assert b"www.secret.example" in out


def test_the_command(bus: EmbeddedBus, tmp_path: Path) -> None:
    def eacf(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "eacf", *arguments]

    for name in ("relay", "ops"):
        subprocess.run(eacf("keys", "new", "--curve", str(tmp_path / name)), check=True, capture_output=True)
    allowed = tmp_path / "clients" / "status"
    allowed.mkdir(parents=True)
    (tmp_path / "ops.curve.pub").rename(allowed / "ops.curve.pub")
    here = ["--subscribe-endpoint", bus.endpoints.subscribe, "--publish-endpoint", bus.endpoints.publish]
    there = [f"ipc://{tmp_path}/s", f"ipc://{tmp_path}/p"]
    command = eacf(
        "relay", "--listen", there[0], "--listen-publish", there[1], "--key", f"{tmp_path}/relay.curve", *here
    )
    relay = subprocess.Popen([*command, "--clients", f"{tmp_path}/clients"], stderr=subprocess.PIPE, text=True)
    try:
        keys = ["--bus-key", f"{tmp_path}/ops.curve", "--bus-server-key", f"{tmp_path}/relay.curve.pub"]
        found = subprocess.run(
            eacf("status", "--subscribe-endpoint", there[0], "--publish-endpoint", there[1], *keys, "--json", "--timeout", "10"),
            capture_output=True, text=True, timeout=20,
        )  # fmt: skip
        report = json.loads(found.stdout.splitlines()[0])
        assert report["kind"] == "relay"
        assert report["admitted"] == {"ops": 2}
    finally:
        relay.send_signal(signal.SIGTERM)
        _, said = relay.communicate(timeout=20)
    assert relay.returncode == 0, said
    assert "for 1 clients; public key" in said
    assert "on the bus at" in said
    (tmp_path / "relay.curve").chmod(0o644)
    open_key = subprocess.run([*command, "--clients", f"{tmp_path}/clients"], capture_output=True, text=True)
    assert open_key.returncode == 2
    assert "others can read this secret key (mode 0644); chmod 600" in open_key.stderr
