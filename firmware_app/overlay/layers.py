"""What the overlay lays over the picture: patches in layers, each with what must be seen for it to be drawn.

The analysis is a frame or more behind the display. A layer whose place was measured on one frame is therefore
looked at anew in every frame that is shown, and is drawn only where it is still true: the ring where the
scanner's own ring stands, a result beside the name it belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_app.overlay.guards import Guard, Luma


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A picture to lay over the display: its upper left corner, and BGRA pixels (h, w, 4), straight alpha.

    Known by its identity: what was drawn once is prepared for GStreamer once.
    """

    x: int
    y: int
    pixels: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Layer:
    """Patches that are drawn where every guard holds.

    Attributes:
        patches: what is drawn.
        guards: what must be seen in the frame; none: it is always drawn.
        otherwise: drawn in its stead.
    """

    patches: tuple[Patch, ...]
    guards: tuple[Guard, ...] = ()
    otherwise: tuple[Patch, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that is drawn, from the lowest layer to the uppermost.

    Attributes:
        layers: what is drawn.
        size: width and height of the picture for which it was drawn; in a picture of another size nothing of
            it would stand in its place, and nothing is drawn. None: for any size.
        measured: width and height of the frame on which the guards were measured, where that is another.
    """

    layers: tuple[Layer, ...] = ()
    size: tuple[int, int] | None = None
    measured: tuple[int, int] | None = None

    @property
    def is_guarded(self) -> bool:
        """Whether a frame must be looked at before anything is drawn."""
        return any(layer.guards for layer in self.layers)

    def verdict(self, luma: Luma | None) -> tuple[bool, ...]:
        """For each layer whether its guards hold in a frame; a frame that cannot be read holds none."""
        return tuple(
            all(luma is not None and guard.holds(luma) for guard in layer.guards) for layer in self.layers
        )

    def patches(self, verdict: Sequence[bool]) -> tuple[Patch, ...]:
        """What is drawn by a verdict."""
        chosen = zip(self.layers, verdict, strict=True)
        return tuple(p for layer, holds in chosen for p in (layer.patches if holds else layer.otherwise))
