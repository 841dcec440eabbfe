"""The outbox: in order, bounded, and on the disk before anything is sent; nothing is ever lost with it."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firmware_app.config import MqttConfig
from firmware_app.video.capture_state import CaptureState
from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.mqtt import Ward
from firmware_app.ward.outbox import Instant, Outbox
from firmware_app.ward.publication import Publication, publication_of, status_message
from tests.firmware_app.disks import remount
from tests.firmware_app.exam_examples import BIRTH, acquired, after, appliance, moment, uid

NOW = Instant("this boot", 100.0)


def acquisition(number: int) -> Publication:
    """The acquisition of that number, as a message."""
    _, effects = after(acquired(number))
    made = publication_of(effects[1], moment(number), appliance(), time_trusted=True)
    assert made is not None
    return made


def result() -> Publication:
    """The result of five acquisitions, as a message."""
    _, effects = after(*(acquired(n) for n in range(1, 6)))
    made = publication_of(effects[1], moment(5), appliance(), time_trusted=True)
    assert made is not None
    return made


def emptied(outbox: Outbox) -> list[bytes]:
    """Take everything out; the payloads in order."""
    payloads = []
    while len(outbox):
        payloads.append(outbox.head().payload)
        outbox.take()
    return payloads


@pytest.mark.parametrize("on_disk", [False, True])
def test_full_outbox_keeps_results_and_the_head(tmp_path: Path, on_disk: bool) -> None:  # noqa: FBT001 - a parameter
    """When it is full, acquisitions go first, oldest first; the head and results stay, on the disk too."""
    file = tmp_path / "outbox.sqlite" if on_disk else None
    outbox = Outbox(3, file)
    lesser = [acquisition(number) for number in range(4)]
    for publication in (lesser[0], result(), lesser[1], lesser[2], lesser[3]):
        outbox.commit([publication], NOW)
    assert outbox.dropped == 2
    if on_disk:
        outbox.close()
        outbox = Outbox(3, file)
    assert emptied(outbox) == [lesser[0].payload, result().payload, lesser[3].payload]
    outbox.close()


def test_what_waits_survives_a_restart_as_it_was(tmp_path: Path) -> None:
    """The next process finds what waits as it was, with its age; what was taken is gone."""
    file = tmp_path / "state" / "outbox.sqlite"
    first = Outbox(10, file)
    for publication in (acquisition(1), result(), Publication("result", None, retain=True)):
        first.commit([publication], NOW)
    first.take()
    first.close()
    second = Outbox(10, file)
    head = second.head()
    assert (head.topic, head.payload, head.retain, head.expiry_s) == (
        "result",
        result().payload,
        True,
        result().expiry_s,
    )
    assert head.age_s(Instant("this boot", 160.0)) == 60.0
    assert head.age_s(Instant("another boot", 160.0)) is None
    assert emptied(second) == [result().payload, b""]
    second.close()
    third = Outbox(10, file)
    assert len(third) == 0
    third.close()


KILLED = """
import sys
from pathlib import Path
from firmware_app.ward.outbox import Instant, Outbox
from tests.firmware_app.test_outbox import acquisition
outbox = Outbox(100000, Path(sys.argv[1]))
made = acquisition(1)
for number in range(100000):
    outbox.commit([made], Instant.now())
    print(number, flush=True)
"""


def test_kill_at_any_moment_loses_nothing_that_was_put(tmp_path: Path) -> None:
    """After kill -9 every message whose `put` had returned waits in the file."""
    for attempt in range(3):
        file = tmp_path / f"{attempt}.sqlite"
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(file)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(random.uniform(0.01, 0.2))
            process.send_signal(signal.SIGKILL)
            done = int((process.stdout.read().splitlines() or ["0"])[-1]) + 1
        outbox = Outbox(100_000, file)
        assert done <= len(outbox) <= done + 1
        assert outbox.trouble is None
        outbox.close()


@pytest.mark.parametrize("damage", ["not a database", "torn", "schema", "table", "topic"])
def test_damaged_file_is_set_aside_and_never_deleted(tmp_path: Path, damage: str) -> None:
    """A file that is no sound outbox is kept under another name, and a new one takes its place."""
    file = tmp_path / "outbox.sqlite"
    if damage == "not a database":
        file.write_bytes(b"\x89PNG, for example" * 1000)
    else:
        outbox = Outbox(1000, file)
        for _ in range(200):
            outbox.commit([acquisition(1)], NOW)
        outbox.close()
        if damage == "torn":
            content = bytearray(file.read_bytes())
            content[8192:40960] = os.urandom(32768)
            file.write_bytes(content)
        else:
            command = {
                "schema": "PRAGMA user_version = 7",
                "table": "ALTER TABLE waiting RENAME COLUMN payload TO body",
                "topic": "UPDATE waiting SET topic = '../../status' WHERE number = 3",
            }[damage]
            connection = sqlite3.connect(file)
            connection.execute(command)
            connection.commit()
            connection.close()
    before = file.read_bytes()
    outbox = Outbox(10, file)
    assert len(outbox) == 0
    assert outbox.trouble is None
    outbox.commit([acquisition(2)], NOW)
    outbox.close()
    assert (tmp_path / "outbox.sqlite.damaged-1").read_bytes()[:8192] == before[:8192]
    again = Outbox(10, file)
    assert emptied(again) == [acquisition(2).payload]
    again.close()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from firmware_app.ward.outbox import Instant, Outbox
from tests.firmware_app.test_outbox import acquisition, emptied
outbox = Outbox(1000, Path(sys.argv[1]))
outbox.commit([acquisition(1)], Instant.now())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (40960, hard))
for number in range(300):
    outbox.commit([acquisition(number % 5)], Instant.now())
troubled = outbox.trouble is not None
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
outbox.commit([acquisition(1)], Instant.now())
print(troubled, outbox.trouble, len(emptied(outbox)))
"""


def test_full_disk_delays_nobody(tmp_path: Path) -> None:
    """While the disk is full messages wait in memory, and the trouble is told until there is room again."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL_DISK, str(tmp_path / "outbox.sqlite")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stdout.split() == ["True", "None", "302"], done.stderr


def test_place_that_cannot_be_written_is_told_and_survived(tmp_path: Path) -> None:
    """A folder that cannot be made leaves an outbox in memory that says why."""
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    outbox = Outbox(10, tmp_path / "file" / "outbox.sqlite")
    outbox.commit([acquisition(1)], NOW)
    assert outbox.trouble is not None
    assert emptied(outbox) == [acquisition(1).payload]


def test_read_only_disk_keeps_what_it_has(small_disk: Path) -> None:
    """Started on a read-only disk, messages wait in memory; what the disk holds is there afterwards."""
    file = small_disk / "outbox.sqlite"
    first = Outbox(10, file)
    first.commit([result()], NOW)
    first.close()
    remount(small_disk, "ro")
    second = Outbox(10, file)
    assert second.trouble is not None
    second.commit([acquisition(2)], NOW)
    assert acquisition(2).payload in emptied(second)
    second.close()
    remount(small_disk, "rw")
    third = Outbox(10, file)
    assert third.trouble is None
    assert result().payload in emptied(third)
    third.close()


def test_result_outlives_the_process_and_reaches_the_ward(tmp_path: Path) -> None:
    """A result that was published while the broker was away reaches it from the next process, once."""
    speaker = appliance()
    birth = status_message(speaker, CaptureState.LIVE, BIRTH, time_trusted=True)
    with PrivateBroker() as broker:
        config = MqttConfig(host=broker.host, port=broker.port, required=False, outbox=tmp_path / "o.sqlite")
        broker.stop()
        first = Ward(config, speaker.root, birth, birth)
        first.connect()
        first.publish(result())
        first.close()
        broker.start()
        second = Ward(config, speaker.root, birth, birth)
        second.connect()
        deadline = time.monotonic() + 10
        while second.link.queued and time.monotonic() < deadline:
            time.sleep(0.01)
        second.close()
        arrived = subprocess.run(
            [
                "mosquitto_sub",
                "-h",
                broker.host,
                "-p",
                str(broker.port),
                "-t",
                f"{speaker.root}/result",
                "-W",
                "2",
            ],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.splitlines()
    assert [json.loads(line)["id"] for line in arrived] == [str(uid(1005))]
    third = Outbox(10, tmp_path / "o.sqlite")
    assert len(third) == 0
    third.close()
