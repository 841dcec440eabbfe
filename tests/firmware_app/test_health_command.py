"""`fibrostage health` beside a page: what it prints, and one clear line where there is nothing to print."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

from firmware_app.health.page import HealthPage
from firmware_app.wording import NOTICE, RUNGS, Rung
from tests.conftest import Ended, call
from tests.firmware_app.health_examples import health, witnesses

HOST = "127.0.0.1"


def asked(folder: Path, port: int, *options: str) -> Ended:
    """The program on a configuration with this port."""
    config = folder / "fibrostage.toml"
    config.write_text(f"version = 2\n[health]\nprometheus_port = {port}\n")
    return call("fibrostage", "health", "--config", config, *options)


def test_it_prints_what_the_page_has(tmp_path: Path) -> None:
    """For people with every rung in words, and as JSON the very message."""
    told = health(replace(witnesses(), time_trusted=lambda: False))
    with closing(HealthPage(HOST, 0)) as page:
        page.show(told)
        for_people, as_json = asked(tmp_path, page.port), asked(tmp_path, page.port, "--json")
    assert (for_people.code, as_json.code) == (0, 0)
    assert json.loads(as_json.out) == json.loads(told.to_json())
    assert RUNGS[Rung.CLOCK_UNTRUSTED].text in for_people.out
    assert "overlay" in for_people.out
    assert NOTICE in for_people.out


def test_without_a_page_it_says_what_to_set(tmp_path: Path) -> None:
    """No port configured: wrong input, and the setting is named."""
    ended = asked(tmp_path, 0)
    assert (ended.code, ended.out) == (2, "")
    assert "health.prometheus_port" in ended.err
    assert ended.err.count("\n") == 1


def test_an_appliance_that_does_not_run_is_told(tmp_path: Path) -> None:
    """Nobody answers, or the appliance has only just started: exit code 1 and one line."""
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
    ended = asked(tmp_path, port)
    assert ended.code == 1
    assert "is the appliance running?" in ended.err
    with closing(HealthPage(HOST, 0)) as page:
        ended = asked(tmp_path, page.port)
    assert ended.code == 1
    assert "has not reported yet" in ended.err


class Stranger(BaseHTTPRequestHandler):
    """Another program's page."""

    def do_GET(self) -> None:
        """Whatever is asked for."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""


def test_a_stranger_on_the_port_is_told(tmp_path: Path) -> None:
    """What is no health message is not printed, whatever it is."""
    with HTTPServer((HOST, 0), Stranger) as server:
        visitor = Thread(target=server.handle_request)
        visitor.start()
        ended = asked(tmp_path, server.server_port)
        visitor.join()
    assert (ended.code, ended.out) == (1, "")
    assert "is not this appliance" in ended.err
    assert ended.err.count("\n") == 1
