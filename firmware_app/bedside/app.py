"""Which way a request goes: files, what is pushed, commands, pictures, the summary, the technician's view."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from datetime import datetime, timezone

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from calibration import json_input
from firmware_app.bedside.access import Access
from firmware_app.bedside.album import PANES
from firmware_app.bedside.board import Board
from firmware_app.bedside.files import OPEN_FILES, File, page_files
from firmware_app.bedside.guard import Guard, cookie_names, refusal, session_of
from firmware_app.bedside.orders import Orders, acquisition_id_of
from firmware_app.bedside.streams import ALIVE_S, EVENTS, PICTURES, Bell, Pushed, events, pictures
from firmware_app.bedside.technician import Technician
from firmware_app.bedside.view import page_state
from firmware_app.bedside.words import Words, words_of
from firmware_app.video.mirror import Mirror
from firmware_app.ward.inbox import Inbox

BODY_S = 5.0
"""A request's body has to be here by then."""
TECHNICIAN_S = 2.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What the page is made of.

    Attributes:
        board: what the frame loop left.
        mirror: the live picture.
        inbox: takes commands.
        access: PIN and sessions.
        technician: the technician's view.
        executor: for work that takes longer than a request may hold up the others.
        time_trusted: whether the clock is synchronised.
        hosts: see `Guard`.
        tls: whether the page is served over TLS.
    """

    board: Board
    mirror: Mirror
    inbox: Inbox
    access: Access
    technician: Technician
    executor: Executor
    time_trusted: Callable[[], bool]
    hosts: frozenset[str] | None
    tls: bool


class BedsideApp:
    """The endpoints. Each is a few lines; what they do stands in the other modules."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._orders = Orders(parts.board, parts.inbox)
        self._one_drawing = asyncio.Semaphore(1)
        said = parts.board.snapshot.appliance.words
        self._files = page_files(said, locked=parts.access.needs_pin)

    @property
    def _words(self) -> Words:
        return words_of(self._parts.board.snapshot.appliance.words.language)

    def routes(self) -> list[Route]:
        """Every address that is served."""
        files = [Route(path, self._file(file)) for path, file in self._files.items()]
        return [
            *files,
            Route("/pin", self.enter, methods=["POST"]),
            Route("/leave", self.leave, methods=["POST"]),
            Route("/events", self.events),
            Route("/live", self.live),
            Route("/command/{name:str}", self.command, methods=["POST"]),
            Route("/picture/{verdict:str}/{pane:str}", self.picture),
            Route("/summary.pdf", self.summary),
            Route("/technician/events", self.technician_events),
            Route("/technician/registration.jpg", self.registration),
            Route("/technician/selftest", self.selftest, methods=["POST"]),
        ]

    @staticmethod
    def _file(file: File) -> Callable[[Request], object]:
        async def answer(_request: Request) -> Response:
            return Response(file.content, media_type=file.media_type)

        return answer

    async def enter(self, request: Request) -> Response:
        """Try a PIN."""
        body, now_s = await _json(request), time.monotonic()
        address = "" if request.client is None else request.client.host
        wait_s = self._parts.access.wait_s(address, now_s)
        if wait_s > 0:
            text = self._words.pin_wait.format(n=math.ceil(wait_s))
            return JSONResponse({"ok": False, "text": text}, 429, {"retry-after": str(math.ceil(wait_s))})
        pin = None if body is None else body.get("pin")
        if not isinstance(pin, str):
            return refusal(400)
        token = self._parts.access.enter(pin, address, now_s)
        if token is None:
            return JSONResponse({"ok": False, "text": self._words.pin_wrong}, 403)
        answer = JSONResponse({"ok": True, "text": ""})
        name = cookie_names()[0 if self._parts.tls else 1]
        answer.set_cookie(name, token, path="/", secure=self._parts.tls, httponly=True, samesite="strict")
        return answer

    async def leave(self, request: Request) -> Response:
        """End the session."""
        self._parts.access.leave(session_of(request.headers))
        answer = JSONResponse({"ok": True, "text": ""})
        answer.delete_cookie(
            cookie_names()[0 if self._parts.tls else 1],
            secure=self._parts.tls,
            httponly=True,
            samesite="strict",
        )
        return answer

    async def events(self, _request: Request) -> Pushed:
        """The exam's state, pushed."""
        board, bell = self._parts.board, Bell()

        def line() -> str:
            return json.dumps(asdict(page_state(board.snapshot, board.album)), ensure_ascii=False)

        return Pushed(EVENTS, board.listen(bell.ring), bell, events(board, bell, line, ALIVE_S))

    async def live(self, _request: Request) -> Pushed:
        """The video, pushed."""
        board, mirror, bell = self._parts.board, self._parts.mirror, Bell()
        return Pushed(PICTURES, mirror.watch(bell.ring), bell, pictures(board, mirror, bell))

    async def command(self, request: Request) -> Response:
        """A command to the exam."""
        body = await _json(request)
        if body is None:
            return JSONResponse({"ok": False, "text": self._words.not_understood}, 400)
        reply = await self._orders.give(request.path_params["name"], body)
        return JSONResponse(asdict(reply), reply.status)

    async def picture(self, request: Request) -> Response:
        """A crop of this exam."""
        verdict = acquisition_id_of(request.path_params["verdict"])
        pane = next((pane for pane in PANES if pane == request.path_params["pane"]), None)
        if verdict is None or pane is None:
            return refusal(404)
        jpeg = self._parts.board.album.jpeg(verdict, pane)
        return refusal(404) if jpeg is None else Response(jpeg, media_type="image/jpeg")

    async def summary(self, request: Request) -> Response:
        """The printed page of the exam that the page shows."""
        snapshot = self._parts.board.snapshot
        if request.query_params.get("exam") != str(snapshot.exam.id):
            return refusal(409)
        now, trusted = datetime.now(timezone.utc), self._parts.time_trusted()

        def draw() -> bytes | None:
            from firmware_app.bedside.summary import draw_summary  # noqa: PLC0415 - slow: only who prints pays

            return draw_summary(snapshot, self._parts.board.album, now, time_trusted=trusted)

        async with self._one_drawing:
            pdf = await asyncio.get_running_loop().run_in_executor(self._parts.executor, draw)
        if pdf is None:
            return refusal(409)
        headers = {"content-disposition": 'attachment; filename="fibrostage-summary.pdf"'}
        return Response(pdf, media_type="application/pdf", headers=headers)

    async def technician_events(self, _request: Request) -> Pushed:
        """The technician's view, pushed while it is looked at."""
        board, bell = self._parts.board, Bell()

        def line() -> str:
            return json.dumps(asdict(self._parts.technician.state()), ensure_ascii=False)

        return Pushed(EVENTS, board.listen(bell.ring), bell, events(board, bell, line, TECHNICIAN_S))

    async def registration(self, _request: Request) -> Response:
        """What the appliance sees in the newest frame, drawn on demand, one drawing at a time."""
        async with self._one_drawing:
            jpeg = await asyncio.get_running_loop().run_in_executor(
                self._parts.executor, self._parts.technician.registration
            )
        return refusal(404) if jpeg is None else Response(jpeg, media_type="image/jpeg")

    async def selftest(self, _request: Request) -> Response:
        """Start the self-test."""
        started = self._parts.technician.selftest.start(self._parts.executor)
        return JSONResponse({"ok": started, "text": self._words.selftest_runs}, 202 if started else 409)


def build_app(parts: Parts) -> ASGIApp:
    """The guarded application; call it on the loop that serves it."""
    app = Starlette(routes=BedsideApp(parts).routes())
    return Guard(app, parts.access, OPEN_FILES, parts.hosts, tls=parts.tls)


async def _json(request: Request) -> Mapping[str, object] | None:
    """The body as an object; None: it is none, or did not come in time."""
    try:
        content = json_input.parse(await asyncio.wait_for(request.body(), BODY_S))
    except (ValueError, asyncio.TimeoutError, ClientDisconnect):
        return None
    return content if isinstance(content, dict) else None
