"""What the experiments are asked to do: the paper's setting, a lighter one, and in words how one differs from the paper's."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from eacf.errors import EacfError, SettingError

FIGURES = ("fig3", "fig4", "fig5", "controls", "time")
"""What ``--only`` may name."""


class ExperimentError(EacfError, RuntimeError):
    """The data does not carry the experiments, or a process that ran them died. The message says what to do."""


@dataclass(frozen=True)
class Settings:
    """The defaults are the full setting. IV-B of the paper where it says so; else see docs/paper.md."""

    sizes: tuple[int, ...] = (500, 1000, 1500, 2000, 2500, 3000, 3500, 4000)
    """Input sizes of Fig. 3 and Fig. 5, in bytes."""
    main_size: int = 3000
    """The size of Fig. 4, of the controls and of the time a flow: what the paper recommends."""
    gap_counts: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    """Fig. 5's other axis."""
    epochs: int = 100
    batch: int = 64
    learning_rate: float = 0.0005
    seeds: int = 3
    """Splits and initial weights, each."""
    grouped_seeds: int = 3
    """The same for the CNN on the grouped split, `folds` networks a seed; at `main_size` it always gets `seeds`."""
    folds: int = 5
    """Of the grouped split: each judges one fifth, so that as many flows train as in the paper's 8:1:1."""
    flows_per_label: int = 700
    min_flows: int = 40
    min_captures: int = 3

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            value = getattr(self, name)
            for each in value if isinstance(value, tuple) else (value,):
                if each < least:
                    raise SettingError(f"{flag(name)} {each}: must be {least} or more")
        if not self.sizes:
            raise SettingError("--sizes: name at least one")

    @property
    def main(self) -> int:
        """`main_size` if it is among the sizes, else the largest."""
        return self.main_size if self.main_size in self.sizes else max(self.sizes)

    def fitting(self, longest: int) -> Settings:
        """Without the sizes that no flow fills whose longest payload is `longest` bytes."""
        sizes = tuple(size for size in self.sizes if size <= longest)
        if not sizes:
            raise ExperimentError(
                f"no flow has {min(self.sizes)} payload bytes, the longest {longest}; "
                "build the dataset with more (--payload-bytes) or name smaller --sizes"
            )
        return replace(self, sizes=sizes)

    def lighter(self) -> str:
        """In words, in which way these settings do less than the full ones; empty: in none."""
        full = Settings()
        parts = []
        for field in fields(self):
            here, there = getattr(self, field.name), getattr(full, field.name)
            if field.name in NAMES and here != there:
                parts.append(f"{NAMES[field.name]} {_words(here)} instead of {_words(there)}")
        return "; ".join(parts)


LEAST = {
    "sizes": 8,
    "gap_counts": 1,
    "epochs": 1,
    "batch": 1,
    "seeds": 1,
    "grouped_seeds": 1,
    "folds": 2,
    "flows_per_label": 2,
    "min_flows": 10,
    "min_captures": 2,
}
NAMES = {
    "epochs": "epochs",
    "sizes": "sizes",
    "gap_counts": "counts of gaps",
    "seeds": "seeds",
    "grouped_seeds": "seeds of the CNN on the grouped split (but for Fig. 4)",
    "folds": "folds",
    "flows_per_label": "flows a label",
}
LIGHT = Settings(sizes=(500, 1000, 2000, 3000, 4000), gap_counts=(4, 16), epochs=12, grouped_seeds=1)
"""For two cores and an hour (docs/paper.md)."""


def flag(name: str) -> str:
    """The option of the command line that sets `name`."""
    return "--" + name.replace("_", "-")


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
