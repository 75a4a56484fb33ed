"""Throughput over time, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

STEP_S = 0.25
SMOOTH = 4
COLOURS = {"code-fetch": "#1b7f5c", "video": "#c2571a", "bulk-upload": "#5b4b9a"}


def draw(
    target: Path, rates: Mapping[str, Sequence[float]], switched_s: float, words: Mapping[str, str], link_mbit: int
) -> None:
    """`rates`: Mbit/s by application, a value for each quarter of a second; written as SVG and PNG beside each other."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    figure, axes = plt.subplots(figsize=(8.4, 3.8))
    for app, values in rates.items():
        smooth = np.convolve(values, np.ones(SMOOTH) / SMOOTH, mode="same")
        times = (np.arange(len(values)) + 1) * STEP_S
        axes.plot(times, smooth, color=COLOURS.get(app), linewidth=1.8, label=f"{app}: {words[app]}")
    axes.axvline(switched_s, color="#444444", linewidth=1, linestyle="--")
    axes.text(switched_s + 0.3, link_mbit * 1.04, 'mode = "act"', fontsize=9, color="#444444")
    axes.text(switched_s - 0.3, link_mbit * 1.04, 'mode = "dry-run"', fontsize=9, color="#444444", ha="right")
    axes.set(xlabel="seconds", ylabel="Mbit/s at the receiver", xlim=(0, None), ylim=(0, link_mbit * 1.15))
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, fontsize=9, frameon=False)
    figure.tight_layout()
    for suffix in (".svg", ".png"):
        figure.savefig(target.with_suffix(suffix), metadata={"Date": None} if suffix == ".svg" else None, dpi=130)
    plt.close(figure)
