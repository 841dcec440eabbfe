"""The model bundle: a folder with `bundle.json`, the graph, the model card and golden crops.

`bundle.json` is checked against the models below; unknown keys, another format, a graph whose digest
differs or a path that leaves the folder are refused by name. `load_bundle` is the only way in.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from firmware_app.errors import BundleError

FORMAT = 1
"""The bundle format that this software reads."""
THRESHOLDS: tuple[Threshold, ...]
Threshold = Literal["ge_s2", "ge_s3", "s4"]
THRESHOLDS = ("ge_s2", "ge_s3", "s4")

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Graph(_Model):
    """The ONNX graph. Inputs `gray` and `elastogram`: uint8 RGB (n, 299, 299, 3). Outputs: log-odds (n, 3)."""

    file: str = Field(description="file name inside the bundle's folder")
    sha256: Sha256
    precision: Literal["fp32", "fp16", "int8"]


class OperatingPoint(_Model):
    """Where a patient's probability passes a threshold; between `low` and `high` it is indeterminate."""

    cutoff: Probability = Field(description="Youden's cut-off on the training cohort")
    low: Probability
    high: Probability


class LsmConfidence(_Model):
    """GM+LSM at one threshold.

    The confidence of a stiffness is c = 1 / (1 + exp(-(ln LSM - ln cutoff) / scale)) with the LSM in kPa;
    the method's log-odds are intercept + w_gm * gm_confidence + w_lsm * c.
    """

    ln_cutoff_kpa: float
    scale: float = Field(gt=0)
    intercept: float
    w_gm: float
    w_lsm: float


class LsmCutoffs(_Model):
    """Stiffness cut-offs of the LSM method in kPa, and where they come from."""

    source: str
    ge_s2: float = Field(gt=0)
    ge_s3: float = Field(gt=0)
    s4: float = Field(gt=0)


class Manifest(_Model):
    """The content of `bundle.json`."""

    format: int
    bundle_id: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9._-]+$")
    created: str = Field(description="UTC, ISO 8601")
    notice: str
    graph: Graph
    bar_range_kpa: float = Field(gt=0, description="range of the colour bar that the networks were trained for")
    operating_points: dict[Threshold, OperatingPoint] = Field(description="of GM+EM, on patient probabilities")
    gm_lsm: dict[Threshold, LsmConfidence]
    lsm_cutoffs: LsmCutoffs
    files: dict[str, Sha256] = Field(description="every other file of the bundle and its digest")
    training: dict[str, str | int | float] = Field(description="command, seeds, versions, digests and times")


class Bundle(_Model):
    """A bundle that has been checked."""

    folder: Path
    manifest: Manifest

    @property
    def graph_path(self) -> Path:
        """Where the graph lies."""
        return self.folder / self.manifest.graph.file


def digest_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[attr-defined]


def load_bundle(folder: Path) -> Bundle:
    """Check a bundle and return it.

    Raises:
        BundleError: one sentence that names the bundle and what is wrong with it.
    """
    raise NotImplementedError((folder, ValidationError, BundleError))
