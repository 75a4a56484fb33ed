"""Acting on verdicts: what a Zeek process says of its policy, and what the gateways' agents report of themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import eacf
from eacf.doctor.finding import Finding, ok, warning
from eacf.reports import Report, at, count, name_of, text, total

NEAR = 0.8
"""An agent that has so much of the rules that it may have is near its bound."""
CHECK = "`eacf policy check FILE` says what is wrong, by line; until then the policy before it holds"
REFUSED = {
    "dry_run": "its policy's mode is dry-run, Zeek's is not: give both the same file, and mode = \"act\" if it is meant",
    "full": "bounds.rules of the policy is reached: raise it, or let rules last less long (for)",
    "too_fast": "bounds.rules_per_second of the policy is reached: raise it, or act on less",
    "host_full": "one host has bounds.rules_per_host rules: raise it, or look at that host",
    "no_class": "the policy that Zeek reads has a class that the agent's has not: give both the same file",
    "nft": "nftables or the kernel refuses them: the agent's log says what and why (docs/enforce.md)",
}
"""What to do about each reason for which an agent refuses acts, where it is nobody's intention."""


def policy(report: Report) -> Iterator[Finding]:
    """The policy of one Zeek process; nothing where it has none."""
    acts = report.get("acts")
    if not isinstance(acts, Mapping) or not acts.get("policy_file"):
        return
    who, file = name_of(report), text(acts.get("policy_file"))
    if acts.get("problem") is not None:
        yield warning("policy", f"{who}: {file} is refused: {text(acts.get('problem'))}", CHECK)
    elif acts.get("mode") == "act":
        agents = acts.get("agents")
        if isinstance(agents, list) and not agents:
            remedy = (
                "start `eacf enforce` on the gateway, on this bus; without it only other backends of NetControl act"
            )
            yield warning("policy", f"{who}: {file} is to be acted on, and there is no agent", remedy)
        else:
            yield ok(
                "policy", f"{who}: {file}, mode act, agents: {text(len(agents) if isinstance(agents, list) else None)}"
            )
    else:
        yield ok(
            "policy",
            f"{who}: {file}, mode {text(acts.get('mode'))}: nothing is done about it but a line in eacf_actions.log",
        )


def agent(report: Report) -> Iterator[Finding]:
    """One agent."""
    who, version = f"agent {name_of(report)}", report.get("version")
    there, most = total(report.get("rules")), count(at(report, "bounds", "rules"))
    seen = f"{who}: eacf {text(version)}, mode {text(report.get('mode'))}, {text(there)} rules of {text(most)}"
    if version != eacf.__version__:
        yield warning("agent", seen, f"this eacf is {eacf.__version__}: restart the agent with it")
    elif there is not None and most and there >= NEAR * most:
        yield warning("agent", seen, "raise bounds.rules of the policy, or let rules last less long (for)")
    else:
        yield ok("agent", seen)
    for reason, remedy in REFUSED.items():
        if refused := count(at(report, "refused", reason)):
            yield warning("acts refused", f"{who}: {refused:,} acts refused ({reason})", remedy)
    if rebuilt := count(at(report, "nft", "rebuilt")):
        remedy = (
            "look for `flush ruleset` or `delete table` in firewall scripts; the agent makes its table anew each time"
        )
        yield warning("agent", f"{who}: its table was removed by somebody {rebuilt:,} times", remedy)
    if failed := count(at(report, "reloads", "refused")):
        yield warning("policy", f"{who}: its policy was refused {failed:,} times when it was read again", CHECK)
