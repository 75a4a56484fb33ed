"""`python packaging/zeek_settings.py`: docs/zeek-settings.md, made from the comments in zeek/options.zeek and zeek/notices.zeek.

The text of a setting is the ``##`` lines above it, its value what stands in the script. Tests hold the page to the scripts, and
see that each setting has a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "zeek-settings.md"
SCRIPTS = ("options.zeek", "notices.zeek")
SETTING = re.compile(r"\t(option|const) (\w+)(?:: ([^=]+?))? = (.*?)( &redef)?;")
HEADING = re.compile(r"\t# (.*[^,])$")
HEAD = """\
# Settings of the Zeek package

Made from the comments in `zeek/options.zeek` and `zeek/notices.zeek` by `make docs`.

All are in the module `EACF`. An *option* can be changed while Zeek runs, by the configuration framework
(`redef Config::config_files += { "/etc/eacf.dat" };` and a line `EACF::sample_one_in 4` in that file); a *redef* is fixed when Zeek starts
(`redef EACF::capture_wait = 10sec;` in `local.zeek`, or `EACF::capture_wait=10sec` on the command line), which works for options too.
"""


class Setting(NamedTuple):
    """One setting of a script."""

    kind: str
    name: str
    default: str
    text: str


def settings(script: str) -> Iterator[Setting]:
    """The settings of a script, in its order."""
    text: list[str] = []
    for line in script.splitlines():
        stripped = line.strip()
        if stripped.startswith("## "):
            text.append(stripped[3:])
            continue
        found = SETTING.match(line)
        if found and (found[1] == "option" or found[5]):
            yield Setting("option" if found[1] == "option" else "redef", found[2], found[4], " ".join(text))
        text = []


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for name in SCRIPTS:
        rows = list(settings((ROOT / "zeek" / name).read_text()))
        parts.append(f"\n## {name}\n\n| setting | | default | what it is |\n|---|---|---|---|\n")
        parts += [f"| `{each.name}` | {each.kind} | `{each.default}` | {plain(each.text)} |\n" for each in rows]
    return "".join(parts)


def plain(text: str) -> str:
    """Zeek's markup as Markdown."""
    text = re.sub(r":zeek:see:`([^`]+)`", r"`\1`", text).replace("``", "`").replace("|", "\\|")
    return re.sub(r"\*(\w+)\*", r"_\1_", text)


if __name__ == "__main__":
    PAGE.write_text(page())
