"""The server: a thread with an event loop of its own, which the frame loop neither waits for nor depends on.

When it falls, it says so and comes back; the appliance goes on all the while.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from firmware_app.config import BedsideConfig
from firmware_app.errors import ConfigError

LOG = logging.getLogger(__name__)
THREAD = "bedside"
CONNECTIONS = 64
HEAD_S = 10.0
"""A connection that has not sent a whole head of a request by then is closed."""
SEND_BUFFER = 1 << 17
"""Bytes that may be under way to one browser: about one picture, so that a slow network shows a new one."""
JOIN_S = 10.0
_BACK_S = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before the server comes back, the more the more often it falls."""
FORGOTTEN_S = 60.0
"""A fall after so long is counted as the first."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that does not wait for ever for who connects and says nothing."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait on while a head is incomplete."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._rest()
        elif self._patience is None and data:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._rest()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._patience = self.loop.call_later(HEAD_S, self._give_up)

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()


def check_tls(config: BedsideConfig) -> None:
    """Try the certificate and its key.

    Raises:
        ConfigError: they cannot be read, do not belong together, or the key is encrypted.
    """
    if config.cert_file is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(config.cert_file, config.key_file, password=lambda: "")
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        what = f"bedside.cert_file {config.cert_file} and bedside.key_file {config.key_file}"
        raise ConfigError(f"{what} cannot be used: {error}; give a PEM certificate and its key") from error


def listening(config: BedsideConfig) -> socket.socket:
    """A socket that listens on the configured address.

    Raises:
        ConfigError: the address is not this machine's, or taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"bedside.host {config.host} is no address of this machine: {error}") from error
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        made.bind(address)
        made.listen(CONNECTIONS)
    except OSError as error:
        made.close()
        raise ConfigError(
            f"bedside.host {config.host}, bedside.port {config.port} cannot be used: {error.strerror}; "
            "name a free port and an address of this machine"
        ) from error
    return made


class Server:
    """Serves until it is closed; the owner closes and joins it."""

    def __init__(
        self, config: BedsideConfig, build: Callable[[], ASGIApp], send_home: Callable[[], None]
    ) -> None:
        """Bind, and begin to serve.

        Args:
            config: where.
            build: makes the application, on the server's own loop.
            send_home: ends the streams that are open.

        An address that is taken, or not there yet as when a machine starts, is told and tried again.

        Raises:
            ConfigError: certificate or key cannot be used.
        """
        check_tls(config)
        self.trouble: str | None = None
        self._build = build
        self._send_home = send_home
        self._socket: socket.socket | None = None
        self.port = config.port
        try:
            self._socket = listening(config)
            self.port = int(self._socket.getsockname()[1])
        except ConfigError as error:
            self.trouble = str(error)
        self._config = config.model_copy(update={"port": self.port})
        self._stop = threading.Event()
        self._running: uvicorn.Server | None = None
        self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        falls = 0
        while not self._stop.is_set():
            began_s = time.monotonic()
            try:
                asyncio.run(self._serve())
                why = "the bedside page ended"
            except ConfigError as error:
                why = str(error)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the page must not take the appliance down
                why = f"the bedside page failed ({type(error).__name__}: {error})"
            if self._stop.is_set():
                return
            if self.trouble != why or not falls:
                LOG.warning("%s; tried again", why)
            self.trouble = why
            falls = 0 if time.monotonic() - began_s > FORGOTTEN_S else falls
            self._stop.wait(_BACK_S[min(falls, len(_BACK_S) - 1)])
            falls += 1

    async def _serve(self) -> None:
        listener, self._socket = self._socket or listening(self._config), None
        with contextlib.closing(listener):
            server = uvicorn.Server(_settings(self._config, self._build()))
            self._running = server
            self.trouble = None
            if self._stop.is_set():
                return
            await server.serve(sockets=[listener])

    def close(self) -> None:
        """Stop serving and wait for the thread."""
        self._stop.set()
        self._send_home()
        if self._running is not None:
            self._running.should_exit = True
        self._thread.join(JOIN_S)
        if self._socket is not None:
            self._socket.close()
        if self._thread.is_alive():
            LOG.warning("the bedside page does not stop")


def _settings(config: BedsideConfig, app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        backlog=CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=16 * 1024,
        ssl_certfile=config.cert_file,
        ssl_keyfile=config.key_file,
    )


@contextmanager
def serving(
    config: BedsideConfig, build: Callable[[], ASGIApp], send_home: Callable[[], None]
) -> Iterator[Server]:
    """A server for the length of the block."""
    server = Server(config, build, send_home)
    try:
        yield server
    finally:
        server.close()
