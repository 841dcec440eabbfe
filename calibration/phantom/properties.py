"""The properties of an elastography screen, and how often each is met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from calibration.errors import WrongInputError
from calibration.phantom.layout import LayoutName
from calibration.phantom.pane import Probe
from calibration.phantom.randomness import stream
from calibration.profile import Language

Unit = Literal["kPa", "m/s"]
Holes = Literal["none", "corner", "large"]
RANGES_KPA = (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 75.0, 100.0, 150.0)
RANGES_M_S = (2.0, 2.5, 3.0, 3.7, 4.0, 5.0, 6.0, 7.0)
OPACITIES = tuple(round(0.05 * step, 2) for step in range(6, 21))
MAX_Q_BOXES = 3


@dataclass(frozen=True, slots=True)
class Scene:
    """The properties of one elastography screen.

    Attributes:
        layout: the scanner family: "aixplorer", "mach30" or "custom".
        probe: "convex" (liver, gray annular sector) or "linear" (muscle, orange rectangle).
        opacity: share of the colour in the blend, 0.3-1.
        maximum: upper end of the colour bar, in `unit`.
        unit: "kPa" or "m/s", of the bar and the read-out.
        language: of the user interface.
        comma: decimals are printed with a comma.
        q_boxes: how many measuring circles, 0-3.
        holes: unfilled parts of the box: "none", "corner" (up to 5 %) or "large" (7-50 %).
        at_edge: the box lies at the picture's edge.
        annotated: a free text lies across the image.
        readout: the values of the Q-boxes are printed.
        stability_index: the read-out has a line with the stability index.
        frozen: the snowflake and the cine counter are shown.
        level: the map's mean as a share of the bar's range, 0.03-0.9 (of kPa, whatever the unit).
    """

    layout: LayoutName = "aixplorer"
    probe: Probe = "convex"
    opacity: float = 0.5
    maximum: float = 40.0
    unit: Unit = "kPa"
    language: Language = "en"
    comma: bool = False
    q_boxes: int = 1
    holes: Holes = "none"
    at_edge: bool = False
    annotated: bool = False
    readout: bool = True
    stability_index: bool = False
    frozen: bool = True
    level: float = 0.25

    def __post_init__(self) -> None:
        if not 0.3 <= self.opacity <= 1.0:
            raise WrongInputError(f"the opacity {self.opacity} is not drawn: give 0.3 to 1")
        low, high = (1.0, 10.0) if self.unit == "m/s" else (5.0, 300.0)
        if not low <= self.maximum <= high:
            raise WrongInputError(f"the range {self.maximum} {self.unit} is not drawn: give {low} to {high}")
        if not 0 <= self.q_boxes <= MAX_Q_BOXES:
            raise WrongInputError(f"{self.q_boxes} Q-boxes are not drawn: give 0 to {MAX_Q_BOXES}")
        if not 0.03 <= self.level <= 0.9:
            raise WrongInputError(f"the level {self.level} is not drawn: give 0.03 to 0.9")


def _pick(rng: np.random.Generator, values: tuple[str, ...], weights: tuple[float, ...]) -> int:
    return int(rng.choice(len(values), p=np.asarray(weights) / sum(weights)))


def random_scene(seed: int, layouts: tuple[LayoutName, ...] = ("aixplorer", "mach30")) -> Scene:
    """Draws the properties of a screen: the usual ones often, every other often enough to be tested.

    Args:
        seed: everything follows from it.
        layouts: the scanner families to draw from, all equally often.
    """
    rng = stream(seed, "scene")
    layout = layouts[int(rng.integers(0, len(layouts)))]
    probes, languages, holes = get_args(Probe), get_args(Language), get_args(Holes)
    unit: Unit = "m/s" if rng.random() < 0.2 else "kPa"
    usual = 3.7 if unit == "m/s" else 40.0
    maximum = usual if rng.random() < 0.4 else float(rng.choice(RANGES_M_S if unit == "m/s" else RANGES_KPA))
    opacity = 0.5 if rng.random() < 0.4 else float(rng.choice(OPACITIES))
    language: Language = languages[_pick(rng, languages, (3, 2, 1, 1))]
    q_boxes = int(rng.choice(4, p=[0.12, 0.6, 0.16, 0.12]))
    return Scene(
        layout=layout,
        probe=probes[_pick(rng, probes, (2, 1))],
        opacity=opacity,
        maximum=maximum,
        unit=unit,
        language=language,
        comma=language != "en" and bool(rng.random() < 0.5),
        q_boxes=q_boxes,
        holes=holes[_pick(rng, holes, (3, 3, 1))],
        at_edge=bool(rng.random() < 0.15),
        annotated=bool(rng.random() < 0.3),
        readout=q_boxes > 0 and bool(rng.random() < 0.9),
        stability_index=bool(rng.random() < 0.4),
        frozen=bool(rng.random() < 0.75),
        level=float(rng.beta(2.0, 4.0) * 0.75 + 0.05),
    )
