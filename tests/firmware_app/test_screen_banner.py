"""The patient banner: a changed letter is seen, noise is not, nothing can be carried to another process."""

from __future__ import annotations

import string
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.phantom.acquisition import draw_banner
from calibration.phantom.pipe import GStreamerPipe, VideoFormat
from calibration.phantom.text import draw_text
from calibration.profile import ScreenProfile
from firmware_app.journey import Frame, Picture, ScreenReading, View
from firmware_app.screen.banner import (
    CHANGED,
    _salt,
    banner_digest,
    differs,
    distance,
    steady_place,
    use_salt,
)
from firmware_app.screen.bar import BarEdges
from firmware_app.screen.registration import Registration
from firmware_app.screen.watch import BannerChanged, Watch, watch

NATIVE = Registration(
    1440, 1080, 1.0, 1.0, 0.0, 0.0, BarEdges(1386, 141, 1404, 361), np.zeros((128, 3), np.float32), 0.0
)


def screen(name: str, number: str, clock: str = "10:00:00") -> Picture:
    """A header as the scanner draws it."""
    pixels = np.full((1080, 1440, 3), 18, np.uint8)
    pixels[90:] = 0
    for text, x, y in ((name, 700, 24), (f"ID: {number}", 680, 84), (clock, 1250, 24)):
        cv2.putText(pixels, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (200, 200, 200), 2, cv2.LINE_AA)
    return pixels


def test_compression_and_clock_change_nothing(profile: ScreenProfile) -> None:
    """Strong JPEG compression, noise and the running clock leave the banner alike."""
    digest = banner_digest(screen("Muster, Anna", "A-123456"), NATIVE, profile)
    for quality in (40, 60, 90):
        pixels = screen("Muster, Anna", "A-123456", clock=f"10:00:{quality}")
        noisy = np.clip(pixels + np.random.default_rng(quality).normal(0, 5, pixels.shape), 0, 255)
        coded = cv2.imencode(".jpg", noisy.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        decoded = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
        assert not differs(digest, banner_digest(decoded, NATIVE, profile))


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("Beispiel, Bernd", "B-777001"),
        ("Muster, Anna", "A-987654"),
        ("Muster, Hans", "A-123456"),
        ("", ""),
    ],
)
def test_another_patient_is_seen(name: str, number: str, profile: ScreenProfile) -> None:
    """Another name or another identifier is another banner."""
    first = banner_digest(screen("Muster, Anna", "A-123456"), NATIVE, profile)
    assert differs(first, banner_digest(screen(name, number), NATIVE, profile))


def test_digest_means_nothing_elsewhere(profile: ScreenProfile) -> None:
    """The same banner has another digest in another process: nothing can be looked up in it."""
    script = (
        "import numpy as np; from tests.firmware_app import test_screen_banner as t;"
        "from calibration.profile import load_profile; from firmware_app.screen.banner import banner_digest;"
        "print(banner_digest(t.screen('Muster, Anna', 'A-1'), t.NATIVE, load_profile('aixplorer')).hex())"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=50
    ).stdout.strip()
    here = banner_digest(screen("Muster, Anna", "A-1"), NATIVE, profile)
    assert differs(here, bytes.fromhex(elsewhere))


FPS = 60
CODER = "x264enc tune=zerolatency threads=1 speed-preset=superfast key-int-max=60 bitrate"
"""With one thread the same bytes come out in every run."""
STRIP = 288
"""Rows of the strips that are coded: the header, and below it a picture that costs the coder its bits."""


@dataclass(frozen=True)
class Size:
    """A coded strip: width and height, the whole picture's height, and the bit rate, kbit/s."""

    width: int
    height: int
    screen_height: int
    kbit_per_s: int

    @property
    def registration(self) -> Registration:
        """Where the screen lies in the picture of which the strip is the upper part."""
        scale = self.width / 1440, self.screen_height / 1080
        return replace(NATIVE, width=self.width, height=self.height, scale_x=scale[0], scale_y=scale[1])


NATIVE_STRIP, HALF_STRIP = Size(1440, STRIP, 1080, 2700), Size(720, STRIP // 2, 540, 1300)


def header(name: str, number: str, *, thin: bool) -> Picture:
    """The header of an Aixplorer (bold) or of a newer, flat layout (thin)."""
    pixels = np.full((96, 1440, 3), 18, np.uint8)
    size, weight = (20, "regular") if thin else (24, "bold")
    for text, y in ((name, 24), (f"ID: {number}", 84)):
        draw_text(pixels, text, 766, y, align="centre", size=size, weight=weight, colour=(176, 176, 176))
    return pixels


@lru_cache(maxsize=64)
def speckle(number: int) -> Picture:
    """A picture that shares nothing with the next one."""
    noise = np.random.default_rng(number).integers(0, 255, (STRIP - 96, 800), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.asarray(cv2.convertScaleAbs(smooth, alpha=3.0, beta=-250.0), np.uint8)


def strip(top: Picture, tick: int, size: Size, *, dark: bool = False) -> Picture:
    """A header above a moving picture."""
    pixels = np.zeros((STRIP, 1440, 3), np.uint8)
    pixels[:96] = top
    if not dark:
        pixels[96:, 300:1100] = speckle(tick // 5 % 40)[:, :, None]
    return np.asarray(cv2.resize(pixels, (size.width, size.height), interpolation=cv2.INTER_AREA), np.uint8)


def coded(pictures: Iterator[Picture], size: Size, folder: Path) -> list[Picture]:
    """The pictures after real H.264, frame by frame."""
    raw = folder / "frames.i420"
    chain = f"! h264parse ! avdec_h264 ! video/x-raw,format=I420 ! filesink location={raw}"
    with GStreamerPipe(
        VideoFormat(size.width, size.height, FPS), f"{CODER}={size.kbit_per_s} {chain}"
    ) as pipe:
        for picture in pictures:
            pipe.write(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).tobytes())
        pipe.finish()
    frames = np.fromfile(raw, np.uint8).reshape(-1, size.height * 3 // 2, size.width)
    return [np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_I420), np.uint8) for frame in frames]


def one_letter_apart(seed: int) -> tuple[str, str, str]:
    """A name, the same with one small letter exchanged, and the identifier of both."""
    rng = np.random.default_rng(seed)
    banner = draw_banner(rng)
    at = int(rng.choice([i for i, letter in enumerate(banner.name) if letter.islower()]))
    other = str(rng.choice([letter for letter in string.ascii_lowercase if letter != banner.name[at]]))
    return banner.name, banner.name[:at] + other + banner.name[at + 1 :], banner.identifier


def seen_changes(size: Size, pairs: int, profile: ScreenProfile, folder: Path, seed: int) -> list[bool]:
    """Of so many pairs of banners, half a second each, whether the changed letter is seen through H.264."""
    drawn = [one_letter_apart(seed + number) for number in range(pairs)]

    def pictures() -> Iterator[Picture]:
        for number, (first, second, identifier) in enumerate(drawn):
            for name in (first, second):
                top = header(name, identifier, thin=number % 2 == 0)
                yield from (strip(top, 30 * number + tick, size) for tick in range(STAND))

    digests = [banner_digest(p, size.registration, profile) for p in coded(pictures(), size, folder)]
    last = digests[STAND - 1 :: STAND]
    return [differs(last[2 * number], last[2 * number + 1]) for number in range(pairs)]


STAND = 8
"""Frames for which each banner stands: 0.13 s, less than the watch waits for."""


@pytest.mark.parametrize("size", [NATIVE_STRIP, HALF_STRIP], ids=["native", "half"])
def test_one_small_letter_is_seen_through_h264(size: Size, profile: ScreenProfile, tmp_path: Path) -> None:
    """Of 30 patients whose names differ in one small letter, none is missed."""
    assert all(seen_changes(size, 30, profile, tmp_path, seed=100))


@pytest.mark.slow
@pytest.mark.parametrize("size", [NATIVE_STRIP, HALF_STRIP], ids=["native", "half"])
def test_one_small_letter_is_seen_in_99_percent(size: Size, profile: ScreenProfile, tmp_path: Path) -> None:
    """Of 400 such pairs at least 99 % are seen."""
    seen = seen_changes(size, 400, profile, tmp_path, seed=10_000)
    assert sum(seen) >= 0.99 * len(seen)


def still_banner(size: Size, frames: int, folder: Path) -> list[Picture]:
    """Coded video of one banner, with cuts below the header."""
    top = header("Jansen, Finn", "K-40918273", thin=True)
    return coded((strip(top, tick, size, dark=(tick // 90) % 4 == 2) for tick in range(frames)), size, folder)


def alarms(pictures: list[Picture], size: Size, profile: ScreenProfile) -> tuple[int, int]:
    """Alarms over one banner, and how many frames in succession come near one after three seconds."""
    state, told, digests = Watch(), 0, []
    for number, picture in enumerate(pictures):
        digest = banner_digest(picture, size.registration, profile)
        digests.append(digest)
        reading = ScreenReading(size.width, size.height, View.B_MODE, banner=digest)
        state, moment = watch(state, Frame(picture, number, number * 10**9 // FPS, 0), reading)
        told += isinstance(moment, BannerChanged)
    reference = state.banner
    assert reference is not None
    near = (distance(reference, digest) >= 0.8 * CHANGED for digest in digests[3 * FPS :])
    return told, max(len(list(run)) if is_near else 0 for is_near, run in groupby(near))


@pytest.fixture
def chosen_salts() -> Iterator[list[int]]:
    """Salts that are the same in every run; afterwards the process has its own again."""
    own = _salt()
    yield [1, 2, 3, 4, 5]
    use_salt(own)


@pytest.mark.parametrize("size", [NATIVE_STRIP, HALF_STRIP], ids=["native", "half"])
def test_one_banner_never_alarms(
    size: Size, profile: ScreenProfile, tmp_path: Path, chosen_salts: list[int]
) -> None:
    """Ten seconds of coded video with cuts below the header: no alarm with any salt.

    At the scanner's own size no frame comes near one; at half of it a frame or two after a cut do, of the
    18 that the watch waits for.
    """
    pictures = still_banner(size, 600, tmp_path)
    for salt in chosen_salts:
        use_salt(salt)
        told, near = alarms(pictures, size, profile)
        assert told == 0
        assert near <= (0 if size == NATIVE_STRIP else 2)


@pytest.mark.slow
@pytest.mark.parametrize("size", [NATIVE_STRIP, HALF_STRIP], ids=["native", "half"])
def test_one_banner_never_alarms_in_a_long_video(size: Size, profile: ScreenProfile, tmp_path: Path) -> None:
    """The same over more than a minute."""
    assert alarms(still_banner(size, 4_000, tmp_path), size, profile)[0] == 0


def test_poor_first_picture_is_no_other_patient() -> None:
    """A codec that starts blurred and sharpens within two seconds tells no change; a later change is told."""
    sharp, other = np.zeros(480, np.int16), np.full(480, 60, np.int16)
    steps = [np.full(480, 400 - 8 * step, np.int16) for step in range(50)]
    state, told = Watch(), []
    for number, shown in enumerate([*steps, *[sharp] * 150, *[other] * 30]):
        picture = np.zeros((8, 8, 3), np.uint8)
        reading = ScreenReading(8, 8, View.B_MODE, banner=shown.tobytes())
        state, moment = watch(state, Frame(picture, number, number * 20_000_000, 0), reading)
        told += [number] if isinstance(moment, BannerChanged) else []
    assert len(told) == 1
    assert told[0] >= 200 + 15


def test_place_of_the_banner_is_kept_while_the_screen_is_the_same() -> None:
    """A registration that is made more exact moves no letter; another size or place of the screen does."""
    exact = replace(NATIVE, offset_x=2.6, offset_y=-1.4, scale_x=1.002)
    assert steady_place(NATIVE, exact) is NATIVE
    assert steady_place(None, exact) is exact
    for other in (replace(NATIVE, width=1438), replace(NATIVE, offset_x=12.0), replace(NATIVE, scale_y=1.02)):
        assert steady_place(NATIVE, other) is other


def test_fraction_of_a_pixel_would_be_a_letter(profile: ScreenProfile) -> None:
    """That is why the place is kept: half a pixel more to the right is another banner."""
    pixels = screen("Muster, Anna", "A-123456")
    moved = banner_digest(pixels, replace(NATIVE, offset_x=0.5), profile)
    assert differs(banner_digest(pixels, NATIVE, profile), moved)
