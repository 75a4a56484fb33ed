"""Which samples learn, which calibrate, which judge. Pure, and the same whenever it is asked: ids decide.

* The newest share of all since the last accepted update judges. It trains later, once it has judged an update that was accepted.
* Of all others a share, chosen by a hash of their ids, calibrates and never trains, neither now nor later: a clone remembers what its
  ancestors learnt.
* The rest learns: what came since the last accepted update began to judge (new), and of what is older about as many (replay), the newest
  of each label first; more of labels that have few new ones, so that none is forgotten. Longer replay was measured to be worse: what is
  old is often wrong (docs/learning.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eacf_trainer.watch.settings import Samples as Settings

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """Places of samples, each ascending."""

    learnt: Places
    new: NDArray[np.bool_]
    """(len(learnt),) those that are not replayed."""
    calibrating: Places
    judged: Places


def parts(
    ids: NDArray[np.int64], labels: Sequence[str | None], settings: Settings, *, accepted: int = 0, learnt: int = 0
) -> Parts:
    """`ids`: (n,) ascending; `accepted`: the last id that was there when the last update was accepted; `learnt`: the last one that
    taught or calibrated it (what is above and not above `accepted` judged it, and is new to the model)."""
    window = np.flatnonzero(ids > accepted)
    known = np.array([label is not None for label in labels], bool)
    count = min(round(settings.judged * int(known[window].sum())), settings.judged_most)
    # By samples with a label, since these are what is counted; background in between judges, too.
    newest = window[known[window]][-count:] if count else window[:0]
    judged = window[window >= newest[0]] if len(newest) else newest
    rest = np.ones(len(ids), bool)
    rest[judged] = False
    held = (hashed(ids) < settings.calibrating) & rest
    recent = round(2 * settings.calibrating * len(window))
    recent = min(max(recent, settings.calibrating_least), settings.calibrating_most)
    free = np.flatnonzero(rest & ~held)
    new = ids[free] > learnt
    fresh = free[new][-settings.learnt_most :]
    older = replay(fresh, free[~new], labels, settings.replay, settings.learnt_most - len(fresh))
    learning = np.sort(np.concatenate([older, fresh]))
    return Parts(
        learnt=learning,
        new=np.isin(learning, fresh),
        calibrating=np.flatnonzero(held)[-recent:],
        judged=judged,
    )


def replay(fresh: Places, older: Places, labels: Sequence[str | None], times: float, room: int) -> Places:
    """At most `room` of `older`, the newest of each label first: so many that with the new ones each label has ``1 + times`` what a
    usual one (the median) has of new ones."""
    have = Counter(labels[place] for place in fresh.tolist())
    counts = sorted(count for label, count in have.items() if label is not None)
    usual = counts[len(counts) // 2] if counts else room
    by_label: dict[str | None, list[int]] = {}
    for place in older[::-1].tolist():
        by_label.setdefault(labels[place], []).append(place)
    wanted = {
        label: own[: max(0, round((1 + times) * usual) - have[label]) if times else 0]
        for label, own in by_label.items()
    }
    taken: list[int] = []
    for left, own in zip(range(len(wanted), 0, -1), sorted(wanted.values(), key=len), strict=True):
        taken += own[: max(0, room - len(taken)) // left]
    return np.sort(np.array(taken, np.int64))


def hashed(ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) from 0 to below 1, as if drawn at random: the finaliser of splitmix64 (Steele, Lea and Flood, 2014)."""
    x = ids.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x ^ (x >> np.uint64(31))) / 2.0**64
