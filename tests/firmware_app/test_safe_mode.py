"""Safe mode from the broken file to a subscriber: seen, with its reason and no results, left when mended."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from firmware_app import safe_mode
from firmware_app.config import Config, MqttConfig, SinkConfig, SourceConfig
from firmware_app.config.salvage import COPY, keep, kept_in, salvage
from firmware_app.errors import SinkError
from firmware_app.overlay.trouble_card import trouble_card
from firmware_app.safe_mode import RESTART
from firmware_app.video.pipeline import Pipeline, open_pipeline
from firmware_app.video.sinks import Sink
from firmware_app.video.sources import Source
from firmware_app.ward.broker import PrivateBroker
from tests.conftest import PROGRAMS
from tests.firmware_app.as_service import service

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The folder that systemd would keep."""
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def written(folder: Path, broker: PrivateBroker, further: str = "", mqtt: str = "") -> Path:
    """A configuration with the broker in it, and something wrong."""
    path = folder / "fibrostage.toml"
    path.write_text(
        f'site = "test"\ndevice = "bedside"\nroom = "Room 7"\n{further}\n[sink]\nkind = "none"\n'
        f'[source]\nkind = "phantom"\nsocket = "{folder / "scanner.sock"}"\n'
        f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\nrequired = false\n{mqtt}',
        encoding="utf-8",
    )
    return path


def test_a_broken_file_is_told_to_everyone_and_left_when_mended(tmp_path: Path, state: Path) -> None:
    """Ward and systemd hear the reason, the watchdog is fed, nothing else is published; mended, it ends."""
    with PrivateBroker() as broker:
        path = written(tmp_path, broker, 'profil = "mach30"')
        with service(broker, path, state) as appliance:
            ready = appliance.told("READY=1")
            assert "unknown setting profil; did you mean profile?" in ready
            assert "STATUS=safe mode: " in ready
            status = appliance.status()
            assert status["topic"] == "fibrostage/v1/test/bedside/status"
            assert (status["room"], status["capture"]) == ("Room 7", "starting")
            assert "did you mean profile?" in status["trouble"]
            assert status["bundle_id"] is None
            for _ in range(3):
                appliance.told("WATCHDOG=1")

            written(tmp_path, broker, "profile = 7")  # another mistake: it stays, and says the new reason
            assert appliance.status("offline")["trouble"] is not None
            assert "setting profile" in appliance.status()["trouble"]

            written(tmp_path, broker)
            appliance.told("STOPPING=1")
            assert appliance.ended() == RESTART
            assert appliance.status("offline")
            topics = {received.topic.rsplit("/", 1)[1] for received in appliance.inbox.queue}
            assert topics <= {"status"}
    assert "Traceback" not in appliance.log.read_text()


def test_without_a_readable_file_the_last_broker_is_told(tmp_path: Path, state: Path) -> None:
    """A file that is no TOML any more: site, device and broker are those of the last good run."""
    with PrivateBroker() as broker:
        mqtt = MqttConfig(host=broker.host, port=broker.port)
        keep(Config(site="test", device="bedside", sink=SinkConfig(kind="none"), mqtt=mqtt), state)
        path = tmp_path / "fibrostage.toml"
        path.write_text('site = "test\n')
        with service(broker, path, state) as appliance:
            status = appliance.status()
            assert status["topic"] == "fibrostage/v1/test/bedside/status"
            assert "not valid TOML" in status["trouble"]
            assert "line 1" in status["trouble"]
            path.unlink()
            assert appliance.status("offline")
            assert "No such file" in appliance.status()["trouble"]
        assert appliance.ended() == 0  # asked to stop


@pytest.mark.parametrize(
    ("further", "mqtt", "words"),
    [
        ('profile = "echopac"', "", "echopac"),
        ('bundle = "/nowhere/bundle"', "", "/nowhere/bundle"),
        ("", 'cert_file = "a.pem"', "mqtt.cert_file and mqtt.key_file belong together"),
        ("", 'username = "u"\npassword_file = "/nowhere/password"', "/nowhere/password"),
    ],
)
def test_what_the_file_names_counts_as_well(
    tmp_path: Path, state: Path, further: str, mqtt: str, words: str
) -> None:
    """A profile, a bundle or a password that is not there, and settings that contradict each other."""
    with PrivateBroker() as broker:
        kept = MqttConfig(host=broker.host, port=broker.port)
        keep(Config(site="test", device="bedside", mqtt=kept), state)
        with service(broker, written(tmp_path, broker, further, mqtt), state) as appliance:
            assert words in appliance.status()["trouble"]
            written(tmp_path, broker)
            assert appliance.ended() == RESTART


def test_a_file_that_comes_later_is_noticed(tmp_path: Path, state: Path) -> None:
    """The password's file is laid down afterwards: no one has to touch the configuration."""
    password = tmp_path / "mqtt.password"
    with PrivateBroker() as broker:
        kept = MqttConfig(host=broker.host, port=broker.port)
        keep(Config(site="test", device="bedside", mqtt=kept), state)
        path = written(tmp_path, broker, mqtt=f'username = "u"\npassword_file = "{password}"')
        with service(broker, path, state) as appliance:
            assert str(password) in appliance.status()["trouble"]
            password.write_text("secret\n")
            assert appliance.ended() == RESTART


def test_a_sound_run_is_kept_for_a_bad_day(tmp_path: Path, state: Path) -> None:
    """With a sound file it runs, tells no trouble, and keeps what safe mode would need."""
    with PrivateBroker() as broker:
        with service(broker, written(tmp_path, broker), state) as appliance:
            assert "safe mode" not in appliance.told("READY=1")
            assert appliance.status()["trouble"] is None
        kept = kept_in(state)
        assert (kept.site, kept.device, kept.room) == ("test", "bedside", "Room 7")
        assert kept.mqtt.port == broker.port


def test_what_is_kept_holds_no_secret(state: Path) -> None:
    """An encoder's address with a password in it is left out, one without is kept."""
    secret = SourceConfig(kind="rtsp", url="rtsp://admin:s3cret@encoder/stream")
    keep(Config(source=secret), state)
    assert "s3cret" not in (state / COPY).read_text()
    assert kept_in(state) == Config()
    plain = Config(source=SourceConfig(kind="rtsp", url="rtsp://encoder/stream"))
    keep(plain, state)
    assert kept_in(state) == plain


@pytest.mark.parametrize("content", ["", "{", '{"site": 7}', '{"siet": "a"}', "\x00"])
def test_a_damaged_copy_is_no_obstacle(state: Path, content: str) -> None:
    """Whatever became of the copy, the defaults are there."""
    (state / COPY).write_text(content)
    assert kept_in(state) == Config()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("site = 'here'\nroom = 7\n[mqtt]\nhost = 'b'", {"site": "here", "room": "kept", "host": "b"}),
        ("siet = 'here'", {"site": "kept", "host": "kept"}),
        ("[mqtt]\nhost = 'b'\nport = 'x'", {"host": "kept"}),
        ("[mqtt]\nhost = 'b'\nca_file = 'without-tls'", {"host": "kept"}),
        ("version = 99\nsite = 'here'", {"site": "here"}),
        ("= 1", {"site": "kept", "room": "kept", "host": "kept"}),
    ],
)
def test_sound_parts_of_a_broken_file_are_used(
    tmp_path: Path, text: str, expected: Mapping[str, str]
) -> None:
    """Each sound part of the file counts, every other one as it was kept."""
    path = tmp_path / "fibrostage.toml"
    path.write_text(text)
    kept = Config(site="kept", room="kept", mqtt=MqttConfig(host="kept"))
    found = salvage(path, kept)
    seen = {"site": found.site, "room": found.room, "host": found.mqtt.host}
    assert {name: seen[name] for name in expected} == expected


@pytest.mark.parametrize("size", [(1440, 1080), (1920, 1080), (720, 576), (640, 480), (1080, 1920)])
def test_card_fits_every_screen(size: tuple[int, int]) -> None:
    """The longest sentence fits: the card lies inside the screen, and is there to be seen."""
    sentence = "/etc/fibrostage/fibrostage.toml: unknown setting mqtt.hosst; did you mean host? " * 12
    (patch,) = trouble_card(sentence + "x" * 300, *size)
    height, width = patch.pixels.shape[:2]
    assert 0 <= patch.x <= size[0] - width
    assert 0 <= patch.y <= size[1] - height
    assert np.count_nonzero(patch.pixels[..., 3] > 200) > 0.9 * height * width


@pytest.mark.parametrize("scanner_is_there", [True, False])
def test_display_shows_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, scanner_is_there: bool
) -> None:
    """The sentence stands on the display, over the live picture and over black where there is none."""
    opened: list[Pipeline] = []

    @contextmanager
    def watched(source: Source, sink: Sink, *, patient: bool) -> Iterator[Pipeline]:
        with open_pipeline(source, sink, patient=patient) as pipeline:
            opened.append(pipeline)
            yield pipeline

    monkeypatch.setattr(safe_mode, "open_pipeline", watched)
    path, taken = written_for_display(tmp_path), tmp_path / "display.png"
    stop = threading.Event()
    standing = threading.Thread(target=safe_mode.run, args=(path, "because", stop), name="safe-mode")
    play = ["phantom", "play", "--seed", "3", "--size", "720x540", "--fps", "10", "--loop"]
    command = [str(PROGRAMS / "fibrostage-calibrate"), *play, "--socket", str(tmp_path / "scanner.sock")]
    with ExitStack() as parts:
        if scanner_is_there:
            scanner = parts.enter_context(subprocess.Popen(command))
            parts.callback(scanner.kill)
        standing.start()
        parts.callback(standing.join)
        parts.callback(stop.set)
        deadline = time.monotonic() + 90
        while True:
            assert time.monotonic() < deadline, "it was never shown"
            time.sleep(0.2)
            with suppress(SinkError, IndexError):
                opened[-1].snapshot(taken)
                picture = np.asarray(cv2.imread(str(taken)))
                (patch,) = trouble_card("because", picture.shape[1], picture.shape[0])
                (height, width), (x, y) = patch.pixels.shape[:2], (patch.x, patch.y)
                shown = picture[y : y + height, x : x + width]
                is_live = bool(picture[: y - 10].max() > 150)
                has_card = np.abs(shown.astype(int) - patch.pixels[..., :3]).mean() < 12
                if has_card and is_live is scanner_is_there:
                    break


def written_for_display(folder: Path) -> Path:
    """A broken configuration without a broker, its source the virtual scanner."""
    path = folder / "fibrostage.toml"
    path.write_text(
        f'rom = "7"\n[source]\nkind = "phantom"\nsocket = "{folder / "scanner.sock"}"\nwidth = 720\n'
        'height = 540\nfps = 10\n[sink]\nkind = "none"\n[mqtt]\nenabled = false\n'
    )
    return path


@pytest.mark.parametrize(("option", "code"), [("--safe-mode", 0), ("--no-safe-mode", 2)])
def test_safe_mode_is_a_choice(tmp_path: Path, option: str, code: int) -> None:
    """From a terminal it is asked for, and ends with Ctrl-C; a service can do without, and ends at once."""
    path = written_for_display(tmp_path)
    environment = {**os.environ, "NOTIFY_SOCKET": "" if code == 0 else str(tmp_path / "nobody")}
    command = [str(PROGRAMS / "fibrostage"), "run", option, "--config", str(path)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if "safe mode, no results" in line:
                process.send_signal(signal.SIGINT)
                break
        assert process.wait(90) == code
    assert "unknown setting rom" in said
    assert ("safe mode, no results" in said) is (code == 0)
    assert "Traceback" not in said
