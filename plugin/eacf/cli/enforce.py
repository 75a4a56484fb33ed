"""``eacf enforce``: the agent on a Linux gateway, which puts into nftables what Zeek asks for."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from eacf.cli.flags import BUS, bus_of, resolved_settings, settings_flags
from eacf.errors import SettingError

DESCRIPTION = """\
Act on verdicts, on the gateway: hear on the bus what Zeek asks for by its policy, and keep that in a table of
nftables (inet eacf) with its time: connections get a mark, a priority, a DSCP or a rate, or are dropped; hosts
are dropped. Until SIGTERM or Ctrl-C, when the table goes and with it every rule.

It fails open: packets never wait for a verdict, and without agent, bus, Zeek or worker they are forwarded as
ever. It acts only where the policy says mode = "act", never on addresses that the policy leaves alone, and
within the policy's bounds. SIGHUP, or another file in its place, has the policy read again.

It needs CAP_NET_ADMIN and no other privilege. The bus is found as `eacf worker` finds it (flags, EACF_
environment, --config)."""

EPILOG = """\
examples:
  eacf enforce --policy /etc/eacf/policy.toml
  eacf enforce --policy /etc/eacf/policy.toml --state /var/lib/eacf/enforce   rules outlive a restart
  nft list table inet eacf                                                    what is in place

exit codes: 0 ended in order, 1 the kernel or the bus does not let it work, 2 a mistake in the command, a setting
or the policy"""

MAX_PORT = 65_535


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "enforce",
        help="put into nftables what Zeek asks for",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flag = parser.add_argument
    flag("--policy", type=Path, required=True, metavar="FILE", help="the policy, the same file that Zeek reads")
    flag("--state", type=Path, metavar="DIR", help="a folder from which rules are put back after a restart (none)")
    flag("--metrics-port", type=int, default=0, metavar="N", help="Prometheus metrics on 127.0.0.1; 0: none (0)")
    flag("--log-level", default="info", choices=("debug", "info", "warning", "error"), help="what is logged (info)")
    settings_flags(parser, *BUS)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until the end; returns the exit code."""
    if not 0 <= options.metrics_port <= MAX_PORT:
        raise SettingError(f"--metrics-port {options.metrics_port}: must be 0 (none) to {MAX_PORT:,}")
    endpoints = bus_of(resolved_settings(options).settings)
    from eacf.enforce.loop import Place
    from eacf.enforce.loop import run as serve

    logging.basicConfig(level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    return serve(Place(endpoints, options.policy, options.state, options.metrics_port))
