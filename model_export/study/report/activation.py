"""Class-activation maps: where in a picture GM and EM find what raises their score.

A head is linear on the standardised mean of the top's maps, so its score can be written as the mean over all
places of one map (Zhou et al., CVPR 2016):

    score = sum_k w_k (mean_xy m_k(x, y) - mean_k) / deviation_k
          = mean_xy sum_k w_k (m_k(x, y) - mean_k) / deviation_k

No gradient and no approximation: the mean of the map is the score, in log-odds before the biases of the three
thresholds are taken off. Zero is the average training picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from firmware_app.journey import Picture
from model_export.errors import ExportError
from model_export.network import FibrosisNetwork, Head, Top, normalise

Map = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ActivationMaps:
    """Maps of one acquisition, (8, 8) each; the mean of a map is that network's score.

    Attributes:
        gm: of the gray-scale picture.
        em: of the elastogram.
    """

    gm: Map
    em: Map


def activation_maps(network: FibrosisNetwork, gray: Picture, elastogram: Picture) -> ActivationMaps:
    """Where both networks find what raises their score.

    Args:
        network: trained.
        gray: prepared gray-scale crop, (299, 299, 3), uint8 RGB.
        elastogram: prepared elastogram crop, likewise.

    Raises:
        ExportError: a head is not linear, so that its score is the mean of no map.
    """
    network.eval()
    with torch.inference_mode():
        stem_maps = network.stem(normalise(torch.from_numpy(np.stack([gray, elastogram]))))
        return ActivationMaps(
            gm=_activation_map(network.gm_top, network.gm_head, stem_maps[:1]),
            em=_activation_map(network.em_top, network.em_head, stem_maps[1:]),
        )


def _activation_map(top: Top, head: Head, stem_maps: Tensor) -> Map:
    if any(not isinstance(layer, nn.Dropout) for layer in head.layers):
        raise ExportError("the head has hidden layers: its score is the mean of no class-activation map")
    maps = top.blocks(stem_maps)[0].double()
    weight = head.output.score.weight[0].double() / head.standardise.deviation.double()
    centred = maps - head.standardise.mean.double()[:, None, None]
    found = torch.einsum("k,kyx->yx", weight, centred)
    return np.asarray(found.float().numpy(), dtype=np.float32)
