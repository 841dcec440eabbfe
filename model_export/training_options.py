"""The options of the command line that say what to train; `train` and `report` share them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_export.errors import NotInstalledError, WrongInputError
from model_export.task import Heads, Optimiser, Trainable, TrainingOptions, as_in_the_paper

if TYPE_CHECKING:
    from model_export.stages import Request

_Path = click.Path(path_type=Path)
NAME = r"[A-Za-z0-9._-]{1,60}"
"""Of a bundle, whose id has a dash and twelve digits more; see `firmware_app.inference.bundle`."""

cohort_option = click.option(
    "--cohort",
    type=_Path,
    help="Folder with patients.csv, images.csv and pictures. Without it a virtual cohort is drawn.",
)


@dataclass(frozen=True, slots=True)
class TrainingChoice:
    """What was asked for; a field for each option of `_OPTIONS`, which explain them."""

    weights: Path | None
    weights_range: str
    licence: str
    random_weights: bool
    work: Path
    name: str
    patients_train: int
    patients_test: int
    views: int
    epochs: int
    head_epochs: int
    optimiser: Optimiser
    heads: Heads
    trainable: Trainable
    seed: int
    processes: int

    def request(self) -> Request:
        """The request for `stages.make_trained`.

        Raises:
            WrongInputError: no, missing or too many initial weights, a name that no bundle can have, or the
                training stack is not installed.
        """
        if self.weights is None and not self.random_weights:
            raise WrongInputError(
                "no initial weights given: pass --weights FILE (torchvision's inception_v3 IMAGENET1K_V1, "
                "which is not downloaded by itself, or any checkpoint with its keys) or --random-weights"
            )
        if self.weights is not None and self.random_weights:
            raise WrongInputError("--weights and --random-weights exclude each other; give one of them")
        if self.weights is not None and not self.weights.is_file():
            raise WrongInputError(f"no weights file {self.weights}; give an existing file")
        if not re.fullmatch(NAME, self.name):
            raise WrongInputError("--name takes 1 to 60 letters, digits and . _ -, for the bundle's id")
        try:
            # torch takes seconds to import, and is absent where only the appliance is installed
            from model_export.stages import Request  # noqa: PLC0415 - see above
            from model_export.weights import InputRange  # noqa: PLC0415 - see above
        except ModuleNotFoundError as error:
            raise NotInstalledError(error) from error
        options = TrainingOptions(
            seed=self.seed, epochs=self.epochs, head_epochs=self.head_epochs, heads=self.heads
        )
        return Request(
            weights=self.weights,
            input_range=InputRange(self.weights_range),
            licence=self.licence,
            work=self.work,
            name=self.name,
            patients_train=self.patients_train,
            patients_test=self.patients_test,
            views=self.views,
            options=as_in_the_paper(options) if self.optimiser == "sgd" else options,
            trainable=self.trainable,
            processes=self.processes,
        )


_OPTIONS = (
    click.option(
        "--weights",
        type=_Path,
        help="Initial weights with torchvision's inception_v3 keys (.safetensors or .pth), "
        "e.g. IMAGENET1K_V1.",
    ),
    click.option(
        "--weights-range",
        type=click.Choice(["signed", "zero_one"]),
        default="signed",
        show_default=True,
        help="Pixel values that the weights were trained with: -1..1 (IMAGENET1K_V1) or 0..1.",
    ),
    click.option("--licence", default="", help="Origin and licence of the weights, for the card."),
    click.option("--random-weights", is_flag=True, help="Start from random ones (no transfer learning)."),
    click.option(
        "--work", type=_Path, default=Path("build/train"), show_default=True, help="Keeps every stage."
    ),
    click.option("--name", default="fibrostage", show_default=True, help="The bundle's id begins with it."),
    click.option("--patients-train", type=click.IntRange(20), default=364, show_default=True),
    click.option("--patients-test", type=click.IntRange(20), default=102, show_default=True),
    click.option(
        "--views", type=click.IntRange(1), default=2, show_default=True, help="Views of each picture."
    ),
    click.option(
        "--epochs", type=click.IntRange(0), default=3, show_default=True, help="Of the upper blocks."
    ),
    click.option("--head-epochs", type=click.IntRange(1), default=40, show_default=True),
    click.option(
        "--optimiser",
        type=click.Choice(["adamw", "sgd"]),
        default="adamw",
        show_default=True,
        help="sgd: the paper's, momentum .9, rates .01 (heads) and .001 (upper blocks).",
    ),
    click.option(
        "--heads",
        type=click.Choice(["shared", "three"]),
        default="shared",
        show_default=True,
        help="three: the paper's separate binary networks, at three times the time; no bundle.",
    ),
    click.option(
        "--trainable",
        type=click.Choice(["top", "all"]),
        default="top",
        show_default=True,
        help="Of the twin from random weights; all: every layer of GM and EM, for a GPU; no bundle.",
    ),
    click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True),
    click.option("--processes", type=click.IntRange(1), default=2, show_default=True),
)


def training_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of training; it gets them as one argument, `training`."""
    names = [field.name for field in fields(TrainingChoice)]

    @functools.wraps(command)
    def collected(**values: object) -> None:
        choice = TrainingChoice(**{name: values.pop(name) for name in names})  # type: ignore[arg-type]  # click has checked each
        command(training=choice, **values)

    wrapped: Callable[..., None] = collected
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
