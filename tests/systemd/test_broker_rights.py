"""The department's broker as it is shipped, run by a real mosquitto: nobody gets more than their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from firmware_app.config import MqttConfig
from firmware_app.errors import BrokerError
from firmware_app.video.capture_state import CaptureState
from firmware_app.ward.link import LinkState
from firmware_app.ward.mqtt import Ward
from firmware_app.ward.publication import Appliance, status_message
from tests.firmware_app.exam_examples import BIRTH

SHIPPED = Path(__file__).parents[2] / "systemd" / "mosquitto"
SITE, HERE = "st-elsewhere", "127.0.0.1"
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(
    MOSQUITTO is None or shutil.which("openssl") is None, reason="mosquitto or openssl is not installed"
)


@dataclass(frozen=True)
class Department:
    """A running broker, and the folder with every certificate."""

    port: int
    display_port: int
    certificates: Path

    def command(self, program: str, certificate: str | None, *rest: str) -> list[str]:
        """A command-line client, with a certificate or without."""
        command = [program, "-h", HERE, "-p", str(self.port), "-V", "5", "-q", "1"]
        command += ["--cafile", str(self.certificates / "ca.pem")]
        if certificate is not None:
            stem = self.certificates / certificate
            command += ["--cert", f"{stem}.pem", "--key", f"{stem}.key"]
        return [*command, *rest]


def make_certificates(out: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """Run the script that a site runs."""
    command = [str(SHIPPED / "make-certificates"), str(out), *names]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def department(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Department]:
    """A real broker with the shipped file; only ports and folders differ."""
    folder = tmp_path_factory.mktemp("department")
    assert make_certificates(folder, SITE, HERE, "room-1", "room-2").returncode == 0
    assert make_certificates(folder / "foreign", SITE, HERE, "room-1").returncode == 0
    (folder / "page").mkdir()
    ports = free_port(), free_port()
    text = (SHIPPED / "fibrostage.conf").read_text("utf-8")
    for shipped, laid in (
        ("listener 8883", f"listener {ports[0]} {HERE}"),
        ("listener 9001", f"listener {ports[1]} {HERE}"),
        ("/etc/mosquitto/certs", str(folder)),
        ("/etc/mosquitto", str(folder)),
        ("/var/lib/mosquitto/", f"{folder}/"),
        ("/usr/share/fibrostage/department", str(folder / "page")),
    ):
        assert shipped in text
        text = text.replace(shipped, laid)
    if os.geteuid() == 0:
        text += "user root\n"
    (folder / "mosquitto.conf").write_text(text, encoding="utf-8")
    with subprocess.Popen(
        [str(MOSQUITTO), "-c", str(folder / "mosquitto.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 10
        while True:
            with socket.socket() as probe:
                if probe.connect_ex((HERE, ports[0])) == 0:
                    break
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield Department(*ports, folder)
        process.terminate()


def received(department: Department, publish: list[str], topic: str = "#") -> list[str]:
    """What appliance room-1 hears of one publication."""
    listener = subprocess.Popen(
        department.command("mosquitto_sub", "room-1", "-t", topic, "-W", "2", "-v"),
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(0.3)
    subprocess.run(publish, capture_output=True, check=False, timeout=10)
    return listener.communicate(timeout=10)[0].splitlines()


def status_of(department: Department, device: str | None, folder: str = ".") -> LinkState:
    """How an appliance's own client fares, with this certificate."""
    speaker = Appliance(SITE, device or "nobody", "Room", "fibrostage test")
    status = status_message(speaker, CaptureState.LIVE, BIRTH, time_trusted=True)
    own = department.certificates / folder
    files = {} if device is None else {"cert_file": own / f"{device}.pem", "key_file": own / f"{device}.key"}
    config = MqttConfig.model_validate(
        {
            "host": HERE,
            "port": department.port,
            "tls": True,
            "ca_file": department.certificates / "ca.pem",
            **files,
        }
    )
    ward = Ward(config, speaker.root, status, status)
    try:
        ward.connect()
        return ward.link.state
    finally:
        ward.close()


def test_appliance_with_its_own_certificate_is_let_in(department: Department) -> None:
    """The appliance's own client connects with the certificate that the script made."""
    assert status_of(department, "room-1") is LinkState.CONNECTED


# paho leaves the socket of a failed handshake to the garbage collector, which warns
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("device", "folder"), [(None, "."), ("room-1", "foreign")])
def test_no_certificate_or_one_of_another_authority_is_kept_out(
    department: Department, device: str | None, folder: str
) -> None:
    """Without a certificate, or with one that another authority made, there is no connection."""
    with pytest.raises(BrokerError):
        status_of(department, device, folder)
    rest = ("-t", f"fibrostage/v1/{SITE}/room-1/status", "-m", "x")
    stranger = None if device is None else f"{folder}/{device}"
    done = subprocess.run(
        department.command("mosquitto_pub", stranger, *rest), capture_output=True, check=False, timeout=10
    )
    assert done.returncode != 0


@pytest.mark.parametrize(
    ("writer", "topic", "arrives"),
    [
        ("room-2", f"fibrostage/v1/{SITE}/room-2/command/start", False),  # room-1 does not hear room-2's
        ("room-2", f"fibrostage/v1/{SITE}/room-1/command/start", False),  # nor can room-2 command room-1
        ("room-2", f"fibrostage/v1/{SITE}/room-1/result", False),
        ("room-1", "fibrostage/v1/another-site/room-1/command/start", False),
        ("room-1", f"fibrostage/v1/{SITE}/room-1/command/start", True),  # below its own name
        (
            "room-1",
            f"fibrostage/v1/{SITE}/room-1/result",
            False,
        ),  # written, but appliances read commands only
    ],
)
def test_appliance_reads_and_writes_its_own_only(
    department: Department, writer: str, topic: str, *, arrives: bool
) -> None:
    """What an appliance writes outside its own subtree reaches nobody; each reads its own commands only."""
    heard = received(department, department.command("mosquitto_pub", writer, "-t", topic, "-m", "hello"))
    assert heard == ([f"{topic} hello"] if arrives else [])


def test_display_reads_and_cannot_write(department: Department) -> None:
    """A display has no certificate, sees a room's retained status over WebSockets and cannot change it."""
    topic = f"fibrostage/v1/{SITE}/room-2/status"
    subprocess.run(
        department.command("mosquitto_pub", "room-2", "-t", topic, "-m", "online", "-r"),
        check=True,
        timeout=10,
    )
    heard: list[tuple[str, bytes]] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, transport="websockets", protocol=paho.MQTTv5)
    client.tls_set(str(department.certificates / "ca.pem"))
    client.on_connect = lambda c, *_: c.subscribe(topic, 1)
    client.on_message = lambda _c, _u, message: heard.append((message.topic, bytes(message.payload)))
    client.connect(HERE, department.display_port)
    client.loop_start()
    try:
        deadline = time.monotonic() + 5
        while not heard and time.monotonic() < deadline:
            time.sleep(0.01)
        client.publish(topic, "forged", 1, retain=True)
        time.sleep(0.5)
    finally:
        client.disconnect()
        client.loop_stop()
    assert heard == [(topic, b"online")]


@pytest.mark.parametrize(
    "names",
    [
        ("site",),
        ("a/b", HERE, "room"),
        ("site", "bro ker", "room"),
        ("site", HERE, "room+"),
        ("site", HERE, "broker"),
    ],
)
def test_wrong_names_are_refused_in_one_line(tmp_path: Path, names: tuple[str, ...]) -> None:
    """A name that is no topic level, or that the script needs itself, ends with exit code 2 and one line."""
    told = make_certificates(tmp_path / "out", *names)
    assert told.returncode == 2
    assert len(told.stderr.splitlines()) == 1


def test_a_second_run_adds_and_keeps(department: Department) -> None:
    """A device that is added later gets its certificate, what is there stays, and keys stay private."""
    folder = department.certificates
    before = {path.name: path.read_bytes() for path in folder.glob("*.pem")}
    told = make_certificates(folder, SITE, HERE, "room-1", "room-3")
    assert told.stdout.splitlines() == ["kept     broker.pem", "kept     room-1.pem", "made     room-3.pem"]
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert status_of(department, "room-3") is LinkState.CONNECTED
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.glob("*.key"))
