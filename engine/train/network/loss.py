"""The output layer and its loss with their own gradient, for TensorFlow: some rows at a time.

A large vocabulary's logits are the largest thing of an update, and each operation over all of them goes through memory.
Here those of some rows at a time go from the product to the loss within the cache, and what stays of them for the way
back, softmax minus one-hot, has the type of the products.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from engine.train.network.scan import product

Tensor = Any
CHUNK = 2 << 20  # logits at once
CHUNKS = 64  # at most


def cross_entropy(x: Tensor, kernel: Tensor, bias: Tensor, targets: Tensor, dtype: Any, *, is_tied: bool) -> Tensor:
    """`-log softmax(x kernel + bias)[target]` of each row, in nats `[N]`; of targets `[N, V]`, their mean of it.

    `x [N, H]`, `kernel [H, V]` or, tied, the embedding `[V, H]`; `bias [V]`; `targets [N]` are ids, `[N, V]`
    distributions. `dtype` is that of the matrix products; the softmax is float32.
    """
    count, size = x.shape[0], bias.shape[0]
    rows = max(CHUNK // size, -(-count // CHUNKS))
    soft, hard = tf.raw_ops.SoftmaxCrossEntropyWithLogits, tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits
    compare = soft if targets.shape.rank == 2 else hard

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def losses(x: Tensor, kernel: Tensor, bias: Tensor) -> tuple[Tensor, Any]:
        kernel = tf.cast(kernel, dtype)
        found, errors = [], []
        for begin in range(0, count, rows):
            logits = product(x[begin : begin + rows], kernel, dtype, transpose_b=is_tied) + bias
            nats, error = compare(features=logits, labels=targets[begin : begin + rows])
            found.append(nats)
            errors.append(tf.cast(error, dtype))

        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            error = tf.concat(errors, 0)
            weighed = x * upstream[:, None]
            d_x = product(error, kernel, dtype, transpose_b=not is_tied) * upstream[:, None]
            sides = (error, weighed) if is_tied else (weighed, error)
            return d_x, product(*sides, dtype, transpose_a=True), product(upstream[None], error, dtype)[0]

        return tf.concat(found, 0), gradient

    return losses(x, tf.convert_to_tensor(kernel), tf.convert_to_tensor(bias))
