"""Freezes in real coded video: moved Q-boxes, a scrolled cine loop, a picture shown again (ADR 10)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from uuid import UUID

import cv2
import numpy as np
import pytest

from calibration.phantom.acquisition import Acquisition, Study, acquire, begin_study
from calibration.phantom.b_mode import scan_convert
from calibration.phantom.elastogram import measure
from calibration.phantom.geometry import ELASTOGRAM_Y, GRAY_Y, PANE_WIDTH, PANE_X, QBox
from calibration.phantom.patient import Quality, draw_patient
from calibration.phantom.pipe import VideoFormat
from calibration.phantom.screen import ReadOut, Status, compose_dual
from calibration.phantom.truth import Viewport
from calibration.phantom.video import write_file
from calibration.profile import load_profile
from firmware_app.appliance import follow
from firmware_app.assembly import recorded_at
from firmware_app.exam.state import AcquisitionAccepted, AcquisitionRefused
from firmware_app.examination import Examiner
from firmware_app.journey import Picture
from firmware_app.screen import ScreenReader
from firmware_app.video.pipeline import open_pipeline
from firmware_app.video.sources import FileSource
from firmware_app.wording import Reason

FPS = 20
SIZE = (720, 540)
HALF = Viewport.fit(*SIZE)


@dataclass(frozen=True)
class Bench:
    """A patient on the scanner, and the pictures that can be shown of him."""

    study: Study
    first: Acquisition
    second: Acquisition

    def picture(
        self, shown: Acquisition, q_box: QBox | None, *, shift_mm: float = 0.0, frozen: bool = True
    ) -> Picture:
        """The screen with a Q-box and its values, or without."""
        status = Status(self.study.clock(20.0), frozen, 100, 120)
        values = None if q_box is None else ReadOut(measure(shown.elastogram, q_box), q_box.depth_mm)
        return compose_dual(
            scan_convert(shown.plane, self.study.sector, shift_mm, 0.02 * shift_mm),
            self.study.anatomy.box.outline(self.study.sector),
            shown.elastogram,
            banner=self.study.banner,
            settings=self.study.settings,
            status=status,
            q_box=q_box,
            read_out=values,
        )


@cache
def bench() -> Bench:
    """One patient with two acquisitions."""
    study = begin_study(draw_patient(np.random.default_rng(12), 2, Quality.GOOD), 21)
    return Bench(study, acquire(study, 0), acquire(study, 1))


def live(seconds: float) -> Iterator[Picture]:
    """The patient breathes."""
    for step in range(round(seconds * FPS)):
        shift = 3.0 * float(np.sin(0.9 * step))
        yield bench().picture(bench().first, None, shift_mm=shift, frozen=False)


def standing(picture: Picture, seconds: float) -> Iterator[Picture]:
    """A still picture."""
    yield from [picture] * round(seconds * FPS)


def place(inwards_mm: float) -> QBox:
    """The first acquisition's Q-box, moved towards the middle of the pane."""
    q_box = bench().first.q_box
    inwards = 1.0 if q_box.x < PANE_WIDTH / 2 else -1.0
    return replace(q_box, x=q_box.x + inwards * inwards_mm * bench().study.sector.px_per_mm)


def with_another_ring(picture: Picture) -> Picture:
    """A second Q-box, beside the first."""
    out: Picture = picture.copy()
    q_box = place(20.0)
    for y in (ELASTOGRAM_Y, GRAY_Y):
        centre = (round(q_box.x) + PANE_X, round(q_box.y) + y)
        cv2.circle(out, centre, round(q_box.r * 0.36), (235, 235, 235), 2, cv2.LINE_AA)
    return out


def verdicts(pictures: Iterator[Picture], path: Path) -> list[tuple[str, UUID, UUID | None]]:
    """What the appliance says of a video: "accepted" or the reason, the id, and the id that it replaces."""
    write_file(VideoFormat(*SIZE, FPS), (HALF.apply(picture) for picture in pictures), path)
    numbers = iter(range(1, 1000))
    examiner = Examiner(ScreenReader(load_profile("aixplorer")), None, 40.0, lambda: UUID(int=next(numbers)))
    said: list[tuple[str, UUID, UUID | None]] = []
    with open_pipeline(FileSource(path), every_frame=True) as pipeline:
        for step in follow(pipeline.frames(threading.Event()), examiner, recorded_at):
            for effect in step.effects:
                match effect:
                    case AcquisitionAccepted():
                        said.append(("accepted", effect.acquisition.id, effect.replaces))
                    case AcquisitionRefused():
                        said.append((effect.refusal.reason.value, effect.refusal.id, effect.replaces))
    return said


def test_last_picture_and_q_box_of_a_freeze_count(tmp_path: Path) -> None:
    """Moved, joined by a second, alone again, on a scrolled picture: each verdict replaces the last one."""
    show = bench().picture
    first, second = bench().first, bench().second

    def pictures() -> Iterator[Picture]:
        yield from live(1.2)
        yield from standing(show(first, None), 0.6)
        yield from standing(show(first, place(0.0)), 0.8)
        yield from standing(show(first, place(4.0)), 0.8)
        yield from standing(with_another_ring(show(first, place(4.0))), 0.8)
        yield from standing(show(first, place(4.0)), 0.8)
        for step in range(8):
            yield show(first, place(4.0), shift_mm=step - 4.0)
        yield from standing(show(second, place(4.0)), 0.8)
        yield from live(0.6)

    said = verdicts(pictures(), tmp_path / "freeze.mp4")
    assert [what for what, _, _ in said] == [
        "accepted",
        "accepted",
        Reason.SEVERAL_Q_BOXES.value,
        "accepted",
        "accepted",
    ]
    ids = [verdict for _, verdict, _ in said]
    assert [replaces for _, _, replaces in said] == [None, ids[0], ids[1], None, ids[3]]


@pytest.mark.parametrize("moved_mm", [0.0, 4.0])
def test_stored_picture_shown_again_is_a_duplicate(moved_mm: float, tmp_path: Path) -> None:
    """A picture that was counted is refused when it comes back, with its Q-box there or elsewhere."""
    show, first, second = bench().picture, bench().first, bench().second

    def pictures() -> Iterator[Picture]:
        for shown, q_box in ((first, place(0.0)), (second, second.q_box), (first, place(moved_mm))):
            yield from live(0.7)
            yield from standing(show(shown, q_box), 0.8)
        yield from live(0.4)

    said = verdicts(pictures(), tmp_path / "again.mp4")
    assert [what for what, _, _ in said] == ["accepted", "accepted", Reason.DUPLICATE.value]
