"""What is asked and what is to be in place, without a kernel: a pretend one that takes every step, or refuses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eacf.enforce.ledger import Ledger
from eacf.enforce.ruleset import Change, Element, Target
from eacf.policy import Policy
from tests.enforce.conftest import NODE, Ask, MakePolicy, make_act

Said = list[tuple[str, str, str | None]]


def _none(_: Change) -> bool:
    return False


def _drops(change: Change) -> bool:
    return change.new is not None and change.new.marks is None


class Kernel:
    """What a kernel has after the ledger's steps."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.has: dict[Target, tuple[Element, float]] = {}
        self.refuse: Callable[[Change], bool] = _none
        self.steps = 0

    def settle(self) -> Said:
        """Take all steps; what is said then: number, outcome, why."""
        while changes := list(self.ledger.changes()):
            for change in changes:
                self.steps += 1
                if change.old is None:
                    assert change.target not in self.has
                else:
                    assert self.has.pop(change.target)[0] == change.old
                if change.new is not None and self.refuse(change):
                    self.ledger.failed(change, "no")
                    continue
                if change.new is not None:
                    self.has[change.target] = (change.new, change.until)
                self.ledger.done(change)
        return [(each.id.split(".")[1], each.outcome, each.why) for each in self.ledger.settled()]

    @property
    def drops(self) -> int:
        return sum(element.marks is None for element, _ in self.has.values())


Start = Callable[..., tuple[Ledger, Kernel]]


@pytest.fixture
def start(policy: MakePolicy) -> Start:
    def make(**bounds: Any) -> tuple[Ledger, Kernel]:
        ledger = Ledger(policy(**bounds), 0.0)
        return ledger, Kernel(ledger)

    return make


def test_an_act_is_in_place_until_its_time(start: Start, ask: Ask) -> None:
    ledger, kernel = start()
    ledger.ask(ask(1), NODE, 0.0)
    assert kernel.settle() == [("1", "in place", None)]
    assert [(element.marks and element.marks.mark, until) for element, until in kernel.has.values()] == [(16, 60.0)]
    assert ledger.next_end() == 60.0
    ledger.expire(59.9)
    assert kernel.settle() == []
    assert len(kernel.has) == 1
    ledger.expire(60.0)
    assert kernel.settle() == []
    assert (kernel.has, ledger.rules, ledger.next_end(), ledger.removed) == ({}, {}, None, {"expired": 1})


def test_what_ends_close_together_goes_together(start: Start, ask: Ask) -> None:
    ledger, kernel = start()
    for number in range(10):
        ledger.ask(ask(number, lasts_s=60 + number / 100), NODE, 0.0)
    kernel.settle()
    ledger.expire(60.0)
    assert len(ledger.rules) == 9
    assert ledger.next_end() == 60.25
    ledger.expire(60.1)
    assert len(ledger.rules) == 9
    ledger.expire(60.25)
    assert ledger.rules == {}


def test_zeek_takes_it_away_before(start: Start, ask: Ask) -> None:
    ledger, kernel = start()
    ledger.ask(ask(1), NODE, 0.0)
    kernel.settle()
    ledger.take_away(ask(1).id, NODE)
    ledger.take_away(ask(2).id, NODE)
    assert kernel.settle() == [("1", "gone", None), ("2", "gone", None)]
    assert kernel.has == {}


def test_asked_and_taken_away_at_once_never_reaches_the_kernel(start: Start, ask: Ask) -> None:
    ledger, kernel = start()
    ledger.ask(ask(1), NODE, 0.0)
    ledger.take_away(ask(1).id, NODE)
    assert kernel.settle() == [("1", "in place", None), ("1", "gone", None)]
    assert (kernel.has, kernel.steps) == ({}, 0)


def test_the_same_from_two_zeeks_exists_until_the_last_is_over(start: Start, ask: Ask) -> None:
    ledger, kernel = start()
    ledger.ask(ask(1, "drop"), NODE, 0.0)
    kernel.settle()
    longer = ask(
        1, "drop", id="ba9876543210.9", lasts_s=100.0, orig_h="10.2.0.2", orig_p=443, resp_h="10.1.0.2", resp_p=1025
    )
    ledger.ask(longer, "eacf.enforced.ba9876543210.", 10.0)
    assert kernel.settle() == [("9", "exists", None)]
    assert [until for _, until in kernel.has.values()] == [110.0]
    ledger.expire(60.0)
    kernel.settle()
    assert kernel.drops == 1
    ledger.expire(110.0)
    kernel.settle()
    assert kernel.has == {}


def test_the_same_id_again_prolongs_and_another_act_under_it_is_refused(start: Start, ask: Ask) -> None:
    ledger, kernel = start()
    ledger.ask(ask(1), NODE, 0.0)
    kernel.settle()
    ledger.ask(ask(1), NODE, 30.0)
    ledger.ask(ask(2, id=ask(1).id), NODE, 30.0)
    assert kernel.settle() == [("1", "exists", None), ("1", "refused", "id 0123456789ab.1 is another act's")]
    assert [until for _, until in kernel.has.values()] == [90.0]
    assert len(ledger.rules) == 1


def test_a_drop_goes_over_marks_and_gives_them_back(start: Start, ask: Ask) -> None:
    ledger, kernel = start()
    ledger.ask(ask(1), NODE, 0.0)
    kernel.settle()
    ledger.ask(ask(1, "drop", id="0123456789ab.2", lasts_s=10.0), NODE, 0.0)
    assert kernel.settle() == [("2", "in place", None)]
    assert (len(kernel.has), kernel.drops) == (1, 1)
    ledger.ask(ask(1, id="0123456789ab.3", priority="low"), NODE, 1.0)
    assert kernel.settle() == [("3", "refused", "the connection is blocked")]
    ledger.expire(10.0)
    kernel.settle()
    assert (len(kernel.has), kernel.drops) == (1, 0)


def test_newer_marks_replace_older_ones_and_give_them_back(start: Start, ask: Ask) -> None:
    ledger, kernel = start()
    ledger.ask(ask(1), NODE, 0.0)
    ledger.ask(ask(1, id="0123456789ab.2", priority="low", lasts_s=5.0), NODE, 1.0)
    assert kernel.settle() == [("1", "in place", None), ("2", "in place", None)]

    def marks() -> list[int | None]:
        return [element.marks.mark for element, _ in kernel.has.values() if element.marks is not None]

    assert marks() == [32]
    ledger.expire(6.0)
    kernel.settle()
    assert marks() == [16]


def test_bounds_refuse_with_the_reason(start: Start, ask: Ask) -> None:
    ledger, kernel = start(rules=5, rules_per_host=3)
    for number in range(4):
        ledger.ask(ask(number), NODE, 0.0)
    for number in range(4, 8):
        ledger.ask(ask(number, orig_h=f"10.1.1.{number}"), NODE, 0.0)
    whys = {number: why for number, outcome, why in kernel.settle() if outcome == "refused"}
    assert whys == {
        "3": "10.1.0.2 has 3 rules (bounds.rules_per_host)",
        "6": "5 rules are in place (bounds.rules)",
        "7": "5 rules are in place (bounds.rules)",
    }
    ledger.expire(60.0)
    ledger.ask(ask(9), NODE, 60.0)
    assert kernel.settle() == [("9", "in place", None)]


def test_a_host_that_is_dropped_again_and_again_stays_dropped(start: Start, ask: Ask) -> None:
    ledger, kernel = start(rules=8, rules_per_host=3)
    for number in range(3):
        ledger.ask(ask(number, "drop", lasts_s=60.0 + number), NODE, 0.0)
    kernel.settle()
    why = "a newer one took its place: 10.1.0.2 has 3 rules (bounds.rules_per_host)"
    ledger.ask(ask(3, "drop"), NODE, 1.0)
    ledger.ask(ask(4, "drop"), NODE, 1.0)
    ledger.ask(ask(5), NODE, 1.0)
    assert kernel.settle() == [
        ("3", "in place", None),
        ("0", "gone", why),
        ("4", "in place", None),
        ("1", "gone", why),
        ("5", "refused", "10.1.0.2 has 3 rules (bounds.rules_per_host)"),
    ]
    assert (kernel.drops, ledger.removed) == (3, {"displaced": 2})
    for number in range(10, 15):
        ledger.ask(ask(number, orig_h=f"10.1.1.{number}"), NODE, 1.0)
    ledger.ask(ask(20, "drop", orig_h="10.1.9.9"), NODE, 1.0)
    ledger.ask(ask(21, "drop"), NODE, 1.0)
    assert [outcome for _, outcome, _ in kernel.settle()] == ["in place"] * 5 + ["refused", "in place", "gone"]
    assert (kernel.drops, len(ledger.rules)) == (3, 8)


def test_rules_about_one_target_are_bounded_and_a_subnet_is_one_host(start: Start, ask: Ask) -> None:
    ledger, kernel = start(rules_per_host=70)
    for number in range(70):
        ledger.ask(ask(number, "drop_host", orig_h=f"11.0.0.{number}", width=8), NODE, 0.0)
        ledger.ask(ask(100 + number, orig_p=1024), NODE, 0.0)
    outcomes = [(outcome, why) for _, outcome, why in kernel.settle()]
    assert outcomes.count(("refused", "64 rules are about this very connection or host")) == 2 * 6
    for number in range(200, 210):
        ledger.ask(ask(number, "drop_host", orig_h=f"11.0.0.{number}", width=9 + number % 2), NODE, 0.0)
    whys = [why for _, outcome, why in kernel.settle() if outcome == "refused"]
    assert whys == ["11.0.0.0 has 70 rules (bounds.rules_per_host)"] * 4
    ledger.expire(60.0)
    kernel.settle()
    assert (kernel.has, ledger.rules) == ({}, {})


def test_rules_a_second(start: Start, ask: Ask) -> None:
    ledger, kernel = start(rules_per_second=10)
    for number in range(12):
        ledger.ask(ask(number), NODE, 0.0)
    outcomes = [outcome for _, outcome, _ in kernel.settle()]
    assert outcomes == ["in place"] * 10 + ["refused"] * 2
    for number in range(20, 30):
        ledger.ask(ask(number), NODE, 0.5)
    assert [outcome for _, outcome, _ in kernel.settle()] == ["in place"] * 5 + ["refused"] * 5


def test_what_is_there_already_is_free_however_much_is_asked_again(start: Start, ask: Ask) -> None:
    ledger, kernel = start(rules_per_second=10)
    for number in range(10):
        ledger.ask(ask(number), NODE, 0.0)
    kernel.settle()
    steps = kernel.steps
    for number in range(10):
        for _ in range(3):
            ledger.ask(ask(number, lasts_s=60.5), NODE, 0.0)
    assert {(outcome, why) for _, outcome, why in kernel.settle()} == {("exists", None)}
    assert kernel.steps == steps
    assert {until for _, until in kernel.has.values()} == {60.0}


def test_an_act_that_is_asked_again_and_again_takes_no_memory_and_counts(start: Start, ask: Ask) -> None:
    ledger, kernel = start(rules_per_second=100)
    for step in range(5_000):
        ledger.ask(ask(1), NODE, step / 10)
        kernel.settle()
    assert len(ledger._ends) < 1_100
    for step in range(200):
        ledger.ask(ask(1, lasts_s=60.0 + 2 * step), NODE, 500.0)
    assert sum(outcome == "refused" for _, outcome, _ in kernel.settle()) == 99
    ledger.expire(559.0)
    assert len(ledger.rules) == 1
    ledger.expire(1_000.0)
    assert (ledger.rules, ledger.next_end()) == ({}, None)


def test_another_policy_takes_away_what_it_leaves_alone(start: Start, ask: Ask, policy: MakePolicy) -> None:
    ledger, kernel = start()
    ledger.ask(ask(1), NODE, 0.0)
    ledger.ask(ask(2, orig_h="10.1.5.5"), NODE, 0.0)
    ledger.ask(ask(3, "drop_host", orig_h="10.0.0.0", width=8), NODE, 0.0)
    kernel.settle()
    ledger.follow(policy(leave_alone=("10.1.0.0/24",)))
    assert kernel.settle() == [
        ("1", "gone", "the policy leaves 10.1.0.2 alone"),
        ("3", "gone", "the policy leaves 10.1.0.0/24 alone"),
    ]
    assert len(kernel.has) == 1
    ledger.follow(policy("dry-run"))
    assert kernel.settle() == [("2", "gone", "dry-run")]
    assert kernel.has == {}
    ledger.ask(ask(4), NODE, 1.0)
    assert kernel.settle() == [("4", "refused", "dry-run")]


def test_another_policy_rewords_its_classes(start: Start, ask: Ask, policy: MakePolicy) -> None:
    ledger, kernel = start()
    ledger.ask(ask(1), NODE, 0.0)
    ledger.ask(ask(2, priority="low"), NODE, 0.0)
    kernel.settle()
    ledger.follow(policy(classes="[classes.high]\nmark = 99\n"))
    assert kernel.settle() == [("2", "gone", "the agent's policy has no class low")]
    assert [element.marks and (element.marks.mark, element.marks.tc) for element, _ in kernel.has.values()] == [
        (99, None)
    ]


def test_what_the_kernel_refuses_is_told_and_what_was_beneath_comes_back(start: Start, ask: Ask) -> None:
    ledger, kernel = start()
    ledger.ask(ask(1), NODE, 0.0)
    kernel.settle()
    kernel.refuse = lambda change: change.new == Element(None)
    ledger.ask(ask(1, "drop", id="0123456789ab.2"), NODE, 0.0)
    ledger.ask(ask(3), NODE, 0.0)
    assert kernel.settle() == [("2", "refused", "no"), ("3", "in place", None)]
    assert (len(kernel.has), kernel.drops, len(ledger.rules)) == (2, 0, 2)
    assert ledger.removed == {"nft": 1}


def test_a_table_that_is_gone_is_filled_again(start: Start, ask: Ask) -> None:
    ledger, kernel = start()
    for number in range(5):
        ledger.ask(ask(number), NODE, 0.0)
    kernel.settle()
    before, kernel.has = kernel.has, {}
    ledger.forget_kernel()
    assert kernel.settle() == []
    assert kernel.has == before


def test_what_is_new_and_what_went_is_to_be_saved_once(start: Start, ask: Ask) -> None:
    ledger, kernel = start()
    ledger.ask(ask(1), NODE, 0.0)
    ledger.ask(ask(2), NODE, 0.0)
    ledger.take_away(ask(2).id, NODE)
    kernel.settle()
    there, gone = ledger.unsaved()
    assert ([rule.act.id for rule in there], gone) == ([ask(1).id], [ask(2).id])
    assert ledger.unsaved() == ([], [])


def test_put_back_with_what_is_left_whatever_the_rate(start: Start, ask: Ask) -> None:
    ledger, kernel = start(rules_per_second=1)
    assert all(ledger.put_back(ask(number), NODE, 7.0, 100.0) for number in range(5))
    assert not ledger.put_back(ask(9, priority="best"), NODE, 7.0, 100.0)
    assert kernel.settle() == []
    assert {until for _, until in kernel.has.values()} == {107.0}


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("ask"),
            st.integers(0, 20),
            st.sampled_from(["drop", "qos", "drop_host"]),
            st.integers(0, 3),
            st.sampled_from(["high", "low"]),
            st.floats(0.1, 20.0),
        ),
        st.tuples(st.just("away"), st.integers(0, 20)),
        st.tuples(st.just("time"), st.floats(0.0, 10.0)),
        st.tuples(st.just("settle")),
        st.tuples(st.just("refuse"), st.booleans()),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_the_account_closes_and_the_kernel_has_what_the_rules_say(
    everything: Policy, steps: list[tuple[Any, ...]]
) -> None:
    ledger = Ledger(everything, 0.0)
    kernel = Kernel(ledger)
    now, asked, said = 0.0, 0, 0
    for step in steps:
        match step:
            case ("ask", number, kind, host, priority, lasts):
                fields = {"orig_h": f"10.1.0.{host}", "orig_p": 1024, "lasts_s": lasts}
                if kind == "qos":
                    fields["priority"] = priority
                ledger.ask(make_act(number, kind, **fields), NODE, now)
                asked += 1
            case ("away", number):
                ledger.take_away(f"0123456789ab.{number}", NODE)
                asked += 1
            case ("time", seconds):
                now += seconds
                ledger.expire(now)
            case ("refuse", yes):
                kernel.refuse = _drops if yes else _none
            case _:
                said += len(kernel.settle())
    said += len(kernel.settle())
    assert said >= asked
    targets = {rule.target for rule in ledger.rules.values()}
    assert targets == set(kernel.has)
    for target, (element, until) in kernel.has.items():
        rules = [rule for rule in ledger.rules.values() if rule.target == target]
        has_drop = any(rule.element.marks is None for rule in rules)
        assert (element.marks is None) == has_drop
        assert until >= max(rule.until for rule in rules if rule.element == element)
    ledger.expire(now + 1000)
    kernel.settle()
    assert (kernel.has, ledger.rules, list(ledger.changes())) == ({}, {}, [])
    assert not any(+ledger.by_kind)
