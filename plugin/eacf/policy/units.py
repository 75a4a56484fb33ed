"""How the values of a policy are written. Each function returns the value, or raises ValueError with what is wanted."""

from __future__ import annotations

import re
from ipaddress import IPv6Network, ip_network

from eacf.policy.model import Network

DSCP = {f"cs{number}": 8 * number for number in range(8)}
DSCP |= {f"af{high}{low}": 8 * high + 2 * low for high in range(1, 5) for low in range(1, 4)}
DSCP |= {"ef": 46}
"""Names of code points (RFC 2474, RFC 2597, RFC 3246)."""
RATES = {"k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
LEAST_RATE, MOST_RATE = 8_000, 1_000_000_000_000
"""Below, the kernel's bucket of bytes a second has no whole number that comes near."""
TIMES = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST_S = 7 * 86_400
MAX_NAME = 64
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def dscp(said: str) -> int:
    """A code point's number, by its name."""
    if said in DSCP:
        return DSCP[said]
    raise ValueError("a DSCP is cs0 to cs7, af11 to af43, ef, or a number from 0 to 63")


def rate(said: str) -> int:
    """Bits a second."""
    found = re.fullmatch("([1-9][0-9]{0,8})([kmg])bit", said, re.ASCII)
    if found and LEAST_RATE <= (bits := int(found[1]) * RATES[found[2]]) <= MOST_RATE:
        return bits
    raise ValueError('a rate is a whole number with kbit, mbit or gbit, "5mbit", from 8kbit to 1000gbit')


def lasts(said: str) -> float:
    """Seconds."""
    found = re.fullmatch("([1-9][0-9]{0,8})([smhd])", said, re.ASCII)
    if found and (seconds := int(found[1]) * TIMES[found[2]]) <= LONGEST_S:
        return float(seconds)
    raise ValueError('a time is a whole number with s, m, h or d, "10m", and at most 7d')


def tc(said: str) -> int:
    """A class's handle: major number in the upper 16 bits."""
    if found := re.fullmatch("([0-9a-f]{1,4}):([0-9a-f]{1,4})", said):
        return int(found[1], 16) << 16 | int(found[2], 16)
    raise ValueError('a class of tc is two hexadecimal numbers of at most four digits, "1:10"')


def network(said: str) -> Network:
    """An address or a subnet; bits behind the prefix do not count. IPv4 within IPv6 is IPv4, as in Zeek."""
    try:
        if "%" in said or re.search("/.*[^0-9]", said):
            raise ValueError
        found = ip_network(said, strict=False)
    except ValueError:
        raise ValueError(f"{said} is no address and no subnet (10.0.0.0/24, 2001:db8::/32)") from None
    if isinstance(found, IPv6Network) and found.prefixlen >= 96 and found.network_address.ipv4_mapped is not None:
        return ip_network((found.network_address.ipv4_mapped, found.prefixlen - 96))
    return found


def is_name(said: str) -> bool:
    """Whether a label, a group or a class may be called so: what a verdict may hold."""
    return 0 < len(said.encode()) <= MAX_NAME and _CONTROL.search(said) is None


def rate_text(bits: int) -> str:
    """A rate in the largest unit that leaves a whole number."""
    for unit in ("g", "m"):
        if bits % RATES[unit] == 0:
            return f"{bits // RATES[unit]:,} {unit.upper()}bit/s"
    return f"{bits / RATES['k']:,g} kbit/s"


def lasts_text(seconds: float) -> str:
    """A time in the largest unit that leaves a whole number."""
    for unit, word in (("d", "day"), ("h", "hour"), ("m", "minute")):
        if seconds % TIMES[unit] == 0:
            count = int(seconds // TIMES[unit])
            return f"{count:,} {word}{'' if count == 1 else 's'}"
    return f"{seconds:,.0f} s"
