"""scikit-learn's estimators, named by one line: ``extra-trees``, or any class with its arguments, ``sklearn.svm.SVC(C=10)``."""

from __future__ import annotations

import ast
import inspect
import platform
import warnings
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier

import eacf
from eacf.errors import SettingError

SHORT: Mapping[str, str] = {
    "extra-trees": "sklearn.ensemble.ExtraTreesClassifier(n_estimators=200)",
    "random-forest": "sklearn.ensemble.RandomForestClassifier(n_estimators=200)",
    "gradient-boosting": "sklearn.ensemble.HistGradientBoostingClassifier()",
    "decision-tree": "sklearn.tree.DecisionTreeClassifier()",
    "svm": "sklearn.svm.SVC()",
    "knn": "sklearn.neighbors.KNeighborsClassifier()",
    "logistic-regression": "sklearn.linear_model.LogisticRegression()",
    "naive-bayes": "sklearn.naive_bayes.GaussianNB()",
}
"""Names for those that are often wanted; the last five are the paper's, with scikit-learn's defaults (IV-B-1)."""
PAPERS = ("decision-tree", "svm", "knn", "logistic-regression", "naive-bayes")
TRIAL_ROWS = 20
LIBRARIES = ("ai-edge-litert", "keras", "numpy", "scikit-learn", "tensorflow-cpu")


def make(line: str, seed: int) -> Any:
    """The estimator that `line` names, seeded, on one core. Raises SettingError that says what is wrong with the line."""
    written = SHORT.get(line, line)
    try:
        call = ast.parse(written, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _wrong(line, "is neither a short name nor a class with arguments") from None
    arguments: dict[str, Any] = {}
    if isinstance(call, ast.Call):
        if call.args or any(keyword.arg is None for keyword in call.keywords):
            raise _wrong(line, "has arguments without a name")
        try:
            arguments = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
        except (ValueError, TypeError):
            raise _wrong(line, "has an argument that is no plain value") from None
        call = call.func
    module, _, name = ast.unparse(call).rpartition(".")
    if not module.startswith("sklearn."):
        raise _wrong(line, "is no class of scikit-learn")
    try:
        kind = getattr(import_module(module), name)
        if not inspect.isclass(kind):  # a function would be called here: some load data from the network
            raise _wrong(line, "is no class")
        known = inspect.signature(kind).parameters
        arguments |= {"random_state": seed} if "random_state" in known and "random_state" not in arguments else {}
        made = kind(**arguments)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise _wrong(line, f"cannot be made ({error})") from None
    if not (isinstance(made, BaseEstimator) and is_classifier(made)):
        raise _wrong(line, "is no classifier")
    return made


def check(line: str) -> None:
    """Raise SettingError now for what :func:`make`, or the estimator itself once it learns, would find wrong with `line`."""
    made, rows = make(line, 0), np.random.default_rng(0).normal(size=(TRIAL_ROWS, 2)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made.fit(rows, np.arange(TRIAL_ROWS) % 2)
        except (TypeError, ValueError, AttributeError) as error:
            raise _wrong(line, f"cannot learn ({' '.join(str(error).split())[:200]})") from None


def probabilities(estimator: Any, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, classes); 1 for the predicted class where the estimator gives none (SVC by default)."""
    if hasattr(estimator, "predict_proba"):
        given: NDArray[np.float64] = estimator.predict_proba(rows)
        return given
    hits: NDArray[np.float64] = (estimator.predict(rows)[:, None] == estimator.classes_).astype(np.float64)
    return hits


@lru_cache(1)
def versions() -> dict[str, str]:
    """Of all that has a say in an answer."""
    return {
        "eacf": eacf.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{name: version(name) for name in LIBRARIES},
    }


def _wrong(line: str, problem: str) -> SettingError:
    return SettingError(
        f"estimator {line!r}: {problem}; allowed: {', '.join(SHORT)}, or a scikit-learn classifier as sklearn.svm.SVC(C=10)"
    )
