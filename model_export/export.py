"""The exported graph is the product: pictures in, calibrated probabilities out, nothing left to do outside.

A class-activation map (Zhou et al., CVPR 2016) says what each place adds to a score. GM and EM have one
linear layer w behind pooled features f that are standardised by mean m and deviation d:
score = sum_c w_c (mean_ij f_c(i,j) - m_c) / d_c, and the map sum_c w_c (f_c(i,j) - m_c) / d_c is exact:
its mean over the 8x8 places is the score. GM+EM has two more layers with ReLU between; there only a gradient,
which is another one for every picture, would give a map, and none is exported.
"""

from __future__ import annotations

import copy
import logging
import warnings
from pathlib import Path

import onnx
import onnxslim
import torch
from torch import Tensor, nn

from firmware_app.inference.graph import FEATURES, INPUT_SIDE, INPUTS, OUTPUTS
from model_export.graph_edit import save_checked
from model_export.graph_tail import MAPS, METHODS, SCORES, Tail, add_tails
from model_export.network import FibrosisNetwork, Head, fold_batch_norm, normalise

OPSET = 18
"""ONNX operator set; TensorRT 10.3 (JetPack 6.2) reads up to 20."""
SHAPES = {"logits": 3, "probabilities": 3, "features": 2048}
"""Second dimension of each kind of output; a map has (8, 8)."""
MAP_SIDE = 8


class ExportedNetwork(nn.Module):
    """Wraps the network for export only: uint8 RGB (n, 299, 299, 3) twice in; scores, maps, features out."""

    def __init__(self, network: FibrosisNetwork) -> None:
        """Copy the network and fold its batch norms."""
        super().__init__()
        self.network = copy.deepcopy(network).eval()
        fold_batch_norm(self.network)
        self.gm_map, self.em_map = _map_layer(network.gm_head), _map_layer(network.em_head)

    def forward(self, gray: Tensor, elastogram: Tensor) -> tuple[Tensor, ...]:
        """Scores (n, 1) of GM, EM, GM+EM; maps (n, 8, 8) and features (n, 2048) of GM, EM."""
        network = self.network
        stem = network.stem(torch.cat([normalise(gray), normalise(elastogram)]))
        gm_stem, em_stem = stem.unflatten(0, (2, -1))
        gm_maps, em_maps = network.gm_top.blocks(gm_stem), network.em_top.blocks(em_stem)
        gm, em = gm_maps.mean(dim=(2, 3)), em_maps.mean(dim=(2, 3))
        scores = (
            network.gm_head.score(gm),
            network.em_head.score(em),
            network.fusion_head.score(torch.cat([gm, em], dim=1)),
        )
        return (*scores, self.gm_map(gm_maps).squeeze(1), self.em_map(em_maps).squeeze(1), gm, em)


def _map_layer(head: Head) -> nn.Conv2d:
    """A head of one linear layer as a 1x1 convolution over the places that it pools."""
    mean, deviation = head.standardise.mean, head.standardise.deviation
    weight = head.output.score.weight.detach() / deviation
    layer = nn.Conv2d(mean.numel(), 1, kernel_size=1)
    with torch.no_grad():
        layer.weight.copy_(weight[:, :, None, None])
        layer.bias = nn.Parameter(-(weight @ mean))
    return layer


def export_onnx(network: FibrosisNetwork, path: Path) -> None:
    """Write the network as one simplified, checked float32 ONNX file for batches of any size.

    The same network gives the same bytes.

    Args:
        network: trained and calibrated.
        path: the file to write.
    """
    _trace(ExportedNetwork(network).eval(), path)
    model = onnxslim.slim(onnx.load(str(path)))
    add_tails(model.graph, {method: _tail(network, which) for which, method in enumerate(METHODS)})
    _name_outputs(model.graph)
    _strip_metadata(model)
    save_checked(model, path)


def _trace(wrapper: ExportedNetwork, path: Path) -> None:
    """Let torch write the graph up to scores, maps and features."""
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
            output_names=[*SCORES, *MAPS, *FEATURES],
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            dynamic_shapes=({0: batch}, {0: batch}),
            verbose=False,
        )


def _tail(network: FibrosisNetwork, which: int) -> Tail:
    output = (network.gm_head, network.em_head, network.fusion_head)[which].output
    first, second, third = (float(value) for value in output.biases().detach())
    return Tail(1.0, (first, second, third))


def _name_outputs(graph: onnx.GraphProto) -> None:
    """Declare the bundle's outputs, in their order, instead of the raw ones."""
    del graph.output[:]
    for name in OUTPUTS:
        kind = name.split("_")[0]
        rest = [MAP_SIDE, MAP_SIDE] if kind == "activation" else [SHAPES[kind]]
        graph.output.append(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", *rest])
        )


def _strip_metadata(model: onnx.ModelProto) -> None:
    """Take out what the exporter notes about its own run: stack traces with the folders of this machine."""
    del model.graph.value_info[:]
    for holder in (model, model.graph, *model.graph.node):
        del holder.metadata_props[:]
        holder.doc_string = ""
