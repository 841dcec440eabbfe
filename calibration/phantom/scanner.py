"""Draws an exam script: what the scanner shows at a given frame.

A picture is a function of its `Look`: phase, B-mode tick, map refresh, second of the clock. Frames of one
look are one array, so that a 60 Hz video of a 12 Hz scanner costs 12 pictures a second. Frames may be
skipped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calibration.phantom.acquisition import (
    Acquisition,
    Study,
    acquire,
    begin_study,
    draw_map,
    draw_study_plane,
    frame_truth,
)
from calibration.phantom.b_mode import Gray, draw_plane, scan_convert
from calibration.phantom.doppler import doppler_anatomy, flow
from calibration.phantom.elastogram import Elastogram
from calibration.phantom.exam import REFUSED_INDEX, ExamScript, Phase, PhaseKind
from calibration.phantom.geometry import QBox, single_sector
from calibration.phantom.patient import acquisition_stiffness
from calibration.phantom.randomness import stream
from calibration.phantom.screen import ReadOut, Status, compose_dual, compose_single
from calibration.phantom.truth import FrameTruth, Picture, Viewport

FROZEN = {PhaseKind.FREEZE, PhaseKind.MEASURED}


@dataclass(frozen=True, slots=True)
class Look:
    """What distinguishes one drawn picture from another.

    Attributes:
        phase: number of the phase.
        b_tick: number of the B-mode picture within the phase; 0 while frozen.
        map_tick: refreshes of the map that are still to come before the freeze; None without a map.
        second: second of the clock.
    """

    phase: int
    b_tick: int
    map_tick: int | None
    second: int


class Scanner:
    """A virtual scanner that plays a script; any frame can be asked for, in any order."""

    def __init__(self, script: ExamScript, viewport: Viewport) -> None:
        self.script = script
        self.viewport = viewport
        self._studies = [begin_study(exam.patient, exam.seed) for exam in script.exams]
        self._acquisitions: dict[tuple[int, int], Acquisition] = {}
        self._plane: tuple[tuple[int, str], Gray] | None = None
        self._map: tuple[tuple[int, int], Elastogram] | None = None
        self._picture: tuple[Look, Picture] | None = None

    def picture(self, frame: int) -> Picture:
        """Returns the BGR picture of a frame; the very same array as long as nothing on it changes."""
        look = self._look(frame)
        if self._picture is None or self._picture[0] != look:
            self._picture = look, self.viewport.apply(self._draw(look))
        return self._picture[1]

    def acquisition(self, exam: int, index: int) -> Acquisition:
        """Returns the measured plane of an exam, drawn once."""
        key = exam, index
        if key not in self._acquisitions:
            study = self._studies[exam]
            fill = None
            if index == REFUSED_INDEX:
                fill = float(stream(study.seed, "refused fill").uniform(0.62, 0.88))
            self._acquisitions[key] = acquire(study, index, fill)
        return self._acquisitions[key]

    def prepare(self) -> None:
        """Draws every acquisition in advance, so that playing in real time does not pause for them."""
        for phase in self.script.phases:
            if phase.kind is PhaseKind.MEASURED and phase.acquisition is not None:
                self.acquisition(phase.exam, phase.acquisition)

    def truth(self, exam: int, index: int) -> FrameTruth:
        """Returns what is on the screen once this acquisition is measured, in output pixels."""
        truth = frame_truth(self._studies[exam], self.acquisition(exam, index), frozen=True, measured=True)
        return self.viewport.apply_truth(truth)

    def _look(self, frame: int) -> Look:
        index = self.script.phase_index(frame)
        phase = self.script.phases[index]
        study = self._studies[phase.exam]
        fps = self.script.fps
        if phase.kind in FROZEN:
            return Look(index, 0, 0, frame // fps)
        b_tick = (frame - phase.start_frame) * study.anatomy.frame_rate_hz // fps
        map_tick = None
        if phase.kind is PhaseKind.LIVE:
            period = fps / float(stream(study.seed, "map rate").uniform(1.1, 1.7))
            map_tick = int((phase.end_frame - 1 - frame) / period)
            refreshes = int((phase.end_frame - 1 - phase.start_frame) / period)
            map_tick = None if map_tick == refreshes else map_tick  # the first map takes a moment
        return Look(index, b_tick, map_tick, frame // fps)

    def _draw(self, look: Look) -> Picture:
        phase = self.script.phases[look.phase]
        study = self._studies[phase.exam]
        clock = study.clock(float(look.second))
        match phase.kind:
            case PhaseKind.SEARCH | PhaseKind.NEXT_PATIENT:
                return self._draw_search(study, phase, look, clock)
            case PhaseKind.DOPPLER:
                return self._draw_doppler(study, look, clock)
            case _:
                return self._draw_dual(study, phase, look, clock)

    def _phase_plane(self, study: Study, look: Look, name: str) -> Gray:
        """Returns the plane of a search or Doppler phase; one is kept at a time."""
        key = look.phase, name
        if self._plane is None or self._plane[0] != key:
            if name == "doppler":
                anatomy, _ = doppler_anatomy(study.anatomy, stream(study.seed, "doppler box"))
                own = stream(study.seed, name, look.phase)
                plane = draw_plane(stream(study.seed, "wall"), own, anatomy, study.patient.gm_latent)
            else:
                plane = draw_study_plane(study, name, look.phase)
            self._plane = key, plane
        return self._plane[1]

    def _draw_search(self, study: Study, phase: Phase, look: Look, clock: str) -> Picture:
        sector = single_sector(study.anatomy.half_angle, study.anatomy.depth_mm)
        seconds = look.b_tick / study.anatomy.frame_rate_hz
        shift, slide = 3.5 * np.sin(1.7 * seconds), 0.045 * np.sin(1.1 * seconds + phase.exam)
        settings = replace(study.settings, mode="b_mode", px_per_mm=sector.px_per_mm, skin_y=sector.skin_y)
        gray = scan_convert(self._phase_plane(study, look, "search"), sector, float(shift), float(slide))
        status = Status(clock, False, 0, 0)
        return compose_single(gray, banner=study.banner, settings=settings, status=status)

    def _draw_doppler(self, study: Study, look: Look, clock: str) -> Picture:
        sector = single_sector(study.anatomy.half_angle, study.anatomy.depth_mm)
        anatomy, box = doppler_anatomy(study.anatomy, stream(study.seed, "doppler box"))
        seconds = look.b_tick / study.anatomy.frame_rate_hz
        shift = float(1.5 * np.sin(1.7 * seconds))
        pulse = float(0.55 + 0.4 * np.sin(2 * np.pi * 1.1 * seconds))
        velocity, outline = flow(anatomy, box, sector, pulse, shift)
        settings = replace(study.settings, mode="doppler", px_per_mm=sector.px_per_mm, skin_y=sector.skin_y)
        gray = scan_convert(self._phase_plane(study, look, "doppler"), sector, shift)
        status = Status(clock, False, 0, 0)
        return compose_single(
            gray, banner=study.banner, settings=settings, status=status, outline=outline, velocity=velocity
        )

    def _live_map(self, study: Study, phase: Phase, look: Look) -> Elastogram | None:
        """Returns the map of this refresh: poorly filled at first, at last the acquisition's own."""
        if look.map_tick is None or phase.acquisition is None:
            return None
        acquisition = self.acquisition(phase.exam, phase.acquisition)
        if look.map_tick == 0:
            return acquisition.elastogram
        key = look.phase, look.map_tick
        if self._map is None or self._map[0] != key:
            rng = stream(study.seed, "live map", look.phase, look.map_tick)
            final = acquisition.elastogram.filled_fraction
            fill = final * float(rng.uniform(0.75, 0.97)) ** look.map_tick
            stiffness = acquisition_stiffness(study.patient, rng, 9)
            elastogram = draw_map(study, rng, acquisition.q_box, stiffness, fill, keep_q_box=False)
            self._map = key, elastogram
        return self._map[1]

    def _moving_q_box(self, study: Study, phase: Phase, look: Look, q_box: QBox) -> QBox | None:
        """Returns a Q-box on its way in every second live phase after the first, None in the others."""
        if phase.acquisition not in {1, 3}:
            return None
        seconds = look.b_tick / study.anatomy.frame_rate_hz
        reach = 3.0 * study.sector.px_per_mm
        return replace(q_box, x=q_box.x + reach * float(np.sin(2.1 * seconds)), y=q_box.y + 0.3 * reach)

    def _draw_dual(self, study: Study, phase: Phase, look: Look, clock: str) -> Picture:
        if phase.acquisition is None:
            raise ValueError("an elastography phase without an acquisition")
        acquisition = self.acquisition(phase.exam, phase.acquisition)
        frozen, measured = phase.kind in FROZEN, phase.kind is PhaseKind.MEASURED
        shift = slide = 0.0
        q_box: QBox | None = acquisition.q_box if measured else None
        if not frozen:
            rate = study.anatomy.frame_rate_hz
            left = (phase.end_frame - phase.start_frame) / self.script.fps - look.b_tick / rate
            calm = float(np.clip((left - 0.8) / 2.0, 0.0, 1.0))  # the patient holds his breath
            shift = 0.05 * np.sin(2.9 * look.b_tick) * min(left, 1.0) + 2.5 * calm * np.sin(1.9 * left)
            slide = 0.03 * calm * np.sin(1.2 * left)
            q_box = self._moving_q_box(study, phase, look, acquisition.q_box)
        rng = stream(study.seed, "counter", phase.acquisition)
        count = int(rng.integers(90, 200))
        status = Status(clock, frozen, int(rng.integers(count - 12, count + 1)), count)
        return compose_dual(
            scan_convert(acquisition.plane, study.sector, float(shift), float(slide)),
            study.anatomy.box.outline(study.sector),
            self._live_map(study, phase, look) if not frozen else acquisition.elastogram,
            banner=study.banner,
            settings=study.settings,
            status=status,
            q_box=q_box,
            read_out=ReadOut(acquisition.values, acquisition.q_box.depth_mm) if measured else None,
        )
