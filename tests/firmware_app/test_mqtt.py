"""The ward against a real mosquitto: birth, will, retained results, outages, refusals."""

from __future__ import annotations

import json
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_app.config import MqttConfig
from firmware_app.errors import BrokerError, ConfigError
from firmware_app.exam.events import Event, PatientChanged
from firmware_app.video.capture_state import CaptureState
from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.link import LinkState
from firmware_app.ward.mqtt import Ward
from firmware_app.ward.publication import Publication, publication_of, status_message
from firmware_app.ward.subscriber import Received, Subscriber
from firmware_app.wording import NOTICE
from tests.firmware_app.exam_examples import BIRTH, acquired, after, appliance, moment, uid

ROOT = appliance().root
FIVE: tuple[Event, ...] = tuple(acquired(n) for n in range(1, 6))

pytestmark = pytest.mark.skipif(
    shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin") is None,
    reason="mosquitto is not installed",
)


@pytest.fixture
def broker() -> Iterator[PrivateBroker]:
    """A real broker."""
    with PrivateBroker() as running:
        yield running


def settings(broker: PrivateBroker, **further: str | int | bool | Path) -> MqttConfig:
    """The configuration that reaches this broker, as an unattended device has it."""
    address = {"host": broker.host, "port": broker.port}
    return MqttConfig.model_validate({**address, "required": False, **further})


@contextmanager
def ward(config: MqttConfig) -> Iterator[Ward]:
    """A connected ward; afterwards none of its threads is left."""
    before = set(threading.enumerate())
    speaker = appliance()
    birth = status_message(speaker, CaptureState.LIVE, BIRTH, time_trusted=True)
    death = status_message(speaker, None, BIRTH, time_trusted=True)
    made = Ward(config, speaker.root, birth, death)
    try:
        made.connect()
        yield made
    finally:
        made.close()
        assert {t.name for t in threading.enumerate()} == {t.name for t in before}


@contextmanager
def heard(config: MqttConfig, topic: str) -> Iterator[queue.Queue[Received]]:
    """What an independent subscriber receives."""
    messages: queue.Queue[Received] = queue.Queue()
    subscriber = Subscriber(config, f"{ROOT}/{topic}", messages.put)
    try:
        yield messages
    finally:
        subscriber.close()


def retained(config: MqttConfig, topic: str, wait_s: float = 2.0) -> dict[str, object] | None:
    """What a subscriber that comes late is told; None: nothing within the time."""
    with heard(config, topic) as messages:
        try:
            return dict(json.loads(messages.get(timeout=wait_s).payload))
        except queue.Empty:
            return None


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until it holds, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def publish(to: Ward, *events: Event) -> None:
    """Publish what these events bring about, and wait until the broker has it."""
    for count, event in enumerate(events, start=1):
        for effect in after(*events[:count])[1]:
            made = publication_of(effect, event.at, appliance(), time_trusted=True)
            if made is not None:
                to.publish(made)
    wait_for(lambda: to.link.queued == 0)


def acquisition_publication(number: int) -> Publication:
    """The acquisition of that number, as a message."""
    _, effects = after(acquired(number))
    made = publication_of(effects[1], moment(number), appliance(), time_trusted=True)
    assert made is not None
    return made


def test_subscriber_of_the_documentation_hears_a_result(broker: PrivateBroker) -> None:
    """The ten lines of docs/integrate.md, run as they stand, print a result with its notice."""
    page = (Path(__file__).parents[2] / "docs" / "integrate.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    with (
        ward(settings(broker, required=True)) as running,
        subprocess.Popen(
            [sys.executable, "-c", code, broker.host, str(broker.port)], stdout=subprocess.PIPE, text=True
        ) as listener,
    ):
        assert listener.stdout is not None
        publish(running, *FIVE)
        line = listener.stdout.readline()
        listener.kill()
    assert line.startswith(appliance().device)
    assert NOTICE in line


def test_birth_is_retained_and_death_follows_a_clean_stop(broker: PrivateBroker) -> None:
    """A late subscriber sees the appliance online; after a clean stop it sees it offline."""
    with ward(settings(broker, required=True)):
        born = retained(settings(broker), "status")
        assert born is not None
        assert (born["state"], born["capture"]) == ("online", "live")
    dead = retained(settings(broker), "status")
    assert dead is not None
    assert (dead["state"], dead["capture"]) == ("offline", None)


def test_newest_status_replaces_the_birth(broker: PrivateBroker) -> None:
    """A status that changes while running is what a late subscriber sees."""
    with ward(settings(broker, required=True)) as running, heard(settings(broker), "status") as messages:
        running.publish_status(status_message(appliance(), CaptureState.NO_SIGNAL, BIRTH, time_trusted=True))
        wait_for(lambda: any(b"no_signal" in m.payload for m in list(messages.queue)))
        now = retained(settings(broker), "status")
        assert now is not None
        assert now["capture"] == "no_signal"


KILLED = """
import sys, time
from firmware_app.config import MqttConfig
from firmware_app.ward.mqtt import Ward
from firmware_app.ward.publication import status_message
from firmware_app.video.capture_state import CaptureState
from tests.firmware_app.exam_examples import BIRTH, appliance
speaker = appliance()
statuses = [status_message(speaker, state, BIRTH, time_trusted=True) for state in (CaptureState.LIVE, None)]
Ward(MqttConfig(host=sys.argv[1], port=int(sys.argv[2]), required=True), speaker.root, *statuses).connect()
time.sleep(60)
"""


def test_killed_appliance_is_reported_offline(broker: PrivateBroker) -> None:
    """When the appliance is killed, the broker publishes its will, retained."""
    with heard(settings(broker), "status") as messages:
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, broker.host, str(broker.port)], cwd=Path(__file__).parents[2]
        )
        try:
            assert json.loads(messages.get(timeout=20).payload)["state"] == "online"
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert json.loads(messages.get(timeout=5).payload)["state"] == "offline"
    late = retained(settings(broker), "status")
    assert late is not None
    assert late["state"] == "offline"


def test_result_is_retained_until_the_next_exam(broker: PrivateBroker) -> None:
    """A late subscriber sees the result; when the next exam begins it is gone."""
    with ward(settings(broker, required=True)) as running:
        publish(running, *FIVE)
        result = retained(settings(broker), "result")
        assert result is not None
        assert (result["id"], result["n_acquisitions"]) == (str(uid(1005)), 5)
        publish(running, *FIVE, PatientChanged(uid(9), moment(6)), acquired(7))
        assert retained(settings(broker), "result", wait_s=0.3) is None
        assert retained(settings(broker), "acquisition", wait_s=0.3) is None


def test_retained_message_expires(broker: PrivateBroker) -> None:
    """A retained message is forgotten by the broker when its time is over."""
    _, effects = after(acquired(1))
    made = publication_of(effects[-1], moment(1), appliance(), time_trusted=True)
    assert made is not None
    with ward(settings(broker, required=True)) as running:
        running.publish(replace(made, expiry_s=3))
        wait_for(lambda: running.link.queued == 0)
        assert retained(settings(broker), "exam") is not None
        wait_for(lambda: retained(settings(broker), "exam", wait_s=0.3) is None)


def test_order_holds_over_an_outage(broker: PrivateBroker) -> None:
    """What is published while the broker is away arrives afterwards, complete and in order."""
    with ward(settings(broker, required=True)) as running:
        running.publish(acquisition_publication(1))
        wait_for(lambda: running.link.queued == 0)
        broker.stop()
        wait_for(lambda: running.link.state is LinkState.LOST)
        for number in range(2, 32):
            running.publish(acquisition_publication(number))
        time.sleep(1.2)
        assert running.link.queued == 30
        broker.start()
        with heard(settings(broker), "acquisition") as messages:
            arrived = [json.loads(messages.get(timeout=15).payload)["id"] for _ in range(30)]
            assert arrived == [str(uid(number)) for number in range(2, 32)]
            born = retained(settings(broker), "status")
            assert born is not None
            assert born["state"] == "online"


def test_wrong_password_is_told_as_a_refusal(tmp_path: Path) -> None:
    """A wrong password is a refusal, not a lost connection: in the error, and in the link."""
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(passwords), "fibrostage", "right"], check=True)
    for name in ("right", "wrong"):
        (tmp_path / name).write_text(f"{name}\n", encoding="utf-8")
    with PrivateBroker(password_file=passwords) as broker:
        account: dict[str, str | bool | Path] = {
            "username": "fibrostage",
            "password_file": tmp_path / "wrong",
        }
        with (
            pytest.raises(BrokerError, match=r"refuses the connection \(Not authorized\)"),
            ward(settings(broker, required=True, **account)),
        ):
            pass
        with ward(settings(broker, **account)) as running:
            wait_for(lambda: running.link.state is LinkState.REFUSED)
            assert running.link.detail == "Not authorized"
        account["password_file"] = tmp_path / "right"
        with ward(settings(broker, required=True, **account)) as running:
            assert running.link.state is LinkState.CONNECTED


def test_no_broker_where_one_is_required(broker: PrivateBroker) -> None:
    """Without a broker that is required, connecting fails with one sentence that names the address."""
    broker.stop()
    with (
        pytest.raises(BrokerError, match=f"no broker at 127.0.0.1:{broker.port} .*refused") as refusal,
        ward(settings(broker, required=True)),
    ):
        pass
    assert "\n" not in str(refusal.value)
    with pytest.raises(BrokerError, match="no broker at"):
        Subscriber(settings(broker), "#", lambda _: None)


def test_broker_that_comes_late_gets_everything(broker: PrivateBroker) -> None:
    """Without a broker the appliance runs on; when one comes, it gets the birth and what waited."""
    broker.stop()
    with ward(settings(broker)) as running:
        wait_for(lambda: running.link.state is LinkState.UNREACHABLE)
        for event in FIVE:
            for effect in after(*FIVE[: FIVE.index(event) + 1])[1]:
                made = publication_of(effect, event.at, appliance(), time_trusted=True)
                assert made is not None
                running.publish(made)
        broker.start()
        wait_for(lambda: running.link.queued == 0)
        result = retained(settings(broker), "result")
        assert result is not None
        assert result["id"] == str(uid(1005))


def test_publishing_never_waits(broker: PrivateBroker) -> None:
    """A broker that hangs delays nobody: publishing returns, the queue is bounded, results stay."""
    with ward(settings(broker, required=True, queue=50)) as running:
        wait_for(lambda: running.link.state is LinkState.CONNECTED)
        broker.pause()
        _, effects = after(*FIVE)
        result = publication_of(effects[1], moment(5), appliance(), time_trusted=True)
        assert result is not None
        lesser = acquisition_publication(1)
        running.publish(result)
        for _ in range(1000):
            running.publish(lesser)
        assert (running.link.queued, running.link.dropped) == (50, 951)
        broker.resume()
        wait_for(lambda: running.link.queued == 0)
        assert retained(settings(broker), "result") is not None


# paho leaves the socket of a failed handshake to the garbage collector, which warns
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_with_the_hospital_s_own_authority(tmp_path: Path) -> None:
    """With TLS the broker's certificate is checked: against its authority it passes, against others not."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    certificate, key = tmp_path / "broker.pem", tmp_path / "broker.key"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    with PrivateBroker(listener=(f"certfile {certificate}", f"keyfile {key}")) as broker:
        with ward(settings(broker, required=True, tls=True, ca_file=certificate)) as running:
            assert running.link.state is LinkState.CONNECTED
        with (
            pytest.raises(BrokerError, match="not as an MQTT broker"),
            ward(settings(broker, required=True, tls=True)),
        ):
            pass


def test_message_that_the_broker_refuses_blocks_nothing(tmp_path: Path) -> None:
    """A message that the broker does not allow is given up and logged; the next one goes through."""
    rights = tmp_path / "acl"
    rights.write_text(f"topic read #\ntopic write {ROOT}/status\ntopic write {ROOT}/exam\n", encoding="utf-8")
    with (
        PrivateBroker(listener=(f"acl_file {rights}",)) as broker,
        ward(settings(broker, required=True)) as running,
    ):
        publish(running, acquired(1))
        exam = retained(settings(broker), "exam")
        assert exam is not None
        assert exam["n"] == 1
        assert retained(settings(broker), "result", wait_s=0.2) is None


@pytest.mark.parametrize(
    ("further", "words"),
    [
        ({"username": "a", "password_file": "/nowhere/password"}, "password_file .* cannot be read"),
        ({"tls": True, "ca_file": "/nowhere/ca.pem"}, "certificates"),
    ],
)
def test_unusable_secrets_are_a_configuration_error(further: dict[str, str | bool], words: str) -> None:
    """A password or certificate that cannot be read is refused by name before anything is sent."""
    birth = status_message(appliance(), CaptureState.LIVE, BIRTH, time_trusted=True)
    with pytest.raises(ConfigError, match=words):
        Ward(MqttConfig.model_validate(further), ROOT, birth, birth)
