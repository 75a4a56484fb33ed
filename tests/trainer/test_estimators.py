"""Estimators by one line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.errors import SettingError
from eacf_trainer import estimators


@pytest.mark.parametrize("line", estimators.SHORT)
def test_short_names(line: str) -> None:
    made = estimators.make(line, 7)
    assert getattr(made, "random_state", 7) == 7
    assert repr(estimators.make(estimators.SHORT[line], 7)) == repr(made)


def test_arguments_are_plain_values() -> None:
    made = estimators.make("sklearn.svm.SVC(C=-2.5e1, kernel='linear', random_state=3)", 7)
    assert (made.C, made.kernel, made.random_state) == (-25.0, "linear", 3)
    assert estimators.make("sklearn.neighbors.KNeighborsClassifier", 7).n_neighbors == 5


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "is neither a short name nor a class with arguments"),
        ("extra trees", "is neither a short name"),
        ("sklearn.svm.SVC(C=\0)", "is neither a short name"),
        ("svn", "is no class of scikit-learn"),
        ("os.system(command='true')", "is no class of scikit-learn"),
        ("sklearn.svm.SVC(10)", "has arguments without a name"),
        ("sklearn.svm.SVC(**{'C': 1})", "has arguments without a name"),
        ("sklearn.svm.SVC(C=open('x'))", "has an argument that is no plain value"),
        ("sklearn.svm.SVC(C={[]: 1})", "has an argument that is no plain value"),
        ("sklearn.svm.SVC(Q=1)", "cannot be made .*unexpected keyword argument 'Q'"),
        ("sklearn.svm.Nothing()", "cannot be made .*no attribute 'Nothing'"),
        ("sklearn.nothing.A()", "cannot be made .*No module named"),
        ("sklearn.datasets.load_iris(as_frame=False)", "is no class"),
        ("sklearn.linear_model.Ridge()", "is no classifier"),
        ("sklearn.cluster.KMeans()", "is no classifier"),
        ("sklearn.preprocessing.StandardScaler()", "is no classifier"),
    ],
)
def test_a_wrong_line_is_told(line: str, problem: str) -> None:
    with pytest.raises(SettingError, match=f"{problem}.*; allowed: extra-trees, .* or a scikit-learn classifier as"):
        estimators.make(line, 1)


@given(st.text(max_size=30) | st.text("sklearn.vmSVC()=,'1{}[]* ", max_size=40))
def test_whatever_a_line_says_the_error_is_one_of_settings(line: str) -> None:
    try:
        made = estimators.make(line, 1)
    except SettingError:
        return
    assert hasattr(made, "fit")


def test_what_an_estimator_itself_refuses_is_known_before_a_run() -> None:
    for line in ("sklearn.svm.SVC(C=-1)", "sklearn.ensemble.VotingClassifier(estimators=[])"):
        with pytest.raises(SettingError, match="cannot learn"):
            estimators.check(line)
    estimators.check("knn")
    estimators.check("svm")


def test_probabilities_or_the_one_that_is_predicted() -> None:
    rows, wanted = np.array([[0.0], [1.0], [0.1], [0.9]] * 5, np.float32), np.array([2, 5, 2, 5] * 5)
    for line in ("naive-bayes", "svm"):
        fitted = estimators.make(line, 1).fit(rows, wanted)
        given = estimators.probabilities(fitted, rows)
        assert given.shape == (20, 2)
        assert given.sum(axis=1) == pytest.approx(1)
        assert (fitted.classes_[given.argmax(axis=1)] == wanted).all()
    assert set(np.unique(given)) == {0.0, 1.0}
