"""What is pushed: the state as server-sent events, the video as a sequence of JPEG pictures.

Each stream sends the newest there is when its browser is ready for more, and ends when the browser goes, when
it takes nothing for a while, or when the appliance stops.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, suppress

from starlette.types import Receive, Scope, Send

from firmware_app.bedside.board import Board, BoardFullError
from firmware_app.bedside.guard import refusal
from firmware_app.video.mirror import Mirror, MirrorFullError

LOG = logging.getLogger(__name__)
ALIVE_S = 3.0
"""A page that hears nothing for a few times this long says so."""
STUCK_S = 10.0
"""A browser that takes nothing for so long is let go."""
BOUNDARY = b"picture"
EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8")]
PICTURES = [(b"content-type", b"multipart/x-mixed-replace; boundary=" + BOUNDARY)]


class Bell:
    """Rung from any thread, heard on the loop; rings that nobody waited for are one ring.

    Attributes:
        gone: whether the browser has left.
    """

    def __init__(self) -> None:
        self.gone = False
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the listener."""
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._rung.set)

    def leave(self) -> None:
        """The browser has left: the stream is to end."""
        self.gone = True
        self._rung.set()

    async def heard(self, timeout_s: float) -> None:
        """Wait for a ring, at most so long."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._rung.wait(), timeout_s)
        self._rung.clear()


async def events(board: Board, bell: Bell, line: Callable[[], str], every_s: float) -> AsyncIterator[bytes]:
    """Server-sent events: `line()` at once and after each change, looked at least every `every_s`."""
    last = None
    while not (board.is_closed or bell.gone):
        now = line()
        yield b"event: alive\ndata: yes\n\n" if now == last else b"data: " + now.encode() + b"\n\n"
        last = now
        await bell.heard(every_s)


async def pictures(board: Board, mirror: Mirror, bell: Bell) -> AsyncIterator[bytes]:
    """Parts of a multipart stream: each new picture, newest first, with the age that it has when it leaves.

    The boundary follows its picture at once: a browser shows a picture when it sees where it ends.
    """
    yield b"--" + BOUNDARY + b"\r\n"
    last = None
    while not (board.is_closed or bell.gone):
        picture = mirror.newest
        if picture is not None and picture is not last:
            last = picture
            head = (
                f"Content-Type: image/jpeg\r\nContent-Length: {len(picture.jpeg)}\r\n"
                f"X-Captured-Ns: {picture.captured_ns}\r\n\r\n"
            )
            yield head.encode() + picture.jpeg + b"\r\n--" + BOUNDARY + b"\r\n"
        await bell.heard(ALIVE_S)


class Pushed:
    """A response without an end, made of what an iterator gives while its place is held."""

    def __init__(
        self,
        headers: list[tuple[bytes, bytes]],
        place: AbstractContextManager[None],
        bell: Bell,
        parts: AsyncIterator[bytes],
    ) -> None:
        self._headers = headers
        self._place = place
        self._bell = bell
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send parts until somebody goes."""
        try:
            with self._place:
                await self._push(receive, send)
        except (BoardFullError, MirrorFullError):
            await refusal(503)(scope, receive, send)

    async def _push(self, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(self._await_leave(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(self._headers)})
            async for part in self._parts:
                body = {"type": "http.response.body", "body": part, "more_body": True}
                await asyncio.wait_for(send(body), STUCK_S)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.TimeoutError:
            LOG.info("a browser took nothing for %g s and was let go", STUCK_S)
        finally:
            leaving.cancel()

    async def _await_leave(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._bell.leave()
