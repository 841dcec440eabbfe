"""The mirror: the newest composed picture as a JPEG, for those who watch from elsewhere.

A third branch of the graph (`launch`) brings it, and only while somebody watches: a closed gate lets nothing
into the branch. Whoever watches takes the newest picture when ready for one; nothing waits for anybody. The
patient's banner is hatched over, as in every other picture that the appliance gives away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2

from firmware_app.errors import FibrostageError
from firmware_app.journey import Picture, Rect
from firmware_app.video.pixels import hatched

WATCHERS = 6
"""So many may watch at once: a tablet, a wall, a teaching room, and some to spare."""

LARGEST_PX = 1024
"""Pixels of the longer side: a tablet's width; smaller pictures stay as they are."""
RATE = 20
"""Pictures per second, at most: what a hand on a probe needs, a third of the display's."""
_GAP_NS = 1_000_000_000 // RATE
_QUALITY = 80


class MirrorFullError(FibrostageError):
    """So many watch already that one more would cost the appliance its pace."""


def jpeg_of(picture: Picture) -> bytes:
    """Code a BGR picture as JPEG, scaled down to `LARGEST_PX`.

    By OpenCV, as the analysis' pictures: GStreamer 1.22's encoder takes limited for full range (black comes
    out gray), and a limit on its scaler's size changes the shape of the pixels.
    """
    height, width = picture.shape[:2]
    factor = LARGEST_PX / max(height, width)
    if factor < 1:
        size = max(1, round(width * factor)), max(1, round(height * factor))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


@dataclass(frozen=True, slots=True)
class MirrorPicture:
    """A composed picture.

    Attributes:
        jpeg: coded picture.
        captured_ns: `time.monotonic_ns()` when its frame reached the appliance.
    """

    jpeg: bytes
    captured_ns: int


class Mirror:
    """Holds the newest picture, and the gate of the branch that makes it; safe between threads.

    It outlives the graphs: each connects its gate when it is built, and leaves it when it is closed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wakes: dict[object, Callable[[], None]] = {}
        self._set_gate: Callable[[bool], None] | None = None
        self._newest: MirrorPicture | None = None
        self._hidden: tuple[Rect, ...] | None = None
        self._due_ns = 0

    def connect(self, set_gate: Callable[[bool], None]) -> None:
        """A graph is there; `set_gate` opens (True) or closes its branch and returns at once."""
        with self._lock:
            self._set_gate = set_gate
            set_gate(bool(self._wakes))

    def disconnect(self) -> None:
        """The graph is closed, and its last picture is no longer what the display shows."""
        with self._lock:
            self._set_gate, self._newest = None, None

    def is_due(self, now_ns: int) -> bool:
        """Whether a picture may come now, as far as `RATE` goes; asked on GStreamer's thread for each one."""
        if now_ns < self._due_ns:
            return False
        self._due_ns = max(self._due_ns, now_ns - _GAP_NS) + _GAP_NS
        return True

    def hide(self, areas: tuple[Rect, ...]) -> None:
        """Hide these areas from now on; before the first call nothing is shown."""
        self._hidden = areas

    def put(self, picture: Picture, captured_ns: int) -> None:
        """Leave the newest picture and wake those who watch; on GStreamer's thread, a few milliseconds.

        Args:
            picture: BGR, not written into.
            captured_ns: `time.monotonic_ns()` when its frame reached the appliance.
        """
        hidden = self._hidden
        if hidden is None:
            return
        coded = MirrorPicture(jpeg_of(hatched(picture, hidden)), captured_ns)
        with self._lock:
            if not self._wakes:
                return
            self._newest = coded
            wakes = tuple(self._wakes.values())
        for wake in wakes:
            wake()

    @property
    def newest(self) -> MirrorPicture | None:
        """The newest picture; None: nobody has watched for long enough, or there is no signal."""
        with self._lock:
            return self._newest

    @property
    def watchers(self) -> int:
        """How many watch."""
        with self._lock:
            return len(self._wakes)

    @contextmanager
    def watch(self, wake: Callable[[], None]) -> Iterator[None]:
        """Keep the gate open for the length of the block.

        Args:
            wake: called on another thread after each new picture; must return at once.

        Raises:
            MirrorFullError: `WATCHERS` watch already.
        """
        token = object()
        with self._lock:
            if len(self._wakes) >= WATCHERS:
                raise MirrorFullError(f"{WATCHERS} screens show this video already: close one of them")
            self._wakes[token] = wake
            self._turn()
        try:
            yield
        finally:
            with self._lock:
                del self._wakes[token]
                self._turn()

    def _turn(self) -> None:
        if not self._wakes:
            self._newest = None
        if self._set_gate is not None:
            self._set_gate(bool(self._wakes))
