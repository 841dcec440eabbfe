"""Shows each step of the loop on the display: composes the scene that GStreamer draws over the picture.

A place that was measured on one frame is true of that frame; see `layers` for how it is kept from being drawn
over another. What is said about a patient is bound in the same way to the banner with the patient's name: on
a screen with another name, or with none, the card says nothing about anybody.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from calibration.profile import ScreenProfile
from firmware_app.appliance import Step
from firmware_app.errors import SinkError
from firmware_app.exam.state import ResultIssued
from firmware_app.journey import Frame, Rect, ScreenPlacement, ScreenReading
from firmware_app.overlay.bindings import Bindings, Looked
from firmware_app.overlay.drawing import Free, draw_cards, usual_areas
from firmware_app.overlay.guards import Guard, outline_guard, ring_guard
from firmware_app.overlay.layers import Layer, Patch, Scene
from firmware_app.overlay.outlines import heat_patch, ring_patch, square_patches
from firmware_app.overlay.places import rect_of, scaled_circle, scaled_rect, scaled_square
from firmware_app.overlay.presentation import outlines_of, overlay_of
from firmware_app.overlay.state import Outlines, OverlayState
from firmware_app.video.frame_meter import PipelineStatistics
from firmware_app.ward.publication import Appliance
from firmware_app.wording import Rung

LOG = logging.getLogger(__name__)
SNAPSHOT_AFTER_NS = 300_000_000
"""A new overlay reaches the display branch within a few frames; the snapshot waits for it."""
_TECHNICAL_NS = 1_000_000_000
"""The lines for the technician are read anew once a second."""


class Screen(Protocol):
    """What is shown on; `Pipeline` is one, a test's another."""

    @property
    def display_size(self) -> tuple[int, int] | None:
        """Width and height of the picture that is drawn on; None: none was shown yet."""
        ...

    def show(self, scene: Scene) -> None:
        """Draw this over every frame from now on."""
        ...

    def statistics(self) -> PipelineStatistics:
        """What became of the frames so far."""
        ...

    def snapshot(self, path: Path) -> None:
        """Write the newest picture with its overlay; raises SinkError."""
        ...


class Display:
    """The overlay, told of each step. Remembers what holds for more than one frame."""

    def __init__(
        self,
        screen: Screen,
        profile: ScreenProfile,
        *,
        activation_map: bool = False,
        latency: bool = False,
        snapshot: Path | None = None,
    ) -> None:
        """Show on this screen; see `[overlay]` in the configuration."""
        self._screen = screen
        self._profile = profile
        self._activation_map, self._latency = activation_map, latency
        self._snapshot, self._snapshot_due_ns = snapshot, None if snapshot is None else 0
        self._size = (1440, 1080)
        self._placement: ScreenPlacement | None = None
        self._bindings = Bindings(profile)
        self._drawn: tuple[Looked, tuple[Patch, ...]] | None = None
        self._technical: tuple[str, ...] = ()
        self._technical_ns = 0

    def tell(self, step: Step, appliance: Appliance) -> None:
        """Show the exam as it stands, and where this frame was looked at."""
        if isinstance(step.event, Frame):
            self._note_frame(step, step.event)
            self._save_snapshot(step, appliance)
        self._note_latency(step, appliance)
        state = replace(overlay_of(step, appliance), technical=self._technical)
        self._screen.show(self.scene(state, step))

    def scene(self, state: OverlayState, step: Step) -> Scene:
        """What is drawn: from the lowest layer to the uppermost."""
        width, height = size = self._screen.display_size or self._size
        cards = draw_cards(state, self._free(width, height), height)
        layers = [
            *self._heat(size),
            *self._outlines(step, size),
            Layer((cards.outcome,), self._bindings.guards_of(state), (cards.hidden,)),
            Layer((cards.progress,)),
        ]
        return Scene(tuple(layers), size, self._size)

    def _note_frame(self, step: Step, frame: Frame) -> None:
        size = frame.pixels.shape[1], frame.pixels.shape[0]
        if size != self._size:
            self._size, self._placement = size, None
            self._bindings.forget()
        if step.reading is not None:
            self._placement = step.reading.registration  # a single B-mode picture reaches further out
        self._bindings.note(step, frame)

    def _heat(self, size: tuple[int, int]) -> list[Layer]:
        looked = self._bindings.looked
        if looked is None or not self._activation_map:
            return []
        if self._drawn is None or self._drawn[0] is not looked:
            scale = self._scale(size)
            patches = (
                heat_patch(scaled_square(looked.roi.elastogram, *scale), looked.attention.em),
                heat_patch(scaled_square(looked.roi.gray, *scale), looked.attention.gm),
            )
            self._drawn = looked, patches
        return [Layer(self._drawn[1], (looked.picture,))]

    def _outlines(self, step: Step, size: tuple[int, int]) -> list[Layer]:
        reading = step.reading
        if reading is None or not isinstance(step.event, Frame):
            return []
        outlines, (across, down), unit = outlines_of(reading), self._scale(size), size[1] / 1080
        guards = _guards_of(step.event, reading, outlines)
        layers: list[Layer] = []
        if outlines.roi is not None and guards:
            squares = (outlines.roi.elastogram, outlines.roi.gray)
            drawn = [square_patches(scaled_square(square, across, down), unit) for square in squares]
            layers.append(Layer((*drawn[0], *drawn[1]), guards))
        if outlines.q_box is not None and reading.q_box is not None:
            ring = ring_patch(scaled_circle(outlines.q_box, across, down), unit)
            layers.append(Layer((ring,), (ring_guard(reading.q_box, step.event.pixels),)))
        return layers

    def _scale(self, size: tuple[int, int]) -> tuple[float, float]:
        """Display pixels per pixel of the analysed frame."""
        return size[0] / self._size[0], size[1] / self._size[1]

    def _free(self, width: int, height: int) -> Free:
        areas, place = self._profile.overlay.areas, self._placement
        if len(areas) != 2 or place is None:
            return usual_areas(width, height)
        left, right = (rect_of(area, place, *self._size) for area in areas)
        across, down = self._scale((width, height))
        # Outwards there is nothing but the bars of a wide picture.
        left = Rect(0, left.y, left.x + left.w, left.h)
        right = Rect(right.x, right.y, self._size[0] - right.x, right.h)
        return Free(scaled_rect(left, across, down), scaled_rect(right, across, down))

    def _note_latency(self, step: Step, appliance: Appliance) -> None:
        now_ns = time.monotonic_ns()
        if not self._latency or now_ns - self._technical_ns < _TECHNICAL_NS:
            return
        self._technical_ns = now_ns
        labels, statistics = appliance.words.labels, self._screen.statistics()
        lines: list[str] = []
        if statistics.display_latency is not None:
            delay = f"{statistics.display_latency.p95_ms:.0f}"
            lines.append(labels.delay.format(ms=delay, dropped=statistics.dropped_display))
        if step.exam.acquisitions:
            lines.append(labels.latency.format(ms=f"{step.exam.acquisitions[-1].latency_ms:.0f}"))
        self._technical = tuple(lines)

    def _save_snapshot(self, step: Step, appliance: Appliance) -> None:
        if self._snapshot is None or Rung.DISK_FULL in appliance.degraded:
            return
        now_ns = time.monotonic_ns()
        if self._snapshot_due_ns and now_ns >= self._snapshot_due_ns:
            self._snapshot_due_ns = 0
            try:
                self._screen.snapshot(self._snapshot)
                LOG.info("overlay saved as %s", self._snapshot)
            except SinkError as error:
                LOG.warning("%s", error)
        if any(isinstance(effect, ResultIssued) for effect in step.effects):
            self._snapshot_due_ns = now_ns + SNAPSHOT_AFTER_NS


def _guards_of(frame: Frame, reading: ScreenReading, outlines: Outlines) -> tuple[Guard, ...]:
    """The square depends on the colour box and on the Q-box: it is true where both stand."""
    if reading.colour_box is None or reading.panes is None:
        return ()
    panes = reading.panes
    below = np.array([panes.gray.x - panes.elastogram.x, panes.gray.y - panes.elastogram.y])
    box: list[Guard] = [
        outline_guard(reading.colour_box, frame.pixels),
        outline_guard(reading.colour_box + below, frame.pixels),
    ]
    if reading.q_box is not None and outlines.q_box is not None:
        box.append(ring_guard(reading.q_box, frame.pixels))
    return tuple(box)
