"""The two recipes and the captures they are built from."""

from __future__ import annotations

from dataclasses import replace

from eacf_trainer.config import CaptureSet, Outliers, Plan, Recipe

DEFAULT = Recipe(
    name="default",
    version="1",
    features="shape",
    network="dense",
    ways=("records", "stream"),
    epochs=20,
    batch=128,
    learning_rate=0.002,
    seed=1,
    hidden=(160, 64),
    dropout=0.2,
    decay=True,
    outliers=Outliers(share=0.5, background_share=0.25),
    precision=0.97,
    outliers_passed=0.05,
)
"""What eacf ships: lengths of the first eight records, no payload byte, one-hot into dense layers."""

PAPER = Recipe(
    name="paper",
    version="1",
    features="paper",
    network="paper-cnn",
    ways=("stream",),
    epochs=100,
    batch=64,
    learning_rate=0.0005,
    seed=1,
    flows_per_label=700,
    precision=0.97,
)
"""The paper's 1D-CNN (IV-B-1) on its own input (III-A)."""

PAPER_LIGHTER = replace(
    PAPER, epochs=25, flows_per_label=400, lighter="25 epochs instead of 100, 400 flows a label instead of 700"
)

PLAN = Plan(
    training=CaptureSet(
        seeds=tuple(range(100, 148)),
        connections=250,
        conditions=("lan", "fibre", "dsl", "mobile"),
        sites=tuple(f"training-{number}" for number in range(12)),
        background_share=0.15,
    ),
    validation=CaptureSet(
        seeds=tuple(range(800, 816)),
        connections=250,
        conditions=("lan", "fibre", "dsl", "mobile"),
        sites=tuple(f"validation-{number}" for number in range(4)),
        background_share=0.15,
    ),
    evaluation=CaptureSet(
        seeds=tuple(range(1016, 1032)),
        connections=250,
        conditions=("satellite", "lossy", "mixed"),
        sites=tuple(f"evaluation-{number}" for number in range(4, 8)),
        background_share=0.15,
    ),
)
"""Training knows neither the seeds, nor the servers, nor two of the three kinds of path that the figures come from."""
