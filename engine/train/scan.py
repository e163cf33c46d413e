"""The GRU recurrence on a CPU, with its own gradient, for TensorFlow.

A generic loop multiplies and sums weight gradients inside every step. Here the loop holds only what depends on
the step before: one matrix product and the gates forward, one matrix product backward. Input projections,
pointwise derivatives of the gates and weight gradients are single large operations outside of it.

The cell is Keras' GRU with `reset_after=True` (Cho et al. 2014, in the variant of cuDNN):
    z, r = sigmoid(x_z + h R_z + b_z), sigmoid(x_r + h R_r + b_r)
    c    = tanh(x_c + r * (h R_c + b_c))
    h'   = z * h + (1 - z) * c
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

Tensor = Any


def product(a: Tensor, b: Tensor, dtype: Any, **kwargs: bool) -> Tensor:
    """A matrix product in `dtype`, its result as float32."""
    if dtype == tf.float32:
        return tf.matmul(a, b, **kwargs)
    return tf.cast(tf.matmul(tf.cast(a, dtype), tf.cast(b, dtype), **kwargs), tf.float32)


def gru_scan(x: Tensor, state: Tensor, kernel: Tensor, bias: Tensor, dtype: Any = tf.float32) -> Tensor:
    """All hidden states of a GRU layer.

    `x [T, B, 3H]`: the projected inputs, gates in Keras' order z, r, c, with the input bias.
    `state [B, H]`; `kernel [H, 3H]` and `bias [3H]`, the recurrent ones. Returns `[T, B, H]`.
    `dtype` is that of the matrix products; everything else is float32.
    """
    steps, width = tf.shape(x)[0], kernel.shape[0]
    kernel = tf.convert_to_tensor(kernel)  # a variable itself would need a gradient of another form

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def scan(x: Tensor, state: Tensor, kernel: Tensor, bias: Tensor) -> tuple[Tensor, Any]:
        cast_kernel = tf.cast(kernel, dtype)
        hidden, gates, candidate, recurrent = _forward(x, state, cast_kernel, bias, steps, width, dtype)

        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            before = tf.concat([state[None], hidden[:-1]], 0)  # h of the step before, [T, B, H]
            z, r = gates[..., :width], gates[..., width:]
            by_candidate = (1 - z) * (1 - candidate * candidate)  # d(pre-activation of c) / dh'
            factors = tf.concat(
                [(before - candidate) * z * (1 - z), by_candidate * recurrent * r * (1 - r), by_candidate * r], -1
            )
            d_recurrent, d_hidden, d_state = _backward(upstream, z, factors, cast_kernel, steps, dtype)
            d_x = tf.concat([d_recurrent[..., : 2 * width], d_hidden * by_candidate], -1)
            flat = tf.reshape(d_recurrent, [-1, 3 * width])
            d_kernel = product(tf.reshape(before, [-1, width]), flat, dtype, transpose_a=True)
            return d_x, d_state, d_kernel, tf.reduce_sum(flat, 0)

        return hidden, gradient

    return scan(x, state, kernel, bias)


def _arrays(steps: Tensor, count: int) -> tuple[Any, ...]:
    return tuple(tf.TensorArray(tf.float32, size=steps) for _ in range(count))


def _forward(
    x: Tensor, state: Tensor, kernel: Tensor, bias: Tensor, steps: Tensor, width: int, dtype: Any
) -> tuple[Tensor, ...]:
    """The loop; returns hidden `[T, B, H]`, gates z|r `[T, B, 2H]`, candidate and h R_c + b_c `[T, B, H]`."""

    def step(t: Tensor, h: Tensor, *kept: Any) -> tuple[Any, ...]:
        recurrent = product(h, kernel, dtype) + bias
        now = x[t]
        gates = tf.sigmoid(now[:, : 2 * width] + recurrent[:, : 2 * width])
        inner = recurrent[:, 2 * width :]
        candidate = tf.tanh(now[:, 2 * width :] + gates[:, width:] * inner)
        h = candidate + gates[:, :width] * (h - candidate)
        values = (h, gates, candidate, inner)
        return (t + 1, h, *(array.write(t, value) for array, value in zip(kept, values, strict=True)))

    _, _, *kept = tf.while_loop(lambda t, *_: t < steps, step, (0, state, *_arrays(steps, 4)), parallel_iterations=1)
    return tuple(array.stack() for array in kept)


def _backward(
    upstream: Tensor, z: Tensor, factors: Tensor, kernel: Tensor, steps: Tensor, dtype: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """The loop back; returns the gradients of h R + b `[T, B, 3H]`, of each hidden state, and of the first."""

    def step(i: Tensor, d_carried: Tensor, *kept: Any) -> tuple[Any, ...]:
        t = steps - 1 - i
        d_hidden = d_carried + upstream[t]
        d_recurrent = tf.concat([d_hidden, d_hidden, d_hidden], 1) * factors[t]
        d_carried = d_hidden * z[t] + product(d_recurrent, kernel, dtype, transpose_b=True)
        return i + 1, d_carried, kept[0].write(t, d_recurrent), kept[1].write(t, d_hidden)

    start = (0, tf.zeros_like(upstream[0]), *_arrays(steps, 2))
    _, d_state, d_recurrent, d_hidden = tf.while_loop(lambda i, *_: i < steps, step, start, parallel_iterations=1)
    return d_recurrent.stack(), d_hidden.stack(), d_state
