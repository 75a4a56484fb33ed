"""``eacf keys``: the keys that bundles and orders are signed with."""

from __future__ import annotations

import argparse
from pathlib import Path

DESCRIPTION = """\
A bundle that is pushed, and an order over the bus, is signed by whoever trains or operates; a worker takes
only what one of its trusted_keys signed. Ed25519, in PEM files."""

NEW = """\
Make a pair: NAME.key, which only its owner can read and which signs, and NAME.pub, which goes to the workers
(their setting trusted_keys). NAME.serial will appear beside it: the last number that was signed. Keep all
three together; where the key moves, the counter must move, too."""

EPILOG = """\
examples:
  eacf keys new /etc/eacf/ops                   /etc/eacf/ops.key and /etc/eacf/ops.pub
  eacf keys new --curve /etc/eacf/gpu1          /etc/eacf/gpu1.curve and /etc/eacf/gpu1.curve.pub
  eacf keys show /etc/eacf/trusted              every .pub file of a folder
  eacf worker --model-store /var/lib/eacf/models --trusted-keys /etc/eacf/trusted"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(
        "keys",
        help="make and show keys for signed bundles",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=raw,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="make a pair of keys", description=NEW, formatter_class=raw)
    new.add_argument("name", type=Path, metavar="NAME", help="the files are NAME.key and NAME.pub")
    new.add_argument("--curve", action="store_true", help="a key for a bus behind `eacf relay`, which does not sign")
    new.set_defaults(run=run_new)
    show = actions.add_parser(
        "show",
        help="id and fingerprint of keys",
        description="Show the id of each key, by which signatures name it, and its fingerprint (SHA-256 of the public key).",
        formatter_class=raw,
    )
    show.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a .key or .pub file, or a folder of .pub files"
    )
    show.set_defaults(run=run_show)


def run_new(options: argparse.Namespace) -> int:
    """Make them, and say what to do with each."""
    if options.curve:
        from eacf import curve

        pair, secret_file, public_file = curve.new(options.name)
        print(f"{secret_file}  opens the bus; keep it to yourself (bus_key, or the relay's --key)")
        print(f"{public_file}  goes to the other end; public key {pair.public}")
        return 0
    from eacf import keys

    key, public = keys.new(options.name)
    print(f"{key.path}  signs; keep it to yourself")
    print(f"{public}  goes to the workers (trusted_keys); key {key.id}")
    return 0


def run_show(options: argparse.Namespace) -> int:
    """A line for each key."""
    from eacf import keys

    for path in options.files:
        private = path.suffix == ".key"
        found = [keys.PrivateKey.read(path).public] if private else keys.public_keys(path)
        for key in found:
            print(f"{key.id}  {'private' if private else 'public '}  SHA256:{key.fingerprint}  {path}")
    return 0
