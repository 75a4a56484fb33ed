"""docs/metrics.md says what the code says, and rules and dashboard ask for nothing that is not on it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.monitoring import DASHBOARD, OF_ZEEK_ITSELF, RULES, metrics_page, queries

ASKED = re.compile(r"\b(?:eacf|zeek)_\w+\b(?!\.log)")
NO_PROMTOOL = "needs promtool; apt install prometheus"


@pytest.fixture(scope="module")
def names() -> set[str]:
    """Every name that may be asked for."""
    found = set(OF_ZEEK_ITSELF)
    for process in metrics_page().SECTIONS:
        for each in metrics_page().metrics(process):
            ends = ("_bucket", "_sum", "_count") if each.kind == "histogram" else ("",)
            found |= {each.name + end for end in ends}
    return found


def test_the_page_is_made_from_the_code() -> None:
    module = metrics_page()
    assert module.PAGE.read_text() == module.page(), "run `make docs`"


def test_every_metric_of_zeek_is_found_by_a_looser_look(repository: Path) -> None:
    script = (repository / "zeek" / "telemetry.zeek").read_text()
    registered = re.findall(r"register_\w+_family", script)
    found = list(metrics_page().of_zeek(script))
    assert len(found) == len(registered) > 15
    others = [path for path in (repository / "zeek").glob("*.zeek") if "register_" in path.read_text()]
    assert [path.name for path in others] == ["telemetry.zeek"]
    assert ("eacf_zeek_acts_total", "counter", "acts", ("act", "outcome")) in [each[:4] for each in found]


def test_names_say_whose_they_are_and_none_is_there_twice() -> None:
    module, seen = metrics_page(), set()
    for process in module.SECTIONS:
        for each in module.metrics(process):
            assert re.fullmatch(rf"eacf_{process}_[a-z][a-z_]*[a-z]", each.name)
            assert (each.kind == "counter") == each.name.endswith("_total")
            assert each.name not in seen
            assert each.text.endswith(".") or each.text.split(": ")[-1], each.name
            assert len(each.text) > 10
            seen.add(each.name)
            for unit in ("seconds", "bytes", "flows"):
                if re.search(rf"_{unit}(_total)?$", each.name):
                    assert each.unit == unit, each.name


def test_rules_and_dashboard_ask_for_what_there_is(names: set[str]) -> None:
    asked = set(ASKED.findall(RULES.read_text())) | {name for _, each in queries() for name in ASKED.findall(each)}
    assert len(asked) > 50
    assert asked <= names, sorted(asked - names)


def test_every_panel_says_what_it_shows() -> None:
    board = json.loads(DASHBOARD.read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(panel["title"] and panel["description"] and panel["targets"] for panel in panels)
    assert all(
        target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for panel in panels
        for target in panel["targets"]
    )
    cells = [
        (x, y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells)), "two panels lie on one another"
    assert max(x for x, _ in cells) == 23


def test_every_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    cases = RULES.with_name("eacf.rules.test.yml").read_text()
    fire = set(re.findall(r'alertname="(\w+)", instance="bad', cases))
    assert set(alerts) == fire
    quiet = re.split(r"\n  - name: ", cases)[1:]
    assert {each[1:].partition(":")[0] for each in quiet if 'instance="good' in each} == set(alerts)
    # Before its time, each is quiet.
    assert all(re.search(r"eval_time: \w+\n\s+(- expr|exp_samples)", each) for each in quiet)


def test_the_docs_have_every_alert_and_its_time(repository: Path) -> None:
    rules = re.findall(r"- alert: (\w+)\n(?:        (?!for).*\n)*(?:        for: (\d+)m)?", RULES.read_text())
    text = (repository / "docs" / "monitoring.md").read_text()
    rows = re.findall(r"^\| ((?:`Eacf\w+`(?:, )?)+) \|.*\| (\d+ min|at once) \|", text, re.MULTILINE)
    said = {name: after for names, after in rows for name in re.findall(r"\w+", names)}
    assert said == {name: f"{minutes} min" if minutes else "at once" for name, minutes in rules}


@pytest.mark.skipif(shutil.which("promtool") is None, reason=NO_PROMTOOL)
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "eacf.rules.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "eacf.rules.test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_agrees(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["promtool", *arguments], cwd=RULES.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout


@pytest.mark.skipif(shutil.which("promtool") is None, reason=NO_PROMTOOL)
@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("eacf_zeek_workers == 0", "eacf_zeek_workers == 2"),
        ("!= 0\n        for: 5m", "!= 0\n        for: 0m"),
    ],
)
def test_a_rule_that_is_wrong_is_found(good: str, bad: str, tmp_path: Path) -> None:
    rules = RULES.read_text()
    assert good in rules
    (tmp_path / RULES.name).write_text(rules.replace(good, bad))
    shutil.copy(RULES.with_name("eacf.rules.test.yml"), tmp_path)
    done = subprocess.run(
        ["promtool", "test", "rules", "eacf.rules.test.yml"], cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 1
