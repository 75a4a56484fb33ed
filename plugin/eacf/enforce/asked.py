"""One act by itself: what it is about, what it puts in place, and why not. Pure."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final

from eacf.enforce.ruleset import FULL_WIDTH, Element, Marks, Pair, Target
from eacf.errors import EacfError
from eacf.policy import Policy
from eacf.wire import Act

KINDS: Final = ("drop", "drop_host", "qos")
MAX_LASTS_S: Final = 366 * 86_400.0
LEAST_WIDTH: Final = {4: 8, 6: 16}
"""A subnet that is wider is not dropped: that would be the end of forwarding, not an act on a host."""
LEAST_RATE: Final = 8_000
MAX_RATE: Final = 1_000_000_000_000
"""Bits a second."""
MAX_DSCP: Final = 63


class Refusal(EacfError, ValueError):
    """An act that is not put in place. `reason`: a short fixed word for counters."""

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(why)
        self.reason = reason
        self.why = why


def allowed(act: Act, target: Target, policy: Policy) -> None:
    """Refusal where the policy acts on nothing, or leaves one of these addresses alone."""
    if policy.mode != "act":
        raise Refusal("dry_run", "dry-run")
    if isinstance(target, Pair):
        for address in (act.orig_h, act.resp_h):
            if policy.leaves_alone(address):
                raise Refusal("left_alone", f"the policy leaves {address} alone")
        return
    for network in policy.leave_alone:
        if network.version == target.version and network.overlaps(target):
            raise Refusal("left_alone", f"the policy leaves {network} alone")


def target_of(act: Act) -> Target:
    """What an act is about; Refusal where that is not for us."""
    if act.kind not in KINDS:
        raise Refusal("not_supported", f"no such kind of act: {act.kind[:32]}")
    if not 0 < act.lasts_s <= MAX_LASTS_S:
        raise Refusal("not_supported", f"lasts {act.lasts_s:g} s; must be above 0, and 366 days at most")
    if act.kind == "drop_host":
        version = act.orig_h.version
        if not LEAST_WIDTH[version] <= act.width <= FULL_WIDTH[version]:
            raise Refusal(
                "not_supported",
                f"width {act.width} of a subnet; must be {LEAST_WIDTH[version]} to {FULL_WIDTH[version]}",
            )
        return ip_network(f"{act.orig_h}/{act.width}", strict=False)
    if act.protocol not in ("tcp", "udp"):
        raise Refusal("not_supported", f"a connection of protocol {act.protocol}; only tcp and udp have ports")
    orig, resp = (act.orig_h, act.orig_p), (act.resp_h, act.resp_p)
    if act.orig_h.version != act.resp_h.version or orig == resp:
        raise Refusal("not_supported", "both ends of a connection must be of one IP version, and two")
    swapped = (int(act.orig_h), act.orig_p) > (int(act.resp_h), act.resp_p)
    return Pair(act.protocol, *((resp, orig) if swapped else (orig, resp)))


def element_of(act: Act, policy: Policy) -> Element:
    """What an act puts in place; Refusal where the policy has no such class, or there is nothing to put."""
    if act.kind != "qos":
        return Element(None)
    chosen = None
    if act.priority is not None:
        chosen = policy.classes.get(act.priority)
        if chosen is None:
            raise Refusal("no_class", f"the agent's policy has no class {act.priority[:64]}")
    if act.rate is not None and not LEAST_RATE <= act.rate <= MAX_RATE:
        raise Refusal("not_supported", f"rate {act.rate} bit/s; must be {LEAST_RATE:,} to {MAX_RATE:,}")
    if act.dscp is not None and not 0 <= act.dscp <= MAX_DSCP:
        raise Refusal("not_supported", f"dscp {act.dscp}; must be 0 to {MAX_DSCP}")
    if chosen is None and act.dscp is None and act.rate is None:
        raise Refusal("not_supported", "neither priority nor dscp nor rate")
    mark, tc = (None, None) if chosen is None else (chosen.mark, chosen.tc)
    marks = Marks(act.key, mark, tc, act.dscp, act.rate)
    low_is_orig = (int(act.orig_h), act.orig_p) <= (int(act.resp_h), act.resp_p)
    return Element(marks, low_is_orig or act.rate is None)
