"""What Zeek asked for, what is in place, and the steps from one to the other. Pure: no kernel, no clock.

A target (a connection, or a host or subnet) may be asked for several times, by several Zeek processes. What is in place for it
is a drop if anybody asked for one, else the newest marks; when a rule ends, what is left beneath decides anew.

Law: the account closes. Rules = asked and taken - removed, each counted; every act that is asked gets one reply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final

from eacf.enforce.asked import KINDS, Refusal, allowed, element_of, target_of
from eacf.enforce.ruleset import Change, Element, Pair, Target
from eacf.flow import Address
from eacf.policy import Policy
from eacf.wire import Act

EXPIRE_STEP_S: Final = 0.25
"""What ends within this time goes together."""

SAME_S: Final = 1.0
"""An act that is asked for again is made to last longer where it is by more than this: a Zeek that asks an agent which it has not
met before says what is left, and that took a while to come."""
MAX_ON_TARGET: Final = 64
"""Rules about one target: as many Zeek processes may ask for the same."""

IN_PLACE: Final = "in place"
EXISTS: Final = "exists"
REFUSED: Final = "refused"
GONE: Final = "gone"


@dataclass(slots=True)
class Reply:
    """What is to be said of an act, and to whom. It may turn into a refusal until the kernel has taken the act."""

    reply_to: str
    id: str
    outcome: str
    why: str | None = None
    reason: str = ""
    """Of a refusal: a short fixed word for counters."""
    kind: str = ""
    """Of the act; "" where an act that was there goes."""
    since: float = 0.0
    """When the act came."""


@dataclass(slots=True, eq=False)
class Rule:
    """One act that was taken."""

    act: Act
    reply_to: str
    target: Target
    element: Element
    until: float
    reply: Reply | None
    """Not said yet; None once it is."""


@dataclass(slots=True)
class _Slot:
    """A target: its rules, oldest first, and what the kernel has for it."""

    rules: list[Rule] = field(default_factory=list)
    element: Element | None = None
    until: float = 0.0


class Ledger:
    """See the module. All times are of one clock, which the caller reads."""

    def __init__(self, policy: Policy, now: float) -> None:
        self.policy = policy
        self.rules: dict[str, Rule] = {}
        self.removed: Counter[str] = Counter()
        """Rules that ended, by why: "asked", "expired", "policy", "displaced" (a newer one took its place), "nft"."""
        self.by_kind: Counter[str] = Counter()
        """Rules that are there."""
        self._slots: dict[Target, _Slot] = {}
        self._changed: dict[Target, None] = {}
        self._unsaved: dict[str, None] = {}
        self._by_host: Counter[Address] = Counter()
        self._drops: dict[Address, dict[str, None]] = {}
        """Ids of the connections that are dropped, by host, the oldest first."""
        self._ends: list[tuple[float, str]] = []
        self._replies: list[Reply] = []
        self._tokens = float(policy.bounds.rules_per_second)
        self._tokens_at = now
        self._expired_at = float("-inf")

    def ask(self, act: Act, reply_to: str, now: float) -> None:
        """Take one act, or refuse it; either way there is a reply once :meth:`settled` is called."""
        reply = Reply(reply_to, act.id, IN_PLACE, kind=act.kind if act.kind in KINDS else "other", since=now)
        self._replies.append(reply)
        try:
            self._take(act, reply_to, now, act.lasts_s, reply)
        except Refusal as refusal:
            reply.outcome, reply.why, reply.reason = REFUSED, refusal.why, refusal.reason

    def put_back(self, act: Act, reply_to: str, left_s: float, now: float) -> bool:
        """Take an act of before a restart, without a reply; whether it was taken."""
        try:
            self._take(act, reply_to, now, left_s, None)
        except Refusal:
            return False
        return True

    def take_away(self, id_: str, reply_to: str) -> None:
        """End an act before its time because Zeek says so; there is a reply."""
        self._replies.append(Reply(reply_to, id_, GONE))
        if (rule := self.rules.get(id_)) is not None:
            self._remove(rule, "asked")

    def expire(self, now: float) -> None:
        """End what is over. Nothing is said of it: whoever asked knows."""
        if now < self._expired_at + EXPIRE_STEP_S:
            return
        while self._ends and self._ends[0][0] <= now:
            self._expired_at = now
            _, id_ = heappop(self._ends)
            rule = self.rules.get(id_)
            if rule is not None and rule.until <= now:
                self._remove(rule, "expired")

    def next_end(self) -> float | None:
        """When :meth:`expire` has something to do; None: nothing ends."""
        return max(self._ends[0][0], self._expired_at + EXPIRE_STEP_S) if self._ends else None

    def follow(self, policy: Policy) -> None:
        """Another policy: what it does not allow any more goes and is told, what it words in another way is put so. Bounds
        hold for what comes."""
        self.policy = policy
        for rule in list(self.rules.values()):
            try:
                allowed(rule.act, rule.target, policy)
                element = element_of(rule.act, policy)
            except Refusal as refusal:
                self._replies.append(Reply(rule.reply_to, rule.act.id, GONE, refusal.why))
                self._remove(rule, "policy")
                continue
            if element != rule.element:
                rule.element = element
                self._changed[rule.target] = None

    def forget_kernel(self) -> None:
        """The table is empty: all of it is to be put there again."""
        for target, slot in self._slots.items():
            slot.element = None
            self._changed[target] = None

    def changes(self) -> Iterator[Change]:
        """The steps from what is in place to what is to be; each must be answered by :meth:`done` or :meth:`failed` before
        the next call."""
        changed, self._changed = self._changed, {}
        for target in changed:
            slot = self._slots[target]
            best = _best(slot.rules)
            if best is None:
                if slot.element is not None:
                    yield Change(target, slot.element, None, 0.0)
                else:
                    self._let_go(target, slot)
                continue
            until = max(rule.until for rule in slot.rules if rule.element == best.element)
            if best.element != slot.element or until > slot.until:
                yield Change(target, slot.element, best.element, until)

    def done(self, change: Change) -> None:
        """The kernel took it."""
        slot = self._slots[change.target]
        slot.element, slot.until = change.new, change.until
        self._let_go(change.target, slot)

    def failed(self, change: Change, why: str) -> None:
        """The kernel has nothing for the target now, and will not take what was to be there: whoever asked for that is told,
        and what is beneath is tried next."""
        slot = self._slots[change.target]
        slot.element = None
        for rule in [rule for rule in slot.rules if rule.element == change.new]:
            if rule.reply is not None:
                rule.reply.outcome, rule.reply.why, rule.reply.reason = REFUSED, why, "nft"
            else:
                self._replies.append(Reply(rule.reply_to, rule.act.id, GONE, why))
            self._remove(rule, "nft")
        if slot.rules:
            self._changed[change.target] = None
        self._let_go(change.target, slot)

    def unsaved(self) -> tuple[list[Rule], list[str]]:
        """Rules that are new or changed since the last call, and the ids of those that went."""
        there = [self.rules[each] for each in self._unsaved if each in self.rules]
        gone = [each for each in self._unsaved if each not in self.rules]
        self._unsaved.clear()
        return there, gone

    def settled(self) -> list[Reply]:
        """What is to be said now that the kernel has what it is to have, in the order in which it was asked."""
        replies, self._replies = self._replies, []
        for reply in replies:
            rule = self.rules.get(reply.id)
            if rule is not None and rule.reply is reply:
                rule.reply = None
        return replies

    def _take(self, act: Act, reply_to: str, now: float, lasts_s: float, reply: Reply | None) -> None:
        target = target_of(act)
        allowed(act, target, self.policy)
        element = element_of(act, self.policy)
        until = now + lasts_s
        known = self.rules.get(act.id)
        if known is not None:
            if known.target != target or known.element != element:
                raise Refusal("id", f"id {act.id} is another act's")
            if reply is not None:
                reply.outcome = EXISTS if known.reply is None else IN_PLACE
                if until > known.until + SAME_S:
                    self._spend(now)
                    self._lasts(known, until)
            return
        slot = self._slots.get(target)
        if slot is not None and element.marks is not None and any(rule.element.marks is None for rule in slot.rules):
            raise Refusal("blocked", "the connection is blocked")
        if slot is not None and len(slot.rules) >= MAX_ON_TARGET:
            raise Refusal("full", f"{MAX_ON_TARGET} rules are about this very connection or host")
        host = _host_of(act, target)
        why, oldest = self._room(host, act.kind)
        if reply is not None:
            self._spend(now)
        if oldest is not None:
            self._replies.append(Reply(oldest.reply_to, oldest.act.id, GONE, f"a newer one took its place: {why}"))
            self._remove(oldest, "displaced")
        slot = self._slots.setdefault(target, _Slot())
        best = _best(slot.rules)
        if reply is not None and best is not None and best.element == element:
            reply.outcome = EXISTS
        rule = Rule(act, reply_to, target, element, until, reply)
        self.rules[act.id] = rule
        slot.rules.append(rule)
        self._by_host[host] += 1
        self.by_kind[act.kind] += 1
        if act.kind == "drop":
            self._drops.setdefault(host, {})[act.id] = None
        self._lasts(rule, until)

    def _lasts(self, rule: Rule, until: float) -> None:
        rule.until = until
        heappush(self._ends, (until, rule.act.id))
        self._tidy()
        self._changed[rule.target] = None
        self._unsaved[rule.act.id] = None

    def _remove(self, rule: Rule, reason: str) -> None:
        id_, host = rule.act.id, _host_of(rule.act, rule.target)
        del self.rules[id_]
        self._slots[rule.target].rules.remove(rule)
        self.by_kind[rule.act.kind] -= 1
        if rule.act.kind == "drop":
            del self._drops[host][id_]
            if not self._drops[host]:
                del self._drops[host]
        self._by_host[host] -= 1
        if not self._by_host[host]:
            del self._by_host[host]
        self._changed[rule.target] = None
        self._unsaved[id_] = None
        self.removed[reason] += 1
        self._tidy()

    def _tidy(self) -> None:
        """Ends of rules that went before their time, or last longer now, are let go of once they are most."""
        if len(self._ends) > 2 * len(self.rules) + 1000:
            self._ends = [(each.until, key) for key, each in self.rules.items()]
            heapify(self._ends)

    def _let_go(self, target: Target, slot: _Slot) -> None:
        if not slot.rules and slot.element is None:
            del self._slots[target]
            self._changed.pop(target, None)

    def _room(self, host: Address, kind: str) -> tuple[str, Rule | None]:
        """Why there is no room for one rule more, and the rule that has to go for it, None: there is. A connection that is to be
        dropped takes the place of its host's oldest one, which is over most probably: else a host that connects again and again
        would soon be dropped no more."""
        bounds = self.policy.bounds
        if self._by_host[host] >= bounds.rules_per_host:
            reason, why = "host_full", f"{host} has {bounds.rules_per_host} rules (bounds.rules_per_host)"
        elif len(self.rules) >= bounds.rules:
            reason, why = "full", f"{bounds.rules} rules are in place (bounds.rules)"
        else:
            return "", None
        if kind != "drop" or host not in self._drops:
            raise Refusal(reason, why)
        return why, self.rules[next(iter(self._drops[host]))]

    def _spend(self, now: float) -> None:
        """One of the rules that this second may bring."""
        rate = self.policy.bounds.rules_per_second
        self._tokens = min(rate, self._tokens + (now - self._tokens_at) * rate)
        self._tokens_at = now
        if self._tokens < 1:
            raise Refusal("too_fast", f"more than {rate} rules in a second (bounds.rules_per_second)")
        self._tokens -= 1


def _host_of(act: Act, target: Target) -> Address:
    """Whose rule it is: the originator's, or the subnet's."""
    return act.orig_h if isinstance(target, Pair) else target.network_address


def _best(rules: list[Rule]) -> Rule | None:
    """The rule that decides: a drop, else the newest."""
    for rule in rules:
        if rule.element.marks is None:
            return rule
    return rules[-1] if rules else None
