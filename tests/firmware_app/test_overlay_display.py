"""From the steps of the loop to what is drawn: who is spoken of, over which picture, in which language."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from calibration.phantom.scene import Scene as Screen
from calibration.phantom.scene import draw_scene
from calibration.profile import load_profile
from firmware_app.appliance import Step
from firmware_app.exam.events import Event, Moment
from firmware_app.exam.state import AcquisitionAccepted, Exam, Phase, ResultIssued
from firmware_app.health.stopwatch import Latency
from firmware_app.journey import Attention, Frame, ImageScores
from firmware_app.overlay.display import SNAPSHOT_AFTER_NS, Display
from firmware_app.overlay.guards import PictureLuma
from firmware_app.overlay.layers import Layer, Patch, Scene
from firmware_app.overlay.presentation import overlay_of
from firmware_app.screen import ScreenReader
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.frame_meter import PipelineStatistics
from firmware_app.video.stream_events import SignalLost
from firmware_app.wording import Closing, sentences
from tests.firmware_app.exam_examples import S3, acquired, after, appliance, refused, uid

Picture = npt.NDArray[np.uint8]
READER = ScreenReader(load_profile("aixplorer"))
NOW = Moment(datetime(2026, 3, 1, tzinfo=timezone.utc), 0, 0)
STATISTICS = PipelineStatistics(100, 90, 10, 100, 0, 0, Latency(100, 4.0, 9.0, 12.0, 14.0))


class Recorder:
    """A display that keeps what it is told to show."""

    display_size: tuple[int, int] | None = None

    def __init__(self) -> None:
        self.scene = Scene()
        self.saved: list[Path] = []

    def show(self, scene: Scene) -> None:
        """Keep it."""
        self.scene = scene

    def statistics(self) -> PipelineStatistics:
        """Some."""
        return STATISTICS

    def snapshot(self, path: Path) -> None:
        """Remember that it was asked for."""
        self.saved.append(path)

    def over(self, picture: Picture) -> tuple[Patch, ...]:
        """What is drawn over this picture."""
        return self.scene.patches(self.scene.verdict(PictureLuma(picture)))


def screen(seed: int, **changes: object) -> Picture:
    """A drawn screen; another seed is another patient."""
    return draw_scene(dataclasses.replace(Screen(), **changes), seed)[0]  # type: ignore[arg-type]


def step_of(picture: Picture, exam: Exam, *effects: AcquisitionAccepted, at: Moment = NOW) -> Step:
    """A step of the loop with this frame."""
    frame = Frame(picture, 0, at.pts_ns, at.monotonic_ns)
    return Step(frame, READER.read(frame), at, exam, effects)


def accepted(count: int) -> tuple[Exam, AcquisitionAccepted]:
    """An exam after so many acquisitions, and the effect of the last."""
    exam, effects = after(*(acquired(number) for number in range(1, count + 1)))
    return exam, next(effect for effect in effects if isinstance(effect, AcquisitionAccepted))


def told_after(*events: Event) -> Exam:
    """The exam after these events."""
    return after(*events)[0]


def test_the_outcome_is_shown_beside_its_own_patient_only() -> None:
    """On the next patient's screen, and where no name is in sight, the outcome is gone in that very frame."""
    display, recorder = Display(kept := Recorder(), READER.profile), kept
    exam, effect = accepted(3)
    one, other = screen(3), screen(4)
    display.tell(step_of(one, exam, effect), appliance())
    with_outcome, without = recorder.over(one), recorder.over(other)
    assert with_outcome[-2].pixels.tobytes() != without[-2].pixels.tobytes()
    assert recorder.over(np.zeros_like(one))[-2] is without[-2]
    display.tell(step_of(other, exam), appliance())  # the analysis has seen it, the exam not yet ended
    assert recorder.over(other)[-2] is without[-2]
    assert recorder.over(one)[-2] is with_outcome[-2]


def test_outlines_are_drawn_over_the_screen_they_were_measured_on() -> None:
    """Square and ring appear over the analysed screen, and not over one whose box stands elsewhere."""
    display, recorder = Display(kept := Recorder(), READER.profile), kept
    one, other = screen(3), screen(4)
    display.tell(step_of(one, Exam()), appliance())
    assert len(recorder.over(one)) == 2 + 8 + 1
    assert len(recorder.over(other)) == 2


@pytest.mark.parametrize("wanted", [True, False])
def test_the_activation_map_belongs_to_the_picture_of_its_acquisition(wanted: bool) -> None:  # noqa: FBT001
    """It is drawn over the frozen picture it was computed for, over no other, and only if it is wanted."""
    recorder = Recorder()
    display = Display(recorder, READER.profile, activation_map=wanted)
    one, other = screen(3), screen(3, level=0.3)
    reading = READER.read(Frame(one, 0, 0, 0))
    assert reading.roi is not None
    rows = np.mgrid[0:8, 0:8][0].astype(np.float32)
    scores = ImageScores(S3, S3, S3, attention=Attention(gm=rows, em=rows))
    exam, effect = accepted(1)
    seen = dataclasses.replace(effect.acquisition, scores=scores, roi=reading.roi)
    display.tell(step_of(one, exam, dataclasses.replace(effect, acquisition=seen)), appliance())
    heat = [patch for patch in recorder.over(one) if patch.pixels.shape[0] == reading.roi.gray.side]
    assert len([patch for patch in heat if patch.pixels.shape[1] > 20]) == (2 if wanted else 0)
    moved = np.asarray(np.roll(other, 5, axis=0), np.uint8)
    still = [patch for patch in recorder.over(moved) if patch.pixels.shape[0] == reading.roi.gray.side]
    assert not [patch for patch in still if patch.pixels.shape[1] > 20]


def test_a_result_is_photographed_once_it_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snapshot is taken a moment after the result was issued, once."""
    clock = [1_000_000_000]
    monkeypatch.setattr("firmware_app.overlay.display.time.monotonic_ns", lambda: clock[0])
    recorder, path = Recorder(), tmp_path / "result.png"
    display = Display(recorder, READER.profile, snapshot=path)
    exam, effects = after(*(acquired(number) for number in range(1, 6)))
    picture = screen(3)
    issued = tuple(effect for effect in effects if isinstance(effect, ResultIssued))
    display.tell(dataclasses.replace(step_of(picture, exam), effects=issued), appliance())
    assert recorder.saved == []
    for _ in range(2):
        clock[0] += SNAPSHOT_AFTER_NS
        display.tell(step_of(picture, exam), appliance())
    assert recorder.saved == [path]


def test_the_technician_sees_the_delay_if_it_is_wanted() -> None:
    """With `latency` the right card is taller by the lines of the delay."""
    heights = []
    for latency in (False, True):
        recorder = Recorder()
        display = Display(recorder, READER.profile, latency=latency)
        display.tell(step_of(screen(3), Exam()), appliance())
        heights.append(recorder.scene.layers[-1].patches[0].pixels.shape[0])
    assert heights[1] > heights[0] + 10


def test_another_size_of_the_picture_forgets_what_was_measured() -> None:
    """After a change of resolution nothing of the old size is drawn, and the cards fit the new one."""
    recorder = Recorder()
    display = Display(recorder, READER.profile)
    exam, effect = accepted(3)
    display.tell(step_of(screen(3), exam, effect), appliance())
    small = np.ascontiguousarray(screen(3)[::2, ::2])
    display.tell(step_of(small, exam), appliance())
    assert recorder.scene.size == (720, 540)
    for layer in recorder.scene.layers:
        for patch in (*layer.patches, *layer.otherwise):
            assert patch.x + patch.pixels.shape[1] <= 720
            assert patch.y + patch.pixels.shape[0] <= 540


def _patches(layers: tuple[Layer, ...]) -> list[Patch]:
    return [patch for layer in layers for patch in layer.patches]


def test_nothing_is_drawn_anew_while_nothing_changes() -> None:
    """Frame after frame of one picture the very same patches are shown: GStreamer prepares them once."""
    recorder = Recorder()
    display = Display(recorder, READER.profile)
    picture = screen(3)
    display.tell(step_of(picture, Exam()), appliance())
    first = _patches(recorder.scene.layers)
    display.tell(step_of(picture, Exam()), appliance())
    again = _patches(recorder.scene.layers)
    assert all(one is other for one, other in zip(first, again, strict=True))


def test_a_refusal_is_told_with_what_was_measured_until_something_counts() -> None:
    """The refusal's words stand in the configured language, and go when the next acquisition counts."""
    german = dataclasses.replace(appliance(), language="de")
    exam = told_after(acquired(1), refused(2))
    told = overlay_of(Step(UNREAD, None, NOW, exam), german)
    assert told.message is not None
    assert told.message.remedy == "Atem anhalten, bis die Box gefüllt ist"
    assert (told.accepted, told.refused) == (1, 1)
    later = overlay_of(Step(UNREAD, None, NOW, told_after(acquired(1), refused(2), acquired(3))), german)
    assert later.message is not None
    assert later.message.remedy == sentences("de").phases["scanning"].remedy


UNREAD = Frame(np.zeros((2, 2, 3), np.uint8), 0, 0, 0)
"""A frame of which nothing was read."""


def test_provisional_from_three_final_with_five() -> None:
    """Below three nothing is said; from three it is provisional; with five it is final."""
    estimates = [
        overlay_of(Step(UNREAD, None, NOW, accepted(count)[0]), appliance()).estimate for count in range(1, 6)
    ]
    assert estimates[0] is None
    assert estimates[1] is None
    assert [e.provisional for e in estimates[2:] if e is not None] == [True, True, False]
    assert [e.n for e in estimates[2:] if e is not None] == [3, 4, 5]


def test_without_a_model_only_the_stiffness_is_told() -> None:
    """No stage and no probabilities, but the liver stiffness with its rule."""
    exam, _ = after(*(acquired(number) for number in range(1, 6)))
    estimate = overlay_of(Step(UNREAD, None, NOW, exam), appliance(with_model=False)).estimate
    assert estimate is not None
    assert estimate.stage_text is None
    assert estimate.chances is None
    assert estimate.mean_kpa > 0


def test_a_preview_is_told_as_such() -> None:
    """What a live frame says is a preview, and no estimate."""
    step = Step(UNREAD, None, NOW, Exam(), preview=ImageScores(S3, S3, S3))
    told = overlay_of(step, appliance())
    assert told.estimate is None
    assert told.preview == (0.95, 0.82, 0.12)


def test_a_lost_signal_a_held_and_a_closed_exam_have_their_words() -> None:
    """Each of them is told with what to do."""
    words = sentences("en")
    lost = SignalLost(CaptureState.NO_CABLE, 2.0, "no cable", 1)
    assert overlay_of(Step(lost, None, NOW, Exam()), appliance()).message == words.captures[lost.state]
    held = dataclasses.replace(accepted(2)[0], phase=Phase.HELD)
    told = overlay_of(Step(UNREAD, None, NOW, held), appliance()).message
    assert told == words.phases["held"]
    closed = Exam(id=uid(1), phase=Phase.CLOSED, closing=Closing.IDLE)
    ended = overlay_of(Step(UNREAD, None, NOW, closed), appliance()).message
    assert ended is not None
    assert ended.text == words.closings[Closing.IDLE]
