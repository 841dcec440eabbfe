"""Whatever arrives: never an exception, never an acceptance."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.phantom.properties import Scene
from calibration.phantom.scene import draw_scene
from calibration.profile import load_profile
from firmware_app.commissioning.proposal import propose
from firmware_app.errors import SourceError
from firmware_app.inspection import load_picture
from firmware_app.journey import Frame, Picture, View
from firmware_app.screen import ScreenReader
from tests.conftest import call
from tests.firmware_app.video import make_clip

_PROFILE = load_profile("aixplorer")
_SCREEN = draw_scene(Scene(), 41)[0]
AnyArray = npt.NDArray[np.generic]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short recording of a test picture."""
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=20)


def assert_refused(pixels: AnyArray) -> None:
    """The picture is no elastography view, and a reason says so."""
    frame = Frame(pixels, 0, 0, 0)  # type: ignore[arg-type]  # what does not belong there is the point
    reader = ScreenReader(_PROFILE)
    reading = reader.inspect(frame)
    assert reading.view is not View.SWE_DUAL
    assert reading.rejected is not None
    assert reader.read(frame).rejected is not None  # nothing was learnt from it


def _pattern(kind: str, height: int, width: int, seed: int) -> Picture:
    rng = np.random.default_rng(seed)
    if kind == "noise":
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == "gray noise":
        return np.repeat(rng.integers(0, 256, (height, width, 1), dtype=np.uint8), 3, axis=2)
    if kind == "solid":
        return np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
    ramp = np.linspace(0, 255, width if kind == "across" else height).astype(np.uint8)
    plane = np.broadcast_to(ramp[None, :] if kind == "across" else ramp[:, None], (height, width))
    tint = rng.integers(0, 2, 3)
    if kind == "rainbow":
        hue = (plane.astype(np.uint16) * 179 // 255).astype(np.uint8)
        full = np.full_like(hue, 255)
        return np.asarray(cv2.cvtColor(np.stack([hue, full, full], axis=2), cv2.COLOR_HSV2BGR), np.uint8)
    return np.ascontiguousarray(plane[:, :, None] * tint).astype(np.uint8)


@settings(max_examples=50, deadline=None)
@given(
    kind=st.sampled_from(["noise", "gray noise", "solid", "across", "down", "rainbow"]),
    height=st.integers(1, 700),
    width=st.integers(1, 900),
    seed=st.integers(0, 2**32 - 1),
)
def test_patterns_of_any_size_are_refused(kind: str, height: int, width: int, seed: int) -> None:
    """Noise, solid colours, gradients and rainbows of any size are refused."""
    assert_refused(_pattern(kind, height, width, seed))


@pytest.mark.parametrize("size", [(1, 1), (1, 4096), (4096, 1), (2160, 3840), (121, 121)])
@pytest.mark.parametrize("kind", ["noise", "rainbow"])
def test_extreme_sizes_are_refused(size: tuple[int, int], kind: str) -> None:
    """From one pixel to 4K."""
    assert_refused(_pattern(kind, *size, 3))


@settings(max_examples=25, deadline=None)
@given(
    channels=st.sampled_from([1, 2, 3, 4, 5]),
    dtype=st.sampled_from([np.uint8, np.uint16, np.int16, np.float32, np.float64, np.bool_]),
    height=st.integers(0, 400),
    width=st.integers(0, 400),
)
def test_other_kinds_of_arrays_are_refused(channels: int, dtype: type, height: int, width: int) -> None:
    """Pictures of 1, 2, 4 or 5 channels, of 16 bits or of fractions, and empty ones, are refused."""
    assert_refused(
        np.zeros((height, width, channels), dtype) if channels > 1 else np.zeros((height, width), dtype)
    )


@pytest.mark.parametrize("conversion", [cv2.COLOR_BGR2GRAY, cv2.COLOR_BGR2BGRA])
def test_a_screen_in_the_wrong_channels_is_refused(conversion: int) -> None:
    """Even a whole screen is refused where it does not arrive as BGR."""
    assert_refused(np.asarray(cv2.cvtColor(_SCREEN, conversion)))
    assert_refused(_SCREEN.astype(np.uint16) * 257)


def test_odd_strides_read_like_their_copies() -> None:
    """Views with padded rows, reversed rows and every second column read like contiguous copies of them."""
    wide = np.zeros((1090, 1503, 3), np.uint8)
    wide[4:1084, 31:1471] = _SCREEN
    flipped = np.ascontiguousarray(_SCREEN[::-1])
    fine = np.repeat(_SCREEN, 2, axis=1)
    for view in (wide[4:1084, 31:1471], flipped[::-1], fine[:, ::2], np.asfortranarray(_SCREEN)):
        assert not view.flags.c_contiguous
        reading = ScreenReader(_PROFILE).read(Frame(view, 0, 0, 0))
        plain = ScreenReader(_PROFILE).read(Frame(_SCREEN, 0, 0, 0))
        assert (reading.view, reading.q_box, reading.roi) == (plain.view, plain.q_box, plain.roi)
        assert plain.view is View.SWE_DUAL


@settings(max_examples=25, deadline=None)
@given(
    x=st.integers(0, 1439),
    y=st.integers(0, 1079),
    width=st.integers(1, 1440),
    height=st.integers(1, 1080),
    angle=st.sampled_from([0, 1, 2, 3]),
    mirrored=st.booleans(),
)
def test_parts_of_a_screen_raise_nothing(
    x: int, y: int, width: int, height: int, angle: int, *, mirrored: bool
) -> None:
    """Any cut-out of a screen, turned and mirrored, is read or refused; turned ones are never accepted."""
    part = np.rot90(_SCREEN[y : y + height, x : x + width], angle)
    part = np.ascontiguousarray(part[:, ::-1] if mirrored else part)
    reading = ScreenReader(_PROFILE).read(Frame(part, 0, 0, 0))
    assert reading.view is View.SWE_DUAL or reading.rejected is not None
    if angle or mirrored:
        assert reading.view is not View.SWE_DUAL


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.tuples(st.integers(100, 800), st.integers(100, 800)), min_size=2, max_size=4))
def test_a_stream_may_change_its_size(sizes: list[tuple[int, int]]) -> None:
    """One reader survives a source that changes its size from frame to frame, and reads the screen again."""
    reader = ScreenReader(_PROFILE)
    for width, height in sizes:
        small = cv2.resize(_SCREEN, (width, height), interpolation=cv2.INTER_AREA)
        reader.read(Frame(np.asarray(small, np.uint8), 0, 0, 0))
    assert reader.read(Frame(_SCREEN, 9, 0, 0)).view is View.SWE_DUAL


@settings(max_examples=30, deadline=None)
@given(
    keep=st.floats(0.0, 1.0),
    suffix=st.sampled_from([".png", ".jpg", ".bmp", ".tiff"]),
    damage=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
)
def test_damaged_picture_files_are_refused_or_read(
    keep: float, suffix: str, damage: list[tuple[float, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A cut or altered file gives a picture or one clear sentence, never another exception."""
    small = cv2.resize(_SCREEN, (360, 270), interpolation=cv2.INTER_AREA)
    coded = bytearray(cv2.imencode(suffix, small)[1].tobytes())
    for place, value in damage:
        coded[min(int(place * len(coded)), len(coded) - 1)] = value
    path = tmp_path_factory.mktemp("damaged") / f"picture{suffix}"
    path.write_bytes(coded[: int(keep * len(coded))])
    with suppress(SourceError):
        ScreenReader(_PROFILE).read(load_picture(path))


@pytest.mark.parametrize(
    ("dtype", "channels"), [(np.uint8, 1), (np.uint16, 1), (np.uint16, 3), (np.uint8, 4), (np.uint16, 4)]
)
def test_picture_files_of_other_depths_are_read_or_refused(
    dtype: type, channels: int, tmp_path: Path
) -> None:
    """PNG files of 16 bits, one channel or with transparency come out as BGR of 8 bits."""
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), np.full((300, 400, channels), 77, dtype))
    frame = load_picture(path)
    assert frame.pixels.shape == (300, 400, 3)
    assert frame.pixels.dtype == np.uint8
    assert ScreenReader(_PROFILE).read(frame).view is not View.SWE_DUAL


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.97])
def test_cut_recordings_end_with_one_clear_line(keep: float, clip: Path, tmp_path: Path) -> None:
    """A recording that breaks off is refused by name, whatever of it is left."""
    path = tmp_path / "cut.mp4"
    data = clip.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    out, preview = tmp_path / "p.toml", tmp_path / "p.png"
    ended = call("fibrostage-calibrate", "screen", path, "--out", out, "--preview", preview)
    assert ended.code == 2, ended
    assert "Traceback" not in ended.err
    assert "cut.mp4" in ended.err.strip().splitlines()[-1]


@settings(max_examples=15, deadline=None)
@given(
    kind=st.sampled_from(["noise", "solid", "rainbow", "down"]),
    height=st.integers(1, 400),
    width=st.integers(1, 500),
    seed=st.integers(0, 2**32 - 1),
)
def test_nothing_is_commissioned_from_patterns(kind: str, height: int, width: int, seed: int) -> None:
    """Patterns of any size give no profile and no exception."""
    proposed = propose(_pattern(kind, height, width, seed), "Unknown")
    assert hasattr(proposed, "remedy")
