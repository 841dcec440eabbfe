"""The command that a technician types: the shipped bundle becomes an engine, or one line says why not."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip(
    "tensorrt_rtx_libs", reason="TensorRT-RTX has no wheel for this processor; see test_tensorrt_gpu.py"
)

import firmware_app
from firmware_app.inference.tensorrt_cache import EngineCache
from model_export.cli import main

DEMO = Path(firmware_app.__file__).parent / "bundles" / "demo"


def test_demonstration_bundle_compiles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The shipped graph, whole, in NVIDIA's builder; key and digest are read back from the cache."""
    words = ["compile", str(DEMO), "--compute-capability", "8.6", "--cache", str(tmp_path), "--json"]
    assert main(words) == 0
    answer = json.loads(capsys.readouterr().out)
    manifest = json.loads((DEMO / "bundle.json").read_text(encoding="utf-8"))
    assert answer["bundle_id"] == manifest["bundle_id"]
    assert answer["key"]["graph_sha256"] == manifest["graph"]["sha256"]
    assert answer["key"]["precision"] == manifest["graph"]["precision"]
    assert answer["key"]["compute_capability"] == [8, 6]
    (record,) = EngineCache(tmp_path).records()
    assert record.model_dump(mode="json")["key"] == answer["key"]
    engine = EngineCache(tmp_path).load(record.key)
    assert engine is not None
    assert hashlib.sha256(engine).hexdigest() == answer["engine_sha256"]
    assert Path(answer["engine"]).read_bytes() == engine


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("8.7", "does not build for compute capability 8.7, only for 7.5, 8.0"),
        ("eight", "'eight' is not a compute capability"),
        ("8.75", "'8.75' is not a compute capability"),
        (None, "--compute-capability"),
    ],
)
def test_target_that_cannot_be_built_for_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str | None, named: str
) -> None:
    """One clear line and exit code 2, before minutes are spent."""
    words = ["compile", str(DEMO), "--cache", str(tmp_path)]
    assert main(words if target is None else [*words, "--compute-capability", target]) == 2
    said = capsys.readouterr().err
    assert named in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_no_bundle_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The bundle is checked before anything is built from it."""
    assert main(["compile", str(tmp_path), "--compute-capability", "8.6", "--cache", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_command_needs_the_appliance_alone() -> None:
    """A Jetson has neither torch nor onnx nor matplotlib: the command comes up without them."""
    program = """
import sys
absent = {"torch", "torchvision", "onnx", "onnxruntime", "onnxslim", "sklearn", "scipy", "matplotlib"}
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in absent:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Finder())
from model_export.cli import main
sys.exit(main(sys.argv[1:]))
"""
    for words, code, named in (
        (["compile", "--help"], 0, "--compute-capability"),
        (["evaluate", "scores.csv", "--out", "x"], 2, "extra `train`"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == code, done.stderr
        assert named in done.stdout + done.stderr
