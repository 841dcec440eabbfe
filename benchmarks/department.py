"""The department page with many appliances: when it is painted, and how soon a message is seen.

A real mosquitto, a real Chromium, a hundred appliances over a few connections. "Ours" is the page as it is:
only the card that a message is about is touched. "Redraw" is the same page made to fill in every card at each
message, as one would write it first. Both are fed alike, turn by turn. The same clock stands at both ends:
from just before the publication to the frame of the screen that shows it. While that is measured, the other
appliances go on talking (`--hum` messages a second).

    python -m benchmarks.department [--appliances 100] [--messages 30] [--hum 20]
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

from playwright.sync_api import Browser, Page

from benchmarks.record import Run, keep, parser
from firmware_app.ward.broker import PrivateBroker
from tests.firmware_app.department_ward import Hospital, chromium, delays_ms, page_in, until

ROUNDS = 2
REDRAW = (
    "const plain = render; render = () => { for (const key of appliances.keys()) dirty.add(key); plain(); };"
)


def opened(browser: Browser, url: str, cards: int, script: str | None) -> tuple[Page, float]:
    """The page with all cards on it, and after how many ms of navigation that was."""
    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    page.goto(url, wait_until="commit")
    shown_ms = until(page, f"document.querySelectorAll('.card').length === {cards}")
    until(page, "settling === 0")
    if script is not None:
        page.evaluate(script)
    return page, shown_ms


@contextmanager
def humming(hospital: Hospital, per_second: float) -> Iterator[None]:
    """Every appliance sends its heartbeat in turn while the block lasts."""
    stop = threading.Event()

    def hum() -> None:
        for room in cycle(hospital.rooms):
            if stop.wait(1 / per_second):
                return
            room.heartbeat()

    thread = threading.Thread(target=hum, name="hum")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def measured(run: Run, appliances: int, messages: int, hum: float, rounds: int) -> None:
    """Both pages, turn by turn, each time with a hospital of its own."""
    delays: dict[str, list[float]] = {"ours": [], "redraw": []}
    opened_ms: list[float] = []
    with chromium() as browser:
        for name, script in [("ours", None), ("redraw", REDRAW)] * rounds:
            with (
                tempfile.TemporaryDirectory() as folder,
                PrivateBroker(page=page_in(Path(folder))) as broker,
                Hospital(broker) as hospital,
            ):
                hospital.mixed(appliances)
                page, all_cards_ms = opened(browser, broker.page_url, appliances, script)
                opened_ms.append(all_cards_ms)
                with humming(hospital, hum):
                    delays[name] += delays_ms(page, hospital, messages // rounds)
                page.close()
    run.measure(f"message until it is seen, {appliances} appliances", delays["ours"], "ms")
    run.compare(
        f"message until it is seen, {appliances} appliances", "every card drawn anew", delays["redraw"]
    )
    run.measure(f"navigation until all {appliances} cards are painted", opened_ms, "ms")


def main() -> int:
    """Measure, keep, print."""
    options = parser(__doc__)
    options.add_argument("--appliances", type=int, default=100)
    options.add_argument("--messages", type=int, default=30, help="per page")
    options.add_argument("--hum", type=float, default=20.0, help="heartbeats a second of the others")
    chosen = options.parse_args()
    run = Run()
    if chosen.smoke:
        measured(run, 24, 2, chosen.hum, 1)
    else:
        measured(run, chosen.appliances, chosen.messages, chosen.hum, ROUNDS)
    return keep("department", run, chosen)


if __name__ == "__main__":
    sys.exit(main())
