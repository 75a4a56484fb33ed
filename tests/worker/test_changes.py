"""Models over the bus to a worker's process: pushes, orders, what is refused, and that no flow is lost to any of it."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import itertools
import json
import os
import resource
import signal
import struct
import time
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from eacf import bundle, keys
from eacf.bundle import from_bytes, signing
from eacf.bundle.archive import LOCAL_MAGIC, MANIFEST, MAX_BYTES, unpack
from eacf.bundle.document import canonical, identity
from eacf.bus import EmbeddedBus
from eacf.delivery import Outcome, Progress, push, send_order
from eacf.delivery.outcome import Letter
from eacf.delivery.push import Push, run_errand
from eacf.models import Store, orders
from eacf.wire import Hello, Message, ModelChunk, ModelOffer, encode_model, model_topic

if TYPE_CHECKING:
    from tests.worker.conftest import Sensor, Signed, Start

WAIT_S = 20.0


def closes(report: dict[str, Any]) -> bool:
    """The worker's account."""
    told = sum(report["dropped"].values()) + report["queue"]["flows"] + report["held_verdicts"]
    return bool(report["flows_in"] == report["verdicts_out"] + told)


def test_a_push_serves_and_is_there_after_a_restart(
    sensor: Sensor, start: Start, takes_models: list[str], signed: Signed, tmp_path: Path
) -> None:
    process = start(*takes_models)
    old = sensor.greet()
    data = signed("next")
    new = from_bytes(data, "new")
    seen = []
    outcomes = push(sensor.bus.endpoints, data, wait_s=WAIT_S, tell=seen.append)
    assert {worker: outcome.what for worker, outcome in outcomes.items()} == {old.worker: "serving"}
    assert [progress.have for progress in seen] == sorted(progress.have for progress in seen)
    assert seen[-1].have == seen[-1].size == len(data)
    sensor.until(lambda: sensor.hellos[-1] == Hello(old.worker, new.id, new.needs))
    sensor.send(10)
    sensor.until(sensor.answered)
    assert {verdict.model for verdict in sensor.verdicts} == {new.id}
    report = sensor.report()
    assert closes(report)
    assert (report["bundle"]["version"], report["models"]["serving"]) == ("next", new.id)
    assert report["models"]["push"]["counts"]["taken"] == 1
    process.terminate()
    assert process.wait(WAIT_S) == 0
    sensor.until(lambda: not sensor.workers)
    start(*takes_models)
    assert sensor.greet().model == new.id
    state = Store.open(tmp_path / "models").state()
    assert state.before == old.model
    assert list((tmp_path / "models" / "incoming").iterdir()) == []


def told(bus: EmbeddedBus, data: bytes, **forged: Any) -> Outcome:
    """What the only worker says to an offer of `data`, with these fields of it forged."""
    manifest = forged.pop("manifest", None) or unpack(data)[MANIFEST]
    errand = Push(forged.pop("body", data), forged.pop("model", from_id(data)), manifest, lambda _: None)
    for name, value in forged.items():
        setattr(errand, name, value)
    (outcome,) = run_errand(bus.endpoints, errand, WAIT_S).values()
    return outcome


def from_id(data: bytes) -> str:
    return str(json.loads(unpack(data)[MANIFEST])["id"])


class Sized(Push):
    """An offer that says another size."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data, from_id(data), unpack(data)[MANIFEST], lambda _: None)
        self.size = size

    def ask(self, worker: str, reply_to: str) -> Letter:
        offer = ModelOffer(reply_to, self.manifest, self.size, self.sha256)
        return Letter(model_topic(worker), encode_model(offer))


def test_no_bad_bundle_is_taken(
    sensor: Sensor,
    start: Start,
    takes_models: list[str],
    signed: Signed,
    key: keys.PrivateKey,
    tmp_path: Path,
) -> None:
    process = start(*takes_models)
    old = sensor.greet()
    bus = sensor.bus
    stranger, _ = keys.new(tmp_path / "stranger")
    good = signed("good", serial=5)
    manifest = unpack(good)[MANIFEST]
    assert told(bus, good) == Outcome("serving", f"model {from_id(good)}")
    sensor.until(lambda: sensor.hellos[-1].model == from_id(good))
    late = signed("late", serial=9)
    body, bomb = bytearray(late), deflated(late)
    body[-500_000 // 2] ^= 1
    (oversized,) = run_errand(bus.endpoints, Sized(late, MAX_BYTES + 1), WAIT_S).values()
    (longer,) = run_errand(bus.endpoints, Sized(late, len(late) + 1), WAIT_S).values()
    answers = {
        "unsigned": told(bus, bundle.default_path().read_bytes()),
        "unknown key": told(bus, signed("x", by=stranger)),
        "changed manifest": told(bus, good, manifest=manifest.replace(b'"good"', b'"evil"')),
        "changed signature": told(bus, late, manifest=unpack(late)[MANIFEST].replace(b'"serial":9', b'"serial":8')),
        "changed model": told(bus, late, body=bytes(body), sha256=hashlib.sha256(late).hexdigest()),
        "changed model, hash as sent": told(bus, late, body=bytes(body)),
        "bomb": told(bus, late, body=bomb),
        "oversized": oversized,
        "longer": longer,
        "replayed": told(bus, signed("old", serial=4)),
        "same serial": told(bus, signed("same", serial=5)),
        "future": told(bus, late, manifest=future(late, key)),
        "nonsense": told(bus, late, manifest=b"\xff" * 1000),
        "no model": told(bus, signed("half", model=bundle.load(bundle.default_path()).model[:500])),
    }
    reasons = {
        "unsigned": "is not signed; sign it: `eacf bundle sign",
        "unknown key": f"signed by key {stranger.id}, which is not trusted",
        "changed manifest": "it was changed",
        "changed signature": f"its signature is not that of key {key.id}: it was changed",
        "changed model": "what came in has SHA-256",
        "changed model, hash as sent": "model.tflite: is damaged",
        "bomb": "is compressed or encrypted, a bundle only stores",
        "oversized": f"the file has {MAX_BYTES + 1} bytes, a bundle at most {MAX_BYTES}",
        "longer": f"by its manifest the file has {len(late)}",
        "replayed": f"its serial 4 is not above 5, the last of key {key.id}",
        "same serial": "its serial 5 is not above 5",
        "future": "manifest.format: is 99, this eacf reads",
        "nonsense": "manifest: is not JSON",
        "no model": "model.tflite: ",
    }
    assert {name: answer.what for name, answer in answers.items()} == dict.fromkeys(reasons, "refused")
    for name, reason in reasons.items():
        assert reason in answers[name].reason, name
    sensor.send(20)
    sensor.until(sensor.answered)
    assert {verdict.model for verdict in sensor.verdicts} == {from_id(good)}
    assert {hello.model for hello in sensor.hellos} == {old.model, from_id(good)}
    state = Store.open(tmp_path / "models").state()
    assert (state.serving, dict(state.serials)) == (from_id(good), {key.id: 5})
    assert {each.id for each in state.kept} == {from_id(good), old.model}
    assert list((tmp_path / "models" / "incoming").iterdir()) == []
    report = sensor.report()
    assert closes(report)
    assert told(bus, late).what == "serving"  # and after all that a good one is taken
    process.terminate()
    _, words = process.communicate(timeout=WAIT_S)
    assert "models and orders not taken: " in words
    assert words.count("the bundle in use stays") == 4  # the others went no further than the offer


def future(data: bytes, key: keys.PrivateKey) -> bytes:
    """The manifest of a format that is not there yet, rightly signed."""
    document = json.loads(unpack(data)[MANIFEST]) | {"format": 99}
    document["id"] = identity(document)
    del document["signature"]["value"]
    value = key.sign(signing.PREFIX + canonical(document))
    document["signature"]["value"] = base64.b64encode(value).decode()
    return canonical(document)


def deflated(data: bytes) -> bytes:
    """A zip of the same size whose model is a gigabyte of zeros, said to be compressed."""
    bomb = bytearray(data)
    at = data.index(LOCAL_MAGIC, 4)
    struct.pack_into("<H", bomb, at + 8, 8)
    struct.pack_into("<I", bomb, at + 22, 1 << 30)
    return bytes(bomb)


def test_no_flow_is_lost_to_swaps_under_load_and_each_verdict_names_a_whole_model(
    sensor: Sensor, start: Start, takes_models: list[str], signed: Signed
) -> None:
    start(*takes_models)
    old = sensor.greet()
    pushed = [signed(f"v{number}") for number in range(5)]
    ids = [from_id(data) for data in pushed]
    outcomes: list[Outcome] = []

    def push_all() -> None:
        for data in pushed:
            outcomes.extend(push(sensor.bus.endpoints, data, wait_s=WAIT_S).values())

    pushing = Thread(target=push_all)
    pushing.start()

    def under_load() -> bool:
        if sensor.sent - len(sensor.verdicts) < 500:
            sensor.send(8)
        return not pushing.is_alive() and sensor.verdicts[-1].model == ids[-1]

    sensor.until(under_load)
    sensor.until(sensor.answered)
    assert [outcome.what for outcome in outcomes] == ["serving"] * 5
    assert list(dict.fromkeys(hello.model for hello in sensor.hellos)) == [old.model, *ids]
    order = list(dict.fromkeys(verdict.model for verdict in sensor.verdicts))
    assert order == [old.model, *ids]  # each served, one after the other, and none came back
    report = sensor.report()
    assert closes(report)
    assert (report["dropped"], report["reloads"]) == ({}, {"done": 5, "failed": 0})


class Flood(Push):
    """Sends a hundred parts for each that was asked for: those, again, out of order, beyond the end, of another model."""

    def hear(self, message: Message) -> tuple[str, list[Letter], Outcome | None] | None:
        heard = super().hear(message)
        if heard is None or heard[2] is not None:
            return heard
        worker, asked, _ = heard
        size = len(self.data)
        offsets = [0, size // 2, size - 1, size, 2**62] * 20
        stray = [ModelChunk(self.model, offset, b"x" * 32_768) for offset in offsets]
        stray += [ModelChunk("0123456789ab", 0, b"x" * 32_768)] * 50
        return worker, [*asked, *asked, *(Letter(model_topic(worker), encode_model(each)) for each in stray)], None


def test_a_flood_of_parts_changes_nothing(
    sensor: Sensor, start: Start, takes_models: list[str], signed: Signed, tmp_path: Path
) -> None:
    start(*takes_models)
    sensor.greet()
    data = signed("flooded")
    errand = Flood(data, from_id(data), unpack(data)[MANIFEST], lambda _: None)
    answers: list[Outcome] = []
    flooding = Thread(target=lambda: answers.extend(run_errand(sensor.bus.endpoints, errand, WAIT_S).values()))
    flooding.start()

    def under_load() -> bool:
        if sensor.sent - len(sensor.verdicts) < 200:
            sensor.send(8)
        return not flooding.is_alive()

    sensor.until(under_load)
    sensor.until(sensor.answered)
    assert answers == [Outcome("serving", f"model {from_id(data)}")]
    assert (tmp_path / "models" / f"{from_id(data)}.eacf").read_bytes() == data
    report = sensor.report()
    counts = report["models"]["push"]["counts"]
    assert closes(report)
    assert report["dropped"] == {}
    assert counts["bytes"] == len(data)
    assert counts["chunks_unasked"] + counts["chunks_out_of_order"] > 100


class Cut(Push):
    """Sends the first part that it is asked for, and is gone when it is asked for the next."""

    sent = 0

    def hear(self, message: Message) -> tuple[str, list[Letter], Outcome | None] | None:
        heard = super().hear(message)
        if heard is None or heard[2] is not None or not heard[1]:
            return heard
        self.sent += 1
        return (heard[0], heard[1][:1], None) if self.sent == 1 else (heard[0], [], Outcome("refused"))


def test_a_push_that_is_cut_goes_on_after_a_restart_of_the_worker(
    sensor: Sensor, start: Start, takes_models: list[str], signed: Signed, tmp_path: Path
) -> None:
    process = start(*takes_models)
    sensor.greet()
    data = signed("cut")
    cut = Cut(data, from_id(data), unpack(data)[MANIFEST], lambda _: None)
    run_errand(sensor.bus.endpoints, cut, WAIT_S)
    process.kill()
    sensor.until(lambda: not sensor.workers)
    start(*takes_models)
    sensor.greet()
    seen: list[Progress] = []
    outcomes = push(sensor.bus.endpoints, data, wait_s=WAIT_S, tell=seen.append)
    assert [outcome.what for outcome in outcomes.values()] == ["serving"]
    assert seen[0].have == 32_768
    sensor.until(lambda: sensor.hellos[-1].model == from_id(data))


def test_a_worker_that_is_killed_and_comes_back_during_a_push_goes_on(
    sensor: Sensor, start: Start, takes_models: list[str], signed: Signed
) -> None:
    process = start(*takes_models)
    old = sensor.greet()
    data = signed("killed")
    seen: list[Progress] = []
    answers: dict[str, Outcome] = {}

    def tell(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 2:
            process.kill()
            start(*takes_models)

    pushing = Thread(target=lambda: answers.update(push(sensor.bus.endpoints, data, wait_s=WAIT_S, tell=tell)))
    pushing.start()
    sensor.until(lambda: not pushing.is_alive())
    (worker,) = sensor.workers
    assert answers == {worker.decode()[-12:]: Outcome("serving", f"model {from_id(data)}")}
    assert old.worker not in answers
    assert len({progress.worker for progress in seen}) == 2


def test_two_pushes_of_one_bundle_are_one_and_of_two_the_later_signature_serves(
    sensor: Sensor, start: Start, takes_models: list[str], signed: Signed
) -> None:
    start(*takes_models)
    sensor.greet()
    same, older, newer = signed("same"), signed("older"), signed("newer")

    def together(*bundles: bytes) -> list[Outcome]:
        answers: dict[int, Outcome] = {}

        def one(number: int) -> None:
            (answers[number],) = push(sensor.bus.endpoints, bundles[number], wait_s=WAIT_S).values()

        threads = [Thread(target=one, args=(number,)) for number in range(len(bundles))]
        for thread in threads:
            thread.start()
        sensor.until(lambda: not any(thread.is_alive() for thread in threads))
        return [answers[number] for number in range(len(bundles))]

    assert [outcome.what for outcome in together(same, same)] == ["serving", "serving"]
    assert sensor.report()["models"]["push"]["counts"]["bytes"] == len(same)
    first, second = together(older, newer)
    assert second.what == "serving"
    assert first.what == "serving" or "serial" in first.reason  # whichever came first; the newer one is the last
    report = sensor.report()
    assert report["bundle"]["id"] == from_id(newer)
    assert closes(report)


def test_orders_over_the_bus_and_a_shadow(
    sensor: Sensor, start: Start, takes_models: list[str], signed: Signed, key: keys.PrivateKey
) -> None:
    start(*takes_models)
    old = sensor.greet()
    serials = itertools.count(2000)

    def give(action: str, model: str | None, by: keys.PrivateKey = key) -> Outcome:
        return order(orders.sign(action, model, by, next(serials)))

    def order(data: bytes) -> Outcome:
        (outcome,) = send_order(sensor.bus.endpoints, data, wait_s=WAIT_S).values()
        return outcome

    def serves(model: str) -> None:
        sensor.until(lambda: sensor.hellos[-1].model == model)

    one, beside = signed("one"), signed("beside", purpose="shadow")
    push(sensor.bus.endpoints, one, wait_s=WAIT_S)
    serves(from_id(one))
    back = orders.sign("rollback", None, key, next(serials))
    assert order(back).what == "serving"
    serves(old.model)
    again = order(back)
    assert again.what == "refused"
    assert "is not above" in again.reason
    assert give("promote", from_id(one)).what == "serving"
    serves(from_id(one))
    (scores,) = push(sensor.bus.endpoints, signed("beside", purpose="shadow", serial=3000), wait_s=WAIT_S).values()
    assert scores.what == "shadow"
    serials = itertools.count(4000)
    sensor.send(20)
    sensor.until(sensor.answered)
    report = sensor.until_report(lambda report: report["shadow"]["scored"] == 20)
    assert report["shadow"]["bundle"]["version"] == "beside"
    assert {verdict.model for verdict in sensor.verdicts} == {from_id(one)}
    assert give("promote", from_id(beside)).what == "serving"
    serves(from_id(beside))
    assert give("shadow", from_id(one)).what == "shadow"
    assert give("shadow", None).what == "off"
    unknown = give("promote", "0123456789ab")
    assert (unknown.what, "is not in the store" in unknown.reason) == ("refused", True)
    report = sensor.report()
    assert (report["bundle"]["id"], report["shadow"]) == (from_id(beside), None)
    assert closes(report)


def test_a_change_of_the_store_by_hand_is_taken_at_sighup(
    sensor: Sensor, start: Start, takes_models: list[str], signed: Signed, tmp_path: Path
) -> None:
    start(*takes_models, "--shadow", "testbed")
    old = sensor.greet()
    beside = bundle.load(bundle.find("testbed")).id
    assert sensor.report()["shadow"]["bundle"]["id"] == beside
    data = signed("carried")
    store = Store.open(tmp_path / "models")
    store.keep(data, signature=None, now=time.time())
    store.serve(from_id(data), by=None, why="by hand", now=time.time())
    assert store.tell_holder()
    sensor.until(lambda: sensor.hellos[-1].model == from_id(data))
    store.serve(old.model, by=None, why="by hand", now=time.time())
    assert store.tell_holder()
    sensor.until(lambda: sensor.hellos[-1].model == old.model)
    store.shadow(from_id(data), by=None, why="by hand", now=time.time())
    assert store.tell_holder()
    sensor.until_report(lambda report: report["shadow"]["bundle"]["id"] == from_id(data))
    store.shadow(None, by=None, why="by hand", now=time.time())
    assert store.tell_holder()
    sensor.until_report(lambda report: report["shadow"]["bundle"]["id"] == beside)


def test_what_the_store_says_and_the_worker_could_not_take_is_not_said_to_serve(
    sensor: Sensor, start: Start, takes_models: list[str], signed: Signed, tmp_path: Path
) -> None:
    """A push of it is taken then, which puts the file back in order, too."""
    start(*takes_models)
    old = sensor.greet()
    store = Store.open(tmp_path / "models")
    data = signed("damaged")
    store.keep(data, signature=None, now=time.time())
    store.serve(from_id(data), by=None, why="by hand", now=time.time())
    store.path(from_id(data)).write_bytes(data[:-1])
    assert store.tell_holder()
    sensor.until_report(lambda report: report["reloads"]["failed"] == 1)
    assert sensor.report()["bundle"]["id"] == old.model
    assert told(sensor.bus, data).what == "serving"
    assert sensor.report()["bundle"]["id"] == from_id(data)
    assert store.path(from_id(data)).read_bytes() == data


def test_sighup_while_it_starts_is_taken_later(
    sensor: Sensor, start: Start, takes_models: list[str], signed: Signed, tmp_path: Path
) -> None:
    """`eacf model promote` finds the worker as soon as it holds the store, before it has loaded a model."""
    store = Store.open(tmp_path / "models")
    data = signed("promoted")
    store.keep(data, signature=None, now=time.time())
    process = start(*takes_models)
    while store.holder() != process.pid:
        assert process.poll() is None
        time.sleep(0.002)
    store.serve(from_id(data), by=None, why="by hand", now=time.time())
    assert store.tell_holder()
    sensor.greet()
    sensor.until(lambda: sensor.hellos[-1].model == from_id(data))


def test_sigterm_in_the_middle_of_a_push_ends_in_order(
    sensor: Sensor, start: Start, takes_models: list[str], signed: Signed, tmp_path: Path
) -> None:
    process = start(*takes_models)
    sensor.greet()
    data = signed("cut")
    run_errand(sensor.bus.endpoints, Cut(data, from_id(data), unpack(data)[MANIFEST], lambda _: None), WAIT_S)
    sensor.send(10)
    sensor.until(sensor.answered)  # what the bus still carries when a worker leaves is nobody's
    process.terminate()
    assert process.wait(WAIT_S) == 0
    (partial,) = (tmp_path / "models" / "incoming").iterdir()
    assert partial.read_bytes() == data[:32_768]


def test_sigterm_while_a_model_is_tried_lets_it_end_and_be_told_and_only_waits_meanwhile(
    sensor: Sensor, start: Start, takes_models: list[str], signed: Signed, tmp_path: Path
) -> None:
    process = start(*takes_models)
    old = sensor.greet()
    data = signed("late")
    answers: dict[str, Outcome] = {}
    pushing = Thread(target=lambda: answers.update(push(sensor.bus.endpoints, data, wait_s=WAIT_S)))
    with (tmp_path / "models" / "state.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the change takes as long as we like, up to 5 s
        pushing.start()
        sensor.until_report(lambda report: (report["models"]["push"]["incoming"] or {}).get("have") == len(data))
        process.terminate()
        sensor.until(lambda: not sensor.workers)
        process.send_signal(signal.SIGHUP)
        before = cpu_s(process.pid)
        time.sleep(1.5)
        busy = cpu_s(process.pid) - before
    sensor.until(lambda: not pushing.is_alive())
    _, words = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, words
    assert answers == {old.worker: Outcome("serving", f"model {from_id(data)}")}
    assert Store.open(tmp_path / "models").state().serving == from_id(data)
    assert busy < 0.75


def cpu_s(pid: int) -> float:
    """Of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_disk_that_is_full_refuses_and_serves_on(
    sensor: Sensor, start: Start, takes_models: list[str], signed: Signed, tmp_path: Path
) -> None:
    process = start(*takes_models)
    old = sensor.greet()
    data = signed("large")
    state = (tmp_path / "models" / "state.json").read_bytes()
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))
    assert "cannot write" in told(sensor.bus, data).reason
    sensor.send(5)
    sensor.until(sensor.answered)
    assert {verdict.model for verdict in sensor.verdicts} == {old.model}
    assert (tmp_path / "models" / "state.json").read_bytes() == state
    assert list((tmp_path / "models" / "incoming").iterdir()) == []


def test_a_store_serves_one_worker_and_keys_must_be_there(
    sensor: Sensor, start: Start, takes_models: list[str], tmp_path: Path
) -> None:
    first = start(*takes_models)
    sensor.greet()
    second = start(*takes_models)
    _, words = second.communicate(timeout=WAIT_S)
    assert second.returncode == 2
    assert f"the worker with process number {first.pid} serves from it" in words
    third = start("--model-store", str(tmp_path / "other"), "--trusted-keys", str(tmp_path / "nowhere"))
    _, words = third.communicate(timeout=WAIT_S)
    assert third.returncode == 2
    assert "nowhere" in words
    deaf = start()
    sensor.until(lambda: len(sensor.workers) == 2)
    deaf.kill()
