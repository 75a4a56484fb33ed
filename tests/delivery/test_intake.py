"""A worker's side of a push, message by message; the clock is the test's."""

from __future__ import annotations

import hashlib
import resource
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eacf import keys
from eacf.bundle import from_bytes
from eacf.bundle.archive import MANIFEST, unpack
from eacf.delivery.incoming import Incoming
from eacf.delivery.intake import MAX_ASKERS, MAX_ORDERS, MAX_WAITING, Arrived, Intake, Ordered
from eacf.delivery.outcome import Outcome
from eacf.delivery.transfer import IDLE_S, STALL_S, WINDOW
from eacf.errors import SettingError
from eacf.keys import Trusted
from eacf.models import State, orders
from eacf.wire import (
    FORMAT,
    MAX_PART,
    ModelChunk,
    ModelDone,
    ModelOffer,
    ModelOrder,
    ModelOrdered,
    ModelWant,
    control_reply_topic,
    encode_model,
    model_topic,
)

if TYPE_CHECKING:
    from tests.delivery.conftest import Desk, Signed

WORKER, A, B, C = "0123456789ab", "aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"
SERVING = Outcome("serving", "model x")


@pytest.fixture(scope="session")
def data(signed: Signed) -> bytes:
    return signed("one")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def whole(desk: Desk, data: bytes, asker: str = A) -> Arrived:
    """Send the rest; what is to be done then."""
    desk.serve(data, asker)
    task = desk.intake.take()
    assert isinstance(task, Arrived)
    assert task.path.read_bytes() == data
    return task


def test_asks_for_a_window_at_a_time_and_hands_the_file_on(desk: Desk, data: bytes) -> None:
    model = from_bytes(data, "it").id
    assert desk.offer(data) == ModelWant(WORKER, model, 0, WINDOW)
    assert desk.intake.take() is None
    task = whole(desk, data)
    assert task.sha256 == {digest(data)}
    wants = [said for said in desk.said[A] if isinstance(said, ModelWant)]
    assert sum(want.room for want in wants) == len(data)
    assert max(want.room for want in wants) <= WINDOW
    assert wants[-1] == ModelWant(WORKER, model, len(data), 0)
    desk.intake.finished(task, SERVING, desk.now, sha256=digest(data))
    desk.step()
    assert desk.last() == ModelDone(WORKER, model, "serving", "model x")
    assert not task.path.exists()
    assert desk.intake.counts["bytes"] == len(data)
    assert desk.intake.next_deadline() is None
    assert desk.intake.status()["incoming"] is None


def test_a_part_that_was_not_asked_for_is_dropped(desk: Desk, data: bytes) -> None:
    model = from_bytes(data, "it").id
    desk.say(ModelChunk(model, 0, data[:100]))
    assert desk.intake.counts["chunks_unasked"] == 1
    desk.offer(data)
    for offset, what in [(100, "out_of_order"), (MAX_PART, "out_of_order"), (2**62, "out_of_order")]:
        before = desk.intake.counts[f"chunks_{what}"]
        desk.say(ModelChunk(model, offset, b"x"))
        assert desk.intake.counts[f"chunks_{what}"] == before + 1
    desk.say(ModelChunk("0123456789ab", 0, data[:100]))
    desk.say(ModelChunk(model, 0, b""))
    assert desk.intake.counts["chunks_unasked"] == 3
    for at in range(0, WINDOW, MAX_PART):
        desk.intake.receive(frames(ModelChunk(model, at, data[at : at + MAX_PART])), desk.now)
    granted = WINDOW // 2 + WINDOW  # at half of it more was asked for
    for at in range(WINDOW, min(granted, len(data)) + MAX_PART, MAX_PART):
        desk.intake.receive(frames(ModelChunk(model, at, b"x" * MAX_PART)), desk.now)
    assert desk.intake.status()["incoming"]["have"] <= len(data)
    assert desk.intake.counts["chunks_unasked"] + desk.intake.counts["chunks_out_of_order"] > 6


def frames(message: ModelOffer | ModelChunk | ModelOrder) -> list[bytes]:
    return [model_topic(WORKER), b"pusher", FORMAT, encode_model(message)]


def test_what_is_lost_on_the_way_is_asked_for_again(desk: Desk, data: bytes) -> None:
    model = from_bytes(data, "it").id
    desk.offer(data)
    assert desk.serve(data, limit=3 * MAX_PART) == 3 * MAX_PART
    assert desk.intake.next_deadline() == pytest.approx(desk.now + STALL_S)
    desk.step(STALL_S)
    assert desk.last() == ModelWant(WORKER, model, 3 * MAX_PART, min(WINDOW, len(data) - 3 * MAX_PART))
    assert desk.intake.counts["stalls"] == 1


def test_a_push_that_is_cut_is_forgotten_and_goes_on_where_it_was(desk: Desk, data: bytes) -> None:
    desk.offer(data)
    desk.serve(data, limit=3 * MAX_PART)
    for _ in range(int(IDLE_S / STALL_S) + 1):
        desk.step(STALL_S)
    done = desk.last()
    assert isinstance(done, ModelDone)
    assert (done.outcome, "goes on where it was cut" in done.reason) == ("refused", True)
    assert desk.intake.next_deadline() is None
    answer = desk.offer(data, B)
    assert isinstance(answer, ModelWant)
    assert answer.offset == 3 * MAX_PART
    whole(desk, data, B)


def test_a_new_worker_goes_on_with_the_file_of_the_one_before(
    desk: Desk, data: bytes, key: keys.PrivateKey, tmp_path: Path
) -> None:
    desk.offer(data)
    desk.serve(data, limit=2 * MAX_PART)
    desk.intake.close()
    desk.intake = Intake(WORKER, Trusted([key.public]), Incoming(tmp_path / "incoming"), State)
    desk.said.clear()
    answer = desk.offer(data)
    assert isinstance(answer, ModelWant)
    assert answer.offset == 2 * MAX_PART
    whole(desk, data)


def test_a_file_that_was_gone_on_with_and_is_damaged_begins_anew_once(desk: Desk, data: bytes, tmp_path: Path) -> None:
    desk.offer(data)
    desk.serve(data, limit=2 * MAX_PART)
    desk.step(IDLE_S)
    (partial,) = (tmp_path / "incoming").iterdir()
    partial.write_bytes(bytes(2 * MAX_PART))
    desk.offer(data, B)
    desk.serve(data, B)
    task = desk.intake.take()
    assert isinstance(task, Arrived)
    desk.intake.finished(task, Outcome("refused", "damaged"), desk.now, sha256="0" * 64, damaged=True)
    desk.step()
    assert desk.last(B) == ModelWant(WORKER, task.offered.model, 0, WINDOW)
    desk.said[B] = desk.said[B][-1:]
    task = whole(desk, data, B)
    desk.intake.finished(task, Outcome("refused", "damaged"), desk.now, sha256="0" * 64, damaged=True)
    desk.step()
    assert desk.last(B) == ModelDone(WORKER, task.offered.model, "refused", "damaged")
    assert desk.intake.counts["started_over"] == 1


def test_the_same_bundle_from_two_is_one_transfer_and_the_second_takes_over(desk: Desk, data: bytes) -> None:
    model = from_bytes(data, "it").id
    desk.offer(data, A)
    assert desk.offer(data, B) == ModelWant(WORKER, model, 0, 0)
    assert desk.serve(data, A, limit=MAX_PART) == MAX_PART
    desk.step(STALL_S)  # A has gone
    assert desk.last(B) == ModelWant(WORKER, model, MAX_PART, WINDOW)
    task = whole(desk, data, B)
    desk.intake.finished(task, SERVING, desk.now, sha256=digest(data))
    desk.step()
    assert desk.last(A) == desk.last(B) == ModelDone(WORKER, model, "serving", "model x")


def test_one_who_lies_about_the_hash_does_not_spoil_it_for_the_other(desk: Desk, data: bytes) -> None:
    desk.offer(data, A, sha256="0" * 64)
    desk.offer(data, B)
    task = whole(desk, data, A)
    assert task.sha256 == {"0" * 64, digest(data)}
    desk.intake.finished(task, SERVING, desk.now, sha256=digest(data))
    desk.step()
    liar, honest = desk.last(A), desk.last(B)
    assert isinstance(liar, ModelDone)
    assert isinstance(honest, ModelDone)
    assert (liar.outcome, honest.outcome) == ("refused", "serving")
    assert "this offer said another" in liar.reason


def test_a_higher_serial_takes_the_place_and_a_lower_one_is_refused(desk: Desk, signed: Signed, tmp_path: Path) -> None:
    low, middle, high = signed("low", 10), signed("middle", 20), signed("high", 30)
    desk.offer(middle, A)
    refused = desk.offer(low, B)
    assert isinstance(refused, ModelDone)
    assert "is coming in, with serial 20, which is not below 10" in refused.reason
    assert isinstance(desk.offer(high, C), ModelWant)
    replaced = desk.last(A)
    assert isinstance(replaced, ModelDone)
    assert replaced.outcome == "refused"
    assert "with the higher serial 30 took its place" in replaced.reason
    whole(desk, high, C)
    assert len(list((tmp_path / "incoming").iterdir())) == 1
    later = desk.offer(signed("later", 40), B)  # while one is being tried: heard, and told to wait
    assert later == ModelWant(WORKER, from_bytes(signed("later", 40), "it").id, 0, 0)


def test_what_serves_already_is_said_so_and_an_old_serial_is_refused(
    desk: Desk, signed: Signed, key: keys.PrivateKey, tmp_path: Path
) -> None:
    served, scores = signed("served", 50), signed("scores", 51, "shadow")
    desk.state = replace(
        State(),
        serving=from_bytes(served, "it").id,
        shadow=from_bytes(scores, "it").id,
        serials={key.id: 60},
    )
    for data, what in ((served, "serving"), (scores, "shadow")):
        answer = desk.offer(data)
        assert isinstance(answer, ModelDone)
        assert (answer.outcome, answer.reason) == (what, "it had it already")
    replayed = desk.offer(signed("older", 60))
    assert isinstance(replayed, ModelDone)
    assert (replayed.outcome, "its serial 60 is not above 60" in replayed.reason) == ("refused", True)
    assert isinstance(desk.offer(signed("newer", 61)), ModelWant)


def test_an_offer_that_no_trusted_key_signed_leaves_no_trace(
    desk: Desk, signed: Signed, data: bytes, tmp_path: Path
) -> None:
    stranger, _ = keys.new(tmp_path / "stranger")
    for offered, fields in (
        (signed("theirs", by=stranger), {}),
        (data, {"manifest": b"{}"}),
        (data, {"manifest": b""}),
        (data, {"manifest": b"[" * 100_000}),
        (data, {"size": len(data) - 1}),
        (data, {"size": 0}),
        (data, {"size": 2**62}),
    ):
        answer = desk.offer(offered, **fields)
        assert isinstance(answer, ModelDone)
        assert answer.outcome == "refused"
        assert len(answer.reason) > 20
    assert not (tmp_path / "incoming").exists()
    assert desk.intake.take() is None


def test_answers_are_said_again_to_who_missed_them_and_only_to_them(desk: Desk, data: bytes) -> None:
    desk.offer(data)
    task = whole(desk, data)
    desk.intake.finished(task, Outcome("refused", "why"), desk.now, sha256=digest(data))
    desk.step()
    told = desk.last()
    assert desk.offer(data) == told
    assert isinstance(desk.offer(data, B), ModelWant)


def test_a_damaged_store_is_said(key: keys.PrivateKey, desk: Desk, data: bytes, tmp_path: Path) -> None:
    def damaged() -> State:
        raise SettingError("state.json: is damaged")

    desk.intake = Intake(WORKER, Trusted([key.public]), Incoming(tmp_path / "incoming"), damaged)
    for answer in (desk.offer(data), give(desk, orders.sign("rollback", None, key, 1))):
        assert isinstance(answer, ModelDone | ModelOrdered)
        assert answer.reason == "state.json: is damaged"


def test_a_disk_that_takes_nothing_is_said(desk: Desk, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "incoming").write_bytes(b"")  # a file where the folder must be
    answer = desk.offer(data)
    assert isinstance(answer, ModelDone)
    assert (answer.outcome, "cannot write" in answer.reason) == ("refused", True)
    (tmp_path / "incoming").unlink()
    (tmp_path / "incoming").mkdir()
    name = hashlib.sha256(unpack(data)[MANIFEST]).hexdigest()[:32]
    (tmp_path / "incoming" / f"{name}.part").mkdir()
    refused = desk.offer(data, B)
    assert isinstance(refused, ModelDone)
    assert "Is a directory" in refused.reason


def test_a_disk_that_is_full_ends_the_transfer(desk: Desk, data: bytes, tmp_path: Path) -> None:
    desk.offer(data)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        desk.serve(data, limit=3 * MAX_PART)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    done = desk.last()
    assert isinstance(done, ModelDone)
    assert (done.outcome, "cannot write" in done.reason, "File too large" in done.reason) == ("refused", True, True)
    assert list((tmp_path / "incoming").iterdir()) == []
    assert isinstance(desk.offer(data, B), ModelWant)


def test_a_disk_that_lets_nothing_go_ends_the_transfer_and_not_the_worker(
    desk: Desk, data: bytes, signed: Signed, tmp_path: Path
) -> None:
    """As where a file system turns read-only: here a folder that is not empty stands where the file was."""

    def nothing_goes() -> None:
        for partial in filter(Path.is_file, list((tmp_path / "incoming").iterdir())):
            partial.rename(tmp_path / partial.name)
            (partial / "in it").mkdir(parents=True)

    desk.offer(data)
    desk.serve(data)
    nothing_goes()
    task = desk.intake.take()
    assert task is not None
    desk.intake.finished(task, SERVING, desk.now, sha256=digest(data))
    desk.step()
    done = desk.last()
    assert isinstance(done, ModelDone)
    assert done.outcome == "serving"
    low, high = signed("stays", 70), signed("replaces", 71)
    desk.offer(low, B)
    nothing_goes()
    assert isinstance(desk.offer(high, C), ModelWant)
    done = desk.last(B)
    assert isinstance(done, ModelDone)
    assert "took its place" in done.reason


def test_a_damaged_file_that_cannot_be_removed_is_tried_once(desk: Desk, data: bytes, tmp_path: Path) -> None:
    desk.offer(data)
    desk.serve(data, limit=2 * MAX_PART)
    desk.step(IDLE_S)
    desk.offer(data, B)
    desk.serve(data, B)
    (partial,) = (tmp_path / "incoming").iterdir()
    partial.unlink()
    (partial / "in it").mkdir(parents=True)
    task = desk.intake.take()
    assert task is not None
    desk.intake.finished(task, Outcome("refused", "damaged"), desk.now, sha256="0" * 64, damaged=True)
    desk.step()
    assert desk.last(B) == ModelDone(WORKER, from_bytes(data, "it").id, "refused", "damaged")


def test_once_closed_it_takes_nothing_and_raises_nothing(desk: Desk, data: bytes, tmp_path: Path) -> None:
    desk.offer(data)
    desk.serve(data, limit=2 * MAX_PART)
    desk.intake.close()
    desk.serve(data)
    desk.say(offer(data, B))
    desk.step(1.0)
    assert B not in desk.said
    (partial,) = (tmp_path / "incoming").iterdir()
    assert partial.stat().st_size == 2 * MAX_PART


def test_offers_in_a_rush_are_looked_at_one_by_one(desk: Desk, data: bytes) -> None:
    askers = [f"{number:012x}" for number in range(MAX_WAITING + 3)]
    for asker in askers:
        desk.intake.receive(frames(ModelOffer(control_reply_topic(asker).decode(), b"{}", 1, "0" * 64)), desk.now)
    assert desk.intake.counts["dropped"] == 3
    desk.step()
    assert len(desk.said) == 1
    assert desk.intake.next_deadline() == pytest.approx(desk.now + 0.05)
    for _ in askers:
        desk.step(0.05)
    assert list(desk.said) == askers[:MAX_WAITING]


def test_only_so_many_may_wait_for_one_transfer(desk: Desk, data: bytes) -> None:
    for number in range(MAX_ASKERS + 2):
        asker = f"{number:012x}"
        desk.said[asker] = []
        desk.step(0.1)
        desk.say(offer(data, asker))
    assert sum(bool(said) for said in desk.said.values()) == MAX_ASKERS


def offer(data: bytes, asker: str) -> ModelOffer:
    return ModelOffer(control_reply_topic(asker).decode(), unpack(data)[MANIFEST], len(data), digest(data))


def give(desk: Desk, order: bytes, asker: str = A) -> object:
    """Give an order; what was said of it by now, if anything."""
    number = len(desk.said.get(asker, []))
    desk.step(0.1)
    desk.say(ModelOrder(control_reply_topic(asker).decode(), order))
    return desk.said.get(asker, [])[number:][-1] if len(desk.said.get(asker, [])) > number else None


def test_an_order_is_handed_on_once_and_its_answer_kept(desk: Desk, key: keys.PrivateKey) -> None:
    order = orders.sign("rollback", None, key, 7)
    assert give(desk, order) is None
    assert give(desk, order) is None  # the same asker again: it waits
    task = desk.intake.take()
    assert isinstance(task, Ordered)
    assert (task.order.action, task.order.serial) == ("rollback", 7)
    other = give(desk, order, B)  # somebody who only listened
    assert isinstance(other, ModelOrdered)
    assert (other.outcome, other.reason) == ("refused", "order: it was sent again")
    desk.intake.finished(task, Outcome("serving", "model y"), desk.now)
    desk.step()
    assert desk.last() == ModelOrdered(WORKER, "serving", "model y")
    assert give(desk, order) == ModelOrdered(WORKER, "serving", "model y")
    desk.state = replace(State(), serials={key.id: 7})
    replayed = give(desk, order, C)
    assert isinstance(replayed, ModelOrdered)
    assert "is not above 7" in replayed.reason
    assert desk.intake.take() is None


def test_orders_are_bounded_and_forged_ones_refused(desk: Desk, key: keys.PrivateKey, tmp_path: Path) -> None:
    stranger, _ = keys.new(tmp_path / "stranger")
    forged = give(desk, orders.sign("rollback", None, stranger, 1))
    assert isinstance(forged, ModelOrdered)
    assert f"signed by key {stranger.id}, which is not trusted" in forged.reason
    changed = give(desk, orders.sign("rollback", None, key, 1).replace(b'"serial":1', b'"serial":2'))
    assert isinstance(changed, ModelOrdered)
    assert "it was changed" in changed.reason
    for serial in range(1, MAX_ORDERS + 1):
        assert give(desk, orders.sign("rollback", None, key, serial)) is None
    assert desk.intake.refusals() == [forged.reason, changed.reason]
    full = give(desk, orders.sign("rollback", None, key, 100))
    assert isinstance(full, ModelOrdered)
    assert "orders wait" in full.reason


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_order_of_messages_makes_it_raise_or_grow(
    key: keys.PrivateKey, signed: Signed, data: bytes, tmp_path: Path, draw: st.DataObject
) -> None:
    """Messages of all kinds, whole and broken, from many: what is kept stays bounded."""
    state = State()
    intake = Intake(WORKER, Trusted([key.public]), Incoming(tmp_path / "incoming"), lambda: state)
    other = signed("other", 5)
    model, now = from_bytes(data, "it").id, 0.0
    bodies = [encode_model(offer(each, f"{n:012x}")) for n in range(8) for each in (data, other)]
    bodies += [encode_model(ModelChunk(model, at, data[at : at + MAX_PART])) for at in range(0, len(data), MAX_PART)]
    bodies += [encode_model(ModelChunk(model, 7, b"x")), b"", b"\x00", bytes(2_000_000), bodies[0][:-1]]
    bodies += [encode_model(ModelOrder(control_reply_topic(A).decode(), b"{}"))]
    for choice in draw.draw(st.lists(st.integers(0, len(bodies) - 1), max_size=60)):
        intake.receive([b"t", b"s", FORMAT, bodies[choice]], now)
        if choice % 3 == 0:
            now += draw.draw(st.sampled_from([0.0, 0.06, 1.0, 40.0]))
            intake.due(now)
            if (task := intake.take()) is not None:
                intake.finished(task, Outcome("refused", "why"), now)
        assert len(list((tmp_path / "incoming").glob("*"))) <= 2
        assert sum(each.stat().st_size for each in (tmp_path / "incoming").glob("*")) <= len(data) + len(other)
    intake.close()
