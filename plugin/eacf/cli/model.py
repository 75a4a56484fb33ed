"""``eacf model``: which models a worker keeps, which of them serves, and changing that, here or over the bus."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from eacf.cli.flags import ANSWER_S, BUS, bus_of, resolved_settings, settings_flags, timeout_fits
from eacf.errors import SettingError

if TYPE_CHECKING:
    from eacf.models import State, Store
    from eacf.settings import Resolved, Settings

DESCRIPTION = """\
The models that workers keep. With --store DIR (or the setting model_store): those of this machine's worker,
which takes a change at once (SIGHUP). With --key NAME.key: an order over the bus to every worker that trusts
that key. `list` without a store asks all workers on the bus."""

EPILOG = """\
examples:
  eacf model list --store /var/lib/eacf/models     kept models: parent, what they learnt from, the gate's figures
  eacf model list                                  of every worker on the bus
  eacf model rollback --store /var/lib/eacf/models the model that served before serves again, at once
  eacf model promote 4ab125962fa5 --key ops.key    over the bus: that kept model serves from now on
  eacf model promote office.eacf --store DIR       a file that was carried here by hand
  eacf model shadow off --store DIR                nothing scores beside the model that serves

exit codes: 0 done, 1 the work failed or no worker took the order, 2 a mistake in the command or a setting"""

WORDS = {
    "promote": "have a kept model, or a file, serve from now on",
    "rollback": "have the model that served before, or another kept one, serve again",
    "shadow": "have a kept model, or a file, score beside the one that serves; off: none",
}
ORDER_S = 20.0
"""How long an order waits for its answers: a worker tries the model in a process of its own first."""
_ID = re.compile("[0-9a-f]{12}")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its options."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(
        "model", help="models that a worker keeps", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    shown = actions.add_parser(
        "list", help="kept models and where they come from", description=DESCRIPTION, formatter_class=raw
    )
    shown.add_argument("--bus", action="store_true", help="ask the workers on the bus, also where a store is set")
    shown.add_argument("--history", action="store_true", help="what was changed, when and by whom, too")
    shown.add_argument("--json", action="store_true", help="as JSON, an object for each store or worker")
    _common(shown, ANSWER_S)
    shown.set_defaults(run=run_list)
    for action, word in WORDS.items():
        changed = actions.add_parser(action, help=word, description=DESCRIPTION, formatter_class=raw)
        what = {"promote": "ID|FILE", "rollback": "ID", "shadow": "ID|FILE|off"}[action]
        changed.add_argument(
            "model",
            metavar=what,
            help="a model's id, or with --store a file",
            nargs="?" if action == "rollback" else None,
        )
        changed.add_argument("--key", type=Path, metavar="NAME.key", help="sign an order and send it over the bus")
        _common(changed, ORDER_S)
        changed.set_defaults(run=run_change, action=action)


def _common(parser: argparse.ArgumentParser, wait_s: float) -> None:
    parser.add_argument("--store", dest="model_store", metavar="DIR", help="model_store of this machine's worker")
    settings_flags(parser, *BUS)
    what = f"listen on the bus for so many seconds at most ({wait_s:g})"
    parser.add_argument("--timeout", type=float, default=wait_s, metavar="S", help=what)


def run_list(options: argparse.Namespace) -> int:
    """Of the store, or of every worker on the bus."""
    settings = resolved_settings(options).settings
    if settings.model_store is None or options.bus:
        return _list_bus(options, settings)
    state = _store(settings).state()
    if options.json:
        print(json.dumps(asdict(state)))
    else:
        _show(json.loads(state.document()), options)
    return 0


def _list_bus(options: argparse.Namespace, settings: Settings) -> int:
    timeout_fits(options)
    from eacf.reports import is_worker, name_of
    from eacf.status import ask

    endpoints = bus_of(settings)
    workers = [each for each in ask(endpoints, options.timeout) if is_worker(each)]
    for worker in workers:
        models = worker.get("models")
        if options.json:
            print(json.dumps({"worker": worker.get("worker"), "bundle": worker.get("bundle"), "models": models}))
        elif isinstance(models, dict):
            print(f"worker {name_of(worker)}")
            _show(models, options)
        else:
            print(f"worker {name_of(worker)}: keeps no models (no model_store)")
    if not workers:
        where = f"{endpoints.subscribe} and {endpoints.publish}"
        print(f"eacf: no worker answered within {options.timeout:g} s on {where}", file=sys.stderr)
        return 1
    return 0


def _show(models: dict[str, object], options: argparse.Namespace) -> None:
    from eacf.cli.kept import COLUMNS, STEPS, rows, show, steps
    from eacf.reports import count

    show(COLUMNS, rows(models))
    if older := count(models.get("older")):
        print(f"and {older:,} older ones; --store on that machine shows all")
    if options.history:
        print()
        show(STEPS, steps(models))


def run_change(options: argparse.Namespace) -> int:
    """Change the store of this machine, or send an order."""
    resolved = resolved_settings(options)
    if options.key is not None:
        return _order(options, resolved)
    if resolved.settings.model_store is None:
        raise SettingError("say --store DIR for this machine's worker, or --key NAME.key for an order over the bus")
    return _change(options, resolved.settings)


def _change(options: argparse.Namespace, settings: Settings) -> int:
    store = _store(settings, create=options.model is not None and not _ID.fullmatch(options.model))
    model_id = _wanted(options, store, settings)
    done = _apply(store, options.action, model_id)
    print(_now(done, options.action), flush=True)
    if store.tell_holder():
        print("the worker takes it now; what it says is in its log and in `eacf status`")
    else:
        print("no worker serves from this store now; the next one will")
    return 0


def _wanted(options: argparse.Namespace, store: Store, settings: Settings) -> str | None:
    """The id of the model that is meant, tried in a process of its own and kept; None: no shadow."""
    from eacf.bundle import find, read_file
    from eacf.errors import BundleError
    from eacf.inference.probing import probe

    if options.action == "shadow" and options.model == "off":
        return None
    state = store.state()
    if options.action == "rollback" or _ID.fullmatch(options.model):
        try:
            model_id = state.rollback_target(options.model)
        except BundleError as error:
            raise SettingError(f"{store.folder}: {error}") from None
        probe(read_file(store.path(model_id)), str(store.path(model_id)))
        return model_id
    path = find(options.model)
    if not path.exists():
        raise SettingError(f"{path}: is no model's id (12 hex digits), and no such file")
    data = read_file(path)
    probe(data, str(path))
    return store.keep(data, signature=None, now=time.time())


def _apply(store: Store, action: str, model_id: str | None) -> State:
    why, now = f"eacf model {action}", time.time()
    if action == "shadow":
        return store.shadow(model_id, by=None, why=why, now=now)
    if action == "rollback" or model_id is None:
        return store.rollback(model_id, by=None, why=why, now=now)
    return store.serve(model_id, by=None, why=why, now=now)


def _now(state: State, action: str) -> str:
    model_id = state.shadow if action == "shadow" else state.serving
    if model_id is None:
        return "no model scores beside the one that serves"
    kept = next(each for each in state.kept if each.id == model_id)
    return f"model {kept.id} ({kept.name} {kept.version}) {'scores' if action == 'shadow' else 'serves'} from now on"


def _order(options: argparse.Namespace, resolved: Resolved) -> int:
    """Sign, send, and say what each worker made of it; 1 unless all of them took it."""
    timeout_fits(options)
    if resolved.origins["model_store"].startswith("flag"):
        raise SettingError("--store and --key: say one; with a key the order goes over the bus, to every worker")
    model_id = None if options.model == "off" and options.action == "shadow" else options.model
    if model_id is not None and not _ID.fullmatch(model_id):
        raise SettingError(
            f"{model_id}: an order names a kept model by its id (12 hex digits); a file is for `eacf-train push`"
        )
    from eacf.delivery import send_order
    from eacf.keys import PrivateKey, next_serial
    from eacf.models import orders

    key = PrivateKey.read(options.key)
    order = orders.sign(options.action, model_id, key, next_serial(options.key, time.time()))
    outcomes = send_order(bus_of(resolved.settings), order, wait_s=options.timeout)
    for worker, outcome in sorted(outcomes.items()):
        print(f"worker {worker}: {outcome.what}{': ' + outcome.reason if outcome.reason else ''}")
    if not outcomes:
        print("eacf: no worker on the bus takes orders (model_store and trusted_keys must be set)", file=sys.stderr)
    return 0 if outcomes and all(each.taken for each in outcomes.values()) else 1


def _store(settings: Settings, *, create: bool = False) -> Store:
    from eacf.models import Store

    assert settings.model_store is not None
    return Store.open(settings.model_store, keep_models=settings.keep_models, create=create)
