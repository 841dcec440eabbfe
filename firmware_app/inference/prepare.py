"""A crop becomes the networks' input: the one resizing of the product.

The appliance, the cohort for training and the ranges for INT8 all go through `prepare`, so a network
never sees a picture that was made another way than those it was trained with.
"""

from __future__ import annotations

import cv2
import numpy as np

from firmware_app.inference.graph import INPUT_SIDE
from firmware_app.journey import Picture


def prepare(crop: Picture) -> Picture:
    """Resize a crop for the networks.

    Args:
        crop: RGB picture (side, side, 3), uint8.

    Returns:
        RGB picture (299, 299, 3), uint8, C-contiguous; area-averaged when shrunk, linear when enlarged.

    Raises:
        ValueError: the crop is not a uint8 picture of three channels.
    """
    if crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3 or crop.size == 0:
        raise ValueError(f"a crop is uint8 (side, side, 3), not {crop.dtype} {crop.shape}")
    shrinks = min(crop.shape[:2]) > INPUT_SIDE
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(crop), (INPUT_SIDE, INPUT_SIDE), interpolation=method)
    return np.ascontiguousarray(resized, dtype=np.uint8)
