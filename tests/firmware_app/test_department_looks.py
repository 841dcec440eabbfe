"""How the department page looks: on a wall, a tablet and a phone, in three languages, in dark and light.

The pictures stay in `build/screenshots`.
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from firmware_app.exam.events import Acquired, PatientChanged
from firmware_app.exam.state import Phase
from firmware_app.video.capture_state import CaptureState
from firmware_app.ward.broker import PrivateBroker
from firmware_app.wording import Rung
from tests.axe import AXE_JS, violations
from tests.firmware_app.department_ward import (
    CHROMIUM,
    MQTT_JS,
    ROOT,
    Hospital,
    chromium,
    delays_ms,
    page_in,
    until,
)
from tests.firmware_app.exam_examples import acquired, acquisition, appliance, moment, refused, uid

SCREENSHOTS = ROOT / "build" / "screenshots"
SIZES = {"wall": (1920, 1080), "tablet": (820, 1180), "phone": (390, 844)}
LONG = "Endosonographie und Leberambulanz, Raum 3.214"
CUT = """() => {
    const texts = '.state, .phase, .count, .kind, .stage, .lsm strong, .bars b, .scale span, .link, .clock,'
        + '.notice, .summary span';
    const shown = [...document.querySelectorAll(texts)].filter((node) => node.checkVisibility());
    const found = shown.filter((node) => {
        const box = node.getBoundingClientRect();
        const frame = (node.closest('.card') ?? document.body).getBoundingClientRect();
        const outside = box.right > frame.right + 1 || box.bottom > frame.bottom + 1;
        return outside || (node.clientWidth > 0 && node.scrollWidth > node.clientWidth + 1);
    }).map((node) => `${node.className} ${node.textContent}`);
    if (document.documentElement.scrollWidth > innerWidth) found.push('the page is wider than the screen');
    return found;
}"""
"""What is cut off: it reaches out of its card, or does not fit its own box."""
GROUND = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"),
    pytest.mark.skipif(MQTT_JS is None or AXE_JS is None, reason="not installed: make setup-test"),
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


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateBroker]:
    """A broker that serves the page, with every state that a card can have."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page = page_in(tmp_path_factory.mktemp("page") / "department")
    with PrivateBroker(page=page) as running, Hospital(running) as hospital:
        every_state(hospital)
        yield running


def scored(number: int, ge_s2: float) -> Acquired:
    """An acquisition with these log-odds of >=S2: 0 leaves the stage open, -3 makes it S0-S1."""
    made = acquisition(number, logits=(ge_s2, -4.0, -5.0))
    return Acquired(uid(1000 + number), made.at, made)


def every_state(hospital: Hospital) -> None:
    """Thirteen rooms: each kind of trouble, each phase, each kind of outcome."""
    whole = [acquired(n) for n in range(1, 6)]
    hospital.room().status(CaptureState.UNSUPPORTED_TIMING)
    hospital.room().status(CaptureState.FROZEN_SOURCE)
    held = hospital.room()
    exam = {"type": "exam", "phase": "held", "n": 2, "needed": 5, "exam_id": "x", "text": "?"}
    held.line.send(f"{held.speaker.root}/exam", json.dumps(exam), retain=True)
    hospital.room(appliance("us-long", LONG)).play(acquired(1), refused(2), *(acquired(n) for n in (3, 4)))
    hospital.room().play(acquired(1), refused(2))
    hospital.room().play(*whole)
    hospital.room(appliance("us-lsm", "Ultrasound 7", with_model=False)).play(*whole)
    hospital.room().play(*whole, PatientChanged(uid(9), moment(6)))
    hospital.room(replace(appliance("us-gpu", "Ultrasound 9"), degraded=(Rung.GPU_LOST,)))
    hospital.room(appliance("us-open", "Ultrasound 10")).play(*(scored(n, 0.0) for n in range(1, 6)))
    hospital.room().status(CaptureState.STARTING)
    hospital.room()
    gone = hospital.room()
    gone.play(*whole)
    gone.status(None)


@pytest.mark.parametrize("language", ["en", "de", "zh"])
def test_nothing_is_cut_off_and_axe_is_content(
    browser: Browser, broker: PrivateBroker, language: str
) -> None:
    """At every size and in both colour schemes: no text is cut off, no rule of accessibility is broken."""
    page = browser.new_page()
    page.goto(f"{broker.page_url}?lang={language}")
    for name, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
            ready(page, 13)
            where = f"{language} {name} {scheme}"
            page.screenshot(path=SCREENSHOTS / f"department-{language}-{name}-{scheme}.png")
            assert page.evaluate(CUT) == [], where
            assert violations(page) == [], where
            expect(page.locator("#notice")).to_be_in_viewport(ratio=1)
            ground = page.evaluate(
                "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
            )
            assert (sum(ground) < 120) == (scheme == "dark")
    page.close()


def test_few_cards_show_everything(browser: Browser, tmp_path: Path) -> None:
    """One, two and four appliances fill a wall with whole cards; accessible, and nothing is cut off."""
    with PrivateBroker(page=page_in(tmp_path / "department")) as broker, Hospital(broker) as hospital:
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.goto(broker.page_url)
        for number in range(1, 5):
            room = hospital.room()
            room.play(*(scored(n, 3.0 * (number % 3 - 1)) for n in range(1, 6)))
            if number == 4:
                room.play(PatientChanged(uid(9), moment(6)))
            ready(page, number)
            assert page.evaluate(CUT) == []
            assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
            assert violations(page) == []
            expect(page.locator(".methods").first).to_be_visible()
            page.screenshot(path=SCREENSHOTS / f"department-{number}.png")
        page.close()


def ready(page: Page, cards: int) -> None:
    """Wait until that many cards stand in their order."""
    expect(page.locator(".card")).to_have_count(cards, timeout=20_000)
    expect(page.locator("#link")).to_have_attribute("data-state", "live")
    until(page, "settling === 0")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_hundred_appliances_are_shown_at_once_and_followed(browser: Browser, tmp_path: Path) -> None:
    """A hundred appliances fit on a wall; a message is on the screen within the blink of an eye.

    The strict figures are measured by `benchmarks/department.py` on a quiet machine: 1.5 s and 200 ms. Here,
    with the machine busy, thrice as much is allowed, and of three rounds one has to hold.
    """
    with PrivateBroker(page=page_in(tmp_path / "department")) as broker, Hospital(broker) as hospital:
        hospital.mixed(100)
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.goto(broker.page_url)
        ready(page, 100)
        painted_ms = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        assert painted_ms <= 4_500
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        assert page.evaluate(CUT) == []
        assert violations(page) == []
        page.screenshot(path=SCREENSHOTS / "department-100.png")
        rounds = (statistics.median(delays_ms(page, hospital, 12)) for _ in range(3))
        assert any(median_ms <= 600 for median_ms in rounds)
        page.close()


@pytest.fixture
def words_page(browser: Browser, broker: PrivateBroker) -> Iterator[Page]:
    """The page, for a look at its words."""
    page = browser.new_page()
    page.goto(broker.page_url)
    yield page
    page.close()


def test_three_languages_are_complete(words_page: Page) -> None:
    """Every language has every word with the same blanks, for every state and phase of the contract."""
    words = words_page.evaluate("WORDS")
    flat = {language: dict(_flat(table)) for language, table in words.items()}
    assert set(flat) == {"en", "de", "zh"}
    for language, table in flat.items():
        assert set(table) == set(flat["en"]), language
        for key, text in table.items():
            assert text.strip(), (language, key)
            assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", flat["en"][key])), key
    assert {state.value for state in CaptureState} <= set(words["en"]["state"])
    assert {phase.value for phase in Phase} <= set(words["en"]["phase"])
    assert set(words_page.evaluate("RANKS")) == set(words["en"]["attention"])


def _flat(table: dict[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, str(value)


def test_language_is_the_address_or_the_browsers(words_page: Page) -> None:
    """?lang= decides, else the browser, else English."""
    for query, tag, wanted in (
        ("", "de-AT", "de"),
        ("", "zh-TW", "zh"),
        ("", "fr-FR", "en"),
        ("?lang=zh", "de-DE", "zh"),
        ("?lang=xx", "de-DE", "de"),
        ("?lang=constructor", "", "en"),
    ):
        assert words_page.evaluate("([query, tag]) => languageOf(query, [tag])", [query, tag]) == wanted


def test_axe_finds_what_is_wrong(browser: Browser) -> None:
    """The check can fail: a picture without words and pale text are reported."""
    page = browser.new_page()
    page.set_content(
        "<html lang=en><title>x</title><main><h1>x</h1><img src=data:,><p style='color:#ccc'>pale</p></main>"
    )
    found = violations(page)
    page.close()
    assert {line.split(" ")[0] for line in found} == {"image-alt", "color-contrast"}
