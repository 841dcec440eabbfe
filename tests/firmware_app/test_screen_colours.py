"""Wrong colours are told from another screen: by what each known fault makes of the scanner's own map."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from calibration.phantom.capture import Chain, capture, capture_pictures
from calibration.phantom.negative import Negative, draw_negative
from calibration.phantom.scene import Scene, draw_scene
from calibration.profile import load_profile
from firmware_app.journey import Frame, Picture, View
from firmware_app.screen import ScreenReader
from firmware_app.screen.colours import CHECK_NS, colour_fault
from firmware_app.wording import Reason

PROFILE = load_profile("aixplorer")
SCREEN, TRUTH = draw_scene(Scene(layout="aixplorer"), 50)


def _planes(change: Callable[[Picture], None]) -> Callable[[Picture], Picture]:
    """A fault of the planes Y, Cr, Cb."""

    def damage(picture: Picture) -> Picture:
        planes = np.array(cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb))
        change(planes)
        return np.asarray(cv2.cvtColor(planes, cv2.COLOR_YCrCb2BGR), np.uint8)

    return damage


def _exchange(planes: Picture) -> None:
    planes[..., 1:] = planes[..., :0:-1].copy()


def _fill(value: int, *which: int) -> Callable[[Picture], None]:
    def change(planes: Picture) -> None:
        planes[..., list(which)] = value

    return change


def _levels(gain: float, *black: float) -> Callable[[Picture], Picture]:
    return lambda picture: np.clip(picture * float(gain) + np.array(black), 0, 255).astype(np.uint8)


FAULTS: dict[str, tuple[Callable[[Picture], Picture], str]] = {
    "gray": (_planes(_fill(128, 1, 2)), "no colour"),
    "planes": (_planes(_exchange), "colour planes exchanged"),
    "green": (_planes(_fill(0, 1, 2)), "green"),
    "pink": (_planes(_fill(255, 1, 2)), "pink"),
    "no_cb": (_planes(_fill(128, 2)), "one colour plane lost"),
    "no_cr": (_planes(_fill(128, 1)), "one colour plane lost"),
    "rgb_for_bgr": (lambda picture: np.ascontiguousarray(picture[..., ::-1]), "channels exchanged"),
    "negative": (lambda picture: 255 - picture, "negative"),
    "crushed": (_levels(0.4, 100, 100, 100), "crushed"),
    "clipped": (_levels(2, -60, -60, -60), "clipped"),
    "no_red": (lambda picture: picture * np.array([1, 1, 0], np.uint8), "channel lost"),
    "blue_tint": (_levels(1, 40, 0, 0), "tinted"),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("chain", [Chain.NATIVE, Chain.PILLAR_BOXED, Chain.SXGA_LIMITED_MJPEG])
def test_each_fault_is_named_from_the_first_picture_on(name: str, chain: Chain) -> None:
    """Each fault is told without a look at the screen before, through clean and coded chains."""
    damage, told = FAULTS[name]
    pixels, _ = capture(SCREEN, TRUTH, chain, 1)
    fault = colour_fault(damage(pixels), None, PROFILE)
    assert fault is not None
    assert told in fault


@pytest.mark.parametrize("chain", [chain for chain in Chain if "h264" not in chain.value])
def test_whole_colours_are_no_fault(chain: Chain) -> None:
    """No way in which a sound chain delivers the screen is taken for a fault."""
    pixels, _ = capture(SCREEN, TRUTH, chain, 1)
    assert colour_fault(pixels, None, PROFILE) is None


@pytest.mark.parametrize(
    "seeds", [range(61, 62), pytest.param(range(62, 70), marks=pytest.mark.slow)], ids=["quick", "more"]
)
@pytest.mark.parametrize("kind", Negative)
def test_another_screen_is_no_fault(kind: Negative, seeds: range) -> None:
    """Doppler, other maps, menus, pages and test pictures are other screens, not wrong colours."""
    for seed in seeds:
        native = draw_negative(kind, seed)
        for chain in (Chain.NATIVE, Chain.SXGA_LIMITED_MJPEG, Chain.WRONG_MATRIX):
            pixels = capture_pictures([native], chain, [seed])[0]
            assert colour_fault(pixels, None, PROFILE) is None, (seed, chain)


def _frame(pixels: Picture, number: int) -> Frame:
    return Frame(pixels, number, number * CHECK_NS, number * CHECK_NS)


def test_colours_that_go_wrong_and_come_right_again() -> None:
    """A screen that was read is refused once its colours are wrong, and read again once they are right."""
    reader = ScreenReader(PROFILE)
    assert reader.read(_frame(SCREEN, 0)).view is View.SWE_DUAL
    tinted = _levels(1, 30, 0, 0)(SCREEN)  # too faint for the registration to be given up
    for number, wrong in enumerate((tinted, FAULTS["gray"][0](SCREEN), FAULTS["planes"][0](SCREEN)), 1):
        reading = reader.read(_frame(wrong, number))
        assert reading.view is View.OTHER
        assert reading.colours is not None
        assert reading.rejected is not None
        assert reading.rejected.reason is Reason.UNREADABLE_PICTURE
    again = reader.read(_frame(SCREEN, 9))
    assert again.view is View.SWE_DUAL
    assert again.colours is None
