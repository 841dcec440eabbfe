"""The exam on one printed page: pictures, values, outcome and evidence, and a line to write the name by hand.

It is drawn on the appliance and never stored there. Nothing in it comes from a patient's record: no name, no
identifier and no serum value is known to it.
"""

from __future__ import annotations

from datetime import datetime
from io import BytesIO

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from firmware_app.bedside.album import PANES, Album
from firmware_app.bedside.board import Snapshot
from firmware_app.bedside.view import OutcomeView, acquisition_card, has_summary, outcome_view
from firmware_app.bedside.words import Words, words_of
from firmware_app.exam.events import Acquisition
from firmware_app.exam.state import NEEDED
from firmware_app.overlay.canvas import font
from firmware_app.wording import Sentences

LEFT, WIDTH = 15.0, 180.0
"""Millimetres: left margin, and what is between the margins of A4."""
_FONT = "text"
_INK, _SOFT, _TRACK, _BLUE, _ALERT = (24, 27, 33), (90, 96, 106), (224, 226, 230), (0, 114, 178), (176, 58, 0)
_GAP = 4.0
_COLUMN = (WIDTH - (NEEDED - 1) * _GAP) / NEEDED
Colour = tuple[int, int, int]


class _Page(FPDF):
    """One A4 page with the fonts of the language."""

    def __init__(self, said: Sentences) -> None:
        super().__init__(format="A4")
        self.set_margins(LEFT, 12, LEFT)
        self.set_auto_page_break(auto=False)
        self.c_margin = 0  # text begins where the lines do
        for style in ("", "B"):
            path = font(12, bold=style == "B", language=said.language).path
            self.add_font(_FONT, style, str(path))
        self.add_page()

    def say(  # noqa: PLR0913, PLR0917 - where, what, and how it looks
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: Colour = _INK,
        style: str = "",
        width: float = 0,
    ) -> float:
        """Write at a place, in several lines where it is wider than `width`; gives where the next begins."""
        self.set_font(_FONT, "B" if style == "B" else "", size)
        self.set_text_color(*colour)
        self.set_xy(x, y)
        self.multi_cell(
            width or WIDTH - (x - LEFT), size * 0.47, text, align="L", new_x=XPos.LEFT, new_y=YPos.NEXT
        )
        return float(self.get_y())

    def rule(self, y: float, x: float = LEFT, width: float = WIDTH, colour: Colour = _TRACK) -> None:
        """A thin line."""
        self.set_draw_color(*colour)
        self.set_line_width(0.25)
        self.line(x, y, x + width, y)


def draw_summary(snapshot: Snapshot, album: Album, now: datetime, *, time_trusted: bool) -> bytes | None:
    """The page as PDF; None: the exam has no outcome to print, or is over.

    Args:
        snapshot: what the page shows.
        album: crops of this exam; those that are gone leave an empty frame.
        now: aware, for the date of printing.
        time_trusted: whether the clock was synchronised.
    """
    exam, appliance = snapshot.exam, snapshot.appliance
    said = appliance.words
    outcome = outcome_view(exam, appliance.manifest, said) if has_summary(exam) else None
    if outcome is None:
        return None
    words, page = words_of(said.language), _Page(said)
    page.set_title(f"fibrostage: {words.summary_title}")
    page.set_creator(appliance.software)
    page.set_creation_date(now)
    page.set_lang(words.language_tag)
    printed = f"{now.astimezone():%Y-%m-%d %H:%M}" + ("" if time_trusted else f" ({words.clock_untrusted})")
    y = _draw_head(page, words, said, f"{appliance.room}  \N{MIDDLE DOT}  {printed}")
    y = _draw_outcome(page, outcome, y)
    y = _draw_acquisitions(page, exam.acquisitions, album, said, y + 3)
    y = _draw_methods(page, outcome, words, y + 3)
    _draw_evidence(page, snapshot, words, y + 3)
    page.rule(280)
    page.say(LEFT, 282, said.notice, 10, _ALERT, "B")
    return bytes(page.output())


def _draw_head(page: _Page, words: Words, said: Sentences, place: str) -> float:
    page.say(LEFT, 12, f"fibrostage  \N{MIDDLE DOT}  {place}", 9, _SOFT)
    page.say(LEFT, 18, words.summary_title, 18, _INK, "B")
    page.say(LEFT, 27, said.notice, 9, _ALERT, "B")
    y = 42.0
    for x, width, label in ((LEFT, 105.0, words.patient_line), (LEFT + 115, 65.0, words.examiner_line)):
        page.rule(y, x, width, _INK)
        page.say(x, y + 0.8, label, 8, _SOFT)
    return y + 9


def _draw_outcome(page: _Page, outcome: OutcomeView, y: float) -> float:
    page.say(LEFT, y, outcome.title, 9, _SOFT)
    below = page.say(LEFT, y + 5, outcome.stage, 22, _INK, "B", 88)
    if outcome.remark:
        below = page.say(LEFT, below, outcome.remark, 9, _ALERT, "", 88)
    below = page.say(LEFT, below + 1.5, outcome.stiffness, 13, _INK, "B", 88)
    below = page.say(LEFT, below + 0.5, outcome.spread, 9, _SOFT, "", 88)
    colour = _INK if outcome.reliable else _ALERT
    below = page.say(LEFT, below + 1, outcome.reliability, 9, colour, "", 88)
    left, width, row = LEFT + 95, 64.0, y + 6
    for bar in outcome.bars:
        page.say(left, row, bar.name, 10, _INK, "B", 14)
        page.set_fill_color(*_TRACK)
        page.rect(left + 13, row + 0.8, width - 10, 3.4, "F")
        page.set_fill_color(*_BLUE)
        page.rect(left + 13, row + 0.8, max(0.3, (width - 10) * bar.value), 3.4, "F")
        page.say(left + width + 5, row, bar.text, 10, _INK, "B")
        row += 8
    return max(below, row)


def _draw_acquisitions(
    page: _Page, acquisitions: tuple[Acquisition, ...], album: Album, said: Sentences, y: float
) -> float:
    words, lowest = words_of(said.language), y
    page.rule(y)
    for place, acquisition in enumerate(acquisitions):
        x, top = LEFT + place * (_COLUMN + _GAP), y + 3
        for pane in PANES:
            crop = album.jpeg(acquisition.id, pane)
            if crop is None:
                page.set_draw_color(*_TRACK)
                page.rect(x, top, _COLUMN, _COLUMN)
                page.say(x + 1, top + 1, words.no_pictures, 7, _SOFT, "", _COLUMN - 2)
            else:
                page.image(BytesIO(crop), x, top, _COLUMN, _COLUMN)
            top += _COLUMN + 1
        card = acquisition_card(place + 1, acquisition, said, pictures=True)
        below = page.say(x, top + 0.5, f"{card.n}.  {card.value}", 10, _INK, "B", _COLUMN + _GAP)
        for line in (*card.lines, card.time):
            below = page.say(x, below, line, 7, _SOFT, "", _COLUMN + _GAP)
        lowest = max(lowest, below)
    return lowest


def _draw_methods(page: _Page, outcome: OutcomeView, words: Words, y: float) -> float:
    page.rule(y)
    y = page.say(LEFT, y + 2, words.methods, 9, _SOFT)
    for number, method in enumerate(outcome.methods):
        x = LEFT + (number % 2) * WIDTH / 2
        page.say(x, y + 1, method.name, 8.5, _INK, "B", 20)
        below = page.say(x + 19, y + 1, method.text, 8.5, _INK, "", WIDTH / 2 - 20)
        if number % 2:
            y = below
    return y + (5 if len(outcome.methods) % 2 else 0)


def _draw_evidence(page: _Page, snapshot: Snapshot, words: Words, y: float) -> None:
    exam, appliance = snapshot.exam, snapshot.appliance
    page.rule(y)
    y = page.say(LEFT, y + 2, words.evidence, 9, _SOFT)
    bundle = appliance.bundle_id or "-"
    lines = [
        f"{appliance.software}; {bundle}; {appliance.runtime or '-'}; {appliance.profile_id or '-'}",
        f"{words.exam} {exam.id}; {exam.result_id or '-'}; {words.refused}: {len(exam.refusals)}",
    ]
    lines += [
        f"{n}. {acquisition.id}, SHA-256 {acquisition.crop_digests.elastogram[:16]} "
        f"{acquisition.crop_digests.gray[:16]}, {acquisition.latency_ms:.0f} ms"
        for n, acquisition in enumerate(exam.acquisitions, 1)
    ]
    for line in lines:
        y = page.say(LEFT, y + 0.3, line, 6.8, _SOFT)
