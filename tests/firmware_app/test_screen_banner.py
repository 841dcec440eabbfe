"""The patient banner: changes are seen, noise is not, and nothing can be carried to another process."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest

from calibration.profile import ScreenProfile
from firmware_app.journey import Picture
from firmware_app.screen.banner import banner_digest, differs
from firmware_app.screen.bar import BarEdges
from firmware_app.screen.registration import Registration

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
