"""What a graph answers becomes `ImageScores`; every engine goes through here."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from firmware_app.errors import EngineError
from firmware_app.inference.graph import ACTIVATIONS, FEATURES, LOGITS
from firmware_app.journey import Attention, Features, ImageScores, Logits

Answer = npt.NDArray[np.float32]


def scores_of(answers: Mapping[str, Answer]) -> ImageScores:
    """The scores of one acquisition.

    Args:
        answers: the graph's outputs by name, for a batch of one. The log-odds must be there; maps and
            features may be missing. The caller writes no more into these arrays.

    Raises:
        EngineError: an answer has another shape than a bundle's graph gives, or is not finite.
    """
    gm, em, gm_em = (_logits(name, answers[name]) for name in LOGITS)
    maps = [_finite(name, answers[name], (1, 8, 8)) for name in ACTIVATIONS if name in answers]
    vectors = [_finite(name, answers[name], (1, 2048)) for name in FEATURES if name in answers]
    return ImageScores(
        gm=gm,
        em=em,
        gm_em=gm_em,
        attention=Attention(*maps) if len(maps) == len(ACTIVATIONS) else None,
        features=Features(*vectors) if len(vectors) == len(FEATURES) else None,
    )


def _finite(name: str, values: Answer, shape: tuple[int, ...]) -> Answer:
    """The only acquisition of a batch."""
    if values.shape != shape or not np.isfinite(values).all():
        raise EngineError(f"{name} is not {shape} of finite numbers")
    only: Answer = values[0]
    return only


def _logits(name: str, values: Answer) -> Logits:
    if values.shape != (1, 3) or not np.isfinite(values).all():
        raise EngineError(f"{name} is not three finite numbers: {values.tolist()}")
    ge_s2, ge_s3, s4 = (float(value) for value in values[0])
    return ge_s2, ge_s3, s4
