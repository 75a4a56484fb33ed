"""The networks, as Keras models from normalised input to logits. One of the two modules that import TensorFlow.

The paper's softmax is in the loss while training and in :mod:`eacf.inference` afterwards, since calibration needs logits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import tensorflow as tf

from eacf_trainer.recipe import Network as NetworkSettings
from eacf_trainer.recipe import Training

KERNEL, POOL = 3, 2
PAPER_DROPOUT = 0.2
PAPER_DENSE = (500, 300)
PAPER_FILTERS = ((16, 16), (32, 32))

ROWS_AT_ONCE = 512

Network = Any
"""A Keras model; TensorFlow comes without types."""


def deterministic(seed: int) -> None:
    """From here on TensorFlow in this process gives the same numbers for the same `seed` on the same machine.

    Layers are named from the start again too: names go into the model file, and must not tell what was built before.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def build(settings: NetworkSettings, width: int, outputs: int) -> Network:
    """The untrained network of a recipe."""
    if settings.kind == "paper-cnn":
        return paper_cnn(width, outputs)
    return dense(width, tuple(settings.members * units for units in settings.hidden), outputs, settings.dropout)


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


def dense(width: int, hidden: tuple[int, ...], outputs: int, dropout: float, name: str = "dense") -> Network:
    """Dense layers over one-hot bins. A whole invoke is three matrix products: nothing else would be as quick."""
    x = inputs = keras.Input((width,), name="row")
    for number, units in enumerate(hidden):
        # Named, since names go into the model file, and must not tell how many layers this process made before.
        x = keras.layers.Dense(units, activation="relu", name=f"hidden_{number}")(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"dropout_{number}")(x)
    return keras.Model(inputs, keras.layers.Dense(outputs, name="logits")(x), name=name)


def members(width: int, settings: NetworkSettings, outputs: int) -> Network:
    """Several dense networks side by side, untrained: (n, width) to as many (n, outputs) logits. :func:`merged` makes one of them."""
    inputs = keras.Input((width,))
    each = [
        dense(width, settings.hidden, outputs, settings.dropout, name=f"member_{number}")
        for number in range(settings.members)
    ]
    return keras.Model(inputs, [network(inputs) for network in each], name="members")


def merged(several: Network, settings: NetworkSettings, width: int, outputs: int) -> Network:
    """One dense network whose logits are the mean of those of `several`: their layers side by side, without weights across."""
    one = dense(width, tuple(settings.members * units for units in settings.hidden), outputs, settings.dropout)
    layers = [[layer.get_weights() for layer in each.layers if layer.get_weights()] for each in several.layers[1:]]
    made: list[NDArray[np.float32]] = []
    for depth, same in enumerate(zip(*layers, strict=True)):
        kernels, biases = zip(*same, strict=True)
        if depth == len(layers[0]) - 1:
            last: NDArray[np.float32] = np.concatenate(kernels) if depth else np.sum(kernels, axis=0)
            made += [(last / len(kernels)).astype(np.float32), np.mean(biases, axis=0, dtype=np.float32)]
        elif depth == 0:
            made += [np.concatenate(kernels, axis=1), np.concatenate(biases)]
        else:
            made += [block_diagonal(kernels), np.concatenate(biases)]
    one.set_weights(made)
    return one


def block_diagonal(kernels: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The kernels along the diagonal, 0 elsewhere."""
    made = np.zeros(tuple(sum(kernel.shape[axis] for kernel in kernels) for axis in (0, 1)), np.float32)
    row = column = 0
    for kernel in kernels:
        made[row : row + kernel.shape[0], column : column + kernel.shape[1]] = kernel
        row, column = row + kernel.shape[0], column + kernel.shape[1]
    return made


@dataclass(frozen=True)
class Epoch:
    """What an epoch shows, already in the order in which it is shown."""

    rows: NDArray[np.uint8]
    """(n, width)."""
    targets: NDArray[np.float32]
    """(n, outputs) probabilities: one-hot, or what a teacher says."""
    weights: NDArray[np.float32]
    """(n,) how much each counts; 1 on average."""


def train(
    network: Network,
    epoch: Callable[[int], Epoch],
    settings: Training,
    mu: int,
    sd: float,
    *,
    after: Callable[[int, float], None] = lambda number, loss: None,
) -> None:
    """Cross-entropy and Adam, as in the paper, on ``settings.epochs`` epochs; input is (byte - mu) / sd.

    `after` is told the number of each epoch and its mean loss. One compiled call an epoch: a step of so small a network is shorter
    than what Keras does around it.
    """
    shown = epoch(0)
    steps = settings.epochs * -(-len(shown.rows) // settings.batch)
    rate: Any = settings.learning_rate
    if settings.decay:
        rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
    optimizer = keras.optimizers.Adam(rate)
    variables = network.trainable_variables
    optimizer.build(variables)
    rows, targets = (tf.TensorSpec((None, each.shape[1]), each.dtype) for each in (shown.rows, shown.targets))

    @tf.function(input_signature=[rows, targets, tf.TensorSpec((None,), tf.float32)])  # type: ignore[untyped-decorator]
    def run(rows: Any, targets: Any, weights: Any) -> Any:
        count = tf.shape(rows)[0]
        total = tf.constant(0.0)
        for begin in tf.range(0, count, settings.batch):
            part = slice(begin, begin + settings.batch)
            inputs = (tf.cast(rows[part], tf.float32) - mu) / sd
            with tf.GradientTape() as tape:
                said = network(inputs, training=True)
                each = [
                    tf.nn.softmax_cross_entropy_with_logits(targets[part], logits)
                    for logits in (said if isinstance(said, list | tuple) else [said])
                ]
                # The sum: members of a network learn as each would alone.
                loss = tf.reduce_mean(tf.add_n(each) * weights[part])
            optimizer.apply(tape.gradient(loss, variables), variables)
            total += loss / len(each) * tf.cast(tf.shape(inputs)[0], tf.float32)
        return total / tf.cast(count, tf.float32)

    for number in range(settings.epochs):
        if number:
            shown = epoch(number)
        after(number, float(run(shown.rows, shown.targets, shown.weights)))


def normalised(rows: NDArray[np.uint8], mu: int, sd: float) -> NDArray[np.float32]:
    """(byte - mu) / sd: one integer mu and one sd for all positions, so that int8 input folds it in exactly."""
    return (rows.astype(np.float32) - np.float32(mu)) / np.float32(sd)


def logits(network: Network, rows: NDArray[np.uint8], mu: int, sd: float) -> NDArray[np.float32]:
    """(n, outputs) of the float network; of several side by side the mean."""
    parts = []
    # Called, not `predict`: that compiles the network anew each time that there is a new one.
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        said = network(normalised(rows[begin : begin + ROWS_AT_ONCE], mu, sd), training=False)
        parts.append(
            np.mean([each.numpy() for each in said], axis=0) if isinstance(said, list | tuple) else said.numpy()
        )
    scores: NDArray[np.float32] = np.concatenate(parts)
    return scores


def weights(network: Network) -> dict[str, NDArray[np.float32]]:
    """Float weights by variable path, in the order that ``set_weights`` takes them, for the run folder."""
    return {variable.path.replace("/", "."): np.asarray(variable.numpy(), np.float32) for variable in network.weights}
