"""Figure 5: what the networks saw, stage by stage, with class-activation maps.

Nobody chooses by hand. Patients are drawn at random, with a stated seed, among the test patients of a stage
whom GM+EM calls rightly at all three thresholds, and among those whom it does not; the acquisition is drawn
too. Calls are made at the cut-offs of the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from tqdm import tqdm

from firmware_app.inference.graph import INPUT_SIDE
from firmware_app.journey import Picture
from model_export.cohort import Cohort
from model_export.errors import WrongInputError
from model_export.evaluate_figures import PANELS
from model_export.evaluate_results import CohortResult
from model_export.evaluate_scores import ScoreTable
from model_export.network import FibrosisNetwork
from model_export.study.report.activation import ActivationMaps, Map, activation_maps

METHOD = "GM+EM"
"""The method whose calls decide who is shown as rightly and who as wrongly staged."""
CALLS = {0: "S0–S1", 2: "S2", 3: "S3", 4: "S4"}  # noqa: RUF001 - en dashes of ranges
"""What the highest threshold that a patient is called at says about his stage."""
COLOURS = "viridis"
"""Perceptually even, also without colours."""
OPACITY = 0.5
ROWS = ("Elastogram", "EM map", "Gray scale", "GM map")


@dataclass(frozen=True, slots=True)
class Example:
    """One acquisition of a test patient.

    Attributes:
        patient: his place in the cohort.
        acquisition: of his pictures.
        name: his id.
        stage: by pathology.
        called: the stage that GM+EM calls, in words.
        lsm_kpa: of this acquisition.
        gray: prepared crop, (299, 299, 3), uint8 RGB.
        elastogram: likewise.
        maps: class-activation maps of both.
    """

    patient: int
    acquisition: int
    name: str
    stage: int
    called: str
    lsm_kpa: float
    gray: Picture
    elastogram: Picture
    maps: ActivationMaps


@dataclass(frozen=True, slots=True)
class Gallery:
    """Rightly and wrongly staged examples, one of each stage at most."""

    right: tuple[Example, ...]
    wrong: tuple[Example, ...]


def called_stages(table: ScoreTable, result: CohortResult) -> npt.NDArray[np.int64]:
    """The lowest stage of the highest threshold at which GM+EM calls each patient, (patients,); 0 for none.

    Raises:
        WrongInputError: GM+EM has no cut-off.
    """
    called = np.zeros(table.stage.size, dtype=np.int64)
    for threshold in PANELS:
        column = table.column(METHOD, threshold)
        method = result.methods[threshold.name].get(METHOD)
        if column is None or method is None or method.cutoff is None:
            raise WrongInputError(f"{table.name}: {METHOD} has no cut-off at {threshold.name}")
        called = np.maximum(called, np.where(column.patients >= method.cutoff, threshold.stage, 0))
    return called


def choose(
    stage: npt.NDArray[np.int64], called: npt.NDArray[np.int64], acquisitions: int, seed: int
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Patients and acquisitions to show, rightly and wrongly staged, from the mildest stage to the worst."""
    rng = np.random.default_rng([seed, 5])
    right = np.where(stage <= 1, called == 0, called == stage)
    chosen: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
    for value in range(5):
        for group, those in zip(chosen, (right, ~right), strict=True):
            members = np.flatnonzero((stage == value) & those)
            if members.size:
                group.append((int(rng.choice(members)), int(rng.integers(acquisitions))))
    return chosen


def make_gallery(
    network: FibrosisNetwork, cohort: Cohort, table: ScoreTable, result: CohortResult, seed: int
) -> Gallery:
    """Choose and compute the examples of Figure 5.

    Args:
        network: trained with transfer learning.
        cohort: pictures of the test patients, in the order of the scores.
        table: scores of the test patients.
        result: whose cut-offs call.
        seed: of the draw.

    Raises:
        WrongInputError: scores and pictures are not of the same patients.
    """
    if not np.array_equal(cohort.stage, table.stage):
        raise WrongInputError(f"{table.name} and the pictures are not of the same patients in the same order")
    called = called_stages(table, result)
    names = table.patient_ids or tuple(map(str, range(table.stage.size)))

    def examples(places: list[tuple[int, int]], words: str) -> Iterator[Example]:
        for patient, acquisition in tqdm(places, desc=words, leave=False):
            gray = np.array(cohort.gray[patient, acquisition])
            elastogram = np.array(cohort.elastogram[patient, acquisition])
            yield Example(
                patient=patient,
                acquisition=acquisition,
                name=names[patient],
                stage=int(table.stage[patient]),
                called=CALLS[int(called[patient])],
                lsm_kpa=float(cohort.lsm_kpa[patient, acquisition]),
                gray=gray,
                elastogram=elastogram,
                maps=activation_maps(network, gray, elastogram),
            )

    right, wrong = choose(table.stage, called, cohort.lsm_kpa.shape[1], seed)
    return Gallery(tuple(examples(right, "maps")), tuple(examples(wrong, "maps of errors")))


def gallery_canvas(examples: tuple[Example, ...], limits: tuple[float, float]) -> Canvas:
    """A column per example: elastogram, its map, gray-scale picture, its map; one scale for all maps.

    Args:
        examples: at least one.
        limits: of the colours, in log-odds.
    """
    canvas = Canvas(figsize=(2.05 * len(examples) + 1.1, 8.9), layout="constrained")
    grid = canvas.subplots(len(ROWS), len(examples), squeeze=False)
    norm = mpl.colors.Normalize(*limits)
    for column, example in zip(grid.T, examples, strict=True):
        column[0].set_title(
            f"S{example.stage}, called {example.called}\n{example.name} · {example.lsm_kpa:.1f} kPa",
            fontsize=8,
        )
        column[0].imshow(example.elastogram)
        _overlay(column[1], example.elastogram, example.maps.em, norm)
        column[2].imshow(example.gray)
        _overlay(column[3], example.gray, example.maps.gm, norm)
    for row, axes in zip(ROWS, grid[:, 0], strict=True):
        axes.set_ylabel(row)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    bar = canvas.colorbar(
        mpl.cm.ScalarMappable(norm, COLOURS), ax=grid, location="bottom", shrink=0.6, aspect=45, pad=0.015
    )
    bar.set_label(
        "share in the score, log-odds (0: the average training picture); the map's mean is the score"
    )
    return canvas


def _overlay(axes: Axes, picture: Picture, values: Map, norm: mpl.colors.Normalize) -> None:
    """A map over its picture, the picture in gray so that its own colours are not taken for the map's."""
    axes.imshow(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cmap="gray", vmin=0, vmax=255)
    smooth = cv2.resize(values, (INPUT_SIDE, INPUT_SIDE), interpolation=cv2.INTER_CUBIC)
    axes.imshow(smooth, cmap=COLOURS, norm=norm, alpha=OPACITY)
    if float(np.ptp(values)) > 0.0:
        # The upper tenth of the map, outlined: visible where colours and shades are not.
        axes.contour(
            smooth,
            levels=[float(np.quantile(smooth, 0.9))],
            colors="white",
            linewidths=0.9,
            linestyles="solid",
        )


def limits_of(gallery: Gallery) -> tuple[float, float]:
    """A colour scale that holds 98 % of all maps' values."""
    values = [
        part for example in (*gallery.right, *gallery.wrong) for part in (example.maps.gm, example.maps.em)
    ]
    if not values:
        return -1.0, 1.0
    low, high = np.quantile(np.stack(values), [0.01, 0.99])
    return (float(low), float(high)) if high > low else (float(low) - 1.0, float(high) + 1.0)


def in_words(example: Example) -> str:
    """An example for those who do not see it."""
    maps = (("elastogram", example.maps.em), ("gray-scale", example.maps.gm))
    ranges = (f"{name} map from {part.min():.1f} to {part.max():.1f}" for name, part in maps)
    return f"stage S{example.stage}, called {example.called}, {example.lsm_kpa:.1f} kPa, {', '.join(ranges)}"
