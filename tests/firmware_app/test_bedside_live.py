"""The bedside page of the real appliance: virtual scanner, GStreamer, networks, broker and Chromium."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect, sync_playwright
from pypdf import PdfReader

from calibration.profile import load_profile
from firmware_app.config import MqttConfig
from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.subscriber import Received, Subscriber
from tests.conftest import PROGRAMS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
SERUM = {"ast_u_l": "61.5", "ast_uln_u_l": "37.25", "platelets_g_l": "187.5", "alt_u_l": "58.75"}
SERUM |= {"age_years": "53.5"}
EXAM_MS = 150_000
"""An exam takes a minute on a machine that has nothing else to do."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"),
]


@dataclass(frozen=True, slots=True)
class Room:
    """A running appliance: where its page is, what the ward heard, and its folder."""

    url: str
    heard: list[Received]
    folder: Path


def free_port() -> int:
    """A port that nobody uses."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def running(*command: object) -> Iterator[subprocess.Popen[bytes]]:
    """One of our programs, asked to stop at the end of the block."""
    child = subprocess.Popen([str(PROGRAMS / str(command[0])), *(str(word) for word in command[1:])])
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(30)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """The appliance on the virtual scanner, which plays one patient after the other."""
    tmp_path = tmp_path_factory.mktemp("room")
    scanner, port = tmp_path / "scanner.sock", free_port()
    play = ("phantom", "play", "--seed", 7, "--stage", 3, "--size", "720x540", "--fps", 20, "--loop")
    with PrivateBroker() as broker:
        config = tmp_path / "fibrostage.toml"
        config.write_text(
            f'version = 2\nsite = "test"\ndevice = "bedside"\n[source]\nkind = "phantom"\n'
            f'socket = "{scanner}"\n'
            f'width = 720\nheight = 540\nfps = 20\n[sink]\nkind = "none"\n'
            f'[records]\naudit = "{tmp_path / "audit"}"\n'
            f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\noutbox = "{tmp_path / "outbox.sqlite"}"\n'
            f"[bedside]\nenabled = true\nport = {port}\n",
            encoding="utf-8",
        )
        heard: list[Received] = []
        client = Subscriber(MqttConfig(host=broker.host, port=broker.port), "fibrostage/#", heard.append)
        with closing(client), running("fibrostage", "run", "--config", config) as appliance:
            with running("fibrostage-calibrate", *play, "--socket", scanner):
                yield Room(f"http://127.0.0.1:{port}", heard, tmp_path)
            appliance.send_signal(signal.SIGTERM)
            assert appliance.wait(30) == 0


@pytest.fixture
def page(room: Room) -> Iterator[Page]:
    """Its page on a tablet."""
    expect.set_options(timeout=20_000)  # a loaded machine is slow, not wrong
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        opened = browser.new_page(viewport={"width": 1180, "height": 820}, color_scheme="dark")
        for _ in range(300):
            try:
                opened.goto(room.url)
                break
            except Exception:  # noqa: BLE001 - the appliance starts
                opened.wait_for_timeout(200)
        yield opened
        browser.close()


def entered(page: Page) -> list[str]:
    """Enter the serum values; the scores that the page shows."""
    for key, value in SERUM.items():
        page.fill(f"#{key}", value)
    page.click("#calculate")
    expect(page.locator("#scores dt")).to_have_text(["APRI", "FIB-4"])
    return page.locator("#scores dd").all_inner_texts()


def assert_nobody_has_the_values(room: Room) -> None:
    """No serum value was sent to the ward or written anywhere."""
    kept = b"".join(path.read_bytes() for path in room.folder.rglob("*") if path.is_file())
    told = b"".join(message.payload for message in list(room.heard))
    for value in SERUM.values():
        assert value.encode() not in told
        assert not re.search(rb"(?<![\d.])" + re.escape(value.encode()) + rb"(?!\d)", kept)


def test_commands_reach_the_exam_and_its_pictures_the_page(room: Room, page: Page) -> None:
    """The first freeze appears with its crops, its serum scores are shown, and it can be discarded."""
    expect(page.locator("body")).to_have_attribute("data-link", "live", timeout=30_000)
    expect(page.locator("#video")).not_to_have_js_property("naturalWidth", 0, timeout=30_000)
    expect(page.locator("#count")).to_have_text(re.compile("^[1-5] of 5$"), timeout=EXAM_MS)
    expect(page.locator("#cards [data-pane=elastogram]").first).not_to_have_js_property("naturalWidth", 0)
    assert [float(score) for score in entered(page)] == pytest.approx([0.88, 2.29], abs=0.006)
    page.locator("#cards [data-part=discard]").first.click()
    page.locator("#ask-yes").click()
    expect(page.locator("#answer")).to_have_text("Acquisition discarded")
    page.screenshot(path=shot("live"), full_page=True)
    assert_nobody_has_the_values(room)


def heard_result(room: Room, timeout_s: float = 20.0) -> dict[str, Any]:
    """The newest result that the ward heard."""
    until_s = time.monotonic() + timeout_s
    while time.monotonic() < until_s:
        results = [m.payload for m in list(room.heard) if m.topic.endswith("/result") and m.payload]
        if results:
            return dict(json.loads(results[-1]))
        time.sleep(0.05)
    raise AssertionError("no result reached the ward")


def shot(name: str) -> Path:
    """Where a screen is left to be looked at."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    return SHOTS / f"bedside-{name}.png"


@pytest.mark.slow
def test_a_bedside_exam_from_the_first_freeze_to_the_printed_page(room: Room, page: Page) -> None:
    """Watch, discard, enter serum values, print, finish; the ward hears scores and result, never a value."""
    expect(page.locator("#count")).to_have_text("1 of 5", timeout=EXAM_MS)
    page.locator("#cards [data-part=discard]").first.click()
    page.locator("#ask-yes").click()
    expect(page.locator("#answer")).to_have_text("Acquisition discarded")
    expect(page.locator("#kind")).to_have_text("Provisional, 3 of 5", timeout=EXAM_MS)
    page.set_viewport_size({"width": 1180, "height": 1480})
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=shot("live-provisional"))
    scores = entered(page)
    with page.expect_download() as download:
        page.click("#summary")
    printed = download.value.path().read_bytes()
    page.locator("#actions [data-command=finish]").click()
    page.locator("#ask-yes").click()
    expect(page.locator("#message")).to_have_text("Exam finished")
    page.screenshot(path=shot("live-finished"), full_page=True)

    assert len(PdfReader(BytesIO(printed)).pages) == 1
    text = PdfReader(BytesIO(printed)).pages[0].extract_text()
    for score in scores:
        assert score in text
    assert "For research use only" in text
    result = heard_result(room)
    assert result["n_acquisitions"] >= 3
    assert f"{result['methods']['APRI']['value']:.2f}" == scores[0]
    for value in SERUM.values():
        assert value not in text
    assert_nobody_has_the_values(room)


def test_the_live_picture_is_young_and_its_banner_hidden(room: Room, page: Page) -> None:
    """Pictures of the display arrive at a browser while they are new; nobody's name is in them."""
    expect(page.locator("body")).to_have_attribute("data-link", "live", timeout=30_000)
    ages_ms: list[float] = []
    newest = b""
    with closing(
        http.client.HTTPConnection("127.0.0.1", int(room.url.rpartition(":")[2]), timeout=60)
    ) as link:
        link.request("GET", "/live")
        stream = link.getresponse()
        while len(ages_ms) < 30:
            head = dict(_head(stream))
            newest = stream.read(int(head["content-length"]))
            ages_ms.append((time.monotonic_ns() - int(head["x-captured-ns"])) / 1e6)
    assert float(np.median(ages_ms)) < 1000
    picture = cv2.imdecode(np.frombuffer(newest, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (540, 720, 3)
    for x, y, w, h in load_profile("aixplorer").banner.areas:  # of a screen twice as large
        hidden = picture[y // 2 + 4 : (y + h) // 2 - 4, x // 2 + 4 : (x + w) // 2 - 4]
        assert hidden.min() > 25
        assert hidden.max() < 95


def _head(stream: http.client.HTTPResponse) -> Iterator[tuple[str, str]]:
    """The header lines of the next part."""
    line = stream.readline()
    while not line.lower().startswith(b"content-type"):
        line = stream.readline()
    while line.strip():
        key, _, value = line.decode().partition(":")
        yield key.lower(), value.strip()
        line = stream.readline()
