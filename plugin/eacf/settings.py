"""Every setting of the worker: name, unit, default, range, and where its value came from.

A TOML file is overruled by the environment (``EACF_<KEY>``), that by flags (``--<key>``). An unknown key in a file and
a value out of range are errors that name the place, the key and what is allowed.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_type_hints

from eacf.errors import SettingError

PREFIX = "EACF_"
LOG_LEVELS = ("debug", "info", "warning", "error")
_ENDPOINT = re.compile(r"tcp://[^\s:/]+:\d{1,5}|tcp://\[[0-9a-fA-F:%.\w]+\]:\d{1,5}|ipc://\S+")


@dataclass(frozen=True)
class Range:
    """What a setting may be. The unit is for people; where `words` are given, the value is one of them."""

    what: str
    """One line for people."""
    low: float | None = None
    high: float | None = None
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.words:
            return ", ".join(self.words)
        return "" if self.low is None else f"{self.low} to {self.high}"


@dataclass(frozen=True)
class Settings:
    """The worker's settings; made by :func:`resolve`, or directly where the values are known to be good."""

    bundle: Annotated[
        Path | None, Range("Bundle to serve: a file, or the name of one that eacf ships; none: `public`.")
    ] = None
    shadow: Annotated[
        Path | None, Range("Bundle that scores beside the one that serves, and never answers; none: none.")
    ] = None
    model_store: Annotated[
        Path | None, Range("Folder of models that were pushed, and which of them serves; none: nothing is taken.")
    ] = None
    keep_models: Annotated[int, Range("Models kept in that folder, for a rollback.", 2, 1000)] = 10
    trusted_keys: Annotated[
        Path | None, Range("Public keys of those who may push models: a file, or a folder of .pub files.")
    ] = None
    subscribe_endpoint: Annotated[str, Range("Where the bus is heard (Zeek's XPUB socket).")] = "tcp://127.0.0.1:5555"
    publish_endpoint: Annotated[str, Range("Where the bus is spoken to (Zeek's XSUB socket).")] = "tcp://127.0.0.1:5556"
    bus_key: Annotated[
        Path | None, Range("Our secret key for a bus behind an `eacf relay` (NAME.curve); none: no keys.")
    ] = None
    bus_server_key: Annotated[Path | None, Range("That relay's public key (NAME.curve.pub).")] = None
    queue_flows: Annotated[int, Range("Flows that wait for the model; when full, the oldest go.", 1, 1_000_000)] = 4096
    queue_megabytes: Annotated[int, Range("Size of what waits for the model; when full, likewise.", 1, 16_384)] = 64
    receive_messages: Annotated[int, Range("Messages in the socket; more wait at the bus.", 1, 1_000_000)] = 10_000
    send_messages: Annotated[int, Range("Messages on their way out; when full, the next is dropped.", 1, 100_000)] = (
        1000
    )
    batch_flows: Annotated[int, Range("Flows in one run of the model at most.", 1, 32)] = 32
    verdict_hold_ms: Annotated[float, Range("Time for which verdicts wait for company in a rush.", 0, 1000)] = 2.0
    drain_s: Annotated[float, Range("Time to serve what is queued after SIGTERM; the rest is dropped.", 0, 600)] = 5.0
    threads: Annotated[int, Range("Threads of the model; a second one needs a core that idles.", 1, 64)] = 1
    truth_flows: Annotated[int, Range("Flows with a server name over which live accuracy is told.", 100, 100_000)] = (
        2000
    )
    truth_log: Annotated[Path | None, Range("File of live accuracy, a JSON line a minute; none: none.")] = None
    drift_alarms: Annotated[str, Range("Whether a drift is told to Zeek, for a notice.", words=("on", "off"))] = "on"
    metrics_port: Annotated[int, Range("Port on 127.0.0.1 for Prometheus; 0: none.", 0, 65_535)] = 0
    log_level: Annotated[str, Range("Least important line to log.", words=LOG_LEVELS)] = "info"

    def __post_init__(self) -> None:
        for key in SETTINGS:
            _check(key, getattr(self, key), "Settings()")
        if (self.bus_key is None) != (self.bus_server_key is None):
            there, missing = (
                ("bus_key", "bus_server_key") if self.bus_key is not None else ("bus_server_key", "bus_key")
            )
            raise SettingError(f"{there} is set and {missing} is not: a bus behind an `eacf relay` takes both")


class Setting(NamedTuple):
    """What is known of a setting besides its value."""

    kind: type
    default: Any
    allowed: Range


SETTINGS: dict[str, Setting] = {
    key: Setting(
        hint.__origin__ if isinstance(hint.__origin__, type) else Path, getattr(Settings, key), hint.__metadata__[0]
    )
    for key, hint in get_type_hints(Settings, include_extras=True).items()
}
"""Every setting, in the order of :class:`Settings`."""


@dataclass(frozen=True)
class Resolved:
    """Settings, and for each key what it came from."""

    settings: Settings
    origins: Mapping[str, str]
    """``"default"``, ``"file <path>"``, ``"environment EACF_<KEY>"`` or ``"flag --<key>"``."""
    strays: tuple[str, ...] = ()
    """Variables of the environment that begin with EACF_ and name no setting, each with what it may have meant: worth a
    warning and no more, since they may be somebody else's."""

    def rows(self) -> Iterator[tuple[str, object, str]]:
        """Key, value and origin of each setting, in order."""
        for key in SETTINGS:
            yield key, getattr(self.settings, key), self.origins[key]


def resolve(file: Path | None, environ: Mapping[str, str], flags: Mapping[str, object]) -> Resolved:
    """Settings of a file, an environment and flags (a flag that is None was not given).

    A relative path in a file is relative to the file's folder, elsewhere to the working directory. SettingError.
    """
    values: dict[str, object] = {}
    origins = dict.fromkeys(SETTINGS, "default")

    def take(key: str, value: object, origin: str, folder: Path | None = None) -> None:
        values[key] = _check(key, _typed(key, value, origin, folder), origin)
        origins[key] = origin

    if file is not None:
        for key, value in _read(file).items():
            if key not in SETTINGS:
                raise SettingError(f"file {file}: unknown key {key!r}{_meant(key)}; allowed: {', '.join(SETTINGS)}")
            take(key, value, f"file {file}", file.parent)
    for key in SETTINGS:
        name = PREFIX + key.upper()
        if name in environ:
            take(key, environ[name], f"environment {name}")
    for key, value in flags.items():
        if key not in SETTINGS:
            raise SettingError(f"flag {_flag(key)}: unknown{_meant(key)}; allowed: {', '.join(map(_flag, SETTINGS))}")
        if value is not None:
            take(key, value, f"flag {_flag(key)}")
    names = sorted(name for name in environ if name.startswith(PREFIX))
    strays = [name + _meant(name) for name in names if name.removeprefix(PREFIX).lower() not in SETTINGS]
    return Resolved(Settings(**values), origins, tuple(strays))  # type: ignore[arg-type]


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def _meant(name: str) -> str:
    """A remark on the setting that a misspelt name is closest to; empty where none is close."""
    close = difflib.get_close_matches(name.removeprefix(PREFIX).lower().replace("-", "_"), SETTINGS, n=1)
    return f" (did you mean {PREFIX + close[0].upper() if name.startswith(PREFIX) else close[0]}?)" if close else ""


def _read(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SettingError(f"file {file}: cannot be read ({reason}); give a TOML file of settings") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"file {file}: not TOML ({error})") from None


def _typed(key: str, value: object, origin: str, folder: Path | None) -> object:
    """The value in the setting's type: as a file has it (`folder`: where that is), or read from text."""
    kind = SETTINGS[key].kind
    if kind is Path and isinstance(value, (str, Path)) and str(value):
        return (folder or Path()) / Path(value).expanduser()
    if kind is str and isinstance(value, str):
        return value
    if kind in (int, float):
        if isinstance(value, str) and folder is None:
            try:
                return kind(value)
            except ValueError:
                raise _refused(key, value, origin) from None
        if isinstance(value, int | kind) and not isinstance(value, bool):
            return kind(value)
    raise _refused(key, value, origin)


def _check(key: str, value: Any, origin: str) -> object:
    """The value if it is in range; SettingError."""
    allowed = SETTINGS[key].allowed
    if allowed.words:
        fits = value in allowed.words
    elif allowed.low is not None and allowed.high is not None:
        fits = allowed.low <= value <= allowed.high
    else:
        fits = not key.endswith("_endpoint") or _ENDPOINT.fullmatch(value) is not None
    if not fits:
        raise _refused(key, value, origin)
    return value


def _refused(key: str, value: object, origin: str) -> SettingError:
    kind = {int: "a whole number", float: "a number", str: "one", Path: "a path"}[SETTINGS[key].kind]
    if key.endswith("_endpoint"):
        kind = "tcp://<host>:<port> or ipc://<path>"
    allowed = str(SETTINGS[key].allowed)
    return SettingError(
        f"{origin}: {key} = {str(value)[:200]!r} is not allowed; expected {kind}{' of ' + allowed if allowed else ''}"
    )
