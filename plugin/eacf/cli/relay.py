"""``eacf relay``: the bus of this machine, offered to others under CURVE."""

from __future__ import annotations

import argparse
import logging
import re
from pathlib import Path

from eacf.cli.flags import resolved_settings, settings_flags
from eacf.errors import SettingError

DESCRIPTION = """\
Offer a loopback bus to workers, collectors, trainers and gateways on other machines, encrypted and
authenticated by ZeroMQ's CURVE. It runs beside Zeek, connects to its bus, and lets in whoever's public key lies
in a folder; Zeek discovers them as if they were here. Until SIGTERM.

The sub-folder says what a client may say and hear: worker, collect, train, status, enforce; a key that lies in
the folder itself may do all of these. Nothing else passes, in particular no event of Zeek itself. A key that is
put there is let in at once, one that is taken away is cut off within a second or two.

Nothing waits for a client: what it is too slow for it misses, counted. Protect the ports by a firewall all the
same: who may knock can be answered."""

EPILOG = """\
examples:
  eacf keys new --curve /etc/eacf/relay               on the sensor: relay.curve, relay.curve.pub
  eacf keys new --curve /etc/eacf/gpu1                on the other machine; gpu1.curve.pub goes to the sensor, as
                                                      /etc/eacf/clients/worker/gpu1.curve.pub
  eacf relay --listen tcp://192.0.2.1:5557 --key /etc/eacf/relay.curve --clients /etc/eacf/clients
  eacf worker --subscribe-endpoint tcp://192.0.2.1:5557 --publish-endpoint tcp://192.0.2.1:5558 \\
              --bus-key /etc/eacf/gpu1.curve --bus-server-key /etc/eacf/relay.curve.pub

exit codes: 0 ended in order, 1 an address cannot be had, 2 a mistake in the command, a setting or a key"""

MAX_PORT = 65_535
MAX_QUEUE = 100_000
_LISTEN = re.compile(r"(tcp://(?:[^\s:/\[\]]+|\[[0-9a-fA-F:%.\w]+\])):(\d{1,5}|\*)|ipc://\S+")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    parser = commands.add_parser(
        "relay",
        help="offer this machine's bus to others, encrypted",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flag = parser.add_argument
    flag("--listen", required=True, metavar="ENDPOINT", help="where clients hear the bus, like tcp://192.0.2.1:5557")
    flag("--listen-publish", metavar="ENDPOINT", help="where they speak to it (the next port after that of --listen)")
    flag("--key", type=Path, required=True, metavar="FILE", help="the relay's secret key, NAME.curve")
    flag("--clients", type=Path, required=True, metavar="DIR", help="public keys of those who are let in, by role")
    what = "messages that wait for one client at most; further ones it misses (1000)"
    flag("--queue-messages", type=int, default=1000, metavar="N", help=what)
    flag("--metrics-port", type=int, default=0, metavar="N", help="Prometheus metrics on 127.0.0.1; 0: none (0)")
    flag("--log-level", default="info", choices=("debug", "info", "warning", "error"), help="what is logged (info)")
    settings_flags(parser, "subscribe_endpoint", "publish_endpoint")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until the end; returns the exit code."""
    if not 0 <= options.metrics_port <= MAX_PORT:
        raise SettingError(f"--metrics-port {options.metrics_port}: must be 0 (none) to {MAX_PORT:,}")
    if not 1 <= options.queue_messages <= MAX_QUEUE:
        raise SettingError(f"--queue-messages {options.queue_messages}: must be 1 to {MAX_QUEUE:,}")
    listen = _checked("--listen", options.listen)
    publish = _checked("--listen-publish", options.listen_publish or _next(listen))
    settings = resolved_settings(options).settings
    from eacf.bus import Endpoints
    from eacf.relay.loop import Place
    from eacf.relay.loop import run as serve

    logging.basicConfig(level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    bus = Endpoints(settings.subscribe_endpoint, settings.publish_endpoint)
    return serve(
        Place(
            bus, Endpoints(listen, publish), options.key, options.clients, options.queue_messages, options.metrics_port
        )
    )


def _checked(flag: str, endpoint: str) -> str:
    found = _LISTEN.fullmatch(endpoint)
    if found is None or (found[2] not in (None, "*") and not 0 < int(found[2]) <= MAX_PORT):
        raise SettingError(f"{flag} {endpoint[:200]!r}: must read like tcp://192.0.2.1:5557 or ipc:///run/eacf/relay")
    return endpoint


def _next(endpoint: str) -> str:
    """The endpoint of the next port."""
    found = _LISTEN.fullmatch(endpoint)
    if found is None or found[2] is None:
        raise SettingError(f"--listen-publish: must be named, too, where --listen is {endpoint!r}")
    return f"{found[1]}:{'*' if found[2] == '*' else int(found[2]) + 1}"
