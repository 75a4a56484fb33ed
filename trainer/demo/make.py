"""Makes demo.pcap.gz, the capture beside this file: eight made-up applications and some traffic of none.

Seeds from 9,000 on and the sites "demo" are kept for it: no model was trained or judged on them.
"""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

from eacf_trainer.testbed import generate

SEED, CONNECTIONS, BACKGROUND_SHARE, CUT_BYTES = 9_001, 120, 0.08, 12_000


def main() -> None:
    """Write the capture."""
    target = Path(__file__).with_name("demo.pcap.gz")
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "demo.pcap"
        generate(
            plain,
            seed=SEED,
            connections=CONNECTIONS,
            sites="demo",
            background_share=BACKGROUND_SHARE,
            cut_bytes=CUT_BYTES,
        )
        target.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    print(f"{target.name}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
