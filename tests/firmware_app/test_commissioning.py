"""Commissioning: the profile of a layout that nobody has seen, from one picture or a video."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.phantom.pipe import VideoFormat
from calibration.phantom.properties import Scene
from calibration.phantom.scene import draw_scene
from calibration.phantom.truth import FrameTruth, Picture
from calibration.phantom.video import write_file
from calibration.profile import load_profile
from firmware_app.commissioning.captions import read_captions
from firmware_app.commissioning.document import document
from firmware_app.commissioning.layout import FoundBar, Missing, find_bar, find_panes
from firmware_app.commissioning.proposal import Proposal, propose
from firmware_app.commissioning.trial import Trial, try_out
from firmware_app.journey import Frame, View
from firmware_app.screen import ScreenReader
from firmware_app.wording import Reason
from tests.conftest import call

Drawn = tuple[Picture, FrameTruth]
SCENE = Scene(layout="custom", opacity=0.5, maximum=40.0)


@pytest.fixture(scope="module")
def custom() -> Drawn:
    """A screen with its panes side by side and its bar elsewhere."""
    return draw_scene(SCENE, 21)


@pytest.fixture(scope="module")
def proposal(custom: Drawn) -> Proposal:
    """What is proposed for it."""
    found = propose(custom[0], "Unknown 9000")
    assert isinstance(found, Proposal)
    return found


def test_the_shipped_profile_does_not_fit_the_unknown_layout(custom: Drawn) -> None:
    """Without commissioning the layout is refused: the tests below would mean nothing otherwise."""
    reading = ScreenReader(load_profile("aixplorer")).read(Frame(custom[0], 0, 0, 0))
    assert reading.view is not View.SWE_DUAL


def test_everything_of_an_unknown_layout_is_found(proposal: Proposal, custom: Drawn) -> None:
    """Bar within two pixels, panes at their true distance and over the true ones; nothing is missing."""
    _, truth = custom
    assert truth.colour_bar is not None
    assert truth.panes is not None
    profile = proposal.profile
    assert np.abs(np.array(profile.colour_bar.rect) - np.array(truth.colour_bar)).max() <= 2
    found, true = profile.panes, truth.panes
    apart = np.array(found.gray[:2]) - np.array(found.elastogram[:2])
    assert np.abs(apart - (np.array(true.gray[:2]) - np.array(true.elastogram[:2]))).max() <= 1
    x, y, w, h = found.elastogram
    left, top, wide, tall = true.elastogram
    across = min(x + w, left + wide) - max(x, left)
    down = min(y + h, top + tall) - max(y, top)
    assert across * down > 0.8 * wide * tall  # nearly all of the true pane,
    assert w * h < 1.25 * wide * tall  # and little else
    assert [mark.title for mark in proposal.missing] == []


def test_the_proposed_profile_reads_another_patient(proposal: Proposal) -> None:
    """With the proposed profile the reader sees box, Q-box, range and print of a screen it never saw."""
    pixels, truth = draw_scene(replace(SCENE, maximum=30.0, opacity=0.4), 22)
    reading = ScreenReader(proposal.profile).inspect(Frame(pixels, 0, 0, 0))
    assert reading.view is View.SWE_DUAL
    assert reading.frozen
    assert reading.colour_bar is not None
    assert (reading.colour_bar.maximum, reading.colour_bar.unit) == (30.0, "kPa")
    assert reading.opacity == 0.4
    assert reading.q_box is not None
    assert truth.q_box is not None
    assert np.hypot(reading.q_box.x - truth.q_box.x, reading.q_box.y - truth.q_box.y) <= 2
    assert reading.readout is not None
    assert truth.readout is not None
    assert reading.readout.mean_kpa == truth.readout.mean_kpa


def test_the_document_is_the_profile(proposal: Proposal, tmp_path: Path) -> None:
    """The TOML loads to the very profile that was tried, and says where its numbers come from."""
    path = tmp_path / "profile.toml"
    text = document(proposal)
    path.write_text(text, encoding="utf-8")
    assert load_profile(path) == proposal.profile
    numbers = [line for line in text.splitlines() if "in the preview" in line]
    assert len(numbers) == len(proposal.marks)


def test_a_live_screen_without_a_q_box_leaves_a_list() -> None:
    """What a live screen does not show is named, with the setting to check and what to do."""
    scene = replace(SCENE, frozen=False, q_boxes=0, readout=False)
    found = propose(draw_scene(scene, 23)[0], "Unknown 9000")
    assert isinstance(found, Proposal)
    missing = {mark.title: mark.setting for mark in found.missing}
    assert missing == {
        "Q-box": "q_box.radius",
        "Read-out": "readout.areas",
        "Snowflake": "freeze.snowflake_area",
    }
    written = document(found)
    assert "CHECK BY HAND" in written
    for setting in missing.values():
        assert setting in written


@pytest.mark.parametrize("seed", [31, 32])
def test_panes_are_found_wherever_they_stand(seed: int) -> None:
    """Bar and panes of the shipped families are found without their profiles."""
    for layout in ("aixplorer", "mach30"):
        for probe in ("convex", "linear"):
            scene = Scene(layout=layout, probe=probe)
            pixels, truth = draw_scene(scene, seed)
            bar = find_bar(pixels)
            assert isinstance(bar, FoundBar)
            panes = find_panes(pixels, bar.edges)
            assert not isinstance(panes, Missing), (layout, probe)
            assert truth.panes is not None
            apart = truth.panes.gray[1] - truth.panes.elastogram[1]
            assert abs(panes.gray.y - panes.elastogram.y - apart) <= 1
            assert panes.gray.x == panes.elastogram.x


def test_no_identifier_leaves(custom: Drawn, tmp_path: Path) -> None:
    """Name and number stand neither in the profile nor, legibly, in the preview; nor does the file's name."""
    source, out, preview = tmp_path / "MEYER_1957.png", tmp_path / "profile.toml", tmp_path / "preview.png"
    cv2.imwrite(str(source), custom[0])
    ended = call(
        "fibrostage-calibrate",
        "screen",
        source,
        "--out",
        out,
        "--preview",
        preview,
        "--scanner",
        "X",
        "--json",
    )
    assert ended.code == 0, ended
    told = json.loads(ended.out)
    assert told["holds"] is True
    assert told["trial"]["seen"] == 1
    before = [caption for caption in read_captions(custom[0]) if caption.place.y < 60]
    names = [word for caption in before for word in caption.text.split() if len(word) > 3]
    assert names
    drawn = cv2.imread(str(preview))
    assert drawn is not None
    header = np.ascontiguousarray(drawn[:200, :1440], np.uint8)
    legible = " ".join(caption.text for caption in read_captions(header))
    written = out.read_text(encoding="utf-8") + ended.out
    assert "MEYER" not in written
    for name in names:
        assert name not in legible
        assert name not in written


def _clip(pixels: Picture) -> Iterator[Picture]:
    """A short film: black, then the screen."""
    for _ in range(3):
        yield np.zeros_like(pixels)
    for _ in range(9):
        yield pixels


def test_a_video_is_tried_to_its_end(custom: Drawn, tmp_path: Path) -> None:
    """A profile proposed from a coded video is tried on all of its frames, and holds."""
    video, out, preview = tmp_path / "clip.mp4", tmp_path / "profile.toml", tmp_path / "preview.png"
    write_file(VideoFormat(1440, 1080, 10), _clip(custom[0]), video)
    ended = call("fibrostage-calibrate", "screen", video, "--out", out, "--preview", preview, "--json")
    assert ended.code == 0, ended
    trial = ended.lines[0]["trial"]
    assert (trial["frames"], trial["seen"], trial["with_bar"]) == (12, 9, 9)
    assert trial["refused"]["no_signal"] == 3
    assert load_profile(out).reference_size == (1440, 1080)


def test_a_profile_that_does_not_fit_is_told(custom: Drawn) -> None:
    """The trial of a wrong profile says why it does not hold."""
    trial = try_out(load_profile("aixplorer"), [Frame(custom[0], 0, 0, 0)])
    assert not trial.holds
    assert trial.faults


@pytest.mark.parametrize(
    ("seen", "texts", "ranges", "fault"),
    [(80, 1, 1, "only 80 of 100"), (95, 2, 0, "never read"), (95, 0, 0, "no text"), (95, 1, 1, None)],
)
def test_verdicts(seen: int, texts: int, ranges: int, fault: str | None) -> None:
    """Too few frames seen, or a range that is never read, is a fault; else the profile holds."""
    trial = Trial(100, 100, seen, 0, ((Reason.NO_Q_BOX, 5),), texts, ranges, 0, 4.0)
    assert trial.holds == (fault is None)
    if fault is not None:
        assert any(fault in told for told in trial.faults)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.png", None, ("gone.png", "does not exist")),
        ("notes.png", b"no picture", ("notes.png", "not a picture")),
        ("gone.mp4", None, ("gone.mp4", "does not exist")),
        ("notes.mp4", b"no video at all\n" * 99, ("notes.mp4",)),
    ],
)
def test_wrong_files_are_named(
    name: str, content: bytes | None, words: tuple[str, ...], tmp_path: Path
) -> None:
    """A file that is missing or is something else ends with 2 and one clear line."""
    source = tmp_path / name
    if content is not None:
        source.write_bytes(content)
    out, preview = tmp_path / "profile.toml", tmp_path / "preview.png"
    ended = call("fibrostage-calibrate", "screen", source, "--out", out, "--preview", preview)
    assert ended.code == 2, ended
    assert "Traceback" not in ended.err
    for word in words:
        assert word in ended.err.strip().splitlines()[-1]
    assert not out.exists()
    assert not preview.exists()


def test_other_screens_and_targets_are_refused(screens: Path, tmp_path: Path) -> None:
    """A picture without a stiffness bar, and a target that cannot be written, are refused before any work."""
    source = screens / "grabber_epiq7_640x480.png"
    words: list[object] = ["fibrostage-calibrate", "screen", source, "--out"]
    ended = call(*words, tmp_path / "p.toml", "--preview", tmp_path / "p.png")
    assert ended.code == 2
    assert "no upright colour bar" in ended.err
    ended = call(*words, tmp_path / "nowhere" / "p.toml", "--preview", tmp_path / "p.png")
    assert ended.code == 2
    assert "folder does not exist" in ended.err
    ended = call(*words, tmp_path / "p.toml", "--preview", tmp_path / "p.gif")
    assert ended.code == 2
    assert ".png" in ended.err
    ended = call(*words, tmp_path / "p.toml", "--preview", source)
    assert ended.code == 2
    assert "the source itself" in ended.err


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "x" * 61])
def test_a_scanner_needs_a_readable_name(name: str, tmp_path: Path) -> None:
    """An empty name, one of several lines and an endless one are refused before any work."""
    targets = ["--out", tmp_path / "p.toml", "--preview", tmp_path / "p.png"]
    ended = call("fibrostage-calibrate", "screen", tmp_path / "gone.png", *targets, "--scanner", name)
    assert ended.code == 2, ended
    assert "--scanner" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_the_real_screen_is_commissioned(screens: Path) -> None:
    """On the real Aixplorer screen bar, panes, box, range, opacity and snowflake are found."""
    pixels = cv2.imread(str(screens / "aixplorer_trapezius_150kpa.png"))
    assert pixels is not None
    found = propose(np.asarray(pixels, np.uint8), "SuperSonic Aixplorer")
    assert isinstance(found, Proposal)
    assert {mark.title for mark in found.missing} == {"Q-box", "Read-out"}
    assert found.reading.colour_bar is not None
    assert (found.reading.colour_bar.maximum, found.reading.colour_bar.unit) == (150.0, "kPa")
    assert found.reading.opacity == 0.5
    assert found.reading.frozen


def test_the_program_loads_upper_packages_only_when_asked() -> None:
    """The virtual scanner's program starts without the reader, and offers the command all the same."""
    code = "import sys, calibration.cli; sys.exit(any(m.startswith('firmware_app') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
    assert "screen" in call("fibrostage-calibrate", "--help").out
