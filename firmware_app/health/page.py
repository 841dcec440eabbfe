"""A small page on one port: `/metrics` for Prometheus, `/health` with the newest message as JSON.

It shows what the frame loop has said last, and how long ago; it asks nobody, so a visitor costs the loop
nothing, and the page still answers when the loop hangs.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from firmware_app.health.metrics import metrics_of
from firmware_app.ward.health_message import Health

LOG = logging.getLogger(__name__)
PATIENCE_S = 5.0
"""A visitor who does not say what it wants is sent away; one at a time is served."""


class _Server(TCPServer):
    """Without http.server's look into the name service, which may take long where there is no network."""

    allow_reuse_address = True

    def handle_error(self, _request: object, client_address: object) -> None:
        """A visitor who left early is no fault of ours."""
        LOG.debug("%s left", client_address)


class HealthPage(Collector):
    """Serves the newest health message until it is closed; a port that is taken is told, and harms nobody.

    Args:
        host: address to listen on.
        port: TCP port; 0: any that is free.
        now_s: a clock that only goes forward.
    """

    def __init__(self, host: str, port: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._newest: tuple[Health, float] | None = None
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        self._server: _Server | None = None
        self.trouble: str | None = None
        try:
            self._server = _Server((host, port), self._handler())
        except OSError as error:
            self.trouble = f"{host}:{port} cannot be used for the health page: {error.strerror or error}"
            LOG.warning("%s", self.trouble)
            return
        self._thread = threading.Thread(target=self._server.serve_forever, name="health-page", daemon=True)
        self._thread.start()
        LOG.info("health for Prometheus: http://%s:%d/metrics", host, self.port)

    @property
    def port(self) -> int:
        """Where it listens; 0: nowhere."""
        return 0 if self._server is None else int(self._server.server_address[1])

    def show(self, health: Health) -> None:
        """Serve this message from now on."""
        self._newest = (health, self._now_s())

    def collect(self) -> Iterable[Metric]:
        """The newest message as metrics; none before the first one. Called by the registry."""
        return iter(()) if self._newest is None else self._metrics(*self._newest)

    def _metrics(self, health: Health, shown_s: float) -> Iterator[Metric]:
        return metrics_of(health, self._now_s() - shown_s)

    def _answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, media type and content of a path."""
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest(self._registry)
        if path != "/health":
            return 404, "text/plain", b"/metrics and /health are here\n"
        if self._newest is None:
            return 503, "text/plain", b"the appliance has not reported yet\n"
        return 200, "application/json", self._newest[0].to_json().encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            timeout = PATIENCE_S

            def do_GET(self) -> None:
                status, media_type, content = answer(self.path.partition("?")[0])
                self.send_response(status)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                """A visit every few seconds is not worth a line."""

        return Handler

    def close(self) -> None:
        """Let go of the port and join the thread; harmless when repeated."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = None
