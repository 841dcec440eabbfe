"""The live preview: what the networks say about the moving picture, now and then. It counts for nothing.

It takes its time from the frame loop, so it is paced by what it costs: on a slow processor it becomes rare,
and the acquisitions are examined all the same.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from firmware_app.crop import crop_pair
from firmware_app.exam.events import Moment
from firmware_app.exam.state import Exam, Phase
from firmware_app.examination import Examiner
from firmware_app.health.stopwatch import Stage
from firmware_app.journey import Frame, ImageScores, ScreenReading, View

EVERY_NS = 1_000_000_000
"""No more often than this."""
REST = 9
"""For each nanosecond that a preview takes, the loop has at least so many for itself."""
SHOWN_NS = 3_000_000_000
"""An older one says nothing about the picture on the screen."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The latest preview.

    Attributes:
        scores: what it says; None: there is none.
        at_ns: `Moment.monotonic_ns` of its frame.
        due_ns: `time.monotonic_ns()` before which there is no other one.
    """

    scores: ImageScores | None
    at_ns: int
    due_ns: int

    def shown(self, at: Moment) -> ImageScores | None:
        """What to show at this moment."""
        return self.scores if at.monotonic_ns - self.at_ns <= SHOWN_NS else None


NOTHING = Preview(None, 0, 0)


def previewed(last: Preview, examiner: Examiner, frame: Frame, reading: ScreenReading, exam: Exam) -> Preview:
    """The preview after this frame: a new one if it is due and the frame is live, else the last."""
    if not examiner.previews or examiner.engine is None:
        return last
    if exam.phase is Phase.COMPLETE or reading.view is not View.SWE_DUAL or reading.rejected is not None:
        return last if last.scores is None else replace(last, scores=None)
    began_ns = time.monotonic_ns()
    if reading.frozen or reading.roi is None or began_ns < last.due_ns:
        return last
    with examiner.stopwatch.timing(Stage.PREVIEW):
        scores = examiner.engine.score(crop_pair(frame, reading.roi))
    took_ns = time.monotonic_ns() - began_ns
    return Preview(scores, frame.captured_ns, began_ns + took_ns + max(EVERY_NS, REST * took_ns))
