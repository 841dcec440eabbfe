"""The department's broker as it is shipped: nobody gets more than their own, with certificate or password."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion

from firmware_app.config import MqttConfig
from firmware_app.errors import BrokerError
from firmware_app.ward.subscriber import Subscriber
from tests.systemd.department import HERE, MOSQUITTO, ROOT, SITE, Department, make_certificates, running

pytestmark = pytest.mark.skipif(
    MOSQUITTO is None or shutil.which("openssl") is None, reason="mosquitto or openssl is not installed"
)
USERS = ("room-1", "room-2", "ward-pc")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rooms, a ward PC that commands the first of them, a foreign authority, an expired certificate."""
    folder = tmp_path_factory.mktemp("certificates")
    made = make_certificates(folder, SITE, HERE, "room-1", "room-2", "--commander", "ward-pc", "room-1")
    assert made.returncode == 0, made.stderr
    assert make_certificates(folder / "foreign", SITE, HERE, "room-1").returncode == 0
    _expire(folder, "room-1")
    return folder


def _expire(folder: Path, device: str) -> None:
    """A certificate of the site's own authority for this device, which ended yesterday."""
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    signer = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now - timedelta(days=1))
        .sign(signer, hashes.SHA256())
    )
    (folder / "expired").mkdir()
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "expired" / f"{device}.pem").write_bytes(certificate.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none)
    (folder / "expired" / f"{device}.key").write_bytes(private)


@pytest.fixture(scope="module", params=["fibrostage.conf", "fibrostage-passwords.conf"])
def department(
    request: pytest.FixtureRequest, certificates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Department]:
    """The broker by certificates, and the one by passwords."""
    folder = tmp_path_factory.mktemp("department") / "broker"
    shutil.copytree(certificates, folder)
    users = USERS if "passwords" in request.param else ()
    with running(folder, request.param, users) as broker:
        yield broker


@pytest.fixture(scope="module")
def by_certificate(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Department]:
    """The broker by certificates alone."""
    folder = tmp_path_factory.mktemp("certified") / "broker"
    shutil.copytree(certificates, folder)
    with running(folder, "fibrostage.conf") as broker:
        yield broker


def knocks(department: Department, device: str | None, folder: str = ".") -> bool:
    """Whether our own client is let in, with this certificate."""
    own = department.certificates / folder
    files = {} if device is None else {"cert_file": own / f"{device}.pem", "key_file": own / f"{device}.key"}
    ca_file = department.certificates / "ca.pem"
    config = MqttConfig.model_validate(
        {"host": HERE, "port": department.port, "tls": True, "ca_file": ca_file, **files}
    )
    Subscriber(config, f"{ROOT}/#", lambda _received: None).close()
    return True


def test_appliance_with_its_own_certificate_is_let_in(by_certificate: Department) -> None:
    """The appliance's own client connects with the certificate that the script made."""
    assert knocks(by_certificate, "room-1")


# paho leaves the socket of a failed handshake to the garbage collector, which warns
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("device", "folder"), [(None, "."), ("room-1", "foreign"), ("room-1", "expired")])
def test_no_certificate_a_foreign_or_an_expired_one_is_kept_out(
    by_certificate: Department, device: str | None, folder: str
) -> None:
    """Without a certificate, with another authority's, with one that has ended: no connection."""
    with pytest.raises(BrokerError):
        knocks(by_certificate, device, folder)
    who = None if device is None else f"{folder}/{device}"
    assert not by_certificate.publish(who, f"{ROOT}/room-1/status")


@pytest.mark.parametrize(("user", "password"), [(None, None), ("room-1", "a guess"), ("nobody", "a guess")])
def test_no_password_or_a_wrong_one_is_kept_out(
    certificates: Path, tmp_path: Path, user: str | None, password: str | None
) -> None:
    """Where users have passwords: none, a wrong one, and a user that nobody knows are refused."""
    folder = tmp_path / "broker"
    shutil.copytree(certificates, folder)
    with running(folder, "fibrostage-passwords.conf", USERS) as department:
        assert department.publish("room-1", f"{ROOT}/room-1/status")
        rest = [] if user is None else ["-u", user, "-P", str(password)]
        command = department.command("mosquitto_pub", None, "-t", f"{ROOT}/room-1/status", "-m", "x", *rest)
        assert subprocess.run(command, capture_output=True, check=False, timeout=20).returncode != 0


@pytest.mark.parametrize("listener", ["port", "display_port"])
def test_old_tls_is_refused(department: Department, listener: str) -> None:
    """A client that knows nothing newer than TLS 1.1 is turned away by every listener; 1.2 is not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(department.certificates / "ca.pem")
    if department.passwords is None:
        own = department.certificates / "room-1.pem"
        context.load_cert_chain(own, own.with_suffix(".key"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    address = HERE, int(getattr(department, listener))
    with (
        socket.create_connection(address, 10) as link,
        context.wrap_socket(link, server_hostname=HERE) as tls,
    ):
        assert tls.version() == "TLSv1.2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it is deprecated to be let in, too
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(address, 10) as link,
        pytest.raises(OSError, match="tlsv1 alert"),
    ):
        context.wrap_socket(link, server_hostname=HERE)


@pytest.mark.parametrize(
    ("writer", "topic", "reader", "arrives"),
    [
        # an appliance hears its own commands, and nobody else's
        ("ward-pc", "room-1/command/start", "room-1", True),
        ("room-1", "room-2/command/start", "room-1", False),
        ("ward-pc", "room-2/command/start", "room-2", False),
        # nobody but a command client commands another device
        ("room-2", "room-1/command/start", "room-1", False),
        ("room-2", "room-1/result", "ward-pc", False),
        # a command client hears the answers to itself, and what the device tells
        ("room-1", "room-1/answer/ward-pc", "ward-pc", True),
        ("room-1", "room-1/answer/ward-pc/7", "ward-pc", True),
        ("room-1", "room-1/answer/another-pc", "ward-pc", False),
        ("room-1", "room-1/exam", "ward-pc", True),
        # and neither another device's, nor the commands of others
        ("room-2", "room-2/exam", "ward-pc", False),
        ("room-2", "room-2/answer/ward-pc", "ward-pc", False),
        ("room-1", "room-1/command/serum", "ward-pc", False),
        # it speaks for no device, not even for one of its own name
        ("ward-pc", "room-1/result", "ward-pc", False),
        ("ward-pc", "room-1/answer/ward-pc", "ward-pc", False),
        ("ward-pc", "ward-pc/status", "ward-pc", False),
    ],
)
def test_everybody_has_their_own_rights_only(
    by_certificate: Department, writer: str, topic: str, reader: str, *, arrives: bool
) -> None:
    """What is published outside of one's rights reaches nobody."""
    assert by_certificate.arrives(writer, f"{ROOT}/{topic}", reader) is arrives


def test_rights_are_the_same_for_passwords(department: Department) -> None:
    """Whoever commands room 1 by password or certificate commands no other room and speaks for no device."""
    assert department.arrives("ward-pc", f"{ROOT}/room-1/command/start", "room-1")
    assert not department.arrives("ward-pc", f"{ROOT}/room-2/command/start", "room-2")
    assert not department.arrives("ward-pc", f"{ROOT}/room-1/result", "ward-pc")


def test_display_reads_what_devices_tell_and_cannot_write(department: Department) -> None:
    """A display sees a room's retained status over WebSockets; it cannot change it, nor hear a command."""
    topic, command = f"{ROOT}/room-2/status", f"{ROOT}/room-1/command/serum"
    assert department.publish("room-2", topic, "-r")
    heard: list[tuple[str, bytes]] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, transport="websockets", protocol=paho.MQTTv5)
    client.tls_set(str(department.certificates / "ca.pem"))
    client.on_connect = lambda c, *_: c.subscribe(f"{ROOT}/#", 1)
    client.on_message = lambda _c, _u, message: heard.append((message.topic, bytes(message.payload)))
    client.connect(HERE, department.display_port)
    client.loop_start()
    last = f"{ROOT}/room-1/exam"
    try:
        _await(lambda: (topic, b"hello") in heard)
        client.publish(topic, "forged", 1, retain=True).wait_for_publish(20)
        client.publish(command, "forged", 1).wait_for_publish(20)
        assert department.publish("ward-pc", command)
        assert department.publish("room-1", f"{ROOT}/room-1/answer/ward-pc")
        assert department.publish("room-1", last)
        _await(lambda: (last, b"hello") in heard)
    finally:
        client.disconnect()
        client.loop_stop()
    told = {topic: payload for topic, payload in heard if topic.startswith(ROOT)}
    assert told[topic] == b"hello"
    assert not [topic for topic in told if "/command/" in topic or "/answer/" in topic]
    assert b"forged" not in told.values()


def _await(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    "names",
    [
        ("site",),
        ("a/b", HERE, "room"),
        ("site", "bro ker", "room"),
        ("site", HERE, "room+"),
        ("site", HERE, "broker"),
        ("site", HERE, "room", "--commander"),
        ("site", HERE, "room", "--commander", "pc"),
        ("site", HERE, "room", "--commander", "room", "room"),
        ("site", HERE, "room", "--commander", "p/c", "room"),
        ("site", HERE, "room", "--chief", "pc"),
        ("site", HERE, "room", "--page"),
        ("site", HERE, "room", "--page", "a host"),
        ("site", HERE, "page-room"),
        ("site", "--revoke", "room"),
    ],
)
def test_wrong_names_are_refused_in_one_line(tmp_path: Path, names: tuple[str, ...]) -> None:
    """A name that is no topic level, is taken, or is missing ends with exit code 2 and one line."""
    told = make_certificates(tmp_path / "out", *names)
    assert told.returncode == 2, told.stdout
    assert len(told.stderr.splitlines()) == 1


def test_a_second_run_adds_and_keeps(certificates: Path, tmp_path: Path) -> None:
    """A device that is added later gets certificate and rights, what is there stays, keys stay private."""
    folder = tmp_path / "later"
    shutil.copytree(certificates, folder)
    before = {path.name: path.read_bytes() for path in folder.glob("*.pem")}
    told = make_certificates(folder, SITE, HERE, "room-1", "room-3")
    assert told.stdout.splitlines() == ["kept     broker.pem", "kept     room-1.pem", "made     room-3.pem"]
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.glob("*.key"))
    with running(folder, "fibrostage.conf") as department:
        assert knocks(department, "room-3")
        assert department.arrives("ward-pc", f"{ROOT}/room-1/command/start", "room-1")


def test_a_revoked_certificate_opens_nothing(certificates: Path, tmp_path: Path) -> None:
    """A lost PC: its certificate still connects, but nothing it writes arrives, and its name is used up."""
    folder = tmp_path / "lost"
    shutil.copytree(certificates, folder)
    told = make_certificates(folder, SITE, "--revoke", "ward-pc")
    assert told.returncode == 0, told.stderr
    with running(folder, "fibrostage.conf") as department:
        topic = f"{ROOT}/room-1/command/start"
        assert not department.arrives("revoked/ward-pc", topic, "room-1")
        assert department.arrives("room-1", topic, "room-1")
    again = make_certificates(folder, SITE, HERE, "room-1", "--commander", "ward-pc", "room-1")
    assert again.returncode == 2
    assert "was revoked" in again.stderr
