"""What a worker reports of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import eacf
from eacf.doctor.finding import Finding, ok, problem, warning
from eacf.reports import Report, account, at, count, name_of, text

FAULTS = {
    "queue": "it gets more than it can serve: start a second worker, or collect less (EACF::sample_one_in)",
    "reply_to": "somebody sends flows whose answer is wanted where a worker may not speak: see who else is on the bus",
    "send": "the bus did not take its verdicts: is a subscriber stopped (ps, state T)?",
    "drain": "it is ending and its time to drain was over (drain_s)",
}
"""What to do about each reason for which a worker drops flows."""


def bundle_id(report: Report) -> str:
    """Id of the bundle that it serves, to be shown and compared."""
    return text(at(report, "bundle", "id"))


def look(report: Report) -> Iterator[Finding]:
    """Each check of one worker."""
    yield release(report)
    yield closes(report)
    yield from losses(report)


def release(report: Report) -> Finding:
    """Whether it is of this release, and what it serves."""
    bundle = f"{text(at(report, 'bundle', 'name'))} {text(at(report, 'bundle', 'version'))} (id {bundle_id(report)})"
    version = report.get("version")
    seen = f"{name_of(report)}: eacf {text(version)}, serves {bundle}"
    if version != eacf.__version__:
        return warning("worker", seen, f"this eacf is {eacf.__version__}: restart the worker with it")
    return ok("worker", seen)


def closes(report: Report) -> Finding:
    """Whether its account closes."""
    of = account(report)
    seen = f"worker {name_of(report)}: {of}: {of.verdict}"
    if of.gap == 0:
        return ok("account", seen)
    return problem("account", seen, "this is a bug: please report it with the output of `eacf status --json`")


def losses(report: Report) -> Iterator[Finding]:
    """Flows that it dropped and messages that it could not read."""
    for reason, remedy in FAULTS.items():
        dropped = count(at(report, "dropped", reason))
        if dropped:
            yield warning("worker drops", f"worker {name_of(report)}: {dropped:,} flows dropped ({reason})", remedy)
    malformed = report.get("malformed")
    bad = sum(count(value) or 0 for value in malformed.values()) if isinstance(malformed, Mapping) else 0
    if bad:
        remedy = "its log names the sender: another program on the bus, or a Zeek package of another contract version"
        yield warning("worker drops", f"worker {name_of(report)}: {bad:,} messages it could not read", remedy)
    failed = count(at(report, "reloads", "failed"))
    if failed:
        remedy = "the old bundle still serves; the worker's log names file, field and remedy: put a good bundle there, SIGHUP"
        yield warning("worker reload", f"worker {name_of(report)}: {failed:,} reloads failed", remedy)
