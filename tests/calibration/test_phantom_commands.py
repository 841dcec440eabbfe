from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import cv2
import numpy as np
import pytest

from calibration.errors import VideoOutputError
from calibration.phantom.pipe import GStreamerPipe, VideoFormat
from calibration.phantom.truth import Picture
from calibration.phantom.video import I420Converter, claim_socket, play_live, write_file

PROGRAM = (sys.executable, "-m", "calibration.cli")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the real program."""
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=50, check=False
    )


def wait_for(path: Path, timeout_s: float = 20.0) -> None:
    """Waits until the file is there."""
    end = time.monotonic() + timeout_s
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.05)


def test_a_frame_is_written_with_its_truth(tmp_path: Path) -> None:
    """`phantom frame` writes a picture of the size asked for and the truth in its pixels."""
    out, truth = tmp_path / "f.png", tmp_path / "f.json"
    done = run(
        "phantom", "frame", "--seed", "4", "--stage", "2", "--size", "720x540", "--out", out, "--truth", truth
    )
    assert done.returncode == 0, done.stderr
    picture = cv2.imread(str(out))
    assert picture is not None
    assert picture.shape == (540, 720, 3)
    told = json.loads(truth.read_text())
    assert told["stage"] == 2
    assert told["size"] == [720, 540]
    assert told["colour_bar"] == pytest.approx([693, 70.5, 9, 110])


def test_a_scene_is_written_with_its_properties(tmp_path: Path) -> None:
    """`phantom frame` with a scene's options draws it through the chain; what is not given is as usual."""
    out, truth = tmp_path / "s.png", tmp_path / "s.json"
    options = "--layout mach30 --unit m/s --q-boxes 2 --opacity 80 --language de --comma --live --chain half"
    done = run("phantom", "frame", *options.split(), "--out", out, "--truth", truth)
    assert done.returncode == 0, done.stderr
    told = json.loads(truth.read_text())
    assert (told["layout"], told["unit"], told["bar_max"], told["opacity"]) == ("mach30", "m/s", 3.7, 0.8)
    assert (told["chain"], told["size"], told["frozen"]) == ("half", [720, 540], False)
    assert told["scene"]["probe"] == "convex"
    assert [label for label, _ in told["q_boxes"][1]["readout"]["lines"]][1:3] == ["Min", "Max"]
    picture = cv2.imread(str(out))
    assert picture is not None
    assert picture.shape == (540, 720, 3)


def test_a_negative_is_written(tmp_path: Path) -> None:
    """`phantom frame --negative` draws what is no elastography, and says so in the truth."""
    out, truth = tmp_path / "n.png", tmp_path / "n.json"
    done = run(
        "phantom", "frame", "--negative", "strain", "--chain", "pillar_boxed", "--out", out, "--truth", truth
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(truth.read_text())["negative"] == "strain"
    picture = cv2.imread(str(out))
    assert picture is not None
    assert picture.shape == (1080, 1920, 3)


def test_an_exam_is_a_playable_video(tmp_path: Path) -> None:
    """`phantom exam` writes an MP4 that GStreamer decodes to the end, with as many frames as stated."""
    out, truth = tmp_path / "e.mp4", tmp_path / "e.json"
    done = run(
        "phantom", "exam", "--seed", "4", "--size", "320x240", "--fps", "5", "--out", out, "--truth", truth
    )
    assert done.returncode == 0, done.stderr
    count = json.loads(truth.read_text())["frame_count"]
    raw = tmp_path / "raw"
    decoder = "decodebin ! videoconvert ! video/x-raw,format=I420"
    pipeline = f"filesrc location={out} ! {decoder} ! filesink location={raw}"
    subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()], check=True, timeout=40)
    assert raw.stat().st_size == count * 320 * 240 * 3 // 2
    assert list(tmp_path.glob(".*part")) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["frame", "--out", "f.png", "--size", "12by8"], "12by8"),
        (["frame", "--out", "f.png", "--size", "723x540"], "multiple of 8"),
        (["frame", "--out", "f.gif"], "f.gif"),
        (["frame", "--out", "no/such/f.png", "--size", "320x240"], "no/such/f.png"),
        (["frame", "--stage", "7", "--out", "f.png"], "--stage"),
        (["frame"], "--out"),
        (["frame", "--stage", "2", "--layout", "mach30", "--out", "f.png"], "--stage and --layout"),
        (["frame", "--negative", "menu", "--probe", "linear", "--out", "f.png"], "--probe and --negative"),
        (["frame", "--size", "720x540", "--chain", "half", "--out", "f.png"], "--size and --chain"),
        (["frame", "--range", "900", "--out", "f.png"], "900"),
        (["frame", "--opacity", "20", "--out", "f.png"], "--opacity"),
        (["exam", "--out", "no/such/e.mp4"], "no/such/e.mp4"),
        (["exam", "--out", "e.mp4", "--truth", "no/such/e.json"], "no/such/e.json"),
        (["play", "--socket", "no/such/s"], "no/such/s"),
        (["dance"], "dance"),
        ([], "command"),
    ],
)
def test_wrong_input_gives_one_clear_line(arguments: list[str], says: str) -> None:
    """Each kind of wrong input ends with code 2 and one line that names it."""
    done = run("phantom", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_help_and_version_are_given() -> None:
    """`--help` and `--version` end with code 0."""
    assert "exam" in run("phantom", "--help").stdout
    assert run("--version").returncode == 0


def test_the_encoders_early_death_is_told() -> None:
    """A process that ends early raises a typed error with its own words."""
    video = VideoFormat(320, 240, 30)
    many = bytes(200 * video.frame_bytes)
    with (
        GStreamerPipe(video, "nosuchelement") as pipe,
        pytest.raises(VideoOutputError, match="nosuchelement"),
    ):
        pipe.write(many)


def test_a_failed_encoding_leaves_nothing_behind(tmp_path: Path) -> None:
    """When the drawing fails half-way, no file and no partial file stay."""

    def pictures() -> Iterator[Picture]:
        yield np.zeros((240, 320, 3), dtype=np.uint8)
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        write_file(VideoFormat(320, 240, 30), pictures(), tmp_path / "e.mp4")
    assert list(tmp_path.iterdir()) == []


def test_colours_survive_the_conversion() -> None:
    """I420 is BT.601 in the limited range, and an unchanged picture is not converted again."""
    picture = np.zeros((16, 16, 3), dtype=np.uint8)
    picture[:, 8:] = 255
    converter = I420Converter()
    data = converter.convert(picture)
    assert (data[0], data[15], data[16 * 16]) == (16, 235, 128)
    assert converter.convert(picture) is data


def test_a_live_source_gives_whole_frames_at_its_rate(tmp_path: Path) -> None:
    """A reader gets undamaged frames at the rate of the stream, and may come and go."""
    path, video, stop = tmp_path / "s", VideoFormat(320, 240, 30), Event()
    pictures = [np.full((240, 320, 3), v, dtype=np.uint8) for v in (40, 200)]
    player = Thread(target=play_live, args=(video, lambda n: pictures[n // 5 % 2], path, stop), name="player")
    player.start()
    try:
        wait_for(path)
        for _ in range(2):
            raw = tmp_path / "raw"
            pipeline = (
                f"shmsrc socket-path={path} is-live=true do-timestamp=true num-buffers=45 ! {video.caps()} "
                f"! filesink location={raw}"
            )
            started = time.monotonic()
            subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()], check=True, timeout=30)
            assert time.monotonic() - started > 1.0
            frames = np.fromfile(raw, dtype=np.uint8).reshape(45, -1)
            luma = frames[:, : 320 * 240]
            assert np.all(luma == luma[:, :1])
            assert len(np.unique(luma[:, 0])) == 2
    finally:
        stop.set()
        player.join(20)
    assert not player.is_alive()
    assert not path.exists()


def test_play_ends_cleanly_when_told(tmp_path: Path) -> None:
    """`phantom play` removes its socket and ends with code 0 on SIGTERM."""
    path = tmp_path / "s"
    command = [*PROGRAM, "phantom", "play", "--size", "320x240", "--fps", "10", "--socket", str(path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(path)
        process.send_signal(signal.SIGTERM)
        _, words = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0, words
    assert "frames played" in words
    assert not path.exists()


def test_a_dead_socket_is_taken_over_and_a_living_one_is_not(tmp_path: Path) -> None:
    """What a crash left behind is removed; a socket in use and any other file are refused."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen()
        with pytest.raises(VideoOutputError, match="already plays"):
            claim_socket(path)
    claim_socket(path)
    assert not path.exists()
    path.write_text("precious")
    with pytest.raises(VideoOutputError, match="not a socket"):
        claim_socket(path)
    assert path.read_text() == "precious"
