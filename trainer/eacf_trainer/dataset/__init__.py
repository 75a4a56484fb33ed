"""Datasets: samples of captures and recordings in Parquet files, with where and when they were seen.

Reading order: `schema` (a row), `index` (what a dataset consists of), `read` (`Dataset`); then the way there: `sources` and
`manifest` (what is read), `reading` (a source to rows), `columns` and `parts` (rows to Parquet), `work` (one source),
`pool` and `cluster` (who works), `build` (all of it, and what is there already).
"""

from __future__ import annotations

from eacf_trainer.dataset.build import Progress, Runner, build
from eacf_trainer.dataset.cluster import Cluster
from eacf_trainer.dataset.index import Options
from eacf_trainer.dataset.pool import Pool, serial
from eacf_trainer.dataset.read import Dataset
from eacf_trainer.dataset.schema import SCHEMA, SCHEMA_VERSION, DatasetError

__all__ = [
    "SCHEMA",
    "SCHEMA_VERSION",
    "Cluster",
    "Dataset",
    "DatasetError",
    "Options",
    "Pool",
    "Progress",
    "Runner",
    "build",
    "serial",
]
