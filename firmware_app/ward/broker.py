"""A private mosquitto for the demonstration and the tests: free ports, this machine only, gone at the end.

It listens for MQTT on one port and for WebSockets on another; the second one also serves the department
page, as the broker of a hospital would. A department uses its own broker: see `docs/mqtt.md`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from firmware_app.errors import BrokerError

LOOPBACK = "127.0.0.1"
STARTS_WITHIN_S = 10.0


class PrivateBroker:
    """Runs mosquitto while the `with` block lasts.

    Args:
        page: folder that is served over HTTP on the WebSockets port; None: no such port.
        password_file: made by `mosquitto_passwd`; None: anybody on this machine may connect.
        listener: further lines of mosquitto's configuration for the MQTT port.

    Attributes:
        host: always this machine.
        port: MQTT over TCP.
        web_port: MQTT over WebSockets, and the page.
        log_path: what mosquitto writes, readable while it runs.
    """

    def __init__(
        self, page: Path | None = None, password_file: Path | None = None, listener: tuple[str, ...] = ()
    ) -> None:
        self.host = LOOPBACK
        self.port, self.web_port = free_ports(2)
        self._page = page
        self._password_file = password_file
        self._listener = listener
        self._cleanup = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self.log_path = Path()

    @property
    def page_url(self) -> str:
        """Address of the department page."""
        return f"http://{self.host}:{self.web_port}/"

    @property
    def pid(self) -> int:
        """Of its process; while it runs."""
        if self._process is None:
            raise BrokerError("mosquitto does not run")
        return self._process.pid

    def __enter__(self) -> PrivateBroker:  # noqa: PYI034 -- typing.Self needs Python 3.11
        """Start it and wait until it accepts connections.

        Raises:
            BrokerError: mosquitto is not installed, or does not start; the sentence says why.
        """
        with ExitStack() as until_it_runs:
            temporary = tempfile.TemporaryDirectory(prefix="fibrostage-broker-")
            folder = Path(until_it_runs.enter_context(temporary))
            self.log_path = folder / "mosquitto.log"
            (folder / "mosquitto.conf").write_text(self._configuration(), encoding="utf-8")
            self.start()
            self._cleanup = until_it_runs.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it and remove its files."""
        self.stop()
        self._cleanup.close()

    def start(self) -> None:
        """Start it (again, on the same ports)."""
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            raise BrokerError("mosquitto is not installed: install the package mosquitto")
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-c", str(self.log_path.parent / "mosquitto.conf")],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for whoever runs it: they end it last
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise BrokerError(f"mosquitto does not start: {self._last_words()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it, as a power cut would; what it retained is forgotten."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it hang: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _last_words(self) -> str:
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        errors = [line for line in lines if "Error" in line]
        return (errors or lines[-1:] or ["it says nothing"])[0]

    def _accepts(self) -> bool:
        ports = (self.port,) if self._page is None else (self.port, self.web_port)
        try:
            for port in ports:
                with socket.create_connection((self.host, port), timeout=0.5):
                    pass
        except OSError:
            return False
        return True

    def _configuration(self) -> str:
        lines = ["persistence false", "log_dest stdout", "set_tcp_nodelay true"]
        if os.geteuid() == 0:
            lines.append("user root")  # else it drops to a user that cannot read the page
        if self._password_file is None:
            lines.append("allow_anonymous true")
        else:
            lines += ["allow_anonymous false", f"password_file {self._password_file.resolve()}"]
        lines += [f"listener {self.port} {self.host}", *self._listener]
        if self._page is not None:
            lines += [
                f"listener {self.web_port} {self.host}",
                "protocol websockets",
                f"http_dir {self._page.resolve()}",
            ]
        return "\n".join(lines) + "\n"


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on now."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [int(one.getsockname()[1]) for one in sockets]
