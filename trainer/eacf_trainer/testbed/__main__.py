"""`python -m eacf_trainer.testbed OUT.pcap`: a capture of made-up applications."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from eacf.errors import SettingError
from eacf_trainer.testbed import apps, path
from eacf_trainer.testbed.capture import generate


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 fine, 1 could not write, 2 the arguments are wrong."""
    parser = argparse.ArgumentParser(prog="python -m eacf_trainer.testbed", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT.pcap", help="where the capture goes")
    parser.add_argument("--seed", type=int, default=1, help="lengths and times follow from it (default: %(default)s)")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--connections", type=int, default=0, help="how many TLS connections (default: 200)")
    size.add_argument("--packets", type=int, default=0, help="or how many packets, with DNS noise between them")
    parser.add_argument(
        "--apps", nargs="+", default=list(apps.APPS), choices=list(apps.APPS), metavar="APP", help=", ".join(apps.APPS)
    )
    kinds = ("mixed", *path.KINDS)
    parser.add_argument("--path", default="mixed", choices=kinds, metavar="KIND", help=", ".join(kinds))
    parser.add_argument(
        "--sites", default="training", help="any word: each stands for other servers (default: %(default)s)"
    )
    parser.add_argument("--background", type=float, default=0.0, metavar="SHARE", help="part of no application, 0 to 1")
    parser.add_argument(
        "--cut-bytes", type=int, default=24_000, help="most plaintext a connection, 0: all (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        truths = generate(
            options.out,
            seed=options.seed,
            connections=0 if options.packets else options.connections or 200,
            packet_limit=options.packets,
            kinds=options.apps,
            conditions=options.path,
            sites=options.sites,
            background_share=options.background,
            cut_bytes=options.cut_bytes,
        )
    except SettingError as error:
        parser.error(str(error))
    except OSError as error:
        print(f"{parser.prog}: cannot write {options.out}: {error.strerror}", file=sys.stderr)
        return 1
    for app, count in sorted(Counter(truth.app for truth in truths).items()):
        print(f"{app:20}{count:6}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
