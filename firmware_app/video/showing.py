"""What shows the picture: the display in use, and what takes its place when it fails.

A recording that fails is given up. A screen is done without while it is missing, fails or hangs: it is opened
beside the display in use, which ends nowhere, and takes its place once it is up. So a screen that is tried
over and over costs no frame, and snapshots and the bedside page go on.
"""

from __future__ import annotations

import logging
import time

from firmware_app.errors import SinkError, SourceError
from firmware_app.overlay.layers import Scene
from firmware_app.video import sinks
from firmware_app.video.display import Display
from firmware_app.video.frame_meter import FrameMeter
from firmware_app.video.mirror import Mirror
from firmware_app.video.sinks import NoSink, Sink, WindowSink

LOG = logging.getLogger(__name__)
_AGAIN_NS = 10_000_000_000
"""A screen that is missing is tried again so often: somebody may have connected it."""


class Showing:
    """Owns the display in use, and the screen that may take its place. One thread calls everything."""

    def __init__(self, sink: Sink, mirror: Mirror | None, meter: FrameMeter, *, patient: bool) -> None:
        """Open the display.

        Args:
            sink: where it ends.
            mirror: who watches the composed picture from elsewhere.
            meter: counts what it shows.
            patient: a screen that is not there is done without; else it is an error.

        Raises:
            SinkError: there is no screen, or the recording cannot be written.
        """
        self._mirror, self._meter = mirror, meter
        self._scene = Scene()
        self._screen = sink if patient and isinstance(sink, WindowSink) else None
        if self._screen is None:
            sinks.check(sink)
        self._candidate: Display | None = None
        self._left_screens: list[Display] = []
        self._due_ns = 0
        self.recording_trouble: str | None = None
        self.screen_trouble: str | None = None
        self.display = Display(self._nowhere() if self._screen else sink, meter, mirror)
        self.display.mirror()
        self._try_screen()

    def _nowhere(self) -> NoSink:
        return NoSink(None if self._screen is None else self._screen.lines)

    def show(self, scene: Scene) -> None:
        """Draw this over every picture from now on, whatever shows it."""
        self._scene = scene
        self.display.show(scene)

    def check(self) -> bool:
        """Look whether the display still works; whether another one has taken its place.

        Raises:
            SinkError: it does not, and cannot be done without.
        """
        try:
            self.display.check()
        except SinkError as error:
            if self.display.records:
                return self.stop_recording(str(error))
            if self._screen is None:
                raise
            self._do_without(str(error))
            self._leave(self.display)
            self._put(Display(self._nowhere(), self._meter, self._mirror))
            return True
        if self.screen_trouble is not None and self.display.is_screen and self.display.has_displayed:
            LOG.warning("the screen is back")
            self.screen_trouble = None
        if self._candidate is None:
            self._try_screen()
            return False
        return self._has_come_up(self._candidate)

    def stop_recording(self, because: str) -> bool:
        """Complete the recording as far as the disk allows, and show on without it; whether there was one."""
        if not self.display.records:
            return False
        LOG.error("the recording ends: %s", because)
        self.recording_trouble = because
        self.display.close()  # waits until it is complete
        self._put(Display(NoSink(), self._meter, self._mirror))
        return True

    def _try_screen(self) -> None:
        """Open the screen beside the display in use, if it is wanted, due, and nothing of it hangs."""
        now_ns = time.monotonic_ns()
        if self._screen is None or self.display.is_screen or now_ns < self._due_ns:
            return
        self._due_ns = now_ns + _AGAIN_NS
        self._left_screens = [display for display in self._left_screens if not display.is_closed]
        if self._left_screens:
            return
        try:
            sinks.check(self._screen)
            self._candidate = Display(self._screen, self._meter, self._mirror)
        except (SinkError, SourceError) as error:  # the latter: GStreamer lacks an element
            self._do_without(str(error))

    def _has_come_up(self, candidate: Display) -> bool:
        """Whether the screen has taken the display's place."""
        try:
            candidate.check()
        except SinkError as error:
            self._candidate = None
            self._leave(candidate)
            self._do_without(str(error))
            return False
        if not candidate.is_up:
            return False
        self._candidate = None
        self._leave(self.display)
        self._put(candidate)
        return True

    def _do_without(self, because: str) -> None:
        if self.screen_trouble != because:
            LOG.error("goes on without a screen: %s", because)
        self.screen_trouble = because
        self._due_ns = time.monotonic_ns() + _AGAIN_NS

    def _put(self, display: Display) -> None:
        """Show on this from now on; the display before has been let go of."""
        self.display = display
        display.mirror()
        display.show(self._scene)

    def _leave(self, display: Display) -> None:
        """Let go of a display; the frame loop waits for no screen that hangs."""
        display.leave()
        if display.is_screen:
            self._left_screens.append(display)

    def close(self) -> None:
        """Finalise the recording and let go of everything."""
        if self._candidate is not None:
            self._candidate.leave()
        self.display.close()
