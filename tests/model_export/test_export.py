"""The graph says what the network says, in float32, float16, INT8; maps and features are what they claim."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

_WHY = "training needs the extra `train`, which is not installed"
torch = pytest.importorskip("torch", reason=_WHY)
onnx = pytest.importorskip("onnx", reason=_WHY)

from firmware_app.inference.graph import INPUTS, OUTPUTS  # noqa: E402 - after the check that torch is there
from firmware_app.inference.openvino_engine import OpenVinoEngine  # noqa: E402
from firmware_app.journey import Crops, Picture  # noqa: E402
from model_export import agree  # noqa: E402
from model_export.export import export_onnx  # noqa: E402
from model_export.graph_edit import layers_of, save_checked  # noqa: E402
from model_export.half import to_half  # noqa: E402
from model_export.int8 import ALWAYS_FLOAT, Int8Parts, build_int8, load_choices  # noqa: E402
from model_export.network import FibrosisNetwork  # noqa: E402
from model_export.ranges import measure  # noqa: E402
from model_export.weights import random_trunk  # noqa: E402

pytestmark = pytest.mark.timeout(240)
"""Exporting the whole network takes some 10 s on a quiet core; on a busy machine many times that."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A random network, its graphs and the pictures that it is tried on."""

    network: FibrosisNetwork
    exact: Path
    half: Path
    gray: Picture
    elastogram: Picture


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Exported once for all tests."""
    folder = tmp_path_factory.mktemp("graphs")
    rng = np.random.default_rng(4)
    tones = rng.integers(20, 200, (3, 1, 1, 3)) + rng.integers(0, 50, (2, 3, 299, 299, 3))
    gray, elastogram = tones.astype(np.uint8)
    network = FibrosisNetwork(random_trunk(9)).eval()
    for head in (network.gm_head, network.em_head, network.fusion_head):
        features = head.standardise.mean.numel()
        head.standardise.fit(torch.rand(50, features, generator=torch.Generator().manual_seed(1)))
    export_onnx(network, folder / "fp32.onnx")
    save_checked(to_half(onnx.load(str(folder / "fp32.onnx"))), folder / "fp16.onnx")
    return Exported(network, folder / "fp32.onnx", folder / "fp16.onnx", gray, elastogram)


def run(graph: Path, gray: Picture, elastogram: Picture) -> dict[str, np.ndarray]:
    """Every output of a graph in ONNX Runtime."""
    import onnxruntime  # noqa: PLC0415 - after the check that the extra is there

    session = onnxruntime.InferenceSession(str(graph))
    answers = session.run(list(OUTPUTS), {"gray": gray, "elastogram": elastogram})
    return dict(zip(OUTPUTS, answers, strict=True))


def test_graph_says_what_the_network_says_for_any_batch(exported: Exported) -> None:
    """Float32 in ONNX Runtime equals torch, one acquisition at a time and three at once."""
    expected = agree.score_network(exported.network, exported.gray, exported.elastogram)
    found = agree.score_graph(exported.exact, exported.gray, exported.elastogram)
    assert agree.check_export(expected, found) < 1e-3
    answers = run(exported.exact, exported.gray, exported.elastogram)
    for method, name in enumerate(("gm", "em", "gm_em")):
        np.testing.assert_allclose(answers[f"logits_{name}"], expected[:, method], atol=1e-3)
        chances = 1.0 / (1.0 + np.exp(-expected[:, method]))
        np.testing.assert_allclose(answers[f"probabilities_{name}"], chances, atol=1e-3)


def test_mean_of_a_map_is_the_score_that_it_explains(exported: Exported) -> None:
    """The 8x8 class-activation map is exact: its mean is the log-odds before the bias is taken off."""
    answers = run(exported.exact, exported.gray, exported.elastogram)
    for name, head in (("gm", exported.network.gm_head), ("em", exported.network.em_head)):
        maps, biases = answers[f"activation_{name}"], head.output.biases().detach().numpy()
        assert maps.shape == (3, 8, 8)
        assert maps.std(axis=(1, 2)).min() > 0
        np.testing.assert_allclose(
            maps.mean(axis=(1, 2))[:, np.newaxis] - biases, answers[f"logits_{name}"], atol=1e-3
        )


def test_features_are_the_pooled_ones(exported: Exported) -> None:
    """The 2048 features are those that the heads score."""
    answers = run(exported.exact, exported.gray, exported.elastogram)
    for name, head in (("gm", exported.network.gm_head), ("em", exported.network.em_head)):
        features = torch.from_numpy(answers[f"features_{name}"])
        assert features.shape == (3, 2048)
        with torch.inference_mode():
            np.testing.assert_allclose(head(features).numpy(), answers[f"logits_{name}"], atol=1e-3)


def test_graph_keeps_to_what_tensorrt_reads(exported: Exported) -> None:
    """Operator set 20 at most, named inputs and outputs, no batch norm, one file, no path of this machine."""
    for path in (exported.exact, exported.half):
        model = onnx.load(str(path))
        assert next(entry.version for entry in model.opset_import if entry.domain == "") <= 20
        assert tuple(value.name for value in model.graph.input) == INPUTS
        assert tuple(value.name for value in model.graph.output) == OUTPUTS
        assert {value.type.tensor_type.elem_type for value in model.graph.output} == {onnx.TensorProto.FLOAT}
        assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
        assert str(Path(__file__).parents[2]).encode() not in path.read_bytes()
    assert sorted(file.name for file in exported.exact.parent.iterdir()) == ["fp16.onnx", "fp32.onnx"]


def test_same_network_gives_the_same_bytes(exported: Exported, tmp_path: Path) -> None:
    """Exported and halved again, both graphs are the same to the last byte."""
    export_onnx(exported.network, tmp_path / "fp32.onnx")
    save_checked(to_half(onnx.load(str(tmp_path / "fp32.onnx"))), tmp_path / "fp16.onnx")
    assert (tmp_path / "fp32.onnx").read_bytes() == exported.exact.read_bytes()
    assert (tmp_path / "fp16.onnx").read_bytes() == exported.half.read_bytes()


def test_float16_is_near_float32_and_half_the_size(exported: Exported) -> None:
    """Convolutions read float16, heads float32; the log-odds move by little against their spread."""
    assert exported.half.stat().st_size < 0.51 * exported.exact.stat().st_size
    model = onnx.shape_inference.infer_shapes(onnx.load(str(exported.half)))
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
    convolutions = [
        node for node in model.graph.node if node.op_type == "Conv" and "_map" not in node.input[1]
    ]
    assert {types[node.input[0]] for node in convolutions} == {onnx.TensorProto.FLOAT16}
    heads = [node for node in model.graph.node if node.op_type == "Gemm"]
    assert {types[node.output[0]] for node in heads} == {onnx.TensorProto.FLOAT}
    exact = agree.score_graph(exported.exact, exported.gray, exported.elastogram)
    found = agree.score_graph(exported.half, exported.gray, exported.elastogram)
    assert np.abs(found - exact).max() < 0.05 * np.ptp(exact)


def test_engine_hands_out_maps_and_features(exported: Exported) -> None:
    """The appliance's engine gives the graph's own maps and features beside the log-odds."""
    expected = run(exported.exact, exported.gray[:1], exported.elastogram[:1])
    engine = OpenVinoEngine(exported.exact, "fp32")
    scores = engine.score(Crops(exported.elastogram[0], exported.gray[0]))
    engine.score(Crops(exported.elastogram[1], exported.gray[1]))
    engine.close()
    assert scores.attention is not None
    assert scores.features is not None
    np.testing.assert_allclose(scores.gm_em, expected["logits_gm_em"][0], atol=1e-3)
    np.testing.assert_allclose(scores.attention.em, expected["activation_em"][0], atol=1e-3)
    np.testing.assert_allclose(scores.features.gm, expected["features_gm"][0], atol=1e-3)


def test_openvino_and_onnx_runtime_agree_on_int8(exported: Exported, tmp_path: Path) -> None:
    """Two independent runtimes read the Q/DQ graph alike, and both are near float32."""
    model = onnx.load(str(exported.exact))
    tensors = sorted({layer.reads for layer in layers_of(model) if layer.name not in ALWAYS_FLOAT})
    parts = Int8Parts(measure(model, tensors, exported.gray, exported.elastogram), {})
    choices = load_choices().model_copy(update={"feedback": False})
    save_checked(build_int8(model, parts, choices), tmp_path / "int8.onnx")
    assert (tmp_path / "int8.onnx").stat().st_size < 45_000_000
    exact = agree.score_graph(exported.exact, exported.gray, exported.elastogram)
    by_runtime = agree.score_graph(tmp_path / "int8.onnx", exported.gray, exported.elastogram)
    engine = OpenVinoEngine(tmp_path / "int8.onnx", "int8")
    by_engine = agree.score_engine(engine, exported.gray, exported.elastogram)
    engine.close()
    spread = exact[:, :, 0].std(axis=0).max()
    assert np.abs(by_runtime - by_engine).max() < 0.2 * spread
    assert np.abs(exact - by_engine).max() < 0.5 * spread
