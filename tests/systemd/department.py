"""A department's broker as it is shipped, run by a real mosquitto; only ports and folders differ."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SHIPPED = Path(__file__).parents[2] / "systemd" / "mosquitto"
SITE, HERE = "st-elsewhere", "127.0.0.1"
ROOT = f"fibrostage/v1/{SITE}"
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")


@dataclass(frozen=True)
class Department:
    """A running broker, and the folder with every certificate.

    Attributes:
        port: for appliances and command clients.
        display_port: for displays, over WebSockets.
        certificates: what `make-certificates` wrote.
        passwords: by user, where the broker wants them; None: it wants certificates.
    """

    port: int
    display_port: int
    certificates: Path
    passwords: dict[str, str] | None = None

    def command(self, program: str, who: str | None, *rest: str) -> list[str]:
        """A command-line client of somebody: a certificate's stem, a user, or None for a stranger."""
        command = [program, "-h", HERE, "-p", str(self.port), "-V", "5", "-q", "1"]
        command += ["--cafile", str(self.certificates / "ca.pem")]
        if who is not None and self.passwords is not None:
            command += ["-u", who, "-P", self.passwords.get(who, "a guess")]
        elif who is not None:
            stem = self.certificates / who
            command += ["--cert", f"{stem}.pem", "--key", f"{stem}.key"]
        return [*command, *rest]

    def publish(self, who: str | None, topic: str, *rest: str) -> bool:
        """Publish "hello" on a topic; whether the broker let the client in."""
        told = self.command("mosquitto_pub", who, "-t", topic, "-m", "hello", *rest)
        return subprocess.run(told, capture_output=True, check=False, timeout=20).returncode == 0

    def arrives(self, writer: str | None, topic: str, reader: str) -> bool:
        """Whether the reader hears what the writer publishes on this topic.

        A message on a topic that both are sure of follows it, so that nothing has to be waited for.
        """
        device = reader if reader.startswith("room-") else "room-1"
        after = f"{ROOT}/{device}/command/after" if reader == device else f"{ROOT}/{device}/after"
        command = self.command("mosquitto_sub", reader, "-t", "#", "-W", "20", "-v", "-d")
        with subprocess.Popen(["stdbuf", "-oL", *command], stdout=subprocess.PIPE, text=True) as listener:
            assert listener.stdout is not None
            for line in listener.stdout:
                if "received SUBACK" in line:
                    break
            self.publish(writer, topic)
            assert self.publish(device, after)
            heard = []
            for line in listener.stdout:
                heard.append(line.strip())
                if line.strip() == f"{after} hello":
                    break
            listener.terminate()
        assert heard[-1:] == [f"{after} hello"], heard
        return f"{topic} hello" in heard


def make_certificates(out: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """Run the script that a site runs."""
    command = [str(SHIPPED / "make-certificates"), str(out), *names]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(folder: Path, shipped: str, users: Sequence[str] = ()) -> Iterator[Department]:
    """The broker with one of the shipped files, over certificates that lie in the folder already."""
    (folder / "page").mkdir()
    ports = _free_port(), _free_port()
    text = (SHIPPED / shipped).read_text("utf-8")
    for there, here in (
        ("listener 8883", f"listener {ports[0]} {HERE}"),
        ("listener 9001", f"listener {ports[1]} {HERE}"),
        ("/etc/mosquitto/certs", str(folder)),
        ("/etc/mosquitto", str(folder)),
        ("/var/lib/mosquitto/", f"{folder}/"),
        ("/usr/share/fibrostage/department", str(folder / "page")),
    ):
        assert there in text
        text = text.replace(
            f" {there}" if there.startswith("/") else there, f" {here}" if there.startswith("/") else here
        )
    if os.geteuid() == 0:
        text += "user root\n"
    (folder / "mosquitto.conf").write_text(text, encoding="utf-8")
    passwords = {user: f"secret of {user}" for user in users}
    for number, (user, password) in enumerate(passwords.items()):
        create = ["-c"] if number == 0 else []
        file = str(folder / "fibrostage.passwords")
        subprocess.run(["mosquitto_passwd", *create, "-b", file, user, password], check=True, timeout=20)
    with subprocess.Popen(
        [str(MOSQUITTO), "-c", str(folder / "mosquitto.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _await(process, ports)
            yield Department(*ports, folder, passwords or None)
        finally:
            process.terminate()


def _await(process: subprocess.Popen[bytes], ports: Sequence[int]) -> None:
    deadline = time.monotonic() + 20
    for port in ports:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex((HERE, port)) == 0:
                    break
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
