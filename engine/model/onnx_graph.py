"""Compiles a network's data into graphs for ONNX Runtime, in memory. Knows no vocabulary and no session.

Two graphs have the same layers and give the same bits. `compile_writer` takes one token a row, and may draw the next
one and take it, many times before it comes back. `compile_reader` takes many tokens a row, layer by layer: the products
of a layer's inputs are one large one, and its recurrence has the processor's caches for itself.

With precision "int8", products with a recurrent layer's output use 8-bit integers: weights with one scale per column,
activations with the fixed scale 1/127, for they lie in (-1, 1). A fixed scale needs no statistics of the batch, so a
row never depends on the others; sums of integers are exact in any order.

Everything that depends on the token alone (embedding, layers before the first recurrent one, its input kernel and
biases) is folded into one table `[V, G*H]`, so the first layer's input is a table look-up.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import (
    ModelProto,
    NodeProto,
    StringStringEntryProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)

from engine.model.network import Activation, Array, Dense, Embedding, Layer, Network, Normalization, Recurrent

OPSET, IR_VERSION = 17, 8
LARGE_BYTES = 4096
CONTRIBUTED = "com.microsoft"  # ONNX Runtime's own operators
ONNX_ACTIVATIONS = {
    "tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu", "softsign": "Softsign",
}  # fmt: skip
HARD_SIGMOIDS = {"hard_sigmoid": 1 / 6, "keras_2_hard_sigmoid": 1 / 5}  # their slopes; Keras 3 has relu6(x + 3) / 6
END = np.array([np.iinfo(np.int64).max])  # of a slice


@dataclass(frozen=True, slots=True)
class Graph:
    """A model without its large arrays, and these by name: a session takes them as they are, without a copy."""

    model: ModelProto
    arrays: dict[str, NDArray[np.generic]]


def compile_writer(network: Network, precision: str = "float32") -> Graph:
    """The graph of steps with draws between them; `precision` is "float32" or "int8".

    Inputs: `ids [B]`, `state [B, S]`, the `count` of steps, whether it `draws`, and what that needs: the fields of
    `engine.sampling.Draws`. Outputs: the `tokens [count, B]` drawn after each step, and after the last one `logits [B,
    V]` and `after [B, S]`. Where it draws nothing, the tokens mean nothing.
    """
    return _Compiler(network, precision == "int8").writer()


def compile_reader(network: Network, precision: str = "float32") -> Graph:
    """The graph of many given tokens a row; `precision` is "float32" or "int8".

    Inputs: `ids [T, B]`, `state [B, S]` and `begin [1]`. Outputs: the `logits [T - begin, B, V]` after each token from
    that place on, and `after [B, S]`.
    """
    return _Compiler(network, precision == "int8").reader()


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


class _Graph:
    """Grows a graph node by node. What is within an inner graph sees all names around it."""

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
        self._arrays: dict[str, NDArray[np.generic]] = {}  # of the large ones
        self._names = 0

    def _node(self, kind: str, *inputs: str, output: str = "", **attributes: object) -> str:
        output = output or self._name(kind)
        self._nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def _constant(self, given: NDArray[np.generic] | np.generic) -> str:
        name, array = f"constant.{len(self._constants)}", np.asarray(given, order="C")
        if array.nbytes < LARGE_BYTES:
            self._constants.append(numpy_helper.from_array(array, name))
            return name
        kind, place = helper.np_dtype_to_tensor_dtype(array.dtype), StringStringEntryProto(key="location", value=name)
        outside = TensorProto.EXTERNAL
        named = TensorProto(name=name, dims=array.shape, data_type=kind, data_location=outside, external_data=[place])
        self._constants.append(named)
        self._arrays[name] = array
        return name

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}.{self._names}"

    def _split(self, x: str, sizes: list[int]) -> list[str]:
        if len(sizes) == 1:
            return [x]
        outputs = [self._name("part") for _ in sizes]
        sizes_name = self._constant(np.array(sizes, np.int64))
        self._nodes.append(helper.make_node("Split", [x, sizes_name], outputs, axis=-1))
        return outputs

    @contextmanager
    def _inner(self) -> Iterator[list[NodeProto]]:
        """The nodes of a graph within this one, which sees all names around it."""
        outside, self._nodes = self._nodes, []
        try:
            yield self._nodes
        finally:
            self._nodes = outside

    def _choice(
        self, condition: str, then: tuple[list[NodeProto], str], other: str, kind: int, shape: list[Any]
    ) -> str:
        """What some nodes give under a condition, else the other."""
        with self._inner() as nodes:
            same = self._node("Identity", other)
        branches = [
            helper.make_graph(inner, "branch", [], [_value(name, kind, shape)]) for inner, name in (then, (nodes, same))
        ]
        return self._node("If", condition, then_branch=branches[0], else_branch=branches[1])

    def _model(self, inputs: list[ValueInfoProto], outputs: list[ValueInfoProto]) -> Graph:
        graph = helper.make_graph(self._nodes, "network", inputs, outputs, self._constants)
        domains = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIBUTED, 1)]
        return Graph(helper.make_model(graph, opset_imports=domains, ir_version=IR_VERSION), self._arrays)


class _Layers(_Graph):
    """The layers of a network as nodes; `x` names the activations `[..., width]` as they pass through them."""

    def __init__(self, network: Network, is_int8: bool) -> None:
        super().__init__()
        self._network, self._is_int8 = network, is_int8
        self._table, self._layers = fold_table(network)
        self._size, self._width = network.vocabulary_size, network.state_size
        self._state_widths = [
            layer.units for layer in network.recurrent for _ in range(layer.state_size // layer.units)
        ]
        self._bounded: set[str] = set()  # activations that lie in (-1, 1)
        self._is_step = ""  # which rows take a step `[..., 1]`; "" if all do

    def _split_state(self, state: str) -> list[str]:
        """The state's parts, one a layer, or two of an LSTM's."""
        parts = self._split(state, self._state_widths)
        places = list(parts)
        for layer in self._network.recurrent:
            if layer.is_bounded:
                self._bounded.add(places[0])
            del places[: layer.state_size // layer.units]
        return parts

    def _mask(self, ids: str) -> None:
        """Find which rows take a step."""
        first = self._network.layers[0]
        if isinstance(first, Embedding) and first.mask_zero:
            is_step = self._node("Cast", ids, to=TensorProto.BOOL)
            self._is_step = self._node("Unsqueeze", is_step, self._constant(np.array([-1])))

    def _after_step(self, new: str, old: str) -> str:
        """The new value where a row takes a step, else the old one."""
        return self._node("Where", self._is_step, new, old) if self._is_step else new

    def _like(self, name: str, other: str) -> str:
        """The name of activations that lie where the other ones do."""
        if other in self._bounded:
            self._bounded.add(name)
        return name

    def _recurrent(self, layer: Recurrent, x: list[str], states: list[str]) -> tuple[str, list[str]]:
        """Inputs, parted by `_widths`, to outputs `[B, H]` and new states; takes the old ones off the list."""
        h = states.pop(0)
        if layer.cell == "gru":
            out = self._after_step((self._gru_after if layer.reset_after else self._gru_before)(layer, x, h), h)
            after = [out]
        else:
            total = self._node("Add", x[0], self._product(h, layer.recurrent))
            if layer.cell == "rnn":
                out = self._after_step(self._activate(layer.activation, total), h)
                after = [out]
            else:
                out, after = self._lstm(layer, total, h, states.pop(0))
        if layer.is_bounded:
            self._bounded.add(out)
        return out, after

    def _gru_after(self, layer: Recurrent, x: list[str], h: str) -> str:
        """z, r = s(x + h R);  c = act(x_c + r (h R_c + b_c));  h' = c + z (h - c)."""
        gates, inner = self._split(self._product(h, layer.recurrent), _widths(layer))
        z, r = self._gates(layer, x[0], gates)
        if layer.bias is not None:
            inner = self._node("Add", inner, self._constant(layer.bias[1, 2 * layer.units :]))
        c = self._activate(layer.activation, self._node("Add", x[1], self._node("Mul", r, inner)))
        return self._node("Add", c, self._node("Mul", z, self._node("Sub", h, c)))

    def _gru_before(self, layer: Recurrent, x: list[str], h: str) -> str:
        """z, r = s(x + h R);  c = act(x_c + (r h) R_c);  h' = c + z (h - c)."""
        gates = 2 * layer.units
        z, r = self._gates(layer, x[0], self._product(h, layer.recurrent[:, :gates]))
        gated = self._like(self._node("Mul", r, h), h)
        inner = self._product(gated, layer.recurrent[:, gates:])
        c = self._activate(layer.activation, self._node("Add", x[1], inner))
        return self._node("Add", c, self._node("Mul", z, self._node("Sub", h, c)))

    def _gates(self, layer: Recurrent, x: str, product: str) -> list[str]:
        """A GRU's z and r."""
        total = self._node("Add", x, product)
        return self._split(self._activate(layer.recurrent_activation, total), [layer.units] * 2)

    def _lstm(self, layer: Recurrent, total: str, h: str, cell: str) -> tuple[str, list[str]]:
        """i, f, o = s(...);  cell' = f cell + i act(c);  h' = o act(cell')  (Keras' order i, f, c, o)."""
        i, f, c, o = self._split(total, [layer.units] * 4)
        gate = layer.recurrent_activation
        kept = self._node("Mul", self._activate(gate, f), cell)
        new = self._node("Mul", self._activate(gate, i), self._activate(layer.activation, c))
        after = self._node("Add", kept, new)
        out = self._after_step(self._node("Mul", self._activate(gate, o), self._activate(layer.activation, after)), h)
        return out, [out, self._after_step(after, cell)]

    def _project(self, layer: Recurrent, x: str) -> list[str]:
        """Projected inputs `[B, width]`, parted."""
        return self._split(self._product(x, layer.kernel, input_bias(layer)), _widths(layer))

    def _looked_up(self, ids: str) -> list[str]:
        """The first recurrent layer's projected inputs, parted: tables of their own, so nothing is copied."""
        tables = np.split(self._table, np.cumsum(_widths(self._network.recurrent[0]))[:-1], axis=1)
        return [self._node("Gather", self._constant(table), ids) for table in tables]

    def _pointwise(self, layer: Layer, x: str) -> str:
        if isinstance(layer, Activation):
            return self._activate(layer.name, x, layer.slope)
        if isinstance(layer, Normalization):
            width = self._width_before(layer)
            gamma = np.ones(width, np.float32) if layer.gamma is None else layer.gamma
            beta = np.zeros(width, np.float32) if layer.beta is None else layer.beta
            scaled = [self._constant(array) for array in (gamma, beta)]
            return self._node("LayerNormalization", x, *scaled, axis=-1, epsilon=layer.epsilon)
        assert isinstance(layer, Dense)
        return self._activate(layer.activation, self._product(x, layer.kernel, layer.bias))

    def _width_before(self, layer: Layer) -> int:
        """How many numbers a layer takes, of one that has no weights to tell."""
        before = self._layers[next(place for place, other in enumerate(self._layers) if other is layer) - 1]
        if isinstance(before, Recurrent):
            return before.units
        return before.kernel.shape[1] if isinstance(before, Dense) else self._width_before(before)

    def _activate(self, name: str, x: str, slope: float = 0.0) -> str:
        if name == "linear":
            return x
        if name in HARD_SIGMOIDS:
            return self._node("HardSigmoid", x, alpha=HARD_SIGMOIDS[name], beta=0.5)
        if name == "leaky_relu":
            return self._node("LeakyRelu", x, alpha=slope)
        if name == "elu":  # the operator Elu rounds a number by its place among the others
            grown = self._node("Exp", self._node("Min", x, self._constant(np.float32(0))))
            below = self._node("Sub", grown, self._constant(np.float32(1)))
            return self._node("Add", self._node("Relu", x), below)
        return self._node(ONNX_ACTIVATIONS[name], x)

    def _product(self, x: str, kernel: Array, bias: Array | None = None) -> str:
        """x kernel + bias."""
        if not (self._is_int8 and x in self._bounded):
            out = self._node("MatMul", x, self._constant(kernel))
            return out if bias is None else self._node("Add", out, self._constant(bias))
        weights, scale = quantize(kernel)
        zero, unit = self._constant(np.uint8(128)), self._constant(np.float32(1 / 127))
        rounded = self._node("QuantizeLinear", x, unit, zero)
        if signed_weights_are_exact():
            values, of_weights = self._constant(weights), ""
        else:
            values, of_weights = self._constant((weights.astype(np.int16) + 128).astype(np.uint8)), zero
        inputs = [rounded, values, unit, self._constant(scale), zero, of_weights]
        inputs += [] if bias is None else [self._constant(bias)]
        return self._node("MatMulIntegerToFloat", *inputs, domain=CONTRIBUTED)


class _Compiler(_Layers):
    """Whole graphs."""

    def writer(self) -> Graph:
        """Steps with draws between them."""
        whole, size = TensorProto.FLOAT, self._size
        states, settings = self._split_state("state"), self._split("settings", [1] * 5)
        before = [self._like(self._name("before"), state) for state in states]
        with self._inner() as nodes:
            logits, after = self._step("now", list(before))
            token = self._drawn(logits, settings)
            going_on, logged = self._node("Identity", "going"), self._node("Identity", token)
        widths = [
            ["B", layer.units] for layer in self._network.recurrent for _ in range(layer.state_size // layer.units)
        ]
        body = helper.make_graph(
            nodes,
            "step",
            [
                _value("place", TensorProto.INT64, []), _value("going", TensorProto.BOOL, []),
                _value("now", TensorProto.INT32, ["B"]), _value("logits_before", whole, ["B", size]),
                *(_value(name, whole, width) for name, width in zip(before, widths, strict=True)),
            ],
            [
                _value(going_on, TensorProto.BOOL, []), _value(token, TensorProto.INT32, ["B"]),
                _value(logits, whole, ["B", size]),
                *(_value(name, whole, width) for name, width in zip(after, widths, strict=True)),
                _value(logged, TensorProto.INT32, ["B"]),
            ],
        )  # fmt: skip
        shape = self._node("Concat", self._node("Shape", "ids"), self._constant(np.array([size])), axis=0)
        given = ["count", self._constant(np.array(True)), "ids", self._node("ConstantOfShape", shape), *states]
        last = [self._name("last") for _ in states]
        self._nodes.append(helper.make_node("Loop", given, ["next", "logits", *last, "tokens"], body=body))
        self._node("Concat", *last, output="after", axis=1)
        return self._model(
            [
                _value("ids", TensorProto.INT32, ["B"]), _value("state", whole, ["B", self._width]),
                _value("count", TensorProto.INT64, []), _value("draws", TensorProto.BOOL, []),
                _value("filters", TensorProto.BOOL, []), _value("numbers", TensorProto.DOUBLE, ["N", "R"]),
                _value("settings", TensorProto.DOUBLE, ["R", 5]), _value("never", TensorProto.BOOL, ["W"]),
            ],
            [
                _value("tokens", TensorProto.INT32, ["N", "B"]), _value("logits", whole, ["B", size]),
                _value("after", whole, ["B", self._width]),
            ],
        )  # fmt: skip

    def reader(self) -> Graph:
        """Many tokens a row, layer by layer."""
        self._mask("ids")
        states, after = self._split_state("state"), list[str]()
        projected = self._looked_up("ids")
        x, recurrent = "", self._network.recurrent
        for layer in self._layers:
            if not isinstance(layer, Recurrent):
                x = self._pointwise(layer, x)
                continue
            if not projected:
                flat = zip(self._project(layer, x), _widths(layer), strict=True)
                projected = [self._reshaped(part, width) for part, width in flat]
            outputs, states_after = self._scan(layer, projected, states)
            after, projected = after + states_after, []
            if layer is recurrent[-1]:
                first = self._constant(np.array([0]))
                outputs = self._like(self._node("Slice", outputs, "begin", self._constant(END), first), outputs)
            x = self._like(self._node("Reshape", outputs, self._constant(np.array([-1, layer.units]))), outputs)
        x = self._reshaped(x, self._size)
        self._node("Identity", x, output="logits")
        self._node("Concat", *after, output="after", axis=1)
        state = ["B", self._width]
        return self._model(
            [
                _value("ids", TensorProto.INT32, ["T", "B"]), _value("state", TensorProto.FLOAT, state),
                _value("begin", TensorProto.INT64, [1]),
            ],
            [_value("logits", TensorProto.FLOAT, ["N", "B", self._size]), _value("after", TensorProto.FLOAT, state)],
        )  # fmt: skip

    def _step(self, ids: str, states: list[str]) -> tuple[str, list[str]]:
        """A token a row: its logits and the states after it; takes those before off the list."""
        self._mask(ids)
        x, projected, after = "", self._looked_up(ids), list[str]()
        for layer in self._layers:
            if isinstance(layer, Recurrent):
                x, states_after = self._recurrent(layer, projected or self._project(layer, x), states)
                after, projected = after + states_after, []
            else:
                x = self._pointwise(layer, x)
        return x, after

    def _scan(self, layer: Recurrent, projected: list[str], states: list[str]) -> tuple[str, list[str]]:
        """Projected inputs `[T, B, width]`, parted, to outputs `[T, B, H]`, and the states after the last."""
        before = [states.pop(0) for _ in range(layer.state_size // layer.units)]
        inner = [self._like(self._name("before"), state) for state in before]
        x, outside = [self._name("projected") for _ in projected], self._is_step
        if layer.is_bounded:
            self._bounded.add(inner[0])
        with self._inner() as nodes:
            self._is_step = self._name("is_step") if outside else ""
            out, after = self._recurrent(layer, x, list(inner))
            outputs = [self._node("Identity", name) for name in (*after, out)]
        sequences, is_step, self._is_step = list(projected), self._is_step, outside
        of_step = [_value(name, TensorProto.FLOAT, ["B", width]) for name, width in zip(x, _widths(layer), strict=True)]
        if outside:
            sequences.append(outside)
            of_step.append(_value(is_step, TensorProto.BOOL, ["B", 1]))
        state = ["B", layer.units]
        body = helper.make_graph(
            nodes,
            "recurrence",
            [*(_value(name, TensorProto.FLOAT, state) for name in inner), *of_step],
            [_value(name, TensorProto.FLOAT, state) for name in outputs],
        )
        names = [self._name("after") for _ in outputs]
        self._nodes.append(
            helper.make_node("Scan", [*before, *sequences], names, body=body, num_scan_inputs=len(sequences))
        )
        if layer.is_bounded:
            self._bounded.add(names[-1])
        return names[-1], names[:-1]

    def _reshaped(self, x: str, width: int) -> str:
        """Activations `[T * B, width]` as `[T, B, width]`. Products take flat ones: others are summed otherwise."""
        rows = self._node("Slice", self._node("Shape", "state"), *(self._constant(np.array([at])) for at in (0, 1)))
        shape = self._node("Concat", self._constant(np.array([-1])), rows, self._constant(np.array([width])), axis=0)
        return self._node("Reshape", x, shape)

    def _drawn(self, logits: str, settings: list[str]) -> str:
        """The token that follows in each row `[B]`, as `engine.sampling.Sampler` draws it."""
        with self._inner() as drawing:
            logits = self._node("Where", "never", self._constant(np.float32(-np.inf)), logits)
            temperature, greedy, *limits = settings
            below = self._node("Sub", logits, self._node("ReduceMax", logits, axes=[1], keepdims=1))
            scaled = self._node("Mul", self._node("Cast", below, to=TensorProto.DOUBLE), temperature)
            weights = self._node("Exp", scaled)
            with self._inner() as filtering:
                kept = self._filtered(weights, limits)
            weights = self._choice("filters", (filtering, kept), weights, TensorProto.DOUBLE, ["B", self._size])
            one = self._constant(np.array(1))
            totals = self._node("CumSum", weights, one)
            axis = self._constant(np.array([1]))
            whole = self._node("Slice", totals, self._constant(np.array([-1])), self._constant(END), axis)
            number = self._node("Unsqueeze", self._node("Gather", "numbers", "place", axis=0), axis)
            at_most = self._node("LessOrEqual", totals, self._node("Mul", number, whole))
            drawn = self._node("ReduceSum", self._node("Cast", at_most, to=TensorProto.INT32), axis, keepdims=0)
            likeliest = self._node("Cast", self._node("ArgMax", logits, axis=1, keepdims=0), to=TensorProto.INT32)
            is_greedy = self._node("Squeeze", self._node("Cast", greedy, to=TensorProto.BOOL), axis)
            token = self._node("Where", is_greedy, likeliest, drawn)
        return self._choice("draws", (drawing, token), "now", TensorProto.INT32, ["B"])

    def _filtered(self, weights: str, limits: list[str]) -> str:
        """The weights `[B, V]` with top-k, top-p and min-p applied, ties going to the lower id."""
        most, share, least = limits
        size = self._constant(np.array([self._size]))
        ranked, ids = self._name("ranked"), self._name("ids")
        self._nodes.append(helper.make_node("TopK", [weights, size], [ranked, ids], axis=1))
        places = self._constant(np.arange(self._size, dtype=np.float64)[None])
        nothing, one = self._constant(np.float64(0)), self._constant(np.float64(1))

        def count(condition: str) -> str:
            found = self._node("And", condition, self._node("Less", places, most))
            numbers = self._node("Cast", found, to=TensorProto.DOUBLE)
            return self._node("ReduceSum", numbers, self._constant(np.array([1])), keepdims=1)

        kept = self._node("Where", self._node("Less", places, most), ranked, nothing)
        totals = self._node("CumSum", kept, self._constant(np.array(1)))
        whole = self._node("ReduceMax", totals, axes=[1], keepdims=1)
        within = count(self._node("Less", totals, self._node("Mul", share, whole)))
        likeliest = self._node("ReduceMax", weights, axes=[1], keepdims=1)
        worth = count(self._node("Not", self._node("Less", ranked, self._node("Mul", least, likeliest))))
        number = self._node("Min", self._node("Add", within, one), self._node("Max", worth, one), most)
        ranked = self._node("Where", self._node("Less", places, number), ranked, nothing)
        zeros = self._node("Mul", weights, nothing)
        return self._node("ScatterElements", zeros, ids, ranked, axis=1)


def _value(name: str, kind: int, shape: Sequence[Any]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _widths(layer: Recurrent) -> list[int]:
    """How a layer's projected inputs are parted: a GRU's gates and the rest come into different sums."""
    return [2 * layer.units, layer.units] if layer.cell == "gru" else [layer.recurrent.shape[1]]


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
