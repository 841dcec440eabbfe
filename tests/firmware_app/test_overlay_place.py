"""The outlines stand in their true place in every frame that is shown, however late the analysis is.

A drawn video goes through the real pipeline: a Q-box on its way, a freeze, a scroll through frozen pictures,
a change of resolution and back. The analysis is slowed down, so that what it has measured is old when it is
drawn. Every composed frame is looked at, and compared with what the virtual scanner truly shows in it.
"""

from __future__ import annotations

import subprocess
import threading
import time
import warnings
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from calibration.phantom.exam import Phase, PhaseKind, write_script
from calibration.phantom.scanner import Scanner
from calibration.phantom.truth import Viewport
from calibration.profile import load_profile
from firmware_app.appliance import Step
from firmware_app.exam.events import Moment
from firmware_app.exam.state import Exam
from firmware_app.journey import Circle, Frame, Square
from firmware_app.overlay.display import Display
from firmware_app.screen import ScreenReader
from firmware_app.video import graph
from firmware_app.video.launch import OVERLAY
from firmware_app.video.pipeline import Pipeline, open_pipeline
from firmware_app.video.sinks import NoSink
from firmware_app.video.sources import FileSource
from firmware_app.video.stream_events import StreamEnded
from firmware_app.ward.publication import Appliance

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ImportWarning)
    import gi

    gi.require_version("Gst", "1.0")
    from gi.repository import Gst

FPS = 20
SLOW_S = 0.12
"""What the analysis takes per frame beside its own work: two frames and more of lag."""
_MOVES, _STANDS, _SCROLLS, _SMALL_MOVES = 30, 24, 12, 14
"""Frames of each stretch."""
_FROZEN = _MOVES
_SMALL_FROZEN = _FROZEN + _STANDS + _SCROLLS + _SMALL_MOVES
_LARGE_FROZEN = _SMALL_FROZEN + _STANDS
"""Where the stretches begin in which the picture stands still."""
Picture = npt.NDArray[np.uint8]
APPLIANCE = Appliance(site="test", device="overlay", room="Ultrasound 1", software="test")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One picture of the video: as it was coded, its Q-box and the outline of its colour box as drawn."""

    picture: Picture
    q_box: Circle | None
    colour_box: npt.NDArray[np.float32]


class Film:
    """Draws the frames of the video, in two sizes."""

    def __init__(self) -> None:
        self.script = write_script(11, 3)
        self.scanners = {
            size: Scanner(self.script, Viewport.fit(*size)) for size in ((1440, 1080), (720, 540))
        }
        self.frames: list[Drawn] = []
        self.codes: list[bytes] = []

    def phase(self, kind: PhaseKind, acquisition: int) -> Phase:
        """The stretch of the script."""
        return next(p for p in self.script.phases if (p.kind, p.acquisition) == (kind, acquisition))

    def add(self, phase: Phase, frame: int, size: tuple[int, int] = (1440, 1080)) -> None:
        """One more picture."""
        scanner = self.scanners[size]
        coded, code = cv2.imencode(".jpg", scanner.picture(frame), [cv2.IMWRITE_JPEG_QUALITY, 95])
        assert coded
        picture = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
        assert phase.acquisition is not None
        outline = scanner.truth(phase.exam, phase.acquisition).colour_box
        box = np.asarray(outline, np.float32).reshape(-1, 2)
        self.frames.append(Drawn(picture, self._q_box(scanner, phase, frame), box))
        self.codes.append(code.tobytes())

    @staticmethod
    def _q_box(scanner: Scanner, phase: Phase, frame: int) -> Circle | None:
        assert phase.acquisition is not None
        truth = scanner.truth(phase.exam, phase.acquisition).q_box
        assert truth is not None
        if phase.kind is PhaseKind.MEASURED:
            return Circle(truth.x, truth.y, truth.r)
        resting = scanner.acquisition(phase.exam, phase.acquisition).q_box
        look, study = scanner._look(frame), scanner._studies[phase.exam]
        moving = scanner._moving_q_box(study, phase, look, resting)
        if moving is None:
            return None
        scale = scanner.viewport.inner_height / 1080
        return Circle(
            truth.x + scale * (moving.x - resting.x), truth.y + scale * (moving.y - resting.y), truth.r
        )

    def write(self, path: Path) -> Path:
        """Motion JPEG, whose pictures may change their size."""
        folder = path.with_suffix("")
        folder.mkdir()
        for number, code in enumerate(self.codes):
            (folder / f"{number:05}.jpg").write_bytes(code)
        launch = (
            f"imagesequencesrc location={folder}/%05d.jpg framerate={FPS}/1 ! "
            f"image/jpeg,width=1440,height=1080,framerate={FPS}/1 ! avimux ! filesink location={path}"
        )
        subprocess.run(["gst-launch-1.0", "-q", *launch.split()], check=True, timeout=60)
        return path


@pytest.fixture(scope="module")
def film() -> Film:
    """Moving, frozen, scrolled, smaller, frozen, large again, moving."""
    made = Film()
    live, frozen = made.phase(PhaseKind.LIVE, 1), made.phase(PhaseKind.MEASURED, 1)
    live_too, other = made.phase(PhaseKind.LIVE, 3), made.phase(PhaseKind.MEASURED, 3)
    for step in range(_MOVES):
        made.add(live, live.start_frame + 60 + 3 * step)
    for _ in range(_STANDS):
        made.add(frozen, frozen.start_frame)
    for step in range(_SCROLLS):
        shown = (frozen, other)[step // 2 % 2]
        made.add(shown, shown.start_frame)
    for step in range(_SMALL_MOVES):
        made.add(live_too, live_too.start_frame + 60 + 3 * step, (720, 540))
    for _ in range(_STANDS):
        made.add(other, other.start_frame, (720, 540))
    for _ in range(_STANDS):
        made.add(other, other.start_frame)
    return made


def _composed(pipeline: Pipeline) -> dict[int, Picture]:
    """Collect every frame behind the overlay, by its number; the dictionary fills while the video plays."""
    frames: dict[int, Picture] = {}

    def keep(pad: Gst.Pad, info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
        buffer = info.get_buffer()
        sample = Gst.Sample.new(buffer, pad.get_current_caps(), None, None)
        picture = graph.pixels_of(sample)
        assert picture is not None
        frames[round(buffer.pts * FPS / 1e9)] = picture
        return Gst.PadProbeReturn.OK

    assert pipeline._showing is not None
    pad = pipeline._showing.display._graph.element(OVERLAY).get_static_pad("src")
    pad.add_probe(Gst.PadProbeType.BUFFER, keep)
    return frames


def _play(path: Path, sink: NoSink) -> dict[int, Picture]:
    """Play the video as the appliance does, and return what was shown."""
    reader, epoch = ScreenReader(load_profile("aixplorer")), datetime(2026, 3, 1, tzinfo=timezone.utc)
    with open_pipeline(FileSource(path), sink) as pipeline:
        frames = _composed(pipeline)
        display = Display(pipeline, reader.profile)
        for event in pipeline.frames(threading.Event()):
            if isinstance(event, StreamEnded):
                assert event.error is None
                break
            assert isinstance(event, Frame)
            reading = reader.read(event)
            time.sleep(SLOW_S)
            at = Moment(epoch, event.captured_ns, event.pts_ns)
            display.tell(Step(event, reading, at, Exam()), APPLIANCE)
    return frames


def _yellow(shown: Picture, drawn: Drawn) -> npt.NDArray[np.bool_]:
    """Where the overlay's outlines were drawn, in both panes."""
    scale = shown.shape[0] / 1080
    panes = (
        slice(round(141 * scale), round(1032 * scale)),
        slice(round(305 * scale), round(1092 * scale)),
    )
    changed = cv2.absdiff(shown[panes], drawn.picture[panes])
    blue, green, red = cv2.split(np.ascontiguousarray(shown[panes]))
    pale = cv2.min(red, green)
    tint = 60 if scale == 1 else 15  # colour planes of half the size take most of a thin line's tint
    seen = np.zeros(shown.shape[:2], np.bool_)
    seen[panes] = (cv2.subtract(pale, blue) > tint) & (pale > 120) & (changed.max(axis=2) > 45)
    return seen


def _square_of(yellow: npt.NDArray[np.bool_]) -> Square | None:
    """The square in the gray pane, where no ring is drawn; None: there is none."""
    below = round(585 * yellow.shape[0] / 1080)
    rows, columns = np.nonzero(yellow[below:])
    if len(rows) < 40:
        return None
    x, y, side = int(columns.min()), int(rows.min()) + below, int(np.ptp(rows))
    assert int(np.ptp(columns)) == pytest.approx(side, abs=2), "what is drawn in the gray pane is no square"
    return Square(x, y, side)


def _without(yellow: npt.NDArray[np.bool_], square: Square | None) -> npt.NDArray[np.bool_]:
    """What is drawn in the upper pane beside that square."""
    rest = yellow.astype(np.uint8)
    rest[round(585 * yellow.shape[0] / 1080) :] = 0
    if square is not None:
        upper = square.y - round(451 * yellow.shape[0] / 1080)
        cv2.rectangle(rest, (square.x, upper), (square.x + square.side, upper + square.side), 0, 7)
    return np.asarray(rest > 0)


def _check_square(square: Square, drawn: Drawn) -> None:
    """The square lies in the true colour box and holds the true Q-box; three pixels are left to chance."""
    q_box, shift = drawn.q_box, 451 * drawn.picture.shape[0] / 1080
    left, right = float(square.x), float(square.x + square.side)
    upper, lower = square.y - shift, square.y - shift + square.side
    for corner in ((left, upper), (right, upper), (left, lower), (right, lower)):
        assert cv2.pointPolygonTest(drawn.colour_box, corner, measureDist=True) > -6
    if q_box is not None:
        assert left - 3 < q_box.x - q_box.r
        assert q_box.x + q_box.r < right + 3
        assert upper - 3 < q_box.y - q_box.r
        assert q_box.y + q_box.r < lower + 3


def _fitted(points: npt.NDArray[np.int64]) -> tuple[float, float, float]:
    """Centre and radius of the circle through points (n, 2), by least squares."""
    columns = np.column_stack([2 * points, np.ones(len(points))])
    (x, y, rest), *_ = np.linalg.lstsq(columns, (points**2).sum(axis=1), rcond=None)
    return float(x), float(y), float(np.sqrt(rest + x * x + y * y))


@pytest.mark.timeout(240)  # a hundred pictures are drawn, played in real time and looked at
def test_the_ring_and_the_squares_are_true_in_every_frame_shown(film: Film, tmp_path: Path) -> None:
    """No frame shows a ring more than 2 pixels off its Q-box, or a square that is not this frame's own."""
    shown = _play(film.write(tmp_path / "film.avi"), NoSink())
    assert len(shown) > 0.7 * len(film.frames)  # the first ones pass before the test looks
    rings: list[int] = []
    squares: list[int] = []
    for number, picture in sorted(shown.items()):
        drawn = film.frames[min(number, len(film.frames) - 1)]
        assert picture.shape == drawn.picture.shape, f"frame {number} is not the one that was coded"
        yellow = _yellow(picture, drawn)
        square = _square_of(yellow)
        if square is not None:
            _check_square(square, drawn)
            squares.append(number)
        rows, columns = np.nonzero(_without(yellow, square))
        if len(rows) < 12:
            continue
        assert drawn.q_box is not None, f"frame {number} has outlines and no Q-box"
        x, y, r = _fitted(np.column_stack([columns, rows]).astype(np.int64))
        off = float(np.hypot(x - drawn.q_box.x, y - drawn.q_box.y))
        assert off <= 2.0, f"frame {number}: the ring is {off:.1f} px off"
        assert 0 < r - drawn.q_box.r < 9, f"frame {number}: what is drawn is no ring around the Q-box"
        rings.append(number)
    # it is drawn where the picture stands, and again after every change
    for first in (_FROZEN, _SMALL_FROZEN, _LARGE_FROZEN):
        stands = range(first, first + _STANDS)
        assert len(set(rings) & set(stands)) >= 3, f"hardly a ring from frame {first} on: {rings}"
        assert len(set(squares) & set(stands)) >= 3, f"hardly a square from frame {first} on: {squares}"


def test_on_a_larger_display_the_ring_is_drawn_at_its_size(film: Film, tmp_path: Path) -> None:
    """With `lines` the picture is scaled first, and ring, square and cards are drawn in its own pixels."""
    stands = Film()
    stands.frames, stands.codes = film.frames[:0], film.codes[_FROZEN : _FROZEN + _STANDS]
    truth = film.frames[_FROZEN]
    shown = _play(stands.write(tmp_path / "film.avi"), NoSink(lines=1620))
    picture = shown[max(shown)]
    assert picture.shape == (1620, 2160, 3)
    large = cv2.resize(truth.picture, (2160, 1620), interpolation=cv2.INTER_LINEAR)
    yellow = cv2.absdiff(picture, large).max(axis=2) > 90
    blue, green, red = cv2.split(picture)
    yellow &= cv2.subtract(cv2.min(red, green), blue) > 100
    assert truth.q_box is not None
    x, y, r = (1.5 * value for value in (truth.q_box.x, truth.q_box.y, truth.q_box.r))
    rows, columns = np.nonzero(yellow)
    near = np.abs(np.hypot(columns - x, rows - y) - r) < 14
    fitted = _fitted(np.column_stack([columns[near], rows[near]]).astype(np.int64))
    assert np.hypot(fitted[0] - x, fitted[1] - y) < 3


def test_without_the_look_at_each_frame_it_would_be_wrong(film: Film) -> None:
    """The film is a real test: the Q-box moves by more than 2 pixels within the analysis' lag."""
    lag = int(SLOW_S * FPS)
    pairs = zip(film.frames, film.frames[lag:], strict=False)
    moved = [np.hypot(a.q_box.x - b.q_box.x, a.q_box.y - b.q_box.y) for a, b in pairs if a.q_box and b.q_box]
    assert sum(distance > 2 for distance in moved) > 15
