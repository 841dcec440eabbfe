"""Initial weights of the Inception-V3 trunk, from a file or random."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import Inception3

from model_export.errors import WrongInputError

_UNPICKLERS_OWN = (EOFError, LookupError, ValueError, TypeError, AttributeError)
"""What torch's reader of pickles lets through when it is fed rubbish."""


class InputRange(str, Enum):
    """The values of a pixel that a checkpoint was trained with."""

    SIGNED = "signed"
    ZERO_ONE = "zero_one"


def random_trunk(seed: int) -> Inception3:
    """A trunk with random weights (the paper's non-transfer-learning twin, and the tests)."""
    torch.manual_seed(seed)
    trunk = Inception3(aux_logits=False, transform_input=False, init_weights=False)
    for layer in trunk.modules():
        if isinstance(layer, nn.Conv2d):
            # He et al. 2015: the variance of the activations neither vanishes nor explodes over the layers.
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return trunk.eval()


def settle(layers: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the batch-norm statistics of layers to the plain average over batches of their inputs, in place.

    Random layers need it: a training from scratch has them after its first steps, and frozen layers without
    them map all pictures to nearly the same. So do pre-trained ones that see other pictures than before.
    """
    norms = [layer for layer in layers.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over all batches
    layers.train()
    with torch.no_grad():
        for batch in batches:
            layers(batch)
    layers.eval()


def load_trunk(path: Path, input_range: InputRange) -> Inception3:
    """Load a trunk whose input is within -1..1.

    Args:
        path: `.safetensors`, or `.pth` as torchvision publishes it; keys of torchvision's `inception_v3`.
            Classifier and auxiliary classifier may be there or not, they are not used.
        input_range: what the checkpoint was trained with; for 0..1 the first convolution is rewritten so that
            -1..1 gives the same.

    Raises:
        WrongInputError: the file is missing, is no checkpoint, or lacks layers of Inception-V3.
    """
    state = _read(path)
    trunk = random_trunk(0)
    wanted = {name for name in trunk.state_dict() if not name.startswith("fc.")}
    missing = sorted(name for name in wanted - state.keys() if not name.endswith("num_batches_tracked"))
    if missing:
        raise WrongInputError(
            f"{path} lacks {len(missing)} layers of torchvision's inception_v3, first {missing[0]}"
        )
    try:
        trunk.load_state_dict({name: state[name].float() for name in wanted & state.keys()}, strict=False)
    except RuntimeError as error:
        raise WrongInputError(
            f"{path} holds layers of other shapes than torchvision's inception_v3"
        ) from error
    if input_range is InputRange.ZERO_ONE:
        _accept_signed_input(trunk)
    return trunk.eval()


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WrongInputError(
            f"no weights file {path}; give torchvision's inception_v3 IMAGENET1K_V1, "
            "or any checkpoint with its keys"
        )
    try:
        if path.suffix == ".safetensors":
            state: dict[str, Tensor] = load_file(path)
            return state
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, *_UNPICKLERS_OWN) as error:
        raise WrongInputError(f"{path} is neither a safetensors file nor a torch checkpoint") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WrongInputError(f"{path} holds no table of tensors")
    return state


def _accept_signed_input(trunk: Inception3) -> None:
    # w * (s + 1) / 2 = (w / 2) * s + sum(w) / 2: exact, for the first convolution has no padding. Its bias
    # is absent, so the constant is taken off the running mean of the batch norm behind it.
    first = trunk.Conv2d_1a_3x3
    with torch.no_grad():
        shift = first.conv.weight.sum(dim=(1, 2, 3)) / 2
        first.conv.weight.mul_(0.5)
        mean = first.bn.running_mean
        if mean is not None:
            mean.sub_(shift)
