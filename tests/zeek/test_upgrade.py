"""A worker of the next version beside this package, and the other way round: what is tolerated, dropped, counted and said.

The next version is a copy of the scripts in which a record or an event is another, or a worker that says more.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from eacf.flow import Needs, Sample
from eacf.verdict import Verdict
from eacf.wire import encode, encode_verdicts, envelope
from eacf.wire.values import Value

RECORDS = Needs(payload_bytes=0, window_bytes=0, records=8, chunks=False)
MODEL = "0" * 12
SOON = "EACF::verdict_timeout=300msec"
NextPackage = Callable[[str, str], Path]
Run = Callable[..., Any]


@pytest.fixture
def next_package(repository: Path, tmp_path: Path) -> NextPackage:
    """A copy of the scripts in which a piece of types.zeek is another; to be called again for a further change."""
    folder = tmp_path / "eacf"
    shutil.copytree(repository / "zeek", folder)

    def change(before: str, after: str, script: str = "types.zeek") -> Path:
        text = (folder / script).read_text()
        assert text.count(before) == 1, before
        (folder / script).write_text(text.replace(before, after))
        return folder

    return change


@pytest.fixture
def run(faults: ModuleType, tmp_path: Path, small: Path) -> Run:
    """Runs a Zeek with a package over the capture, beside what is called once it runs; how it ended."""

    def through(package: Path, beside: Callable[[Any], object], *settings: str) -> Any:
        with faults.Site(tmp_path / "site") as site:
            command = ["zeek", "-C", "-r", str(small), str(package), "LogAscii::use_json=T", "tcp_close_delay=300msec"]
            site.zeek = site.start([*command, *settings], "zeek")
            beside(site)
            outcome = site.end()
        assert outcome.status == 0, outcome.words
        assert outcome.closes, (outcome.account, outcome.outcomes)
        return outcome

    return through


def said(outcome: Any) -> str:
    """What the operator can read of it."""
    return "\n".join({f"{line['level']} {line['message']}" for line in outcome.log("reporter")}) + outcome.words


def verdicts_value(event: str, worker: str, samples: list[Sample], *more: Value) -> bytes:
    """Verdicts with further fields at the end of each."""
    one: list[Value] = [(each.uid.encode(), b"video", 0.75, MODEL.encode(), None, None, *more) for each in samples]
    return encode(envelope.wrap(event, worker.encode(), tuple(one)))


def real_worker(site: Any) -> None:
    """An `eacf worker` of this version."""
    site.start_worker()


def pretend(
    pretender: ModuleType, bodies: Callable[[str, list[Sample]], list[bytes]] | None = None
) -> Callable[[Any], None]:
    worker = pretender.Pretender(RECORDS, bodies=bodies)

    def beside(site: Any) -> None:
        pretender.serve(site.endpoints, site.zeek, [worker])

    return beside


def test_a_sample_of_the_next_package_has_more_fields(next_package: NextPackage, run: Run) -> None:
    next_package("\t\trecords: vector of int;\n", '\t\trecords: vector of int;\n\t\tja4: string &default="t13d";\n')
    package = next_package("\t\tgap: interval;\n", "\t\tgap: interval;\n\t\tlost: count &default=0;\n")
    outcome = run(package, real_worker)
    assert outcome.account["timed_out"] == 0
    assert outcome.account["labelled"] + outcome.account["abstained"] == outcome.account["collected"] > 50
    assert "error" not in said(outcome)


def test_a_verdict_of_the_next_worker_has_more_fields(run: Run, pretender: ModuleType, repository: Path) -> None:
    def bodies(worker: str, samples: list[Sample]) -> list[bytes]:
        return [verdicts_value("EACF::verdicts", worker, samples, b"why", 0.5)]

    outcome = run(repository / "zeek", pretend(pretender, bodies))
    assert outcome.account["labelled"] == outcome.account["collected"] > 50
    assert "error" not in said(outcome)


TWO = """
	type Verdict2: record {
		uid: string;
		label: string &optional;
		confidence: double;
		model: string;
		reason: string &optional;
		sni_label: string &optional;
		second: string &optional;
	};
	global verdicts2: event(worker: string, v: vector of Verdict2);
"""
TAKES_TWO = """
event EACF::verdicts2(worker: string, v: vector of EACF::Verdict2)
	{
	local same: vector of EACF::Verdict;
	for ( _, each in v )
		{
		local one = EACF::Verdict($uid=each$uid, $confidence=each$confidence, $model=each$model);
		if ( each?$label )
			one$label = each?$second ? each$second : each$label;
		same += one;
		}
	event EACF::verdicts(worker, same);
	}
"""


@pytest.fixture
def takes_both(next_package: NextPackage, tmp_path: Path) -> Path:
    """A package that knows ``EACF::verdicts2`` beside ``EACF::verdicts``, as the contract has it for a new field."""
    package = next_package("\tglobal verdicts: event(", TWO + "\tglobal verdicts: event(")
    (package / "next.zeek").write_text("@load ./main\n" + TAKES_TWO)
    (package / "__load__.zeek").write_text((package / "__load__.zeek").read_text() + "\n@load ./next\n")
    return package


def test_a_package_that_takes_a_second_version_hears_both(takes_both: Path, run: Run, pretender: ModuleType) -> None:
    def bodies(worker: str, samples: list[Sample]) -> list[bytes]:
        said: list[bytes] = []
        if old := [Verdict(each.uid, "video", 0.75, MODEL) for each in samples if each.orig_p % 2]:
            said.append(encode_verdicts(worker, old))
        if new := [each for each in samples if not each.orig_p % 2]:
            said.append(verdicts_value("EACF::verdicts2", worker, new, b"second"))
        return said

    outcome = run(takes_both, pretend(pretender, bodies))
    assert outcome.account["labelled"] == outcome.account["collected"] > 50
    assert {line["label"] for line in outcome.lines} == {"video", "second"}


def test_a_second_version_is_nothing_to_this_package(run: Run, pretender: ModuleType, repository: Path) -> None:
    """A worker that says EACF::verdicts2 alone, too early: its flows are counted as timeouts, and reporter.log says why."""
    outcome = run(
        repository / "zeek",
        pretend(pretender, lambda worker, samples: [verdicts_value("EACF::verdicts2", worker, samples, b"second")]),
        SOON,
    )
    assert outcome.account["timed_out"] == outcome.account["collected"] > 50
    assert "Failed to lookup handler for 'EACF::verdicts2'" in said(outcome)


def test_a_field_more_in_the_same_event_would_cut_off_older_workers(
    next_package: NextPackage, run: Run, pretender: ModuleType
) -> None:
    """Why the contract asks for a new event: Zeek drops what has too few fields, though the new one is &optional."""
    before = "\t\t## What the sample's server name says by the bundle's label map.\n\t\tsni_label: string &optional;\n"
    package = next_package(before, before + "\t\tsecond: string &optional;\n")
    outcome = run(package, pretend(pretender), SOON)
    assert outcome.account["timed_out"] == outcome.account["collected"] > 50
    assert "Unserialize error for event 'EACF::verdicts': broker value" in said(outcome)


def test_a_need_more_in_the_same_hello_would_leave_older_workers_unknown(
    next_package: NextPackage, run: Run, pretender: ModuleType
) -> None:
    package = next_package("\t\tchunks: bool;\n\t};", "\t\tchunks: bool;\n\t\thandshake: bool &default=F;\n\t};")
    outcome = run(package, pretend(pretender), "EACF::capture_wait=1sec")
    assert outcome.account["no_worker"] == outcome.account["collected"] > 50
    assert "Unserialize error for event 'EACF::hello': broker value" in said(outcome)
