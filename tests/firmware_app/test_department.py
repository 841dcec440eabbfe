"""The department page in a real Chromium, fed by real payloads over a real mosquitto."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from firmware_app.config import MqttConfig
from firmware_app.department.assembly import SOURCE
from firmware_app.exam.events import PatientChanged, SerumEntered
from firmware_app.serum import Serum
from firmware_app.video.capture_state import CaptureState
from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.mqtt import Ward
from firmware_app.ward.publication import publication_of, status_message
from firmware_app.wording import NOTICE, Rung
from tests.firmware_app.department_ward import (
    CHROMIUM,
    MQTT_JS,
    ROOT,
    Hospital,
    Room,
    chromium,
    page_in,
    until,
)
from tests.firmware_app.exam_examples import BIRTH, acquired, after, appliance, moment, refused, uid

SCREENSHOTS = ROOT / "build" / "screenshots"
LIVE = CaptureState.LIVE
SORTED_MS = 15_000
"""The cards find their order within some seconds, on a busy machine too."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"),
    pytest.mark.skipif(MQTT_JS is None, reason="mqtt.js is not installed: make setup-test"),
    pytest.mark.skipif(
        shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin") is None,
        reason="mosquitto is not installed",
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium."""
    with chromium() as running:
        yield running


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[PrivateBroker]:
    """A broker that serves the page."""
    with PrivateBroker(page=page_in(tmp_path / "department")) as running:
        yield running


@pytest.fixture
def hospital(broker: PrivateBroker) -> Iterator[Hospital]:
    """No room yet."""
    with Hospital(broker) as made:
        yield made


@pytest.fixture
def room(hospital: Hospital) -> Room:
    """One appliance, online."""
    return hospital.room(appliance())


Opener = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser, broker: PrivateBroker) -> Iterator[Opener]:
    """Opens the page; no page may throw an error or break its own security policy."""
    complaints: list[str] = []
    pages: list[Page] = []

    def made(query: str = "", width: int = 1280, height: int = 800) -> Page:
        page = browser.new_page(viewport={"width": width, "height": height}, locale="en-GB")
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Security" in said.text else None)
        page.goto(broker.page_url + query)
        pages.append(page)
        return page

    yield made
    for page in pages:
        page.close()
    assert complaints == []


@pytest.fixture
def page(opened: Opener) -> Page:
    """The page, open on a desk."""
    return opened()


def part(page: Page, name: str) -> Locator:
    """A part of the only card."""
    return page.locator(f".card [data-part={name}]")


def complete(room: Room) -> None:
    """Play a whole exam."""
    room.play(*(acquired(n) for n in range(1, 6)))


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
    complete(room)
    room.play(PatientChanged(uid(9), moment(6)))
    expect(part(page, "outcome")).to_have_attribute("data-kind", "past")
    expect(part(page, "kind")).to_have_text(re.compile("^Last exam, "))
    expect(part(page, "sentence")).to_have_text("Patient changed: the next freeze begins a new exam")
    room.play(acquired(7))
    expect(part(page, "dots")).to_have_text("1 of 5")
    expect(part(page, "outcome")).to_be_hidden()


def test_page_opened_late_shows_what_is_retained(room: Room, opened: Opener, broker: PrivateBroker) -> None:
    """A display that is switched on after the exam shows its result, also through ?broker=."""
    complete(room)
    page = opened(f"index.html?broker=ws://{broker.host}:{broker.web_port}/mqtt")
    expect(part(page, "stage")).to_have_text("S3")


def test_names_are_text(hospital: Hospital, page: Page) -> None:
    """A room's name that is HTML is shown as it is written, and runs nothing."""
    name = "<img src=x onerror=document.title='run'>"
    hospital.room(appliance(room=name))
    expect(part(page, "room")).to_have_text(name)
    assert page.locator(".card img").count() == 0
    assert page.title() == "fibrostage"


def test_trouble_with_the_video_is_told_with_its_remedy(room: Room, page: Page) -> None:
    """Each state of the video has its words and what to do, and raises the card's rank."""
    for capture in set(CaptureState) - {CaptureState.STARTING, CaptureState.LIVE, CaptureState.ENDED}:
        room.status(capture)
        expect(part(page, "state")).to_have_attribute("data-state", capture.value)
        expect(part(page, "state")).not_to_have_text(capture.value)
        expect(part(page, "sentence")).to_have_attribute("data-severity", "alarm")
        expect(part(page, "sentence")).not_to_be_empty()
        expect(page.locator(".card")).to_have_attribute("data-rank", "alarm")
        expect(page.locator(".summary .alarm")).to_have_text("Attention 1")


def test_unknown_state_of_the_video_is_shown_as_it_is(room: Room, page: Page) -> None:
    """An appliance of a later version may say what this page has no words for."""
    topic = f"{room.speaker.root}/status"
    room.line.send(
        topic, '{"type": "status", "state": "online", "room": "X", "capture": "upside_down"}', retain=True
    )
    expect(part(page, "state")).to_have_text("upside_down")
    expect(page.locator(".card")).to_have_attribute("data-rank", "alarm")


def test_what_the_appliance_goes_without_is_told(hospital: Hospital, page: Page) -> None:
    """The gravest rung of the degradation ladder stands on the card; those that want a technician alarm."""
    hospital.room(replace(appliance("a"), degraded=(Rung.GPU_LOST, Rung.CLOCK_UNTRUSTED)))
    hospital.room(replace(appliance("b"), degraded=(Rung.DISK_FULL,)))
    hospital.room(replace(appliance("c"), degraded=(Rung.CLOCK_UNTRUSTED,)))
    expect(page.locator(".card")).to_have_count(3)
    expect(part(page, "note")).to_have_text(
        [re.compile("^Disk nearly full"), re.compile("^GPU failed"), ""], timeout=SORTED_MS
    )
    ranks = page.evaluate("[...document.querySelectorAll('.card')].map((card) => card.dataset.rank)")
    assert ranks == ["alarm", "quiet", "quiet"]


def test_safe_mode_is_told(hospital: Hospital, page: Page) -> None:
    """An appliance that is online and cannot work says why, in its own words."""
    hospital.room(replace(appliance(), trouble="configuration: no such profile")).status(
        CaptureState.STARTING
    )
    expect(part(page, "state")).to_have_text("gives no results")
    expect(part(page, "sentence")).to_have_text("configuration: no such profile")
    expect(page.locator(".card")).to_have_attribute("data-rank", "alarm")


def test_held_exam_asks_for_an_answer(room: Room, page: Page) -> None:
    """An interrupted exam says that somebody has to decide, and comes before running ones."""
    exam = '{"type": "exam", "phase": "held", "n": 2, "needed": 5, "exam_id": "x", "text": "?"}'
    room.line.send(f"{room.speaker.root}/exam", exam, retain=True)
    expect(page.locator(".card")).to_have_attribute("data-rank", "held")
    expect(part(page, "phase")).to_have_text("Interrupted: same patient?")
    expect(part(page, "dots")).to_have_text("2 of 5")
    expect(page.locator(".summary .held")).to_have_text("Interrupted 1")


def test_what_needs_attention_stands_first(hospital: Hospital, page: Page) -> None:
    """Trouble, running exams, results, quiet ones in the order of their numbers, and offline ones last."""
    for _ in range(7):
        hospital.room()
    expect(page.locator(".card h2")).to_have_text([f"Ultrasound {n}" for n in range(1, 8)])
    first, second, _, _, fifth, sixth, _ = hospital.rooms
    first.status(None)
    second.play(PatientChanged(uid(9), moment(1)))
    complete(fifth)
    sixth.play(acquired(1))
    hospital.rooms[6].status(CaptureState.NO_CABLE)
    wanted = [f"Ultrasound {n}" for n in (7, 6, 5, 2, 3, 4, 1)]
    expect(page.locator(".card h2")).to_have_text(wanted, timeout=SORTED_MS)
    expect(page.locator(".card").last).to_have_attribute("data-rank", "offline")
    expect(part(page, "state").last).to_have_text(re.compile(r"^offline since \d\d:\d\d$"))
    expect(page.locator(".summary span:visible")).to_have_text(
        ["Attention 1", "Scanning 1", "Results 1", "Quiet 3", "Offline 1"]
    )


def test_cards_stand_still_while_somebody_reads(hospital: Hospital, page: Page) -> None:
    """As long as the reader moves, no card changes its place, though the summary tells at once."""
    for _ in range(3):
        hospital.room()
    expect(page.locator(".card")).to_have_count(3)
    expect(page.locator("#link")).to_have_text("Live")
    until(page, "settling === 0")
    page.mouse.move(10, 10)
    hospital.rooms[2].status(CaptureState.NO_SIGNAL)
    expect(page.locator(".summary .alarm")).to_have_text("Attention 1")
    for step in range(8):
        page.mouse.move(20 + step, 20)
        page.wait_for_timeout(100)
        assert page.locator(".card h2").first.inner_text() == "Ultrasound 1"
    expect(page.locator(".card h2").first).to_have_text("Ultrasound 3", timeout=SORTED_MS)


def test_only_the_changed_card_is_touched(hospital: Hospital, page: Page) -> None:
    """A message changes the nodes of its own card and of no other."""
    for _ in range(6):
        hospital.room()
    expect(page.locator(".card")).to_have_count(6)
    page.evaluate("""() => {
        window.touched = new Set();
        new MutationObserver((records) => records.forEach(({ target }) => {
            const card = (target.nodeType === 1 ? target : target.parentElement).closest('.card');
            if (card) window.touched.add(card.querySelector('h2').textContent);
        })).observe(document.querySelector('main'),
            { subtree: true, childList: true, characterData: true, attributes: true });
    }""")
    hospital.rooms[3].play(acquired(1))
    expect(page.locator(".card[data-rank=running]")).to_have_count(1)
    assert page.evaluate("[...window.touched]") == ["Ultrasound 4"]


def test_outage_is_told_and_survived(hospital: Hospital, broker: PrivateBroker, page: Page) -> None:
    """Without a broker the page says so; when it is back, only what is told again is shown as now.

    The broker has forgotten what it retained. One appliance (the real one's own connection) tells it again;
    the other does not, and stays in sight as offline.
    """
    real, gone = appliance(), hospital.room()
    birth, death = (status_message(real, capture, BIRTH, time_trusted=True) for capture in (LIVE, None))
    ward = Ward(MqttConfig(host=broker.host, port=broker.port), real.root, birth, death)
    ward.connect()
    _, effects = after(*(acquired(n) for n in range(1, 6)))
    for effect in effects:
        made = publication_of(effect, moment(5), real, time_trusted=True)
        assert made is not None
        ward.publish(made)
    complete(gone)
    expect(page.locator(".outcome:visible")).to_have_count(2)
    broker.stop()
    expect(page.locator("#link")).to_have_text(re.compile("^No broker since .*not up to date$"))
    expect(page.locator(".card")).to_have_count(2)
    broker.start()
    expect(page.locator("#link")).to_have_text("Live", timeout=30_000)
    expect(part(page, "state")).to_have_text(["online", re.compile("^offline since")], timeout=30_000)
    expect(page.locator(".outcome:visible")).to_have_count(1, timeout=30_000)
    expect(page.locator(".card[data-rank=fresh] [data-part=stage]")).to_have_text("S3")
    ward.close()


def test_unreadable_messages_harm_only_their_own_card(hospital: Hospital, page: Page) -> None:
    """A result without its fields, or no JSON at all, blanks one card; the others go on."""
    stranger = hospital.room(appliance("a-stranger", "Stranger"))
    for topic, payload in (("exam", "no json"), ("result", '{"type": "result"}')):
        stranger.line.send(f"{stranger.speaker.root}/{topic}", payload, retain=True)
        expect(page.locator(".card[data-unreadable=true] [data-part=sentence]")).to_have_text(
            re.compile("another version")
        )
    complete(hospital.room(appliance()))
    expect(page.locator(".card[data-unreadable=false] [data-part=stage]")).to_have_text("S3")


def test_expired_result_leaves_the_page(room: Room, page: Page) -> None:
    """A result that the broker forgets is forgotten by the page too."""
    room.play(*(acquired(n) for n in range(1, 6)), expiry_s=3)
    expect(part(page, "stage")).to_have_text("S3")
    expect(part(page, "outcome")).to_be_hidden(timeout=SORTED_MS)


def test_online_appliance_that_falls_silent_is_told(browser: Browser, tmp_path: Path) -> None:
    """An appliance with a heartbeat that has stopped raises an alarm; one that never had any does not.

    The same page with shorter patience: 3 s instead of 30 and 60.
    """
    source = tmp_path / "source"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    script = (source / "ward.js").read_text(encoding="utf-8")
    for patience in ("SILENT_AFTER_MS = 30_000", "UNWATCHED_AFTER_MS = 60_000"):
        assert patience in script
        script = script.replace(patience, f"{patience.split(' ', maxsplit=1)[0]} = 3_000")
    (source / "ward.js").write_text(script, encoding="utf-8")
    folder = page_in(tmp_path / "page", source)
    with PrivateBroker(page=folder) as broker, Hospital(broker) as hospital:
        beating, _never = hospital.room(), hospital.room()
        page = browser.new_page(locale="en-GB")
        page.goto(broker.page_url)
        expect(part(page, "state")).to_have_text(["online", "online"])
        beating.heartbeat()
        expect(part(page, "state")).to_have_text(
            [re.compile(r"^silent since \d\d:\d\d$"), "online, no heartbeat"], timeout=SORTED_MS
        )
        expect(page.locator(".card").first).to_have_attribute("data-rank", "alarm")
        expect(page.locator(".card").last).to_have_attribute("data-rank", "quiet")
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / "silent.png")
        beating.heartbeat()
        expect(part(page, "state").first).to_have_text("online")
        page.close()


def test_small_card_opens_with_its_name(hospital: Hospital, opened: Opener) -> None:
    """Among many, a card shows one line; its room's name opens all of it, with the keyboard too."""
    complete(hospital.room())
    for _ in range(30):
        hospital.room()
    page = opened()
    expect(page.locator(".card")).to_have_count(31)
    expect(page.locator("main")).to_have_attribute("data-shape", "compact")
    card = page.locator(".card").filter(has_text="Ultrasound 1").first
    expect(card.locator(".bars")).to_be_hidden()
    card.get_by_role("button").press("Enter")
    expect(card.locator(".bars")).to_be_visible()
    expect(card.get_by_role("button")).to_have_attribute("aria-expanded", "true")
    card.get_by_role("button").click()
    expect(card.locator(".bars")).to_be_hidden()


def test_appliance_speaks_the_readers_language(room: Room, opened: Opener) -> None:
    """What an English appliance refuses is told in German, with German numbers, under a German notice."""
    page = opened("?lang=de")
    room.play(acquired(1), refused(2))
    expect(part(page, "sentence")).to_have_text("Box nicht gefüllt: Atem anhalten, bis die Box gefüllt ist")
    room.play(acquired(3), acquired(4))
    expect(part(page, "lsm")).to_have_text("9,0 kPa")
    expect(page.locator("#notice")).to_have_text(re.compile("^Nur für Forschungszwecke"))


def test_notice_is_there_without_any_script(browser: Browser, broker: PrivateBroker) -> None:
    """The notice stands in the page itself."""
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(broker.page_url)
    expect(page.locator("#notice")).to_have_text(NOTICE)
    page.context.close()
