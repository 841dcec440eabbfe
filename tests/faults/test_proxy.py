"""The proxy does to a connection what it is told to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.proxy import FAIR, Proxy, Weather

GENEROUS_S = 10.0


@contextmanager
def echo() -> Iterator[int]:
    """A server that sends back what it hears; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        stop = threading.Event()

        def answer(link: socket.socket) -> None:
            with link:
                try:
                    while data := link.recv(1024):
                        link.sendall(data)
                except OSError:
                    return

        def serve() -> None:
            while not stop.is_set():
                try:
                    link = server.accept()[0]
                except TimeoutError:
                    continue
                link.settimeout(GENEROUS_S)
                threading.Thread(target=answer, args=(link,), name="echo", daemon=True).start()

        thread = threading.Thread(target=serve, name="echo-server")
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            stop.set()
            thread.join()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy before the echo."""
    with echo() as port, Proxy(port) as running:
        yield running


def connected(proxy: Proxy) -> socket.socket:
    """A client of the proxy."""
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=GENEROUS_S)


def test_it_passes_everything_on(proxy: Proxy) -> None:
    """In fair weather a client notices nothing."""
    with connected(proxy) as client:
        client.sendall(b"ping")
        assert client.recv(16) == b"ping"
        assert proxy.connections == 1


def test_it_refuses_and_listens_again(proxy: Proxy) -> None:
    """Refused means that nobody listens; afterwards the same port answers."""
    proxy.set_weather(Weather(refusing=True))
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    proxy.set_weather(FAIR)
    with connected(proxy) as client:
        client.sendall(b"again")
        assert client.recv(16) == b"again"


@pytest.mark.parametrize("held", [Weather(up_held=True), Weather(down_held=True)])
def test_what_is_held_comes_later_and_whole(proxy: Proxy, held: Weather) -> None:
    """A direction that is held loses nothing, it only waits."""
    with connected(proxy) as client:
        proxy.set_weather(held)
        client.sendall(b"patience")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(16)
        proxy.set_weather(FAIR)
        client.settimeout(GENEROUS_S)
        assert client.recv(16) == b"patience"


def test_latency_and_width_take_their_time(proxy: Proxy) -> None:
    """A slow and narrow network delays by at least what was asked for."""
    with connected(proxy) as client:
        proxy.set_weather(Weather(latency_s=0.1, bytes_per_s=1000.0))
        began_s = time.monotonic()
        client.sendall(bytes(100))
        assert client.recv(200) == bytes(100)
        assert time.monotonic() - began_s >= 2 * (0.1 + 0.1)


def test_a_cut_connection_is_gone(proxy: Proxy) -> None:
    """Whoever was connected is told so at once."""
    with connected(proxy) as client:
        client.sendall(b"ping")
        client.recv(16)
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(16)


def test_garbage_reaches_the_end_it_is_meant_for(proxy: Proxy) -> None:
    """Bytes that nobody wrote arrive: at the client, or at the server, which here sends them back."""
    with connected(proxy) as client:
        client.sendall(b"ping")
        client.recv(16)
        for to_broker in (False, True):
            proxy.send_garbage(b"\xff\xfe", to_broker=to_broker)
            assert client.recv(16) == b"\xff\xfe"


def test_a_broker_that_is_away_is_a_broken_connection() -> None:
    """Without anybody behind it, the proxy hangs up."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with Proxy(int(nobody.getsockname()[1])) as proxy, connected(proxy) as client:
            assert client.recv(16) == b""
