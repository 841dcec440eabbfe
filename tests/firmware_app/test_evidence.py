"""The evidence of each result: exactly what was scored, whole or not at all, bounded, gone when it must."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from calibration.whole_file import HALF_WRITTEN
from firmware_app.appliance import Step
from firmware_app.errors import EvidenceError
from firmware_app.exam.events import Cancel, Discard, PatientChanged, Start
from firmware_app.exam.resumption import resumed
from firmware_app.exam.state import Exam, Phase
from firmware_app.records import evidence as evidence_module
from firmware_app.records.audit import Audit
from firmware_app.records.chain import content_of, files_in, lines_of
from firmware_app.records.folder import PENDING_S, EvidenceFolder, sealed_in
from firmware_app.records.opening import read_evidence
from tests.firmware_app.disks import small_disk_room
from tests.firmware_app.evidence_examples import (
    Examination,
    crops_of,
    measured,
    noise,
    pending_in,
    until_sealed,
    wait_for,
)
from tests.firmware_app.exam_examples import moment, uid


def test_evidence_holds_exactly_what_was_scored(tmp_path: Path) -> None:
    """Both crops of each acquisition come out bit for bit, the payloads byte for byte."""
    couch = Examination(tmp_path).take(1, 2, 3, 4, 5)
    couch.store.close()
    [kept] = until_sealed(tmp_path)
    assert [one.id for one in kept.manifest.acquisitions if one.counted] == [uid(n) for n in range(1, 6)]
    for number in range(1, 6):
        taken, crops = kept.taken[uid(number)], crops_of(number)
        np.testing.assert_array_equal(taken.crops.elastogram, crops.elastogram)
        np.testing.assert_array_equal(taken.crops.gray, crops.gray)
        assert taken.message.n == number
    assert kept.payload == kept.result.to_json().encode()
    assert kept.result.id == couch.exam.result_id
    assert kept.manifest.graph_sha256 == "0" * 64
    assert kept.result.bundle_id == kept.manifest.bundle_id == "example-1"


def test_what_was_taken_out_is_kept_and_marked(tmp_path: Path) -> None:
    """A discarded acquisition stands in the evidence of the result that came without it."""
    couch = Examination(tmp_path).take(1, 2)
    couch.happen(Discard(uid(900), moment(2.5))).take(3, 4, 5, 6)
    couch.store.close()
    [kept] = until_sealed(tmp_path)
    marks = {one.id: one.counted for one in kept.manifest.acquisitions}
    assert marks == {uid(n): n != 2 for n in range(1, 7)}
    np.testing.assert_array_equal(kept.taken[uid(2)].crops.gray, crops_of(2).gray)


def test_second_result_of_an_exam_has_evidence_of_its_own(tmp_path: Path) -> None:
    """The evidence of a result that was withdrawn stays: it was published."""
    couch = Examination(tmp_path).take(1, 2, 3, 4, 5)
    couch.happen(Discard(uid(900), moment(6))).take(7)
    couch.store.close()
    first, second = until_sealed(tmp_path, 2)
    assert first.result.id != second.result.id
    assert [one.id for one in second.manifest.acquisitions if not one.counted] == [uid(5)]


def test_exam_goes_on_after_a_crash_with_its_crops(tmp_path: Path) -> None:
    """What was accepted before the appliance went down is in the evidence of the result after it."""
    couch = Examination(tmp_path).take(1, 2, 3)
    couch.store.close()
    assert pending_in(tmp_path) == sorted(str(uid(n)) for n in (1, 2, 3))
    again = Examination(tmp_path)
    again.exam = resumed(couch.exam, moment(3.5), 0)
    assert again.exam.phase is Phase.HELD
    again.tell(Step(noise(0), None, moment(3.5), again.exam))
    again.take(1)  # the screen still shows a picture of this exam: it goes on
    again.take(4, 5)
    again.store.close()
    [kept] = until_sealed(tmp_path)
    assert all(one.kept for one in kept.manifest.acquisitions)
    np.testing.assert_array_equal(kept.taken[uid(2)].crops.elastogram, crops_of(2).elastogram)


@pytest.mark.parametrize(
    "end", [Cancel(uid(900), moment(4)), PatientChanged(uid(900), moment(4)), Start(uid(900), moment(4))]
)
def test_crops_without_a_result_go_with_their_exam(
    tmp_path: Path, end: Cancel | PatientChanged | Start
) -> None:
    """An exam that ends without a result leaves no picture behind."""
    couch = Examination(tmp_path).take(1, 2).happen(end)
    couch.store.close()
    assert pending_in(tmp_path) == []
    assert sealed_in(tmp_path) == []
    assert couch.store.trouble is None


def test_crops_of_an_exam_that_never_went_on_are_gone_the_next_day(tmp_path: Path) -> None:
    """They are removed at the start; those of this morning stay."""
    for number, age_s in ((1, PENDING_S + 60), (2, 60)):
        couch = Examination(tmp_path / str(number)).take(number)
        couch.store.close()
        [exam] = (tmp_path / str(number) / "pending").iterdir()
        os.utime(exam, (time.time() - age_s,) * 2)
        Examination(tmp_path / str(number)).store.close()
    assert pending_in(tmp_path / "1") == []
    assert pending_in(tmp_path / "2") == [str(uid(2))]


def test_oldest_evidence_goes_first_and_never_grows_beyond_the_limit(tmp_path: Path) -> None:
    """With room for a few results the latest stay; numbers go on."""
    couch = Examination(tmp_path, 1)
    store = couch.store
    for patient in range(12):
        couch.take(*range(10 * patient + 1, 10 * patient + 6))
        couch.happen(PatientChanged(uid(5000 + patient), moment(10 * patient + 6)))
        wait_for(lambda: store._tasks.unfinished_tasks == 0)
    store.close()
    assert store.trouble is None
    names = [file.name for file in sealed_in(tmp_path)]
    assert names[-1].startswith("000012-")
    assert 1 <= len(names) < 12
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.zip")) <= 1_000_000


def test_what_can_never_fit_removes_nothing(tmp_path: Path) -> None:
    """An exam that is larger than the limit is told, and the evidence of others stays."""
    couch = Examination(tmp_path).take(1, 2, 3, 4, 5)
    couch.store.close()
    small = EvidenceFolder(tmp_path, 10_000)
    small.open()
    with pytest.raises(EvidenceError, match="raise it"):
        small.keep(uid(77), measured(7), b"{}", crops_of(7))
    small.close()
    assert len(sealed_in(tmp_path)) == 1


def test_audit_log_vouches_for_the_evidence(tmp_path: Path) -> None:
    """The log holds the digest of the file, as `sha256sum` prints it."""
    audit = Audit(tmp_path / "audit")
    Examination(tmp_path / "evidence", audit=audit).take(1, 2, 3, 4, 5).store.close()
    audit.close()
    [file] = sealed_in(tmp_path / "evidence")
    line = content_of(list(lines_of(files_in(tmp_path / "audit")[0]))[-1])
    assert line["kind"] == "evidence"
    assert line["content"] == {
        "result_id": file.stem.partition("-")[2],
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "complete": True,
        "removed": [],
    }


def test_full_disk_stops_the_evidence_and_nothing_else(small_disk: Path) -> None:
    """On a full disk the store says so and leaves no half of a file; with room, evidence is kept again."""
    folder = small_disk / "evidence"
    couch = Examination(folder)
    store = couch.store
    filler = small_disk / "filler"
    filler.write_bytes(bytes(small_disk_room(small_disk)))  # not even what is kept without crops finds room
    couch.take(1, 2, 3, 4, 5)
    wait_for(lambda: store.trouble is not None)
    assert "No space left" in str(store.trouble)
    assert couch.exam.result_id is not None
    wait_for(lambda: store._tasks.unfinished_tasks == 0)
    assert not list(folder.rglob(f"{HALF_WRITTEN}*"))
    filler.unlink()
    couch.happen(PatientChanged(uid(901), moment(6))).take(7, 8, 9, 10, 11)
    store.close()
    assert store.trouble is None
    kept = read_evidence(sealed_in(folder)[-1])
    assert kept.result.id == couch.exam.result_id
    assert all(one.kept for one in kept.manifest.acquisitions)


def test_result_without_its_crops_says_so(tmp_path: Path) -> None:
    """What could not be kept is marked; the rest is evidence all the same."""
    couch = Examination(tmp_path).take(1, 2)
    wait_for(lambda: len(pending_in(tmp_path)) == 2)
    next(tmp_path.glob(f"pending/*/{uid(1)}.zip")).unlink()
    damaged = next(tmp_path.glob(f"pending/*/{uid(2)}.zip"))
    damaged.write_bytes(damaged.read_bytes()[:-7])
    couch.take(3, 4, 5)
    couch.store.close()
    [kept] = until_sealed(tmp_path)
    assert [one.kept for one in kept.manifest.acquisitions] == [False, False, True, True, True]


def test_disk_that_hangs_never_holds_up_a_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a write waits for ever, telling goes on; what does not fit in the queue is told as trouble."""
    monkeypatch.setattr(evidence_module, "CLOSE_S", 0.2)
    couch = Examination(tmp_path)
    exam = tmp_path / "pending" / str(uid(1001))
    exam.mkdir()
    pipe = exam / f"{HALF_WRITTEN}{os.getpid()}-{uid(1)}.zip"
    os.mkfifo(pipe)  # opening it for writing waits until somebody reads
    couch.take(1)
    slowest_s = 0.0
    for number in range(2, 60):
        couch.exam = Exam()
        began_s = time.monotonic()
        couch.take(number)
        slowest_s = max(slowest_s, time.monotonic() - began_s)
    assert slowest_s < 2.0  # waiting would have been for ever
    assert couch.store.trouble == "the disk is too slow: evidence was left out"
    couch.store.close()
    released = threading.Thread(target=pipe.read_bytes)
    released.start()
    released.join(20)
    couch.store.close()


def test_second_appliance_is_refused(tmp_path: Path) -> None:
    """Two appliances in one folder would remove each other's crops."""
    first = Examination(tmp_path).store
    with pytest.raises(EvidenceError, match=f"in use by process {os.getpid()}"):
        Examination(tmp_path)
    first.close()
    (tmp_path / "file").touch()
    with pytest.raises(EvidenceError, match="cannot be used"):
        Examination(tmp_path / "file")


def last_in(folder: Path) -> str:
    """Name of the newest evidence."""
    return max((file.name for file in sealed_in(folder)), default="")


KILLED = """
import sys
from pathlib import Path
from firmware_app.exam.events import PatientChanged
from tests.firmware_app.evidence_examples import Examination
from tests.firmware_app.exam_examples import moment, uid
couch = Examination(Path(sys.argv[1]), 20)
print("ready", flush=True)
number = 1
while True:
    couch.take(*range(number, number + 5))
    couch.happen(PatientChanged(uid(10**6 + number), moment(number + 5)))
    number += 10
"""


@pytest.mark.timeout(180)
def test_kill_at_any_moment_leaves_whole_files(tmp_path: Path) -> None:
    """After kill -9 every file of evidence is whole, and half-written ones go at the next start."""
    last = ""
    for attempt in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            wait_for(lambda before=last: last_in(tmp_path) > before)  # type: ignore[misc]
            time.sleep(0.037 * attempt)
            process.send_signal(signal.SIGKILL)
        for file in sealed_in(tmp_path):
            read_evidence(file)
        last = last_in(tmp_path)
    (tmp_path / f"{HALF_WRITTEN}000099-{uid(1)}.zip").write_bytes(b"half")
    Examination(tmp_path).store.close()
    assert not list(tmp_path.rglob(f"{HALF_WRITTEN}*"))
