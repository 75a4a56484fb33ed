"""From matplotlib to SVG that lives inside a page: its colours and its font are the page's, and follow light and dark.

Colours are drawn as sentinels, which nothing else is drawn in, and replaced by CSS variables. The same chart gives the same bytes.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

WIDTH = 440
"""Of a chart, in units of its own: at this width letters have the size that they are drawn with. Phones show it at three quarters."""
FONT = 12.0
SMALL = 11.0
UNITS_PER_INCH = 72
PAD = 0.02
"""Inches around a picture."""
INK, SOFT, LINE, GROUND, FIRST, SECOND, THIRD, FOURTH, PALE = (f"#01020{digit}" for digit in range(1, 10))
"""Text, lesser text, rules, the page behind, series, and what stands back."""
VARIABLES = {
    INK: "ink",
    SOFT: "soft",
    LINE: "line",
    GROUND: "ground",
    FIRST: "c1",
    SECOND: "c2",
    THIRD: "c3",
    FOURTH: "c4",
    PALE: "c0",
}
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "eacf",
    "text.parse_math": False,  # a label with dollar signs is a label
    "font.family": "sans-serif",
    "font.size": FONT,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.labelcolor": SOFT,
    "axes.labelsize": SMALL,
    "axes.linewidth": 1.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "xtick.color": LINE,
    "xtick.labelcolor": SOFT,
    "xtick.labelsize": SMALL,
    "ytick.color": LINE,
    "ytick.labelcolor": SOFT,
    "ytick.labelsize": SMALL,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
}
METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
"""None of it: no clock, no version."""


@contextmanager
def drawing(height: float, width: float = WIDTH) -> Iterator[tuple[Figure, Axes]]:
    """A figure of that size with one pair of axes, in the report's style."""
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()  # nothing of this user's matplotlibrc
        mpl.rcParams.update(SETTINGS)
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the browser's font has it
        layout = ConstrainedLayoutEngine(w_pad=PAD, h_pad=PAD)
        figure = Figure((width / UNITS_PER_INCH, height / UNITS_PER_INCH), layout=layout)
        yield figure, figure.add_subplot()


def inline(figure: Figure, name: str, title: str, description: str) -> Markup:
    """The figure as an ``<svg>`` element with ids of its own (`name`), a title and a description for who cannot see it.

    Called within `drawing`.
    """
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=METADATA)
    _, _, text = file.getvalue().partition("<svg ")
    attributes, _, body = text.partition(">")
    box = re.search(r'viewBox="([\d. ]+)"', attributes)
    assert box is not None, "matplotlib writes a viewBox"
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r"font-family: [^;\"]+;? ?", "", body)
    body = re.sub(r'(?<= )id="', f'id="{name}-', body)
    body = re.sub(r"url\(#", f"url(#{name}-", body)
    body = re.sub(r'xlink:href="#', f'href="#{name}-', body)
    body = re.sub(r'<g id="[^"]*(?:_\d+|legend)">', "<g>", body)  # nobody refers to them
    body = re.sub(r' transform="rotate\(-0 [^)]*\)"', "", body)
    body = re.sub(r"\n\s*", " ", body).replace("> <", "><")
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, f"var(--{variable})")
    head = (
        f'<svg class="chart" viewBox="{box[1]}" role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    )
    return Markup(head + body.strip())  # noqa: S704 (matplotlib escapes its texts; title and description are escaped here)
