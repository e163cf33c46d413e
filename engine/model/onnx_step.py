"""The step function on ONNX Runtime, compiled from a network's data in memory.

With precision "int8", products with a recurrent layer's output use 8-bit integers: weights with one scale per column,
activations with the fixed scale 1/127, for they lie in (-1, 1). A fixed scale needs no statistics of the batch, so a
row never depends on the others; sums of integers are exact in any order.

Everything that depends on the token alone (embedding, layers before the first recurrent one, its input kernel and
biases) is folded into one table `[V, G*H]`, so the first layer's input is a table look-up. Knows no vocabulary.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from engine import program
from engine.errors import ModelLoadError
from engine.model.network import Activation, Array, Dense, Embedding, Layer, Network, Normalization, Recurrent
from engine.model.step import Ids, Logits, Shape, State, fingerprint

onnxruntime.disable_telemetry_events()  # for a program that imported it before `engine.private` could stop it

OPSET, IR_VERSION = 17, 8
SMALL_PARAMETERS, MAX_THREADS = 300_000, 4
ONNX_ACTIVATIONS = {
    "tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu", "softsign": "Softsign", "elu": "Elu",
}  # fmt: skip
HARD_SIGMOIDS = {"hard_sigmoid": 1 / 6, "keras_2_hard_sigmoid": 1 / 5}  # their slopes; Keras 3 has relu6(x + 3) / 6


class OnnxStep:
    """One session and its shapes. Stateless, and safe to call from any thread."""

    def __init__(self, network: Network, *, precision: str = "float32", threads: int | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = thread_count(network) if threads is None else threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # an idle engine must be idle
        options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
        first = network.recurrent[0]
        self.shape = Shape(first.cell, first.units, len(network.recurrent), network.parameters)
        self.fingerprint = fingerprint(network.weights)
        self.state_size = network.state_size
        self.vocabulary_size = network.vocabulary_size
        try:
            self._session = onnxruntime.InferenceSession(
                compile_step(network, precision).SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except ModelLoadError:
            raise
        except Exception as error:  # the runtime's errors share no other class
            raise ModelLoadError(f"{network.name}: ONNX Runtime cannot run it ({error}): use --backend keras") from None
        # The session's own run() checks and copies its arguments in Python at every call.
        self._run = self._session._sess.run

    def __call__(self, ids: Ids, state: State) -> tuple[Logits, State]:
        """Feed one token a row: `ids [B]`, `state [B, S]` to `logits [B, V]`, `state [B, S]`."""
        logits, after = self._run(_OUTPUTS, {"ids": ids, "state": state}, None)
        return logits, after


_OUTPUTS = ["logits", "after"]


def thread_count(network: Network) -> int:
    """One thread for a small network, else one per core: a step waits for memory, and each core has its own cache."""
    if network.parameters < SMALL_PARAMETERS:
        return 1
    return min(MAX_THREADS, program.cores())


def compile_step(network: Network, precision: str = "float32") -> ModelProto:
    """The ONNX model of one step; `precision` is "float32" or "int8"."""
    return _Compiler(network, precision == "int8").model


def quantize(kernel: Array) -> tuple[NDArray[np.int8], Array]:
    """A kernel as 8-bit integers `[I, O]` and the scale of each column `[O]`; their product approximates it."""
    scale = np.maximum(np.abs(kernel).max(axis=0), np.float32(1e-30)) / np.float32(127)
    return np.rint(kernel / scale).astype(np.int8), scale.astype(np.float32)


@functools.cache
def signed_weights_are_exact() -> bool:
    """Whether this processor sums products of unsigned and signed bytes exactly. Those without VNNI stop at 16 bits."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["c"])],
        "probe",
        [value("a", TensorProto.UINT8, [1, 64])],
        [value("c", TensorProto.INT32, [1, 16])],
        [numpy_helper.from_array(np.full((64, 16), 127, np.int8), "b")],
    )
    probe = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    return bool((session.run(None, {"a": np.full((1, 64), 255, np.uint8)})[0] == 64 * 255 * 127).all())


class _Compiler:
    """Grows a graph node by node; `x` names the activations `[B, width]` as they pass through the layers."""

    def __init__(self, network: Network, is_int8: bool) -> None:
        self._is_int8 = is_int8
        self._bounded: set[str] = set()  # activations that lie in (-1, 1)
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
        self._after: list[str] = []
        states = self._split_state(network)
        self._is_step = self._mask(network)
        table, rest = fold_table(network)
        x, projected = "", self._node("Gather", self._constant(table), "ids")
        for layer in rest:
            if isinstance(layer, Recurrent):
                if not projected:
                    projected = self._project(layer, x)
                before = states[0]
                if layer.is_bounded:
                    self._bounded.add(before)
                x, projected = self._recurrent(layer, projected, states), ""
                if layer.is_bounded:
                    self._bounded.add(x)
            else:
                x = self._pointwise(layer, x)
        self._node("Identity", x, output="logits")
        self._node("Concat", *self._after, output="after", axis=1)
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self._nodes,
            "step",
            [
                value("ids", TensorProto.INT32, ["B"]),
                value("state", TensorProto.FLOAT, ["B", network.state_size]),
            ],
            [
                value("logits", TensorProto.FLOAT, ["B", network.vocabulary_size]),
                value("after", TensorProto.FLOAT, ["B", network.state_size]),
            ],
            self._constants,
        )
        self.model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)

    def _split_state(self, network: Network) -> list[str]:
        sizes = [layer.units for layer in network.recurrent for _ in range(layer.state_size // layer.units)]
        return self._split("state", sizes)

    def _mask(self, network: Network) -> str:
        """Which rows take a step `[B, 1]`; "" if all do."""
        first = network.layers[0]
        if not (isinstance(first, Embedding) and first.mask_zero):
            return ""
        return self._node("Unsqueeze", self._node("Cast", "ids", to=TensorProto.BOOL), self._constant(np.array([1])))

    def _after_step(self, new: str, old: str) -> str:
        """The new value where a row takes a step, else the old one."""
        return self._node("Where", self._is_step, new, old) if self._is_step else new

    def _recurrent(self, layer: Recurrent, x: str, states: list[str]) -> str:
        """Projected inputs `x [B, G*H]` to outputs `[B, H]`; takes its states off the list."""
        h = states.pop(0)
        if layer.cell == "gru":
            out = self._after_step((self._gru_after if layer.reset_after else self._gru_before)(layer, x, h), h)
            self._after.append(out)
            return out
        total = self._node("Add", x, self._product(h, layer.recurrent))
        if layer.cell == "rnn":
            out = self._after_step(self._activate(layer.activation, total), h)
            self._after.append(out)
            return out
        return self._lstm(layer, total, h, states.pop(0))

    def _gru_after(self, layer: Recurrent, x: str, h: str) -> str:
        """z, r = s(x + h R);  c = act(x_c + r (h R_c + b_c));  h' = c + z (h - c)."""
        size = layer.units
        x_gates, x_c = self._split(x, [2 * size, size])
        r_gates, r_c = self._split(self._product(h, layer.recurrent), [2 * size, size])
        z, r = self._split(
            self._activate(layer.recurrent_activation, self._node("Add", x_gates, r_gates)), [size, size]
        )
        if layer.bias is not None:
            r_c = self._node("Add", r_c, self._constant(layer.bias[1, 2 * size :]))
        c = self._activate(layer.activation, self._node("Add", x_c, self._node("Mul", r, r_c)))
        return self._node("Add", c, self._node("Mul", z, self._node("Sub", h, c)))

    def _gru_before(self, layer: Recurrent, x: str, h: str) -> str:
        """z, r = s(x + h R);  c = act(x_c + (r h) R_c);  h' = c + z (h - c)."""
        size = layer.units
        x_gates, x_c = self._split(x, [2 * size, size])
        total = self._node("Add", x_gates, self._product(h, layer.recurrent[:, : 2 * size]))
        z, r = self._split(self._activate(layer.recurrent_activation, total), [size, size])
        gated = self._node("Mul", r, h)
        if h in self._bounded:
            self._bounded.add(gated)
        inner = self._product(gated, layer.recurrent[:, 2 * size :])
        c = self._activate(layer.activation, self._node("Add", x_c, inner))
        return self._node("Add", c, self._node("Mul", z, self._node("Sub", h, c)))

    def _lstm(self, layer: Recurrent, total: str, h: str, cell: str) -> str:
        """i, f, o = s(...);  cell' = f cell + i act(c);  h' = o act(cell')  (Keras' order i, f, c, o)."""
        i, f, c, o = self._split(total, [layer.units] * 4)
        gate = layer.recurrent_activation
        kept = self._node("Mul", self._activate(gate, f), cell)
        new = self._node("Mul", self._activate(gate, i), self._activate(layer.activation, c))
        after = self._node("Add", kept, new)
        out = self._after_step(self._node("Mul", self._activate(gate, o), self._activate(layer.activation, after)), h)
        self._after += [out, self._after_step(after, cell)]
        return out

    def _project(self, layer: Recurrent, x: str) -> str:
        out = self._product(x, layer.kernel)
        bias = input_bias(layer)
        return out if bias is None else self._node("Add", out, self._constant(bias))

    def _pointwise(self, layer: Layer, x: str) -> str:
        if isinstance(layer, Activation):
            return self._activate(layer.name, x, layer.slope)
        if isinstance(layer, Normalization):
            gamma = np.float32(1) if layer.gamma is None else layer.gamma
            mean = self._node("ReduceMean", x, axes=[-1], keepdims=1)
            centered = self._node("Sub", x, mean)
            variance = self._node("ReduceMean", self._node("Mul", centered, centered), axes=[-1], keepdims=1)
            spread = self._node("Sqrt", self._node("Add", variance, self._constant(np.float32(layer.epsilon))))
            out = self._node("Mul", self._node("Div", centered, spread), self._constant(gamma))
            return out if layer.beta is None else self._node("Add", out, self._constant(layer.beta))
        assert isinstance(layer, Dense)
        out = self._product(x, layer.kernel)
        if layer.bias is not None:
            out = self._node("Add", out, self._constant(layer.bias))
        return self._activate(layer.activation, out)

    def _activate(self, name: str, x: str, slope: float = 0.0) -> str:
        if name == "linear":
            return x
        if name in HARD_SIGMOIDS:
            return self._node("HardSigmoid", x, alpha=HARD_SIGMOIDS[name], beta=0.5)
        if name == "leaky_relu":
            return self._node("LeakyRelu", x, alpha=slope)
        return self._node(ONNX_ACTIVATIONS[name], x)

    def _product(self, x: str, kernel: Array) -> str:
        if not (self._is_int8 and x in self._bounded):
            return self._node("MatMul", x, self._constant(kernel))
        weights, scale = quantize(kernel)
        zero = self._constant(np.uint8(128))
        rounded = self._node("QuantizeLinear", x, self._constant(np.float32(1 / 127)), zero)
        if signed_weights_are_exact():
            total = self._node("MatMulInteger", rounded, self._constant(weights), zero)
        else:
            shifted = (weights.astype(np.int16) + 128).astype(np.uint8)
            total = self._node("MatMulInteger", rounded, self._constant(shifted), zero, zero)
        total = self._node("Cast", total, to=TensorProto.FLOAT)
        return self._node("Mul", total, self._constant(scale / np.float32(127)))

    def _split(self, x: str, sizes: list[int]) -> list[str]:
        if len(sizes) == 1:
            return [x]
        outputs = [f"{x}.{len(self._nodes)}.{index}" for index in range(len(sizes))]
        sizes_name = self._constant(np.array(sizes, np.int64))
        self._nodes.append(helper.make_node("Split", [x, sizes_name], outputs, axis=1))
        return outputs

    def _node(self, kind: str, *inputs: str, output: str = "", **attributes: object) -> str:
        output = output or f"{kind}.{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def _constant(self, array: NDArray[np.generic] | np.generic) -> str:
        name = f"constant.{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name


def input_bias(layer: Recurrent) -> Array | None:
    """What a layer adds to its projected input `[G*H]`, including recurrent biases that are only added."""
    if layer.bias is None or layer.bias.ndim == 1:
        return layer.bias
    bias: Array = layer.bias[0].copy()
    gates = 2 * layer.units
    bias[:gates] += layer.bias[1, :gates]
    return bias


def fold_table(network: Network) -> tuple[Array, list[Layer]]:
    """The first recurrent layer's projected input for each token `[V, G*H]`, and the layers from it on."""
    first, *rest = network.layers
    assert isinstance(first, Embedding)
    x = first.table.astype(np.float64)
    while not isinstance(rest[0], Recurrent):
        layer = rest.pop(0)
        if isinstance(layer, Normalization):
            x = x - x.mean(-1, keepdims=True)
            x = x / np.sqrt((x * x).mean(-1, keepdims=True) + layer.epsilon)
            x = x * (1.0 if layer.gamma is None else layer.gamma) + (0.0 if layer.beta is None else layer.beta)
        elif isinstance(layer, Dense):
            x = _activated(layer.activation, x @ layer.kernel + (0.0 if layer.bias is None else layer.bias))
        else:
            assert isinstance(layer, Activation)
            x = _activated(layer.name, x, layer.slope)
    bias = input_bias(rest[0])
    table = x @ rest[0].kernel.astype(np.float64) + (0.0 if bias is None else bias)
    return table.astype(np.float32), list(rest)


def _activated(name: str, x: NDArray[np.float64], slope: float = 0.0) -> NDArray[np.float64]:
    functions: dict[str, Callable[[Any], Any]] = {
        "linear": lambda x: x,
        "tanh": np.tanh,
        "sigmoid": lambda x: 0.5 + 0.5 * np.tanh(0.5 * x),
        "relu": lambda x: np.maximum(x, 0),
        "softsign": lambda x: x / (1 + np.abs(x)),
        "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        "leaky_relu": lambda x: np.where(x > 0, x, slope * x),
        **{
            name: functools.partial(lambda alpha, x: np.clip(alpha * x + 0.5, 0, 1), alpha)
            for name, alpha in HARD_SIGMOIDS.items()
        },
    }
    return np.asarray(functions[name](x))
