"""A small TCP proxy that stands between the appliance and its broker, and makes the network as bad as asked.

One thread, one event loop. `Weather` says how the network is at this moment; it may be changed at any time.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

LOOPBACK = "127.0.0.1"
CALL_TIMEOUT_S = 5.0
HELD_POLL_S = 0.02
CHUNK_BYTES = 16_384
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER: on, for no time at all."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Weather:
    """How the network is.

    Attributes:
        refusing: nobody listens; who knocks is refused.
        latency_s: added to every piece in both directions.
        bytes_per_s: throttles each direction; None: as fast as it goes.
        up_held, down_held: nothing passes towards the broker, or from it; what is sent waits.
    """

    refusing: bool = False
    latency_s: float = 0.0
    bytes_per_s: float | None = None
    up_held: bool = False
    down_held: bool = False


FAIR = Weather()


class Proxy:
    """Listens on a port of its own and passes everything on to `upstream` while the `with` block lasts.

    Attributes:
        port: where the appliance connects to.
        upstream: the broker's port; may be changed, for connections to come.
    """

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.port = _free_port()
        self._weather = FAIR
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()

    def __enter__(self) -> Proxy:  # noqa: PYI034 - typing.Self needs Python 3.11
        self._thread.start()
        self.set_weather(FAIR)
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_TIMEOUT_S)
        self._loop.close()

    @property
    def connections(self) -> int:
        """How many connections pass through."""
        return len(self._links)

    def set_weather(self, weather: Weather) -> None:
        """Change the network from now on; connections that stand stay."""
        self._call(self._change(weather))

    def cut(self) -> None:
        """Reset every connection, as a cable that is pulled and a switch that forgets."""
        self._call(self._cut())

    def send_garbage(self, data: bytes, *, to_broker: bool) -> None:
        """Put bytes that nobody wrote into every connection."""
        self._call(self._spoil(data, to_broker=to_broker))

    def _call(self, work: Coroutine[None, None, T]) -> T:
        done: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(CALL_TIMEOUT_S)

    async def _change(self, weather: Weather) -> None:
        self._weather = weather
        if weather.refusing and self._server is not None:
            self._server.close()
            self._server = None
        elif not weather.refusing and self._server is None:
            self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port, reuse_address=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            beyond = await asyncio.open_connection(LOOPBACK, self.upstream)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, beyond[1])
        self._links.add(link)
        up = self._pump(reader, beyond[1], up=True)
        down = self._pump(beyond[0], writer, up=False)
        try:
            await asyncio.wait(
                {asyncio.ensure_future(up), asyncio.ensure_future(down)}, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            self._links.discard(link)
            link.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool) -> None:
        try:
            while data := await reader.read(CHUNK_BYTES):
                if self._weather.latency_s:
                    await asyncio.sleep(self._weather.latency_s)
                while self._weather.up_held if up else self._weather.down_held:
                    await asyncio.sleep(HELD_POLL_S)
                    if writer.is_closing():
                        return
                if self._weather.bytes_per_s is not None:
                    await asyncio.sleep(len(data) / self._weather.bytes_per_s)
                writer.write(data)
                await writer.drain()
        except OSError:
            return  # one end is gone: the other one is told by `_accept`

    async def _cut(self) -> None:
        for link in tuple(self._links):
            link.abort()

    async def _spoil(self, data: bytes, *, to_broker: bool) -> None:
        for link in tuple(self._links):
            (link.broker if to_broker else link.appliance).write(data)

    async def _stop(self) -> None:
        await self._change(Weather(refusing=True))
        await self._cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@dataclass(frozen=True, eq=False, slots=True)
class _Link:
    """One connection: its two ends."""

    appliance: asyncio.StreamWriter
    broker: asyncio.StreamWriter

    def abort(self) -> None:
        """Reset both ends, so that neither takes it for a farewell."""
        for end in (self.appliance, self.broker):
            link = end.get_extra_info("socket")
            if link is not None and link.fileno() >= 0:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            end.transport.abort()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
