"""The bus on one side of the agent, nftables and a file on the other.

SIGTERM (and SIGINT) ends it in order: it leaves its topic, takes what is on its way, removes the table, and goes; a second one ends
it at once, and the kernel removes the table then. SIGHUP, or another file in its place, has the policy read again; one that cannot
be used changes nothing.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eacf.bus import Endpoints, Peer
from eacf.enforce.agent import Agent
from eacf.enforce.memory import Memory
from eacf.enforce.metrics import ENFORCE
from eacf.enforce.nft import Nft
from eacf.enforce.table import Table, TableLost
from eacf.errors import EacfError, EnforceError
from eacf.metrics import serving
from eacf.policy import Policy, read
from eacf.service import JOIN_WARN_S, Notifier, Signals
from eacf.status import process_facts
from eacf.wire import CONTROL_REQUEST_TOPIC

TURN_MESSAGES: Final = 64
"""Messages taken from the socket in one go: 4,096 acts at most."""
LOOK_S: Final = 1.0
"""How often the policy's file is looked at, and chains without use are swept."""
MAX_REST_S: Final = 0.005
"""After a transaction the next one waits as long as it took, so much at most: a flood is gathered into batches."""
QUIET_S: Final = 0.1
"""At the end: nothing has come for so long, so nothing is on its way."""
DRAIN_S: Final = 1.0
"""At the end: time for what is on its way; the rest is dropped."""
LINGER_S: Final = 1.0
"""At the end: time for the last answers to leave the socket."""
MAX_REBUILDS: Final = 3
"""In one turn; a table that somebody removes again and again is an error."""

_log = logging.getLogger("eacf.enforce")
_clock = time.monotonic


_Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Place:
    """Where things are."""

    endpoints: Endpoints
    policy: Path
    state: Path | None
    """A folder; None: nothing is put back after a restart."""
    metrics_port: int


def run(place: Place) -> int:
    """Serve until SIGTERM; 0. SettingError, EnforceError, BusError where it cannot begin. For a main thread."""
    policy_file = PolicyFile(place.policy)
    policy = policy_file.read()
    with ExitStack() as held:
        signals = held.enter_context(Signals())
        memory = held.enter_context(Memory(place.state))
        nft = held.enter_context(Nft())
        table = Table(nft)
        name = secrets.token_hex(6)
        agent = Agent(name, policy, started=_clock(), account=table.account, process=process_facts)
        held.enter_context(serving(place.metrics_port, lambda: agent.status(_clock()), ENFORCE))
        table.start()
        try:
            _log.info(
                "agent %s: table inet eacf is in place%s; mode %s, %s",
                name, " and goes with this process" if table.owned else "", policy.mode, place.policy,
            )  # fmt: skip
            loop = Loop(agent, table, memory, policy_file, Notifier.of(), place.endpoints)
            loop.put_back()
            topics = [CONTROL_REQUEST_TOPIC, agent.topic]
            peer = held.enter_context(Peer(place.endpoints, f"eacf-enforce-{name}", topics, watch=True))
            loop.serve(peer, signals)
            peer.close(LINGER_S)
        finally:
            table.end()
    _log.info("ended: the table is removed, %d rules with it", agent.in_place())
    return 0


class PolicyFile:
    """The policy, and whether another one has come into its place."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: _Stamp | None = None
        self._last: _Stamp | None = None

    def read(self) -> Policy:
        """PolicyError, SettingError where it cannot be used."""
        self._seen = self._stamp()
        return read(self._path)

    def changed(self) -> bool:
        """Whether it is another file than was read, or was written since. One that somebody writes just now, so that it
        changed since the last call, is not yet; nor is one that is not there."""
        stamp, last = self._stamp(), self._last
        self._last = stamp
        return stamp is not None and stamp == last and stamp != self._seen

    def _stamp(self) -> _Stamp | None:
        try:
            facts = os.stat(self._path)  # noqa: PTH116 - as the name says
        except OSError:
            return None
        return facts.st_ino, facts.st_mtime_ns, facts.st_size


class Loop:
    """See the module."""

    def __init__(
        self, agent: Agent, table: Table, memory: Memory, policy: PolicyFile, notifier: Notifier, endpoints: Endpoints
    ) -> None:
        self._agent = agent
        self._table = table
        self._memory = memory
        self._policy = policy
        self._notifier = notifier
        self._endpoints = endpoints
        self._rest_until = 0.0
        self._is_on_bus = False

    def put_back(self) -> None:
        """What was in place before a restart, with the time that is left of it."""
        now = _clock()
        ledger = self._agent.ledger
        former = passed = 0
        for kept in self._memory.kept(time.time()):
            former += 1
            passed += not ledger.put_back(kept.act, kept.reply_to, kept.left_s, now)
        self._apply()
        self._agent.restored = len(ledger.rules)
        if former:
            left = f", {passed} that the policy does not allow any more are not" if passed else ""
            _log.info("%d of %d rules of before are put back%s", self._agent.restored, former, left)
        ledger.unsaved()
        self._memory.rewrite(ledger.rules.values(), _clock(), time.time())

    def serve(self, peer: Peer, signals: Signals) -> None:
        """Until the end, and the end itself."""
        peer.wake_on(signals.descriptor)
        self._notifier.ready(self.told())
        warn_at = _clock() + JOIN_WARN_S
        look_at = 0.0
        while not signals.end:
            now = _clock()
            if signals.reload or now >= look_at:
                asked, signals.reload = signals.reload, False
                self._look(peer, asked=asked)
                look_at = now + LOOK_S
            if now >= warn_at and not self._is_on_bus:
                where = self._endpoints
                _log.warning("no bus at %s and %s yet; waiting for it", where.subscribe, where.publish)
                warn_at = float("inf")
            self._notifier.alive(now, self.told)
            due = self._agent.next_deadline()
            peer.wait(min(look_at, self._notifier.due, due if due is not None else look_at) - _clock())
            signals.clear()
            self.turn(peer)
        _log.info("ending")
        self._notifier.stopping(DRAIN_S + LINGER_S)
        self._drain(peer)

    def turn(self, peer: Peer) -> int:
        """Take what is there, put it in place, say so. Returns how many messages were taken."""
        if (rest := self._rest_until - _clock()) > 0:
            time.sleep(rest)
        now = _clock()
        messages = peer.receive(TURN_MESSAGES)
        for frames in messages:
            self._agent.receive(frames, now)
        for added, topic in peer.subscriptions():
            if added and self._agent.topic.startswith(topic) and not self._is_on_bus:
                self._is_on_bus = True
                _log.info("on the bus at %s and %s", self._endpoints.subscribe, self._endpoints.publish)
        self._agent.ledger.expire(now)
        self._settle(peer)
        return len(messages)

    def _settle(self, peer: Peer) -> None:
        """What the ledger wants comes into the kernel, then into the file, then it is said."""
        self._apply()
        self._save()
        for message in self._agent.due(_clock()):
            if not peer.send(message.topic, message.body):
                self._agent.unsent += 1
        for line in self._agent.notices(_clock()):
            _log.warning("%s", line)

    def told(self) -> str:
        """What it does, for whoever looks at the service."""
        mode = self._agent.ledger.policy.mode
        return (
            f"{self._agent.in_place():,} rules in place; mode {mode}{'' if self._is_on_bus else '; waits for the bus'}"
        )

    def _apply(self) -> None:
        """The kernel gets what the ledger wants, until it wants no more. Where rules fail, those beneath are tried."""
        ledger = self._agent.ledger
        rebuilds = 0
        while changes := list(ledger.changes()):
            try:
                failed = self._table.apply(changes, _clock())
            except TableLost as error:
                rebuilds += 1
                if rebuilds > MAX_REBUILDS:
                    raise EnforceError(f"{error} again and again: what removes it? (nft monitor)") from None
                self._rebuild(error)
                continue
            whys = {id(change): why for change, why in failed}
            for change in changes:
                why = whys.get(id(change))
                if why is None:
                    ledger.done(change)
                else:
                    ledger.failed(change, why)
            self._rest_until = _clock() + min(self._table.account.last_s, MAX_REST_S)

    def _rebuild(self, lost: TableLost) -> None:
        _log.warning("%s: somebody removed it; it is made anew with all rules", lost)
        self._table.rebuild()
        self._agent.ledger.forget_kernel()

    def _save(self) -> None:
        there, gone = self._agent.ledger.unsaved()
        if there or gone:
            self._memory.write(there, gone, self._agent.ledger.rules.values(), _clock(), time.time())

    def _look(self, peer: Peer, *, asked: bool) -> None:
        """Read the policy again if it is another, or somebody asks."""
        try:
            self._table.sweep(_clock())
        except TableLost as lost:
            self._rebuild(lost)
            self._settle(peer)
        if not asked and not self._policy.changed():
            return
        agent = self._agent
        try:
            policy = self._policy.read()
        except EacfError as error:
            agent.reloads["refused"] += 1
            _log.error("the policy stays as it was: %s", error)
            return
        agent.reloads["done"] += 1
        before = agent.in_place()
        agent.ledger.follow(policy)
        left = before - agent.in_place()
        _log.info(
            "policy read again: mode %s%s", policy.mode, f"; {left} rules that it does not allow go" if left else ""
        )

    def _drain(self, peer: Peer) -> None:
        """Leave our topic, then take what was on its way."""
        peer.unsubscribe(self._agent.topic)
        end = _clock() + DRAIN_S
        quiet_at = _clock() + QUIET_S
        while (now := _clock()) < min(end, quiet_at):
            peer.wait(quiet_at - now)
            if self.turn(peer):
                quiet_at = _clock() + QUIET_S
