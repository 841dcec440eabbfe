"""The overlay tells the state, keeps clear of the picture, and never hides the line about research use."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_app.errors import ConfigError
from firmware_app.journey import Circle, Panes, Rect, Roi, Square
from firmware_app.overlay import canvas as overlay_text
from firmware_app.overlay.canvas import Canvas, Style
from firmware_app.overlay.drawing import OverlayState, Patch, draw
from firmware_app.wording import WORDINGS, Reason

PANES = Panes(Rect(311, 141, 775, 440), Rect(311, 592, 775, 440))
ROI = Roi(Square(560, 228, 150), Square(560, 679, 150))
EMPTY = OverlayState(runtime="OpenVINO CPU INT8", bundle_id="demo-1")
FULL = OverlayState(
    runtime="OpenVINO CPU INT8",
    bundle_id="demo-1",
    roi=ROI,
    q_box=Circle(640.0, 305.0, 60.0),
    panes=PANES,
    accepted=3,
    refused=1,
    probabilities=(0.93, 0.71, 0.22),
    provisional=True,
    stage_text="S3",
    lsm_mean_kpa=10.4,
    message=WORDINGS[Reason.BOX_UNFILLED],
    latency_ms=47.0,
)


def _over(picture: npt.NDArray[np.uint8], patches: tuple[Patch, ...]) -> npt.NDArray[np.float64]:
    """The obvious way to blend straight alpha."""
    result = picture.astype(np.float64)
    for patch in patches:
        height, width = patch.pixels.shape[:2]
        area = result[patch.y : patch.y + height, patch.x : patch.x + width]
        alpha = patch.pixels[..., 3:] / 255.0
        area[:] = area * (1 - alpha) + patch.pixels[..., :3] * alpha
    return result


def _box(patch: Patch) -> tuple[int, int, int, int]:
    height, width = patch.pixels.shape[:2]
    return patch.x, patch.y, patch.x + width, patch.y + height


def _overlap(patch: Patch, rect: Rect) -> bool:
    left, top, right, bottom = _box(patch)
    return left < rect.x + rect.w and rect.x < right and top < rect.y + rect.h and rect.y < bottom


@pytest.mark.parametrize(
    ("width", "height"), [(1440, 1080), (1920, 1080), (720, 540), (1024, 768), (2880, 2160)]
)
def test_patches_lie_inside_the_screen(width: int, height: int) -> None:
    """Every patch is BGRA, contiguous, and wholly on the screen, at every size."""
    scale = height / 1080
    roi = Roi(Square(round(560 * scale), round(228 * scale), round(150 * scale)), ROI.gray)
    state = dataclasses.replace(
        FULL, panes=None, roi=dataclasses.replace(roi, gray=roi.elastogram), q_box=None
    )
    for patch in draw(state, width, height):
        left, top, right, bottom = _box(patch)
        assert left >= 0
        assert top >= 0
        assert right <= width
        assert bottom <= height
        assert patch.pixels.dtype == np.uint8
        assert patch.pixels.shape[2] == 4
        assert patch.pixels.flags.c_contiguous


@pytest.mark.parametrize("reason", list(Reason))
def test_cards_never_cover_the_panes_or_the_scanner_s_own_values(reason: Reason) -> None:
    """With any message, the cards stand beside both panes, below the settings and the read-out."""
    outcome, progress, *outlines = draw(dataclasses.replace(FULL, message=WORDINGS[reason]), 1440, 1080)
    for card in (outcome, progress):
        assert not _overlap(card, PANES.elastogram)
        assert not _overlap(card, PANES.gray)
        assert not _overlap(card, Rect(0, 0, 310, 500))  # the scanner's settings
        assert not _overlap(card, Rect(1150, 100, 290, 540))  # the colour bar and the read-out
        assert not _overlap(card, Rect(0, 990, 310, 50))  # the frame counter
    assert sum(patch.pixels[..., 3].astype(bool).sum() for patch in outlines) < 0.02 * 2 * 775 * 440


def test_cards_fit_the_side_bars_of_a_pillar_boxed_screen() -> None:
    """On 1920x1080 the cards stand in the black bars, 240 pixels wide each."""
    outcome, progress, *_ = draw(EMPTY, 1920, 1080)
    assert _box(outcome)[2] <= 240
    assert progress.x >= 1680


def test_cards_shrink_where_panes_are_near() -> None:
    """Panes that reach far out make the cards smaller, never the other way round."""
    near = Panes(Rect(200, 141, 1040, 440), Rect(200, 592, 1040, 440))
    outcome, progress, *_ = draw(dataclasses.replace(EMPTY, panes=near), 1440, 1080)
    assert _box(outcome)[2] <= 200
    assert progress.x >= 1240


def test_outlines_leave_the_analysed_pixels_alone() -> None:
    """The square is drawn around the region in both panes, red between dark edges; inside nothing changes."""
    screen = np.full((1080, 1440, 3), 128, np.uint8)
    drawn = _over(screen, draw(dataclasses.replace(FULL, q_box=None), 1440, 1080))
    for square in (ROI.elastogram, ROI.gray):
        inside = drawn[square.y : square.y + square.side, square.x : square.x + square.side]
        assert np.all(inside == 128)
        row = drawn[square.y + 40, square.x - 4 : square.x]
        assert [pixel[2] > 200 for pixel in row] == [False, True, True, False]
        assert row[0].max() < 64
        assert row[3].max() < 64


def test_the_ring_runs_around_the_q_box() -> None:
    """The ring's bright line lies just outside the circle, at every angle."""
    ring = draw(dataclasses.replace(EMPTY, q_box=Circle(640.5, 305.25, 60.0)), 1440, 1080)[-1]
    rows, columns = np.nonzero(ring.pixels[..., 3] > 240)
    distance = np.hypot(columns + ring.x - 640.5, rows + ring.y - 305.25)
    assert distance.min() >= 60.0
    assert distance.max() <= 64.0
    angles = np.arctan2(rows + ring.y - 305.25, columns + ring.x - 640.5)
    assert np.histogram(angles, 36)[0].min() > 0


def test_each_part_of_the_state_is_seen() -> None:
    """Changing any one thing that the overlay tells changes its picture."""
    changes: list[OverlayState] = [
        dataclasses.replace(FULL, accepted=4),
        dataclasses.replace(FULL, refused=2),
        dataclasses.replace(FULL, probabilities=(0.93, 0.71, 0.32)),
        dataclasses.replace(FULL, provisional=False),
        dataclasses.replace(FULL, stage_text="indeterminate S2-S3"),
        dataclasses.replace(FULL, lsm_mean_kpa=10.5),
        dataclasses.replace(FULL, message=None),
        dataclasses.replace(FULL, runtime="TensorRT INT8"),
        dataclasses.replace(FULL, bundle_id="demo-2"),
        dataclasses.replace(FULL, latency_ms=99.0),
        dataclasses.replace(FULL, q_box=None),
        dataclasses.replace(FULL, roi=None),
    ]
    screen = np.zeros((1080, 1440, 3), np.uint8)
    pictures = [_over(screen, draw(state, 1440, 1080)).tobytes() for state in [FULL, *changes]]
    assert len(set(pictures)) == len(pictures)


def test_bars_are_as_long_as_the_probabilities() -> None:
    """The blue part of each bar grows with its probability, and the three are read from top to bottom."""
    state = dataclasses.replace(FULL, provisional=False, probabilities=(1.0, 0.5, 0.25))
    card = draw(state, 1440, 1080)[0].pixels.astype(int)
    blue = (card[..., 0] > 200) & (card[..., 2] < 120)
    lengths = [int(blue[y].sum()) for y in (138, 167, 196)]
    assert lengths[0] == pytest.approx(94, abs=2)
    assert lengths[1] == pytest.approx(47, abs=2)
    assert lengths[2] == pytest.approx(23.5, abs=2)


@given(
    accepted=st.integers(0, 5),
    refused=st.integers(0, 30),
    stage=st.sampled_from([None, "S0", "S0-S1", "indeterminate S2-S3"]),
    reason=st.sampled_from([None, *Reason]),
    height=st.sampled_from([480, 540, 1080]),
)
@settings(max_examples=40, deadline=None)
def test_the_research_line_always_stands(
    accepted: int, refused: int, stage: str | None, reason: Reason | None, height: int
) -> None:
    """Whatever the state, the lower part of the left card is the same text in full contrast."""
    width = height * 4 // 3
    state = OverlayState(
        runtime="r",
        bundle_id="b",
        accepted=accepted,
        refused=refused,
        stage_text=stage,
        message=None if reason is None else WORDINGS[reason],
    )
    card, reference = (draw(shown, width, height)[0] for shown in (state, EMPTY))
    lines = card.pixels.shape[0] * 3 // 10
    assert card.pixels[-lines:].tobytes() == reference.pixels[-lines:].tobytes()
    bright = (card.pixels[-lines:, :, :3].min(axis=2) > 180).sum()
    assert bright > 0.01 * card.pixels[-lines:, :, 0].size


def test_drawing_is_quick() -> None:
    """Drawing the fullest overlay takes at most 15 ms of processor time (the best of ten)."""
    times = []
    for _ in range(10):
        began = time.thread_time()
        draw(FULL, 1440, 1080)
        times.append(time.thread_time() - began)
    assert min(times) < 0.015


def test_text_is_wrapped_between_words_and_fits() -> None:
    """No line is wider than asked for unless one word alone is; no word is lost."""
    canvas, style = Canvas(200, 100, 1.0), Style(15, (255, 255, 255, 255))
    text = "Printed and decoded stiffness disagree"
    lines = canvas.wrap(text, style, 120)
    assert " ".join(lines) == text
    assert all(canvas.measure(line, style) <= 120 for line in lines)
    assert canvas.measure("S0-S1-S2", canvas.fitting("S0-S1-S2", Style(60, (0, 0, 0, 255)), 150)) <= 155


def test_a_missing_font_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the font the appliance says which package to install."""
    monkeypatch.setattr(overlay_text, "_FOLDERS", (tmp_path,))
    overlay_text.font.cache_clear()
    with pytest.raises(ConfigError, match="fonts-dejavu-core"):
        draw(EMPTY, 1440, 1080)


def test_it_is_legible_over_a_real_screen() -> None:
    """Over the real Aixplorer screen every pixel of the cards' background stays dark."""
    path = Path(__file__).parents[3] / "shared" / "screens" / "aixplorer_trapezius_150kpa.png"
    if not path.is_file():
        pytest.skip(f"the reference screens are not at {path.parent}")
    picture = cv2.imread(str(path))
    assert picture is not None
    screen = np.asarray(cv2.resize(picture, (1440, 1080)), np.uint8)
    outcome, progress, *_ = patches = draw(FULL, 1440, 1080)
    drawn = _over(screen, patches)
    for card in (outcome, progress):
        left, top, right, bottom = _box(card)
        assert np.median(drawn[top:bottom, left:right]) < 40
