"""What is to be done about a verdict: one TOML file, read by the Zeek script, by `eacf enforce` and by `eacf policy check`.

Reading order: `model` (what a policy is), `units` (how its values are written), `subset` (the part of TOML that Zeek's script
reads, with line numbers), `reading` (from lines to a policy, every fault by line), `words` (what a policy would do, told to a person).
"""

from __future__ import annotations

from eacf.policy.model import Bounds, Class, Policy, Table
from eacf.policy.reading import faults_of, parse, read

__all__ = ["Bounds", "Class", "Policy", "Table", "faults_of", "parse", "read"]
