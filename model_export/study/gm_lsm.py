"""GM+LSM as the paper fits it: logistic regression on two confidences by mini-batch gradient descent.

The batches start small and grow until they hold every patient (Smith et al., ICLR 2018: instead of a falling
learning rate), so the descent ends at the exact solution instead of wandering around it. The inputs are
whitened first: the two confidences rise together, and along the narrow valley that this makes gradient
descent would crawl.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_export.operate import INVERSE_PENALTY
from model_export.patient_scores import Vector, sigmoid
from model_export.statistics.figure import BoolArray

RATE = 3.5
"""Step length; below 4, the inverse of the largest curvature of a mean logistic loss of white inputs."""


@dataclass(frozen=True, slots=True)
class Descent:
    """How to descend.

    Attributes:
        seed: of the order of the patients.
        first_batch: patients in the first batches.
        epochs_per_size: passes over the patients before the batch doubles.
        last_steps: most steps with all patients at once.
        tolerance: the gradient of the mean loss that counts as zero.
    """

    seed: int
    first_batch: int = 32
    epochs_per_size: int = 20
    last_steps: int = 20_000
    tolerance: float = 1e-9

    def __call__(self, inputs: Vector, positive: BoolArray) -> tuple[float, Vector]:
        """Logistic regression with `operate`'s ridge.

        Where a class separates perfectly, only the ridge bounds the weights; the descent then ends after
        `last_steps`, with the separation found and the weights still growing.

        Args:
            inputs: (patients, f).
            positive: (patients,), both classes present.

        Returns:
            Intercept and f weights.
        """
        problem = _Problem.of(inputs, positive)
        parameters = np.zeros(problem.white.shape[1])
        rng = np.random.default_rng([self.seed, 5])
        size, patients = self.first_batch, len(positive)
        while size < patients:
            for _ in range(self.epochs_per_size):
                order = rng.permutation(patients)
                for start in range(0, patients, size):
                    parameters -= RATE * problem.gradient(parameters, order[start : start + size])
            size *= 2
        everyone = np.arange(patients)
        for _ in range(self.last_steps):
            gradient = problem.gradient(parameters, everyone)
            if np.abs(gradient).max() < self.tolerance:
                break
            parameters -= RATE * gradient
        return problem.in_units_of_the_inputs(parameters)


@dataclass(frozen=True, slots=True)
class _Problem:
    """The regression in whitened inputs.

    Attributes:
        white: (patients, g + 1): g <= f uncorrelated inputs of variance one, and a column of ones.
        truth: (patients,) 0 or 1.
        mean: of the inputs, (f,).
        whitener: (f, g); white = (inputs - mean) @ whitener.
    """

    white: Vector
    truth: Vector
    mean: Vector
    whitener: Vector

    @classmethod
    def of(cls, inputs: Vector, positive: BoolArray) -> _Problem:
        """Whiten the inputs."""
        mean = inputs.mean(axis=0)
        variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(inputs, rowvar=False)))
        # An input that never varies, or repeats another, gets no weight along what is missing.
        known = variances > 1e-12 * max(float(variances.max()), 1e-12)
        whitener = axes[:, known] / np.sqrt(variances[known])
        white = np.column_stack([(inputs - mean) @ whitener, np.ones(len(inputs))])
        return cls(white, positive.astype(np.float64), mean, whitener)

    def gradient(self, parameters: Vector, rows: npt.NDArray[np.int64]) -> Vector:
        """Of the mean loss of some patients, the ridge shared evenly among all."""
        white = self.white[rows]
        slope = white.T @ (sigmoid(white @ parameters) - self.truth[rows]) / len(rows)
        ridge = self.whitener.T @ (self.whitener @ parameters[:-1])
        slope[:-1] += ridge / (INVERSE_PENALTY * len(self.truth))
        return np.asarray(slope, dtype=np.float64)

    def in_units_of_the_inputs(self, parameters: Vector) -> tuple[float, Vector]:
        """Intercept and weights for the inputs as they were given."""
        weights = self.whitener @ parameters[:-1]
        return float(parameters[-1] - self.mean @ weights), weights
