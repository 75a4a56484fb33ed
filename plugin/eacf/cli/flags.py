"""Flags that several commands share: one for each setting, and where the bus is."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from eacf.errors import SettingError

if TYPE_CHECKING:
    from eacf.bus import Endpoints
    from eacf.settings import Resolved, Settings

BUS = ("subscribe_endpoint", "publish_endpoint", "bus_key", "bus_server_key")
"""The settings that a command needs which only asks."""
ANSWER_S = 2.0
"""How long such a command listens for answers unless told otherwise."""


def settings_flags(parser: argparse.ArgumentParser, *only: str) -> None:
    """A flag for each setting, or for these; none has a default here, so that it is known which were given."""
    from eacf.settings import SETTINGS

    parser.add_argument("--config", type=Path, metavar="FILE", help="a TOML file of settings")
    for key in only or SETTINGS:
        setting = SETTINGS[key]
        allowed = f" [{setting.allowed}]" if str(setting.allowed) else ""
        default = "" if setting.default is None else f" (default: {setting.default})"
        metavar = {int: "N", float: "X", Path: "FILE", str: "TEXT"}[setting.kind]
        help_text = f"{setting.allowed.what}{allowed}{default}".replace("%", "%%")
        parser.add_argument("--" + key.replace("_", "-"), metavar=metavar, help=help_text)


def timeout_flag(parser: argparse.ArgumentParser) -> None:
    """How long to wait for answers."""
    what = f"listen for so many seconds ({ANSWER_S:g})"
    parser.add_argument("--timeout", type=float, default=ANSWER_S, metavar="S", help=what)


def resolved_settings(options: argparse.Namespace) -> Resolved:
    """What the flags, the environment and the file say; a stray variable is worth a word on standard error."""
    from eacf.settings import SETTINGS, resolve

    flags = {key: getattr(options, key) for key in SETTINGS if hasattr(options, key)}
    resolved = resolve(options.config, os.environ, flags)
    for stray in resolved.strays:
        print(f"eacf: environment {stray} names no setting; ignored", file=sys.stderr)
    return resolved


def bundle_exists(resolved: Resolved) -> None:
    """SettingError where a bundle is named, to serve or to score, that is not there."""
    for key in ("bundle", "shadow"):
        bundle = getattr(resolved.settings, key)
        if bundle is None or bundle.exists():
            continue
        from eacf.bundle import find, shipped

        if not find(bundle).exists():
            raise SettingError(
                f"{resolved.origins[key]}: {bundle}: no such file; name a bundle (.eacf), or a shipped one: "
                f"{', '.join(shipped())}"
            )


def timeout_fits(options: argparse.Namespace) -> None:
    """SettingError where --timeout is no time to wait for."""
    if not 0 < options.timeout < float("inf"):
        raise SettingError(f"--timeout {options.timeout:g}: must be a number of seconds above 0")


def bus_of(settings: Settings) -> Endpoints:
    """Where the bus is. SettingError where a key of it cannot be read."""
    from eacf.bus import Endpoints

    return Endpoints.of(settings)
