"""The exported graph is the product: pictures in, calibrated log-odds out, nothing left to do outside."""

from __future__ import annotations

import copy
import logging
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from firmware_app.inference.graph import INPUT_SIDE
from firmware_app.inference.openvino_engine import INPUTS, OUTPUTS
from model_export.network import FibrosisNetwork, fold_batch_norm, normalise

OPSET = 18
"""ONNX operator set; TensorRT 10.3 (JetPack 6.2) reads up to 20."""


class ExportedNetwork(nn.Module):
    """Wraps the network for export only: uint8 RGB (n, 299, 299, 3) twice in, three log-odds (n, 3) out."""

    def __init__(self, network: FibrosisNetwork) -> None:
        """Copy the network and fold its batch norms."""
        super().__init__()
        self.network = fold_batch_norm(copy.deepcopy(network).eval())

    def forward(self, gray: Tensor, elastogram: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-odds by GM, EM and GM+EM."""
        logits: tuple[Tensor, Tensor, Tensor] = self.network(normalise(gray), normalise(elastogram))
        return logits


def export_onnx(network: FibrosisNetwork, path: Path) -> None:
    """Write the network as one checked ONNX file for batches of any size.

    Args:
        network: trained and calibrated.
        path: the file to write.
    """
    wrapper = ExportedNetwork(network).eval()
    shape = (2, INPUT_SIDE, INPUT_SIDE, 3)
    # Two tensors, not one twice: the exporter would take them for one input.
    examples = (torch.zeros(shape, dtype=torch.uint8), torch.ones(shape, dtype=torch.uint8))
    batch = torch.export.Dim("batch", min=1, max=256)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        torch.onnx.export(
            wrapper,
            examples,
            path,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            dynamic_shapes=({0: batch}, {0: batch}),
            verbose=False,
        )
    _strip_metadata(path)
    onnx.checker.check_model(str(path), full_check=True)


def _strip_metadata(path: Path) -> None:
    """Take out what the exporter notes about its own run: stack traces with the folders of this machine."""
    model = onnx.load(str(path))
    for holder in (model, model.graph, *model.graph.node, *model.graph.value_info):
        del holder.metadata_props[:]
    onnx.save(model, str(path))
