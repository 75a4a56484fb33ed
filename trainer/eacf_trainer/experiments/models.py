"""The paper's six models behind one call: train on rows, say a label for other rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from eacf_trainer.experiments.inputs import Scale
from eacf_trainer.experiments.plan import CNN, MOST_FREQUENT, Cell

CALIBRATION_ROWS = 256
"""Training rows that the int8 converter takes ranges from."""


@dataclass(frozen=True)
class Said:
    """What a model said."""

    test: NDArray[np.int64]
    """(n,) label number of each row that judges."""
    train_accuracy: float
    int8: NDArray[np.int64] | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def ask(cell: Cell, train: NDArray[np.uint8], wanted: NDArray[np.int64], test: NDArray[np.uint8], labels: int) -> Said:
    """Train the cell's model on `train` and `wanted`, and ask it about `test`."""
    scale = Scale.of(train)
    if cell.model == CNN:
        return _cnn(cell, train, wanted, test, labels, scale)
    model = _classical(cell.model, cell.seed)
    notes = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(scale.normalised(train), wanted)
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            notes.append("stopped at max_iter before it converged")
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return Said(
        test=np.asarray(model.predict(scale.normalised(test)), np.int64),
        train_accuracy=float((model.predict(scale.normalised(train)) == wanted).mean()),
        notes=notes,
    )


def _classical(name: str, seed: int) -> Any:
    """scikit-learn's defaults, as the paper has them."""
    made: dict[str, Any] = {
        "dt": DecisionTreeClassifier(random_state=seed),
        "svm": SVC(),
        "knn": KNeighborsClassifier(),
        "lr": LogisticRegression(),
        "nb": GaussianNB(),
        MOST_FREQUENT: DummyClassifier(strategy="most_frequent"),
    }
    return made[name]


def _cnn(
    cell: Cell,
    train: NDArray[np.uint8],
    wanted: NDArray[np.int64],
    test: NDArray[np.uint8],
    labels: int,
    scale: Scale,
) -> Said:
    """IV-B-1. TensorFlow is loaded here."""
    from eacf_trainer import networks  # before keras: quiets TensorFlow

    import keras  # isort: skip

    networks.deterministic(cell.seed)
    network = networks.paper_cnn(train.shape[1], labels)
    network.compile(
        optimizer=keras.optimizers.Adam(cell.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    learnt = network.fit(
        scale.normalised(train), wanted, batch_size=cell.batch, epochs=cell.epochs, shuffle=True, verbose=0
    ).history

    def best(part: NDArray[np.uint8]) -> NDArray[np.int64]:
        scores = network.predict(scale.normalised(part), batch_size=128, verbose=0)
        return np.asarray(scores.argmax(axis=1), np.int64)

    int8 = None
    if cell.int8:
        from eacf_trainer import quantise

        model, _ = quantise.convert(network, train[:: -(-len(train) // CALIBRATION_ROWS)], scale.mu, scale.sd)
        int8 = quantise.outputs(model, test).argmax(axis=1).astype(np.int64)
    return Said(
        test=best(test),
        train_accuracy=float((best(train) == wanted).mean()),
        int8=int8,
        history=[
            {"loss": round(loss, 6), "accuracy": round(accuracy, 6)}
            for loss, accuracy in zip(learnt["loss"], learnt["accuracy"], strict=True)
        ],
    )
