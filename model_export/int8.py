"""The choices that make an INT8 graph, and what has to be measured once for all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.numpy import load_file, save_file
from tqdm import tqdm

from calibration.whole_file import whole_file
from firmware_app.journey import Picture
from model_export import work
from model_export.errors import WrongInputError
from model_export.graph_edit import constants_of, layers_of
from model_export.graph_tail import MAP_LAYERS
from model_export.quantise import Precision, RoundedWeight, quantise
from model_export.ranges import Histogram, RangeMethod, measure, range_of
from model_export.rounding import Window, measure_moments, round_layer, windows_of

CHOICES_NAME = "int8_choices.json"
STEM_CONVOLUTIONS = ("stem.0", "stem.1", "stem.2", "stem.4", "stem.5")
"""The convolutions before the first inception block: few weights, large maps."""
ALWAYS_FLOAT = (*MAP_LAYERS, "gm_head.output.score", "em_head.output.score", "fusion_head.output.score")
"""A score is a small layer, and 256 steps are too few for it."""
LAYERS_AT_ONCE = 16
"""Layers whose moments are in memory together."""


class Int8Choices(BaseModel):
    """How INT8 is made; the outcome of `fibrostage-calibrate int8`.

    A layer belongs to a group when its name contains the group's text, e.g. "stem.7." or "_top.blocks.2".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    range_method: RangeMethod = Field(description="how ranges of activations are read from histograms")
    float32: tuple[str, ...] = Field(description="groups that stay in float32")
    int8_weights: tuple[str, ...] = Field(description="groups with INT8 weights and float32 arithmetic")
    feedback: bool = Field(description="rounding errors of weights are made good by other weights")
    provenance: str = Field(description="what was measured, on which patients")

    def key(self) -> str:
        """Changes with whatever changes the graph."""
        return work.key_of(self.model_dump_json(exclude={"provenance"}))

    def precision_of(self, layer: str) -> Precision:
        """What a layer computes with."""
        if layer in ALWAYS_FLOAT or any(_in_group(layer, group) for group in self.float32):
            return Precision.FLOAT
        if any(_in_group(layer, group) for group in self.int8_weights):
            return Precision.WEIGHTS
        return Precision.INT8


def _in_group(layer: str, group: str) -> bool:
    return f"{group.rstrip('.')}." in f"{layer}."


def load_choices(folder: Path | None = None) -> Int8Choices:
    """The choices of a work folder, else those that the package brings along.

    Raises:
        WrongInputError: the file of the work folder is not one of choices.
    """
    own = None if folder is None else folder / CHOICES_NAME
    if own is None or not own.is_file():
        text = files("model_export").joinpath(CHOICES_NAME).read_text(encoding="utf-8")
        return Int8Choices.model_validate_json(text)
    try:
        return Int8Choices.model_validate_json(own.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        raise WrongInputError(
            f"{own}: {where}: {first['msg']}; run fibrostage-calibrate int8 anew or delete it"
        ) from error


def save_choices(choices: Int8Choices, folder: Path) -> Path:
    """Write the choices of a work folder; returns the file."""
    path = folder / CHOICES_NAME
    path.write_text(json.dumps(choices.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    return path


@dataclass(frozen=True, slots=True)
class Int8Parts:
    """Measured on training crops before any choice: histograms of tensors, rounded weights of layers."""

    histograms: dict[str, Histogram]
    rounded: dict[str, RoundedWeight]

    def save(self, path: Path) -> None:
        """Write everything into one .safetensors file."""
        arrays: dict[str, npt.NDArray[np.generic]] = {}
        for name, seen in self.histograms.items():
            arrays[f"histogram/{name}/ends"] = np.array([seen.largest, seen.width])
            arrays[f"histogram/{name}/counts"] = seen.counts
        for name, weight in self.rounded.items():
            arrays[f"weight/{name}/integers"] = weight.integers
            arrays[f"weight/{name}/scales"] = weight.scales
            arrays[f"weight/{name}/shift"] = weight.shift
        with whole_file(path) as unfinished:
            save_file({key: np.ascontiguousarray(values) for key, values in arrays.items()}, str(unfinished))

    @classmethod
    def load(cls, path: Path) -> Int8Parts:
        """Read what `save` wrote."""
        arrays = load_file(str(path))
        histograms: dict[str, Histogram] = {}
        rounded: dict[str, RoundedWeight] = {}
        for key, values in arrays.items():
            kind, name, part = key.split("/")
            stem = f"{kind}/{name}"
            if part == "ends":
                largest, width = (float(value) for value in values)
                histograms[name] = Histogram(largest, width, arrays[f"{stem}/counts"])
            elif part == "integers":
                rounded[name] = RoundedWeight(values, arrays[f"{stem}/scales"], arrays[f"{stem}/shift"])
        return cls(histograms, rounded)


def measure_parts(model: onnx.ModelProto, gray: Picture, elastogram: Picture) -> Int8Parts:
    """Measure what INT8 needs to know of a float32 graph over training crops; minutes, with bars."""
    layers = [layer for layer in layers_of(model) if layer.name not in ALWAYS_FLOAT]
    tensors = sorted({layer.reads for layer in layers})
    histograms = measure(model, tensors, gray, elastogram, progress=True)
    constants, windows = constants_of(model), windows_of(model, layers)
    rounded: dict[str, RoundedWeight] = {}
    with tqdm(total=len(layers), desc="INT8 weights", unit="layer") as bar:
        for some in _by_window(windows):
            moments = measure_moments(model, [windows[name] for name in some], gray, elastogram)
            for layer in (layer for layer in layers if layer.name in some):
                rounded[layer.name] = round_layer(constants[layer.weight], moments[windows[layer.name]])
                bar.update()
    return Int8Parts(histograms, rounded)


def _by_window(windows: dict[str, Window]) -> Sequence[set[str]]:
    """Layers in portions; those that see the same are together."""
    names = sorted(windows, key=lambda name: (windows[name].tensor, windows[name].kernel))
    return [set(names[start : start + LAYERS_AT_ONCE]) for start in range(0, len(names), LAYERS_AT_ONCE)]


def build_int8(model: onnx.ModelProto, parts: Int8Parts, choices: Int8Choices) -> onnx.ModelProto:
    """The INT8 graph that these choices ask for."""
    return quantise(
        model,
        {name: range_of(seen, choices.range_method) for name, seen in parts.histograms.items()},
        {layer.name: choices.precision_of(layer.name) for layer in layers_of(model)},
        parts.rounded if choices.feedback else {},
    )
