"""What a policy would do, in words; what looks like a slip; the example that is shipped, and the one of the docs."""

from __future__ import annotations

import re
from pathlib import Path

from eacf.policy import Policy, parse
from eacf.policy.words import Known, doubts, told

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "packaging" / "policy.toml"


def example() -> Policy:
    """The shipped file, its examples taken in."""
    return parse(re.sub(r"(?m)^( *)#(?! )", r"\1", EXAMPLE.read_text()).encode(), "example")


def test_the_shipped_file_does_nothing() -> None:
    assert parse(EXAMPLE.read_bytes(), "x") == Policy()


def test_its_examples_are_good() -> None:
    policy = example()
    assert policy.mode == "dry-run"
    assert len(policy.leave_alone) == 3
    assert list(policy.labels) == ["backup", "updates", "meet.example", "torrent"]
    assert policy.unknown is not None
    assert policy.contradicted is not None
    assert (policy.bounds, policy.classes) == (Policy().bounds, Policy().classes)  # told to be the defaults
    assert list(doubts(policy)) == []


def test_in_the_order_in_which_tables_are_asked() -> None:
    lines = [re.sub(r"^  \d\. | with.*|, the.*| \(.*", "", line) for line in told(example()) if line.startswith("  ")]
    assert lines == ["server name contradicted", "label meet.example", "label torrent", "group bulk", "unknown"]


def test_every_part_is_told() -> None:
    text = b"""mode = "act"
[bounds]
rules = 12345
[classes.gold]
mark = 7
tc = "a:1f"
[classes.plain]
mark = 8
[classes.quiet]
tc = "1:30"
[label.a]
priority = "gold"
dscp = 46
rate = "1500kbit"
shunt = true
for = "90s"
[label.b]
priority = "plain"
dscp = 63
confidence = 0
[label.c]
priority = "quiet"
"""
    lines = list(told(parse(text, "x")))
    does = "DSCP 46 (ef), 1,500 kbit/s each way for all of them together, Zeek sees no more of it, for 90 s"
    assert f"  1. label a with confidence 0.9 or more: priority gold (ct mark 7, class a:1f), {does}" in lines
    assert "  2. label b, however unsure: priority plain (ct mark 8), DSCP 63, for 1 hour" in lines
    assert "  3. label c with confidence 0.9 or more: priority quiet (class 1:30), for 1 hour" in lines
    assert lines[0].startswith("mode: act.")
    assert "12,345 rules" in lines[-1]


def test_slips() -> None:
    text = b"""[classes.a]
mark = 5
[classes.b]
mark = 5
[label.vidoe]
priority = "a"
[group.g]
labels = ["chat", "other"]
block = true
["server name contradicted"]
block = true
"""
    policy = parse(text, "x")
    same_mark = "[classes.b]: mark 5 is that of [classes.a] as well"
    assert list(doubts(policy)) == [same_mark]
    assert list(doubts(policy, Known("office 3", ("video", "chat"), {"video"}))) == [
        same_mark,
        "group g: bundle office 3 has no label other",
        "label vidoe: bundle office 3 has no label vidoe; is video meant?",
    ]
    assert "knows no server names" in list(doubts(policy, Known("office 3", ("vidoe", "chat", "other"), ())))[-1]
    assert [each.split(" ")[:2] for each in doubts(Policy())] == [["no", "table"]]


def test_the_page_tells_what_the_program_says() -> None:
    page = (REPOSITORY / "docs" / "policy.md").read_text()
    found = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    for line in told(parse(found[1].encode(), "docs/policy.md")):
        assert f"\n{line}\n" in page
