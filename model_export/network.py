"""The networks: one frozen Inception-V3 stem for both modalities, a fine-tuned top for each, three heads.

The stem (first convolution up to Mixed_6e) keeps its ImageNet weights and sees gray-scale pictures and
elastograms in one pass. Mixed_7a to Mixed_7c exist once per modality and are trained; their batch-norm
statistics are not. GM and EM score their own 2048 features; GM+EM scores both through three fully
connected layers 4096 -> 1024 -> 256 -> 1 (Xue et al. 2020). Each score becomes the log-odds of >=S2, >=S3
and S4 by subtracting three ordered biases, so the probabilities can never contradict one another.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import Inception3
from torchvision.models.inception import BasicConv2d

STEM_LAYERS = (
    "Conv2d_1a_3x3",
    "Conv2d_2a_3x3",
    "Conv2d_2b_3x3",
    "maxpool1",
    "Conv2d_3b_1x1",
    "Conv2d_4a_3x3",
    "maxpool2",
    "Mixed_5b",
    "Mixed_5c",
    "Mixed_5d",
    "Mixed_6a",
    "Mixed_6b",
    "Mixed_6c",
    "Mixed_6d",
    "Mixed_6e",
)
"""Layers of torchvision's Inception-V3 that stay frozen, in order."""
TOP_LAYERS = ("Mixed_7a", "Mixed_7b", "Mixed_7c")
"""Layers that are fine-tuned, in order."""
STEM_SHAPE = (768, 17, 17)
"""The stem's output for one picture of 299x299."""
TOP_FEATURES = 2048
"""Features of one top after global average pooling."""
DROPOUT = 0.5
SMALLEST_STEP = 1e-4
"""The least distance between two biases, so that they stay in order."""
SMALLEST_DEVIATION = 1e-4
"""A pooled feature that varies less over the training pictures is noise of the arithmetic."""


class OrdinalOutput(nn.Module):
    """One score and three ordered biases: log-odds (n, 3), never increasing to the right."""

    def __init__(self, features: int) -> None:
        """Score vectors of this many features."""
        super().__init__()
        self.score = nn.Linear(features, 1, bias=False)
        self.first_bias = nn.Parameter(torch.tensor(-1.0))
        self.raw_steps = nn.Parameter(torch.tensor([0.0, 0.0]))

    def biases(self) -> Tensor:
        """The three biases, never decreasing, shape (3,)."""
        steps = functional.softplus(self.raw_steps)
        return self.first_bias + torch.cat([torch.zeros_like(steps[:1]), torch.cumsum(steps, dim=0)])

    def recalibrate(self, factor: float, offsets: tuple[float, float, float]) -> None:
        """Make the log-odds factor * what they were + offsets; their order stays."""
        with torch.no_grad():
            biases = factor * self.biases().double() - torch.tensor(offsets, dtype=torch.float64)
            steps = biases.diff().clamp_min(SMALLEST_STEP)
            self.score.weight.mul_(factor)
            self.first_bias.copy_(biases[0].float())
            # the inverse of softplus
            self.raw_steps.copy_(torch.log(torch.expm1(steps)).float())

    def forward(self, features: Tensor) -> Tensor:
        """Log-odds (n, 3) of features (n, f)."""
        logits: Tensor = self.score(features) - self.biases()
        return logits


class Top(nn.Module):
    """Mixed_7a to Mixed_7c and global average pooling: maps (n, 768, 17, 17) to features (n, 2048)."""

    def __init__(self, trunk: Inception3) -> None:
        """Copy the three blocks of a trunk."""
        super().__init__()
        self.blocks = nn.Sequential(*(copy.deepcopy(getattr(trunk, name)) for name in TOP_LAYERS))

    def forward(self, maps: Tensor) -> Tensor:
        """Pooled features (n, 2048)."""
        pooled: Tensor = self.blocks(maps).mean(dim=(2, 3))
        return pooled


class Standardise(nn.Module):
    """Every feature minus its mean, divided by its standard deviation over the training pictures.

    Pooled features of a pre-trained network vary by a few hundredths here; without this a head learns hardly
    anything.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: int) -> None:
        """Start with features as they are."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))

    def fit(self, vectors: Tensor) -> None:
        """Take mean and deviation of training vectors (n, f); what never varies becomes zero."""
        self.mean.copy_(vectors.mean(dim=0))
        deviation = vectors.std(dim=0)
        self.deviation.copy_(torch.where(deviation > SMALLEST_DEVIATION, deviation, torch.inf))

    def forward(self, vectors: Tensor) -> Tensor:
        """Standardised vectors (n, f)."""
        return (vectors - self.mean) / self.deviation


class Head(nn.Module):
    """Standardised features, fully connected layers with dropout before each, then the ordinal output."""

    def __init__(self, widths: list[int], features: int) -> None:
        """Start with random layers.

        Args:
            widths: of the hidden layers, each followed by ReLU.
            features: length of the vectors that come in.
        """
        super().__init__()
        self.standardise = Standardise(features)
        layers: list[nn.Module] = []
        for width in widths:
            layers += [nn.Dropout(DROPOUT), nn.Linear(features, width), nn.ReLU()]
            features = width
        self.layers = nn.Sequential(*layers, nn.Dropout(DROPOUT))
        self.output = OrdinalOutput(features)

    def forward(self, features: Tensor) -> Tensor:
        """Log-odds (n, 3)."""
        logits: Tensor = self.output(self.layers(self.standardise(features)))
        return logits

    def score(self, features: Tensor) -> Tensor:
        """The score (n, 1) that all three log-odds share, before their biases are taken off."""
        score: Tensor = self.output.score(self.layers(self.standardise(features)))
        return score


class FibrosisNetwork(nn.Module):
    """Stem, two tops, three heads. Pictures are float RGB (n, 3, 299, 299) within -1..1."""

    def __init__(self, trunk: Inception3) -> None:
        """Build the network around a trunk.

        Args:
            trunk: Inception-V3 whose input is within -1..1; its layers are copied.
        """
        super().__init__()
        stem = nn.Sequential(*(copy.deepcopy(getattr(trunk, name)) for name in STEM_LAYERS))
        self.stem = fold_batch_norm(stem.eval()).requires_grad_(requires_grad=False)
        self.gm_top = Top(trunk)
        self.em_top = Top(trunk)
        self.gm_head = Head([], TOP_FEATURES)
        self.em_head = Head([], TOP_FEATURES)
        self.fusion_head = Head([1024, 256], 2 * TOP_FEATURES)

    def forward(self, gray: Tensor, elastogram: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-odds (n, 3) by GM, EM and GM+EM."""
        # One pass of the shared stem over both modalities: a batch of two keeps the processor busier.
        gm_maps, em_maps = self.stem(torch.cat([gray, elastogram])).unflatten(0, (2, -1))
        gm_features = self.gm_top(gm_maps)
        em_features = self.em_top(em_maps)
        fused = self.fusion_head(torch.cat([gm_features, em_features], dim=1))
        return self.gm_head(gm_features), self.em_head(em_features), fused


def normalise(pictures: Tensor) -> Tensor:
    """Uint8 RGB (n, 299, 299, 3) to float (n, 3, 299, 299) within -1..1."""
    # Floats first: TensorRT takes uint8 as an input of a graph, but does not transpose it.
    return pictures.float().permute(0, 3, 1, 2) / 127.5 - 1.0


def fold_batch_norm(module: nn.Module) -> nn.Module:
    """Fold every frozen batch norm into its convolution, in place; the module then computes the same.

    Args:
        module: in evaluation mode.

    Returns:
        The module itself.
    """
    for child in module.modules():
        if isinstance(child, BasicConv2d) and isinstance(child.bn, nn.BatchNorm2d):
            child.conv = fuse_conv_bn_eval(child.conv, child.bn)
            child.bn = nn.Identity()
    return module
