"""The graph says what the network says, in float32 and in INT8; else no bundle is written."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

_WHY = "training needs the extra `train`, which is not installed"
torch = pytest.importorskip("torch", reason=_WHY)
onnx = pytest.importorskip("onnx", reason=_WHY)

from firmware_app.errors import BundleError  # noqa: E402 - after the check that torch is there
from firmware_app.inference import load_bundle, open_engine  # noqa: E402
from firmware_app.inference.bundle import LsmConfidence, LsmCutoffs, OperatingPoint, Threshold  # noqa: E402
from firmware_app.inference.openvino_engine import OpenVinoEngine  # noqa: E402
from firmware_app.journey import Picture  # noqa: E402
from model_export import agree  # noqa: E402
from model_export.bundle_writer import BundleContent, Golden, read_golden, write_bundle  # noqa: E402
from model_export.errors import GateError, WrongInputError  # noqa: E402
from model_export.export import export_onnx  # noqa: E402
from model_export.network import FibrosisNetwork  # noqa: E402
from model_export.patient_scores import PatientScores  # noqa: E402
from model_export.quantise import STEM_CONVOLUTIONS, quantise  # noqa: E402
from model_export.weights import random_trunk  # noqa: E402

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
POINTS: dict[Threshold, OperatingPoint] = {
    "ge_s2": OperatingPoint(cutoff=0.5, low=0.4, high=0.6),
    "ge_s3": OperatingPoint(cutoff=0.5, low=0.4, high=0.6),
    "s4": OperatingPoint(cutoff=0.5, low=0.4, high=0.6),
}


@dataclass(frozen=True, slots=True)
class Exported:
    """A random network, its graphs and the pictures that it is tried on."""

    network: FibrosisNetwork
    exact: Path
    int8: Path
    gray: Picture
    elastogram: Picture


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Exported and quantised once for all tests."""
    folder = tmp_path_factory.mktemp("graphs")
    rng = np.random.default_rng(4)
    tones = rng.integers(20, 200, (6, 1, 1, 3)) + rng.integers(0, 50, (2, 6, 299, 299, 3))
    gray, elastogram = tones.astype(np.uint8)
    network = FibrosisNetwork(random_trunk(9)).eval()
    export_onnx(network, folder / "float32.onnx")
    quantise(folder / "float32.onnx", folder / "int8.onnx", gray, elastogram)
    return Exported(network, folder / "float32.onnx", folder / "int8.onnx", gray, elastogram)


def test_graph_says_what_the_network_says_for_any_batch(exported: Exported) -> None:
    """Float32 in ONNX Runtime equals torch, one acquisition at a time and three at once."""
    import onnxruntime  # noqa: PLC0415 - after the check that the extra is there

    expected = agree.score_network(exported.network, exported.gray[:3], exported.elastogram[:3])
    found = agree.score_graph(exported.exact, exported.gray[:3], exported.elastogram[:3])
    assert agree.check_export(expected, found) < 1e-3
    session = onnxruntime.InferenceSession(str(exported.exact))
    inputs = {"gray": exported.gray[:3], "elastogram": exported.elastogram[:3]}
    together = np.stack(session.run(["logits_gm", "logits_em", "logits_gm_em"], inputs), axis=1)
    np.testing.assert_allclose(together, expected, atol=1e-3)


def test_graph_keeps_to_what_tensorrt_reads(exported: Exported) -> None:
    """Operator set 20 at most, named inputs and outputs, no batch norm left, one file."""
    model = onnx.load(str(exported.exact))
    assert next(entry.version for entry in model.opset_import if entry.domain == "") <= 20
    assert [value.name for value in model.graph.input] == ["gray", "elastogram"]
    assert [value.name for value in model.graph.output] == ["logits_gm", "logits_em", "logits_gm_em"]
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    assert [file.name for file in exported.exact.parent.iterdir() if "data" in file.name] == []


def test_int8_is_symmetric_everywhere(exported: Exported) -> None:
    """Zero points are 0, weights of the inception blocks int8: TensorRT takes nothing else."""
    model = onnx.load(str(exported.int8))
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in {"QuantizeLinear", "DequantizeLinear"}:
            assert constants[node.input[2]].dtype == np.int8
            assert not constants[node.input[2]].any()
    producers = {node.output[0]: node for node in model.graph.node}
    blocks = [node for node in model.graph.node if node.op_type == "Conv"][STEM_CONVOLUTIONS:]
    assert len(blocks) > 100
    for node in blocks:
        assert producers[node.input[0]].op_type == "DequantizeLinear"
        assert constants[producers[node.input[1]].input[0]].dtype == np.int8


def test_only_layers_with_weights_read_rounded_values(exported: Exported) -> None:
    """OpenVINO 2026.4 computes pooling and ReLU of rounded values wrongly: they must read float32."""
    model = onnx.load(str(exported.int8))
    producers = {node.output[0]: node.op_type for node in model.graph.node}
    readers = {
        node.op_type
        for node in model.graph.node
        if any(producers.get(name) == "DequantizeLinear" for name in node.input)
    }
    assert readers == {"Conv", "Gemm"}


def test_openvino_and_onnx_runtime_agree_on_int8(exported: Exported) -> None:
    """Two independent runtimes read the Q/DQ graph alike, and both are near float32."""
    exact = agree.score_graph(exported.exact, exported.gray, exported.elastogram)
    by_ort = agree.score_graph(exported.int8, exported.gray, exported.elastogram)
    engine = OpenVinoEngine(exported.int8, "int8")
    by_openvino = agree.score_engine(engine, exported.gray, exported.elastogram)
    engine.close()
    spread = exact[:, :, 0].std(axis=0).max()
    assert np.abs(by_ort - by_openvino).max() < 0.2 * spread
    assert np.abs(exact - by_openvino).max() < 0.5 * spread


def test_gate_stops_a_graph_that_says_something_else() -> None:
    """Log-odds that are off, or not numbers, stop the export."""
    sound = np.zeros((2, 3, 3))
    assert agree.check_export(sound, sound + 1e-6) < 1e-5
    for wrong in (sound + 0.01, sound * np.nan):
        with pytest.raises(GateError, match="differs from the network"):
            agree.check_export(sound, wrong)


def scores(shift: float) -> PatientScores:
    """Two hundred patients whose log-odds follow the stage."""
    rng = np.random.default_rng(6)
    stage = rng.integers(0, 5, 200)
    logits = (rng.normal(size=200) + stage - 2)[:, np.newaxis] - np.array([0.0, 1.0, 2.0]) + shift
    return PatientScores(
        stage=stage, lsm_kpa=5.0 + stage.astype(np.float64), gm=logits, em=logits, gm_em=logits
    )


def test_gate_stops_int8_that_moves_patients() -> None:
    """Nothing moved passes; a shift of all probabilities, or scores of noise, do not."""
    agreement = agree.check_int8(scores(0.0), scores(0.0), POINTS)
    assert (agreement.flips, agreement.largest_auc_difference) == (0, 0.0)
    with pytest.raises(GateError, match="mean probability"):
        agree.check_int8(scores(0.0), scores(1.0), POINTS)
    noise = np.random.default_rng(7).normal(size=(200, 3)) * 0.5
    blurred = dataclasses.replace(scores(0.0), gm=scores(0.0).gm + noise)
    with pytest.raises(GateError, match="AUC"):
        agree.check_int8(scores(0.0), blurred, POINTS)


def content_of(exported: Exported) -> BundleContent:
    """A bundle's content around the INT8 graph."""
    weights = LsmConfidence(ln_cutoff_kpa=2.0, scale=0.3, intercept=-4.0, w_gm=4.0, w_lsm=4.0)
    zeros = np.zeros((2, 3, 3), dtype=np.float32)
    return BundleContent(
        name="test",
        graph=exported.int8,
        precision="int8",
        operating_points=POINTS,
        gm_lsm={"ge_s2": weights, "ge_s3": weights, "s4": weights},
        lsm_cutoffs=LsmCutoffs(source="test", ge_s2=7.6, ge_s3=9.2, s4=10.4),
        training={"seed": 1},
        golden=Golden(exported.gray[:2], exported.elastogram[:2], zeros, zeros),
        metrics={"auc": {"GM": 0.5}},
        card="# Card\n",
    )


def test_written_bundle_loads_and_runs_and_replaces_an_older_one(exported: Exported, tmp_path: Path) -> None:
    """What is written passes `load_bundle`, opens in the engine, and takes the place of the bundle before."""
    first = write_bundle(tmp_path / "bundle", content_of(exported), NOW)
    other = dataclasses.replace(content_of(exported), training={"seed": 2})
    second = write_bundle(tmp_path / "bundle", other, NOW)
    assert first.manifest.bundle_id != second.manifest.bundle_id
    assert load_bundle(tmp_path / "bundle").manifest == second.manifest
    assert (read_golden(second).gray == exported.gray[:2]).all()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    engine = open_engine(second)
    assert engine.name.endswith("CPU INT8")
    engine.close()


@pytest.mark.parametrize("name", ["graph.onnx", "golden.npz", "metrics.json", "model_card.md"])
def test_every_file_of_a_written_bundle_is_guarded(exported: Exported, tmp_path: Path, name: str) -> None:
    """One flipped byte in any file of a written bundle is found and named."""
    bundle = write_bundle(tmp_path / "bundle", content_of(exported), NOW)
    content = bytearray((bundle.folder / name).read_bytes())
    content[len(content) // 3] ^= 4
    (bundle.folder / name).write_bytes(bytes(content))
    with pytest.raises(BundleError, match=name):
        load_bundle(bundle.folder)


def test_same_content_gives_the_same_id(exported: Exported, tmp_path: Path) -> None:
    """The id names the content: written twice, it is the same."""
    ids = {write_bundle(tmp_path / name, content_of(exported), NOW).manifest.bundle_id for name in "ab"}
    assert len(ids) == 1


def test_folder_of_something_else_is_left_alone(exported: Exported, tmp_path: Path) -> None:
    """A folder that is no bundle is not overwritten."""
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(WrongInputError, match="is not a bundle"):
        write_bundle(tmp_path, content_of(exported), NOW)
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "years of work"
