"""The audit log: whatever is altered, removed, added or moved is found, and a power cut breaks nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_app.errors import AuditError
from firmware_app.records.audit import HEAD, Audit, verify
from tests.conftest import call

NOW = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


def written(folder: Path, lines: int = 12, **sizes: int) -> Audit:
    """A log with some lines."""
    audit = Audit(folder, **sizes)
    for number in range(lines):
        audit.note("result", {"id": number, "lsm": {"mean_kpa": 8.5}, "room": "Bär"}, NOW)
    return audit


def first_file(folder: Path) -> Path:
    """The oldest file of the log."""
    return min(folder.glob("audit-*.jsonl"))


def test_untouched_log_is_sound_over_restarts(tmp_path: Path) -> None:
    """A log that goes on in a new process is one chain; its head tells number and digest."""
    written(tmp_path)
    audit = written(tmp_path, 3)
    verdict = verify(tmp_path, expected=audit.head.digest)
    assert (verdict.lines, verdict.digest, verdict.fault) == (15, audit.head.digest, None)
    assert audit.head.n == 15


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: [*lines[:4], *lines[5:]], "number 6, number 5 was expected"),
        (lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]], "number 6, number 5 was expected"),
        (lambda lines: [*lines[:4], lines[3], *lines[4:]], "number 4, number 5 was expected"),
        (lambda lines: lines[:-1], "ends with line 11, head.json knows line 12"),
        (lambda lines: lines[1:], "number 2, number 1 was expected"),
        (lambda lines: [lines[0].replace(b"8.5", b"3.5"), *lines[1:]], "line 1: it was altered"),
        (lambda lines: [lines[0].replace(b'":"', b'": "'), *lines[1:]], "line 1: it was altered"),
        (lambda lines: [*lines[:3], b"\n", *lines[3:]], "line 4: it is not a whole line"),
    ],
    ids=["removed", "moved", "doubled", "cut", "beheaded", "value", "spaces", "empty line"],
)
def test_every_kind_of_tampering_is_found(tmp_path: Path, change, words: str) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - a lambda over the lines
    """A changed log is refused, and the sentence names the line."""
    written(tmp_path)
    file = first_file(tmp_path)
    file.write_bytes(b"".join(change(file.read_bytes().splitlines(keepends=True))))
    fault = verify(tmp_path).fault
    assert fault is not None
    assert words in fault


def test_line_rewritten_with_a_fitting_digest_is_found_at_the_next_one(tmp_path: Path) -> None:
    """One rewritten line breaks the chain behind it; a log rewritten whole lacks a digest noted elsewhere."""
    noted = written(tmp_path / "true").head.digest
    forger = Audit(tmp_path / "forged")
    for number in range(12):
        forger.note(
            "result", {"id": number, "lsm": {"mean_kpa": 3.5 if number == 4 else 8.5}, "room": "Bär"}, NOW
        )
    true, forged = first_file(tmp_path / "true"), first_file(tmp_path / "forged")
    lines = true.read_bytes().splitlines(keepends=True)
    lines[4] = forged.read_bytes().splitlines(keepends=True)[4]
    true.write_bytes(b"".join(lines))
    assert "line 6: it does not follow" in str(verify(tmp_path / "true").fault)
    assert verify(tmp_path / "forged").fault is None
    assert "no line has the digest" in str(verify(tmp_path / "forged", expected=noted).fault)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(tmp_path_factory: pytest.TempPathFactory, place: float, bit: int) -> None:
    """One bit, anywhere in the log."""
    folder = tmp_path_factory.mktemp("log")
    written(folder, 6)
    file = first_file(folder)
    data = bytearray(file.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    file.write_bytes(data)
    assert verify(folder).fault is not None


def test_log_is_bounded_and_stays_sound(tmp_path: Path) -> None:
    """Beyond its bound the oldest file goes; the rest is one chain that begins where it says."""
    audit = written(tmp_path, 60, file_bytes=1000, keep=3)
    files = sorted(tmp_path.glob("audit-*.jsonl"))
    assert len(files) == 3
    verdict = verify(tmp_path)
    assert verdict.fault is None
    assert 0 < verdict.lines < 60
    assert audit.head.first == 60 - verdict.lines + 1
    files[0].unlink()
    assert verify(tmp_path).fault is not None


def test_gap_is_not_healed_by_going_on(tmp_path: Path) -> None:
    """Lines that were cut off at the end stay missing when the appliance starts again and goes on."""
    written(tmp_path)
    file = first_file(tmp_path)
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-3]))
    written(tmp_path, 2)
    assert "number 13, number 10 was expected" in str(verify(tmp_path).fault)


KILLED = """
import sys
from datetime import datetime, timezone
from pathlib import Path
from firmware_app.records.audit import Audit
audit = Audit(Path(sys.argv[1]), file_bytes=2000)
number = 0
while True:
    audit.note("acquisition", {"number": number, "text": "x" * 300}, datetime.now(timezone.utc))
    number += 1
    print(number, flush=True)
"""


def test_kill_at_any_moment_leaves_a_sound_log(tmp_path: Path) -> None:
    """After kill -9 every line whose call returned is there, and the log goes on."""
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(folder)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.03 + 0.05 * attempt)
            process.send_signal(signal.SIGKILL)
            done = int((process.stdout.read().splitlines() or ["1"])[-1])
        written(folder, 1)
        verdict = verify(folder)
        assert verdict.fault is None
        assert done + 1 <= verdict.lines <= done + 2


def test_half_a_line_is_set_aside(tmp_path: Path) -> None:
    """What a power cut left of a line is kept beside the log, which goes on after its last whole line."""
    written(tmp_path)
    file = first_file(tmp_path)
    with file.open("ab") as stream:
        stream.write(b'{"n":13,"time":"2026')
    written(tmp_path, 1)
    assert verify(tmp_path).fault is None
    assert file.with_suffix(".torn").read_bytes() == b'{"n":13,"time":"2026'


def test_no_log_is_one_sentence(tmp_path: Path) -> None:
    """A folder without a log is wrong input; a file in the place of the folder, too."""
    with pytest.raises(AuditError, match="no audit log"):
        verify(tmp_path)
    (tmp_path / "file").write_text(json.dumps(HEAD), encoding="utf-8")
    with pytest.raises(AuditError, match="cannot be used"):
        Audit(tmp_path / "file")


def test_program_tells_a_sound_log_from_a_broken_one(tmp_path: Path) -> None:
    """It ends with 0 for a sound log, with 1 and the place of the fault, with 2 where there is no log."""
    written(tmp_path / "log")
    sound = call("fibrostage", "audit", "verify", str(tmp_path / "log"), "--json")
    assert sound.code == 0
    assert json.loads(sound.out)["lines"] == 12
    file = first_file(tmp_path / "log")
    file.write_bytes(file.read_bytes().replace(b"8.5", b"3.5", 1))
    broken = call("fibrostage", "audit", "verify", str(tmp_path / "log"))
    assert broken.code == 1
    assert "line 1: it was altered" in broken.err
    assert call("fibrostage", "audit", "verify", str(tmp_path)).code == 2
