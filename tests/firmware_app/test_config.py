"""The configuration: defaults, the example, and one clear sentence for each kind of mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_app import config as config_module
from firmware_app.config import MASK, Config, MqttConfig, load_config, render_config
from firmware_app.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "systemd" / "fibrostage.example.toml"


def written(folder: Path, text: str) -> Path:
    """A configuration file with this text."""
    path = folder / "fibrostage.toml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(path: Path) -> str:
    """The sentence with which it is refused."""
    with pytest.raises(ConfigError) as refusal:
        load_config(path)
    sentence = str(refusal.value)
    assert sentence.startswith(str(path))
    assert "\n" not in sentence
    return sentence.removeprefix(str(path))


def test_without_a_file_every_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no file named and none on the system, every setting has its default."""
    monkeypatch.setattr(config_module, "SYSTEM_PATH", tmp_path / "absent.toml")
    assert load_config(None) == Config()


def test_without_a_file_the_system_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no file named, the system's is read."""
    monkeypatch.setattr(config_module, "SYSTEM_PATH", written(tmp_path, 'room = "Ultrasound 7"'))
    assert load_config(None).room == "Ultrasound 7"


def test_example_loads_and_shows_every_setting() -> None:
    """The example loads, holds the defaults but for an unattended device, and names every setting."""
    config = load_config(EXAMPLE)
    assert config == Config(room="Ultrasound 1", mqtt=MqttConfig(required=False))
    text = EXAMPLE.read_text(encoding="utf-8")
    parts = (config.source, config.sink, config.inference, config.mqtt, config.health)
    for section in (Config, *(type(part) for part in parts)):
        for name, setting in section.model_fields.items():
            assert name in {"source", "sink", "inference", "mqtt", "health"} or f"{name} = " in text
            assert name in {"source", "sink", "inference", "mqtt", "health"} or setting.description


def test_commented_settings_of_the_example_are_valid(tmp_path: Path) -> None:
    """The settings that the example only shows can be switched on as they stand."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    settings = [line.removeprefix("# ") if " = " in line else line for line in lines]
    text = "\n".join(settings).replace("tls = false", "tls = true")
    config = load_config(written(tmp_path, text))
    assert config.mqtt.username == "fibrostage"
    assert config.source.width == 1920


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", (" is empty", "defaults")),
        ("  \n", (" is empty",)),
        ("this is a text", (" is not valid TOML", "line 1")),
        ("[mqtt]\nhosst = 'a'", ("unknown setting mqtt.hosst", "did you mean host?")),
        ("rom = 'a'", ("unknown setting rom", "did you mean room?")),
        ("[broker]\nhost = 'a'", ("unknown setting broker", "known: ")),
        ("[mqtt]\nport = 'x'", ("setting mqtt.port", "integer", "not 'x'")),
        ("[mqtt]\nport = 70000", ("setting mqtt.port", "65535", "not 70000")),
        ("[source]\nkind = 'hdmi'", ("setting source.kind", "'v4l2'", "not 'hdmi'")),
        ("site = 'a/b'", ("setting site", "not 'a/b'")),
        ("mqtt = 1", ("setting mqtt",)),
        ("[source]\nkind = 'file'", ("source.path is missing", "name the video file")),
        ("[source]\nkind = 'rtsp'", ("source.url is missing",)),
        ("[sink]\nkind = 'file'", ("sink.path is missing",)),
        ("[mqtt]\npassword_file = 'p'", ("mqtt.username is missing",)),
        ("[mqtt]\nca_file = 'p'", ("mqtt.tls is false",)),
        ("[mqtt]\ntls = true\ncert_file = 'p'", ("belong together",)),
    ],
)
def test_mistake_is_one_sentence(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    """Each kind of mistake is one sentence that names the file, the key and what to do."""
    sentence = complaint(written(tmp_path, text))
    for word in words:
        assert word in sentence


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a folder and a file that is no text are refused by name."""
    assert "No such file" in complaint(tmp_path / "absent.toml")
    assert "directory" in complaint(tmp_path)
    binary = tmp_path / "video.mp4"
    binary.write_bytes(b"\xff\xfe\x00\x80")
    assert "not text" in complaint(binary)


def test_rendered_configuration_loads_again(tmp_path: Path) -> None:
    """What show-config prints is a configuration with the same settings."""
    config = Config.model_validate(
        {"room": 'R "1" \\', "source": {"kind": "file", "path": "/a b.mp4"}, "mqtt": {"enabled": False}}
    )
    assert load_config(written(tmp_path, render_config(config))) == config


def test_secrets_are_masked() -> None:
    """The password inside the encoder's address is never shown."""
    config = Config.model_validate({"source": {"kind": "rtsp", "url": "rtsp://admin:s3cret@encoder/stream"}})
    shown = render_config(config)
    assert "s3cret" not in shown
    assert f"rtsp://{MASK}@encoder/stream" in shown
