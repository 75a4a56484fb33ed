"""What the paper's text states of its figures. The figures themselves were not read off: no number here is a guess."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """A number that the text gives for Fig. 3, random split."""

    model: str
    size: int
    percent: float
    text: str
    below: bool = False
    """It is for sizes below `size`, not for that size."""

    def holds(self, size: int) -> bool:
        """Whether it is a statement on this size."""
        return size < self.size if self.below else size == self.size


FIG3 = (
    Mark("cnn", 3000, 91.61, "91.61 %"),
    Mark("cnn", 1000, 80.0, "around 80 %"),
    Mark("dt", 1500, 82.0, "around 82 %", below=True),
)
TIME_US = 291.0
SAYS = {
    "fig3": (
        "1D-CNN, 3,000 bytes: 91.61 % accuracy, the best of all; more bytes give no more, since many flows have no more.",
        "1D-CNN, 1,000 bytes: around 80 %.",
        "Decision tree below 1,500 bytes: around 82 %, a little better than the 1D-CNN there.",
        "SVM, KNN, NB, LR: worse than both at all sizes; no number in the text.",
        "Random split 8:1:1, one run, no spread; eight labels of about 700 flows each (chance is one in eight).",
    ),
    "fig4": (
        "Google, Twitter, Outlook, Youtube, Facebook: precision above 94 %, recall above 91 % (Youtube 88.14 %), F1 above 0.91.",
        "Github, Slack, Bing: precision above 82 %, recall above 88 %, F1 above 0.85.",
    ),
    "fig5": ("Payload and gaps together are better than either alone; no number in the text but the 91 % of both.",),
    "controls": ("Nothing: the paper has no controls.",),
    "time": ("291 µs a flow on average; neither machine nor batch size is stated.",),
}
