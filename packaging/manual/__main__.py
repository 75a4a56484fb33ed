"""Make man pages and shell completions of `eacf` and `eacf-train` from their own help.

Run as ``python packaging/manual OUT``; the tree under OUT is that of /usr/share (or of a wheel's data): man/man1,
bash-completion/completions, zsh/site-functions, fish/vendor_completions.d. Needs nothing but Python: commands import what
they need when they run.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "plugin"), str(ROOT / "trainer"), str(Path(__file__).parent)]

import man  # noqa: E402
import shells  # noqa: E402
import tree  # noqa: E402

import eacf  # noqa: E402
from eacf.cli import command as serving  # noqa: E402
from eacf_trainer.cli import command as training  # noqa: E402


def made(date: str) -> Iterator[tuple[str, str]]:
    """Paths below OUT, and what is there."""
    for module in (serving, training):
        program = tree.read(module.parser())
        name = program.name
        for file, text in man.pages(program, version=eacf.__version__, date=date):
            yield f"man/man1/{file}", text
        yield f"bash-completion/completions/{name}", shells.bash(program)
        yield f"zsh/site-functions/_{name}", shells.zsh(program)
        yield f"fish/vendor_completions.d/{name}.fish", shells.fish(program)


def main(out: Path) -> None:
    """Write them all."""
    when = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    for path, text in made(time.strftime("%Y-%m-%d", when)):
        file = out / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python packaging/manual OUT")
    main(Path(sys.argv[1]))
