"""All settings of the loop: a TOML file, overruled by flags. Each table is the settings of one part."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from eacf.errors import SettingError
from eacf_trainer.recipe import STRICT, Share
from eacf_trainer.watch.triggers import Triggers


def _folds(value: int) -> int:
    if value == 1:
        raise PydanticCustomError("folds", "Allowed: 0, or 2 to 20")
    return value


@dataclass(frozen=True, config=STRICT)
class Samples:
    """Which samples are for what. Table ``[samples]``."""

    quarantine_s: Annotated[float, Field(ge=0)] = 600.0
    """How long a sample waits before it counts: time in which an operator can purge what a client poisons."""
    judged: Annotated[float, Field(gt=0, lt=0.9)] = 0.2
    """The newest share of the samples since the last accepted update judges and does not train."""
    judged_most: Annotated[int, Field(ge=10)] = 2000
    calibrating: Annotated[float, Field(gt=0, lt=0.9)] = 0.1
    """Share of all samples, chosen by their ids once and for ever, that calibrates and never trains."""
    calibrating_least: Annotated[int, Field(ge=10)] = 150
    calibrating_most: Annotated[int, Field(ge=10)] = 1000
    """Of these the newest: twice as many as came since the last accepted update, within these bounds. Older ones say what traffic was."""
    learnt_most: Annotated[int, Field(ge=50)] = 6000
    """Samples that learn at most; new ones go before older ones."""
    replay: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Older samples of each label for every new one of a usual label, the newest first; a label with fewer new ones gets more."""


@dataclass(frozen=True, config=STRICT)
class Update:
    """How a clone learns. Table ``[update]`` of a watch file."""

    start: Literal["clone", "scratch"] = "clone"
    """From the parent's weights, or from none (the same recipe anew)."""
    bins: Literal["refit", "keep"] = "refit"
    """Features on lengths: learn bins anew and carry the weights over, or leave them as the parent has them."""
    epochs: Annotated[int, Field(ge=0, le=10_000)] = 0
    """0: as many as the recipe says."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the recipe's."""
    new_label: Annotated[int, Field(ge=2)] = 40
    """Samples from which on a label that the parent does not know gets an output."""
    new_label_clients: Annotated[int, Field(ge=1)] = 2
    """Clients that they must come from, at least."""
    absent: Annotated[int, Field(ge=0)] = 20
    """A label with fewer samples than this is also kept by rows that the parent kept."""
    folds: Annotated[int, Field(ge=0, le=20), AfterValidator(_folds)] = 3
    """Further trainings, each without a part of the new samples, which calibrates then; 0: only what was held out calibrates. Not 1,
    which would learn from no new sample."""
    stale: bool = True
    """Whether older samples that the new ones contradict are left out: their application has changed."""
    stale_own: Share = 0.2
    """Contradicted: the new ones give its label this probability at most..."""
    stale_other: Share = 0.5
    """...and another one this at least."""
    doubt: bool = True
    """Whether samples that the others contradict are left out."""
    doubt_own: Share = 0.1
    """Contradicted: the others give its own label this probability at most..."""
    doubt_other: Share = 0.6
    """...and another one this at least."""
    doubt_most: Share = 0.2
    """Of one label no more than this share is left out."""


@dataclass(frozen=True, config=STRICT)
class Gate:
    """What a candidate must reach. Table ``[gate]`` of a watch file."""

    alpha: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    """Greatest probability, by the test, that it is not better in macro-F1."""
    draws: Annotated[int, Field(ge=200, le=100_000)] = 2000
    """Of the bootstrap."""
    clients: Annotated[int, Field(ge=2)] = 20
    """Judged clients from which on whole clients are drawn, not flows."""
    least: Annotated[int, Field(ge=1)] = 100
    """Judged samples of labels without which nothing is accepted."""
    label_flows: Annotated[int, Field(ge=1)] = 20
    """Judged samples of a label from which on its loss counts."""
    label_loss: Share = 0.1
    """F1 that such a label may lose."""
    abstained: Share = 0.5
    """Share of known flows that it may leave unanswered..."""
    abstained_more: Share = 0.05
    """...or so much more than the serving model does, whichever is greater; more if right answers less wrong ones are more."""
    calibration_error: Share = 0.1
    """Expected calibration error likewise: this, or the serving model's and `calibration_more`."""
    calibration_more: Share = 0.03
    unknown_said: Share = 0.15
    """Share of flows of no label that get one likewise."""
    unknown_more: Share = 0.05
    unknown_flows: Annotated[int, Field(ge=1)] = 20
    """Judged flows of no label from which on that counts."""
    latency_us: Annotated[float, Field(gt=0)] = 100.0
    """Microseconds a flow in the model (batch of 32, one thread)..."""
    latency_times: Annotated[float, Field(ge=1)] = 1.5
    """...if that is also so many times what the serving model takes."""
    size_kb: Annotated[float, Field(gt=0)] = 2000.0
    """Size of the model file at most."""
    golden_loss: Share = 0.02
    """Share of the operator's golden samples that may get another label than the right one beyond the serving model's."""


@dataclass(frozen=True, config=STRICT)
class Process:
    """What the training process may take. Table ``[process]``."""

    niceness: Annotated[int, Field(ge=0, le=19)] = 15
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    memory_mb: Annotated[int, Field(ge=100)] = 2000
    """Resident; a training that takes more is ended, and the update has failed."""
    timeout_s: Annotated[float, Field(gt=0)] = 900.0
    """Likewise."""


@dataclass(frozen=True, config=STRICT)
class Delivery:
    """How a model leaves. Table ``[delivery]``."""

    key: str = ""
    """Private key (`eacf keys new`) that signs; empty: nothing is signed, and nothing pushed."""
    push: bool = True
    """Whether a signed model goes out over the bus."""
    wait_s: Annotated[float, Field(gt=0)] = 30.0
    """How long workers may take."""
    again_s: Annotated[float, Field(gt=0)] = 60.0
    """A push that reached nobody is tried again after so long."""
    out: str = ""
    """A file in which the newest accepted bundle lies, for sites that carry it by hand; empty: only the run folder has it."""


@dataclass(frozen=True, config=STRICT)
class Settings:
    """All of them."""

    paper: bool = False
    """As the paper does (III-C): all new samples train and are removed then, the clone replaces the model unseen."""
    poll_s: Annotated[float, Field(gt=0, le=3600)] = 5.0
    """How often the database is asked how many samples there are."""
    keep_runs: Annotated[int, Field(ge=2)] = 20
    """Run folders of accepted models that are kept; the serving one and its parent always are."""
    keep_failed: Annotated[int, Field(ge=1)] = 10
    """Run folders of candidates that failed."""
    golden: str = ""
    """A recording whose samples every candidate is asked about; empty: none."""
    labels: str = "domains"
    """The label map that the collector has, for golden samples and for names of new labels."""
    seed: Annotated[int, Field(ge=0, le=1_000_000_000)] = 1
    triggers: Triggers = Triggers()
    samples: Samples = Samples()
    update: Update = Update()
    gate: Gate = Gate()
    process: Process = Process()
    delivery: Delivery = Delivery()

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


ADAPTER = TypeAdapter(Settings)


def resolve(file: Path | None, flags: Mapping[str, Any]) -> Settings:
    """Settings of a file and of flags (``{"paper": True, "delivery.key": "..."}``; a flag that is None was not given). SettingError."""
    document: dict[str, Any] = {}
    if file is not None:
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingError(f"--settings {file}: {error.strerror}; name a settings file (.toml)") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingError(f"--settings {file}: is no TOML ({error})") from None
    for key, value in flags.items():
        if value is not None:
            table, _, name = key.rpartition(".")
            place = document.setdefault(table, {}) if table else document
            if not isinstance(place, dict):
                raise SettingError(f"--settings {file}: {table} must be a table, as [{table}]")
            place[name] = value
    return parse(document, str(file or "the command"))


def parse(document: Mapping[str, Any], source: str) -> Settings:
    """From TOML's or JSON's values; `source` names them in messages. SettingError."""
    try:
        return ADAPTER.validate_python(document)
    except ValidationError as error:
        raise SettingError("; ".join(_problem(each, source) for each in error.errors()[:3])) from None


def _problem(error: Any, source: str) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "settings"
    if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{source}: {key}: no such key; see docs/learning.md for those there are"
    given = error["input"] if isinstance(error["input"], str | int | float | bool) else type(error["input"]).__name__
    return f"{source}: {key} is {str(given)[:60]!r}: {error['msg'][0].lower()}{error['msg'][1:]}"
