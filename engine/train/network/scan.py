"""The recurrences on a CPU, with their own gradients, for TensorFlow.

A generic loop multiplies and sums weight gradients inside every step. Here a step is one matrix product and the
gates forward, one matrix product and the gates' derivatives backward: what is small enough for the cache is done in
the loop, and the backward pass reads what the forward pass wrote. Input projections and weight gradients
are single large products outside of it.

The cell is Keras' GRU with `reset_after=True` (Cho et al. 2014, in the variant of cuDNN):
    z, r = sigmoid(x_z + h R_z + b_z), sigmoid(x_r + h R_r + b_r)
    c    = tanh(x_c + r * (h R_c + b_c))
    h'   = z * h + (1 - z) * c
LSTM (Hochreiter and Schmidhuber 1997, with forget gates) and SimpleRNN are Keras', too:
    i, f, o = sigmoid(x + h R);  g = tanh(x + h R);  c' = f * c + i * g;  h' = o * tanh(c')
    h' = tanh(x + h R)
With a mask `keep [T, B]`, of ones and zeros, a step goes on from h * keep (and c * keep): where it is 0, the state
begins anew before that step, and no gradient passes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Tensor = Any


def product(a: Tensor, b: Tensor, dtype: Any, **kwargs: bool) -> Tensor:
    """A matrix product in `dtype`, its result as float32."""
    if dtype == tf.float32:
        return tf.matmul(a, b, **kwargs)
    return tf.cast(tf.matmul(tf.cast(a, dtype), tf.cast(b, dtype), **kwargs), tf.float32)


def product_with_transposed(kernel: Tensor, dtype: Any) -> Callable[[Tensor], Tensor]:
    """What makes `[M, K]` of many rows `[M, N]` in turn, by the transposed of a kernel `[K, N]`.

    In float32 it is turned once, and each product is a quarter faster; in bfloat16 they are as fast without.
    """
    if dtype != tf.float32:
        return lambda rows: product(rows, kernel, dtype, transpose_b=True)
    turned = tf.transpose(kernel)
    return lambda rows: product(rows, turned, dtype)


def column_sums(rows: Tensor) -> Tensor:
    """The sums `[N]` of all rows `[M, N]`, as float32: by a product, five times as fast as a sum over the rows."""
    return tf.cast(tf.matmul(tf.ones([1, tf.shape(rows)[0]], rows.dtype), rows)[0], tf.float32)


def masked(state: Tensor, keep: Tensor | None, t: Tensor) -> Tensor:
    """The state `[B, H]` that step `t` goes on from; also its gradient from that of what this gives."""
    return state if keep is None else state * keep[t][:, None]


def gru_scan(
    x: Tensor, state: Tensor, kernel: Tensor, bias: Tensor, dtype: Any = tf.float32, keep: Tensor | None = None
) -> Tensor:
    """All hidden states of a GRU layer.

    `x [T, B, 3H]`: the projected inputs, gates in Keras' order z, r, c, with the input bias.
    `state [B, H]`; `kernel [H, 3H]` and `bias [3H]`, the recurrent ones. Returns `[T, B, H]`.
    `dtype` is that of the matrix products; everything else is float32. `keep [T, B]`: see above.
    """
    steps = tf.shape(x)[0]
    kernel = tf.convert_to_tensor(kernel)  # a variable itself would need a gradient of another form

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def scan(x: Tensor, state: Tensor, kernel: Tensor, bias: Tensor) -> tuple[Tensor, Any]:
        kernel = tf.cast(kernel, dtype)

        def step(t: Tensor, h: Tensor, *arrays: Any) -> tuple[Any, ...]:
            h = masked(h, keep, t)
            before = tf.cast(h, dtype)
            x_z, x_r, x_c = tf.split(x[t], 3, 1)
            h_z, h_r, h_c = tf.split(product(before, kernel, dtype) + bias, 3, 1)
            z, r = tf.sigmoid(x_z + h_z), tf.sigmoid(x_r + h_r)
            c = tf.tanh(x_c + r * h_c)
            apart = h - c
            h = c + z * apart
            return t + 1, h, *_written(arrays, t, h, before, z, r, c, h_c, apart)

        start = (0, state, *_arrays(steps, tf.float32, dtype, *[tf.float32] * 5))
        _, _, hidden, before, *kept = tf.while_loop(lambda t, *_: t < steps, step, start, parallel_iterations=1)

        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            backwards = product_with_transposed(kernel, dtype)

            def back(n: Tensor, d_h: Tensor, *arrays: Any) -> tuple[Any, ...]:
                t = steps - 1 - n
                z, r, c, h_c, apart = (array.read(t) for array in kept)
                d_h = d_h + upstream[t]
                d_through = d_h * z
                d_c = tanh_grad(c, d_h - d_through)
                d_z = sigmoid_grad(z, d_h * apart)
                d_r = sigmoid_grad(r, d_c * h_c)
                d_x = tf.concat([d_z, d_r, d_c], 1)
                d_product = tf.cast(tf.concat([d_z, d_r, d_c * r], 1), dtype)
                d_h = masked(d_through + backwards(d_product), keep, t)
                return n + 1, d_h, *_written(arrays, t, d_x, d_product)

            begin = (0, tf.zeros_like(state), *_arrays(steps, tf.float32, dtype))
            _, d_state, d_x, d_product = tf.while_loop(lambda n, *_: n < steps, back, begin, parallel_iterations=1)
            rows = d_product.concat()
            return d_x.stack(), d_state, product(before.concat(), rows, dtype, transpose_a=True), column_sums(rows)

        return hidden.stack(), gradient

    return scan(x, state, kernel, bias)


def lstm_scan(
    x: Tensor, state: Tensor, carry: Tensor, kernel: Tensor, dtype: Any = tf.float32, keep: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """All hidden states of an LSTM layer `[T, B, H]`, and the last cell state `[B, H]`.

    `x [T, B, 4H]`: the projected inputs, gates in Keras' order i, f, g, o, with the bias. `state` and `carry [B, H]`:
    hidden and cell state; `kernel [H, 4H]`, the recurrent one.
    """
    steps = tf.shape(x)[0]
    kernel = tf.convert_to_tensor(kernel)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def scan(x: Tensor, state: Tensor, carry: Tensor, kernel: Tensor) -> tuple[Any, Any]:
        kernel = tf.cast(kernel, dtype)

        def step(t: Tensor, h: Tensor, c: Tensor, *arrays: Any) -> tuple[Any, ...]:
            before, c_before = tf.cast(masked(h, keep, t), dtype), masked(c, keep, t)
            total_i, total_f, total_g, total_o = tf.split(x[t] + product(before, kernel, dtype), 4, 1)
            i, f, o = tf.sigmoid(total_i), tf.sigmoid(total_f), tf.sigmoid(total_o)
            g = tf.tanh(total_g)
            c = f * c_before + i * g
            squashed = tf.tanh(c)
            h = o * squashed
            return t + 1, h, c, *_written(arrays, t, h, before, i, f, g, o, c_before, squashed)

        start = (0, state, carry, *_arrays(steps, tf.float32, dtype, *[tf.float32] * 6))
        _, _, last, hidden, before, *kept = tf.while_loop(lambda t, *_: t < steps, step, start, parallel_iterations=1)

        def gradient(upstream: Tensor, d_last: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            backwards = product_with_transposed(kernel, dtype)

            def back(n: Tensor, d_h: Tensor, d_c: Tensor, *arrays: Any) -> tuple[Any, ...]:
                t = steps - 1 - n
                i, f, g, o, c_before, squashed = (array.read(t) for array in kept)
                d_h = d_h + upstream[t]
                d_c = d_c + tanh_grad(squashed, d_h * o)
                d_i, d_f = sigmoid_grad(i, d_c * g), sigmoid_grad(f, d_c * c_before)
                d_g, d_o = tanh_grad(g, d_c * i), sigmoid_grad(o, d_h * squashed)
                d_x = tf.concat([d_i, d_f, d_g, d_o], 1)
                d_product = tf.cast(d_x, dtype)
                d_h = masked(backwards(d_product), keep, t)
                return n + 1, d_h, masked(d_c * f, keep, t), *_written(arrays, t, d_x, d_product)

            begin = (0, tf.zeros_like(state), d_last, *_arrays(steps, tf.float32, dtype))
            _, d_state, d_carry, d_x, d_product = tf.while_loop(
                lambda n, *_: n < steps, back, begin, parallel_iterations=1
            )
            return d_x.stack(), d_state, d_carry, product(before.concat(), d_product.concat(), dtype, transpose_a=True)

        return (hidden.stack(), last), gradient

    hidden, last = scan(x, state, carry, kernel)
    return hidden, last


def rnn_scan(x: Tensor, state: Tensor, kernel: Tensor, dtype: Any = tf.float32, keep: Tensor | None = None) -> Tensor:
    """All hidden states of a SimpleRNN layer `[T, B, H]`, from projected inputs `x [T, B, H]` with the bias."""
    steps = tf.shape(x)[0]
    kernel = tf.convert_to_tensor(kernel)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def scan(x: Tensor, state: Tensor, kernel: Tensor) -> tuple[Any, Any]:
        kernel = tf.cast(kernel, dtype)

        def step(t: Tensor, h: Tensor, *arrays: Any) -> tuple[Any, ...]:
            before = tf.cast(masked(h, keep, t), dtype)
            h = tf.tanh(x[t] + product(before, kernel, dtype))
            return t + 1, h, *_written(arrays, t, h, before)

        start = (0, state, *_arrays(steps, tf.float32, dtype))
        _, _, hidden, before = tf.while_loop(lambda t, *_: t < steps, step, start, parallel_iterations=1)

        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            backwards = product_with_transposed(kernel, dtype)

            def back(n: Tensor, d_h: Tensor, *arrays: Any) -> tuple[Any, ...]:
                t = steps - 1 - n
                d_x = tanh_grad(hidden.read(t), d_h + upstream[t])
                d_product = tf.cast(d_x, dtype)
                d_h = masked(backwards(d_product), keep, t)
                return n + 1, d_h, *_written(arrays, t, d_x, d_product)

            begin = (0, tf.zeros_like(state), *_arrays(steps, tf.float32, dtype))
            _, d_state, d_x, d_product = tf.while_loop(lambda n, *_: n < steps, back, begin, parallel_iterations=1)
            return d_x.stack(), d_state, product(before.concat(), d_product.concat(), dtype, transpose_a=True)

        return hidden.stack(), gradient

    return scan(x, state, kernel)


def sigmoid_grad(y: Tensor, upstream: Tensor) -> Tensor:
    """The gradient before a sigmoid, from its value `y` and the gradient after it."""
    return tf.raw_ops.SigmoidGrad(y=y, dy=upstream)


def tanh_grad(y: Tensor, upstream: Tensor) -> Tensor:
    """The gradient before a tanh, from its value `y` and the gradient after it."""
    return tf.raw_ops.TanhGrad(y=y, dy=upstream)


def _arrays(steps: Tensor, *dtypes: Any) -> tuple[Any, ...]:
    return tuple(tf.TensorArray(dtype, size=steps, clear_after_read=False) for dtype in dtypes)


def _written(arrays: tuple[Any, ...], t: Tensor, *values: Tensor) -> tuple[Any, ...]:
    """The arrays with a value each at step `t`."""
    return tuple(array.write(t, value) for array, value in zip(arrays, values, strict=True))
