"""One acquisition: a plane, its map, the Q-box and the frozen screen with its truth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import numpy as np

from calibration.phantom.anatomy import Anatomy, draw_anatomy
from calibration.phantom.b_mode import Gray, draw_plane, scan_convert
from calibration.phantom.elastogram import (
    BoxArea,
    Elastogram,
    QBoxValues,
    box_area,
    draw_elastogram,
    measure,
    place_q_box,
)
from calibration.phantom.furniture import Banner, Settings
from calibration.phantom.geometry import (
    BAR_HEIGHT,
    BAR_MAX_KPA,
    BAR_WIDTH,
    BAR_X,
    BAR_Y,
    ELASTOGRAM_Y,
    GRAY_Y,
    PANE_HEIGHT,
    PANE_WIDTH,
    PANE_X,
    Q_BOX_DIAMETER_MM,
    QBox,
    Sector,
    dual_sector,
)
from calibration.phantom.patient import Patient, Quality, acquisition_stiffness
from calibration.phantom.randomness import stream
from calibration.phantom.screen import ReadOut, Status, compose_dual
from calibration.phantom.truth import CircleTruth, FrameTruth, PanesTruth, Picture, QBoxTruth, ReadOutTruth

_SITES = ("Klinikum Seeblick", "St. Anna Hospital", "HS Weststadt", "Univ. Hospital North", "City Hospital 3")
_FAMILY = ("Abel", "Brandt", "Chen", "Dorn", "Ebert", "Fuchs", "Gao", "Huber", "Ilic", "Jansen", "Kim", "Lin",
           "Marin", "Novak", "Ortiz", "Petrov", "Rossi", "Sato", "Wang", "Yilmaz", "Zhou")  # fmt: skip
_GIVEN = ("Ada", "Ben", "Cem", "Dan", "Eva", "Finn", "Gil", "Hua", "Ida", "Jin", "Kai", "Lea", "Mei", "Noa",
          "Ole", "Pia", "Rui", "Sam", "Tao", "Uwe", "Vera", "Wei")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Study:
    """A patient on the scanner: build, settings, header and clock; shared by the exam's pictures."""

    patient: Patient
    seed: int
    anatomy: Anatomy
    sector: Sector
    area: BoxArea
    banner: Banner
    settings: Settings
    started: datetime

    def clock(self, seconds: float) -> str:
        """Returns the header's date and time after so many seconds of the exam."""
        return (self.started + timedelta(seconds=seconds)).strftime("%d/%m/%Y %H:%M:%S")


@dataclass(frozen=True, slots=True)
class Acquisition:
    """A measured plane: scan lines, map, Q-box and its values."""

    plane: Gray
    elastogram: Elastogram
    q_box: QBox
    values: QBoxValues


def draw_banner(rng: np.random.Generator) -> Banner:
    """Draws a site, a fictional name and a number."""
    name = f"{rng.choice(_FAMILY)}, {rng.choice(_GIVEN)}"
    return Banner(str(rng.choice(_SITES)), name, f"{rng.choice(list('ABHKLM'))}-{rng.integers(10**7, 10**8)}")


def begin_study(patient: Patient, seed: int) -> Study:
    """Returns the patient on the scanner; depends on the seed only, not on the patient's latents or stage."""
    anatomy = draw_anatomy(stream(seed, "anatomy"))
    sector = dual_sector(anatomy.half_angle, anatomy.depth_mm)
    rng = stream(seed, "banner")
    banner = draw_banner(rng)
    started = datetime(2025, 1, 6, 8, 0, tzinfo=timezone.utc) + timedelta(
        days=int(rng.integers(0, 300)), seconds=int(rng.integers(0, 32_000))
    )
    gain = int(np.clip(round(50 + anatomy.gain_db * 2), 40, 62))
    settings = Settings("swe", sector.px_per_mm, sector.skin_y, sector.depth_mm, anatomy.frame_rate_hz, gain)
    return Study(patient, seed, anatomy, sector, box_area(anatomy.box, sector), banner, settings, started)


def draw_study_plane(study: Study, name: str, index: int) -> Gray:
    """Returns one plane of the patient on the grid of scan lines."""
    shared, own = stream(study.seed, "wall"), stream(study.seed, name, index)
    return draw_plane(shared, own, study.anatomy, study.patient.gm_latent)


def draw_map(  # noqa: PLR0913 - the map's independent parts
    study: Study,
    rng: np.random.Generator,
    q_box: QBox,
    stiffness_kpa: float,
    filled_fraction: float,
    *,
    keep_q_box: bool,
) -> Elastogram:
    """Returns one stiffness map of the patient."""
    return draw_elastogram(
        rng,
        study.area,
        q_box,
        stiffness_kpa=stiffness_kpa,
        em_latent=study.patient.em_latent,
        filled_fraction=filled_fraction,
        keep_q_box=keep_q_box,
        px_per_mm=study.sector.px_per_mm,
    )


def _drawn_fill(rng: np.random.Generator, quality: Quality) -> float:
    low, high = {
        Quality.GOOD: (0.968, 0.995),
        Quality.UNRELIABLE: (0.60, 0.90),
        Quality.FAILED: (0.05, 0.40),
    }[quality]
    return float(rng.uniform(low, high))


def acquire(study: Study, index: int, filled_fraction: float | None = None) -> Acquisition:
    """Measures once.

    Args:
        study: the patient on the scanner.
        index: 0-4 for the exam's five acquisitions, above for others.
        filled_fraction: share of the colour box that is filled; None draws it from the patient's quality.
    """
    patient, seed = study.patient, study.seed
    plane = draw_study_plane(study, "plane", index)
    q_box = place_q_box(stream(seed, "q_box", index), study.anatomy.box, study.sector)
    drawn = _drawn_fill(stream(seed, "fill", index), patient.quality)
    fill = drawn if filled_fraction is None else filled_fraction
    stiffness = acquisition_stiffness(patient, stream(seed, "measurement"), index)
    elastogram = draw_map(study, stream(seed, "map", index), q_box, stiffness, fill, keep_q_box=fill >= 0.95)
    return Acquisition(plane, elastogram, q_box, measure(elastogram, q_box))


def frame_truth(study: Study, acquisition: Acquisition, *, frozen: bool, measured: bool) -> FrameTruth:
    """Returns the truth of the elastography screen; `measured`: with Q-box and read-out."""
    q_box, values = acquisition.q_box, acquisition.values
    outline = study.anatomy.box.outline(study.sector)
    mean, low, high, sd = (
        round(v, 1) for v in (values.mean_kpa, values.min_kpa, values.max_kpa, values.sd_kpa)
    )
    read_out = ReadOutTruth(
        "kPa", mean, low, high, sd, Q_BOX_DIAMETER_MM, round(q_box.depth_mm / 10, 1), mean, low, high, sd
    )
    circle = CircleTruth(q_box.x + PANE_X, q_box.y + ELASTOGRAM_Y, q_box.r)
    return FrameTruth(
        stage=study.patient.stage,
        lsm_kpa=study.patient.lsm_kpa,
        view="swe_dual",
        frozen=frozen,
        colour_box=tuple((float(x) + PANE_X, float(y) + ELASTOGRAM_Y) for x, y in outline),
        q_box=circle if measured else None,
        q_box_mean_kpa=values.mean_kpa if measured else None,
        bar_max_kpa=BAR_MAX_KPA,
        colour_bar=(BAR_X, BAR_Y, BAR_WIDTH, BAR_HEIGHT),
        filled_fraction=acquisition.elastogram.filled_fraction,
        panes=PanesTruth(
            (PANE_X, ELASTOGRAM_Y, PANE_WIDTH, PANE_HEIGHT), (PANE_X, GRAY_Y, PANE_WIDTH, PANE_HEIGHT)
        ),
        readout=read_out if measured else None,
        q_boxes=(QBoxTruth(circle, values.mean_kpa, read_out),) if measured else (),
        bar_max=BAR_MAX_KPA,
        bar_ticks=tuple(round(share * BAR_MAX_KPA, 1) for share in (0.2, 0.4, 0.6, 0.8)),
        opacity=0.5,
    )


def draw_acquisition(patient: Patient, index: int, seed: int) -> tuple[Picture, FrameTruth]:
    """Draws a frozen screen with Q-box and read-out, as an acquisition ends.

    Args:
        patient: who is measured.
        index: which of the patient's acquisitions, from 0.
        seed: the patient's seed: what his pictures share follows from it, so give the same for each index.

    Returns:
        BGR picture (1080, 1440, 3), uint8, and what is on it.
    """
    study = begin_study(patient, seed)
    acquisition = acquire(study, index)
    rng = stream(seed, "counter", index)
    count = int(rng.integers(90, 200))
    status = Status(study.clock(20.0 * (index + 1)), True, int(rng.integers(count - 12, count + 1)), count)
    picture = compose_dual(
        scan_convert(acquisition.plane, study.sector),
        study.anatomy.box.outline(study.sector),
        acquisition.elastogram,
        banner=study.banner,
        settings=study.settings,
        status=status,
        q_box=acquisition.q_box,
        read_out=ReadOut(acquisition.values, acquisition.q_box.depth_mm),
    )
    return picture, frame_truth(study, acquisition, frozen=True, measured=True)
