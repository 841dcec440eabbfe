"""The bedside page over real sockets: who may come in, and what no request can do."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from firmware_app.bedside import server as server_module
from firmware_app.bedside.access import TRIES
from firmware_app.bedside.board import LISTENERS
from firmware_app.bedside.guard import LONGEST_BODY
from firmware_app.bedside.server import check_tls, listening
from firmware_app.config import BedsideConfig, load_config
from firmware_app.errors import ConfigError
from firmware_app.video.mirror import WATCHERS
from tests.conftest import call
from tests.firmware_app.bedside_examples import Bench, bench
from tests.firmware_app.exam_examples import acquired, uid
from tests.systemd.department import make_certificates

PIN = "271828"
JSON = "application/json"


@pytest.fixture
def page() -> Iterator[Bench]:
    """A page without a PIN, for this machine alone."""
    with bench() as made:
        yield made


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Bench]:
    """A page behind a PIN."""
    path = tmp_path / "pin"
    path.write_text(f"{PIN}\n", encoding="utf-8")
    with bench(BedsideConfig(pin_file=path)) as made:
        yield made


def port_of(made: Bench) -> int:
    """Where it listens."""
    assert made.desk is not None
    return made.desk.port


def ask(
    made: Bench, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, str], bytes]:
    """One request, as our own page would send it unless `headers` say otherwise."""
    port = port_of(made)
    sent = {"Host": f"127.0.0.1:{port}"}
    content = None
    if method == "POST":
        sent |= {"Origin": f"http://127.0.0.1:{port}", "Content-Type": JSON}
        content = body if isinstance(body, (bytes, str)) else json.dumps(body)
    sent |= dict(headers or {})
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, content, {key: value for key, value in sent.items() if value})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def entered(made: Bench) -> str:
    """The cookie of a session."""
    status, headers, _ = ask(made, "POST", "/pin", {"pin": PIN})
    assert status == 200
    return headers["set-cookie"].partition(";")[0]


def test_headers_are_strict_on_everything(page: Bench) -> None:
    """Pages, pictures that are not there and refusals alike: nothing is stored, framed or run inline."""
    for method, path in (("GET", "/"), ("GET", "/style.css"), ("GET", "/none"), ("POST", "/command/start")):
        _, headers, _ = ask(page, method, path, {})
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "server" not in headers


def test_without_the_pin_nothing_is_seen_or_done(locked: Bench) -> None:
    """Every address but the PIN's own turns a stranger away; the right PIN opens them all."""
    locked.play(acquired(1))
    paths = ["/events", "/live", "/page.js", "/summary.pdf", f"/picture/{uid(1)}/gray"]
    paths += ["/technician/events", "/technician/registration.jpg"]
    for path in paths:
        assert ask(locked, "GET", path)[0] == 401
    for path in ("/command/cancel", "/technician/selftest", "/leave"):
        assert ask(locked, "POST", path, {"exam_id": str(locked.exam.id)})[0] == 401
    assert ask(locked, "GET", "/")[1]["location"] == "/pin"
    assert ask(locked, "GET", "/pin")[0] == 200
    assert locked.exam.is_open
    cookie = entered(locked)
    assert ask(locked, "GET", f"/picture/{uid(1)}/gray", headers={"Cookie": cookie})[2][:2] == b"\xff\xd8"
    assert ask(locked, "POST", "/leave", {}, {"Cookie": cookie})[0] == 200
    assert ask(locked, "GET", "/page.js", headers={"Cookie": cookie})[0] == 401


def test_the_session_s_cookie_is_for_our_page_alone(locked: Bench) -> None:
    """No script reads it, and no other site's request carries it."""
    _, headers, _ = ask(locked, "POST", "/pin", {"pin": PIN})
    flags = headers["set-cookie"].lower()
    assert "httponly" in flags
    assert "samesite=strict" in flags


def test_wrong_pins_are_slowed_down(locked: Bench) -> None:
    """After five wrong PINs the answer is to wait, even to the right one."""
    for _ in range(TRIES):
        status, _, body = ask(locked, "POST", "/pin", {"pin": "000000"})
        assert (status, json.loads(body)["text"]) == (403, "This PIN is wrong")
    status, headers, body = ask(locked, "POST", "/pin", {"pin": PIN})
    assert status == 429
    assert 0 < int(headers["retry-after"]) <= 60
    assert "wait" in json.loads(body)["text"]


def test_another_site_cannot_command_or_read(page: Bench) -> None:
    """A foreign origin, no origin, a form's content type and a borrowed name are turned away."""
    page.play(acquired(1))
    body, port = {"exam_id": str(page.exam.id)}, port_of(page)
    for headers, status in (
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": f"https://127.0.0.1:{port}"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Host": f"evil.example:{port}", "Origin": f"http://evil.example:{port}"}, 421),
    ):
        assert ask(page, "POST", "/command/cancel", body, headers)[0] == status
    assert ask(page, "GET", "/", headers={"Host": "evil.example"})[0] == 421
    assert page.exam.is_open
    assert ask(page, "POST", "/command/cancel", body)[0] == 200
    assert not page.exam.is_open


HOSTILE: list[tuple[str, str, object, Mapping[str, str]]] = [
    *[
        ("POST", f"/command/{name}", body, {})
        for name in ("start", "discard", "finish", "cancel", "resume", "serum", "none", "%00", "..%2f")
        for body in ("", "{", "[]", "null", '{"exam_id": 5}', '{"exam_id": "\\ud800", "name": "start"}')
    ],
    ("POST", "/pin", '{"pin": ["1"]}', {}),
    ("POST", "/pin", b"\xff\xfe", {}),
    ("POST", "/command/discard", "[" * 4000, {}),
    ("POST", "/command/discard", "x" * (LONGEST_BODY + 1), {}),
    ("POST", "/command/start", "{}", {"Content-Length": "-1"}),
    ("POST", "/command/serum", '{"exam_id": null, "ast_u_l": 1e999}', {}),
    ("POST", "/command/serum", '{"exam_id": null, "ast_u_l": NaN}', {}),
    ("GET", "/picture/../../etc/passwd", None, {}),
    ("GET", "/picture/0/elastogram", None, {}),
    ("GET", f"/picture/{uid(1)}/banner", None, {}),
    ("GET", "/summary.pdf?exam=None", None, {}),
    ("GET", "/" + "a" * 3000, None, {}),
    ("GET", "/%2e%2e/%2e%2e/etc/passwd", None, {}),
    ("GET", "/", None, {"Cookie": "fibrostage=" + "a" * 5000}),
    ("GET", "/", None, {"Host": "[::1"}),
    ("PUT", "/command/start", "{}", {}),
    ("DELETE", "/", None, {}),
    ("OPTIONS", "/", None, {}),
    ("TRACE", "/", None, {}),
]


def test_no_request_crashes_it(page: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """More than fifty hostile requests, and bytes that are no HTTP: none commands and none is our error."""
    page.play(acquired(1))
    assert len(HOSTILE) >= 50
    for method, path, body, headers in HOSTILE:
        assert ask(page, method, path, body, headers)[0] < 500, (method, path, body)
    rng = np.random.default_rng(7)
    for start in (
        b"",
        b"GET / HTTP/1.1\r\n",
        b"POST /command/start HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", port_of(page)), timeout=5) as raw:
            raw.sendall(start + rng.bytes(20_000))
    assert page.exam.is_open
    assert page.commands == []
    assert ask(page, "GET", "/")[0] == 200
    assert not [r for r in caplog.records if r.levelname == "ERROR"]


def test_pages_and_watchers_are_bounded(page: Bench) -> None:
    """So many streams and no more; a place that is left can be taken again."""
    for path, most in (("/events", LISTENERS), ("/live", WATCHERS)):
        with several(page, path, most):
            assert ask(page, "GET", path)[0] == 503
        deadline_s = time.monotonic() + 20
        while (status := first_status(page, path)) != 200:
            assert time.monotonic() < deadline_s, f"{path}: the place was not given back, {status}"
            time.sleep(0.05)


@contextmanager
def several(made: Bench, path: str, number: int) -> Iterator[None]:
    """So many open streams."""
    opened = []
    try:
        for _ in range(number):
            raw = socket.create_connection(("127.0.0.1", port_of(made)), timeout=20)
            opened.append(raw)
            raw.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert raw.recv(15).startswith(b"HTTP/1.1 200")
        yield
    finally:
        for raw in opened:
            raw.close()


def first_status(made: Bench, path: str) -> int:
    """Status of a stream, which is left at once."""
    with socket.create_connection(("127.0.0.1", port_of(made)), timeout=20) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return int(raw.recv(15).split()[1])


def test_who_says_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that never sends a whole request is closed, at once or in the middle of a head."""
    monkeypatch.setattr(server_module, "HEAD_S", 0.3)
    with bench() as page:
        for sent in (b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"):
            with socket.create_connection(("127.0.0.1", port_of(page)), timeout=10) as raw:
                raw.sendall(sent)
                assert raw.recv(1) == b""


def test_no_thread_and_no_port_is_left(page: Bench) -> None:
    """When the page is closed with streams open, its threads end and its port is free."""
    with bench() as other:
        port = port_of(other)
        streams = several(other, "/live", 2)
        streams.__enter__()
    left = {thread.name for thread in threading.enumerate() if thread.name.startswith("bedside")}
    assert len([name for name in left if name == "bedside"]) == 1  # that of the fixture
    listening(BedsideConfig(port=port)).close()
    streams.__exit__(None, None, None)


def test_a_fall_of_the_page_is_told_and_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the server's loop falls, the appliance goes on, says so, and the page comes back."""
    monkeypatch.setattr(server_module, "_BACK_S", (0.05,))
    with bench() as page:
        assert page.desk is not None
        server = page.desk._server
        running = server._running
        while running is None or not running.started:
            running = server._running
            time.sleep(0.01)
        told: list[str | None] = []
        monkeypatch.setattr(
            server_module.LOG, "warning", lambda text, *rest: told.append(text % rest if rest else text)
        )
        running.should_exit = True
        deadline_s = time.monotonic() + 20
        while server._running is running or server._running is None or not server._running.started:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        assert ask(page, "GET", "/")[0] == 200
        assert page.desk.trouble is None
        assert told
        assert "the bedside page ended" in str(told[0])


def certificate(folder: Path) -> tuple[Path, Path]:
    """What `make-certificates` makes for a page: certificate and key; `ca.pem` lies beside them."""
    assert make_certificates(folder, "site", "broker", "room-1", "--page", "localhost").returncode == 0
    return folder / "page-localhost.pem", folder / "page-localhost.key"


def test_over_tls_the_cookie_never_leaves_it(tmp_path: Path) -> None:
    """With a certificate the page speaks TLS only, and its cookie is bound to TLS and this host."""
    cert, key = certificate(tmp_path)
    pin = tmp_path / "pin"
    pin.write_text(PIN, encoding="utf-8")
    with bench(BedsideConfig(pin_file=pin, cert_file=cert, key_file=key)) as page:
        port = port_of(page)
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))  # what the tablet trusts
        with closing(http.client.HTTPSConnection("localhost", port, timeout=20, context=context)) as secure:
            origin = f"https://localhost:{port}"
            secure.request("POST", "/pin", json.dumps({"pin": PIN}), {"Origin": origin, "Content-Type": JSON})
            answer = secure.getresponse()
            assert answer.status == 200
            flags = answer.headers["set-cookie"]
        assert flags.startswith("__Host-fibrostage=")
        assert "secure" in flags.lower()
        with pytest.raises((http.client.HTTPException, OSError)):
            ask(page, "GET", "/")


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """A key of another certificate, an encrypted key and a file that is none: one sentence each."""
    cert, key = certificate(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    encrypted = tmp_path / "encrypted.key"
    words = ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:secret", "-out", str(encrypted)]
    subprocess.run(words, check=True, capture_output=True, timeout=30)
    for bad in (certificate(other)[1], encrypted, tmp_path / "none", cert):
        with pytest.raises(ConfigError, match=r"bedside\.cert_file .* cannot be used"):
            check_tls(BedsideConfig(cert_file=cert, key_file=bad))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.20", "tablet.hospital"])  # noqa: S104 - refused
def test_a_host_that_others_reach_needs_pin_and_tls(tmp_path: Path, host: str) -> None:
    """Without PIN and certificate the appliance does not start: one clear line, exit code 2."""
    path = tmp_path / "fibrostage.toml"
    path.write_text(f'version = 2\n[bedside]\nenabled = true\nhost = "{host}"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bedside\.host .* set pin_file, cert_file and key_file"):
        load_config(path)


def test_an_open_page_is_refused_at_the_start(tmp_path: Path) -> None:
    """The program says so in one line and exits with 2, and so it does for a PIN that is too short."""
    path, pin = tmp_path / "fibrostage.toml", tmp_path / "pin"
    pin.write_text("1234\n", encoding="utf-8")
    pin.chmod(0o600)
    for setting in ('host = "0.0.0.0"', f'pin_file = "{pin}"'):
        path.write_text(
            f"version = 2\n[mqtt]\nenabled = false\n[bedside]\nenabled = true\n{setting}\n"
            '[sink]\nkind = "none"\n[source]\nkind = "phantom"\n',
            encoding="utf-8",
        )
        ended = call("fibrostage", "run", "--config", path, "--no-safe-mode")
        assert ended.code == 2
        complaint = [line for line in ended.err.splitlines() if "bedside." in line]
        assert len(complaint) == 1
        assert "Traceback" not in ended.err
        assert "1234" not in ended.err


def test_an_address_that_cannot_be_used_is_named() -> None:
    """A port that is taken and an address of another machine: one sentence with what to do."""
    with closing(listening(BedsideConfig().model_copy(update={"port": 0}))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"bedside\.port {port} cannot be used: .*name a free port"):
            listening(BedsideConfig(port=port))
    with pytest.raises(ConfigError, match=r"bedside\.host 192\.0\.2\.1"):
        listening(BedsideConfig(host="192.0.2.1"))
    with pytest.raises(ConfigError, match="is no address of this machine"):
        listening(BedsideConfig(host="no such name"))
