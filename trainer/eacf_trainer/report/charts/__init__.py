"""The report's charts: each a function from figures to a picture with its sentence and its table, or None where there are no figures."""

from __future__ import annotations

from eacf_trainer.report.charts.chart import Chart, Table

__all__ = ["Chart", "Table"]
