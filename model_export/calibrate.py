"""Log-odds that mean what they say: one factor and three ordered biases, fitted on validation patients.

The patient's log-odds are the mean of the images', and the fit is affine, so it can be folded into the
graph: the appliance averages and is done.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from model_export.network import OrdinalOutput
from model_export.patient_scores import Vector, positives

SMALLEST_STEP = 1e-4
"""The least distance between two biases, so that they stay in order."""
PRIOR_STRENGTH = 1.0
"""Pull of the factor's logarithm towards none, in units of patients' log-likelihood."""


def calibrate(output: OrdinalOutput, logits: Vector, stage: npt.NDArray[np.int64]) -> None:
    """Fold the best factor and biases into an output layer.

    Args:
        output: changed in place.
        logits: its log-odds for the validation patients, (patients, 3), mean of their images.
        stage: their stages.
    """
    with torch.no_grad():
        biases = output.biases().double()
    scores = torch.from_numpy(logits).double() + biases  # undo the biases: three equal columns
    truth = torch.from_numpy(positives(stage)).double()
    factor_log, first, steps = _fit(scores[:, :1], truth, biases)
    with torch.no_grad():
        output.score.weight.mul_(factor_log.exp().float())
        output.first_bias.copy_(first.float())
        # the inverse of softplus
        output.raw_steps.copy_(torch.log(torch.expm1(steps)).float())


def _fit(scores: Tensor, truth: Tensor, biases: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Maximum likelihood of truth (n, 3) given scores (n, 1): factor's logarithm, first bias, two steps."""
    factor_log = torch.zeros((), dtype=torch.float64, requires_grad=True)
    first = biases[0].clone().requires_grad_()
    raw = torch.log(torch.expm1(biases.diff().clamp_min(SMALLEST_STEP))).requires_grad_()
    optimiser = torch.optim.LBFGS([factor_log, first, raw], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        steps = functional.softplus(raw) + SMALLEST_STEP
        shifted = first + torch.cat([torch.zeros(1, dtype=torch.float64), torch.cumsum(steps, dim=0)])
        logits = factor_log.exp() * scores - shifted
        loss = functional.binary_cross_entropy_with_logits(logits, truth, reduction="sum")
        loss = loss + PRIOR_STRENGTH * factor_log**2
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    steps = (functional.softplus(raw) + SMALLEST_STEP).detach()
    return factor_log.detach(), first.detach(), steps
