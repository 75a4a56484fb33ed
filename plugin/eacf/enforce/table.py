"""The table as it is in the kernel: made, changed in transactions, removed.

A transaction that is refused is halved until what is wrong in it is alone, so that one bad rule costs no good one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from eacf.enforce.nft import Nft, NftError, may_administer
from eacf.enforce.ruleset import (
    FIND_TABLE,
    REMOVE_TABLE,
    Change,
    Marks,
    Pair,
    Width,
    add_chains,
    chain_names,
    delete_chains,
    look_into,
    removals,
    table,
    transaction,
    width_of,
)
from eacf.errors import EnforceError

CHANGES: Final = 1000
"""Of one transaction at most: 10 to 20 ms."""
MAX_CHAINS: Final = 1000
"""Different marks at a time; one more is refused."""
MAX_REPAIRS: Final = 16
"""Rules that are tried alone in one go; where so many are refused the kernel refuses them all, and each costs up to 0.1 s."""
IDLE_S: Final = 10.0
"""A chain to which nothing jumps, and a set with nothing in it, go after this time."""

_log = logging.getLogger("eacf.enforce")
_clock = time.monotonic


class TableLost(EnforceError):
    """Somebody removed the table."""


@dataclass
class Account:
    """What the kernel was asked."""

    transactions: int = 0
    failed: int = 0
    """Of these; refused by nft or the kernel, nothing applied."""
    seconds: float = 0.0
    """In them."""
    last_s: float = 0.0
    """In the last :meth:`Table.apply`."""
    rebuilt: int = 0
    """Times that the table was gone."""


@dataclass(slots=True)
class _Use:
    """Of a chain, or of a set of subnets."""

    users: int = 0
    idle_since: float = 0.0

    def more(self, count: int, now: float) -> None:
        self.users += count
        self.idle_since = now

    def is_idle(self, now: float) -> bool:
        return self.users <= 0 and now >= self.idle_since + IDLE_S


@dataclass(slots=True)
class _Chain(_Use):
    names: tuple[str, str] = ("", "")


class Table:
    """See the module. For one thread."""

    def __init__(self, nft: Nft) -> None:
        self.account = Account()
        self.owned = False
        """Whether the kernel removes it when this process ends, in whatever way."""
        self._nft = nft
        self._chains: dict[Marks, _Chain] = {}
        self._widths: dict[Width, _Use] = {}
        self._numbers = 0
        self._repairs = 0

    def start(self) -> None:
        """Make it, empty, in the place of one that a former process left. EnforceError where the kernel does not let us."""
        if not may_administer():
            raise EnforceError(
                "no CAP_NET_ADMIN: start as root, by the systemd unit, or with `setpriv --ambient-caps +net_admin`"
            )
        try:
            self._nft.run(FIND_TABLE)
        except NftError:
            pass  # there is none, as it should be
        else:
            self._remove_former()
        try:
            self._nft.run(table(owned=True))
            self.owned = True
        except NftError as refusal:
            self._start_unowned(refusal)
        self._chains.clear()
        self._widths.clear()

    def _remove_former(self) -> None:
        try:
            self._nft.run(REMOVE_TABLE)
        except NftError as error:
            raise EnforceError(
                f"table inet eacf is another process's ({error}): is another `eacf enforce` running here? "
                "`nft list table inet eacf` names its owner"
            ) from None
        _log.info("removed the table that a former process left")

    def _start_unowned(self, refusal: NftError) -> None:
        try:
            self._nft.run(table(owned=False))
        except NftError as error:
            raise EnforceError(
                f"the kernel does not take table inet eacf ({error}): it needs nf_tables with maps of concatenations and "
                "timeouts (Linux 5.6 or later; modules nf_tables, nft_ct, nft_limit)"
            ) from None
        self.owned = False
        _log.warning(
            "the kernel knows no tables that have an owner (%s; Linux 5.12 or later does): where this process is killed, its "
            "rules stay until their own end, or `nft delete table inet eacf`",
            refusal,
        )

    def apply(self, changes: Sequence[Change], now: float) -> list[tuple[Change, str]]:
        """Do all of it; those that the kernel would not take, with why, and nothing is there then for their targets.

        TableLost where the table is gone: nothing is known of what was done.
        """
        began = _clock()
        self._repairs = 0
        ready, failed = self._prepare(changes, now)
        for at in range(0, len(ready), CHANGES):
            self._put(ready[at : at + CHANGES], now, failed)
        refused = {id(change) for change, _ in failed}
        for change in changes:
            self._count(change, now, in_place=id(change) not in refused)
        self.account.last_s = _clock() - began
        return failed

    def rebuild(self) -> None:
        """Make it anew, empty."""
        self.account.rebuilt += 1
        self.start()

    def sweep(self, now: float) -> None:
        """Remove chains and sets that have long been without use. TableLost where the table is gone, which only happens to one
        without an owner."""
        if not self.owned and not self._is_there():
            raise TableLost("table inet eacf is gone")
        unused = [marks for marks, chain in self._chains.items() if chain.is_idle(now)]
        if unused and not self._delete_chains(unused):
            for each in unused[:MAX_REPAIRS]:  # an element that is over and not yet swept jumps to one of them
                if not self._delete_chains([each]):
                    self._chains[each].idle_since = now
        idle = [width for width, use in self._widths.items() if use.is_idle(now)]
        if idle:
            left = {width: use for width, use in self._widths.items() if width not in idle}
            try:
                self._run(look_into(left, gone=idle))
            except NftError as error:
                _log.warning("sets that are empty stay: %s", error)
                for width in idle:
                    self._widths[width].idle_since = now
            else:
                self._widths = left

    def _delete_chains(self, unused: Sequence[Marks]) -> bool:
        """In one transaction; whether the kernel took it."""
        try:
            self._run("\n".join(delete_chains(self._chains[each].names) for each in unused))
        except NftError:
            return False
        for each in unused:
            del self._chains[each]
        return True

    def end(self) -> None:
        """Remove it, and with it every rule."""
        try:
            self._nft.run(REMOVE_TABLE)
        except NftError as error:
            _log.warning("table inet eacf is not there to be removed: %s", error)

    def _prepare(self, changes: Sequence[Change], now: float) -> tuple[list[Change], list[tuple[Change, str]]]:
        """Sets and chains that these need and that are not there yet. Of a change that cannot have them, what was before goes
        all the same."""
        needs = [_needed(change) for change in changes]
        marks = [each for each in dict.fromkeys(needs) if isinstance(each, Marks) and each not in self._chains]
        room = MAX_CHAINS - len(self._chains)
        refused: dict[Marks | Width, str] = dict.fromkeys(marks[room:], f"{MAX_CHAINS:,} different marks are in use")
        self._add_chains(marks[:room], now, refused)
        widths = [each for each in dict.fromkeys(needs) if isinstance(each, tuple) and each not in self._widths]
        self._add_widths(widths, now, refused)
        ready: list[Change] = []
        failed: list[tuple[Change, str]] = []
        for change, need in zip(changes, needs, strict=True):
            why = None if need is None else refused.get(need)
            if why is None:
                ready.append(change)
                continue
            failed.append((change, why))
            if change.old is not None:
                ready.append(Change(change.target, change.old, None, 0.0))
        return ready, failed

    def _add_chains(self, marks: Sequence[Marks], now: float, refused: dict[Marks | Width, str]) -> None:
        """All in one transaction, or in halves."""
        if not marks:
            return
        names = {each: chain_names(each, self._numbers + at) for at, each in enumerate(marks, 1)}
        self._numbers += len(marks)
        try:
            self._run("\n".join(add_chains(each, of) for each, of in names.items()))
        except NftError as error:
            if len(marks) == 1 or self._repairs >= MAX_REPAIRS:
                self._repairs += 1
                refused.update(dict.fromkeys(marks, str(error)))
                return
            half = len(marks) // 2
            self._add_chains(marks[:half], now, refused)
            self._add_chains(marks[half:], now, refused)
        else:
            self._chains.update({each: _Chain(names=of, idle_since=now) for each, of in names.items()})

    def _add_widths(self, widths: Sequence[Width], now: float, refused: dict[Marks | Width, str]) -> None:
        if not widths:
            return
        try:
            self._run(look_into((*self._widths, *widths), come=widths))
        except NftError as error:
            refused.update(dict.fromkeys(widths, str(error)))
        else:
            self._widths.update({each: _Use(idle_since=now) for each in widths})

    def _put(
        self, changes: Sequence[Change], now: float, failed: list[tuple[Change, str]], *, surely: bool = False
    ) -> None:
        """In one transaction; where that is refused, in one that does not mind whether what goes is there; then in halves."""
        try:
            self._run(self._text(changes, now, surely=surely))
        except NftError as error:
            if not surely:
                self._put(changes, now, failed, surely=True)
            elif len(changes) == 1 or self._repairs >= MAX_REPAIRS:
                for change in changes:
                    why = self._repair(change, now) if self._repairs < MAX_REPAIRS else str(error)
                    if why is not None:
                        failed.append((change, why))
            else:
                half = len(changes) // 2
                self._put(changes[:half], now, failed, surely=True)
                self._put(changes[half:], now, failed, surely=True)

    def _text(self, changes: Sequence[Change], now: float, *, surely: bool = False) -> str:
        return transaction(changes, {marks: chain.names for marks, chain in self._chains.items()}, now, surely=surely)

    def _repair(self, change: Change, now: float) -> str | None:
        """One target by itself, whatever is there for it; why the kernel does not take what is to be there."""
        self._repairs += 1
        for removal in removals(change.target):
            with suppress(NftError):  # it is not there, most often
                self._run(removal)
        if change.new is None:
            return None
        try:
            self._run(self._text([Change(change.target, None, change.new, change.until)], now))
        except NftError as error:
            return str(error)
        return None

    def _count(self, change: Change, now: float, *, in_place: bool) -> None:
        """Who uses a chain or a set of subnets."""
        for element, count in ((change.old, -1), (change.new if in_place else None, 1)):
            use: _Use | None = None
            if element is None:
                continue
            if not isinstance(change.target, Pair):
                use = self._widths.get(width_of(change.target))
            elif element.marks is not None:
                use = self._chains.get(element.marks)
            if use is not None:
                use.more(count, now)

    def _run(self, text: str) -> None:
        began = _clock()
        self.account.transactions += 1
        try:
            self._nft.run(text)
        except NftError:
            self.account.failed += 1
            if not self.owned and not self._is_there():
                raise TableLost("table inet eacf is gone") from None
            raise
        finally:
            self.account.seconds += _clock() - began

    def _is_there(self) -> bool:
        try:
            self._nft.run(FIND_TABLE)
        except NftError:
            return False
        return True


def _needed(change: Change) -> Marks | Width | None:
    """The chain or the set that must be there for it."""
    if change.new is None:
        return None
    return change.new.marks if isinstance(change.target, Pair) else width_of(change.target)
