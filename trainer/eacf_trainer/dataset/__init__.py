"""Datasets: samples of captures and recordings in Parquet files, with where and when they were seen.

Reading order: `schema` (a row), `index` (what a dataset consists of), `read` (`Dataset`).
"""

from __future__ import annotations

from eacf_trainer.dataset.index import Options
from eacf_trainer.dataset.read import Dataset
from eacf_trainer.dataset.schema import SCHEMA, SCHEMA_VERSION, DatasetError

__all__ = ["SCHEMA", "SCHEMA_VERSION", "Dataset", "DatasetError", "Options"]
