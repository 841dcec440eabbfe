"""What shows the picture: the display in use, and what takes its place when it fails.

A recording that fails is given up. A screen that fails, or is not there, is done without and tried again;
what else lives on the composed picture, the snapshots and the bedside page, goes on meanwhile.
"""

from __future__ import annotations

import logging
import time

from firmware_app.errors import SinkError
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
    """Owns the display in use. One thread calls everything."""

    def __init__(self, sink: Sink, mirror: Mirror | None, meter: FrameMeter, *, patient: bool) -> None:
        """Open the display.

        Args:
            sink: where it ends.
            mirror: who watches the composed picture from elsewhere.
            meter: counts what it shows.
            patient: a screen that is not there is done without; else it is an error.
        """
        self._sink, self._meter, self._mirror = sink, meter, mirror
        self._patient = patient and isinstance(sink, WindowSink)
        self._scene = Scene()
        self._due_ns, self._on_trial = 0, False
        self._left: Display | None = None
        self.recording_trouble: str | None = None
        self.screen_trouble = self._missing()
        if self.screen_trouble is not None:
            LOG.error("goes on without a screen: %s", self.screen_trouble)
        self.display = Display(sink if self.screen_trouble is None else NoSink(), meter, mirror)

    def _missing(self) -> str | None:
        """Why there is no screen to try; None: there may be one."""
        if not self._patient:
            return None
        try:
            sinks.check(self._sink)
        except SinkError as error:
            return str(error)
        return None

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
            if not self._patient:
                raise
            self._do_without(str(error))
            return True
        if self.screen_trouble is None:
            return False
        if not self._on_trial:
            return self._tried_again()
        if self.display.has_displayed:
            LOG.warning("the screen is back")
            self.screen_trouble, self._on_trial = None, False
        return False

    def stop_recording(self, because: str) -> bool:
        """Complete the recording as far as the disk allows, and show on without it; whether there was one."""
        if not self.display.records:
            return False
        LOG.error("the recording ends: %s", because)
        self.recording_trouble = because
        self._put(NoSink())
        return True

    def _do_without(self, because: str) -> None:
        if self.screen_trouble != because:
            LOG.error("goes on without a screen: %s", because)
        self.screen_trouble, self._on_trial = because, False
        self._due_ns = time.monotonic_ns() + _AGAIN_NS
        self._put(NoSink())

    def _tried_again(self) -> bool:
        """Whether the screen is on trial from now on; it is back when a picture has reached it."""
        now_ns = time.monotonic_ns()
        if now_ns < self._due_ns:
            return False
        self._due_ns = now_ns + _AGAIN_NS
        if self._missing() is not None or (self._left is not None and not self._left.is_closed):
            return False
        self._on_trial = True
        self._put(self._sink)
        return True

    def _put(self, sink: Sink) -> None:
        if self.display.records:
            self.display.close()
        else:
            self.display.leave()  # the frame loop waits for no screen that hangs
        self._left = self.display
        self.display = Display(sink, self._meter, self._mirror)
        self.display.show(self._scene)

    def close(self) -> None:
        """Finalise the recording and let go of everything."""
        self.display.close()
