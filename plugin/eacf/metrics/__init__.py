"""What a process counts, for Prometheus. Each metric is declared once; docs/metrics.md is made from that."""

from eacf.metrics.family import Distribution, Family, FamilyCollector, Point, Report
from eacf.metrics.serving import serving

__all__ = ["Distribution", "Family", "FamilyCollector", "Point", "Report", "serving"]
