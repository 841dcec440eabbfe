"""Wrong input of each kind gives one clear line and exit code 2; `inspect` on the real screens."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.conftest import DrawnExam, Ended, call


def assert_one_clear_line(ended: Ended, *words: str) -> None:
    """Exit code 2, one line that names what is wrong, no traceback."""
    assert ended.code == 2, ended
    complaint = ended.err.strip().splitlines()[-1]
    assert complaint.startswith("error: ")
    assert "Traceback" not in ended.err
    for word in words:
        assert word in complaint


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    """A text that calls itself a video."""
    path = tmp_path / "notes.mp4"
    path.write_text("this is no video\n" * 200)
    return path


def test_replay_of_a_missing_file(tmp_path: Path) -> None:
    """A missing recording is named."""
    assert_one_clear_line(call("fibrostage", "replay", tmp_path / "gone.mp4"), "gone.mp4", "does not exist")


def test_replay_of_a_text_file(text_file: Path) -> None:
    """A text is not a video."""
    assert_one_clear_line(call("fibrostage", "replay", text_file), "notes.mp4")


def test_replay_of_a_truncated_recording(drawn_exam: DrawnExam, tmp_path: Path) -> None:
    """An MP4 whose end is missing has no index: it is refused by name."""
    path = tmp_path / "cut.mp4"
    path.write_bytes(drawn_exam.video.read_bytes()[:200_000])
    assert_one_clear_line(call("fibrostage", "replay", path), "cut.mp4")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("is empty",)),
        ("[source]\nkindd = 'file'\n", ("source.kindd", "did you mean kind")),
        ("[source]\nkind = 'laser'\n", ("source.kind",)),
        ("not toml at all", ("not valid TOML",)),
    ],
)
def test_run_with_a_wrong_configuration(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    """Each wrong configuration is named with its file and key."""
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    assert_one_clear_line(call("fibrostage", "run", "--config", path), "wrong.toml", *words)


def test_run_without_a_broker(tmp_path: Path) -> None:
    """A broker that is not there is named at the start."""
    path = tmp_path / "fibrostage.toml"
    path.write_text('[sink]\nkind = "none"\n[mqtt]\nhost = "127.0.0.1"\nport = 1\n')
    assert_one_clear_line(call("fibrostage", "run", "--config", path), "127.0.0.1", "1")


def test_replay_with_a_wrong_bundle(drawn_exam: DrawnExam, tmp_path: Path) -> None:
    """A folder that is no bundle is named."""
    assert_one_clear_line(
        call("fibrostage", "replay", drawn_exam.video, "--bundle", tmp_path), str(tmp_path.name)
    )


def test_wrong_usage() -> None:
    """An unknown option is named, in one line."""
    assert_one_clear_line(call("fibrostage", "replay", "--loud", "x.mp4"), "--loud")


def test_inspect_of_what_is_no_picture(text_file: Path, tmp_path: Path) -> None:
    """A text, an empty file, a cut-off picture and a folder are no pictures; no library adds a line."""
    empty, cut = tmp_path / "empty.png", tmp_path / "cut.png"
    empty.touch()
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    cut.write_bytes(cv2.imencode(".png", noise)[1].tobytes()[:6000])
    for path in (text_file, empty, cut, tmp_path):
        ended = call("fibrostage", "inspect", path)
        assert_one_clear_line(ended, path.name)
        assert len(ended.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("target", "words"),
    [("drawn.gif2", ".png"), ("nowhere/drawn.png", "No such file"), ("folder.png", "Is a directory")],
)
def test_inspect_says_why_it_cannot_write(target: str, words: str, tmp_path: Path) -> None:
    """A kind of picture that cannot be written, a folder that is missing, a name that is a folder."""
    picture = tmp_path / "screen.png"
    cv2.imwrite(str(picture), np.zeros((200, 300, 3), np.uint8))
    (tmp_path / "folder.png").mkdir()
    ended = call("fibrostage", "inspect", picture, "--annotate", tmp_path / target)
    assert_one_clear_line(ended, "cannot be written", words)
    assert len(ended.err.strip().splitlines()) == 1


def test_inspect_draws_a_picture_that_is_all_width(tmp_path: Path) -> None:
    """Scaled to the drawing's height, one row of pixels would take more memory than there is."""
    path, drawn = tmp_path / "flat.png", tmp_path / "drawn.png"
    cv2.imwrite(str(path), np.zeros((1, 20_000, 3), np.uint8))
    ended = call("fibrostage", "inspect", path, "--annotate", drawn)
    assert ended.code == 0, ended.err
    picture = cv2.imread(str(drawn))
    assert picture is not None
    assert picture.shape[0] == 1080
    assert picture.shape[1] < 10_000


@pytest.mark.parametrize("words", [("replay",), ("inspect",), ("bundle", "verify"), ("evidence", "list")])
def test_a_name_that_is_too_long_is_wrong_input(words: tuple[str, ...]) -> None:
    """Whoever called it can mend the name: exit code 2."""
    assert_one_clear_line(call("fibrostage", *words, "a" * 300), "a" * 20)


def test_inspect_of_a_picture_too_large(tmp_path: Path) -> None:
    """A picture that says it has 1.6 thousand million pixels is refused, not tried."""
    coded = bytearray(cv2.imencode(".png", np.zeros((1, 1, 3), np.uint8))[1].tobytes())
    coded[16:24] = struct.pack(">II", 40_000, 40_000)
    coded[29:33] = struct.pack(">I", zlib.crc32(coded[12:29]))
    path = tmp_path / "endless.png"
    path.write_bytes(coded)
    assert_one_clear_line(call("fibrostage", "inspect", path), "endless.png", "too large")


def test_inspect_never_writes_over_its_picture(tmp_path: Path) -> None:
    """The drawing under the picture's own name, however it is spelt, is refused and the picture kept."""
    path = tmp_path / "screen.png"
    cv2.imwrite(str(path), np.zeros((200, 300, 3), np.uint8))
    before = path.read_bytes()
    (tmp_path / "inner").mkdir()
    target = tmp_path / "inner" / ".." / "screen.png"
    assert_one_clear_line(call("fibrostage", "inspect", path, "--annotate", target), "the picture itself")
    assert path.read_bytes() == before


def test_inspect_reads_the_real_aixplorer(screens: Path, tmp_path: Path) -> None:
    """View, panes, box within 3 px, range 150 kPa and freeze of a real screen; drawn into it on demand."""
    picture = screens / "aixplorer_trapezius_150kpa.png"
    annotated = tmp_path / "annotated.png"
    ended = call("fibrostage", "inspect", picture, "--json", "--annotate", annotated)
    assert ended.code == 0, ended.err
    seen = ended.lines[0]
    assert (seen["view"], seen["frozen"]) == ("swe_dual", True)
    assert (seen["colour_bar"]["max"], seen["colour_bar"]["unit"]) == (150.0, "kPa")
    corners = np.array(seen["colour_box"])
    assert np.abs(corners.min(axis=0) - (312.5, 151.5)).max() <= 3
    assert np.abs(corners.max(axis=0) - (615.5, 260.5)).max() <= 3
    assert np.abs(np.array(seen["panes"]["elastogram"]) - (212, 98, 522, 296)).max() <= 4
    assert np.abs(np.array(seen["panes"]["gray"]) - (212, 402, 522, 296)).max() <= 4
    assert seen["q_box"] is None
    assert seen["rejected"]["reason"] == "no_q_box"
    drawn = cv2.imread(str(annotated))
    assert drawn is not None
    assert drawn.shape[0] == 1080  # the picture, and a column of checks beside it
    assert drawn.shape[1] > 1080 * 976 // 731 + 400


@pytest.mark.parametrize(
    "name",
    [
        "negative_ge_logiq_power_doppler.png",
        "grabber_epiq7_640x480.png",
        "grabber_epiq7_1280x960_mjpg.png",
        "grabber_epiq7_1920x1080.png",
    ],
)
def test_inspect_refuses_other_scanners_by_name(screens: Path, name: str) -> None:
    """The other real pictures are no SWE views, and the appliance says why."""
    seen = call("fibrostage", "inspect", screens / name, "--json").lines[0]
    assert seen["view"] in {"b_mode", "other"}
    assert seen["rejected"]["reason"] in {"b_mode", "doppler", "power_doppler", "other_screen"}
    assert seen["stiffness"] is None
