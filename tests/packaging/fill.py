"""Fill a database of `eacf collect` with samples of applications that have changed, for try_deb.sh: run with the database as argument
where eacf and its trainer are installed."""

from __future__ import annotations

import random
import sys
import time
from ipaddress import IPv4Address
from pathlib import Path

from eacf.flow import Sample
from eacf.samples import Keeper, Limits
from eacf_trainer.testbed import apps
from eacf_trainer.testbed.capture import Maker

COUNT = 700
SWAPPED = {"chat": "web-page", "web-page": "chat"}
"""What behaves as the one is called the other from now on, so that a model of before is wrong."""


def main(path: Path) -> None:
    """Fill it."""
    keeper = Keeper.begin(path, Limits(), seed=0)
    maker = Maker(random.Random("try"), "try", "mixed", 24_000)
    kinds = tuple(apps.APPS)
    for number in range(COUNT):
        app = maker.rng.choice(kinds)
        truth, _ = maker.connection(app, float(number))
        label = SWAPPED.get(app, app)
        ends = (IPv4Address(f"10.0.0.{maker.rng.randrange(1, 41)}"), 40_000 + number, IPv4Address("198.51.100.7"), 443)
        name = f"www.{label}.example"
        sample = Sample(f"C{number:017d}", time.time_ns(), *ends, name, b"", records=list(truth.records[:16]))
        keeper.add(sample, label=label, sensor="zeek", mono_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME))
    keeper.commit(time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))
    keeper.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
