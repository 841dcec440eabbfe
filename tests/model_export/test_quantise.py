"""INT8: symmetric, only where weights read it, rounded so that the output changes least."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

_WHY = "making models needs the extra `train`, which is not installed"
onnx = pytest.importorskip("onnx", reason=_WHY)
torch = pytest.importorskip("torch", reason=_WHY)

from onnx import ModelProto, TensorProto, helper, numpy_helper  # noqa: E402 - after the check that the extra is there

from model_export.errors import WrongInputError  # noqa: E402
from model_export.graph_edit import constants_of, layers_of  # noqa: E402
from model_export.int8 import (  # noqa: E402
    CHOICES_NAME,
    Int8Parts,
    build_int8,
    load_choices,
    measure_parts,
    save_choices,
)
from model_export.quantise import (  # noqa: E402
    Precision,
    RoundedWeight,
    quantise,
    round_to_nearest,
    weight_scales,
)
from model_export.ranges import (  # noqa: E402
    BINS,
    LEVELS,
    RANGE_METHODS,
    Histogram,
    RangeMethod,
    measure,
    range_of,
)
from model_export.rounding import (  # noqa: E402
    Moments,
    Window,
    look,
    measure_moments,
    round_layer,
    round_with_feedback,
    windows_of,
)

SIDE = 12


def small_network(seed: int = 1) -> ModelProto:
    """Two convolutions with a pooling beside, and a fully connected layer; inputs as in a bundle."""
    rng = np.random.default_rng(seed)

    def weight(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(rng.normal(size=shape).astype(np.float32) / 9, name)

    make, nodes = helper.make_node, []
    for name in ("gray", "elastogram"):
        nodes += [
            make("Cast", [name], [f"{name}_float"], to=TensorProto.FLOAT),
            make("Transpose", [f"{name}_float"], [f"{name}_planes"], perm=[0, 3, 1, 2]),
        ]
    first, second = "network.stem.0.conv.weight", "network.stem.1.branch.conv.weight"
    nodes += [
        make("Concat", ["gray_planes", "elastogram_planes"], ["pictures"], axis=1),
        make("Conv", ["pictures", first, "b0"], ["c0"], name="c0", kernel_shape=[3, 3], strides=[2, 2]),
        make("Relu", ["c0"], ["r0"]),
        make("MaxPool", ["r0"], ["p0"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        make("Conv", ["r0", second, "b1"], ["c1"], name="c1", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        make("Concat", ["c1", "p0"], ["joined"], axis=1),
        make("ReduceMean", ["joined", "axes"], ["pooled"], keepdims=0),
        make("Gemm", ["pooled", "network.head.weight", "b2"], ["score"], name="head", transB=1),
    ]
    constants = [
        weight(first, 8, 6, 3, 3),
        weight("b0", 8),
        weight(second, 4, 8, 3, 3),
        weight("b1", 4),
        weight("network.head.weight", 2, 12),
        weight("b2", 2),
        numpy_helper.from_array(np.array([2, 3]), "axes"),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, ["n", SIDE, SIDE, 3])
        for name in ("gray", "elastogram")
    ]
    outputs = [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 2])]
    graph = helper.make_graph(nodes, "small", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def pictures(count: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Gray-scale pictures and elastograms whose neighbours are alike."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 200, (2, count, SIDE // 3, SIDE // 3, 3))
    fine = coarse.repeat(3, axis=2).repeat(3, axis=3) + rng.integers(0, 50, (2, count, SIDE, SIDE, 3))
    gray, elastogram = fine.astype(np.uint8)
    return gray, elastogram


def run(model: ModelProto) -> np.ndarray:
    """The score of every picture in ONNX Runtime, without its own fusions."""
    import onnxruntime  # noqa: PLC0415 - after the check that the extra is there

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    gray, elastogram = pictures()
    return np.asarray(session.run(["score"], {"gray": gray, "elastogram": elastogram})[0])


def quantised(model: ModelProto, precision: Precision, rounded: dict[str, RoundedWeight]) -> ModelProto:
    """All layers in one precision, ranges by the largest value."""
    layers = layers_of(model)
    seen = measure(model, sorted({layer.reads for layer in layers}), *pictures())
    ranges = {name: range_of(histogram, "min_max") for name, histogram in seen.items()}
    done = quantise(model, ranges, {layer.name: precision for layer in layers}, rounded)
    onnx.checker.check_model(done, full_check=True)
    return done


def test_layers_are_named_as_in_the_network() -> None:
    """The name is that of the weight without what every name has."""
    assert [layer.name for layer in layers_of(small_network())] == ["stem.0", "stem.1.branch", "head"]


def test_int8_is_symmetric_and_read_by_layers_with_weights_only() -> None:
    """Zero points are 0, integers int8 without -128; pooling and concatenation read float32."""
    model = quantised(small_network(), Precision.INT8, {})
    constants = constants_of(model)
    producers = {output: node for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        if node.op_type in {"QuantizeLinear", "DequantizeLinear"}:
            assert constants[node.input[2]].dtype == np.int8
            assert not constants[node.input[2]].any()
        sources = [producers[name].op_type for name in node.input if name in producers]
        if node.op_type in {"Conv", "Gemm"}:
            assert sources == ["DequantizeLinear", "DequantizeLinear"]
            integers = constants[producers[node.input[1]].input[0]]
            assert integers.dtype == np.int8
            assert integers.min() >= -LEVELS
        elif node.op_type != "DequantizeLinear":
            assert "DequantizeLinear" not in sources
    rounders = [node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert sorted(rounders) == ["pictures", "pooled", "r0"]
    exact = run(small_network())
    assert np.abs(run(model) - exact).max() < 0.05 * np.ptp(exact)


@pytest.mark.parametrize(
    ("precision", "share", "kind"), [(Precision.WEIGHTS, 0.05, np.int8), (Precision.HALF, 0.01, np.float16)]
)
def test_weights_alone_can_be_stored_with_fewer_bits(precision: Precision, share: float, kind: type) -> None:
    """Activations are left alone, and the score stays near that of float32."""
    model = quantised(small_network(), precision, {})
    assert "QuantizeLinear" not in {node.op_type for node in model.graph.node}
    stored = [values for name, values in constants_of(model).items() if name.endswith("_stored")]
    assert {values.dtype for values in stored} == {np.dtype(kind)}
    assert len(stored) == 3
    exact = run(small_network())
    assert np.abs(run(model) - exact).max() < share * np.ptp(exact)


def test_layers_in_float32_are_left_as_they_were() -> None:
    """The graph in float32 throughout is the graph itself."""
    model = quantised(small_network(), Precision.FLOAT, {})
    np.testing.assert_array_equal(run(model), run(small_network()))


@pytest.mark.parametrize("seed", range(5))
def test_feedback_changes_the_output_less_than_rounding_to_nearest(seed: int) -> None:
    """For inputs that rise and fall together the output's error falls to less than half."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(2000, 6)) @ rng.normal(size=(6, 48)) + 0.1 * rng.normal(size=(2000, 48)) + 3.0
    weight = rng.normal(size=(16, 48)).astype(np.float32)
    mean = inputs.mean(axis=0).astype(np.float32)
    moments = Moments(mean, np.cov(inputs.T, bias=True).astype(np.float32))
    feedback, nearest = round_layer(weight, moments), round_to_nearest(weight)

    def error(rounded: RoundedWeight, shift: np.ndarray) -> float:
        restored = rounded.integers * rounded.scales[:, np.newaxis]
        change = inputs @ (restored - weight).T - shift
        return float((change**2).mean())

    assert error(feedback, feedback.shift) < 0.25 * error(
        nearest, (nearest.integers * nearest.scales[:, None] - weight) @ mean
    )
    restored = feedback.integers * feedback.scales[:, np.newaxis]
    assert np.abs((inputs @ (restored - weight).T - feedback.shift).mean(axis=0)).max() < 1e-3


def test_feedback_without_correlation_is_rounding_to_nearest() -> None:
    """Inputs that tell nothing of each other cannot make good for each other."""
    weight = np.random.default_rng(3).normal(size=(5, 200)).astype(np.float32)
    moments = Moments(np.zeros(200, dtype=np.float32), np.eye(200, dtype=np.float32))
    found = round_with_feedback(weight, weight_scales(weight), moments)
    np.testing.assert_array_equal(found, round_to_nearest(weight).integers)


def test_bias_takes_the_shift_of_the_mean_out() -> None:
    """With rounded weights and float activations, the mean score is that of float32."""
    model = small_network()
    layers, constants = layers_of(model), constants_of(small_network())
    windows = windows_of(model, layers)
    moments = measure_moments(model, list(windows.values()), *pictures())
    rounded = {
        layer.name: round_layer(constants[layer.weight], moments[windows[layer.name]]) for layer in layers
    }
    exact = run(model).mean(axis=0)
    ours = np.abs(run(quantised(model, Precision.WEIGHTS, rounded)).mean(axis=0) - exact).max()
    plain = np.abs(run(quantised(model, Precision.WEIGHTS, {})).mean(axis=0) - exact).max()
    assert ours < 0.5 * plain


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 0), (1, 1)])
def test_what_a_layer_sees_times_its_weights_is_its_output(stride: int, padding: int) -> None:
    """The rows of `look` are those that a convolution multiplies, place by place."""
    rng = np.random.default_rng(2)
    maps = rng.normal(size=(2, 5, 9, 7)).astype(np.float32)
    weight = rng.normal(size=(3, 5, 3, 3)).astype(np.float32)
    rows = look(maps, Window("x", (3, 3), (stride, stride), (padding, padding)))
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(maps), torch.from_numpy(weight), stride=stride, padding=padding
    )
    flat = expected.permute(0, 2, 3, 1).reshape(-1, 3).numpy()
    np.testing.assert_allclose(rows @ weight.reshape(3, -1).T, flat, atol=1e-4)


def histogram_of(values: np.ndarray) -> Histogram:
    """Histogram of absolute values over their whole range."""
    largest = float(values.max())
    counts, _ = np.histogram(values, bins=BINS, range=(0.0, largest))
    return Histogram(largest, largest / BINS, counts)


def test_measured_histograms_hold_every_value() -> None:
    """Whatever the order of small and large pictures, nothing is lost and the largest value is exact."""
    gray, elastogram = pictures()
    dark = (gray // 50).astype(np.uint8)
    for first, second in ((dark, gray), (gray, dark)):
        grays, elastograms = np.concatenate([first, second]), np.concatenate([elastogram, elastogram])
        seen = measure(small_network(), ["pictures", "r0"], grays, elastograms)["pictures"]
        assert seen.largest == max(grays.max(), elastograms.max())
        assert seen.counts.sum() == grays.size + elastograms.size
        assert seen.width * BINS >= seen.largest


@pytest.mark.parametrize("method", RANGE_METHODS)
def test_ranges_cut_rare_peaks_but_never_exceed_the_largest(method: RangeMethod) -> None:
    """One far outlier among many is cut by every method but min-max, which keeps it exactly."""
    values = np.abs(np.random.default_rng(1).normal(size=200_000))
    values[0] = 60.0
    found = range_of(histogram_of(values), method)
    if method == "min_max":
        assert found == 60.0
    else:
        assert 2.0 < found < 40.0
    assert range_of(Histogram(0.0, 1e-9, np.zeros(BINS, dtype=np.int64)), method) > 0


def test_mean_square_range_is_the_best_of_many() -> None:
    """No other range, tried on the values themselves, has a smaller squared error worth naming."""
    values = np.random.default_rng(2).exponential(size=100_000)

    def loss(end: float) -> float:
        rounded = np.minimum(np.round(values / end * LEVELS), LEVELS) * end / LEVELS
        return float(((values - rounded) ** 2).mean())

    found = range_of(histogram_of(values), "mean_square")
    assert loss(found) <= 1.03 * min(loss(end) for end in np.linspace(1.0, values.max(), 150))


def test_parts_come_back_from_their_file(tmp_path: Path) -> None:
    """Histograms and rounded weights are written and read without loss."""
    weight = round_to_nearest(np.random.default_rng(4).normal(size=(3, 2, 3, 3)).astype(np.float32))
    parts = Int8Parts({"relu": histogram_of(np.arange(1.0, 50.0))}, {"stem.7.branch1x1": weight})
    parts.save(tmp_path / "parts.safetensors")
    again = Int8Parts.load(tmp_path / "parts.safetensors")
    assert again.histograms["relu"].largest == 49.0
    np.testing.assert_array_equal(again.histograms["relu"].counts, parts.histograms["relu"].counts)
    np.testing.assert_array_equal(again.rounded["stem.7.branch1x1"].integers, weight.integers)


def test_choices_name_groups_by_their_whole_words(tmp_path: Path) -> None:
    """stem.1 is not stem.10; a group is part of a name up to a dot; choices come back from their file."""
    choices = load_choices().model_copy(update={"float32": ("stem.1",), "int8_weights": ("gm_top.blocks.2",)})
    assert choices.precision_of("stem.1") is Precision.FLOAT
    assert choices.precision_of("stem.10.branch3x3") is Precision.INT8
    assert choices.precision_of("gm_top.blocks.2.branch1x1") is Precision.WEIGHTS
    assert choices.precision_of("em_top.blocks.2.branch1x1") is Precision.INT8
    assert choices.precision_of("gm_head.output.score") is Precision.FLOAT
    save_choices(choices, tmp_path)
    assert load_choices(tmp_path) == choices
    assert load_choices(tmp_path).key() != load_choices().key()


@pytest.mark.parametrize("text", ["", "{}", '{"range_method": "guess"}', "\x00"])
def test_choices_that_are_none_are_refused_by_name(tmp_path: Path, text: str) -> None:
    """A damaged file of choices is named, with what to do."""
    (tmp_path / CHOICES_NAME).write_text(text, encoding="utf-8")
    with pytest.raises(WrongInputError, match=r"int8_choices\.json.*fibrostage-calibrate int8"):
        load_choices(tmp_path)


def test_parts_and_choices_make_the_graph() -> None:
    """Everything is measured in one go, and the graph that is made of it is near float32."""
    model = small_network()
    parts = measure_parts(model, *pictures())
    assert set(parts.histograms) == {"pictures", "r0", "pooled"}
    assert set(parts.rounded) == {"stem.0", "stem.1.branch", "head"}
    choices = load_choices().model_copy(update={"float32": ("stem.0",), "int8_weights": ()})
    made = build_int8(model, parts, choices)
    rounders = [node.input[0] for node in made.graph.node if node.op_type == "QuantizeLinear"]
    assert sorted(rounders) == ["pooled", "r0"]
    exact = run(model)
    assert np.abs(run(made) - exact).max() < 0.05 * np.ptp(exact)
