"""A recipe: all that is decided before a fit begins, as frozen dataclasses read from a TOML file.

Nothing else decides a result: the same recipe, dataset, label map and seed on the same machine give the same bundle bytes.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from eacf.errors import SettingError

STRICT = ConfigDict(extra="forbid")
SHIPPED = Path(__file__).parent / "recipes"

Cut = Literal["records", "stream"]
"""How a sample was taken: record lengths alone, as TLS analysis tells of them, or from the reassembled stream."""
Protocol = Literal["grouped", "random", "environment", "client", "time"]
"""What folds keep whole: captures (with copies across captures merged), nothing, folders of captures, clients, or the past."""
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, config=STRICT)
class Input:
    """What a model sees of a flow (eacf.features)."""

    features: Literal["lengths", "paper", "payload", "gaps"] = "lengths"
    records: Annotated[int, Field(ge=1, le=16)] = 8
    """Record lengths that are looked at (lengths). What follows says which values are taken of them: eacf.features.Layout."""
    places: Annotated[int, Field(ge=0, le=16)] = 4
    sides: Annotated[int, Field(ge=0, le=16)] = 3
    large: Annotated[int, Field(ge=0, le=16)] = 2
    large_bytes: Annotated[int, Field(ge=0, le=65536)] = 100
    totals: bool = True
    bins: Annotated[int, Field(ge=4, le=256)] = 64
    """For each value (lengths)."""
    len_bytes: Annotated[int, Field(ge=1, le=65536)] = 3000
    """Bytes (paper, payload) or window (gaps)."""
    gaps: Annotated[int, Field(ge=1, le=1024)] = 16
    """Gaps (gaps)."""
    cuts: tuple[Cut, ...] = ("records", "stream")
    """Cuts that samples may come from: of each connection the one that a sensor would send, the other where there is none."""


@dataclass(frozen=True, config=STRICT)
class Network:
    """What it is."""

    kind: Literal["dense", "paper-cnn", "estimator"] = "dense"
    hidden: tuple[Positive, ...] = (160, 64)
    """Widths of the dense layers (dense)."""
    members: Annotated[int, Field(ge=1, le=16)] = 1
    """Networks that are trained side by side and merged into one, whose logits are their mean (dense)."""
    dropout: Share = 0.2
    """Of the dense layers (dense); the paper's is part of its network."""
    estimator: str = ""
    """A scikit-learn class with arguments, as ``sklearn.svm.SVC(C=10)`` (estimator). It can be judged, not exported."""


@dataclass(frozen=True, config=STRICT)
class Outliers:
    """What the output "none of these" learns from; all shares are rows for each row of a known flow, as drawn in an epoch."""

    made_up: Rate = 0.0
    """Made-up flows (eacf_trainer.outliers)."""
    background: Rate = 0.0
    """Real flows of labels that are too rare to learn, and of names without a label."""
    pool: Positive = 5
    """Epochs' worth of made-up rows to draw from."""


@dataclass(frozen=True, config=STRICT)
class Teacher:
    """Estimators that learn the same flows first, and whose opinion the network learns (distillation)."""

    estimators: tuple[str, ...] = ()
    """Each one line, as in ``network.estimator``; their probabilities are averaged."""
    share: Share = 0.0
    """How much the opinion counts against the label, on real flows."""
    recombined: Rate = 0.0
    """Flows made of the values of two real ones, for each real one, as drawn in an epoch; their target is the opinion alone."""
    pool: Positive = 10
    """Epochs' worth of them to draw from."""


@dataclass(frozen=True, config=STRICT)
class Training:
    """How it learns. The defaults are the paper's where the paper says something."""

    epochs: Positive = 100
    batch: Positive = 64
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.0005
    decay: bool = False
    """Whether the learning rate falls to 0 along a cosine."""
    balance: Literal["none", "weights"] = "none"
    """Weights: flows of rare labels count more, by the square root of how much rarer they are."""
    flows_per_label: Count = 0
    """Most flows of one label, drawn at random; 0: all."""
    outliers: Outliers = Outliers()
    teacher: Teacher = Teacher()


@dataclass(frozen=True, config=STRICT)
class Labels:
    """Which labels are learnt. Those that are not are background, and the run says which and why."""

    least_flows: Positive = 30
    least_captures: Positive = 3
    """With fewer no grouped split can judge the label."""
    kinds: tuple[Literal["application", "ads", "cdn"], ...] = ("application", "ads", "cdn")
    """Kinds of the label map that are learnt."""


@dataclass(frozen=True, config=STRICT)
class Split:
    """How a run judges itself."""

    by: Protocol = "grouped"
    """The folds that figures, calibration and thresholds come from."""
    beside: tuple[Protocol, ...] = ("random",)
    """Others that are shown beside it; the report needs one at least."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    inner: Annotated[int, Field(ge=2, le=20)] = 4
    """Folds of each training part, whose pooled answers calibrate the fold's model."""
    test_share: Share = 0.2
    """The newest part, which judges (time)."""
    hidden_labels: Count = 3
    """Labels that are held out together to judge how unknown flows are known; 0: none are."""


@dataclass(frozen=True, config=STRICT)
class Verdicts:
    """When a model may speak."""

    precision: Share = 0.95
    """Share of right answers that a label's threshold must reach on held-out groups."""
    known_refused: Share = 0.05
    """Share of known flows that may be taken for unknown."""


@dataclass(frozen=True, config=STRICT)
class Recipe:
    """One model: what it sees, what it is, how it learns, how it is judged, when it may speak."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    version: Annotated[str, Field(pattern=r"^[ -~]{1,40}$")] = "1"
    about: str = ""
    input: Input = Input()
    network: Network = Network()
    training: Training = Training()
    labels: Labels = Labels()
    split: Split = Split()
    verdicts: Verdicts = Verdicts()
    compare: tuple[str, ...] = ()
    """Estimators that are judged on the same folds and the same values, each one line, as in ``network.estimator``."""
    early: tuple[Annotated[int, Field(ge=1, le=16)], ...] = ()
    """Numbers of records at which the same recipe is judged too."""
    lighter: str = ""
    """How this differs from the full setting; empty: it is the full one. Goes into the manifest."""

    def document(self) -> dict[str, Any]:
        """As JSON values, all of them."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @property
    def id(self) -> str:
        """12 hex digits of what it says."""
        return hashlib.sha256(json.dumps(self.document(), sort_keys=True).encode()).hexdigest()[:12]


ADAPTER = TypeAdapter(Recipe)


def names() -> list[str]:
    """Of the recipes that eacf ships."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load(name_or_file: str) -> Recipe:
    """A shipped recipe by its name, or a file's. Raises SettingError that names file, key and what is allowed."""
    path = Path(name_or_file)
    if path.suffix != ".toml":
        path = SHIPPED / f"{name_or_file}.toml"
        if name_or_file not in names():
            raise SettingError(
                f"--recipe {name_or_file}: no such recipe; shipped are {', '.join(names())}, or name a file (.toml)"
            )
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"--recipe {path}: {error.strerror}; name a recipe's file (.toml)") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"--recipe {path}: is no TOML ({error})") from None
    return parse(document, str(path))


def parse(document: dict[str, Any], source: str) -> Recipe:
    """A recipe from TOML's or JSON's values; `source` names it in messages. Raises SettingError."""
    try:
        return ADAPTER.validate_python(document)
    except ValidationError as error:
        raise SettingError("; ".join(_problem(each, source) for each in error.errors()[:3])) from None


def _problem(error: Any, source: str) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "recipe"
    if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{source}: {key}: no such key; see docs/recipes.md for those there are"
    if error["type"] == "missing":
        return f"{source}: {key}: is missing"
    given = error["input"] if isinstance(error["input"], str | int | float | bool) else type(error["input"]).__name__
    return f"{source}: {key} is {str(given)[:60]!r}: {error['msg'][0].lower()}{error['msg'][1:]}"
