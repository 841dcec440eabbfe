"""The issue's own criteria over the whole virtual test cohort, for a training that is done."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`, which is not installed")

from model_export.agree import GRAPH_PRECISIONS
from model_export.workflow import bundle_of_trained

NAME = "FIBROSTAGE_WORK"
LARGEST_BUNDLE_BYTES = {"fp32": 170_000_000, "fp16": 90_000_000, "int8": 45_000_000}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("precision", sorted(GRAPH_PRECISIONS))
def test_graph_keeps_what_float32_says_over_all_test_patients(precision: str, tmp_path: Path) -> None:
    """The bundle passes its gate, which raises otherwise, and is no larger than promised."""
    work = os.environ.get(NAME)
    if work is None:
        pytest.skip(
            f"{NAME} does not name the folder of a finished training (fibrostage-export train --work)"
        )
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    bundle = bundle_of_trained(Path(work), GRAPH_PRECISIONS[precision], tmp_path / "bundle", now)
    size = sum(file.stat().st_size for file in bundle.folder.iterdir())
    assert size <= LARGEST_BUNDLE_BYTES[precision]
