"""The private broker of the demonstration: serves the page, says why it does not start, leaves nothing."""

from __future__ import annotations

import http.client
import shutil
import socket
from pathlib import Path

import pytest

from firmware_app.errors import BrokerError
from firmware_app.ward.broker import PrivateBroker

pytestmark = pytest.mark.skipif(
    shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin") is None,
    reason="mosquitto is not installed",
)


def _get(broker: PrivateBroker, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(broker.host, broker.web_port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_serves_the_page_and_is_gone_afterwards(tmp_path: Path) -> None:
    """While it runs it serves the page to this machine only; afterwards port and files are gone."""
    (tmp_path / "index.html").write_text("<p>department", encoding="utf-8")
    with PrivateBroker(page=tmp_path) as broker:
        assert _get(broker, "/") == (200, b"<p>department")
        assert _get(broker, "/absent.html")[0] in {403, 404}
        folder = broker.log_path.parent
        assert folder.is_dir()
    assert not folder.exists()
    with socket.socket() as probe:
        assert probe.connect_ex((broker.host, broker.port)) != 0


def test_says_why_it_does_not_start() -> None:
    """A configuration that mosquitto refuses is told in its own words."""
    with (
        pytest.raises(BrokerError, match=r"mosquitto does not start: .*nonsense"),
        PrivateBroker(listener=("nonsense 1",)),
    ):
        pass


def test_missing_program_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without mosquitto on the machine, the sentence says what to install."""
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(BrokerError, match="install the package mosquitto"), PrivateBroker():
        pass
