"""The networks, as Keras models from normalised input to logits. One of the two modules that import TensorFlow.

The paper's softmax is in the loss while training and in :mod:`eacf.inference` afterwards, since calibration needs logits.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import tensorflow as tf

from eacf_trainer.config import Recipe

KERNEL, POOL = 3, 2
PAPER_DROPOUT = 0.2
PAPER_DENSE = (500, 300)
PAPER_FILTERS = ((16, 16), (32, 32))

Network = Any
"""A Keras model; TensorFlow comes without types."""
Rows = Callable[[int], tuple[NDArray[np.uint8], NDArray[np.int64]]]
"""Epoch number to that epoch's rows and outputs, already in random order."""
Say = Callable[[str], None]


def deterministic(seed: int) -> None:
    """From here on TensorFlow in this process gives the same numbers for the same `seed` on the same machine.

    Layers are named from the start again too: names go into the model file, and must not tell what was built before.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def build(recipe: Recipe, width: int, outputs: int) -> Network:
    """The untrained network of `recipe`: (n, width) float32 normalised input, (n, outputs) logits."""
    if recipe.network == "paper-cnn":
        return paper_cnn(width, outputs)
    return dense(width, recipe.hidden, outputs, recipe.dropout)


def paper_cnn(width: int, outputs: int) -> Network:
    """The paper's 1D-CNN (IV-B-1). It leaves the padding open: "same", which keeps a quarter of the positions."""
    inputs = keras.Input((width,))
    x = keras.layers.Reshape((width, 1))(inputs)
    for filters in PAPER_FILTERS:
        for number in filters:
            x = keras.layers.Conv1D(number, KERNEL, padding="same", activation="relu")(x)
        x = keras.layers.MaxPooling1D(POOL)(x)
        x = keras.layers.Dropout(PAPER_DROPOUT)(x)
    x = keras.layers.Flatten()(x)
    for units in PAPER_DENSE:
        x = keras.layers.Dense(units, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(outputs)(x), name="paper_cnn")


def dense(width: int, hidden: tuple[int, ...], outputs: int, dropout: float) -> Network:
    """Dense layers over one-hot bins. A whole invoke is three matrix products: nothing else would be as quick."""
    x = inputs = keras.Input((width,))
    for units in hidden:
        x = keras.layers.Dense(units, activation="relu")(x)
        if dropout:
            x = keras.layers.Dropout(dropout)(x)
    return keras.Model(inputs, keras.layers.Dense(outputs)(x), name="dense")


def fit(
    network: Network, rows: Rows, recipe: Recipe, mu: int, sd: float, say: Say = lambda text: None
) -> list[dict[str, float]]:
    """Train on `rows`, one call an epoch; the history: loss and accuracy on the training rows of each epoch.

    Cross-entropy and Adam, as in the paper. Input is (byte - mu) / sd. `say` is told of every tenth part.
    """
    steps = recipe.epochs * -(-len(rows(0)[0]) // recipe.batch)
    rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps) if recipe.decay else recipe.learning_rate
    network.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = []
    for epoch in range(recipe.epochs):
        x, wanted = rows(epoch)
        sums = dict.fromkeys(("loss", "accuracy"), 0.0)
        # Batch by batch, so that only one of them is ever held as floats.
        for begin in range(0, len(x), recipe.batch):
            part = slice(begin, begin + recipe.batch)
            done = network.train_on_batch(normalised(x[part], mu, sd), wanted[part], return_dict=True)
            for name in sums:
                sums[name] += float(done[name]) * len(x[part])
        history.append({name: round(total / len(x), 6) for name, total in sums.items()})
        if (epoch + 1) % -(-recipe.epochs // 10) == 0:
            say(f"{recipe.name}: epoch {epoch + 1} of {recipe.epochs}, loss {history[-1]['loss']:.4f}")
    return history


def normalised(rows: NDArray[np.uint8], mu: int, sd: float) -> NDArray[np.float32]:
    """(byte - mu) / sd: one integer mu and one sd for all positions, so that int8 input folds it in exactly."""
    return (rows.astype(np.float32) - np.float32(mu)) / np.float32(sd)


def logits(network: Network, rows: NDArray[np.uint8], mu: int, sd: float) -> NDArray[np.float32]:
    """(n, outputs) of the float network."""
    scores: NDArray[np.float32] = network.predict(normalised(rows, mu, sd), batch_size=256, verbose=0)
    return scores


def weights(network: Network) -> dict[str, NDArray[np.float32]]:
    """Float weights by variable path, in the order that ``set_weights`` takes them, for the run folder."""
    return {variable.path.replace("/", "."): np.asarray(variable.numpy(), np.float32) for variable in network.weights}
