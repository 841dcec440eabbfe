"""`fibrostage-calibrate phantom frame`: one picture of a patient, of any scene, or of what is none."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

import click
import cv2

from calibration.errors import WrongInputError
from calibration.phantom.acquisition import draw_acquisition
from calibration.phantom.capture import Chain, capture, capture_pictures
from calibration.phantom.layout import LayoutName
from calibration.phantom.negative import Negative, draw_negative
from calibration.phantom.options import (
    SOFTWARE_VERSION,
    Command,
    Size,
    check_folder,
    out_option,
    patient_options,
    size_options,
    truth_option,
    write_truth,
    write_whole,
)
from calibration.phantom.pane import Probe
from calibration.phantom.patient import Quality, draw_patient
from calibration.phantom.properties import MAX_Q_BOXES, Holes, Scene, Unit, random_scene
from calibration.phantom.randomness import stream
from calibration.phantom.scene import draw_scene
from calibration.phantom.truth import FrameTruth, Picture, Viewport
from calibration.profile import Language

USUAL_RANGE = {"kPa": 40.0, "m/s": 3.7}
PATIENT_OPTIONS = ("stage", "index", "quality")
SCENE_OPTIONS = ("layout", "probe", "language", "unit", "maximum", "opacity", "q_boxes", "holes", "at_edge",
                 "note", "live", "no_readout", "comma", "any_scene")  # fmt: skip


@dataclass(frozen=True, slots=True)
class SceneWish:
    """What the options say of the scene; None: as it comes."""

    layout: LayoutName | None
    probe: Probe | None
    language: Language | None
    unit: Unit | None
    maximum: float | None
    opacity_percent: int | None
    q_boxes: int | None
    holes: Holes | None
    at_edge: bool
    annotated: bool
    live: bool
    no_readout: bool
    comma: bool

    def scene(self, base: Scene) -> Scene:
        """Returns the base with what was asked for."""
        unit: Unit = self.unit or base.unit
        usual = base.maximum if unit == base.unit else USUAL_RANGE[unit]
        return replace(
            base,
            layout=self.layout or base.layout,
            probe=self.probe or base.probe,
            language=self.language or base.language,
            unit=unit,
            maximum=self.maximum or usual,
            opacity=base.opacity if self.opacity_percent is None else self.opacity_percent / 100,
            q_boxes=base.q_boxes if self.q_boxes is None else self.q_boxes,
            holes=self.holes or base.holes,
            at_edge=self.at_edge or base.at_edge,
            annotated=self.annotated or base.annotated,
            frozen=base.frozen and not self.live,
            readout=base.readout and not self.no_readout,
            comma=self.comma or base.comma,
        )


def scene_options(command: Command) -> Command:
    """Adds the options of a scene; any of them draws a scene instead of a patient's acquisition."""
    options = (
        click.option("--layout", type=click.Choice(get_args(LayoutName)), help="Scanner family."),
        click.option("--probe", type=click.Choice(get_args(Probe)), help="Convex: liver. Linear: muscle."),
        click.option("--language", type=click.Choice(get_args(Language)), help="Of the user interface."),
        click.option("--unit", type=click.Choice(get_args(Unit)), help="Of the colour bar and the read-out."),
        click.option("--range", "maximum", type=float, help="Upper end of the colour bar, in that unit."),
        click.option("--opacity", type=click.IntRange(30, 100), help="Of the colour, percent."),
        click.option("--q-boxes", type=click.IntRange(0, MAX_Q_BOXES), help="How many measuring circles."),
        click.option("--holes", type=click.Choice(get_args(Holes)), help="Unfilled parts of the colour box."),
        click.option("--at-edge", is_flag=True, help="The colour box lies at the picture's edge."),
        click.option("--note", is_flag=True, help="A free text lies across the image."),
        click.option("--live", is_flag=True, help="Not frozen."),
        click.option("--no-readout", is_flag=True, help="The values are not printed."),
        click.option("--comma", is_flag=True, help="Decimals are printed with a comma."),
        click.option("--random", "any_scene", is_flag=True, help="Draw what is not given from the seed."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _given(context: click.Context, names: tuple[str, ...]) -> list[str]:
    """Returns the options among these parameters that stand on the command line."""
    source = click.core.ParameterSource.COMMANDLINE
    options = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    return [options[name] for name in names if context.get_parameter_source(name) is source]


def _check_together(context: click.Context) -> None:
    """Refuses options of different kinds of picture.

    Raises:
        WrongInputError: two that do not go together were given.
    """
    groups = [_given(context, names) for names in (PATIENT_OPTIONS, SCENE_OPTIONS, ("negative",))]
    kinds = [group[0] for group in groups if group]
    if len(kinds) > 1:
        raise WrongInputError(
            f"{kinds[0]} and {kinds[1]} do not go together: draw a patient, a scene or a negative"
        )
    sizes = _given(context, ("size", "stretch"))
    if sizes and _given(context, ("chain",)):
        raise WrongInputError(f"{sizes[0]} and --chain do not go together: the chain has its own size")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture on the native screen, its truth (None of a negative), and what the truth file adds."""

    picture: Picture
    truth: FrameTruth | None
    about: dict[str, object]


def _draw_patient(stage: int | None, seed: int, index: int, quality: str) -> Drawn:
    patient = draw_patient(stream(seed, "patient"), stage, Quality(quality))
    return Drawn(*draw_acquisition(patient, index, seed), {"seed": seed, "index": index})


def _draw_scene(scene: Scene, seed: int) -> Drawn:
    return Drawn(*draw_scene(scene, seed), {"seed": seed, "scene": asdict(scene)})


def _put_out(drawn: Drawn, chain: Chain | None, viewport: Viewport, seed: int) -> Drawn:
    """Returns the picture and its truth after the capture chain, or at the size asked for."""
    picture, truth = drawn.picture, drawn.truth
    if chain is None:
        return Drawn(viewport.apply(picture), truth and viewport.apply_truth(truth), drawn.about)
    if truth is None:
        return Drawn(capture_pictures([picture], chain, [seed])[0], None, drawn.about)
    return Drawn(*capture(picture, truth, chain, seed), drawn.about)


@click.command()
@patient_options
@size_options
@click.option("--index", type=click.IntRange(0, 4), default=0, show_default=True, help="Which acquisition.")
@click.option(
    "--quality",
    type=click.Choice([q.value for q in Quality]),
    default="good",
    show_default=True,
    help="Measurability.",
)
@scene_options
@click.option(
    "--negative", type=click.Choice([n.value for n in Negative]), help="Draw what is no SWE screen."
)
@click.option("--chain", type=click.Choice([c.value for c in Chain]), help="What the capture chain does.")
@out_option
@truth_option
@click.pass_context
def frame(  # noqa: PLR0913 - one parameter per option
    context: click.Context,
    *,
    stage: int | None,
    seed: int,
    size: Size,
    stretch: bool,
    index: int,
    quality: str,
    layout: LayoutName | None,
    probe: Probe | None,
    language: Language | None,
    unit: Unit | None,
    maximum: float | None,
    opacity: int | None,
    q_boxes: int | None,
    holes: Holes | None,
    at_edge: bool,
    note: bool,
    live: bool,
    no_readout: bool,
    comma: bool,
    any_scene: bool,
    negative: str | None,
    chain: str | None,
    out: Path,
    truth: Path | None,
) -> None:
    """Draw one screen as a PNG picture.

    As it comes: a patient's frozen, measured liver screen. With any of the options from --layout to --random:
    a scene. With --negative: what must not be taken for elastography.
    """
    if out.suffix.lower() != ".png":
        raise WrongInputError(f"cannot write {out}: the name must end in .png")
    check_folder(truth)
    _check_together(context)
    viewport = Viewport.fit(*size, stretch=stretch)
    if negative is not None:
        drawn = Drawn(draw_negative(Negative(negative), seed), None, {"seed": seed, "negative": negative})
    elif _given(context, SCENE_OPTIONS):
        wish = SceneWish(
            layout,
            probe,
            language,
            unit,
            maximum,
            opacity,
            q_boxes,
            holes,
            at_edge,
            note,
            live,
            no_readout,
            comma,
        )
        drawn = _draw_scene(wish.scene(random_scene(seed) if any_scene else Scene()), seed)
    else:
        drawn = _draw_patient(stage, seed, index, quality)
    shown = _put_out(drawn, None if chain is None else Chain(chain), viewport, seed)
    write_whole(out, cv2.imencode(".png", shown.picture)[1].tobytes())
    about = {**shown.about, "version": SOFTWARE_VERSION}
    write_truth(truth, {**about, **(shown.truth.to_json() if shown.truth else {})})
