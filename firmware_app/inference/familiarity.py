"""Whether a picture is like those that the networks were trained with: the out-of-range check.

Each network's features (2048 numbers behind its last pooling) are compared with the cloud of the training
pictures: the squared Mahalanobis distance within the cloud's principal axes, plus what those axes leave over,
in units of what they usually leave over (Hotelling's T^2 and the squared prediction error of Jackson and
Mudholkar, Technometrics 1979). A picture beyond the limit is unfamiliar: the networks' answer to it
means nothing. Plain linear algebra; the limits are set by `model_export.familiarity`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_app.inference.bundle import FILE_LIMIT, Bundle
from firmware_app.inference.bundle_files import ArrayForm, read_arrays
from firmware_app.journey import Features

FAMILIARITY_NAME = "familiarity.npz"
"""The file of a bundle; one without it has no such check."""
FEATURES = 2048
NETWORKS = ("gm", "em")
Vector = npt.NDArray[np.float32]
_FORMS = {
    "mean": ArrayForm("float32", (FEATURES,)),
    "deviation": ArrayForm("float32", (FEATURES,)),
    "axes": ArrayForm("float32", (None, FEATURES)),
    "variance": ArrayForm("float32", (None,)),
    "left_over": ArrayForm("float32", ()),
    "limit": ArrayForm("float32", ()),
}


@dataclass(frozen=True, slots=True)
class Cloud:
    """The training pictures' features of one network.

    Attributes:
        mean: of every feature, (2048,).
        deviation: standard deviation of every feature, (2048,); infinite where it never varies.
        axes: principal axes of the standardised features, orthonormal rows, (k, 2048).
        variance: along every axis, (k,).
        left_over: expected squared length off the axes, for each effective dimension.
        limit: distance beyond which a picture is unfamiliar.
    """

    mean: Vector
    deviation: Vector
    axes: Vector
    variance: Vector
    left_over: Vector
    limit: Vector

    def distance(self, features: Vector) -> npt.NDArray[np.float64]:
        """Distance of pictures from the cloud in units of its limit; beyond 1 they are unfamiliar.

        Args:
            features: (..., 2048).
        """
        standard = ((features - self.mean) / self.deviation).astype(np.float64)
        along = standard @ self.axes.T.astype(np.float64)
        # Pythagoras: the axes are orthonormal, so what is off them needs no second product.
        off = np.maximum((standard**2).sum(axis=-1) - (along**2).sum(axis=-1), 0.0)
        squared = (along**2 / self.variance).sum(axis=-1) + off / self.left_over
        return np.asarray(np.sqrt(squared) / self.limit, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Familiarity:
    """The clouds of the gray-scale and of the elastogram network."""

    gm: Cloud
    em: Cloud

    def complaint(self, features: Features) -> str | None:
        """What is unfamiliar about an acquisition, for people; None: nothing."""
        distances = {
            "gray-scale picture": float(self.gm.distance(features.gm)),
            "elastogram": float(self.em.distance(features.em)),
        }
        far = [
            f"{name} {distance:.1f} times the limit" for name, distance in distances.items() if distance > 1
        ]
        return ", ".join(far) or None


def arrays_of(familiarity: Familiarity) -> dict[str, Vector]:
    """What the bundle's file holds, by name."""
    clouds = dict(zip(NETWORKS, (familiarity.gm, familiarity.em), strict=True))
    return {f"{network}_{key}": getattr(cloud, key) for network, cloud in clouds.items() for key in _FORMS}


def read_familiarity(bundle: Bundle) -> Familiarity | None:
    """The check that a bundle brings along; None: it brings none.

    Raises:
        BundleError: the file is not what it should be.
    """
    if FAMILIARITY_NAME not in bundle.manifest.files:
        return None
    forms = {f"{network}_{key}": form for network in NETWORKS for key, form in _FORMS.items()}
    arrays = read_arrays(bundle.folder, FAMILIARITY_NAME, forms, FILE_LIMIT)
    clouds = [
        Cloud(**{key: arrays[f"{network}_{key}"].astype(np.float32, copy=False) for key in _FORMS})
        for network in NETWORKS
    ]
    return Familiarity(*clouds)
