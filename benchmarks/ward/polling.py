"""What one would write without a broker: appliances put their state to a server, a display asks for it.

The server keeps the newest payload of each topic, as a broker keeps what is retained; it is Python's own,
with connections that stay open. One answer holds everything, so that one question a second is enough.
"""

from __future__ import annotations

import json
import multiprocessing
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from types import TracebackType

from firmware_app.ward.health_message import Health
from firmware_app.ward.messages import Status
from firmware_app.ward.publication import Appliance, Publication

ASKED_EVERY_S = 1.0


class Handler(BaseHTTPRequestHandler):
    """PUT a topic's payload, GET all of them."""

    protocol_version = "HTTP/1.1"
    newest: dict[str, str] = {}  # noqa: RUF012 - of the only server of its process

    def do_PUT(self) -> None:
        """Keep a payload."""
        size = int(self.headers["Content-Length"])
        self.newest[self.path] = self.rfile.read(size).decode()
        self._answer(b"")

    def do_GET(self) -> None:
        """Give all payloads."""
        self._answer(json.dumps(self.newest).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(told: Connection) -> None:
    """Serve on a free port of this machine, which is told."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.send(server.server_port)
        server.serve_forever()


class Server:
    """The server in a process of its own."""

    def __enter__(self) -> Server:  # noqa: PYI034 - typing.Self needs Python 3.11
        """Start it."""
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=serve, args=(sender,), daemon=True)
        self._process.start()
        if self._process.pid is None:
            raise TimeoutError("the server did not start")
        self.pid: int = self._process.pid
        if not receiver.poll(60.0):
            raise TimeoutError("the server did not start")
        self.port: int = receiver.recv()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self._process.terminate()
        self._process.join()


class OverHttp:
    """The way of one appliance: a connection that stays open."""

    def __init__(self, port: int, speaker: Appliance) -> None:
        self._root, self._connection = speaker.root, HTTPConnection("127.0.0.1", port, timeout=30)

    def publish(self, *publications: Publication) -> None:
        """Put messages of the exam."""
        for one in publications:
            self._put(one.topic, one.payload)

    def publish_status(self, status: Status) -> None:
        """Put the status."""
        self._put("status", status.to_json().encode())

    def publish_health(self, health: Health) -> None:
        """Put the health."""
        self._put("health", health.to_json().encode())

    def _put(self, topic: str, payload: bytes) -> None:
        self._connection.request("PUT", f"/{self._root}/{topic}", payload)
        self._connection.getresponse().read()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class Display:
    """Asks once a second on a thread of its own, and hands on every payload that it has not seen yet."""

    def __init__(self, port: int, on_message: Callable[[str, bytes], None]) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self._on_message, self._stop, self._seen = on_message, threading.Event(), dict[str, str]()
        self._thread = threading.Thread(target=self._ask, name="display")
        self._thread.start()

    def _ask(self) -> None:
        due_s = time.monotonic()
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            due_s += ASKED_EVERY_S
            self._connection.request("GET", "/")
            newest: dict[str, str] = json.loads(self._connection.getresponse().read())
            for topic, payload in newest.items():
                if self._seen.get(topic) != payload:
                    self._seen[topic] = payload
                    self._on_message(topic.lstrip("/"), payload.encode())

    def close(self) -> None:
        """Ask no more."""
        self._stop.set()
        self._thread.join()
        self._connection.close()
