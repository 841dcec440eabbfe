"""The bedside page in a real Chromium: a whole exam with one hand, and what must never be shown."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from pypdf import PdfReader

from firmware_app.bedside.words import words_of
from firmware_app.config import BedsideConfig
from firmware_app.exam.events import PatientChanged, Start
from firmware_app.exam.state import Phase
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.stream_events import SignalLost
from firmware_app.wording import Language, Reason, sentences
from tests.axe import AXE_JS, violations
from tests.firmware_app.bedside_examples import Bench, bench
from tests.firmware_app.exam_examples import acquired, moment, refused, uid

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PHONE, TABLET, UPRIGHT = (390, 844), (1180, 820), (820, 1180)
SERUM = {"ast_u_l": "64", "ast_uln_u_l": "40", "platelets_g_l": "200", "alt_u_l": "64", "age_years": "50"}
SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
"""Where the screens of a run are left to be looked at."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium."""
    expect.set_options(timeout=20_000)  # a loaded machine is slow, not wrong
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield running
        running.close()


@contextmanager
def opened(
    browser: Browser,
    made: Bench,
    size: tuple[int, int] = TABLET,
    scheme: Literal["dark", "light"] = "dark",
) -> Iterator[Page]:
    """The page on a tablet; no script may fail on it."""
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(made.url)
    yield page
    page.close()
    assert complaints == []


@pytest.fixture
def made() -> Iterator[Bench]:
    """An appliance whose page needs no PIN."""
    with bench() as running:
        yield running


@pytest.fixture
def page(browser: Browser, made: Bench) -> Iterator[Page]:
    """Its page, open and connected."""
    with opened(browser, made) as shown:
        expect(shown.locator("body")).to_have_attribute("data-link", "live")
        yield shown


def command(page: Page, name: str) -> Locator:
    """The button of a command."""
    return page.locator(f"#actions [data-command={name}]")


def keep(page: Page, name: str) -> None:
    """Leave the screen to be looked at."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"bedside-{name}.png", full_page=True)


def is_painted(page: Page, selector: str) -> None:
    """A picture has arrived and has pixels."""
    expect(page.locator(selector).first).to_be_visible()
    expect(page.locator(selector).first).not_to_have_js_property("naturalWidth", 0)


def test_a_whole_exam(made: Bench, page: Page) -> None:
    """Scan, see each acquisition and refusal, discard one, enter serum values, print, finish."""
    expect(page.locator("#phase")).to_have_text("Ready for the next patient")
    expect(page.locator("#notice")).to_be_in_viewport(ratio=1)
    expect(command(page, "finish")).to_be_disabled()
    is_painted(page, "#video")
    made.play(acquired(1), refused(2), acquired(3))
    expect(page.locator("#cards .value")).to_have_text(["9.0 kPa", "9.0 kPa"])
    is_painted(page, "#cards [data-pane=elastogram]")
    is_painted(page, "#refused [data-pane=gray]")
    expect(page.locator("#refused [data-part=text]")).to_have_text("Box not filled (82 % filled)")
    expect(page.locator("#refused [data-part=remedy]")).to_have_text("hold breath, wait for a full map")
    page.locator("#cards [data-part=discard]").nth(1).click()
    expect(page.locator("#question")).to_have_text("Discard acquisition 2 (9.0 kPa)?")
    page.locator("#ask-yes").click()
    expect(page.locator("#answer")).to_have_text("Acquisition discarded")
    expect(page.locator("#count")).to_have_text("1 of 5")
    made.play(acquired(4), acquired(5))
    expect(page.locator("#kind")).to_have_text("Provisional, 3 of 5")
    made.play(acquired(6), acquired(7))
    expect(page.locator("#kind")).to_have_text("Final, 5 of 5")
    expect(page.locator("#stage")).to_have_text("S3")
    expect(page.locator("#bars b")).to_have_text(["95 %", "82 %", "12 %"])
    for key, value in SERUM.items():
        page.fill(f"#{key}", value)
    page.click("#calculate")
    expect(page.locator("#scores dd")).to_have_text(["0.80", "2.00"])
    expect(page.locator("#serum-answer")).to_have_text("Serum scores added to this exam")
    keep(page, "complete")
    with page.expect_download() as download:
        page.click("#summary")
    printed = PdfReader(BytesIO(download.value.path().read_bytes()))
    assert len(printed.pages) == 1
    command(page, "finish").click()
    page.locator("#ask-yes").click()
    expect(page.locator("#message")).to_have_text("Exam finished")
    assert made.commands == ["discard", "serum", "finish"]


def test_serum_values_never_come_back(made: Bench, page: Page) -> None:
    """What was typed is in no state, picture or summary that the appliance gives away; the scores are."""
    made.play(*(acquired(n) for n in range(1, 6)))
    said: list[str] = []
    page.on("response", lambda response: said.append(response.url))
    odd = dict(zip(SERUM, ("64.125", "40.25", "201.5", "64.75", "51.5"), strict=True))
    for key, value in odd.items():
        page.fill(f"#{key}", value)
    page.click("#calculate")
    expect(page.locator("#scores dd")).to_have_text(["0.79", "2.04"])
    with page.expect_download() as download:
        page.click("#summary")
    text = PdfReader(BytesIO(download.value.path().read_bytes())).pages[0].extract_text()
    assert "0.79" in text
    state = page.evaluate(
        """async () => {
            const reader = (await fetch("/events")).body.getReader();
            const { value } = await reader.read();
            await reader.cancel();
            return new TextDecoder().decode(value);
        }"""
    )
    for value in odd.values():
        assert value not in text
        assert value not in state
    assert all("=" not in url or "/summary.pdf?exam=" in url or "/live?" in url for url in said)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"platelets_g_l": "200000"},
            "Platelets: 200000 10\u2079/L is not plausible; 1 to 2000 10\u2079/L is",
        ),
        ({"ast_u_l": ""}, "AST is missing or not a number"),
        ({"age_years": "fifty"}, "Age is missing or not a number"),
        ({"ast_uln_u_l": "-40"}, "Upper limit of AST: -40 U/L is not plausible; 10 to 200 U/L is"),
    ],
)
def test_absurd_serum_values_are_refused_in_words(
    made: Bench, page: Page, values: dict[str, str], sentence: str
) -> None:
    """The sentence names the value and what would be plausible; nothing reaches the exam."""
    made.play(acquired(1))
    for key, value in (SERUM | values).items():
        page.fill(f"#{key}", value)
    page.click("#calculate")
    expect(page.locator("#serum-answer")).to_have_text(sentence)
    assert made.commands == []


def test_a_stale_page_cannot_touch_the_next_patient(made: Bench, page: Page) -> None:
    """A question answered after the patient changed does nothing; a late request is refused in words."""
    made.play(acquired(1), acquired(2))
    expect(page.locator("#count")).to_have_text("2 of 5")
    before = str(made.exam.id)
    command(page, "cancel").click()
    expect(page.locator("#ask")).to_be_visible()
    page.fill("#ast_u_l", "64", force=True)
    made.play(PatientChanged(uid(9), moment(6)), acquired(7))
    expect(page.locator("#ask")).to_be_hidden()
    expect(page.locator("#ast_u_l")).to_have_value("")
    expect(page.locator("#cards .value")).to_have_count(1)
    for name in ("cancel", "finish", "discard", "start"):
        answer = page.evaluate(
            """async ([name, exam_id]) => {
                const { post } = await import("/dom.js");
                return post(`/command/${name}`, { exam_id });
            }""",
            [name, before],
        )
        assert answer["ok"] is False
        assert answer["text"].startswith("Another exam is open by now: nothing was changed")
    assert made.commands == []
    assert made.exam.phase is Phase.SCANNING


def test_pictures_go_with_their_exam(made: Bench, page: Page) -> None:
    """When the patient changes, the crops of the exam are gone from the appliance and from the page."""
    made.play(acquired(1), acquired(2), acquired(3))
    is_painted(page, "#cards [data-pane=gray]")
    address = page.locator("#cards [data-pane=gray]").first.get_attribute("src")
    fetched = "async (address) => (await fetch(address)).status"
    assert page.evaluate(fetched, address) == 200
    made.play(PatientChanged(uid(9), moment(6)))
    expect(page.locator("#message")).to_have_text("Patient changed: the next freeze begins a new exam")
    assert page.evaluate(fetched, address) == 404
    expect(page.locator("#summary")).to_be_hidden()
    expect(page.locator("#outcome")).to_be_hidden()
    expect(page.locator("#cards img:visible")).to_have_count(0)


def test_a_held_exam_asks_for_the_patient(made: Bench, page: Page) -> None:
    """After an interruption the page asks; a yes goes on with the exam, whose pictures are gone."""
    made.play(acquired(1), acquired(2))
    made.hold()
    expect(page.locator("#message")).to_have_text(words_of("en").held_question)
    keep(page, "held")
    command(page, "resume").click()
    expect(page.locator("#answer")).to_have_text("The exam goes on")
    expect(page.locator("#phase")).to_have_text("Scanning")
    expect(command(page, "resume")).to_be_hidden()


def test_keyboard_alone_is_enough(made: Bench, page: Page) -> None:
    """With Tab, Enter, Escape and arrows: cancel is asked, taken back and then meant; tabs turn by arrows."""
    made.play(acquired(1))
    expect(command(page, "cancel")).to_be_enabled()
    command(page, "finish").focus()
    page.keyboard.press("Tab")
    expect(command(page, "cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#ask-back")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#ask")).to_be_hidden()
    assert made.commands == []
    command(page, "cancel").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_have_text("Exam cancelled")
    page.locator("#tab-exam").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#technician")).to_be_visible()


def test_a_lost_signal_and_a_lost_appliance_are_told(browser: Browser) -> None:
    """No cable: said over the picture. No appliance: the page says it is out of date, and commands rest."""
    with bench() as made, opened(browser, made) as page:
        made.play(acquired(1))
        expect(page.locator("#count")).to_have_text("1 of 5")
        made.lose(SignalLost(CaptureState.NO_CABLE, 2.0, "nothing is plugged in", 0))
        expect(page.locator("#veil")).to_have_text(re.compile("^No video cable: plug the cable in"))
        keep(page, "no-cable")
        made.desk._server.close()  # type: ignore[union-attr]
        expect(page.locator("#link")).to_have_text(words_of("en").lost, timeout=20_000)
        expect(command(page, "cancel")).to_have_css("pointer-events", "none")
        keep(page, "lost")


def test_the_pin_opens_the_page(browser: Browser, tmp_path: Path) -> None:
    """A wrong PIN is refused in words, the right one opens the page, and locking closes it again."""
    pin = tmp_path / "pin"
    pin.write_text("271828\n", encoding="utf-8")
    with bench(BedsideConfig(pin_file=pin)) as made, opened(browser, made, UPRIGHT, "light") as page:
        page.fill("#pin", "000000")
        page.keyboard.press("Enter")
        expect(page.locator("#answer")).to_have_text("This PIN is wrong")
        expect(page.locator("#notice")).to_be_in_viewport(ratio=1)
        keep(page, "pin")
        page.fill("#pin", "271828")
        page.keyboard.press("Enter")
        expect(page.locator("body")).to_have_attribute("data-link", "live")
        page.click("#leave")
        expect(page.locator("#pin")).to_be_visible()
        page.goto(f"{made.url}/")
        expect(page.locator("#pin")).to_be_visible()


def test_the_technician_s_view(made: Bench, page: Page) -> None:
    """Capture, runtime, rates, delay and log are pushed; what the appliance sees is drawn on demand."""
    page.click("#tab-technician")
    facts = page.locator("#facts")
    expect(facts).to_contain_text("OpenVINO CPU")
    expect(facts).to_contain_text("example-1")
    expect(facts).to_contain_text("3600 in, 3550 analysed")
    expect(facts).to_contain_text("p99 4.8 ms")
    logging.getLogger("firmware_app.example").warning("a line of the log\nand its traceback")
    expect(page.locator("#log")).to_contain_text("WARNING a line of the log")
    expect(page.locator("#log")).not_to_contain_text("traceback")
    page.click("#look")
    is_painted(page, "#registration")
    made.lose(SignalLost(CaptureState.NO_SIGNAL, 2.0, "no picture arrives", 1))
    expect(page.locator("#capture")).to_contain_text("no picture arrives")
    keep(page, "technician")


def test_an_appliance_that_does_not_answer_is_told(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an answer in time the page says to look first; too many commands are refused in words."""
    monkeypatch.setattr("firmware_app.bedside.orders.PATIENCE_S", 0.3)
    with bench(answering=False) as made, opened(browser, made) as page:
        command(page, "start").click()
        expect(page.locator("#answer")).to_have_text(words_of("en").no_answer)
        for _ in range(40):
            page.evaluate(
                "import('/dom.js').then(({ post }) => void post('/command/start', { exam_id: null }))"
            )
        command(page, "start").click()
        expect(page.locator("#answer")).to_have_text("Too many commands at once: wait a moment")


@pytest.mark.skipif(AXE_JS is None, reason="axe-core is not installed: make setup-test")
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_nobody_is_shut_out(browser: Browser, tmp_path: Path, scheme: Literal["dark", "light"]) -> None:
    """axe-core finds nothing on any screen, in dark and in light."""
    pin = tmp_path / "pin"
    pin.write_text("271828\n", encoding="utf-8")
    with bench(BedsideConfig(pin_file=pin)) as made, opened(browser, made, TABLET, scheme) as page:
        assert violations(page) == []
        page.fill("#pin", "271828")
        page.keyboard.press("Enter")
        expect(page.locator("body")).to_have_attribute("data-link", "live")
        assert violations(page) == []
        made.play(*(acquired(n) for n in range(1, 5)), refused(5), acquired(6))
        expect(page.locator("#kind")).to_have_text("Final, 5 of 5")
        page.locator("details summary").click()
        assert violations(page) == []
        command(page, "cancel").click()
        assert violations(page) == []
        page.locator("#ask-back").click()
        page.click("#tab-technician")
        expect(page.locator("#facts div").first).to_be_visible()
        assert violations(page) == []


@pytest.mark.parametrize("language", ["en", "de", "zh"])
def test_every_language_fits_phone_and_tablet(browser: Browser, language: Language) -> None:
    """On a phone and on a tablet either way nothing is cut off or runs over, and the notice is in view."""
    with bench(language=language) as made:
        for size, scheme in ((PHONE, "dark"), (TABLET, "light"), (UPRIGHT, "dark")):
            with opened(browser, made, size, "dark" if scheme == "dark" else "light") as page:
                made.play(Start(uid(900 + size[0]), moment(size[0])))
                second = float(size[0])
                for number in range(1, 5):
                    made.play(acquired(size[0] * 10 + number, second=second + number))
                made.play(refused(size[0] * 10 + 8, Reason.OTHER_LAYOUT, second=second + 8))
                made.play(acquired(size[0] * 10 + 9, second=second + 9))
                expect(page.locator("#cards .value")).to_have_count(5)
                expect(page.locator("#notice")).to_have_text(sentences(language).notice)
                expect(page.locator("#notice")).to_be_in_viewport(ratio=1)
                expect(page.locator("#kind")).to_be_visible()
                assert running_over(page) == []
                keep(page, f"{language}-{size[0]}")
                command(page, "cancel").click()
                assert running_over(page) == []
                page.locator("#ask-back").click()
                page.click("#tab-technician")
                expect(page.locator("#facts div").first).to_be_visible()
                assert running_over(page) == []


def running_over(page: Page) -> list[str]:
    """What is wider than its place, on the page and in each of its parts."""
    found = page.evaluate(
        """() => [...document.querySelectorAll("body, body *")]
            .filter((node) => node.checkVisibility() && node.clientWidth > 0
                && !["INPUT", "PRE"].includes(node.tagName)
                && getComputedStyle(node).display !== "inline"
                && (node.scrollWidth > node.clientWidth + 1
                    || node.getBoundingClientRect().right > innerWidth + 1))
            .map((node) => `${node.tagName}#${node.id}: ${node.textContent.slice(0, 40)}`)"""
    )
    return [str(line) for line in found]
