"""The recurrences on a CPU, with their own gradients, for TensorFlow.

A generic loop multiplies and sums weight gradients inside every step. Here the loop holds only what depends on
the step before: one matrix product and the gates forward, one matrix product backward. Input projections,
pointwise derivatives of the gates and weight gradients are single large operations outside of it.

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

from typing import Any

import tensorflow as tf

Tensor = Any


def product(a: Tensor, b: Tensor, dtype: Any, **kwargs: bool) -> Tensor:
    """A matrix product in `dtype`, its result as float32."""
    if dtype == tf.float32:
        return tf.matmul(a, b, **kwargs)
    return tf.cast(tf.matmul(tf.cast(a, dtype), tf.cast(b, dtype), **kwargs), tf.float32)


def masked(state: Tensor, keep: Tensor | None, t: Tensor) -> Tensor:
    """The state `[B, H]` that step `t` goes on from; also its gradient from that of what this gives."""
    return state if keep is None else state * keep[t][:, None]


def states_before(first: Tensor, after: Tensor, keep: Tensor | None) -> Tensor:
    """The states `[T, B, H]` that each step went on from; `after [T, B, H]` are those that it led to."""
    before = tf.concat([first[None], after[:-1]], 0)
    return before if keep is None else before * keep[..., None]


def gru_scan(
    x: Tensor, state: Tensor, kernel: Tensor, bias: Tensor, dtype: Any = tf.float32, keep: Tensor | None = None
) -> Tensor:
    """All hidden states of a GRU layer.

    `x [T, B, 3H]`: the projected inputs, gates in Keras' order z, r, c, with the input bias.
    `state [B, H]`; `kernel [H, 3H]` and `bias [3H]`, the recurrent ones. Returns `[T, B, H]`.
    `dtype` is that of the matrix products; everything else is float32. `keep [T, B]`: see above.
    """
    steps, width = tf.shape(x)[0], kernel.shape[0]
    kernel = tf.convert_to_tensor(kernel)  # a variable itself would need a gradient of another form

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def scan(x: Tensor, state: Tensor, kernel: Tensor, bias: Tensor) -> tuple[Tensor, Any]:
        cast_kernel = tf.cast(kernel, dtype)
        hidden, gates, candidate, recurrent = _forward(x, state, cast_kernel, bias, steps, width, dtype, keep)

        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            before = states_before(state, hidden, keep)
            z, r = gates[..., :width], gates[..., width:]
            by_candidate = (1 - z) * (1 - candidate * candidate)  # d(pre-activation of c) / dh'
            factors = tf.concat(
                [(before - candidate) * z * (1 - z), by_candidate * recurrent * r * (1 - r), by_candidate * r], -1
            )
            d_recurrent, d_hidden, d_state = _backward(upstream, z, factors, cast_kernel, steps, dtype, keep)
            d_x = tf.concat([d_recurrent[..., : 2 * width], d_hidden * by_candidate], -1)
            flat = tf.reshape(d_recurrent, [-1, 3 * width])
            d_kernel = product(tf.reshape(before, [-1, width]), flat, dtype, transpose_a=True)
            return d_x, d_state, d_kernel, tf.reduce_sum(flat, 0)

        return hidden, gradient

    return scan(x, state, kernel, bias)


def _arrays(steps: Tensor, count: int) -> tuple[Any, ...]:
    return tuple(tf.TensorArray(tf.float32, size=steps) for _ in range(count))


def _forward(
    x: Tensor, state: Tensor, kernel: Tensor, bias: Tensor, steps: Tensor, width: int, dtype: Any, keep: Tensor | None
) -> tuple[Tensor, ...]:
    """The loop; returns hidden `[T, B, H]`, gates z|r `[T, B, 2H]`, candidate and h R_c + b_c `[T, B, H]`."""

    def step(t: Tensor, h: Tensor, *kept: Any) -> tuple[Any, ...]:
        h = masked(h, keep, t)
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
    upstream: Tensor, z: Tensor, factors: Tensor, kernel: Tensor, steps: Tensor, dtype: Any, keep: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """The loop back; returns the gradients of h R + b `[T, B, 3H]`, of each hidden state, and of the first."""

    def step(i: Tensor, d_carried: Tensor, *kept: Any) -> tuple[Any, ...]:
        t = steps - 1 - i
        d_hidden = d_carried + upstream[t]
        d_recurrent = tf.concat([d_hidden, d_hidden, d_hidden], 1) * factors[t]
        d_carried = d_hidden * z[t] + product(d_recurrent, kernel, dtype, transpose_b=True)
        return i + 1, masked(d_carried, keep, t), kept[0].write(t, d_recurrent), kept[1].write(t, d_hidden)

    start = (0, tf.zeros_like(upstream[0]), *_arrays(steps, 2))
    _, d_state, d_recurrent, d_hidden = tf.while_loop(lambda i, *_: i < steps, step, start, parallel_iterations=1)
    return d_recurrent.stack(), d_hidden.stack(), d_state


def lstm_scan(
    x: Tensor, state: Tensor, carry: Tensor, kernel: Tensor, dtype: Any = tf.float32, keep: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """All hidden states of an LSTM layer `[T, B, H]`, and the last cell state `[B, H]`.

    `x [T, B, 4H]`: the projected inputs, gates in Keras' order i, f, g, o, with the bias. `state` and `carry [B, H]`:
    hidden and cell state; `kernel [H, 4H]`, the recurrent one.
    """
    steps, width = tf.shape(x)[0], kernel.shape[0]
    kernel = tf.convert_to_tensor(kernel)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def scan(x: Tensor, state: Tensor, carry: Tensor, kernel: Tensor) -> tuple[Any, Any]:
        cast_kernel = tf.cast(kernel, dtype)

        def step(t: Tensor, h: Tensor, c: Tensor, *kept: Any) -> tuple[Any, ...]:
            h, c = masked(h, keep, t), masked(c, keep, t)
            total = x[t] + product(h, cast_kernel, dtype)
            sigmoids = tf.sigmoid(total)  # of g, too, which costs less than to take it out
            inner = tf.tanh(total[:, 2 * width : 3 * width])
            c = sigmoids[:, width : 2 * width] * c + sigmoids[:, :width] * inner
            squashed = tf.tanh(c)
            h = sigmoids[:, 3 * width :] * squashed
            values = (h, c, sigmoids, inner, squashed)
            return (t + 1, h, c, *(array.write(t, value) for array, value in zip(kept, values, strict=True)))

        start = (0, state, carry, *_arrays(steps, 5))
        _, _, last, *kept = tf.while_loop(lambda t, *_: t < steps, step, start, parallel_iterations=1)
        hidden, cells, sigmoids, inner, squashed = (array.stack() for array in kept)

        def gradient(upstream: Tensor, d_last: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            before, cell_before = states_before(state, hidden, keep), states_before(carry, cells, keep)
            i, f, _, o = tf.split(sigmoids, 4, -1)
            by_cell = o * (1 - squashed * squashed)  # dh' / dc'
            factors = tf.concat(  # of dc', and of dh' in the last quarter
                [inner * i * (1 - i), cell_before * f * (1 - f), i * (1 - inner * inner), squashed * o * (1 - o)], -1
            )

            def back(n: Tensor, d_h: Tensor, d_c: Tensor, kept: Any) -> tuple[Any, ...]:
                t = steps - 1 - n
                d_h = d_h + upstream[t]
                d_c = d_c + d_h * by_cell[t]
                d_total = tf.concat([d_c, d_c, d_c, d_h], 1) * factors[t]
                d_before = product(d_total, cast_kernel, dtype, transpose_b=True)
                return n + 1, masked(d_before, keep, t), masked(d_c * f[t], keep, t), kept.write(t, d_total)

            begin = (0, tf.zeros_like(state), d_last, *_arrays(steps, 1))
            _, d_state, d_carry, kept = tf.while_loop(lambda n, *_: n < steps, back, begin, parallel_iterations=1)
            d_x = kept.stack()
            flat = tf.reshape(d_x, [-1, 4 * width])
            return d_x, d_state, d_carry, product(tf.reshape(before, [-1, width]), flat, dtype, transpose_a=True)

        return (hidden, last), gradient

    hidden, last = scan(x, state, carry, kernel)
    return hidden, last


def rnn_scan(
    x: Tensor, state: Tensor, kernel: Tensor, dtype: Any = tf.float32, keep: Tensor | None = None
) -> Tensor:  # fmt: skip
    """All hidden states of a SimpleRNN layer `[T, B, H]`, from projected inputs `x [T, B, H]` with the bias."""
    steps, width = tf.shape(x)[0], kernel.shape[0]
    kernel = tf.convert_to_tensor(kernel)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def scan(x: Tensor, state: Tensor, kernel: Tensor) -> tuple[Any, Any]:
        cast_kernel = tf.cast(kernel, dtype)

        def step(t: Tensor, h: Tensor, kept: Any) -> tuple[Any, ...]:
            h = tf.tanh(x[t] + product(masked(h, keep, t), cast_kernel, dtype))
            return t + 1, h, kept.write(t, h)

        start = (0, state, *_arrays(steps, 1))
        _, _, kept = tf.while_loop(lambda t, *_: t < steps, step, start, parallel_iterations=1)
        hidden = kept.stack()

        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            before = states_before(state, hidden, keep)
            slopes = 1 - hidden * hidden

            def back(n: Tensor, d_h: Tensor, kept: Any) -> tuple[Any, ...]:
                t = steps - 1 - n
                d_total = (d_h + upstream[t]) * slopes[t]
                d_before = product(d_total, cast_kernel, dtype, transpose_b=True)
                return n + 1, masked(d_before, keep, t), kept.write(t, d_total)

            begin = (0, tf.zeros_like(state), *_arrays(steps, 1))
            _, d_state, kept = tf.while_loop(lambda n, *_: n < steps, back, begin, parallel_iterations=1)
            d_x = kept.stack()
            flat = tf.reshape(d_x, [-1, width])
            return d_x, d_state, product(tf.reshape(before, [-1, width]), flat, dtype, transpose_a=True)

        return hidden, gradient

    return scan(x, state, kernel)
