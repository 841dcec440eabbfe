"""The sonographer's screen as a listener: draws the overlay when it changes, and saves it at each result."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from firmware_app.appliance import Step
from firmware_app.errors import SinkError
from firmware_app.exam.state import ResultIssued
from firmware_app.journey import Frame
from firmware_app.overlay.drawing import OverlayState, draw
from firmware_app.overlay.presentation import overlay_of
from firmware_app.video.pipeline import Pipeline
from firmware_app.ward.publication import Appliance

LOG = logging.getLogger(__name__)
SNAPSHOT_AFTER_NS = 300_000_000
"""A new overlay reaches the display branch within a few frames; the snapshot waits for it."""


class Screen:
    """Shows the exam as it stands.

    Args:
        pipeline: with the display branch.
        snapshot: PNG of the overlay at each result; None: none is written.
    """

    def __init__(self, pipeline: Pipeline, snapshot: Path | None) -> None:
        self._pipeline = pipeline
        self._snapshot = snapshot
        self._snapshot_due_ns: int | None = None
        self._shown: tuple[OverlayState, int, int] | None = None
        self._size = (1440, 1080)

    def tell(self, step: Step, appliance: Appliance) -> None:
        """Show what the step brought about."""
        if isinstance(step.event, Frame):
            self._size = (step.event.pixels.shape[1], step.event.pixels.shape[0])
            self._save_snapshot(step.event.captured_ns)
        if any(isinstance(effect, ResultIssued) for effect in step.effects):
            self._snapshot_due_ns = time.monotonic_ns() + SNAPSHOT_AFTER_NS
        wanted = (overlay_of(step, appliance), *self._size)
        if wanted != self._shown:
            self._shown = wanted
            self._pipeline.show(draw(*wanted))

    def _save_snapshot(self, now_ns: int) -> None:
        if self._snapshot is None or self._snapshot_due_ns is None or now_ns < self._snapshot_due_ns:
            return
        self._snapshot_due_ns = None
        try:
            self._pipeline.snapshot(self._snapshot)
            LOG.info("overlay saved as %s", self._snapshot)
        except SinkError as error:
            LOG.warning("%s", error)
