"""The audit log: whatever is altered, removed, added or moved is found, and a power cut breaks nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from firmware_app.errors import AuditError
from firmware_app.records.audit import Audit
from firmware_app.records.chain import HEAD, Head, next_line
from firmware_app.records.lock import LOCK
from firmware_app.records.verification import verify
from tests.conftest import call
from tests.firmware_app.disks import remount, small_disk_room

NOW = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


def written(folder: Path, lines: int = 12, **sizes: int) -> Audit:
    """A log with some lines, closed again."""
    audit = Audit(folder, **sizes)
    for number in range(lines):
        audit.note("result", {"id": number, "lsm": {"mean_kpa": 8.5}, "room": "Bär"}, NOW)
    audit.close()
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
    assert audit.trouble is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: [*lines[:4], *lines[5:]], "number 6, number 5 was expected"),
        (lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]], "number 6, number 5 was expected"),
        (lambda lines: [*lines[:4], lines[3], *lines[4:]], "number 4, number 5 was expected"),
        (lambda lines: lines[:-1], "ends with line 11, head.json knows line 12"),
        (lambda lines: lines[1:], "begins with line 2: lines before it were removed"),
        (lambda lines: [lines[0].replace(b"8.5", b"3.5"), *lines[1:]], "line 1: it was altered"),
        (lambda lines: [lines[0].replace(b'":"', b'": "'), *lines[1:]], "line 1: it was altered"),
        (lambda lines: [lines[0].replace(b"8.5", b"1e999"), *lines[1:]], "line 1: it was altered"),
        (lambda lines: [*lines[:3], b"\n", *lines[3:]], "line 4: it is not a whole line"),
    ],
    ids=["removed", "moved", "doubled", "cut", "beheaded", "value", "spaces", "endless", "empty line"],
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


Mutation = Callable[[Path, st.DataObject], None]


def _a_file(folder: Path, data: st.DataObject) -> Path:
    return data.draw(st.sampled_from(sorted(folder.glob("audit-*.jsonl"))), "file")


def _lines_changed(change: Callable[[list[bytes], st.DataObject], None]) -> Mutation:
    def mutate(folder: Path, data: st.DataObject) -> None:
        file = _a_file(folder, data)
        lines = file.read_bytes().splitlines(keepends=True)
        change(lines, data)
        file.write_bytes(b"".join(lines))

    return mutate


def _place(lines: list[bytes], data: st.DataObject) -> int:
    return data.draw(st.integers(0, len(lines) - 1), "line")


def _swap(lines: list[bytes], data: st.DataObject) -> None:
    first, second = _place(lines, data), _place(lines, data)
    second = second if first != second else (first + 1) % len(lines)
    lines[first], lines[second] = lines[second], lines[first]


def _flip(path: Path, data: st.DataObject) -> None:
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1), "byte")] ^= data.draw(st.integers(1, 255), "bits")
    path.write_bytes(content)


def _truncate(folder: Path, data: st.DataObject) -> None:
    file = _a_file(folder, data)
    os.truncate(file, data.draw(st.integers(0, file.stat().st_size - 1), "end"))


def _exchange_names(folder: Path, data: st.DataObject) -> None:
    first, second = data.draw(
        st.lists(st.sampled_from(sorted(folder.glob("audit-*.jsonl"))), min_size=2, max_size=2, unique=True)
    )
    first.rename(folder / "other")
    second.rename(first)
    (folder / "other").rename(second)


def _other_head(folder: Path, data: st.DataObject) -> None:
    head = Head.model_validate_json((folder / HEAD).read_bytes())
    n = data.draw(st.integers(0, head.n + 5).filter(lambda other: other != head.n), "n")
    (folder / HEAD).write_bytes(head.model_copy(update={"n": n}).encoded)


MUTATIONS: dict[str, Mutation] = {
    "byte of a line": lambda folder, data: _flip(_a_file(folder, data), data),
    "byte of the head": lambda folder, data: _flip(folder / HEAD, data),
    "another head": _other_head,
    "no head": lambda folder, _: (folder / HEAD).unlink(),
    "line removed": _lines_changed(lambda lines, data: lines.__delitem__(_place(lines, data))),
    "line doubled": _lines_changed(
        lambda lines, data: lines.insert(_place(lines, data), lines[_place(lines, data)])
    ),
    "line doubled at the end": _lines_changed(lambda lines, data: lines.append(lines[_place(lines, data)])),
    "lines exchanged": _lines_changed(_swap),
    "foreign line": _lines_changed(
        lambda lines, data: lines.insert(_place(lines, data), next_line(Head(n=4), "result", None, NOW).data)
    ),
    "cut off": _truncate,
    "file removed": lambda folder, data: _a_file(folder, data).unlink(),
    "files exchanged": _exchange_names,
}


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS.keys())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_single_mutation_is_found(
    tmp_path_factory: pytest.TempPathFactory, mutation: Mutation, data: st.DataObject
) -> None:
    """Whatever is changed in a log of several files, rotated or not, is found."""
    folder = tmp_path_factory.mktemp("log")
    written(folder, 14, file_bytes=900, keep=data.draw(st.sampled_from([3, 50]), "keep"))
    assert verify(folder).fault is None
    mutation(folder, data)
    assert verify(folder).fault is not None


def test_log_rewritten_and_extended_is_found_by_its_head(tmp_path: Path) -> None:
    """Forged lines with a fitting chain do not pass by being more than the head knows."""
    written(tmp_path / "true")
    head = Head()
    lines: list[bytes] = []
    for number in range(13):
        line = next_line(head, "result", {"id": number, "forged": True}, NOW)
        head, lines = line.head, [*lines, line.data]
    first_file(tmp_path / "true").write_bytes(b"".join(lines))
    assert "has not the digest" in str(verify(tmp_path / "true").fault)


def test_log_is_bounded_and_stays_sound(tmp_path: Path) -> None:
    """Beyond its bound the oldest file goes; the rest is one chain that begins where it says."""
    audit = written(tmp_path, 60, file_bytes=1000, keep=3)
    files = sorted(tmp_path.glob("audit-*.jsonl"))
    assert len(files) == 3
    verdict = verify(tmp_path)
    assert verdict.fault is None
    assert 0 < verdict.lines < 60 < audit.head.n  # the lines that account for the rotation count, too
    files[0].unlink()
    assert "lines before it were removed" in str(verify(tmp_path).fault)


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
audit = Audit(Path(sys.argv[1]), file_bytes=20_000)
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
            assert verify(folder).fault is None  # while it is written
            process.send_signal(signal.SIGKILL)
            done = int((process.stdout.read().splitlines() or ["1"])[-1])
        assert verify(folder).fault is None
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
    assert verify(tmp_path).fault is None  # it was never noted
    written(tmp_path, 1)
    assert verify(tmp_path).fault is None
    assert file.with_suffix(".torn").read_bytes() == b'{"n":13,"time":"2026'


def test_power_cut_between_the_steps_of_a_rotation_breaks_nothing(tmp_path: Path) -> None:
    """The oldest file may still be there when the line that accounts for its removal is."""
    written(tmp_path, 14, file_bytes=900, keep=3)
    oldest = first_file(tmp_path)
    kept = oldest.read_bytes()
    audit = Audit(tmp_path, file_bytes=900, keep=3)
    while oldest.exists():
        audit.note("result", {"text": "x" * 300}, NOW)
    audit.close()
    oldest.write_bytes(kept)
    assert verify(tmp_path).fault is None
    written(tmp_path, 14, file_bytes=900, keep=3)
    assert not oldest.exists()
    assert verify(tmp_path).fault is None


def test_second_writer_is_refused_and_named(tmp_path: Path) -> None:
    """Only one process writes; the sentence says which. A killed one leaves no lock behind."""
    audit = Audit(tmp_path)
    with pytest.raises(AuditError, match=f"in use by process {os.getpid()}"):
        Audit(tmp_path)
    audit.close()
    audit.close()
    written(tmp_path, 1)
    assert (tmp_path / LOCK).exists()


@pytest.mark.parametrize(
    "content",
    [{"v": float("nan")}, {"v": "\ud800"}, {"v": "x" * (2 << 20)}, {"v": {1, 2}}],
    ids=["no number", "half a surrogate", "too long", "no JSON"],
)
def test_content_that_cannot_be_read_back_is_left_out(tmp_path: Path, content: JsonValue) -> None:
    """Nothing that a command brings along can break the log or stop the appliance."""
    audit = Audit(tmp_path)
    audit.note("command", content, NOW)
    audit.note("result", {"id": 1}, NOW)
    audit.close()
    assert verify(tmp_path).fault is None
    assert b"left_out" in first_file(tmp_path).read_bytes()


def test_full_disk_delays_nobody_and_is_accounted_for(small_disk: Path) -> None:
    """On a full disk notes are lost, and counted; the log stays sound, and goes on when there is room."""
    folder = small_disk / "audit"
    audit = Audit(folder)
    audit.note("result", {"id": 0}, NOW)
    (small_disk / "filler").write_bytes(bytes(small_disk_room(small_disk)))
    noted, lost = 1, 0
    while lost < 3:
        audit.note("result", {"text": "x" * 700}, NOW)
        noted, lost = noted + (audit.trouble is None), lost + (audit.trouble is not None)
    assert "No space left" in str(audit.trouble)
    verdict = verify(folder)
    assert (verdict.lines, verdict.fault) == (noted, None)
    (small_disk / "filler").unlink()
    audit.note("result", {"id": 1}, NOW)
    audit.close()
    assert audit.trouble is None
    assert (verify(folder).lines, verify(folder).fault) == (noted + 2, None)
    assert b'"lines":3' in first_file(folder).read_bytes().splitlines()[-2]


def test_read_only_disk_stops_no_start(small_disk: Path) -> None:
    """The appliance starts on a disk that became read-only, says so, and notes again when it is mended."""
    folder = small_disk / "audit"
    written(folder, 2)
    remount(small_disk, "ro")
    audit = Audit(folder)
    assert "Read-only" in str(audit.trouble)
    audit.note("result", {"id": 1}, NOW)
    assert "Read-only" in str(audit.trouble)
    remount(small_disk, "rw")
    audit.note("result", {"id": 2}, NOW)
    audit.close()
    assert audit.trouble is None
    assert (verify(folder).lines, verify(folder).fault) == (4, None)


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
