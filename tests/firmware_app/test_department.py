"""The department page in a real Chromium, fed by real payloads over a real mosquitto."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from firmware_app.config import MqttConfig
from firmware_app.exam.events import Event, PatientChanged, SerumEntered
from firmware_app.exam.machine import advance
from firmware_app.exam.state import Exam
from firmware_app.serum import Serum
from firmware_app.video.capture_state import CaptureState
from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.mqtt import Ward
from firmware_app.ward.publication import Appliance, publication_of, status_message
from firmware_app.wording import NOTICE
from tests.axe import violations
from tests.firmware_app.exam_examples import BIRTH, acquired, appliance, moment, refused, uid

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "firmware_app" / "department"
BUNDLES = (SOURCE / "node_modules/mqtt/dist/mqtt.min.js", ROOT / "build/department/mqtt.min.js")
MQTT_JS = next((path for path in BUNDLES if path.exists()), None)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"),
    pytest.mark.skipif(MQTT_JS is None, reason="mqtt.js is not installed: make setup-test"),
    pytest.mark.skipif(
        shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin") is None,
        reason="mosquitto is not installed",
    ),
]


class Room:
    """An appliance that publishes what the exam says."""

    def __init__(self, broker: PrivateBroker, speaker: Appliance) -> None:
        self.speaker = speaker
        self.exam = Exam()
        birth, death = (
            status_message(speaker, capture, BIRTH, time_trusted=True)
            for capture in (CaptureState.LIVE, None)
        )
        self.ward = Ward(
            MqttConfig(host=broker.host, port=broker.port, required=True), speaker.root, birth, death
        )
        self.ward.connect()

    def play(self, *events: Event) -> None:
        """Advance the exam and publish."""
        for event in events:
            self.exam, effects = advance(self.exam, event)
            for effect in effects:
                made = publication_of(effect, event.at, self.speaker, time_trusted=True)
                if made is not None:
                    self.ward.publish(made)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield running
        running.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[PrivateBroker]:
    """A broker that serves the page."""
    folder = tmp_path / "department"
    folder.mkdir()
    for file in (*SOURCE.glob("*.html"), *SOURCE.glob("*.css"), *SOURCE.glob("*.js")):
        shutil.copy(file, folder)
    assert MQTT_JS is not None
    shutil.copy(MQTT_JS, folder)
    with PrivateBroker(page=folder) as running:
        yield running


@pytest.fixture
def room(broker: PrivateBroker) -> Iterator[Room]:
    """One appliance, online."""
    made = Room(broker, appliance())
    yield made
    made.ward.close()


@pytest.fixture
def page(browser: Browser, broker: PrivateBroker) -> Iterator[Page]:
    """The page, open; it may write nothing to the console's error stream but lost connections."""
    complaints: list[str] = []
    opened = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="dark")
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(broker.page_url)
    yield opened
    opened.close()
    assert complaints == []


def part(page: Page, name: str) -> Locator:
    """A part of the only card."""
    return page.locator(f".card [data-part={name}]")


def test_exam_from_start_to_result(room: Room, page: Page) -> None:
    """The page follows an exam live: progress, refusal, provisional outcome, result with all its numbers."""
    expect(part(page, "room")).to_have_text("Ultrasound 1")
    expect(part(page, "state")).to_have_text("online")
    expect(part(page, "foot")).to_contain_text("OpenVINO CPU")
    expect(part(page, "outcome")).to_be_hidden()
    room.play(acquired(1))
    expect(part(page, "dots")).to_have_text("1 of 5")
    room.play(refused(2))
    expect(part(page, "sentence")).to_have_text(
        "Box not filled: hold breath, wait for a full map (82 % filled)"
    )
    room.play(acquired(3), acquired(4))
    expect(part(page, "kind")).to_have_text("Provisional, 3 acquisitions")
    expect(part(page, "sentence")).to_be_empty()
    expect(part(page, "reliability")).to_have_text("Fewer than five acquisitions")
    room.play(acquired(5), acquired(6), SerumEntered(uid(9), moment(7), Serum(64, 40, 200, 64, 50)))
    expect(part(page, "kind")).to_have_text(re.compile("^Result, "))
    expect(part(page, "stage")).to_have_text("S3")
    expect(page.locator(".scale .open")).to_have_text(["S3"])
    expect(page.locator(".bars b")).to_have_text(["95 %", "82 %", "12 %"])
    expect(part(page, "lsm")).to_have_text("9.0 kPa")
    expect(part(page, "reliability")).to_have_text("Reliable")
    expect(part(page, "methods")).to_contain_text("FIB-4")
    expect(page.locator(".strip .value")).to_have_count(5)


def test_result_of_the_last_patient_is_past_and_then_gone(room: Room, page: Page) -> None:
    """When the patient changes, the result is shown as past; the next freeze takes it away."""
    room.play(*(acquired(n) for n in range(1, 6)), PatientChanged(uid(9), moment(6)))
    expect(part(page, "outcome")).to_have_attribute("data-kind", "past")
    expect(part(page, "kind")).to_have_text(re.compile("^Last exam, "))
    expect(part(page, "sentence")).to_have_text("Patient changed: the next freeze begins a new exam")
    room.play(acquired(7))
    expect(part(page, "dots")).to_have_text("1 of 5")
    expect(part(page, "outcome")).to_be_hidden()


def test_page_opened_late_shows_what_is_retained(room: Room, browser: Browser, broker: PrivateBroker) -> None:
    """A display that is switched on after the exam shows its result, also through ?broker=."""
    room.play(*(acquired(n) for n in range(1, 6)))
    page = browser.new_page()
    page.goto(f"{broker.page_url}index.html?broker=ws://{broker.host}:{broker.web_port}/mqtt")
    expect(part(page, "stage")).to_have_text("S3")
    page.close()


def test_names_are_text(broker: PrivateBroker, page: Page) -> None:
    """A room's name that is HTML is shown as it is written, and runs nothing."""
    name = "<img src=x onerror=document.title='run'>"
    made = Room(broker, appliance(room=name))
    expect(part(page, "room")).to_have_text(name)
    assert page.locator(".card img").count() == 0
    assert page.title() == "fibrostage"
    made.ward.close()


def test_offline_appliance_is_told(room: Room, page: Page) -> None:
    """An appliance that stops is shown as offline."""
    expect(part(page, "state")).to_have_text("online")
    room.ward.close()
    expect(part(page, "state")).to_have_text("offline")


def test_two_appliances_stand_beside_each_other(room: Room, broker: PrivateBroker, page: Page) -> None:
    """Each appliance has its own card, in the order of their names."""
    other = Room(broker, appliance(device="a-first", room="Endoscopy"))
    other.play(acquired(1))
    expect(page.locator(".card h2")).to_have_text(["Endoscopy", "Ultrasound 1"])
    expect(page.locator(".card .count")).to_have_text(["1 of 5", "0 of 5"])
    other.ward.close()


def test_outage_is_told_and_survived(room: Room, broker: PrivateBroker, page: Page) -> None:
    """Without a broker the page says so; one that comes back and has forgotten everything is told again."""
    room.play(*(acquired(n) for n in range(1, 6)))
    expect(part(page, "stage")).to_have_text("S3")
    broker.stop()
    expect(page.locator("#link")).to_have_text(re.compile("^No broker since .*not up to date$"))
    broker.start()
    expect(page.locator("#link")).to_have_text("Live", timeout=15_000)
    expect(part(page, "state")).to_have_text("online", timeout=15_000)
    expect(part(page, "stage")).to_have_text("S3", timeout=15_000)


def test_unreadable_messages_harm_only_their_own_card(room: Room, broker: PrivateBroker, page: Page) -> None:
    """A result without its fields, or no JSON at all, blanks one card; the others go on."""
    stranger = appliance(device="a-stranger", room="Stranger").root
    for topic, payload in (("exam", "no json"), ("result", '{"type": "result"}')):
        address = ["-h", broker.host, "-p", str(broker.port), "-V", "mqttv5"]
        message = ["-t", f"{stranger}/{topic}", "-m", payload, "-r"]
        subprocess.run(["mosquitto_pub", *address, *message], check=True)
    room.play(*(acquired(n) for n in range(1, 6)))
    expect(page.locator(".card [data-part=sentence]").first).to_have_text(re.compile("another version"))
    expect(page.locator(".card [data-part=stage]").nth(1)).to_have_text("S3")


def test_expired_result_leaves_the_page(room: Room, page: Page) -> None:
    """A result that the broker forgets is forgotten by the page too."""
    for event in (acquired(n) for n in range(1, 6)):
        room.exam, effects = advance(room.exam, event)
    made = publication_of(effects[1], moment(5), room.speaker, time_trusted=True)
    assert made is not None
    room.ward.publish(replace(made, expiry_s=2))
    expect(part(page, "stage")).to_have_text("S3")
    expect(part(page, "outcome")).to_be_hidden(timeout=8_000)


@pytest.mark.parametrize(
    ("size", "scheme"), [((360, 740), "dark"), ((390, 844), "light"), ((1920, 1080), "light")]
)
def test_fits_phone_and_wall_in_dark_and_light(
    room: Room, browser: Browser, broker: PrivateBroker, size: tuple[int, int], scheme: str
) -> None:
    """On a phone and on a wall nothing is cut off sideways, the notice is in view, the scheme is obeyed."""
    room.play(*(acquired(n) for n in range(1, 6)))
    page = browser.new_page(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page.goto(broker.page_url)
    expect(part(page, "stage")).to_have_text("S3")
    expect(page.locator("#notice")).to_have_text(NOTICE)
    expect(page.locator("#notice")).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(ground) < 120) == (scheme == "dark")
    page.close()


def test_axe_finds_what_is_wrong(browser: Browser) -> None:
    """The check can fail: a picture without words and pale text are reported."""
    page = browser.new_page()
    page.set_content(
        "<html lang=en><title>x</title><main><h1>x</h1><img src=data:,><p style='color:#ccc'>pale</p></main>"
    )
    found = violations(page)
    page.close()
    assert {line.split(" ")[0] for line in found} == {"image-alt", "color-contrast"}
