"""The configuration: defaults, the example, and one clear sentence for each kind of mistake."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from firmware_app.config import MASK, Config, MqttConfig, load_config, loading, render_config
from firmware_app.config.secrecy import exposed
from firmware_app.config.section import Section
from firmware_app.config.settings import sections
from firmware_app.config.showing import config_as_json, schema_as_json
from firmware_app.errors import ConfigError

SCHEMA = Path(__file__).parents[2] / "docs" / "settings.schema.json"
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
    monkeypatch.setattr(loading, "SYSTEM_PATH", tmp_path / "absent.toml")
    assert load_config(None) == Config()


def test_without_a_file_the_system_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no file named, the system's is read."""
    monkeypatch.setattr(loading, "SYSTEM_PATH", written(tmp_path, 'room = "Ultrasound 7"'))
    assert load_config(None).room == "Ultrasound 7"


def test_example_loads_and_shows_every_setting() -> None:
    """The example loads, holds the defaults but for an unattended device, and names every setting."""
    config = load_config(EXAMPLE)
    assert config == Config(room="Ultrasound 1", mqtt=MqttConfig(required=False))
    parts = re.split(r"^\[(\w+)\]$", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    shown = {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}
    assert shown.keys() == {"", *sections()}
    everything: dict[str, type[Section]] = {"": Config, **sections()}
    for heading, section in everything.items():
        for name, setting in section.model_fields.items():
            if name not in sections():
                assert re.search(rf"^(# )?{name} = ", shown[heading], re.MULTILINE), f"[{heading}] {name}"
                assert setting.title, name
                assert setting.description, name


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
        ("version = 2\naudit = 'a'", ("unknown setting audit", "it belongs into [records]")),
        ("[mqtt]\nport = 0x" + "f" * 20_000, (" is not valid TOML", "64 bits")),
        ("[mqtt]\nhost = 'a..b'", ("setting mqtt.host is wrong: it is no name", "not 'a..b'")),
        (f"[mqtt]\nhost = '{'a' * 64}.de'", ("setting mqtt.host is wrong: it is no name",)),
        ("[health]\nprometheus_host = '.'", ("setting health.prometheus_host is wrong",)),
        ("[bedside]\nhost = 'a..b'", ("setting bedside.host is wrong",)),
        ("[sink]\nport = 1", ("unknown setting sink.port", "it belongs into [mqtt]")),
        ("version = 99", ("version 99", "update it", ".v2.bak")),
        ("version = 'two'", ("setting version is wrong", "'two'")),
        ("version = true", ("setting version is wrong",)),
        ("version = 0", ("setting version is wrong",)),
        ("audit = 'a'\n[records]\naudit = 'b'", ("setting audit", "[records]", "remove")),
        ("room = 'a\\u0000b'".replace("'", '"'), ("setting room", "cannot be printed")),
        ("[sink]\nkind = 'file'\npath = \"a\\u0000b\"", ("setting sink.path", "cannot be printed")),
        ("[source]\nkind = 'file'", ("source.path is missing", "name the video file")),
        ("[source]\nkind = 'rtsp'", ("source.url is missing",)),
        ("[source]\nkind = 'rtsp'\nurl = 'encoder'", ("source.url is no RTSP address",)),
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


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://admin:s3cret@encoder/stream", f"rtsp://{MASK}@encoder/stream"),
        ("rtsp://admin:s3c@ret/@encoder/stream", f"rtsp://{MASK}@encoder/stream"),
        (
            "rtsp://encoder/stream?user=a&password=s3cret",
            f"rtsp://encoder/stream?user={MASK}&password={MASK}",
        ),
        ("rtsp://encoder/stream", "rtsp://encoder/stream"),
    ],
)
def test_secrets_are_masked(url: str, shown: str) -> None:
    """A password inside the encoder's address is never shown, neither as TOML nor as JSON."""
    config = Config.model_validate({"source": {"kind": "rtsp", "url": url}})
    assert f'url = "{shown}"' in render_config(config)
    assert json.loads(config_as_json(config))["settings"]["source"]["url"] == shown


def test_secret_in_a_wrong_place_is_not_told(tmp_path: Path) -> None:
    """The complaint about a wrong value does not repeat a password that stands in it."""
    sentence = complaint(written(tmp_path, "[source]\nkind = 'rtsp://admin:s3cret@encoder'"))
    assert "s3cret" not in sentence


def test_secrets_that_every_user_can_read_are_found(tmp_path: Path) -> None:
    """A password, a key and a configuration with a password are named until they are closed to others."""
    password, key = tmp_path / "mqtt.password", tmp_path / "appliance.key"
    password.write_text("s3cret\n")
    key.touch()
    text = f"""[source]
kind = "rtsp"
url = "rtsp://admin:s3cret@encoder/stream"
[mqtt]
username = "room-1"
password_file = "{password}"
tls = true
cert_file = "{tmp_path / "appliance.pem"}"
key_file = "{key}"
"""
    path = written(tmp_path, text)
    for file in (password, key, path):
        file.chmod(0o644)
    told = exposed(load_config(path), path)
    assert [sentence.partition(":")[0] for sentence in told] == [
        "mqtt.password_file", "mqtt.key_file", "the password in source.url",
    ]  # fmt: skip
    assert all("chmod o=" in sentence for sentence in told)
    for file in (password, key, path):
        file.chmod(0o640)
    assert exposed(load_config(path), path) == []


def test_published_schema_is_that_of_the_settings() -> None:
    """The JSON Schema in docs is what `show-config --schema` prints, and it accepts the example."""
    assert SCHEMA.read_text("utf-8") == schema_as_json()
    schema = json.loads(schema_as_json())
    jsonschema.Draft202012Validator.check_schema(schema)
    example = json.loads(config_as_json(load_config(EXAMPLE)))["settings"]
    jsonschema.Draft202012Validator(schema).validate(example)
    latency = schema["$defs"]["SourceConfig"]["properties"]["latency_ms"]
    assert (latency["unit"], latency["minimum"], latency["maximum"]) == ("ms", 0, 5000)
