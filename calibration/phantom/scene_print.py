"""Numbers as the scanner prints them: the bar's range and ticks, and the read-out of each Q-box."""

from __future__ import annotations

from calibration.phantom.language import WORDS
from calibration.phantom.layout import LAYOUTS
from calibration.phantom.properties import Scene, Unit
from calibration.phantom.randomness import stream
from calibration.phantom.scene_map import Measured
from calibration.phantom.truth import ReadOutTruth

TICK_SHARES = (0.2, 0.4, 0.6, 0.8)


def range_kpa(maximum: float, unit: Unit) -> float:
    """Returns a value of the bar in kPa: E = 3 c^2."""
    return 3.0 * maximum**2 if unit == "m/s" else maximum


def number(value: float, decimals: int, *, comma: bool) -> str:
    """Returns a number as it is printed."""
    text = f"{value:.{decimals}f}"
    return text.replace(".", ",") if comma else text


def maximum_text(scene: Scene) -> str:
    """Returns what stands above the bar, such as ">=40 kPa" (with the sign U+2265)."""
    text = number(scene.maximum, 1 if scene.unit == "m/s" else 0, comma=scene.comma)
    return f"\N{GREATER-THAN OR EQUAL TO}{text} {scene.unit}"


def bar_ticks(maximum: float, unit: Unit) -> tuple[float, ...]:
    """Returns the tick labels beside the bar as printed, from the lowest."""
    return tuple(round(share * maximum, 1 if unit == "m/s" else 0) for share in TICK_SHARES)


def tick_texts(scene: Scene) -> tuple[str, ...]:
    """Returns the tick labels, from the lowest."""
    decimals = 1 if scene.unit == "m/s" else 0
    return tuple(number(tick, decimals, comma=scene.comma) for tick in bar_ticks(scene.maximum, scene.unit))


def read_out_truth(measured: Measured, scene: Scene, seed: int, index: int) -> ReadOutTruth | None:
    """Returns what is printed of a Q-box; None where the scene prints nothing.

    Args:
        measured: what was measured in it.
        scene: unit, language and which lines.
        seed: of the screen: one spelling of each label on one screen.
        index: number of the Q-box on the screen.
    """
    if not scene.readout:
        return None
    rng = stream(seed, "labels")
    words = WORDS[scene.language]
    values = measured.m_s if scene.unit == "m/s" else measured.kpa
    decimals = 2 if scene.unit == "m/s" and LAYOUTS[scene.layout].flat else 1
    mean, low, high, sd = (
        round(v, decimals) for v in (values.mean_kpa, values.min_kpa, values.max_kpa, values.sd_kpa)
    )
    diameter = round(measured.diameter_mm, 1)
    depth = round(measured.q_box.depth_mm / 10, 1)
    stability = int(stream(seed, "stability", index).integers(72, 100)) if scene.stability_index else None
    labels = (words.mean, words.minimum, words.maximum, words.deviation)
    lines = [
        (str(rng.choice(label)), f"{number(value, decimals, comma=scene.comma)} {scene.unit}")
        for label, value in zip(labels, (mean, low, high, sd), strict=True)
    ]
    lines.append((words.diameter[0], f"{number(diameter, 1, comma=scene.comma)} mm"))
    lines.append((words.depth[0], f"{number(depth, 1, comma=scene.comma)} cm"))
    if stability is not None:
        lines.append((words.stability[0], f"{stability} %"))
    speed = scene.unit == "m/s"
    return ReadOutTruth(
        unit=scene.unit,
        mean_kpa=range_kpa(mean, scene.unit),
        min_kpa=range_kpa(low, scene.unit),
        max_kpa=range_kpa(high, scene.unit),
        sd_kpa=6.0 * mean * sd if speed else sd,
        diameter_mm=diameter,
        depth_cm=depth,
        mean=mean,
        minimum=low,
        maximum=high,
        sd=sd,
        stability_index=stability,
        lines=tuple(lines),
    )
